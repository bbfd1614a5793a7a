//! A configuration as a tree whose every value knows where it stands: a line of the file, or a variable's name.

use crate::domain::fault::Fault;
use std::cell::RefCell;
use std::collections::BTreeMap;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A table of the tree.
pub type Table = BTreeMap<String, Node>;

/// Where a value stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// On a line of the file, from 1.
    Line(usize),
    /// In an environment variable or a command-line option of this name.
    Named(String),
}

/// A value and its place.
#[derive(Clone)]
pub struct Node {
    /// The value.
    pub value: Value,
    /// Its place.
    pub place: Place,
}

/// A value, before anybody has asked for a type.
#[derive(Clone)]
pub enum Value {
    /// A string.
    Text(String),
    /// A whole number, in decimal digits.
    Whole(String),
    /// `true` or `false`.
    Flag(bool),
    /// A fraction or a date, as it is written; no key takes one.
    Other(String),
    /// An array.
    List(Vec<Node>),
    /// A table.
    Table(Table),
    /// Text from outside the file, whose type the key decides that it is given to.
    Untyped(String),
}

impl Value {
    /// What it is, for a fault.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Text(_) | Self::Untyped(_) => "text",
            Self::Whole(_) => "a whole number",
            Self::Flag(_) => "true or false",
            Self::Other(_) => "a fraction or a date",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
        }
    }
}

/// The faults found so far in one file and what overrides it.
pub struct Faults {
    file: String,
    found: RefCell<Vec<Fault>>,
}

impl Faults {
    /// None yet.
    pub fn of(file: &str) -> Self {
        Self { file: file.to_owned(), found: RefCell::default() }
    }

    /// Adds one.
    pub fn add(&self, place: &Place, message: impl Into<String>) {
        self.found.borrow_mut().push(match place {
            Place::Line(line) => Fault::at(&self.file, *line, message),
            Place::Named(name) => Fault::of(name, message),
        });
    }

    /// Adds one of the whole file.
    pub fn add_to_file(&self, message: impl Into<String>) {
        self.found.borrow_mut().push(Fault::of(&self.file, message));
    }

    /// All of them, in the order of the file.
    pub fn into_sorted(self) -> Vec<Fault> {
        let mut found = self.found.into_inner();
        found.sort();
        found.dedup();
        found
    }
}

/// Reads a file's text; what is not TOML is a fault, and the rest is read all the same.
pub fn parse(text: &str, faults: &Faults) -> Table {
    let (root, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let line = error.span().map_or(1, |span| Fault::line_of(text, span.start));
        faults.add(&Place::Line(line), error.message().trim().replace('\n', "; "));
    }
    table(root.into_inner(), &|offset| Place::Line(Fault::line_of(text, offset)))
}

/// Reads a value as TOML writes it, for a list or a table that a variable gives; `None` if it is not one.
pub fn parse_value(text: &str, place: &Place) -> Option<Value> {
    let value = DeValue::parse(text).ok()?;
    Some(convert(value.into_inner(), &|_| place.clone()))
}

fn table(entries: DeTable<'_>, place: &dyn Fn(usize) -> Place) -> Table {
    entries
        .into_iter()
        .map(|(key, value)| {
            // The key's line, since a table's own span may start anywhere.
            let at = place(key.span().start);
            (key.into_inner().into_owned(), Node { value: convert(value.into_inner(), place), place: at })
        })
        .collect()
}

fn convert(value: DeValue<'_>, place: &dyn Fn(usize) -> Place) -> Value {
    match value {
        DeValue::String(text) => Value::Text(text.into_owned()),
        DeValue::Integer(digits) => match i64::from_str_radix(digits.as_str(), digits.radix()) {
            Ok(whole) => Value::Whole(whole.to_string()),
            Err(_) => Value::Other(digits.as_str().to_owned()),
        },
        DeValue::Boolean(flag) => Value::Flag(flag),
        DeValue::Float(digits) => Value::Other(digits.as_str().to_owned()),
        DeValue::Datetime(date) => Value::Other(date.to_string()),
        DeValue::Array(items) => Value::List(
            items
                .into_iter()
                .map(|item: Spanned<DeValue<'_>>| {
                    let at = place(item.span().start);
                    Node { value: convert(item.into_inner(), place), place: at }
                })
                .collect(),
        ),
        DeValue::Table(entries) => Value::Table(table(entries, place)),
    }
}
