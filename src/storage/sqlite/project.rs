//! What follows from an event alone: the projections that the writer moves on with each append, and that a rebuild makes
//! again from nothing.

use super::connection::failed;
use super::rows::int;
use crate::domain::contact::{Contact, ContactSource};
use crate::domain::event::{Actor, EventBody, Inbound, Stream};
use crate::domain::id::{AccountKey, PermitId, PointKey};
use crate::domain::time::Timestamp;
use crate::storage::seal::{KeyId, stream_bytes};
use crate::storage::{PermitStatus, StorageError};
use rusqlite::{Connection, Params};

/// Where the event stands.
pub(super) struct Place<'a> {
    pub(super) stream: Stream,
    pub(super) seq: u64,
    pub(super) at: Timestamp,
    pub(super) actor: &'a Actor,
}

/// Moves the projections on. `erased` is the key that an erasure destroys.
pub(super) fn event(
    connection: &Connection,
    place: &Place<'_>,
    body: &EventBody,
    erased: Option<KeyId>,
) -> Result<(), StorageError> {
    Projector { connection, place }.event(body, erased).map_err(failed("keeping a projection"))
}

struct Projector<'a> {
    connection: &'a Connection,
    place: &'a Place<'a>,
}

impl Projector<'_> {
    fn event(&self, body: &EventBody, erased: Option<KeyId>) -> rusqlite::Result<()> {
        match body {
            EventBody::DebtorUpdated(outline, _) => {
                self.points(outline.points.iter().map(|point| &point.point))?;
                self.accounts(outline.accounts.iter().map(|account| &account.account))
            }
            EventBody::DebtorErased(..) => self.erasure(erased),
            EventBody::ConsentGranted(consent, _) => self.subjects(&consent.accounts, consent.point.as_ref()),
            EventBody::ConsentRevoked(opt_out, _) | EventBody::OptOutReceived(opt_out, _) => {
                self.subjects(&opt_out.accounts, opt_out.point.as_ref())
            }
            EventBody::HoldPlaced(hold, _) => self.accounts(&hold.accounts),
            EventBody::ContactRecorded(report, _) => self.reported(&report.contact, &report.body_digest),
            EventBody::PermitIssued(grant, _) => {
                self.subjects(&grant.contact.accounts, grant.contact.point.as_ref())?;
                self.permit(grant.permit, grant.expires_at)
            }
            EventBody::PermitUsed(used, _) => self.permit_ended(used.permit, PermitStatus::Used),
            EventBody::PermitExpired(expiry, _) => self.permit_ended(expiry.permit, PermitStatus::Expired),
            EventBody::PermitReturned(given, _) => self.permit_ended(given.permit, PermitStatus::Returned),
            // What a request names is on file, and so known already.
            EventBody::RequestAccepted(..) => Ok(()),
            // Attempts go into the index, with what their providers call them.
            EventBody::AttemptStarted(..)
            | EventBody::AttemptSent(..)
            | EventBody::AttemptFailed(..)
            | EventBody::AttemptUnknown(..)
            | EventBody::AttemptAbandoned(..) => Ok(()),
            EventBody::InboundReceived(inbound, _) => self.inbound(inbound),
            EventBody::ReplyHeld(hold, _) => self.run(
                "INSERT INTO reviews (review, stream, channel, point, opened_at) VALUES (?1, ?2, ?3, ?4, ?5)",
                (
                    hold.review.as_bytes(),
                    self.stream(),
                    hold.channel.as_str(),
                    hold.point.0.as_bytes(),
                    self.place.at.millis(),
                ),
            ),
            EventBody::ReplyReleased(release, _) => self.run(
                "UPDATE reviews SET resolution = ?2 WHERE review = ?1",
                (release.review.as_bytes(), release.resolution.as_str()),
            ),
            EventBody::PausePlaced(pause, _) => {
                let clear = serde_json::to_string(pause)
                    .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
                self.run("INSERT OR REPLACE INTO pauses (name, body) VALUES (?1, ?2)", (&pause.name, clear))
            }
            EventBody::PauseLifted(end, _) => self.run("DELETE FROM pauses WHERE name = ?1", [&end.name]),
            EventBody::PreferencesUpdated(..)
            | EventBody::HoldLifted(..)
            | EventBody::RequestCancelled(..)
            | EventBody::RequestExpired(..)
            | EventBody::DecisionMade(..)
            | EventBody::DeliveryUpdated(..)
            | EventBody::ContactPointInvalid(..)
            | EventBody::DisputeReceived(..)
            | EventBody::PromiseReceived(..)
            | EventBody::CallbackRequested(..)
            | EventBody::PolicyChanged(..)
            | EventBody::AccessRecorded(..) => Ok(()),
        }
    }

    fn run(&self, sql: &'static str, params: impl Params) -> rusqlite::Result<()> {
        self.connection.prepare_cached(sql)?.execute(params).map(|_| ())
    }

    fn stream(&self) -> &[u8] {
        stream_bytes(&self.place.stream)
    }

    /// Points and accounts stay once they were named: a cap counts what was, and a stop binds more rather than less.
    fn subjects(&self, accounts: &[AccountKey], point: Option<&PointKey>) -> rusqlite::Result<()> {
        self.points(point)?;
        self.accounts(accounts)
    }

    fn points<'p>(&self, points: impl IntoIterator<Item = &'p PointKey>) -> rusqlite::Result<()> {
        points.into_iter().try_for_each(|point| {
            self.run("INSERT OR IGNORE INTO points VALUES (?1, ?2)", (point.0.as_bytes(), self.stream()))
        })
    }

    fn accounts<'a>(&self, accounts: impl IntoIterator<Item = &'a AccountKey>) -> rusqlite::Result<()> {
        accounts.into_iter().try_for_each(|account| {
            self.run("INSERT OR IGNORE INTO accounts VALUES (?1, ?2)", (account.0.as_bytes(), self.stream()))
        })
    }

    fn erasure(&self, key: Option<KeyId>) -> rusqlite::Result<()> {
        self.run(
            "INSERT INTO erasures (stream, seq, key, done) VALUES (?1, ?2, ?3, ?3 IS NULL)",
            (self.stream(), int(self.place.seq), key),
        )
    }

    fn reported(&self, contact: &Contact, body_digest: &str) -> rusqlite::Result<()> {
        self.subjects(&contact.accounts, contact.point.as_ref())?;
        match contact.source {
            ContactSource::Reported(event_key) => self.run(
                "INSERT OR IGNORE INTO reported VALUES (?1, ?2, ?3, ?4)",
                (event_key.as_bytes(), self.stream(), int(self.place.seq), body_digest),
            ),
            ContactSource::Attempt(_) | ContactSource::Permit(_) | ContactSource::Reply => Ok(()),
        }
    }

    fn permit(&self, permit: PermitId, expires_at: Timestamp) -> rusqlite::Result<()> {
        self.run(
            "INSERT INTO permits VALUES (?1, ?2, ?3, ?4)",
            (permit.as_bytes(), self.stream(), PermitStatus::Issued.as_str(), expires_at.millis()),
        )
    }

    fn permit_ended(&self, permit: PermitId, status: PermitStatus) -> rusqlite::Result<()> {
        self.run("UPDATE permits SET status = ?2 WHERE permit = ?1", (permit.as_bytes(), status.as_str()))
    }

    fn inbound(&self, inbound: &Inbound) -> rusqlite::Result<()> {
        self.points(inbound.point.as_ref())?;
        let provider = match self.place.actor {
            Actor::Provider(name) => name.as_str(),
            Actor::Key(_) | Actor::Gateway | Actor::Debtor | Actor::Operator => "",
        };
        match &inbound.provider_ref {
            Some(reference) => self.run(
                "INSERT OR IGNORE INTO inbound_refs VALUES (?1, ?2, ?3, ?4)",
                (provider, reference, self.stream(), int(self.place.seq)),
            ),
            None => Ok(()),
        }
    }
}
