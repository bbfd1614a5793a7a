//! One table of the configuration, read key by key: each key's type is asked for, and what nobody asked for is unknown.

use crate::config::document::{Faults, Node, Place, Table, Value, parse_value};
use crate::config::secret::SecretSource;
use std::collections::BTreeMap;

/// A value read, and its place, for faults that are found later.
#[derive(Clone, Debug)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Its place.
    pub place: Place,
}

/// A table being read.
pub struct Section<'f> {
    /// `[store]`, as faults name it.
    name: String,
    /// Where it stands; none if it is not there.
    place: Option<Place>,
    table: Table,
    known: Vec<&'static str>,
    faults: &'f Faults,
}

impl<'f> Section<'f> {
    /// The whole configuration.
    pub fn root(table: Table, faults: &'f Faults) -> Self {
        Self { name: String::new(), place: None, table, known: Vec::new(), faults }
    }

    /// A table that stands for itself, such as an element of a list.
    pub fn of(name: &str, node: Node, faults: &'f Faults) -> Self {
        let Node { value, place } = node;
        let table = match as_table(value, &place) {
            Ok(table) => table,
            Err(kind) => {
                faults.add(&place, format!("{name} is {kind}, but must be a table"));
                Table::new()
            }
        };
        Self { name: name.to_owned(), place: Some(place), table, known: Vec::new(), faults }
    }

    /// Whether the configuration has it.
    pub fn is_there(&self) -> bool {
        self.place.is_some()
    }

    /// Whether it has a key that was not read yet.
    pub fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Where it stands; the file's beginning if nowhere.
    pub fn place(&self) -> Place {
        self.place.clone().unwrap_or(Place::Line(1))
    }

    /// Adds a fault of one of its values.
    pub fn fault(&self, place: &Place, key: &str, message: &str) {
        let key = if key.is_empty() { String::new() } else { format!("{key} ") };
        self.faults.add(place, format!("{} {key}{message}", self.name));
    }

    /// A table within it; empty if it is not there.
    pub fn section(&mut self, key: &'static str) -> Section<'f> {
        let name = self.name_of(key);
        match self.take(key) {
            Some(node) => Section::of(&name, node, self.faults),
            None => {
                Section { name, place: None, table: Table::new(), known: Vec::new(), faults: self.faults }
            }
        }
    }

    /// Every table within it, whatever its name.
    pub fn sections(&mut self) -> Vec<(String, Section<'f>)> {
        let table = std::mem::take(&mut self.table);
        table
            .into_iter()
            .map(|(key, node)| {
                let section = Section::of(&self.name_of(&key), node, self.faults);
                (key, section)
            })
            .collect()
    }

    /// The tables of a list.
    pub fn list_of_sections(&mut self, key: &'static str) -> Vec<Section<'f>> {
        let Some(node) = self.take(key) else { return Vec::new() };
        let name = format!("[[{key}]]");
        match as_list(node.value, &node.place) {
            Ok(items) => items.into_iter().map(|item| Section::of(&name, item, self.faults)).collect(),
            Err(kind) => {
                self.faults.add(&node.place, format!("{name} is {kind}, but must be a list of tables"));
                Vec::new()
            }
        }
    }

    /// Text.
    pub fn text(&mut self, key: &'static str) -> Option<Located<String>> {
        let Node { value, place } = self.take(key)?;
        match value {
            Value::Text(value) | Value::Untyped(value) => Some(Located { value, place }),
            other => {
                self.fault(&place, key, &format!("is {}, but must be text", other.kind()));
                None
            }
        }
    }

    /// Text that must be there and have something in it.
    pub fn required(&mut self, key: &'static str) -> Option<Located<String>> {
        if !self.table.contains_key(key) {
            if self.is_there() {
                self.fault(&self.place(), key, "is missing");
            }
            self.known.push(key);
            return None;
        }
        let text = self.text(key)?;
        if text.value.trim().is_empty() {
            self.fault(&text.place, key, "is empty");
            return None;
        }
        Some(text)
    }

    /// Text of a form; the fault says what was expected.
    pub fn parsed<T>(
        &mut self,
        key: &'static str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<Located<T>> {
        let Located { value, place } = self.text(key)?;
        match parse(value.trim()) {
            Ok(value) => Some(Located { value, place }),
            Err(why) => {
                self.fault(&place, key, &why);
                None
            }
        }
    }

    /// A list of texts.
    pub fn list(&mut self, key: &'static str) -> Option<Located<Vec<Located<String>>>> {
        let Node { value, place } = self.take(key)?;
        let items = match as_list(value, &place) {
            Ok(items) => items,
            Err(kind) => {
                self.fault(&place, key, &format!("is {kind}, but must be a list such as [\"a\", \"b\"]"));
                return None;
            }
        };
        let mut texts = Vec::new();
        for item in items {
            match item.value {
                Value::Text(value) | Value::Untyped(value) => {
                    texts.push(Located { value, place: item.place });
                }
                other => {
                    self.fault(&item.place, key, &format!("holds {}, but must hold texts", other.kind()));
                }
            }
        }
        Some(Located { value: texts, place })
    }

    /// A secret, not fetched.
    pub fn secret(&mut self, key: &'static str) -> Option<Located<SecretSource>> {
        let node = self.take(key)?;
        match secret(&node) {
            Ok(value) => Some(Located { value, place: node.place }),
            Err(why) => {
                self.fault(&node.place, key, &format!("is not a secret: {why}"));
                None
            }
        }
    }

    /// Secrets, not fetched: one, or a list of them.
    pub fn secrets(&mut self, key: &'static str) -> Option<Located<Vec<Located<SecretSource>>>> {
        let node = self.take(key)?;
        let place = node.place.clone();
        let items = match node.value {
            Value::List(items) => items,
            _ => vec![node],
        };
        let mut found = Vec::with_capacity(items.len());
        for item in items {
            match secret(&item) {
                Ok(value) => found.push(Located { value, place: item.place }),
                Err(why) => self.fault(&item.place, key, &format!("is not a secret: {why}")),
            }
        }
        Some(Located { value: found, place })
    }

    /// `true` or `false`.
    pub fn flag(&mut self, key: &'static str) -> Option<Located<bool>> {
        let Node { value, place } = self.take(key)?;
        match &value {
            Value::Flag(value) => Some(Located { value: *value, place }),
            Value::Untyped(text) if matches!(text.trim(), "true" | "false") => {
                Some(Located { value: text.trim() == "true", place })
            }
            other => {
                self.fault(&place, key, &format!("is {}, but must be true or false", other.kind()));
                None
            }
        }
    }

    /// Every key of it, as text: for a table whose keys are data.
    pub fn texts(&mut self) -> Vec<(String, Located<String>)> {
        let mut found = Vec::new();
        for (key, Node { value, place }) in std::mem::take(&mut self.table) {
            match value {
                Value::Text(value) | Value::Untyped(value) => found.push((key, Located { value, place })),
                other => self.fault(&place, &key, &format!("is {}, but must be text", other.kind())),
            }
        }
        found
    }

    /// Whatever else it holds, as texts or secrets: for a table whose keys somebody else knows.
    pub fn open(mut self) -> BTreeMap<String, Located<SecretSource>> {
        let mut found = BTreeMap::new();
        for (key, node) in std::mem::take(&mut self.table) {
            match secret(&node) {
                Ok(value) => {
                    found.insert(key, Located { value, place: node.place });
                }
                Err(why) => self.fault(&node.place, &key, &format!("cannot be read: {why}")),
            }
        }
        found
    }

    /// Ends the reading: what is left is unknown.
    pub fn finish(self) {
        for (key, node) in &self.table {
            let known = match self.known.is_empty() {
                true => String::new(),
                false => format!("; it has {}", self.known.join(", ")),
            };
            let here = if self.name.is_empty() { "the configuration" } else { &self.name };
            self.faults.add(&node.place, format!("{here} has no key `{key}`{known}"));
        }
    }

    fn name_of(&self, key: &str) -> String {
        match self.name.strip_suffix(']') {
            Some(outer) => format!("{outer}.{key}]"),
            None => format!("[{key}]"),
        }
    }

    fn take(&mut self, key: &'static str) -> Option<Node> {
        self.known.push(key);
        self.table.remove(key)
    }
}

fn as_table(value: Value, place: &Place) -> Result<Table, &'static str> {
    match value {
        Value::Table(table) => Ok(table),
        Value::Untyped(text) => match parse_value(&text, place) {
            Some(Value::Table(table)) => Ok(table),
            _ => Err("text that is no TOML table"),
        },
        other => Err(other.kind()),
    }
}

fn as_list(value: Value, place: &Place) -> Result<Vec<Node>, &'static str> {
    match value {
        Value::List(items) => Ok(items),
        Value::Untyped(text) => match parse_value(&text, place) {
            Some(Value::List(items)) => Ok(items),
            _ => Err("text that is no TOML array"),
        },
        other => Err(other.kind()),
    }
}

/// A literal of any simple type, as it is written, or where to fetch it.
fn secret(node: &Node) -> Result<SecretSource, String> {
    match &node.value {
        Value::Text(text) | Value::Untyped(text) | Value::Whole(text) => {
            Ok(SecretSource::Literal(text.as_str().into()))
        }
        Value::Flag(flag) => Ok(SecretSource::Literal(flag.to_string().into())),
        Value::Other(_) | Value::List(_) | Value::Table(_) => SecretSource::of_table(node),
    }
}
