//! What overrides the file: environment variables (`DUNWELL__STORE__URL` is `[store] url`) and command-line options.

use crate::config::document::{Faults, Node, Place, Table, Value, parse_value};
use std::collections::BTreeMap;

/// What a variable that overrides a key begins with; its parts are parted by the same two lines.
const PREFIX: &str = "DUNWELL__";

/// The environment as a value, so that a test can bring its own.
#[derive(Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, String>,
    overrides: Vec<(String, Vec<String>, String)>,
}

impl Environment {
    /// The process's own; variables that are not Unicode are left out.
    pub fn of_process() -> Self {
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Self { variables, overrides: Vec::new() }
    }

    /// One with these variables.
    pub fn of(variables: &[(&str, &str)]) -> Self {
        let variables =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self { variables, overrides: Vec::new() }
    }

    /// A variable's value.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// Only the overrides of these tables, and the variables that override nothing.
    #[must_use]
    pub fn only(mut self, tables: &[&str]) -> Self {
        self.variables.retain(|name, _| match name.strip_prefix(PREFIX) {
            Some(key) => tables.contains(&key.split("__").next().unwrap_or("").to_lowercase().as_str()),
            None => true,
        });
        self
    }

    /// Adds an override that is stronger than any variable; `source` names it in faults (`--listen`).
    pub fn set(&mut self, source: &str, path: &[&str], value: impl Into<String>) {
        let path = path.iter().map(|part| (*part).to_owned()).collect();
        self.overrides.push((source.to_owned(), path, value.into()));
    }

    /// Lays everything that overrides a key over the file's tree.
    pub fn overlay(&self, root: &mut Table, faults: &Faults) {
        for (name, value) in &self.variables {
            if let Some(key) = name.strip_prefix(PREFIX) {
                let path: Vec<String> = key.split("__").map(str::to_lowercase).collect();
                put(root, &path, name, value, faults);
            }
        }
        for (source, path, value) in &self.overrides {
            put(root, path, source, value, faults);
        }
    }
}

/// Two spellings of one key: a variable's name has neither `-` nor upper case.
pub fn same_key(left: &str, right: &str) -> bool {
    left.len() == right.len()
        && left.bytes().zip(right.bytes()).all(|(a, b)| {
            let plain = |byte: u8| if byte == b'-' { b'_' } else { byte.to_ascii_lowercase() };
            plain(a) == plain(b)
        })
}

fn put(table: &mut Table, path: &[String], source: &str, value: &str, faults: &Faults) {
    let place = Place::Named(source.to_owned());
    let Some((first, rest)) = path.split_first().filter(|(first, _)| !first.is_empty()) else {
        return faults.add(&place, "names no key; write DUNWELL__TABLE__KEY");
    };
    let key = table.keys().find(|key| same_key(key, first)).unwrap_or(first).clone();
    if rest.is_empty() {
        table.insert(key, Node { value: Value::Untyped(value.to_owned()), place });
        return;
    }
    let node =
        table.entry(key).or_insert_with(|| Node { value: Value::Table(Table::new()), place: place.clone() });
    if let Value::Untyped(text) = &node.value
        && let Some(written) = parse_value(text, &node.place)
    {
        node.value = written;
    }
    match &mut node.value {
        Value::Table(inner) => put(inner, rest, source, value, faults),
        other => faults.add(&place, format!("`{first}` is {}, which has no keys", other.kind())),
    }
}
