//! How many messages a second a provider takes (GCRA, by governor), under a clock that is brought in.

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use std::collections::HashMap;
use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

/// Time that has passed since some fixed moment; it never goes back. The assembly brings a monotonic one.
pub type Elapsed = Arc<dyn Fn() -> Duration + Send + Sync>;

/// Reads the time that was brought in.
#[derive(Clone)]
struct Brought(Elapsed);

impl Clock for Brought {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        (self.0)().into()
    }
}

type Limiter = RateLimiter<NotKeyed, InMemoryState, Brought, NoOpMiddleware<Nanos>>;

/// A throttle for each provider. Providers without one are not throttled.
pub struct Throttles {
    clock: Brought,
    limiters: HashMap<String, Limiter>,
}

impl fmt::Debug for Throttles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.limiters.keys()).finish()
    }
}

impl Throttles {
    /// Throttles by provider and messages a second. A provider may be a tenth of a second ahead, so that its rate is
    /// reached even where wake-ups are coarse; nought is read as one.
    pub fn new(rates: impl IntoIterator<Item = (String, u32)>, elapsed: Elapsed) -> Self {
        let clock = Brought(elapsed);
        let limiter = |rate: u32| {
            let rate = NonZeroU32::new(rate).unwrap_or(NonZeroU32::MIN);
            let burst = NonZeroU32::new(rate.get() / 10).unwrap_or(NonZeroU32::MIN);
            RateLimiter::direct_with_clock(Quota::per_second(rate).allow_burst(burst), clock.clone())
        };
        let limiters = rates.into_iter().map(|(provider, rate)| (provider, limiter(rate))).collect();
        Self { clock, limiters }
    }

    /// Takes a slot now, if there is one.
    ///
    /// # Errors
    /// How long until there may be one. Nothing was taken.
    pub fn try_take(&self, provider: &str) -> Result<(), Duration> {
        let Some(limiter) = self.limiters.get(provider) else { return Ok(()) };
        limiter.check().map_err(|not_until| {
            // A wait of nothing would make callers spin.
            not_until.wait_time_from(self.clock.now()).max(Duration::from_millis(1))
        })
    }

    /// Waits for a slot and takes it. Dropping the future takes nothing.
    pub async fn take(&self, provider: &str) {
        while let Err(wait) = self.try_take(provider) {
            tokio::time::sleep(wait).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    fn virtual_time() -> (Arc<AtomicU64>, Elapsed) {
        let millis = Arc::new(AtomicU64::new(0));
        let read = Arc::clone(&millis);
        (millis, Arc::new(move || Duration::from_millis(read.load(Ordering::Relaxed))))
    }

    #[test]
    fn a_rate_is_kept_over_every_second() {
        let (millis, elapsed) = virtual_time();
        let throttles = Throttles::new([("twilio".to_owned(), 50)], elapsed);
        let mut taken = Vec::new();
        for now in 0..10_000_u64 {
            millis.store(now, Ordering::Relaxed);
            while throttles.try_take("twilio").is_ok() {
                taken.push(now);
            }
        }
        assert!((500..=505).contains(&taken.len()), "{}", taken.len());
        for start in 0..9_000 {
            let within = taken.iter().filter(|at| (start..start + 1_000).contains(*at)).count();
            assert!(within <= 55, "{within} in the second from {start} ms");
        }
    }

    #[test]
    fn the_wait_it_names_is_enough_and_providers_do_not_share() {
        let (millis, elapsed) = virtual_time();
        let throttles = Throttles::new([("a".to_owned(), 2), ("b".to_owned(), 0)], elapsed);
        assert_eq!(throttles.try_take("a"), Ok(()));
        let wait = throttles.try_take("a").expect_err("full");
        assert_eq!(wait, Duration::from_millis(500));
        assert_eq!(throttles.try_take("b"), Ok(()));
        assert_eq!(throttles.try_take("not named"), Ok(()));
        millis.store(500, Ordering::Relaxed);
        assert_eq!(throttles.try_take("a"), Ok(()));
    }

    #[tokio::test]
    async fn taking_waits_its_turn() {
        let start = tokio::time::Instant::now();
        let elapsed: Elapsed = Arc::new(move || start.elapsed());
        let throttles = Throttles::new([("a".to_owned(), 100)], elapsed);
        for _ in 0..20 {
            throttles.take("a").await;
        }
        // Ten at once, then one every ten milliseconds.
        assert!(start.elapsed() >= Duration::from_millis(100), "{:?}", start.elapsed());
    }
}
