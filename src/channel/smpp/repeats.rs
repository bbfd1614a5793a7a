//! What people wrote that was recorded, and whose answer was not written: the centre hands it over once more, to the connection
//! after this one. Nothing in it says that it is the same (SMPP 3.4 has no such field), and an old START that is recorded again
//! would lift a newer STOP.
//!
//! # Decisions
//! - 2026-11-23: only an answer that was never written makes a repetition. One that was written and lost on its way is not told
//!   from one that arrived, and whoever writes STOP twice must not go unheard the second time. Kept in memory: after a restart
//!   such a text is recorded once more.

use crate::provider::crypto::Hash;
use crate::provider::smpp::pdu::{Address, MESSAGE_PAYLOAD, ShortMessage};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Mutex as Turns, OwnedMutexGuard};
use tokio::time::Instant;

/// Texts that are remembered, at most: more than one connection has on their way to the history.
const REMEMBERED: usize = 512;
/// A centre that has not handed a text over again by then has given it up, and the next one like it is new.
const REPEATED_WITHIN: Duration = Duration::from_secs(60 * 60);

/// By which a text is known again; not the text.
#[derive(Clone, PartialEq, Eq)]
pub(in crate::channel::smpp) struct Mark(Vec<u8>);

impl Mark {
    pub fn of(message: &ShortMessage) -> Self {
        let ShortMessage { source, destination, esm_class, data_coding, short_message, .. } = message;
        let payload = message.tlv(MESSAGE_PAYLOAD).unwrap_or_default();
        let mut whole = vec![*esm_class, *data_coding];
        for Address { ton, npi, value } in [source, destination] {
            whole.extend([*ton, *npi]);
            append(&mut whole, value.as_bytes());
        }
        append(&mut whole, short_message);
        append(&mut whole, payload);
        Self(Hash::Sha256.digest(&whole))
    }
}

/// With its length before it, so that nothing moves from one field into the next.
fn append(whole: &mut Vec<u8>, field: &[u8]) {
    whole.extend(field.len().to_be_bytes());
    whole.extend(field);
}

/// A text that was recorded.
struct Unanswered {
    mark: Mark,
    /// The connection whose answer to it is awaited.
    connection: u64,
    since: Instant,
}

/// Of all connections to a centre, one after another.
#[derive(Default)]
pub(in crate::channel::smpp) struct Repeats {
    turns: Arc<Turns<()>>,
    connections: AtomicU64,
    unanswered: Mutex<VecDeque<Unanswered>>,
}

impl Repeats {
    /// For a connection of its own.
    pub fn connection(self: &Arc<Self>) -> Answers {
        Answers { repeats: Arc::clone(self), connection: self.connections.fetch_add(1, Ordering::Relaxed) }
    }
}

/// What one connection has answered.
#[derive(Clone)]
pub(in crate::channel::smpp) struct Answers {
    repeats: Arc<Repeats>,
    connection: u64,
}

impl Answers {
    /// Who records has the turn: what the connection before still records is known before it comes again.
    pub async fn turn(&self) -> OwnedMutexGuard<()> {
        Arc::clone(&self.repeats.turns).lock_owned().await
    }

    /// Whether it was recorded over an earlier connection that could not say so; then this one is to say it, this once.
    pub fn is_repeated(&self, mark: &Mark, now: Instant) -> bool {
        let mut unanswered = self.unanswered();
        unanswered.retain(|text| now.duration_since(text.since) < REPEATED_WITHIN);
        let mut earlier = unanswered.iter_mut();
        let earlier = earlier.find(|text| text.mark == *mark && text.connection != self.connection);
        earlier.is_some_and(|text| {
            text.connection = self.connection;
            true
        })
    }

    /// It is recorded, and is to be answered.
    pub fn recorded(&self, mark: &Mark, since: Instant) {
        let mut unanswered = self.unanswered();
        if unanswered.len() >= REMEMBERED {
            unanswered.pop_front();
        }
        unanswered.push_back(Unanswered { mark: mark.clone(), connection: self.connection, since });
    }

    /// The answer was written: whatever is like it from here on is new.
    pub fn written(&self, mark: &Mark) {
        let mut unanswered = self.unanswered();
        let found =
            unanswered.iter().position(|text| text.mark == *mark && text.connection == self.connection);
        if let Some(at) = found {
            unanswered.remove(at);
        }
    }

    fn unanswered(&self) -> MutexGuard<'_, VecDeque<Unanswered>> {
        self.repeats.unanswered.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(words: &str) -> ShortMessage {
        let source = Address { ton: 1, npi: 1, value: "13055550117".to_owned() };
        ShortMessage { source, short_message: words.as_bytes().to_vec(), ..ShortMessage::default() }
    }

    #[test]
    fn a_text_is_known_by_all_that_it_says() {
        let mark = Mark::of(&text("STOP"));
        assert!(mark == Mark::of(&text("STOP")));
        let mut others = [text("START"), text(""), text("STOP"), text("STOP"), text("STOP"), text("STOP")];
        others[2].data_coding = 8;
        others[3].source.value = "13055550118".to_owned();
        others[4].destination.value = "24273".to_owned();
        others[5] = text("");
        others[5].tlvs = vec![(MESSAGE_PAYLOAD, b"STOP".to_vec())];
        assert!(others.iter().all(|other| Mark::of(other) != mark));
    }

    #[test]
    fn only_an_answer_never_written_makes_a_repetition_and_once() {
        let repeats = Arc::<Repeats>::default();
        let (first, second, third) = (repeats.connection(), repeats.connection(), repeats.connection());
        let (start, stop) = (Mark::of(&text("START")), Mark::of(&text("STOP")));
        let now = Instant::now();
        first.recorded(&start, now);
        first.recorded(&stop, now);
        first.written(&stop);
        // Whoever writes it twice over one connection has written it twice.
        assert!(!first.is_repeated(&start, now) && !second.is_repeated(&stop, now));
        assert!(second.is_repeated(&start, now) && !second.is_repeated(&start, now));
        // The second could not say it either.
        assert!(third.is_repeated(&start, now));
        third.written(&start);
        assert!(!repeats.connection().is_repeated(&start, now));
    }

    #[test]
    fn what_comes_much_later_is_new_and_the_oldest_are_forgotten() {
        let repeats = Arc::<Repeats>::default();
        let (first, second) = (repeats.connection(), repeats.connection());
        let mark = |number: usize| Mark::of(&text(&number.to_string()));
        let now = Instant::now();
        for number in 0..=REMEMBERED {
            first.recorded(&mark(number), now);
        }
        assert!(!second.is_repeated(&mark(0), now) && second.is_repeated(&mark(1), now));
        assert!(!second.is_repeated(&mark(2), now + REPEATED_WITHIN));
        assert!(repeats.unanswered.lock().expect("a lock").is_empty());
    }
}
