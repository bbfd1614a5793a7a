//! Tokens that a vendor lends: fetched once, used until they run out, and fetched anew where one that worked is refused. A
//! vendor that gives none is left alone for a while, however many messages wait for one.

use crate::domain::outcome::Failure;
use crate::domain::time::{Clock, Span, Timestamp};
use crate::provider::oauth2::Token;
use secrecy::SecretString;
use tokio::sync::Mutex;

/// For how long nobody tries again after a fetch that failed, where the failure asks for no more.
const PAUSE_SECONDS: u32 = 1;
/// A question that is refused gives up no token younger than this: another one would be refused as well.
const SETTLED: Span = Span::minutes(1);

/// The token of one provider.
#[derive(Debug, Default)]
pub struct Bearer {
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    token: Option<Kept>,
    /// Why the last fetch brought none, and until when that stands.
    failed: Option<(Failure, Timestamp)>,
    /// Which one it is, counted from the first.
    number: u64,
    /// Whether the vendor took it at least once.
    worked: bool,
}

#[derive(Debug)]
struct Kept {
    authorization: SecretString,
    since: Timestamp,
    until: Timestamp,
}

/// A token for one request.
pub struct Lent {
    /// What stands in `Authorization`.
    pub authorization: SecretString,
    number: u64,
}

impl Bearer {
    /// The token that is held, or else a new one. Where many want one, one of them fetches it; where it gets none, neither do
    /// the others, until the vendor may be asked again.
    ///
    /// # Errors
    /// What `fetch` says, or said a moment ago.
    pub async fn lend(
        &self,
        clock: &dyn Clock,
        fetch: impl Future<Output = Result<Token, Failure>>,
    ) -> Result<Lent, Failure> {
        let mut held = self.held.lock().await;
        let (now, number) = (clock.now(), held.number);
        if let Some(kept) = held.token.as_ref().filter(|kept| now < kept.until) {
            return Ok(Lent { authorization: kept.authorization.clone(), number });
        }
        if let Some((failure, _)) = held.failed.as_ref().filter(|(_, until)| now < *until) {
            return Err(failure.clone());
        }
        let fetched = fetch.await;
        let now = clock.now();
        match fetched {
            Ok(Token { authorization, lives }) => {
                let kept = Kept { authorization: authorization.clone(), since: now, until: now.plus(lives) };
                *held = Held { token: Some(kept), failed: None, number: number + 1, worked: false };
                Ok(Lent { authorization, number: number + 1 })
            }
            Err(failure) => {
                let pause = failure.retry_after_seconds.unwrap_or_default().max(PAUSE_SECONDS);
                held.failed = Some((failure.clone(), now.plus(Span::seconds(i64::from(pause)))));
                Err(failure)
            }
        }
    }

    /// The vendor took it.
    pub async fn worked(&self, lent: &Lent) {
        let mut held = self.held.lock().await;
        if held.number == lent.number {
            held.worked = true;
        }
    }

    /// The vendor refused it. `true` if it is only this token that is refused, because it worked before or is not held any
    /// more: another try brings another token. One that never worked is refused for another reason.
    pub async fn refused(&self, lent: &Lent) -> bool {
        let mut held = self.held.lock().await;
        if held.number != lent.number {
            return true;
        }
        held.token = None;
        held.worked
    }

    /// The vendor refused a question that came with it. What messages go out with is given up only if it is not so new any
    /// more: there are addresses that refuse every token, and they are asked again and again.
    pub async fn doubted(&self, lent: &Lent, now: Timestamp) {
        let mut held = self.held.lock().await;
        let settled = held.token.as_ref().is_some_and(|kept| now >= kept.since.plus(SETTLED));
        if held.number == lent.number && settled {
            held.token = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::outcome::{FailureCause, FailureClass};
    use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

    #[derive(Default)]
    struct Hand(AtomicI64);

    impl Clock for Hand {
        fn now(&self) -> Timestamp {
            Timestamp::from_millis(self.0.load(Ordering::SeqCst))
        }
    }

    fn throttled(seconds: Option<u32>) -> Failure {
        let failure = Failure::of(FailureClass::NeverLeft, FailureCause::Provider, "token_throttled");
        Failure { retry_after_seconds: seconds, ..failure }
    }

    #[tokio::test]
    async fn a_vendor_that_gives_no_token_is_left_alone() {
        let (bearer, clock, asked) = (Bearer::default(), Hand::default(), AtomicUsize::new(0));
        let lend = |failure: Failure| {
            let fetch = async {
                asked.fetch_add(1, Ordering::SeqCst);
                Err(failure)
            };
            bearer.lend(&clock, fetch)
        };
        for (wait, milliseconds) in [(Some(60), 60_000), (Some(0), 1_000), (None, 1_000)] {
            let before = asked.load(Ordering::SeqCst);
            for passed in [0, milliseconds - 1] {
                clock.0.fetch_add(passed, Ordering::SeqCst);
                assert_eq!(lend(throttled(wait)).await.err(), Some(throttled(wait)));
                assert_eq!(asked.load(Ordering::SeqCst), before + 1, "{wait:?}");
            }
            clock.0.fetch_add(1, Ordering::SeqCst);
        }
        assert!(lend(throttled(None)).await.is_err());
        assert_eq!(asked.load(Ordering::SeqCst), 4);
    }

    #[tokio::test]
    async fn a_question_gives_up_no_new_token() {
        let (bearer, clock) = (Bearer::default(), Hand::default());
        let lend = || {
            let token = Token { authorization: "Bearer x".into(), lives: Span::hours(1) };
            bearer.lend(&clock, async { Ok(token) })
        };
        let first = lend().await.expect("a token");
        bearer.worked(&first).await;
        for (passed, number) in [(0, 1), (59_999, 1), (1, 2)] {
            clock.0.fetch_add(passed, Ordering::SeqCst);
            bearer.doubted(&first, clock.now()).await;
            assert_eq!(lend().await.expect("a token").number, number, "{passed}");
        }
        // Of the one that took its place nothing was said.
        clock.0.fetch_add(60_000, Ordering::SeqCst);
        bearer.doubted(&first, clock.now()).await;
        assert_eq!(lend().await.expect("a token").number, 2);
        assert!(bearer.refused(&first).await, "it is not held any more");
    }
}
