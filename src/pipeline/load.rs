//! What an operator loads from files: filed like what upstream states, except that loading it again changes nothing, and that
//! nothing is decided or sent.

use crate::domain::consent::{GivenTo, HoldKind};
use crate::domain::contact_point::ReassignmentCheck;
use crate::domain::debtor::{DebtorFile, DebtorOutline};
use crate::domain::event::Actor;
use crate::domain::id::{AccountKey, PointKey};
use crate::domain::request::ContactRequest;
use crate::domain::statement::{ConsentStatement, ContactEvent, HoldStatement, OptOutStatement};
use crate::domain::time::Timestamp;
use crate::pipeline::filing::{self, CLOCK_SKEW, Filed};
use crate::pipeline::unit::Unit;
use crate::pipeline::{Desk, Pipeline, Refusal, intake, naming, numbers, outline};

/// One row of a file.
pub enum Item {
    /// A debtor under upstream's identifier.
    Debtor(String, Box<DebtorFile>),
    /// A consent of a debtor's.
    Consent(String, ConsentStatement),
    /// A stop of a debtor's.
    OptOut(String, OptOutStatement),
    /// A hold on a debtor.
    Hold(String, HoldKind, HoldStatement),
    /// A contact made elsewhere.
    Contact(ContactEvent),
    /// A contact request.
    Request(Box<ContactRequest>),
    /// What a reassigned-numbers database answered about a telephone number, E.164.
    NumberCheck(String, ReassignmentCheck),
}

/// What became of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loaded {
    /// It was not there.
    New,
    /// It replaces what was there.
    Changed,
    /// It was there.
    There,
}

impl Pipeline {
    /// Files rows, each by itself, in order. Loading them again changes nothing.
    pub async fn load(&self, actor: &Actor, items: Vec<Item>) -> Vec<Result<Loaded, Refusal>> {
        let actor = actor.clone();
        self.each(items, move |unit, item| file(unit, &actor, item)).await
    }
}

fn file(unit: &mut Unit<'_>, actor: &Actor, item: Item) -> Filed<Loaded> {
    match item {
        Item::Debtor(id, file) => debtor(unit, actor, id, *file),
        Item::Consent(id, said) => consent(unit, actor, &id, said),
        Item::OptOut(id, said) => opt_out(unit, actor, &id, said),
        Item::Hold(id, kind, said) => hold(unit, actor, &id, kind, said),
        Item::Contact(said) => {
            let repeated = filing::record_contact(unit, actor, said)?;
            Ok(repeated.map(|repeated| if repeated { Loaded::There } else { Loaded::New }))
        }
        Item::NumberCheck(number, check) => numbers::record_check(unit, actor, &number, &check),
        Item::Request(said) => {
            let admitted = intake::admit(unit, actor, intake::prepare(unit.desk, *said))?;
            Ok(admitted.map(|(_, due)| if due.is_some() { Loaded::New } else { Loaded::There }))
        }
    }
}

fn debtor(unit: &mut Unit<'_>, actor: &Actor, id: String, file: DebtorFile) -> Filed<Loaded> {
    let outlined = outline::outline(unit.desk, &file);
    let state = unit.debtor(unit.desk.names.debtor(&id))?;
    let same = |mut outlined: DebtorOutline| {
        numbers::carry(&mut outlined, &file, state);
        outlined == state.outline
    };
    if state.file.as_ref() == Some(&file) && outlined.is_ok_and(same) {
        return Ok(Ok(Loaded::There));
    }
    let filed = filing::put_debtor(unit, actor, id, file)?;
    Ok(filed.map(|created| if created { Loaded::New } else { Loaded::Changed }))
}

fn consent(unit: &mut Unit<'_>, actor: &Actor, id: &str, said: ConsentStatement) -> Filed<Loaded> {
    let (desk, key) = (unit.desk, unit.desk.names.debtor(id));
    let state = unit.debtor(key)?;
    let stopped = || state.opt_outs.iter().map(|stop| stop.received_at);
    let there = state.consents.iter().any(|known| {
        (known.channel, known.scope, known.expires_at, known.form)
            == (said.channel, said.scope, said.expires_at, said.form)
            && is_moment(known.granted_at, said.granted_at, stopped())
            && known.given_to == said.given_to.unwrap_or(GivenTo::Collector)
            && about(desk, &said.account_ids, said.contact_point.as_deref(), &known.accounts, known.point)
    });
    if there {
        return Ok(Ok(Loaded::There));
    }
    Ok(named(filing::add_consent(unit, actor, key, said)?))
}

fn opt_out(unit: &mut Unit<'_>, actor: &Actor, id: &str, said: OptOutStatement) -> Filed<Loaded> {
    let (desk, key) = (unit.desk, unit.desk.names.debtor(id));
    let state = unit.debtor(key)?;
    let consented = || state.consents.iter().map(|consent| consent.granted_at);
    let there = state.opt_outs.iter().any(|known| {
        known.channel == said.channel
            && is_moment(known.received_at, said.received_at, consented())
            && about(desk, &said.account_ids, said.contact_point.as_deref(), &known.accounts, known.point)
    });
    if there {
        return Ok(Ok(Loaded::There));
    }
    Ok(named(filing::add_opt_out(unit, actor, key, said)?))
}

fn hold(unit: &mut Unit<'_>, actor: &Actor, id: &str, kind: HoldKind, said: HoldStatement) -> Filed<Loaded> {
    let (desk, key) = (unit.desk, unit.desk.names.debtor(id));
    // One that was lifted since is there too: loading a file again must not place it again.
    let there = unit.debtor(key)?.holds.iter().any(|known| {
        known.kind == kind
            && is_moment(known.since, said.since, known.lifted_at)
            && about(desk, &said.account_ids, None, &known.accounts, None)
    });
    if there {
        return Ok(Ok(Loaded::There));
    }
    Ok(named(filing::place_hold(unit, actor, key, kind, said)?))
}

/// Whether what is on file as of a moment is what is stated of one: the same moment, or one so little later that it may have
/// been ahead of our clock, and was filed as of then; unless something came between that makes the later one another thing.
fn is_moment(filed: Timestamp, stated: Timestamp, between: impl IntoIterator<Item = Timestamp>) -> bool {
    let ahead = filed < stated && stated <= filed.plus(CLOCK_SKEW);
    filed == stated || (ahead && !between.into_iter().any(|at| filed < at && at <= stated))
}

/// Whether a statement is about the same accounts and the same point as what is on file.
fn about(
    desk: &Desk,
    account_ids: &[String],
    value: Option<&str>,
    accounts: &[AccountKey],
    point: Option<PointKey>,
) -> bool {
    let same_point = match (value, point) {
        (None, None) => true,
        (Some(value), Some(point)) => naming::points(desk, value).contains(&point),
        (None, Some(_)) | (Some(_), None) => false,
    };
    same_point && account_ids.iter().map(|id| desk.names.account(id)).eq(accounts.iter().copied())
}

/// A row names its debtor itself, so that one who is not on file is the row's fault.
fn named(filed: Result<(), Refusal>) -> Result<Loaded, Refusal> {
    match filed {
        Ok(()) => Ok(Loaded::New),
        Err(Refusal::NotFound("debtor")) => Err(Refusal::invalid("/debtor_id", "is not a debtor on file")),
        Err(refusal) => Err(refusal),
    }
}
