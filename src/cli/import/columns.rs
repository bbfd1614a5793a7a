//! From the columns of CSV to the members of a body.
//!
//! A column is named by its place in the body, with dots: `name.given`, `accounts.0.balance.amount`, `variables.due_date`. Plain
//! names stand for the usual ones: `phone`, `postal_code`, `account_id`. Several values of one cell are separated by commas,
//! semicolons or bars; a cell of a list or an object may also hold JSON. An empty cell says nothing.

use crate::cli::import::{Kind, WHY, answers};
use crate::cli::table::{Form, Source};
use csv::ByteRecord;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// How a cell is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// As it stands.
    Text,
    /// `true` or `false`, also `yes`, `no`, `1`, `0`.
    Flag,
    /// Several values.
    Words,
    /// JSON.
    Json,
    /// JSON where it begins like an object or a list, else as it stands.
    Any,
}

use Reading::{Any, Flag, Json, Text, Words};

/// The columns of a kind; `#` stands for a number from 0, `*` for any name.
fn known(kind: Kind) -> &'static [(&'static str, Reading)] {
    match kind {
        Kind::Debtors => DEBTORS,
        Kind::Consents => CONSENTS,
        Kind::OptOuts => OPT_OUTS,
        Kind::Holds => HOLDS,
        Kind::ContactEvents => CONTACT_EVENTS,
        Kind::ContactRequests => CONTACT_REQUESTS,
        Kind::Answers(_) => answers::COLUMNS,
    }
}

/// A debtor's.
const DEBTORS: &[(&str, Reading)] = &[
    ("debtor_id", Text),
    ("name", Json),
    ("name.given", Text),
    ("name.family", Text),
    ("date_of_birth", Text),
    ("language", Text),
    ("time_zone", Text),
    ("locations", Json),
    ("locations.#.postal_code", Text),
    ("locations.#.region", Text),
    ("locations.#.locality", Text),
    ("locations.#.country", Text),
    ("contact_points", Json),
    ("contact_points.#.kind", Text),
    ("contact_points.#.value", Text),
    ("contact_points.#.line_type", Text),
    ("contact_points.#.workplace", Flag),
    ("contact_points.#.employer_provided", Flag),
    ("contact_points.#.reassignment_check.checked_on", Text),
    ("contact_points.#.reassignment_check.since", Text),
    ("contact_points.#.reassignment_check.result", Text),
    ("contact_points.#.reassignment_check.source", Text),
    ("contact_points.#.creditor_notice.sent_on", Text),
    ("contact_points.#.creditor_notice.opt_out_until", Text),
    ("contact_points.#.creditor_notice.states", Words),
    ("accounts", Json),
    ("accounts.#.account_id", Text),
    ("accounts.#.creditor", Text),
    ("accounts.#.creditor_region", Text),
    ("accounts.#.reference", Text),
    ("accounts.#.balance.amount", Text),
    ("accounts.#.balance.currency", Text),
    ("accounts.#.collector_role", Text),
    ("accounts.#.debt_type", Text),
    ("accounts.#.validation_notice_sent_on", Text),
    ("accounts.#.time_barred", Flag),
    ("accounts.#.status", Text),
    ("accounts.#.payment_url", Text),
    ("accounts.#.servicing_account", Text),
];

/// A consent's.
const CONSENTS: &[(&str, Reading)] = &[
    ("debtor_id", Text),
    ("channel", Text),
    ("contact_point", Text),
    ("account_ids", Words),
    ("scope", Text),
    ("granted_at", Text),
    ("expires_at", Text),
    ("given_to", Text),
    ("form", Text),
    ("source", Text),
    ("evidence", Any),
];

/// A stop's.
const OPT_OUTS: &[(&str, Reading)] = &[
    ("debtor_id", Text),
    ("channel", Text),
    ("contact_point", Text),
    ("account_ids", Words),
    ("received_at", Text),
    ("source", Text),
    ("text", Text),
];

/// A hold's.
const HOLDS: &[(&str, Reading)] =
    &[("debtor_id", Text), ("kind", Text), ("since", Text), ("account_ids", Words), ("detail", Text)];

/// Those of a contact made elsewhere.
const CONTACT_EVENTS: &[(&str, Reading)] = &[
    ("event_id", Text),
    ("debtor_id", Text),
    ("account_ids", Words),
    ("channel", Text),
    ("direction", Text),
    ("contact_point", Text),
    ("party", Text),
    ("purpose", Text),
    ("occurred_at", Text),
    ("result", Text),
];

/// A contact request's.
const CONTACT_REQUESTS: &[(&str, Reading)] = &[
    ("request_id", Text),
    ("debtor_id", Text),
    ("account_ids", Words),
    ("channels", Words),
    ("contact_point", Text),
    ("purpose", Text),
    ("template", Text),
    ("variables", Json),
    ("variables.*", Text),
    ("not_before", Text),
    ("expires_at", Text),
    ("priority", Text),
    ("campaign", Text),
    ("fallback_after", Text),
];

/// A plain name, where it leads, and what goes with it.
type Plain = (&'static str, &'static str, Option<(&'static str, &'static str)>);

/// Plain names of a debtor's columns. Numbers from 900 stand behind all others.
const PLAIN: &[Plain] = &[
    ("given_name", "name.given", None),
    ("first_name", "name.given", None),
    ("family_name", "name.family", None),
    ("last_name", "name.family", None),
    ("postal_code", "locations.0.postal_code", None),
    ("region", "locations.0.region", None),
    ("locality", "locations.0.locality", None),
    ("city", "locations.0.locality", None),
    ("country", "locations.0.country", None),
    ("phone", "contact_points.900.value", Some(("contact_points.900.kind", "phone"))),
    ("line_type", "contact_points.900.line_type", None),
    ("phone_line_type", "contact_points.900.line_type", None),
    ("work_phone", "contact_points.901.value", Some(("contact_points.901.kind", "phone"))),
    ("email", "contact_points.902.value", Some(("contact_points.902.kind", "email"))),
    ("portal", "contact_points.903.value", Some(("contact_points.903.kind", "portal"))),
    ("account_id", "accounts.0.account_id", None),
    ("creditor", "accounts.0.creditor", None),
    ("creditor_region", "accounts.0.creditor_region", None),
    ("reference", "accounts.0.reference", None),
    ("balance", "accounts.0.balance.amount", None),
    ("balance_amount", "accounts.0.balance.amount", None),
    ("currency", "accounts.0.balance.currency", None),
    ("balance_currency", "accounts.0.balance.currency", None),
    ("collector_role", "accounts.0.collector_role", None),
    ("debt_type", "accounts.0.debt_type", None),
    ("validation_notice_sent_on", "accounts.0.validation_notice_sent_on", None),
    ("time_barred", "accounts.0.time_barred", None),
    ("status", "accounts.0.status", None),
    ("payment_url", "accounts.0.payment_url", None),
    ("servicing_account", "accounts.0.servicing_account", None),
];
/// The number of the workplace's phone among them.
const WORKPLACE: &str = "contact_points.901";

/// Where a column's cells go.
#[derive(Debug)]
struct Column {
    name: String,
    path: Vec<String>,
    reading: Reading,
    implied: Vec<(Vec<String>, Value)>,
}

/// Where the cells of every column go; none for a list of NDJSON.
#[derive(Debug, Default)]
pub struct Plan {
    columns: Vec<Option<Column>>,
}

impl Plan {
    /// Reads the head of a list.
    ///
    /// # Errors
    /// The columns that are not known, with those that are; those that are missing; two that say the same.
    pub fn of(kind: Kind, source: &Source) -> Result<Self, String> {
        if source.form() == Form::Ndjson {
            return Ok(Self::default());
        }
        let mut columns: Vec<Option<Column>> = Vec::new();
        let mut unknown = Vec::new();
        for name in &source.head {
            if WHY.contains(&name.as_str()) {
                columns.push(None);
                continue;
            }
            // What else a database tells beside its answers is passed over.
            let known_as = match kind {
                Kind::Answers(_) => answers::member(name),
                _ => Some(name.as_str()),
            };
            let Some(known_as) = known_as else {
                columns.push(None);
                continue;
            };
            match Column::of(kind, known_as) {
                Some(column) => {
                    let same = |earlier: &&Column| earlier.path == column.path;
                    if let Some(earlier) = columns.iter().flatten().find(same) {
                        return Err(format!("the columns `{}` and `{name}` say the same", earlier.name));
                    }
                    columns.push(Some(column));
                }
                None => unknown.push(format!("`{name}`")),
            }
        }
        if !unknown.is_empty() {
            let plain = PLAIN.iter().filter(|_| kind == Kind::Debtors).map(|(name, _, _)| *name);
            let known: Vec<&str> = known(kind).iter().map(|(name, _)| *name).chain(plain).collect();
            let (unknown, known) = (unknown.join(", "), known.join(", "));
            return Err(format!("unknown columns {unknown}; known are {known} (# is a number from 0)"));
        }
        for needed in required(kind) {
            let starts = |column: &&Column| column.path.first().is_some_and(|first| first == needed);
            if !columns.iter().flatten().any(|column| starts(&column)) {
                return Err(format!("there is no column `{needed}`"));
            }
        }
        Ok(Self { columns })
    }

    /// The members that a row's cells say.
    ///
    /// # Errors
    /// The cell that cannot be read.
    pub fn members(&self, cells: &ByteRecord) -> Result<Map<String, Value>, String> {
        let mut root = Node::default();
        for (column, cell) in self.columns.iter().zip(cells) {
            let cell = std::str::from_utf8(cell).map_err(|_| "is not UTF-8".to_owned())?.trim();
            let Some(column) = column.as_ref().filter(|_| !cell.is_empty()) else { continue };
            let value = column.read(cell).map_err(|fault| format!("column `{}` {fault}", column.name))?;
            let twice = || format!("column `{}` says what another column says too", column.name);
            root.put(&column.path, value).ok_or_else(twice)?;
            for (path, value) in &column.implied {
                root.put(path, value.clone()).ok_or_else(twice)?;
            }
        }
        match root.value() {
            Value::Object(members) => Ok(members),
            _ => Ok(Map::new()),
        }
    }
}

fn required(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Debtors => &["debtor_id"],
        Kind::Consents => &["debtor_id", "channel", "scope", "granted_at", "source"],
        Kind::OptOuts => &["debtor_id", "channel", "received_at", "source"],
        Kind::Holds => &["debtor_id", "kind", "since"],
        Kind::ContactEvents => &["event_id", "debtor_id", "channel", "direction", "occurred_at", "result"],
        Kind::ContactRequests => &["request_id", "debtor_id", "channels", "template"],
        Kind::Answers(_) => &["tn", "date", "disconnected"],
    }
}

fn path(name: &str) -> Vec<String> {
    name.split('.').map(str::to_owned).collect()
}

impl Column {
    fn of(kind: Kind, name: &str) -> Option<Self> {
        let plain = PLAIN.iter().find(|(plain, _, _)| kind == Kind::Debtors && *plain == name);
        let (place, with) = plain.map_or((name, None), |(_, place, with)| (*place, *with));
        let parts = path(place);
        let fits = |pattern: &str| {
            let wanted: Vec<&str> = pattern.split('.').collect();
            wanted.len() == parts.len()
                && wanted.iter().zip(&parts).all(|(wanted, part)| match *wanted {
                    "#" => part.parse::<u16>().is_ok() && (plain.is_some() || part.len() < 3),
                    "*" => !part.is_empty(),
                    wanted => wanted == part,
                })
        };
        let (_, reading) = known(kind).iter().find(|(pattern, _)| fits(pattern))?;
        let mut implied: Vec<_> =
            with.map(|(place, word)| (path(place), Value::from(word))).into_iter().collect();
        if place.starts_with(WORKPLACE) {
            implied.push((path(&format!("{WORKPLACE}.workplace")), Value::from(true)));
        }
        Some(Self { name: name.to_owned(), path: parts, reading: *reading, implied })
    }

    fn read(&self, cell: &str) -> Result<Value, &'static str> {
        let json = cell.starts_with(['{', '[']);
        match self.reading {
            Text => Ok(Value::from(cell)),
            Flag => match cell.to_ascii_lowercase().as_str() {
                "true" | "yes" | "1" => Ok(Value::from(true)),
                "false" | "no" | "0" => Ok(Value::from(false)),
                _ => Err("expected true or false"),
            },
            Words if !json => {
                let words = cell.split([',', ';', '|']).map(str::trim).filter(|word| !word.is_empty());
                Ok(words.map(Value::from).collect())
            }
            Any if !json => Ok(Value::from(cell)),
            Words | Json | Any => serde_json::from_str(cell).map_err(|_| "expected JSON"),
        }
    }
}

/// A body as it grows.
#[derive(Default)]
enum Node {
    #[default]
    Nothing,
    Leaf(Value),
    List(BTreeMap<u16, Node>),
    Members(BTreeMap<String, Node>),
}

impl Node {
    /// Puts a value at a place; none if something else stands there.
    fn put(&mut self, path: &[String], value: Value) -> Option<()> {
        let Some((part, rest)) = path.split_first() else {
            if matches!(self, Self::Nothing) {
                *self = Self::Leaf(value);
                return Some(());
            }
            return None;
        };
        if matches!(self, Self::Nothing) {
            let number = part.parse::<u16>().is_ok();
            *self = if number { Self::List(BTreeMap::new()) } else { Self::Members(BTreeMap::new()) };
        }
        match self {
            Self::List(items) => items.entry(part.parse().ok()?).or_default().put(rest, value),
            Self::Members(members) => members.entry(part.clone()).or_default().put(rest, value),
            Self::Nothing | Self::Leaf(_) => None,
        }
    }

    fn value(self) -> Value {
        match self {
            Self::Nothing => Value::Null,
            Self::Leaf(value) => value,
            Self::List(items) => items.into_values().map(Self::value).collect(),
            Self::Members(members) => {
                members.into_iter().map(|(name, node)| (name, node.value())).collect::<Map<_, _>>().into()
            }
        }
    }
}

/// Joins what a further row says of the same debtor: more locations, contact points and accounts; all else must agree.
///
/// # Errors
/// The member that does not agree.
pub fn merge(whole: &mut Map<String, Value>, more: Map<String, Value>) -> Result<(), String> {
    let disagrees = |name: &str| format!("/{name}: differs from what the row before says of this debtor");
    for (name, value) in &more {
        match (whole.get(name), value) {
            (None, _) | (Some(Value::Array(_)), Value::Array(_)) => {}
            (Some(known), value) if known == value => {}
            (Some(_), _) => return Err(disagrees(name)),
        }
    }
    for (name, value) in more {
        match (whole.get_mut(&name), value) {
            (Some(Value::Array(known)), Value::Array(items)) => {
                for item in items {
                    if !known.contains(&item) {
                        known.push(item);
                    }
                }
            }
            (Some(_), _) => {}
            (None, value) => drop(whole.insert(name, value)),
        }
    }
    Ok(())
}
