//! Whether a provider can be relied upon: a circuit breaker as a pure state machine. Every moment is handed in.
//!
//! A provider that works is *in service*. Enough trouble of its own puts it *out of service* for a while, which doubles each
//! time it comes to nothing; then one message tries it (*probing*). If that goes well it gets its share back in steps
//! (*returning*), and at the first trouble none. One that asks for patience *rests* for as long as it said.
//!
//! # Decisions
//! - 2026-11-23: what a breaker knows is lost at a restart, and that is harmless: a few messages find out again. Rejected: keeping
//!   it in the history, which is about debtors and not about vendors.
//! - 2026-11-23: the share of a returning provider is dealt out by counting, not by dice, so that the same messages at the same
//!   moments always go the same way.

use crate::domain::time::{Span, Timestamp};
use std::collections::VecDeque;

/// So many troubles in a row put a provider out of service …
const IN_A_ROW: u32 = 5;
/// … or half of the newest messages, if there were at least so many …
const AT_LEAST: usize = 10;
/// … of so many …
const REMEMBERED: usize = 20;
/// … in this time.
const WINDOW: Span = Span::minutes(1);
/// How long a provider is left alone the first time …
const FIRST_REST: Span = Span::seconds(5);
/// … and at most: doubled each time the probe comes to nothing. Also the longest patience that a provider is granted.
const LONGEST_REST: Span = Span::minutes(5);
/// A probe of which nothing was heard by then is forgotten: longer than any provider's deadline.
const PROBE_LOST: Span = Span::minutes(2);
/// How much of the traffic a returning provider gets, in hundredths, step by step …
const SHARES: [u32; 3] = [10, 25, 50];
/// … each step taking so many messages that went well, or this time.
const STEP_WELL: u32 = 5;
const STEP_TIME: Span = Span::seconds(30);
/// A provider that asks for patience without saying for how long is left alone for this, doubled each time in a row.
const FIRST_PATIENCE: Span = Span::seconds(1);

/// What a message says of its provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// It works, whatever it said of the message.
    Well,
    /// Trouble of its own, or of the way there.
    Ill,
    /// It works, and wants to be left alone for a while.
    Patience(Option<Span>),
    /// Nothing: the message never came to it.
    Nothing,
}

/// Where a provider stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It gets whatever is its turn.
    InService,
    /// It asked for patience until then.
    Resting(Timestamp),
    /// It gets nothing until then.
    OutOfService(Timestamp),
    /// One message tries it.
    Probing,
    /// It gets so many hundredths of the traffic.
    Returning(u32),
}

/// Whether a message may go to a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It may.
    Go,
    /// Rather to another one; if there is none, it may.
    RatherNot,
    /// It may not, before that moment at least.
    No(Timestamp),
}

/// A message under way: only what set out under the present phase says something of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    phase: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Closed,
    Open { until: Timestamp },
    Probing { since: Timestamp },
    Returning { step: usize, since: Timestamp, well: u32 },
}

/// The breaker of one provider.
#[derive(Clone, Debug)]
pub struct Breaker {
    phase: Phase,
    /// Counts the changes of phase.
    changes: u64,
    /// When and whether each of the newest messages went well.
    newest: VecDeque<(Timestamp, bool)>,
    /// Troubles in a row.
    row: u32,
    /// How long it is left alone the next time.
    rest: Span,
    /// It asked for patience until then.
    patience: Option<Timestamp>,
    /// How long it is left alone if it asks again without saying.
    next_patience: Span,
    /// What of its share a returning provider has coming, in hundredths of a message.
    due: u32,
}

impl Default for Breaker {
    fn default() -> Self {
        Self {
            phase: Phase::Closed,
            changes: 0,
            newest: VecDeque::new(),
            row: 0,
            rest: FIRST_REST,
            patience: None,
            next_patience: FIRST_PATIENCE,
            due: 0,
        }
    }
}

impl Breaker {
    /// Where it stands.
    pub fn standing(&self, now: Timestamp) -> Standing {
        if let Some(until) = self.resting(now) {
            return Standing::Resting(until);
        }
        match self.phase {
            Phase::Closed => Standing::InService,
            Phase::Open { until } => Standing::OutOfService(until),
            Phase::Probing { .. } => Standing::Probing,
            Phase::Returning { step, .. } => Standing::Returning(share(step)),
        }
    }

    /// Whether the next message may go to it. Asking counts: of a returning provider's share, each asking is one message.
    pub fn admit(&mut self, now: Timestamp) -> Admission {
        match self.outlook(now) {
            Admission::RatherNot => {
                let Phase::Returning { step, .. } = self.phase else { return Admission::Go };
                self.due += share(step);
                if self.due < 100 {
                    return Admission::RatherNot;
                }
                self.due -= 100;
                Admission::Go
            }
            other => other,
        }
    }

    /// The same without counting.
    pub fn outlook(&self, now: Timestamp) -> Admission {
        if let Some(until) = self.resting(now) {
            return Admission::No(until);
        }
        match self.phase {
            Phase::Closed => Admission::Go,
            // A clock that was set back must not keep it out for longer than ever was meant.
            Phase::Open { until } if now >= until || until.since(now) > LONGEST_REST => Admission::Go,
            Phase::Open { until } => Admission::No(until),
            Phase::Probing { since } => {
                let lost = since.plus(PROBE_LOST);
                if now >= lost { Admission::Go } else { Admission::No(now.plus(FIRST_REST).min(lost)) }
            }
            Phase::Returning { .. } => Admission::RatherNot,
        }
    }

    /// A message sets out to it; the first one after it was left alone is the probe.
    pub fn depart(&mut self, now: Timestamp) -> Ticket {
        match self.phase {
            Phase::Open { .. } | Phase::Probing { .. } => self.enter(Phase::Probing { since: now }),
            Phase::Closed | Phase::Returning { .. } => {}
        }
        Ticket { phase: self.changes }
    }

    /// What a message said of it. `true` if that put it out of service, or told it to be left alone.
    pub fn learn(&mut self, ticket: Ticket, sign: Sign, now: Timestamp) -> bool {
        if let Sign::Patience(asked) = sign {
            return self.leave_alone(ticket, asked, now);
        }
        if ticket.phase != self.changes {
            return false;
        }
        match (sign, self.phase) {
            (Sign::Nothing, Phase::Probing { .. }) => self.enter(Phase::Open { until: now }),
            (Sign::Nothing, _) | (_, Phase::Open { .. }) | (Sign::Patience(_), _) => {}
            (Sign::Well, phase) => self.well(phase, now),
            (Sign::Ill, phase) => return self.ill(phase, now),
        }
        false
    }

    fn well(&mut self, phase: Phase, now: Timestamp) {
        self.row = 0;
        self.next_patience = FIRST_PATIENCE;
        match phase {
            Phase::Closed | Phase::Open { .. } => self.remember(true, now),
            Phase::Probing { .. } => self.enter(Phase::Returning { step: 0, since: now, well: 0 }),
            Phase::Returning { step, since, well } => {
                let well = well + 1;
                if well < STEP_WELL && now.since(since) < STEP_TIME {
                    // Within a step nothing changes but its count, so that what is under way goes on counting.
                    self.phase = Phase::Returning { step, since, well };
                } else if step + 1 < SHARES.len() {
                    self.phase = Phase::Returning { step: step + 1, since: now, well: 0 };
                } else {
                    self.rest = FIRST_REST;
                    self.enter(Phase::Closed);
                }
            }
        }
    }

    fn ill(&mut self, phase: Phase, now: Timestamp) -> bool {
        self.row += 1;
        self.remember(false, now);
        let in_time = self.newest.iter().filter(|(at, _)| now.since(*at) <= WINDOW);
        let (ill, all) = in_time.fold((0, 0), |(ill, all), (_, well)| (ill + usize::from(!well), all + 1));
        let trips = match phase {
            Phase::Closed => self.row >= IN_A_ROW || (all >= AT_LEAST && ill * 2 >= all),
            Phase::Probing { .. } | Phase::Returning { .. } => true,
            Phase::Open { .. } => false,
        };
        if trips {
            let until = now.plus(self.rest);
            self.rest = Span::millis((self.rest.as_millis() * 2).min(LONGEST_REST.as_millis()));
            self.enter(Phase::Open { until });
        }
        trips
    }

    /// A provider that asks for patience works: a probe that hears so ends the outage.
    fn leave_alone(&mut self, ticket: Ticket, asked: Option<Span>, now: Timestamp) -> bool {
        let unsaid = self.next_patience;
        let span = asked.filter(|span| *span > Span::millis(0)).unwrap_or(unsaid);
        let until = now.plus(span.min(LONGEST_REST));
        self.next_patience = Span::millis((unsaid.as_millis() * 2).min(LONGEST_REST.as_millis()));
        self.patience = Some(self.patience.map_or(until, |earlier| earlier.max(until)));
        if ticket.phase == self.changes && matches!(self.phase, Phase::Probing { .. }) {
            self.enter(Phase::Returning { step: 0, since: until, well: 0 });
        }
        true
    }

    fn resting(&self, now: Timestamp) -> Option<Timestamp> {
        self.patience.filter(|until| now < *until && until.since(now) <= LONGEST_REST)
    }

    fn remember(&mut self, well: bool, now: Timestamp) {
        if self.newest.len() == REMEMBERED {
            self.newest.pop_front();
        }
        self.newest.push_back((now, well));
    }

    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.changes += 1;
        self.newest.clear();
        self.row = 0;
        self.due = 0;
    }
}

fn share(step: usize) -> u32 {
    SHARES.get(step).copied().unwrap_or(100)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    fn one(breaker: &mut Breaker, sign: Sign, now: Timestamp) -> bool {
        let ticket = breaker.depart(now);
        breaker.learn(ticket, sign, now)
    }

    fn out(now: i64) -> Breaker {
        let mut breaker = Breaker::default();
        let tripped: Vec<bool> = (0..5).map(|_| one(&mut breaker, Sign::Ill, at(now))).collect();
        assert_eq!(tripped, [false, false, false, false, true]);
        breaker
    }

    #[test]
    fn trouble_in_a_row_puts_it_out_of_service() {
        let mut breaker = out(0);
        assert_eq!(breaker.standing(at(1)), Standing::OutOfService(at(5)));
        assert_eq!(breaker.admit(at(4)), Admission::No(at(5)));
        assert_eq!(breaker.admit(at(5)), Admission::Go);
    }

    #[test]
    fn half_of_many_is_too_much_and_a_little_is_not() {
        let mut breaker = Breaker::default();
        for n in 0..200 {
            let sign = if n % 3 == 0 { Sign::Ill } else { Sign::Well };
            assert!(!one(&mut breaker, sign, at(n)), "a third is borne");
        }
        let mut breaker = Breaker::default();
        let tripped =
            (0..20).position(|n| one(&mut breaker, if n % 2 == 1 { Sign::Ill } else { Sign::Well }, at(0)));
        assert_eq!(tripped, Some(9));
        let mut breaker = Breaker::default();
        for n in 0..20 {
            let sign = if n % 2 == 1 { Sign::Ill } else { Sign::Well };
            assert!(!one(&mut breaker, sign, at(n * 30)), "what lies back is forgotten");
        }
    }

    #[test]
    fn one_probe_at_a_time_and_the_wait_doubles() {
        let mut breaker = out(0);
        let (mut now, mut wait) = (0, 5);
        for _ in 0..10 {
            now += wait;
            assert_eq!(breaker.admit(at(now)), Admission::Go);
            let probe = breaker.depart(at(now));
            assert_eq!(breaker.standing(at(now)), Standing::Probing);
            assert!(matches!(breaker.admit(at(now)), Admission::No(_)), "nobody beside the probe");
            assert!(breaker.learn(probe, Sign::Ill, at(now)));
            wait = (wait * 2).min(300);
            assert_eq!(breaker.standing(at(now)), Standing::OutOfService(at(now + wait)));
        }
    }

    #[test]
    fn it_gets_its_share_back_in_steps() {
        let mut breaker = out(0);
        one(&mut breaker, Sign::Well, at(5));
        let mut seen = Vec::new();
        for expected in [10, 25, 50] {
            assert_eq!(breaker.standing(at(6)), Standing::Returning(expected));
            let admitted = (0..100).filter(|_| breaker.admit(at(6)) == Admission::Go).count();
            seen.push(admitted);
            for _ in 0..5 {
                one(&mut breaker, Sign::Well, at(6));
            }
        }
        assert_eq!(seen, [10, 25, 50]);
        assert_eq!(breaker.standing(at(6)), Standing::InService);
        let mut breaker = out(0);
        one(&mut breaker, Sign::Well, at(5));
        assert!(one(&mut breaker, Sign::Ill, at(6)), "the first trouble ends its return");
        assert_eq!(breaker.standing(at(6)), Standing::OutOfService(at(16)));
    }

    #[test]
    fn little_traffic_returns_by_time() {
        let mut breaker = out(0);
        one(&mut breaker, Sign::Well, at(5));
        for (now, expected) in
            [(35, Standing::Returning(25)), (65, Standing::Returning(50)), (95, Standing::InService)]
        {
            one(&mut breaker, Sign::Well, at(now));
            assert_eq!(breaker.standing(at(now)), expected);
        }
    }

    #[test]
    fn what_set_out_before_says_nothing_of_what_came_after() {
        let mut breaker = Breaker::default();
        let early = breaker.depart(at(0));
        for _ in 0..5 {
            one(&mut breaker, Sign::Ill, at(0));
        }
        assert!(!breaker.learn(early, Sign::Well, at(1)));
        assert_eq!(breaker.standing(at(1)), Standing::OutOfService(at(5)));
        let probe = breaker.depart(at(5));
        assert!(!breaker.learn(early, Sign::Ill, at(5)));
        assert_eq!(breaker.standing(at(5)), Standing::Probing);
        breaker.learn(probe, Sign::Nothing, at(5));
        assert_eq!(
            breaker.admit(at(5)),
            Admission::Go,
            "a probe that never came there is followed by another"
        );
        breaker.depart(at(5));
        assert_eq!(breaker.admit(at(124)), Admission::No(at(125)));
        assert_eq!(breaker.admit(at(125)), Admission::Go, "a probe of which nothing is heard is forgotten");
    }

    #[test]
    fn patience_is_granted_within_reason_and_is_no_trouble() {
        let mut breaker = Breaker::default();
        assert!(one(&mut breaker, Sign::Patience(Some(Span::seconds(30))), at(0)));
        assert_eq!(breaker.admit(at(29)), Admission::No(at(30)));
        assert_eq!(breaker.admit(at(30)), Admission::Go);
        assert!(one(&mut breaker, Sign::Patience(Some(Span::days(3))), at(30)));
        assert_eq!(breaker.standing(at(31)), Standing::Resting(at(330)));
        one(&mut breaker, Sign::Well, at(330));
        for (now, until) in [(400, 401), (401, 403), (403, 407)] {
            one(&mut breaker, Sign::Patience(None), at(now));
            assert_eq!(breaker.standing(at(now)), Standing::Resting(at(until)));
        }
        assert_eq!(breaker.standing(at(-1_000)), Standing::InService, "a clock set back keeps nobody out");
    }
}
