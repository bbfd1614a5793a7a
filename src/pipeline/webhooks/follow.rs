//! From the log to notices: the history is folded again, so that what was said at a leaf is said of the state at that leaf.

use crate::domain::event::{Event, EventBody, Sealed, Stream};
use crate::domain::id::DebtorKey;
use crate::domain::state::DebtorState;
use crate::pipeline::webhooks::notice::{self, Notice};
use crate::storage::{EventPlace, Reader, StorageError};
use bytes::Bytes;
use hashlink::LruCache;
use std::collections::HashMap;

/// Events that one look at the log takes in.
const PAGE: usize = 512;
/// Debtors kept at hand: those of a few pages.
const AT_HAND: usize = 1_024;

/// A notice ready to be told.
#[derive(Clone)]
pub struct Told {
    /// The event's index in the log.
    pub leaf: u64,
    /// Whose chain it stands in.
    pub stream: Stream,
    /// Its `webhook-id`.
    pub id: String,
    /// Its type.
    pub type_name: &'static str,
    /// Its body.
    pub body: Bytes,
}

/// Reads the log on.
pub struct Follower {
    states: LruCache<DebtorKey, DebtorState>,
}

impl Default for Follower {
    fn default() -> Self {
        Self { states: LruCache::new(AT_HAND) }
    }
}

impl Follower {
    /// What is to be told of the events from a leaf on and before another, and the leaf to go on from.
    pub fn page(&mut self, reader: &Reader, from: u64, end: u64) -> Result<(Vec<Told>, u64), StorageError> {
        let mut places = reader.places_from(from, PAGE)?;
        places.retain(|place| place.leaf < end);
        let next = places.last().map_or(from, |place| place.leaf + 1);
        let mut debtors: HashMap<DebtorKey, Vec<EventPlace>> = HashMap::new();
        for place in places {
            match place.stream {
                Stream::Debtor(key) => debtors.entry(key).or_default().push(place),
                Stream::Installation => {}
            }
        }
        let mut told = Vec::new();
        for (key, places) in debtors {
            self.debtor(reader, key, &places, &mut told)?;
        }
        told.sort_by_key(|told: &Told| told.leaf);
        Ok((told, next))
    }

    /// What is to be told of some events of one debtor, in their order.
    fn debtor(
        &mut self,
        reader: &Reader,
        key: DebtorKey,
        places: &[EventPlace],
        told: &mut Vec<Told>,
    ) -> Result<(), StorageError> {
        let (Some(first), Some(last)) = (places.first(), places.last()) else { return Ok(()) };
        let known = self.states.remove(&key).filter(|state| state.seq < first.seq);
        let mut state = known.unwrap_or_default();
        let mut events = reader.load_after(Stream::Debtor(key), state.seq)?;
        let erased = events.iter().any(|event| matches!(event.body, EventBody::DebtorErased(..)));
        if erased && state.seq > 0 {
            // Nothing is told of an erased person that was only still at hand.
            state = DebtorState::default();
            events = reader.load_after(Stream::Debtor(key), 0)?;
        }
        let mut places = places.iter().peekable();
        for event in events.into_iter().take_while(|event| event.seq <= last.seq) {
            match places.next_if(|place| place.seq == event.seq) {
                Some(place) => told.extend(take(&mut state, event, place)),
                None => state.apply(light(event)),
            }
        }
        self.states.insert(key, state);
        Ok(())
    }

    /// The notice of one event; none if there is none to tell.
    pub fn one(reader: &Reader, leaf: u64) -> Result<Option<Told>, StorageError> {
        let Some(place) = reader.places_from(leaf, 1)?.pop().filter(|place| place.leaf == leaf) else {
            return Ok(None);
        };
        let Stream::Debtor(key) = place.stream else { return Ok(None) };
        let mut told = Vec::new();
        Self { states: LruCache::new(1) }.debtor(reader, key, &[place], &mut told)?;
        Ok(told.pop())
    }
}

/// Takes an event into the state, and says what is to be told of it.
fn take(state: &mut DebtorState, event: Event, place: &EventPlace) -> Option<Told> {
    let event = light(event);
    let before = notice::status_before(state, &event.body);
    state.apply(event.clone());
    let notice: Notice = notice::of(&event, before, state)?;
    Some(Told {
        leaf: place.leaf,
        stream: place.stream,
        id: notice::id(place.leaf, &place.leaf_hash),
        type_name: notice.type_name,
        body: Bytes::from(notice::body(&notice, &event, place.leaf)),
    })
}

/// The message as sent is in no notice; here it would only take room.
fn light(event: Event) -> Event {
    match event.body {
        EventBody::AttemptStarted(start, _) => {
            Event { body: EventBody::AttemptStarted(start, Sealed::Gone), ..event }
        }
        body => Event { body, ..event },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::channel::Channel;
    use crate::domain::event::{Actor, Inbound, InboundSecret, Understanding};
    use crate::domain::id::Pseudonym;
    use crate::domain::time::{Entropy, Timestamp};
    use crate::storage::{Settings, Store};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU8, Ordering};

    struct Counting(AtomicU8);
    impl Entropy for Counting {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill_with(|| self.0.fetch_add(1, Ordering::Relaxed));
        }
    }

    fn heard(text: &str) -> EventBody {
        let inbound = Inbound {
            channel: Channel::Sms,
            intents: Vec::new(),
            point: None,
            provider_ref: None,
            understood: Understanding::Other,
        };
        let secret = InboundSecret { from: "+13055550171".to_owned(), text: text.to_owned() };
        EventBody::InboundReceived(inbound, secret.into())
    }

    #[test]
    fn what_is_written_and_not_durable_yet_is_not_told() {
        let folder = tempfile::tempdir().expect("a folder");
        let settings = Settings {
            url: format!("sqlite:{}", folder.path().join("dunwell.db").display()),
            data_dir: folder.path().to_owned(),
            master_key: vec![7; 32].into(),
            readers: 1,
            bulk: crate::storage::BULK,
        };
        let store = Store::open(&settings, Arc::new(Counting(AtomicU8::new(0)))).expect("opens");
        let mut writer = store.writer().expect("the door");
        let before = writer.log_size();
        let stream = Stream::Debtor(DebtorKey(Pseudonym::from_bytes([1; 16])));
        let mut write = |text: &str| {
            let mut batch = writer.begin().expect("begins");
            let mut chain = batch.chain(stream).expect("a chain");
            for _ in 0..2 {
                let at = Timestamp::from_millis(0);
                batch.append(&mut chain, at, &Actor::Gateway, &heard(text)).expect("appends");
            }
            batch.write().expect("written")
        };
        let (landed, in_flight) = (write("first"), write("second"));
        let end = landed.log_size();
        assert_eq!((end, in_flight.log_size()), (before + 2, before + 4));

        let reader = store.reader().expect("a reader");
        let mut follower = Follower::default();
        let (told, next) = follower.page(&reader, before, end).expect("read");
        let leaves: Vec<u64> = told.iter().map(|told| told.leaf).collect();
        assert_eq!((leaves, next), (vec![before, before + 1], end), "{:?}", reader.log_size());
        let (told, next) = follower.page(&reader, next, end).expect("read");
        assert!(told.is_empty() && next == end);
        let (told, next) = follower.page(&reader, next, in_flight.log_size()).expect("read");
        assert!(told.len() == 2 && told.iter().all(|told| told.body.windows(6).any(|w| w == b"second")));
        assert_eq!(next, in_flight.log_size());
    }
}
