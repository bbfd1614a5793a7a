//! One-time tokens of callbacks: what was taken once is not taken again while it is fresh.
//!
//! # Decisions
//! - 2026-11-23: they are kept in memory. What comes again after a restart finds an event that was recorded already, and
//!   changes nothing.

use crate::domain::time::Timestamp;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How many are remembered at most; the oldest give way.
const PLACES: usize = 100_000;

/// Tokens that were taken.
#[derive(Debug, Default)]
pub struct Once {
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    /// Until when each is remembered.
    until: BTreeMap<String, Timestamp>,
    /// In the order they came; may name one that was given back.
    order: VecDeque<String>,
}

impl Once {
    /// Takes a token; `false` if it was taken before.
    pub fn take(&self, token: &str, until: Timestamp, now: Timestamp) -> bool {
        let mut taken = self.taken();
        while taken.order.len() >= PLACES
            || taken
                .order
                .front()
                .is_some_and(|oldest| taken.until.get(oldest).is_none_or(|until| *until < now))
        {
            if let Some(oldest) = taken.order.pop_front() {
                taken.until.remove(&oldest);
            }
        }
        if taken.until.get(token).is_some_and(|until| *until >= now) {
            return false;
        }
        if taken.until.insert(token.to_owned(), until).is_none() {
            taken.order.push_back(token.to_owned());
        }
        true
    }

    /// Gives a token back: nothing came of the callback, and its vendor will send it again.
    pub fn give_back(&self, token: &str) {
        let mut taken = self.taken();
        taken.until.remove(token);
        // So that none stands in the order twice.
        taken.order.retain(|other| other != token);
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    #[test]
    fn a_token_counts_once_while_it_is_fresh() {
        let once = Once::default();
        assert!(once.take("a", at(10), at(0)) && once.take("b", at(10), at(0)));
        assert!(!once.take("a", at(10), at(5)) && !once.take("a", at(20), at(10)));
        assert!(once.take("a", at(30), at(11)), "forgotten");
        once.give_back("a");
        assert!(once.take("a", at(30), at(12)));
        assert!(!once.take("a", at(30), at(13)));
    }

    #[test]
    fn only_so_many_are_remembered() {
        let once = Once::default();
        for n in 0..=PLACES {
            assert!(once.take(&n.to_string(), at(100), at(0)));
        }
        assert!(once.take("0", at(100), at(1)), "the oldest gave way");
        assert!(!once.take(&PLACES.to_string(), at(100), at(1)));
        let taken = once.taken();
        assert!(taken.until.len() <= PLACES && taken.order.len() <= PLACES);
    }
}
