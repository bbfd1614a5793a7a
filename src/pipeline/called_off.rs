//! Whether a call that is under way was called off: what was recorded after it was placed, and stands.
//!
//! # Decisions
//! - 2026-11-23: what counts is when a fact was recorded, never the date that it bears: a stop binds once it is acknowledged,
//!   and upstream dates it as it likes. What was on record before was weighed when the call was placed, exceptions and all (the
//!   one answer to a debtor who called after a stop), and is not weighed again.
//! - 2026-11-23: of holds every kind that bars contact counts, whatever the packs in force make of it.

use crate::domain::channel::Channel;
use crate::domain::consent::{Hold, HoldKind, OptOut, covers_any};
use crate::domain::event::{Event, EventBody, Stream};
use crate::domain::id::{AccountKey, AttemptId, DebtorKey, PointKey};
use crate::domain::state::DebtorState;
use crate::domain::time::Timestamp;
use crate::storage::{Reader, StorageError};

/// What was recorded since a call was placed that may call it off.
pub struct Since {
    placed: Timestamp,
    accounts: Vec<AccountKey>,
    point: PointKey,
    stops: Vec<OptOut>,
    holds: Vec<HoldKind>,
}

impl Since {
    /// What a debtor's own history says after the attempt was recorded; none if it does not have it.
    pub fn own(history: &[Event], attempt: AttemptId) -> Option<Self> {
        let mut later = history.iter();
        let (placed, contact) = later.find_map(|event| {
            let EventBody::AttemptStarted(start, _) = &event.body else { return None };
            (start.attempt == attempt).then_some((event.at, &start.contact))
        })?;
        let (accounts, point) = (contact.accounts.clone(), contact.point?);
        let mut since = Self { placed, accounts, point, stops: Vec::new(), holds: Vec::new() };
        for event in later {
            if let EventBody::OptOutReceived(stop, _) | EventBody::ConsentRevoked(stop, _) = &event.body {
                since.stops.push(stop.clone());
            }
            if let EventBody::HoldPlaced(hold, _) = &event.body
                && hold.kind != HoldKind::Retain
            {
                since.holds.push(hold.kind);
            }
        }
        Some(since)
    }

    /// Also what other files say of the number: a stop of a point binds it wherever it is on file.
    pub fn and_elsewhere(mut self, reader: &Reader, own: DebtorKey) -> Result<Self, StorageError> {
        for other in reader.streams_with_point(self.point)?.into_iter().filter(|other| *other != own) {
            self.elsewhere(&reader.load(Stream::Debtor(other))?);
        }
        Ok(self)
    }

    fn elsewhere(&mut self, history: &[Event]) {
        for event in history.iter().filter(|event| event.at >= self.placed) {
            if let EventBody::OptOutReceived(stop, _) | EventBody::ConsentRevoked(stop, _) = &event.body
                && stop.point == Some(self.point)
            {
                // On another's file it is about the point, not about the accounts named there.
                self.stops.push(OptOut { accounts: Vec::new(), ..stop.clone() });
            }
        }
    }

    /// Whether some of it bars the call now.
    pub fn bars(&self, state: &DebtorState, now: Timestamp) -> bool {
        let stops = |stop: &OptOut| {
            stop.channel.covers(Channel::Voice)
                && stop.point.is_none_or(|point| point == self.point)
                && covers_any(&stop.accounts, &self.accounts)
                && !self.is_lifted(stop, state, now)
        };
        let holds = |hold: &Hold| {
            self.holds.contains(&hold.kind)
                && hold.in_force(now)
                && covers_any(&hold.accounts, &self.accounts)
        };
        self.stops.iter().any(stops) || state.holds.iter().any(holds)
    }

    /// Whether a later consent lifts a stop.
    fn is_lifted(&self, stop: &OptOut, state: &DebtorState, now: Timestamp) -> bool {
        let mut given = state.consents.iter().filter(|given| given.in_force(now));
        given.any(|given| stop.is_lifted_by(given, Channel::Voice, Some(self.point), &self.accounts))
    }
}
