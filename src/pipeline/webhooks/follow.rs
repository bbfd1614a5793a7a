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
    /// What is to be told of the events from a leaf on, and the leaf to go on from.
    pub fn page(&mut self, reader: &Reader, from: u64) -> Result<(Vec<Told>, u64), StorageError> {
        let places = reader.places_from(from, PAGE)?;
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
