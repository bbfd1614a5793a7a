//! Questions that record nothing: read from the store, answered like a decision that counts.

use crate::domain::channel::{Party, Purpose};
use crate::domain::contact_point::{PointKind, PointValue};
use crate::domain::event::Stream;
use crate::domain::id::DebtorKey;
use crate::domain::state::DebtorState;
use crate::domain::statement::{DecisionQuery, FieldFault};
use crate::pipeline::answer::{self, DecisionAnswer};
use crate::pipeline::decide::{self, Circumstances, Terms};
use crate::pipeline::facts::{Elsewhere, Intent, Subject};
use crate::pipeline::{Desk, Refusal, naming};
use crate::policy::{self, CapUse};
use crate::storage::{Reader, StorageError};

/// A debtor's state, from the store.
pub fn fold(reader: &Reader, key: DebtorKey) -> Result<DebtorState, StorageError> {
    Ok(DebtorState::fold(&reader.load(Stream::Debtor(key))?))
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

/// Answers one question.
pub fn decide(
    desk: &Desk,
    reader: &Reader,
    query: &DecisionQuery,
    explain_all: bool,
) -> Result<DecisionAnswer, Refusal> {
    let key = desk.names.debtor(&query.debtor_id);
    let out_of_reach = |error: StorageError| {
        tracing::error!(error = %error, "store.read_failed");
        Refusal::Unavailable
    };
    let state = fold(reader, key).map_err(out_of_reach)?;
    if !state.is_on_file() {
        return Err(Refusal::invalid("/debtor_id", "is not a debtor on file"));
    }
    let mut faults = Vec::new();
    naming::check_ids(&mut faults, "/account_ids", &query.account_ids);
    let accounts: Vec<_> = query.account_ids.iter().map(|id| desk.names.account(id)).collect();
    faults.extend(naming::unknown_accounts(&state, "/account_ids", &accounts));
    let point = query.contact_point.as_deref().and_then(|value| {
        let value = PointValue::parse(PointKind::of(query.channel)?, value).ok()?;
        let key = naming::point(&*desk.names, &value);
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
        at: query.at.unwrap_or_else(|| desk.clock.now()),
        channel: query.channel,
        party: query.party.unwrap_or(Party::Debtor),
        point,
        purpose: query.purpose.unwrap_or(Purpose::Collection),
    };
    let elsewhere = elsewhere(reader, key, &state).map_err(out_of_reach)?;
    let policy = desk.policy.load();
    let terms = Terms { deadline: None, explain_all };
    let pauses = desk.pauses.load();
    let here = Circumstances { names: &*desk.names, pauses: &pauses };
    let decision = decide::decide(here, &policy, &Subject::new(&state, &elsewhere), &intent, terms);
    Ok(answer::answer(desk, &policy, &state, decision))
}

/// How far each cap is used, now.
pub fn caps(desk: &Desk, reader: &Reader, key: DebtorKey) -> Result<Vec<CapUse>, StorageError> {
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
    };
    let subject = Subject::new(&state, &elsewhere);
    Ok(policy::caps(&desk.policy.load(), &subject.facts(&intent, None, &[])))
}
