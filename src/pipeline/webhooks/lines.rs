//! What is to be told to one receiver, in which order: a line a debtor, pure.
//!
//! The log itself is the queue. Everything before [`Lines::position`] was taken, or stands in the store as a notice that was
//! not; a crash goes on from there, so that nothing is lost and some notices are told twice, with the same id. Within a line
//! the next notice waits until the one before it was taken or given up; other lines go on. A receiver that takes nothing at
//! all is asked less and less, and the log is not read on for it: once it is back it gets everything, in order.

use crate::domain::event::Stream;
use crate::domain::time::{Span, Timestamp};
use crate::storage::{NoticeRow, WebhookProgress};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The pauses before each further try: the first within seconds, the last after three days in all. The later ones are those
/// that Standard Webhooks recommends.
pub const PAUSES: &[Span] = &[
    Span::seconds(2),
    Span::seconds(10),
    Span::seconds(30),
    Span::minutes(2),
    Span::minutes(10),
    Span::minutes(30),
    Span::hours(2),
    Span::hours(5),
    Span::hours(10),
    Span::hours(14),
    Span::hours(20),
    Span::hours(24),
];
/// Failures in a row, of whatever notices, after which a receiver counts as away.
const AWAY: u32 = 5;
/// A receiver that is away is asked again after so long, with one notice.
const PROBE: Span = Span::seconds(10);
/// By how much of a pause the next tries of many are spread, at most.
const SPREAD: f64 = 0.1;
/// Notices on their way at once, at most.
const AT_ONCE: usize = 32;
/// Notices read from the log and not tried yet, at most.
const AHEAD: usize = 1_000;

/// How a try ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tried {
    /// The receiver took it.
    Taken,
    /// It did not; the next pause is at least as long as it asks for.
    Not {
        /// Why, in a word.
        why: String,
        /// How long it asks to be left alone.
        rest: Option<Span>,
    },
}

/// Where a receiver stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// It takes what it is told.
    Well,
    /// Some of it waits to be told again.
    Retrying,
    /// It takes nothing.
    Away,
}

#[derive(Clone)]
struct Waiting {
    stream: Stream,
    type_name: String,
    tries: u32,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
    due: Timestamp,
    error: Option<String>,
    /// It stands in the store: the log may be read on past it.
    kept: bool,
    /// It was read before, so that the store may know it as given up.
    again: bool,
}

impl Waiting {
    fn new(stream: Stream, type_name: String, due: Timestamp) -> Self {
        let (first, last, error) = (None, None, None);
        Self { stream, type_name, tries: 0, first, last, due, error, kept: false, again: false }
    }

    fn row(&self, leaf: u64, due_at: Option<Timestamp>) -> NoticeRow {
        NoticeRow {
            leaf,
            stream: self.stream,
            type_name: self.type_name.clone(),
            tries: self.tries,
            first_tried_at: self.first,
            last_tried_at: self.last,
            due_at,
            error: self.error.clone(),
        }
    }
}

/// Everything that is to be told to one receiver and was read so far.
#[derive(Default)]
pub struct Lines {
    waiting: BTreeMap<u64, Waiting>,
    lines: HashMap<Stream, BTreeSet<u64>>,
    /// The first notice of each line that is not on its way, by the moment it is due.
    heads: BTreeSet<(Timestamp, u64)>,
    under_way: BTreeSet<u64>,
    /// Read from the log and not in the store: the position stays before the first of them.
    fresh: BTreeSet<u64>,
    /// The next leaf to read.
    next: u64,
    /// Up to where it was ever read.
    furthest: u64,
    /// Failures since something was last taken, and when the last one was.
    failures: u32,
    failed_at: Option<Timestamp>,
    /// Given up, and not yet kept as such.
    dead: BTreeMap<u64, NoticeRow>,
    /// What is to be brought to the store.
    changed: BTreeSet<u64>,
    kept_position: Option<u64>,
}

impl Lines {
    /// Goes on where the store says; the position is to be kept if it is new.
    pub fn restore(position: u64, known: bool, rows: Vec<NoticeRow>) -> Self {
        let kept_position = known.then_some(position);
        let mut lines = Self { next: position, furthest: position, kept_position, ..Self::default() };
        for row in rows {
            let Some(due) = row.due_at else { continue };
            let waiting = Waiting {
                stream: row.stream,
                type_name: row.type_name,
                tries: row.tries,
                first: row.first_tried_at,
                last: row.last_tried_at,
                due,
                error: row.error,
                kept: true,
                again: false,
            };
            lines.stand(row.leaf, waiting);
        }
        lines
    }

    /// The next leaf to read from the log, unless enough was read.
    pub fn wants(&self) -> Option<u64> {
        (self.fresh.len() < AHEAD).then_some(self.next)
    }

    /// The log was read up to a leaf (which is not among it), and this is what is to be told of it.
    pub fn read(
        &mut self,
        from: u64,
        to: u64,
        found: impl IntoIterator<Item = (u64, Stream, String)>,
        now: Timestamp,
    ) {
        // What was read while the position was set back is read again from there.
        if from != self.next {
            return;
        }
        for (leaf, stream, type_name) in found {
            if self.waiting.contains_key(&leaf) {
                continue;
            }
            let waiting = Waiting { again: leaf < self.furthest, ..Waiting::new(stream, type_name, now) };
            self.stand(leaf, waiting);
        }
        self.next = to;
        self.furthest = self.furthest.max(to);
    }

    fn stand(&mut self, leaf: u64, mut waiting: Waiting) {
        let line = self.lines.entry(waiting.stream).or_default();
        let ahead = line.first().copied();
        line.insert(leaf);
        // Behind a notice that is tried again the position need not wait for this one either.
        if !waiting.kept && ahead.and_then(|first| self.waiting.get(&first)).is_some_and(|first| first.kept) {
            waiting.kept = true;
            self.changed.insert(leaf);
        }
        if !waiting.kept {
            self.fresh.insert(leaf);
        }
        let due = waiting.due;
        self.waiting.insert(leaf, waiting);
        match ahead {
            None => drop(self.heads.insert((due, leaf))),
            Some(first) if leaf < first => {
                if let Some(first_due) = self.waiting.get(&first).map(|first| first.due) {
                    self.heads.remove(&(first_due, first));
                }
                self.heads.insert((due, leaf));
            }
            Some(_) => {}
        }
    }

    /// The next notice to tell now; it is then on its way until [`Self::tried`].
    pub fn take(&mut self, now: Timestamp) -> Option<u64> {
        let most = if self.is_away() { 1 } else { AT_ONCE };
        let rested = !self.is_away() || self.failed_at.is_none_or(|at| now >= at.plus(PROBE));
        if self.under_way.len() >= most || !rested {
            return None;
        }
        let (due, leaf) = self.heads.first().copied().filter(|(due, _)| *due <= now)?;
        self.heads.remove(&(due, leaf));
        self.under_way.insert(leaf);
        Some(leaf)
    }

    /// A notice that was on its way was taken, or not. `jitter` (0 to 1) spreads the next tries of many. True if it is now
    /// given up.
    pub fn tried(&mut self, leaf: u64, how: Tried, now: Timestamp, jitter: f64) -> bool {
        self.under_way.remove(&leaf);
        match how {
            Tried::Taken => {
                if self.is_away() {
                    self.wake(now);
                }
                self.failures = 0;
                self.leave(leaf);
                false
            }
            Tried::Not { why, rest } => {
                self.failures = self.failures.saturating_add(1);
                self.failed_at = Some(now);
                self.failed(leaf, why, rest, now, jitter)
            }
        }
    }

    fn failed(&mut self, leaf: u64, why: String, rest: Option<Span>, now: Timestamp, jitter: f64) -> bool {
        let Some(waiting) = self.waiting.get_mut(&leaf) else { return false };
        let pause = usize::try_from(waiting.tries).ok().and_then(|tries| PAUSES.get(tries)).copied();
        waiting.tries += 1;
        waiting.first.get_or_insert(now);
        waiting.last = Some(now);
        waiting.error = Some(why);
        let Some(pause) = pause else {
            let row = waiting.row(leaf, None);
            self.dead.insert(leaf, row);
            self.changed.insert(leaf);
            self.leave(leaf);
            return true;
        };
        let spread = Span::millis((pause.as_millis() as f64 * SPREAD * jitter) as i64);
        waiting.due = now.plus(pause.max(rest.unwrap_or(pause))).plus(spread);
        let head = (waiting.due, leaf);
        self.keep_line(leaf);
        self.head_of_line(leaf, head);
        false
    }

    /// The notice stays the first of its line, unless an earlier one was read meanwhile.
    fn head_of_line(&mut self, leaf: u64, head: (Timestamp, u64)) {
        let Some(stream) = self.waiting.get(&leaf).map(|waiting| waiting.stream) else { return };
        if self.lines.get(&stream).and_then(|line| line.first()) == Some(&leaf) {
            self.heads.insert(head);
        }
    }

    /// A notice that is to be tried again is kept in the store, and everything behind it in its line.
    fn keep_line(&mut self, leaf: u64) {
        self.changed.insert(leaf);
        let Some(stream) = self.waiting.get(&leaf).map(|waiting| waiting.stream) else { return };
        for behind in self.lines.get(&stream).into_iter().flat_map(|line| line.range(leaf..)) {
            if let Some(waiting) = self.waiting.get_mut(behind).filter(|waiting| !waiting.kept) {
                waiting.kept = true;
                self.fresh.remove(behind);
                self.changed.insert(*behind);
            }
        }
    }

    /// A notice is done with: the next of its line is due.
    fn leave(&mut self, leaf: u64) {
        let Some(gone) = self.waiting.remove(&leaf) else { return };
        self.fresh.remove(&leaf);
        if gone.kept || gone.again {
            self.changed.insert(leaf);
        }
        let Some(line) = self.lines.get_mut(&gone.stream) else { return };
        line.remove(&leaf);
        match line.first().copied() {
            None => drop(self.lines.remove(&gone.stream)),
            Some(next) if !self.under_way.contains(&next) => {
                if let Some(due) = self.waiting.get(&next).map(|next| next.due) {
                    self.heads.insert((due, next));
                }
            }
            Some(_) => {}
        }
    }

    /// The receiver is back: nothing waits for its pause.
    fn wake(&mut self, now: Timestamp) {
        let late: Vec<(Timestamp, u64)> = self.heads.iter().copied().filter(|(due, _)| *due > now).collect();
        for (due, leaf) in late {
            self.heads.remove(&(due, leaf));
            self.heads.insert((now, leaf));
            if let Some(waiting) = self.waiting.get_mut(&leaf) {
                waiting.due = now;
                self.changed.insert(leaf);
            }
        }
    }

    /// Tells everything again from a leaf on.
    pub fn rewind(&mut self, leaf: u64) {
        self.next = self.next.min(leaf);
    }

    /// Tells a notice again, whatever became of it: with all its tries before it.
    pub fn again(&mut self, leaf: u64, stream: Stream, type_name: String, now: Timestamp) {
        if self.under_way.contains(&leaf) {
            return;
        }
        self.dead.remove(&leaf);
        if let Some(waiting) = self.waiting.get_mut(&leaf) {
            let before = (waiting.due, leaf);
            (waiting.due, waiting.tries) = (now, 0);
            if self.heads.remove(&before) {
                self.heads.insert((now, leaf));
            }
        } else {
            self.stand(leaf, Waiting { kept: true, ..Waiting::new(stream, type_name, now) });
        }
        self.keep_line(leaf);
    }

    /// A fresh start for a receiver that counts as away: it is asked at once.
    pub fn give_it_a_chance(&mut self) {
        self.failures = 0;
    }

    /// Everything before this leaf was taken, or is among what [`Self::progress`] brings to the store.
    pub fn position(&self) -> u64 {
        self.fresh.first().copied().map_or(self.next, |first| first.min(self.next))
    }

    /// What has changed since the store was last brought up to date; none if nothing has.
    pub fn progress(&mut self) -> Option<WebhookProgress> {
        let position = self.position();
        if self.changed.is_empty() && self.kept_position == Some(position) {
            return None;
        }
        let mut progress = WebhookProgress { next_leaf: position, ..WebhookProgress::default() };
        for leaf in std::mem::take(&mut self.changed) {
            match (self.waiting.get(&leaf), self.dead.remove(&leaf)) {
                (Some(waiting), _) => progress.kept.push(waiting.row(leaf, Some(waiting.due))),
                (None, Some(dead)) => progress.kept.push(dead),
                (None, None) => progress.settled.push(leaf),
            }
        }
        self.kept_position = Some(position);
        Some(progress)
    }

    /// What [`Self::progress`] gave could not be kept: it will be given again.
    pub fn not_kept(&mut self, progress: WebhookProgress) {
        self.kept_position = None;
        self.changed.extend(progress.settled);
        for row in progress.kept {
            self.changed.insert(row.leaf);
            if row.due_at.is_none() && !self.waiting.contains_key(&row.leaf) {
                self.dead.insert(row.leaf, row);
            }
        }
    }

    /// Whether something failed, so that the store should hear of it soon.
    pub fn is_urgent(&self) -> bool {
        !self.changed.is_empty()
    }

    /// The next moment at which something is due that is not on its way.
    pub fn next_due(&self) -> Option<Timestamp> {
        self.heads.first().map(|(due, _)| *due)
    }

    /// Notices that wait to be told again, or stand behind such a one.
    pub fn backlog(&self) -> usize {
        self.waiting.len() - self.fresh.len()
    }

    /// Notices read and not taken yet.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether everything that was read was taken.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The first notice that was not taken yet.
    pub fn oldest(&self) -> Option<u64> {
        self.waiting.keys().next().copied()
    }

    /// Where the receiver stands.
    pub fn health(&self) -> Health {
        if self.is_away() {
            Health::Away
        } else if self.backlog() > 0 {
            Health::Retrying
        } else {
            Health::Well
        }
    }

    fn is_away(&self) -> bool {
        self.failures >= AWAY
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::{DebtorKey, Pseudonym};

    fn debtor(number: u8) -> Stream {
        Stream::Debtor(DebtorKey(Pseudonym::from_bytes([number; 16])))
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    fn not(why: &str) -> Tried {
        Tried::Not { why: why.to_owned(), rest: None }
    }

    fn lines(found: &[(u64, u8)], to: u64) -> Lines {
        let mut lines = Lines::restore(0, false, Vec::new());
        lines.read(0, to, found.iter().map(|(leaf, who)| (*leaf, debtor(*who), "t".to_owned())), at(0));
        lines
    }

    fn all(lines: &mut Lines, now: Timestamp) -> Vec<u64> {
        std::iter::from_fn(|| lines.take(now)).collect()
    }

    #[test]
    fn a_debtors_next_notice_waits_and_others_go_on() {
        let mut lines = lines(&[(1, 1), (2, 2), (3, 1), (4, 2)], 5);
        assert_eq!(all(&mut lines, at(0)), [1, 2]);
        assert!(!lines.tried(1, not("http_500"), at(0), 0.0));
        lines.tried(2, Tried::Taken, at(0), 0.0);
        assert_eq!(all(&mut lines, at(0)), [4], "3 waits behind 1");
        lines.tried(4, Tried::Taken, at(0), 0.0);
        assert_eq!(lines.health(), Health::Retrying);
        assert_eq!(lines.position(), 5, "1 and 3 are kept in the store");
        let progress = lines.progress().expect("news");
        let kept: Vec<_> = progress.kept.iter().map(|row| (row.leaf, row.tries, row.due_at)).collect();
        assert_eq!(kept, [(1, 1, Some(at(2))), (3, 0, Some(at(0)))]);
        assert!(all(&mut lines, at(1)).is_empty());
        assert_eq!(all(&mut lines, at(2)), [1]);
        lines.tried(1, Tried::Taken, at(2), 0.0);
        assert_eq!(all(&mut lines, at(2)), [3]);
        lines.tried(3, Tried::Taken, at(2), 0.0);
        assert_eq!(lines.progress().expect("news").settled, [1, 3]);
        assert!(lines.is_empty() && lines.progress().is_none() && lines.health() == Health::Well);
    }

    #[test]
    fn the_position_stays_before_what_nobody_took() {
        let mut lines = lines(&[(1, 1), (2, 2)], 9);
        assert_eq!(lines.position(), 1);
        assert_eq!(all(&mut lines, at(0)), [1, 2]);
        lines.tried(2, Tried::Taken, at(0), 0.0);
        assert_eq!(lines.progress().expect("news").next_leaf, 1);
        lines.tried(1, Tried::Taken, at(0), 0.0);
        let progress = lines.progress().expect("news");
        assert_eq!((progress.next_leaf, lines.position()), (9, 9));
        lines.not_kept(progress);
        assert_eq!(lines.progress().expect("again").next_leaf, 9);
    }

    #[test]
    fn tries_are_spread_over_three_days_and_then_given_up() {
        let mut lines = lines(&[(1, 1), (2, 1)], 3);
        let (mut now, mut tries) = (at(0), 0);
        loop {
            assert_eq!(lines.take(now), Some(1));
            tries += 1;
            if lines.tried(1, not("timeout"), now, 1.0) {
                break;
            }
            let row =
                lines.progress().expect("news").kept.into_iter().find(|row| row.leaf == 1).expect("kept");
            let due = row.due_at.expect("due");
            assert!(lines.take(due.minus(Span::millis(1))).is_none());
            now = due;
        }
        assert_eq!(tries, PAUSES.len() + 1);
        let days = now.since(at(0)).as_millis() as f64 / 86_400_000.0;
        assert!((3.0..4.0).contains(&days), "{days} days");
        let progress = lines.progress().expect("news");
        let dead = progress.kept.iter().find(|row| row.leaf == 1).expect("the dead one");
        assert_eq!((dead.due_at, dead.error.as_deref()), (None, Some("timeout")));
        let later = now.plus(PROBE);
        assert_eq!(lines.take(later), Some(2), "the next of the line goes on");
        lines.tried(2, Tried::Taken, later, 0.0);
        lines.again(1, debtor(1), "t".to_owned(), later);
        assert_eq!(lines.progress().expect("news").kept.first().map(|row| row.tries), Some(0));
        assert_eq!(lines.take(later), Some(1));
    }

    #[test]
    fn a_receiver_that_is_away_is_probed_and_gets_everything_once_it_is_back() {
        let found: Vec<(u64, u8)> = (0..100).map(|n| (u64::from(n), n)).collect();
        let mut lines = lines(&found, 100);
        let first = all(&mut lines, at(0));
        assert_eq!(first.len(), AT_ONCE);
        for leaf in first {
            lines.tried(leaf, not("connect"), at(0), 0.0);
        }
        assert_eq!(lines.health(), Health::Away);
        assert!(all(&mut lines, at(9)).is_empty(), "it is left alone");
        assert_eq!(all(&mut lines, at(10)), [32], "and then asked with one");
        lines.tried(32, not("connect"), at(10), 0.0);
        assert!(all(&mut lines, at(19)).is_empty());
        let probe = all(&mut lines, at(20));
        assert_eq!(probe.len(), 1);
        lines.tried(probe[0], Tried::Taken, at(20), 0.0);
        let mut told = 1;
        loop {
            let due = all(&mut lines, at(20));
            if due.is_empty() {
                break;
            }
            told += due.len();
            for leaf in due {
                lines.tried(leaf, Tried::Taken, at(20), 0.0);
            }
        }
        assert_eq!((told, lines.is_empty()), (100, true));
    }

    #[test]
    fn a_receiver_may_ask_for_more_time() {
        let mut lines = lines(&[(1, 1)], 2);
        assert_eq!(lines.take(at(0)), Some(1));
        lines.tried(1, Tried::Not { why: "http_429".to_owned(), rest: Some(Span::seconds(90)) }, at(0), 0.0);
        assert!(lines.take(at(89)).is_none());
        assert_eq!(lines.take(at(90)), Some(1));
    }

    #[test]
    fn a_rewound_log_is_told_again_and_given_up_notices_are_settled_by_it() {
        let mut lines = lines(&[(1, 1), (2, 2)], 3);
        for leaf in all(&mut lines, at(0)) {
            lines.tried(leaf, Tried::Taken, at(0), 0.0);
        }
        lines.progress().expect("news");
        lines.rewind(2);
        assert_eq!((lines.wants(), lines.position()), (Some(2), 2));
        lines.read(3, 9, [(5, debtor(1), "t".to_owned())], at(1));
        assert_eq!(lines.wants(), Some(2), "what was read for the old position does not count");
        lines.read(2, 3, [(2, debtor(2), "t".to_owned())], at(1));
        assert_eq!(lines.take(at(1)), Some(2));
        lines.tried(2, Tried::Taken, at(1), 0.0);
        let progress = lines.progress().expect("news");
        assert_eq!((progress.next_leaf, progress.settled), (3, vec![2]), "the store may know it as given up");
    }

    /// A receiver that often fails, a store that sometimes does, and a program that is killed at any moment: each debtor's
    /// notices are first taken in their order, and none is left out.
    #[test]
    fn nothing_is_lost_and_order_holds_over_crashes() {
        for seed in 0..200_u64 {
            world(seed);
        }
    }

    fn world(seed: u64) {
        const LEAVES: u64 = 60;
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut roll = move |sides: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state % sides
        };
        let who: Vec<u8> = (0..LEAVES).map(|_| roll(5) as u8).collect();
        let (mut position, mut rows): (u64, BTreeMap<u64, NoticeRow>) = (0, BTreeMap::new());
        let mut taken: Vec<u64> = Vec::new();
        let mut lines = Lines::restore(0, false, Vec::new());
        let (mut now, mut under_way) = (at(0), Vec::new());
        for step in 0..100_000 {
            match roll(12) {
                0 => now = now.plus(Span::seconds(roll(30) as i64)),
                1..4 => {
                    if let Some(from) = lines.wants().filter(|from| *from < LEAVES) {
                        let to = (from + 1 + roll(5)).min(LEAVES);
                        let found = (from..to).map(|leaf| (leaf, debtor(who[leaf as usize]), "t".to_owned()));
                        lines.read(from, to, found, now);
                    }
                }
                4..7 => under_way.extend(lines.take(now)),
                7..10 if !under_way.is_empty() => {
                    let leaf: u64 = under_way.swap_remove(roll(under_way.len() as u64) as usize);
                    // Towards the end the receiver is well, so that every world ends.
                    let how = if step < 20_000 && roll(4) == 0 { not("http_500") } else { Tried::Taken };
                    if how == Tried::Taken {
                        taken.push(leaf);
                    }
                    lines.tried(leaf, how, now, 0.5);
                }
                10 => {
                    if let Some(progress) = lines.progress() {
                        if roll(5) == 0 {
                            lines.not_kept(progress);
                        } else {
                            position = progress.next_leaf;
                            progress.settled.iter().for_each(|leaf| drop(rows.remove(leaf)));
                            rows.extend(progress.kept.into_iter().map(|row| (row.leaf, row)));
                        }
                    }
                }
                11 if roll(20) == 0 => {
                    lines = Lines::restore(position, true, rows.values().cloned().collect());
                    under_way.clear();
                }
                _ => {}
            }
            if lines.wants() == Some(LEAVES) && lines.is_empty() {
                break;
            }
        }
        let mut seen = BTreeSet::new();
        taken.retain(|leaf| seen.insert(*leaf));
        let dead: Vec<u64> = rows.values().filter(|row| row.due_at.is_none()).map(|row| row.leaf).collect();
        assert!(dead.is_empty(), "world {seed}: {dead:?}");
        assert_eq!(seen.len() as u64, LEAVES, "world {seed}: some were never taken");
        for debtor in 0..5 {
            let line: Vec<u64> = taken.iter().copied().filter(|leaf| who[*leaf as usize] == debtor).collect();
            assert!(line.is_sorted(), "world {seed}: {line:?}");
        }
    }
}
