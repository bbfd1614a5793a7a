//! Signed links to a debtor's own pages, and the visits that they open.
//!
//! A link and a session are a keyed hash over whom they are for: nothing to look up, nothing to guess. Whether a link was
//! opened, its holder proved to be the debtor, or the visit was ended stands in the debtor's history.
//!
//! # Decisions
//! - 2026-11-23: a link opens once, by a POST; what a mail scanner fetches by GET uses nothing up.
//! - 2026-11-23: whoever holds a link has the message or the mailbox it came to, which need not be the debtor. So nothing of
//!   a debt is shown before its holder has given the date of birth or a postal code that is on file, unless upstream says
//!   that it knows whom it gave the link to. With nothing on file to ask for, nothing is shown. A stop is taken from anybody.
//! - 2026-11-23: wrong answers count for the debtor, not for the link: five in a day, whatever links they came by.

use crate::domain::access::{self, LONGEST_LIFE, LinkId, Step};
use crate::domain::debtor::{DebtorFile, Location};
use crate::domain::event::{Access, Actor, EventBody, Sealed};
use crate::domain::id::{DebtorKey, Pseudonym};
use crate::domain::state::DebtorState;
use crate::domain::time::{Date, Span, Timestamp};
use crate::pipeline::filing::Filed;
use crate::pipeline::unit::Unit;
use crate::pipeline::{Desk, Pipeline, Refusal};
use crate::storage::StorageError;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq;

/// How long a link that says nothing else opens.
pub const LINK_LIFE: Span = Span::days(7);
/// How long the link in a message opens.
pub const MESSAGE_LINK_LIFE: Span = Span::days(30);
/// How long a visit lasts.
pub const VISIT: Span = Span::hours(1);
/// Wrong answers that are taken within [`WRONG_FOR`].
const WRONG_ANSWERS: usize = 5;
const WRONG_FOR: Span = Span::hours(24);

/// What a link's token says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// Whose pages it opens.
    pub debtor: DebtorKey,
    /// When it opens no more.
    pub expires_at: Timestamp,
    /// Its identifier.
    pub id: LinkId,
    /// Upstream knows that its holder is the debtor.
    pub identified: bool,
}

/// A visit that a link has opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Session {
    /// Whose pages.
    pub debtor: DebtorKey,
    /// By which link.
    pub link: LinkId,
}

/// What the holder of a link is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// The date of birth.
    BirthDate,
    /// A postal code.
    PostalCode,
}

/// What the holder of a link says.
#[derive(Clone, PartialEq, Eq)]
pub enum Answer {
    /// The date of birth.
    BirthDate(Date),
    /// A postal code.
    PostalCode(String),
}

/// Where a visit stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Not begun, or over.
    Over,
    /// Its holder is to answer before anything of a debt is shown.
    Asked(Question),
    /// Nothing is on file to ask for: a stop is all that can be left.
    NothingToAsk,
    /// Too many answers were wrong: a stop is all that can be left, for a day.
    TooManyWrong,
    /// Its holder is the debtor.
    Proved,
}

/// Makes a link.
pub fn mint(desk: &Desk, debtor: DebtorKey, lives: Span, identified: bool) -> Link {
    let mut id = [0; 16];
    desk.entropy.fill(&mut id);
    let expires_at = desk.clock.now().plus(lives);
    Link { debtor, expires_at, id: LinkId(id), identified }
}

/// A link's address.
pub fn url(desk: &Desk, link: &Link) -> String {
    let base = desk.settings.public_url.trim_end_matches('/');
    format!("{base}/portal/open/{}", token(desk, link))
}

fn token(desk: &Desk, link: &Link) -> String {
    let mut bytes = said(link);
    bytes.extend(tag(desk, "portal-link", &bytes).as_bytes());
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

fn said(link: &Link) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(57);
    bytes.extend(link.debtor.0.as_bytes());
    bytes.extend(link.id.0);
    bytes.extend(link.expires_at.millis().to_be_bytes());
    bytes.push(u8::from(link.identified));
    bytes
}

/// What a token says, if it is one of ours.
pub fn read(desk: &Desk, token: &str) -> Option<Link> {
    let bytes: [u8; 57] = BASE64_URL_SAFE_NO_PAD.decode(token).ok()?.try_into().ok()?;
    let body = genuine(desk, "portal-link", &bytes)?;
    let millis: [u8; 8] = body.get(32..40)?.try_into().ok()?;
    Some(Link {
        debtor: DebtorKey(Pseudonym::from_bytes(body.get(..16)?.try_into().ok()?)),
        id: LinkId(body.get(16..32)?.try_into().ok()?),
        expires_at: Timestamp::from_millis(i64::from_be_bytes(millis)),
        identified: body.get(40) == Some(&1),
    })
}

/// A session as its cookie carries it.
pub fn cookie(desk: &Desk, session: &Session) -> String {
    let mut bytes = [session.debtor.0.as_bytes().as_slice(), &session.link.0].concat();
    bytes.extend(tag(desk, "portal-session", &bytes).as_bytes());
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// The session of a cookie, if it is one of ours.
pub fn read_cookie(desk: &Desk, cookie: &str) -> Option<Session> {
    let bytes: [u8; 48] = BASE64_URL_SAFE_NO_PAD.decode(cookie).ok()?.try_into().ok()?;
    let body = genuine(desk, "portal-session", &bytes)?;
    let debtor = DebtorKey(Pseudonym::from_bytes(body.get(..16)?.try_into().ok()?));
    Some(Session { debtor, link: LinkId(body.get(16..32)?.try_into().ok()?) })
}

/// What the forms of a session carry, so that no other site can send one.
pub fn form_token(desk: &Desk, session: &Session) -> String {
    desk.names.pseudonym("portal-form", &format!("{}{}", session.debtor, session.link)).to_string()
}

/// Whether a form carries what its session's forms carry.
pub fn is_form_token(desk: &Desk, session: &Session, given: &str) -> bool {
    bool::from(form_token(desk, session).as_bytes().ct_eq(given.as_bytes()))
}

fn tag(desk: &Desk, domain: &'static str, bytes: &[u8]) -> Pseudonym {
    desk.names.pseudonym(domain, &hex::encode(bytes))
}

/// What stands before the 16 bytes of a tag, if the tag is ours.
fn genuine<'b>(desk: &Desk, domain: &'static str, bytes: &'b [u8]) -> Option<&'b [u8]> {
    let (body, given) = bytes.split_at_checked(bytes.len().checked_sub(16)?)?;
    bool::from(tag(desk, domain, body).as_bytes().as_slice().ct_eq(given)).then_some(body)
}

/// Where a visit stands.
pub fn standing(state: &DebtorState, link: LinkId, now: Timestamp) -> Standing {
    let at = |step| state.visits.iter().find(|visit| visit.link == link && visit.step == step);
    let open = at(Step::Opened).is_some_and(|opened| now < opened.at.plus(VISIT)) && at(Step::Left).is_none();
    let Some(file) = state.file.as_ref().filter(|_| open) else { return Standing::Over };
    if at(Step::Proved).is_some() {
        return Standing::Proved;
    }
    let wrong = |visit: &&access::Visit| visit.step == Step::Failed && now < visit.at.plus(WRONG_FOR);
    if state.visits.iter().filter(wrong).count() >= WRONG_ANSWERS {
        return Standing::TooManyWrong;
    }
    question(file).map_or(Standing::NothingToAsk, Standing::Asked)
}

/// Whether a link was opened before.
pub fn is_spent(state: &DebtorState, link: LinkId) -> bool {
    state.visits.iter().any(|visit| visit.link == link && visit.step == Step::Opened)
}

fn question(file: &DebtorFile) -> Option<Question> {
    match file.date_of_birth {
        Some(_) => Some(Question::BirthDate),
        None => file
            .locations
            .iter()
            .any(|place| place.postal_code.as_deref().is_some_and(|code| !bare(code).is_empty()))
            .then_some(Question::PostalCode),
    }
}

fn is_right(file: &DebtorFile, answer: &Answer) -> bool {
    match answer {
        Answer::BirthDate(date) => file.date_of_birth == Some(*date),
        Answer::PostalCode(said) => file.locations.iter().any(|place| is_code_of(place, said)),
    }
}

/// Spaces, hyphens and case do not matter; of a US code the first five digits do.
fn is_code_of(place: &Location, said: &str) -> bool {
    let Some(known) = place.postal_code.as_deref().map(bare).filter(|code| !code.is_empty()) else {
        return false;
    };
    let said = bare(said);
    let five = |code: &str| code.get(..5).map(str::to_owned);
    let american = place.country.as_deref().is_none_or(|country| country == "US");
    known == said || (american && five(&known).is_some() && five(&known) == five(&said))
}

fn bare(code: &str) -> String {
    code.chars().filter(|c| c.is_ascii_alphanumeric()).map(|c| c.to_ascii_uppercase()).collect()
}

fn record(
    unit: &mut Unit<'_>,
    actor: &Actor,
    debtor: DebtorKey,
    step: Step,
    link: LinkId,
) -> Result<(), StorageError> {
    let access = Access { subject: access::subject(step, link) };
    unit.record(debtor, actor, EventBody::AccessRecorded(access, Sealed::Gone))
}

fn open(unit: &mut Unit<'_>, link: Link) -> Filed<()> {
    let now = unit.now();
    let state = unit.debtor(link.debtor)?;
    if !state.is_on_file() || now >= link.expires_at {
        return Ok(Err(Refusal::NotFound("link")));
    }
    if is_spent(state, link.id) {
        return Ok(Err(Refusal::Conflict("the link was opened before".to_owned())));
    }
    record(unit, &Actor::Debtor, link.debtor, Step::Opened, link.id)?;
    if link.identified {
        record(unit, &Actor::Debtor, link.debtor, Step::Proved, link.id)?;
    }
    Ok(Ok(()))
}

fn check(unit: &mut Unit<'_>, session: Session, answer: &Answer) -> Filed<bool> {
    let now = unit.now();
    let state = unit.debtor(session.debtor)?;
    match standing(state, session.link, now) {
        Standing::Proved => return Ok(Ok(true)),
        Standing::Over => return Ok(Err(Refusal::NotFound("visit"))),
        Standing::NothingToAsk | Standing::TooManyWrong => return Ok(Ok(false)),
        Standing::Asked(_) => {}
    }
    let right = state.file.as_ref().is_some_and(|file| is_right(file, answer));
    let step = if right { Step::Proved } else { Step::Failed };
    record(unit, &Actor::Debtor, session.debtor, step, session.link)?;
    Ok(Ok(right))
}

impl Pipeline {
    /// Makes a link to a debtor's own pages: its address, and until when it opens.
    ///
    /// # Errors
    /// The debtor is not on file, the life is none or longer than [`LONGEST_LIFE`], or the history is out of reach.
    pub async fn issue_link(
        &self,
        actor: &Actor,
        debtor_id: &str,
        lives: Span,
        identified: bool,
    ) -> Result<(String, Timestamp), Refusal> {
        if lives <= Span::millis(0) || lives > LONGEST_LIFE {
            let detail = format!("must be longer than nothing and at most {LONGEST_LIFE}");
            return Err(Refusal::invalid("/expires_after", detail));
        }
        let (actor, link) = (actor.clone(), mint(self.desk(), self.key(debtor_id), lives, identified));
        self.file(move |unit| {
            if !unit.debtor(link.debtor)?.is_on_file() {
                return Ok(Err(Refusal::NotFound("debtor")));
            }
            record(unit, &actor, link.debtor, Step::Issued, link.id).map(Ok)
        })
        .await?;
        Ok((url(self.desk(), &link), link.expires_at))
    }

    /// Opens a link, once.
    ///
    /// # Errors
    /// [`Refusal::NotFound`]: not ours, too old, or the person was erased; [`Refusal::Conflict`]: opened before.
    pub async fn open_link(&self, token: &str) -> Result<Session, Refusal> {
        let link = read(self.desk(), token).ok_or(Refusal::NotFound("link"))?;
        self.file(move |unit| open(unit, link)).await?;
        Ok(Session { debtor: link.debtor, link: link.id })
    }

    /// Takes an answer to the question of a visit; whether it was right.
    ///
    /// # Errors
    /// The visit is over, or the history is out of reach.
    pub async fn prove(&self, session: Session, answer: Answer) -> Result<bool, Refusal> {
        self.file(move |unit| check(unit, session, &answer)).await
    }

    /// Ends a visit: its cookie is worth nothing any more.
    ///
    /// # Errors
    /// The history is out of reach.
    pub async fn leave(&self, session: Session) -> Result<(), Refusal> {
        self.file(move |unit| {
            let now = unit.now();
            match standing(unit.debtor(session.debtor)?, session.link, now) {
                Standing::Over => Ok(Ok(())),
                Standing::Asked(_) | Standing::NothingToAsk | Standing::TooManyWrong | Standing::Proved => {
                    record(unit, &Actor::Debtor, session.debtor, Step::Left, session.link).map(Ok)
                }
            }
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(code: &str, country: Option<&str>) -> Location {
        Location {
            postal_code: Some(code.to_owned()),
            region: None,
            locality: None,
            country: country.map(str::to_owned),
        }
    }

    #[test]
    fn a_postal_code_is_known_however_it_is_written() {
        let miami = place("33101", None);
        for right in ["33101", " 33101 ", "33101-1234", "331011234"] {
            assert!(is_code_of(&miami, right), "{right}");
        }
        assert!(is_code_of(&place("33101-1234", Some("US")), "33101"));
        assert!(is_code_of(&place("SW1A 1AA", Some("GB")), "sw1a1aa"));
        for wrong in ["", "3310", "33102", "1234", "33 10"] {
            assert!(!is_code_of(&miami, wrong), "{wrong}");
        }
        assert!(!is_code_of(&place("SW1A 1AA", Some("GB")), "SW1A 1"));
        assert!(!is_code_of(&place("-", None), ""));
    }
}
