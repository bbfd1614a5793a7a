//! A call flow as its file writes it, and all flows of a folder.

use crate::callflow::check;
use crate::callflow::phrase::Phrase;
use crate::domain::call::NodeKind;
use crate::domain::fault::{Fault, SourceFile};
use crate::domain::time::Span;
use serde::Deserialize;
use std::collections::BTreeMap;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer};

/// Words by language, as a flow writes them.
pub type Words = BTreeMap<String, Phrase>;

/// A call flow.
#[derive(Clone, Debug)]
pub struct Flow {
    /// Its name: that of its file.
    pub name: String,
    /// What stands above its nodes.
    pub head: Head,
    /// Its nodes by name.
    pub nodes: BTreeMap<String, Node>,
}

/// What stands above the nodes.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// What it is for, for people.
    pub summary: String,
    /// Raised with every change.
    pub version: u32,
    /// The languages that every node has words in; the first where the debtor's is not among them.
    pub languages: Spanned<Vec<String>>,
    /// The node that a person who answers comes to.
    pub start: Spanned<String>,
    /// The node whose words end the call where somebody says what bars collection.
    #[serde(default)]
    pub farewell: Option<Spanned<String>>,
    /// Whether speech is listened to beside keys.
    #[serde(default)]
    pub speech: bool,
    /// The keys that work at every node.
    pub keys: Spanned<BTreeMap<String, Spanned<String>>>,
    /// What an answering machine hears.
    pub machine: Spanned<Machine>,
    /// What is said before recording begins, where calls are recorded.
    #[serde(default)]
    pub recording: Option<Spanned<Words>>,
    /// The line of `[machine]`.
    #[serde(skip)]
    pub machine_line: usize,
}

/// What an answering machine hears: a limited-content message (12 CFR 1006.2(j)).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// Its template, which must carry nothing but the limited content.
    pub template: String,
    /// The template's variables.
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
}

/// A node.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Node {
    /// What it does.
    pub kind: NodeKind,
    /// Its words.
    #[serde(default)]
    pub say: Words,
    /// What is said after a key that means nothing here.
    #[serde(default)]
    pub again: Words,
    /// Its own keys.
    #[serde(default)]
    pub keys: BTreeMap<String, String>,
    /// The key by which somebody says to be the debtor.
    pub confirm: Option<String>,
    /// Where it goes on.
    pub next: Option<String>,
    /// Where it goes on after too many tries, or where nobody takes the call.
    pub otherwise: Option<String>,
    /// `agents`, `payments`, or a number in E.164.
    pub to: Option<String>,
    /// The language it changes to.
    pub language: Option<String>,
    /// How often it is said at most.
    #[serde(default = "three")]
    pub tries: u8,
    /// How long it waits for a key, or for the call to be taken.
    pub wait: Option<Span>,
    /// The line that it begins on.
    #[serde(skip)]
    pub line: usize,
}

fn three() -> u8 {
    3
}

impl Flow {
    /// Reads and judges a flow.
    ///
    /// # Errors
    /// Every fault with its line: of its shape, and of what it would do.
    pub fn read(file: &SourceFile) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let (mut table, errors) = DeTable::parse_recoverable(&file.text);
        faults.extend(errors.iter().map(|error| fault(file, error)));
        if !faults.is_empty() {
            return Err(faults);
        }
        let nodes = table.get_mut().remove("nodes");
        let head =
            Head::deserialize(Deserializer::from(table)).map_err(|e| faults.push(fault(file, &e))).ok();
        let nodes = read_nodes(file, nodes.as_ref().map(Spanned::get_ref), &mut faults);
        let name = file.path.rsplit('/').next().unwrap_or(&file.path).trim_end_matches(".toml").to_owned();
        if let Some(mut head) = head.filter(|_| faults.is_empty()) {
            head.machine_line = Fault::line_of(&file.text, head.machine.span().start);
            let flow = Self { name, head, nodes };
            check::check(&flow, file, &mut faults);
            if faults.is_empty() {
                return Ok(flow);
            }
        }
        faults.sort();
        faults.dedup();
        Err(faults)
    }

    /// The name with the version, `standard@1`.
    pub fn version(&self) -> String {
        format!("{}@{}", self.name, self.head.version)
    }

    /// The languages that it has words in.
    pub fn languages(&self) -> &[String] {
        self.head.languages.get_ref()
    }

    /// What an answering machine hears.
    pub fn machine(&self) -> &Machine {
        self.head.machine.get_ref()
    }

    /// The node that a key leads to from a node, if it leads anywhere.
    pub fn by_key<'f>(&'f self, node: &'f Node, key: &str) -> Option<&'f str> {
        let own = node.keys.get(key).map(String::as_str);
        let confirmed = || node.next.as_deref().filter(|_| node.confirm.as_deref() == Some(key));
        let always = || self.head.keys.get_ref().get(key).map(|target| target.get_ref().as_str());
        own.or_else(confirmed).or_else(always)
    }
}

fn read_nodes(
    file: &SourceFile,
    nodes: Option<&DeValue<'_>>,
    faults: &mut Vec<Fault>,
) -> BTreeMap<String, Node> {
    let mut read = BTreeMap::new();
    let Some(DeValue::Table(nodes)) = nodes else {
        faults.push(Fault::of(&file.path, "has no nodes: write [nodes.NAME]"));
        return read;
    };
    for (name, value) in nodes {
        let line = Fault::line_of(&file.text, name.span().start);
        let DeValue::Table(written) = value.get_ref() else {
            faults.push(Fault::at(&file.path, line, format!("node `{}` must be a table", name.get_ref())));
            continue;
        };
        let written = Spanned::new(value.span(), written.clone());
        match Node::deserialize(Deserializer::from(written)) {
            Ok(node) => {
                read.insert(name.get_ref().to_string(), Node { line, ..node });
            }
            Err(error) => {
                let Fault { line: at, message, .. } = fault(file, &error);
                let message = format!("node `{}`: {message}", name.get_ref());
                faults.push(Fault::at(&file.path, at.unwrap_or(line), message));
            }
        }
    }
    read
}

fn fault(file: &SourceFile, error: &toml::de::Error) -> Fault {
    let message = error.message().trim().replace('\n', "; ");
    match error.span() {
        Some(span) => Fault::at(&file.path, Fault::line_of(&file.text, span.start), message),
        None => Fault::of(&file.path, message),
    }
}

/// All flows of a folder.
#[derive(Clone, Debug, Default)]
pub struct Flows {
    flows: BTreeMap<String, Flow>,
}

impl Flows {
    /// Reads every `*.toml`; other files are left alone.
    ///
    /// # Errors
    /// Every fault of every file.
    pub fn load(files: &[SourceFile]) -> Result<Self, Vec<Fault>> {
        let (mut flows, mut faults) = (BTreeMap::new(), Vec::new());
        for file in files.iter().filter(|file| file.path.ends_with(".toml")) {
            match Flow::read(file) {
                Ok(flow) => {
                    flows.insert(flow.name.clone(), flow);
                }
                Err(found) => faults.extend(found),
            }
        }
        if faults.is_empty() { Ok(Self { flows }) } else { Err(faults) }
    }

    /// A flow by its name.
    pub fn get(&self, name: &str) -> Option<&Flow> {
        self.flows.get(name)
    }

    /// All, by name.
    pub fn all(&self) -> impl Iterator<Item = &Flow> {
        self.flows.values()
    }
}
