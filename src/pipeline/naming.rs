//! From what upstream calls things to the keys that the history carries, and what is wrong with the names.

use crate::domain::contact_point::{PointKind, PointValue};
use crate::domain::id::{AccountKey, PointKey, Pseudonym, Pseudonymiser};
use crate::domain::state::DebtorState;
use crate::domain::statement::FieldFault;
use crate::pipeline::{Desk, cadences, rejoinder};
use serde::Serialize;

/// Identifiers of upstream's are 1 to 200 printable characters.
pub fn check_id(faults: &mut Vec<FieldFault>, pointer: &str, id: &str) {
    if id.is_empty() || id.chars().count() > 200 || id.chars().any(char::is_control) {
        faults.push(FieldFault::new(pointer, "must have 1 to 200 printable characters"));
    }
}

/// A list of identifiers, each good and none twice.
pub fn check_ids(faults: &mut Vec<FieldFault>, pointer: &str, ids: &[String]) {
    for (index, id) in ids.iter().enumerate() {
        let here = format!("{pointer}/{index}");
        check_id(faults, &here, id);
        if ids[..index].contains(id) {
            faults.push(FieldFault::new(here, "is named twice"));
        }
    }
}

/// The key of a contact point's value.
pub fn point(names: &dyn Pseudonymiser, value: &PointValue) -> PointKey {
    names.point(value.kind().as_str(), value.expose())
}

/// What tells a repeated email from another: its sender, its `Message-ID` and its text, none of them in clear. The identifier
/// alone would not do: it may name a person, and some programs use one again for another message.
pub fn letter(names: &dyn Pseudonymiser, from: &str, id: &str, text: &str) -> String {
    names.pseudonym("inbound-mail", &format!("{from}\0{id}\0{text}")).to_string()
}

/// The keys that a value may have, one for each kind that it could be; a file says which it is.
pub fn points(desk: &Desk, value: &str) -> Vec<PointKey> {
    PointKind::ALL
        .iter()
        .filter_map(|kind| PointValue::parse(*kind, value).ok())
        .map(|value| point(&*desk.names, &value))
        .collect()
}

/// The keys that a request of this name may have: upstream's own, a cadence's step, an answer given by itself.
pub fn request_keys(desk: &Desk, request_id: &str) -> [Pseudonym; 3] {
    let own = desk.names.pseudonym("request", request_id);
    [own, cadences::request_key(desk, request_id), rejoinder::request_key(desk, request_id)]
}

/// The accounts that are not on a debtor's file, each with its place in the list.
pub fn unknown_accounts(state: &DebtorState, pointer: &str, accounts: &[AccountKey]) -> Vec<FieldFault> {
    let known = |key: &AccountKey| state.outline.accounts.iter().any(|account| account.account == *key);
    accounts
        .iter()
        .enumerate()
        .filter(|(_, key)| !known(key))
        .map(|(index, _)| {
            FieldFault::new(format!("{pointer}/{index}"), "is not an account on this debtor's file")
        })
        .collect()
}

/// SHA-256 of a body as it was understood, hexadecimal: tells a repeat from a conflict, whatever the spacing or the order of
/// its members.
pub fn digest(body: &impl Serialize) -> String {
    // A body of our own types always serialises; an empty digest would only make a repeat look like a conflict.
    let json = serde_json::to_vec(body).unwrap_or_default();
    hex::encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &json))
}
