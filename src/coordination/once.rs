//! Callbacks that count once, while one of them is being taken: the next like it must wait for what becomes of the first.
//!
//! # Decisions
//! - 2026-11-23: what *was* taken stands in the store, so that a restart forgets nothing and nothing has to give way. Here is
//!   only what is under way in this process. With several nodes it becomes a lease in Redis: losing it lets one callback be
//!   taken twice, which finds its events recorded already.

use crate::domain::id::Pseudonym;
use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What is being taken.
#[derive(Debug, Default)]
pub struct Once {
    under_way: Mutex<BTreeSet<Pseudonym>>,
}

/// A place that is held until it is dropped, however that comes about: its caller may hang up half-way.
#[derive(Debug)]
#[must_use = "the place is held only as long as this lives"]
pub struct Place<'o> {
    once: &'o Once,
    of: Pseudonym,
}

impl Once {
    /// Takes the place of a callback; none while another one like it holds it.
    pub fn enter(&self, of: Pseudonym) -> Option<Place<'_>> {
        self.under_way().insert(of).then(|| Place { once: self, of })
    }

    fn under_way(&self) -> MutexGuard<'_, BTreeSet<Pseudonym>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.once.under_way().remove(&self.of);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_held_by_one_at_a_time() {
        let once = Once::default();
        let (a, b) = (Pseudonym::from_bytes([1; 16]), Pseudonym::from_bytes([2; 16]));
        let first = once.enter(a);
        assert!(first.is_some() && once.enter(a).is_none() && once.enter(b).is_some());
        drop(first);
        assert!(once.enter(a).is_some(), "whoever hangs up leaves it");
    }
}
