//! The debtor's inbox, and what debtors do on their own pages: read, write, stop, allow, prefer. A creditor's own portal
//! comes in by the same doors.
//!
//! # Decisions
//! - 2026-11-23: an entry's delivery is that the debtor opened it: until then it is `sent`, so that a request with
//!   `fallback_after` gives way to the next channel where nobody looks.
//! - 2026-11-23: an attempt that a crash left `unknown` is shown. The entry is the history itself, so that it was placed is
//!   certain, and to hide it would lose a message that counts.
//! - 2026-11-23: what is written here is on one debtor's file only, because a session says who writes; a stop still binds
//!   the login on every file that has it.
//! - 2026-11-23: "stop everything", chosen on a page, is a written demand to cease (12 CFR 1006.6(c)(1)).

use crate::domain::attempt::AttemptStatus;
use crate::domain::channel::Channel;
use crate::domain::consent::{Consent, ConsentForm, ConsentScope, GivenTo, HoldKind, Preferences};
use crate::domain::contact_point::{PointKind, PointValue};
use crate::domain::event::{Actor, ConsentSecret, EventBody, InboundSecret, Stream, Understanding};
use crate::domain::id::{AttemptId, DebtorKey, PointKey, RequestId};
use crate::domain::intent::Intent;
use crate::domain::message::Content;
use crate::domain::outcome::FailureCause;
use crate::domain::state::{AttemptState, DebtorState};
use crate::domain::statement::FieldFault;
use crate::domain::time::{Span, Timestamp};
use crate::pipeline::filing::{self, Filed};
use crate::pipeline::receive::{self, Report};
use crate::pipeline::understanding::{Reply, Understood};
use crate::pipeline::unit::Unit;
use crate::pipeline::{Desk, Pipeline, Refusal, naming, replies};
use crate::reply::{Found, Reading, Stop};
use crate::storage::StorageError;
use std::collections::BTreeSet;

/// The longest message that a debtor may write here, in characters.
pub const LETTER_MAX: usize = 10_000;
/// What an entry that was opened is reported as.
const READ: &str = "read";
/// From where a debtor without a login writes.
const NO_LOGIN: &str = "portal";

/// A message in a debtor's inbox.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its identifier: the attempt's.
    pub id: AttemptId,
    /// The request it was placed for.
    pub request: RequestId,
    /// When it was placed.
    pub placed_at: Timestamp,
    /// Whether the debtor has opened it.
    pub read: bool,
    /// Its language, BCP 47.
    pub language: String,
    /// Its title, plain text.
    pub subject: String,
    /// Its body, HTML as the template engine escaped it.
    pub html: String,
}

/// What a debtor writes.
pub struct Letter {
    /// The words.
    pub text: String,
    /// Upstream's own identifier, which tells a repeat.
    pub reference: Option<String>,
}

/// What a letter was understood to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// What is done about it.
    pub understood: Understanding,
    /// Everything it says.
    pub intents: Vec<Intent>,
    /// Whether it was taken in before, under the same identifier.
    pub repeated: bool,
}

/// A debtor's inbox, the newest first.
pub fn entries(state: &DebtorState) -> Vec<Entry> {
    state.attempts.iter().rev().filter_map(|(id, attempt)| entry(*id, attempt)).collect()
}

/// One message of a debtor's inbox.
pub fn find(state: &DebtorState, id: AttemptId) -> Option<Entry> {
    entry(id, state.attempts.get(&id)?)
}

fn entry(id: AttemptId, attempt: &AttemptState) -> Option<Entry> {
    let placed = match attempt.status {
        AttemptStatus::Sent | AttemptStatus::Delivered | AttemptStatus::Unknown => true,
        AttemptStatus::Started | AttemptStatus::Failed | AttemptStatus::Abandoned => false,
    };
    let message = attempt.message.open().filter(|_| placed && attempt.channel == Channel::Portal)?;
    let Content::Portal { subject, html } = &message.content else { return None };
    Some(Entry {
        id,
        request: attempt.request,
        placed_at: attempt.started_at,
        read: attempt.receipts.iter().any(|(word, _)| word == READ),
        language: message.language.clone(),
        subject: subject.clone(),
        html: html.clone(),
    })
}

/// What the preferences of a debtor were when a form was written from them.
pub fn preferences_seen(preferences: &Preferences) -> String {
    naming::digest(preferences)
}

/// The points at which a debtor may allow a medium here: on file, the debtor's own, and neither at work nor the employer's.
pub fn may_allow(state: &DebtorState, channel: Channel, point: PointKey) -> bool {
    let usable = state.point(point).is_some_and(|on_file| {
        PointKind::of(channel) == Some(on_file.kind) && !on_file.workplace && !on_file.employer_provided
    });
    let invalid = state
        .invalid_points
        .iter()
        .any(|known| known.point == point && known.channel.is_none_or(|of| of == channel));
    let media = match channel {
        Channel::Sms | Channel::Email | Channel::Voice => true,
        Channel::Portal | Channel::Letter | Channel::Visit => false,
    };
    media && usable && !invalid
}

/// Whether a demand to cease is in force: nothing is asked of the debtor then.
pub fn has_ceased(state: &DebtorState, now: Timestamp) -> bool {
    state.holds.iter().any(|hold| hold.kind == HoldKind::Cease && hold.in_force(now))
}

/// The login of a debtor's own pages; a point of the file's own where there is none.
fn login(desk: &Desk, debtor: DebtorKey, state: &DebtorState) -> (PointKey, String) {
    let points = state.file.iter().flat_map(|file| &file.contact_points);
    points
        .filter(|point| point.kind == PointKind::Portal)
        .find_map(|point| PointValue::parse(point.kind, &point.value).ok())
        .map(|value| (naming::point(&*desk.names, &value), value.expose().to_owned()))
        .unwrap_or_else(|| (desk.names.point("portal", &debtor.to_string()), NO_LOGIN.to_owned()))
}

fn take(unit: &mut Unit<'_>, actor: &Actor, debtor: DebtorKey, mut said: Understood) -> Filed<Heard> {
    let desk = unit.desk;
    let state = unit.debtor(debtor)?;
    if !state.is_on_file() {
        return Ok(Err(Refusal::NotFound("debtor")));
    }
    (said.reply.point, said.reply.from) = login(desk, debtor, state);
    if let Some(reference) = &said.reply.provider_ref
        && !unit.batch.inbound_ref("", reference)?.is_empty()
    {
        return repeated(unit, debtor, reference, &said.reply.text);
    }
    replies::take(unit, actor, debtor, &said)?;
    Ok(Ok(Heard { understood: said.word(), intents: said.reading.intents(), repeated: false }))
}

/// The same letter again is answered as it was; another one under its identifier is refused.
fn repeated(unit: &mut Unit<'_>, debtor: DebtorKey, reference: &str, text: &str) -> Filed<Heard> {
    let (_, events) = unit.batch.load(Stream::Debtor(debtor))?;
    let earlier = events.into_iter().find_map(|event| match event.body {
        EventBody::InboundReceived(inbound, secret) if inbound.provider_ref.as_deref() == Some(reference) => {
            Some((inbound, secret))
        }
        _ => None,
    });
    let same = |secret: &InboundSecret| secret.text == text;
    Ok(match earlier {
        Some((inbound, secret)) if secret.open().is_none_or(same) => {
            Ok(Heard { understood: inbound.understood, intents: inbound.intents, repeated: true })
        }
        Some(_) | None => {
            Err(Refusal::Conflict("this reply_id was used before with another text".to_owned()))
        }
    })
}

/// A stop that was chosen rather than written.
fn chosen(channels: &BTreeSet<Channel>, everything: bool, words: String) -> Understood {
    let intent = if everything { Intent::Cease } else { Intent::Stop };
    let found = Found { intent, span: 0..words.len(), phrase: "chosen".to_owned() };
    let stop = Stop { named: channels.clone(), here: false, everything };
    let reply = Reply {
        channel: Channel::Portal,
        point: PointKey(crate::domain::id::Pseudonym::from_bytes([0; 16])),
        from: String::new(),
        text: words,
        keyword: None,
        provider_ref: None,
        answers: None,
    };
    Understood { reply, reading: Reading { found: vec![found], stop: Some(stop), ..Reading::default() } }
}

/// What a debtor agrees to: a medium at a point, in the words that stood there.
#[derive(Clone, PartialEq, Eq)]
pub struct Agreement {
    /// The medium.
    pub channel: Channel,
    /// The point.
    pub point: PointKey,
    /// What the debtor agreed to, as it was shown.
    pub words: String,
}

fn agree(unit: &mut Unit<'_>, debtor: DebtorKey, agreement: &Agreement) -> Result<bool, StorageError> {
    let now = unit.now();
    let Agreement { channel, point, words } = agreement;
    let desk = unit.desk;
    let state = unit.debtor(debtor)?;
    if !may_allow(state, *channel, *point) || has_ceased(state, now) {
        return Ok(false);
    }
    let stops = state.opt_outs.iter().filter(|stop| stop.channel.covers(*channel));
    let newest = stops.map(|stop| stop.received_at).max();
    // A consent lifts a stop that is older than itself.
    let granted_at =
        newest.filter(|stopped| *stopped >= now).map_or(now, |stopped| stopped.plus(Span::millis(1)));
    let value = state.file.iter().flat_map(|file| &file.contact_points).find_map(|on_file| {
        let value = PointValue::parse(on_file.kind, &on_file.value).ok()?;
        (naming::point(&*desk.names, &value) == *point).then(|| value.expose().to_owned())
    });
    for scope in [ConsentScope::Automated, ConsentScope::Electronic] {
        if !scope.fits(*channel) {
            continue;
        }
        let consent = Consent {
            accounts: Vec::new(),
            channel: *channel,
            expires_at: None,
            form: Some(ConsentForm::Electronic),
            given_to: GivenTo::Collector,
            granted_at,
            point: Some(*point),
            scope,
        };
        let secret = ConsentSecret {
            contact_point: value.clone(),
            evidence: Some(serde_json::json!({ "agreed_to": words })),
            source: Some("debtor".to_owned()),
            ..ConsentSecret::default()
        };
        unit.record(debtor, &Actor::Debtor, EventBody::ConsentGranted(consent, secret.into()))?;
    }
    Ok(true)
}

impl Pipeline {
    /// Records that the debtor has opened an entry. `false` if it was opened before.
    ///
    /// # Errors
    /// There is no such entry, or the history is out of reach.
    pub async fn mark_read(&self, actor: &Actor, debtor: DebtorKey, id: AttemptId) -> Result<bool, Refusal> {
        let actor = actor.clone();
        self.file(move |unit| {
            let known = unit.debtor(debtor)?.attempts.get(&id);
            let Some(attempt) = known.filter(|attempt| attempt.channel == Channel::Portal) else {
                return Ok(Err(Refusal::NotFound("message")));
            };
            if attempt.receipts.iter().any(|(word, _)| word == READ) {
                return Ok(Ok(false));
            }
            let report = Report {
                status: Some(AttemptStatus::Delivered),
                reported: READ.to_owned(),
                code: None,
                cause: FailureCause::Unspecified,
                complained: false,
                in_hand: false,
                result: None,
            };
            receive::report(unit, &actor, debtor, id, &report)?;
            Ok(Ok(true))
        })
        .await
    }

    /// Takes in what a debtor writes on the own pages, or in a creditor's portal. In force once this returns.
    ///
    /// # Errors
    /// The text is empty or too long, the debtor is not on file, the identifier was used before with another text, or the
    /// history is out of reach.
    pub async fn write_in(&self, actor: &Actor, debtor: DebtorKey, letter: Letter) -> Result<Heard, Refusal> {
        let mut faults = Vec::new();
        if let Some(reference) = &letter.reference {
            naming::check_id(&mut faults, "/reply_id", reference);
        }
        if letter.text.trim().is_empty() || letter.text.chars().count() > LETTER_MAX {
            faults.push(FieldFault::new("/text", format!("must have 1 to {LETTER_MAX} characters")));
        }
        if !faults.is_empty() {
            return Err(Refusal::Invalid(faults));
        }
        let desk = self.desk();
        let reply = Reply {
            channel: Channel::Portal,
            point: desk.names.point("portal", &debtor.to_string()),
            from: NO_LOGIN.to_owned(),
            text: letter.text,
            keyword: None,
            provider_ref: letter.reference.map(|reference| {
                desk.names.pseudonym("inbox-reply", &format!("{debtor}{reference}")).to_string()
            }),
            answers: None,
        };
        let (actor, said) = (actor.clone(), Understood::off_the_loop(reply, desk.clock.now()).await?);
        self.file(move |unit| take(unit, &actor, debtor, said)).await
    }

    /// Takes a stop of media, or of everything, that the debtor chose on a page; `words` are what stood there.
    ///
    /// # Errors
    /// The debtor is not on file, or the history is out of reach.
    pub async fn close_media(
        &self,
        debtor: DebtorKey,
        channels: &BTreeSet<Channel>,
        everything: bool,
        words: String,
    ) -> Result<(), Refusal> {
        let said = chosen(channels, everything, words);
        self.file(move |unit| take(unit, &Actor::Debtor, debtor, said)).await.map(|_| ())
    }

    /// Records what a debtor agreed to; how many agreements were lawful to take.
    ///
    /// # Errors
    /// The debtor is not on file, or the history is out of reach.
    pub async fn agree(&self, debtor: DebtorKey, agreements: Vec<Agreement>) -> Result<usize, Refusal> {
        self.file(move |unit| {
            if !unit.debtor(debtor)?.is_on_file() {
                return Ok(Err(Refusal::NotFound("debtor")));
            }
            let mut taken = 0;
            for agreement in &agreements {
                taken += usize::from(agree(unit, debtor, agreement)?);
            }
            unit.facts_changed(debtor)?;
            Ok(Ok(taken))
        })
        .await
    }

    /// Replaces what the debtor prefers, unless it is no longer what the debtor saw.
    ///
    /// # Errors
    /// What is wrong with it; [`Refusal::Conflict`] where it changed meanwhile; or the history is out of reach.
    pub async fn prefer(
        &self,
        debtor: DebtorKey,
        seen: String,
        preferences: Preferences,
    ) -> Result<(), Refusal> {
        self.file(move |unit| {
            if preferences_seen(&unit.debtor(debtor)?.preferences) != seen {
                return Ok(Err(Refusal::Conflict("the preferences changed meanwhile".to_owned())));
            }
            filing::put_preferences(unit, &Actor::Debtor, debtor, preferences)
        })
        .await
    }
}
