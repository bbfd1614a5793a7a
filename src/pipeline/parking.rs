//! Receipts that came before we knew of what: a vendor may report before its answer to the send has reached us.
//!
//! # Decisions
//! - 2026-11-23: they wait in memory, not in the store. A receipt that names our attempt needs no waiting. One that names only
//!   the vendor's identifier can be matched by nothing but that vendor's answer, and an answer that a crash has swallowed
//!   never comes: the attempt is then *unknown* for good, and a receipt kept on disk would wait for ever. Parking and the
//!   vendor's answer are both handled by the recorder's one thread, so that neither can miss the other.

use crate::domain::time::{Span, Timestamp};
use crate::pipeline::receive::Report;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How long one waits: a vendor's answer is a matter of seconds.
const KEPT_FOR: Span = Span::hours(1);
/// How many wait at most; the oldest give way.
const PLACES: usize = 10_000;

/// Receipts that wait for their attempt.
#[derive(Debug, Default)]
pub struct Parking {
    lot: Mutex<Lot>,
}

#[derive(Debug, Default)]
struct Lot {
    /// By provider and the provider's identifier.
    waiting: BTreeMap<(String, String), Vec<Report>>,
    /// In the order they came: when, and whose. May name one that has left already.
    order: VecDeque<(Timestamp, (String, String))>,
}

impl Parking {
    /// Keeps a receipt until its attempt is known.
    pub fn park(&self, provider: &str, reference: &str, report: Report, now: Timestamp) {
        let mut lot = self.lot();
        while lot.order.front().is_some_and(|(since, _)| now.since(*since) > KEPT_FOR)
            || lot.order.len() >= PLACES
        {
            if let Some((_, key)) = lot.order.pop_front() {
                lot.waiting.remove(&key);
            }
        }
        let key = (provider.to_owned(), reference.to_owned());
        let waiting = lot.waiting.entry(key.clone()).or_default();
        if !waiting.contains(&report) {
            waiting.push(report);
            lot.order.push_back((now, key));
        }
    }

    /// Hands out what waited for an attempt, in the order it came.
    pub fn claim(&self, provider: &str, reference: &str) -> Vec<Report> {
        let mut lot = self.lot();
        if lot.waiting.is_empty() {
            return Vec::new();
        }
        lot.waiting.remove(&(provider.to_owned(), reference.to_owned())).unwrap_or_default()
    }

    fn lot(&self) -> MutexGuard<'_, Lot> {
        self.lot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::attempt::AttemptStatus;
    use crate::domain::outcome::FailureCause;

    fn report(word: &str) -> Report {
        Report {
            status: Some(AttemptStatus::Delivered),
            reported: word.to_owned(),
            code: None,
            cause: FailureCause::Unspecified,
            complained: false,
            in_hand: false,
            result: None,
        }
    }

    fn words(reports: &[Report]) -> Vec<&str> {
        reports.iter().map(|report| report.reported.as_str()).collect()
    }

    #[test]
    fn what_was_parked_is_handed_out_once_and_in_order() {
        let (parking, now) = (Parking::default(), Timestamp::from_millis(0));
        for word in ["sent", "delivered", "sent"] {
            parking.park("twilio", "SM1", report(word), now);
        }
        parking.park("other", "SM1", report("x"), now);
        assert_eq!(words(&parking.claim("twilio", "SM1")), ["sent", "delivered"]);
        assert!(parking.claim("twilio", "SM1").is_empty());
        assert_eq!(words(&parking.claim("other", "SM1")), ["x"]);
    }

    #[test]
    fn a_parking_lot_is_neither_for_ever_nor_without_end() {
        let parking = Parking::default();
        parking.park("p", "old", report("x"), Timestamp::from_millis(0));
        parking.park(
            "p",
            "new",
            report("x"),
            Timestamp::from_millis(0).plus(KEPT_FOR).plus(Span::seconds(1)),
        );
        assert!(parking.claim("p", "old").is_empty());
        for number in 0..=PLACES {
            parking.park("p", &number.to_string(), report("x"), Timestamp::from_millis(10_000_000));
        }
        assert!(parking.claim("p", "0").is_empty(), "the oldest gave way");
        assert_eq!(parking.claim("p", "1").len(), 1);
        assert_eq!(parking.claim("p", &PLACES.to_string()).len(), 1);
        assert!(parking.lot().order.len() <= PLACES);
    }
}
