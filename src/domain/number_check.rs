//! Answers of a reassigned-numbers database, kept with their dates (47 CFR 64.1200(m), 12 CFR 1006.6(d)(5)).
//!
//! An answer belongs to a number *and* to the date that was asked about: `no` says that the number was not disconnected on that
//! date or since, `yes` that it was (FCC, DA 21-1649). So an answer speaks for a debtor only as far as that date goes together
//! with the last one on which the number surely was this debtor's.

use crate::domain::contact_point::{ReassignmentCheck, ReassignmentResult};
use crate::domain::id::PointKey;
use crate::domain::time::Date;
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;

/// An answer about a number that is or was on a debtor's file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NumberCheck {
    /// What was asked and answered.
    pub check: ReassignmentCheck,
    /// The number.
    pub point: PointKey,
}

impl ReassignmentCheck {
    /// Whether the answer is certain for somebody whose number it last surely was on this day; none where no such day is known.
    pub fn speaks_for(&self, good_on: Option<Date>) -> bool {
        match self.result {
            ReassignmentResult::No | ReassignmentResult::NoData => {
                good_on.is_some_and(|day| self.since <= day)
            }
            ReassignmentResult::Yes => good_on.is_none_or(|day| self.since >= day),
        }
    }
}

/// Takes in an answer; false if it, or a newer one to the same question, was there.
pub fn keep(checks: &mut Vec<NumberCheck>, new: NumberCheck) -> bool {
    let question = |known: &NumberCheck| {
        (known.point, known.check.since, known.check.result, known.check.source)
            == (new.point, new.check.since, new.check.result, new.check.source)
    };
    match checks.iter_mut().find(|known| question(known)) {
        Some(known) if known.check.checked_on >= new.check.checked_on => false,
        Some(known) => {
            *known = new;
            true
        }
        None => {
            checks.push(new);
            true
        }
    }
}

/// The answer that stands for somebody whose number it last surely was on a day, whatever order the answers came in.
///
/// The newest one that says something; of one day that which is certain for this person, then the restrictive one. A `no` that
/// asked about too late a date ends nothing, nor does an answer without data; a `yes` that asked about too early a date binds
/// until a later query says better.
pub fn standing<'a>(
    checks: impl IntoIterator<Item = &'a ReassignmentCheck>,
    good_on: Option<Date>,
) -> Option<&'a ReassignmentCheck> {
    checks.into_iter().max_by_key(|check| {
        let certain = check.speaks_for(good_on);
        let class = match check.result {
            ReassignmentResult::NoData => 0,
            ReassignmentResult::No if !certain => 1,
            ReassignmentResult::No | ReassignmentResult::Yes => 2,
        };
        let strict = check.result == ReassignmentResult::Yes;
        (class, check.checked_on, certain, strict, Reverse(check.since), check.source)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ReassignmentResult::{No, NoData, Yes};

    fn day(text: &str) -> Date {
        text.parse().expect("a date")
    }

    fn check(checked_on: &str, since: &str, result: ReassignmentResult) -> ReassignmentCheck {
        ReassignmentCheck { checked_on: day(checked_on), result, since: day(since), source: None }
    }

    #[test]
    fn an_answer_speaks_for_whom_its_date_fits() {
        let (early, late) = (Some(day("2026-01-01")), Some(day("2026-06-01")));
        let asked = |result| check("2026-11-01", "2026-03-01", result);
        for (result, good_on, certain) in [
            (No, late, true),
            (No, early, false),
            (No, None, false),
            (Yes, early, true),
            (Yes, late, false),
            (Yes, None, true),
            (NoData, late, true),
            (NoData, early, false),
        ] {
            assert_eq!(asked(result).speaks_for(good_on), certain, "{result} {good_on:?}");
        }
        assert!(
            asked(No).speaks_for(Some(day("2026-03-01"))) && asked(Yes).speaks_for(Some(day("2026-03-01")))
        );
    }

    /// Every order of the answers gives the one that is named first.
    #[test]
    fn the_answer_that_stands_does_not_hang_on_the_order() {
        let good_on = Some(day("2026-03-01"));
        let worlds = [
            // Somebody else had the number before: asked about the right date, it is this debtor's.
            vec![check("2026-11-01", "2026-03-01", No), check("2026-11-01", "2019-01-01", Yes)],
            // A later query that is not certain still warns.
            vec![check("2026-11-02", "2019-01-01", Yes), check("2026-11-01", "2026-03-01", No)],
            // Asking about too late a date, or without an answer, lifts nothing.
            vec![
                check("2026-10-01", "2026-03-01", Yes),
                check("2026-11-01", "2026-05-01", No),
                check("2026-11-01", "2026-03-01", NoData),
            ],
            vec![check("2026-11-01", "2026-03-01", Yes), check("2026-11-01", "2026-02-01", No)],
            vec![check("2026-11-01", "2026-02-01", No), check("2026-10-01", "2026-03-01", Yes)],
            vec![check("2026-11-01", "2026-02-01", No), check("2026-11-01", "2026-03-01", No)],
        ];
        for world in worlds {
            for turn in 0..world.len() {
                let mut turned = world.clone();
                turned.rotate_left(turn);
                assert_eq!(standing(&turned, good_on), world.first(), "{turned:?}");
                turned.reverse();
                assert_eq!(standing(&turned, good_on), world.first(), "{turned:?}");
            }
        }
        assert_eq!(standing([], good_on), None);
    }

    #[test]
    fn the_same_answer_is_kept_once_and_a_newer_one_takes_its_place() {
        let point = PointKey(crate::domain::id::Pseudonym::from_bytes([7; 16]));
        let known = |checked_on, since| NumberCheck { check: check(checked_on, since, No), point };
        let mut checks = Vec::new();
        assert!(keep(&mut checks, known("2026-10-01", "2026-03-01")));
        assert!(!keep(&mut checks, known("2026-10-01", "2026-03-01")));
        assert!(keep(&mut checks, known("2026-11-01", "2026-03-01")));
        assert!(!keep(&mut checks, known("2026-10-01", "2026-03-01")), "the older one");
        assert!(keep(&mut checks, known("2026-10-01", "2026-04-01")), "another question");
        assert_eq!(checks.len(), 2);
    }
}
