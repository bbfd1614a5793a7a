//! The barrier between an acknowledged stop and the sends it forbids (invariant 5).
//!
//! An attempt whose intent is durable stands here until its first byte leaves. The sender must *claim* it at that moment;
//! whatever forbids it meanwhile *overtakes* it, and a claim after that, or later than a second, is refused.

use crate::domain::id::{AttemptId, DebtorKey};
use crate::domain::time::{Clock, Span, Timestamp};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};

/// How long after its intent became durable an attempt may still begin.
const PATIENCE: Span = Span::seconds(1);

/// Attempts that are durable but have not left.
pub struct Barrier {
    clock: Arc<dyn Clock>,
    waiting: Mutex<HashMap<AttemptId, Waiting>>,
}

struct Waiting {
    debtor: DebtorKey,
    since: Timestamp,
    overtaken: bool,
}

/// Why a claim was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    /// Something that forbids it was recorded first.
    Overtaken,
    /// Its first byte did not leave within a second.
    TooLate,
}

impl Barrier {
    /// An empty barrier.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, waiting: Mutex::new(HashMap::new()) }
    }

    /// An attempt has become durable.
    pub fn stand(&self, attempt: AttemptId, debtor: DebtorKey, since: Timestamp) {
        self.lock().insert(attempt, Waiting { debtor, since, overtaken: false });
    }

    /// Something was recorded that may forbid what waits for a debtor.
    pub fn overtake(&self, debtor: DebtorKey) {
        for waiting in self.lock().values_mut().filter(|waiting| waiting.debtor == debtor) {
            waiting.overtaken = true;
        }
    }

    /// Something was recorded that may forbid anything, such as a pause.
    pub fn overtake_all(&self) {
        for waiting in self.lock().values_mut() {
            waiting.overtaken = true;
        }
    }

    /// The sender is about to let the first byte go.
    pub fn claim(&self, attempt: AttemptId) -> Result<(), Refused> {
        let Some(waiting) = self.lock().remove(&attempt) else { return Err(Refused::Overtaken) };
        if waiting.overtaken {
            Err(Refused::Overtaken)
        } else if self.clock.now().since(waiting.since) > PATIENCE {
            Err(Refused::TooLate)
        } else {
            Ok(())
        }
    }

    /// The attempt ended without a claim.
    pub fn withdraw(&self, attempt: AttemptId) {
        self.lock().remove(&attempt);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<AttemptId, Waiting>> {
        self.waiting.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::Pseudonym;
    use std::sync::atomic::{AtomicI64, Ordering};

    struct Hand(AtomicI64);
    impl Clock for Hand {
        fn now(&self) -> Timestamp {
            Timestamp::from_millis(self.0.load(Ordering::SeqCst))
        }
    }

    fn debtor(byte: u8) -> DebtorKey {
        DebtorKey(Pseudonym::from_bytes([byte; 16]))
    }

    #[test]
    fn a_stop_overtakes_what_has_not_left() {
        let clock = Arc::new(Hand(AtomicI64::new(0)));
        let barrier = Barrier::new(clock.clone());
        let [first, second, third] = [1u8, 2, 3].map(|n| AttemptId::new(clock.now(), &[n; 10]));
        barrier.stand(first, debtor(1), clock.now());
        barrier.stand(second, debtor(2), clock.now());
        barrier.stand(third, debtor(2), clock.now());
        assert_eq!(barrier.claim(third), Ok(()));
        barrier.overtake(debtor(2));
        assert_eq!(barrier.claim(first), Ok(()));
        assert_eq!(barrier.claim(second), Err(Refused::Overtaken));
        assert_eq!(barrier.claim(first), Err(Refused::Overtaken), "a claim is good once");
    }

    #[test]
    fn a_late_claim_is_refused() {
        let clock = Arc::new(Hand(AtomicI64::new(0)));
        let barrier = Barrier::new(clock.clone());
        let attempt = AttemptId::new(clock.now(), &[1; 10]);
        barrier.stand(attempt, debtor(1), clock.now());
        clock.0.store(1_001, Ordering::SeqCst);
        assert_eq!(barrier.claim(attempt), Err(Refused::TooLate));
    }
}
