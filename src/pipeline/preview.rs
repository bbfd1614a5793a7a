//! Questions that record nothing: read from the store, answered like a decision that counts.

use crate::domain::channel::{Party, Purpose};
use crate::domain::contact_point::{PointKind, PointValue};
use crate::domain::event::Stream;
use crate::domain::id::{DebtorKey, PointKey};
use crate::domain::state::DebtorState;
use crate::domain::statement::{DecisionQuery, FieldFault};
use crate::domain::time::Timestamp;
use crate::pipeline::answer::{self, DecisionAnswer};
use crate::pipeline::decide::{self, Circumstances, Terms};
use crate::pipeline::facts::{Elsewhere, Intent, Subject};
use crate::pipeline::{Desk, Refusal, naming};
use crate::policy::{self, CapUse, Policy};
use crate::storage::{Reader, StorageError};

/// A debtor's state, from the store.
pub fn fold(reader: &Reader, key: DebtorKey) -> Result<DebtorState, StorageError> {
    Ok(DebtorState::fold(reader.load(Stream::Debtor(key))?))
}

/// What other debtors' files say about the accounts and contact points of this one, from the store.
pub fn elsewhere(reader: &Reader, key: DebtorKey, own: &DebtorState) -> Result<Elsewhere, StorageError> {
    let mut relatives = Vec::new();
    for point in &own.outline.points {
        relatives.extend(reader.streams_with_point(point.point)?);
    }
    for account in &own.outline.accounts {
        relatives.extend(reader.streams_with_account(account.account)?);
    }
    relatives.retain(|relative| *relative != key);
    relatives.sort_unstable();
    relatives.dedup();
    let mut elsewhere = Elsewhere::default();
    for relative in relatives {
        elsewhere.add(own, &fold(reader, relative)?);
    }
    elsewhere.sort();
    Ok(elsewhere)
}

/// What questions are answered by.
#[derive(Clone, Copy)]
pub struct Counsel<'a> {
    /// Names and pauses.
    pub here: Circumstances<'a>,
    /// The law.
    pub policy: &'a Policy,
    /// The moment asked about where a question names none.
    pub now: Timestamp,
    /// Also give the findings that permit.
    pub explain_all: bool,
}

/// A debtor with what stands elsewhere, to be asked about more than once.
pub struct Known {
    state: DebtorState,
    elsewhere: Elsewhere,
}

impl Known {
    /// Looks a debtor up; none if it is not on file.
    pub fn look_up(reader: &Reader, key: DebtorKey) -> Result<Option<Self>, StorageError> {
        let state = fold(reader, key)?;
        if !state.is_on_file() {
            return Ok(None);
        }
        let elsewhere = elsewhere(reader, key, &state)?;
        Ok(Some(Self { state, elsewhere }))
    }
}

/// Answers one question.
pub fn decide(
    counsel: Counsel<'_>,
    reader: &Reader,
    query: &DecisionQuery,
) -> Result<DecisionAnswer, Refusal> {
    match Known::look_up(reader, counsel.here.names.debtor(&query.debtor_id)) {
        Ok(known) => decide_known(counsel, known.as_ref(), query),
        Err(error) => {
            tracing::error!(error = %error, "store.read_failed");
            Err(Refusal::Unavailable)
        }
    }
}

/// Answers one question about a debtor that was looked up.
pub fn decide_known(
    counsel: Counsel<'_>,
    known: Option<&Known>,
    query: &DecisionQuery,
) -> Result<DecisionAnswer, Refusal> {
    let Some(Known { state, elsewhere }) = known else {
        return Err(Refusal::invalid("/debtor_id", "is not a debtor on file"));
    };
    let names = counsel.here.names;
    let mut faults = Vec::new();
    naming::check_ids(&mut faults, "/account_ids", &query.account_ids);
    let accounts: Vec<_> = query.account_ids.iter().map(|id| names.account(id)).collect();
    faults.extend(naming::unknown_accounts(state, "/account_ids", &accounts));
    let point = query.contact_point.as_deref().and_then(|value| {
        let value = PointValue::parse(PointKind::of(query.channel)?, value).ok()?;
        let key = naming::point(names, &value);
        state.point(key).map(|point| point.point)
    });
    if query.contact_point.is_some() && point.is_none() {
        faults.push(FieldFault::new("/contact_point", "is not on this debtor's file for this channel"));
    }
    if !faults.is_empty() {
        return Err(Refusal::Invalid(faults));
    }
    let intent = Intent {
        accounts,
        automated: query.automated.unwrap_or(query.channel.automated_by_default()),
        at: query.at.unwrap_or(counsel.now),
        channel: query.channel,
        party: query.party.unwrap_or(Party::Debtor),
        point,
        purpose: query.purpose.unwrap_or(Purpose::Collection),
        says: query.says.clone(),
    };
    let terms = Terms { deadline: None, explain_all: counsel.explain_all };
    let subject = Subject::new(state, elsewhere);
    let decision = decide::decide(counsel.here, counsel.policy, &subject, &intent, terms);
    Ok(answer::answer(names, counsel.policy, state, decision))
}

/// Where one cap stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its use.
    pub cap: CapUse,
    /// The contact point it counts by; none where it counts by debtor, account or debt.
    pub point: Option<PointKey>,
}

/// How far each cap is used, now: those by debtor, account and debt, then those by contact point.
pub fn caps(desk: &Desk, reader: &Reader, key: DebtorKey) -> Result<Vec<Standing>, StorageError> {
    let state = fold(reader, key)?;
    let elsewhere = elsewhere(reader, key, &state)?;
    let intent = Intent {
        accounts: Vec::new(),
        automated: false,
        at: desk.clock.now(),
        channel: crate::domain::channel::Channel::Voice,
        party: Party::Debtor,
        point: None,
        purpose: Purpose::Collection,
        says: Vec::new(),
    };
    let (policy, subject) = (desk.policy.load(), Subject::new(&state, &elsewhere));
    let general = policy::caps(&policy, &subject.facts(&intent, None, &[]));
    let mut standings: Vec<Standing> =
        general.iter().map(|cap| Standing { cap: cap.clone(), point: None }).collect();
    for point in &state.outline.points {
        let mut others = general.clone();
        for cap in policy::caps(&policy, &subject.facts(&intent, Some(point), &[])) {
            match others.iter().position(|other| *other == cap) {
                Some(place) => drop(others.swap_remove(place)),
                None => standings.push(Standing { cap, point: Some(point.point) }),
            }
        }
    }
    Ok(standings)
}
