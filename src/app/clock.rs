//! The real clock and the real dice: the only ones in the house.

use crate::domain::time::{Clock, Entropy, Span, Timestamp};
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Instant;

/// The machine's clock.
pub struct MachineClock;

impl Clock for MachineClock {
    #[expect(clippy::disallowed_methods, reason = "the one real clock")]
    fn now(&self) -> Timestamp {
        Timestamp::from_jiff(jiff::Timestamp::now())
    }
}

/// The machine's forward-running clock, for durations.
#[expect(clippy::disallowed_methods, reason = "the one real timer")]
pub fn timer() -> Instant {
    Instant::now()
}

/// The machine's clock, moved: runs at its pace from an instant of our choice.
pub struct MovedClock {
    by: AtomicI64,
}

impl MovedClock {
    /// A clock that shows `start` now.
    pub fn starting_at(start: Timestamp) -> Self {
        Self { by: AtomicI64::new(start.since(MachineClock.now()).as_millis()) }
    }

    /// Sets the clock forward; it is never set back.
    pub fn advance_to(&self, to: Timestamp) {
        self.by.fetch_max(to.since(MachineClock.now()).as_millis(), Ordering::Relaxed);
    }
}

impl Clock for MovedClock {
    fn now(&self) -> Timestamp {
        MachineClock.now().plus(Span::millis(self.by.load(Ordering::Relaxed)))
    }
}

/// The operating system's randomness, by way of the cryptographic library.
pub struct MachineEntropy;

impl Entropy for MachineEntropy {
    #[expect(clippy::disallowed_methods, reason = "the one real pair of dice")]
    fn fill(&self, bytes: &mut [u8]) {
        // Fails only where the operating system has no randomness, and then no key may be made.
        aws_lc_rs::rand::fill(bytes).expect("the operating system gives randomness");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moved_clock_runs_from_its_start() {
        let start: Timestamp = "2026-12-01T15:59:55Z".parse().expect("an instant");
        let clock = MovedClock::starting_at(start);
        let now = clock.now();
        assert!(now >= start && now.since(start) < Span::minutes(1));
        clock.advance_to(start.plus(Span::hours(1)));
        assert!(clock.now() >= start.plus(Span::hours(1)));
        clock.advance_to(start);
        assert!(clock.now() >= start.plus(Span::hours(1)), "never back");
    }

    #[test]
    fn dice_fall_differently() {
        assert_ne!(MachineEntropy.ten(), MachineEntropy.ten());
    }
}
