//! From a flow and the values of one debtor to the plan of one call: every word of it, in every language it may change to.

use crate::callflow::check::LINES;
use crate::callflow::flow::{Flow, Node, Words};
use crate::callflow::phrase::{KEY, Phrase};
use crate::domain::call::{CallNode, CallPlan, NodeKind, Spoken};
use std::collections::BTreeMap;

/// What a plan is written from.
#[derive(Clone, Debug, Default)]
pub struct Values {
    /// What the names in words stand for (`phrase::NAMES`), as it is spoken.
    pub names: BTreeMap<&'static str, String>,
    /// The request's message, by language.
    pub messages: Spoken,
    /// The limited-content message, by language; where it could not be written, machines hear nothing.
    pub machine: Spoken,
    /// The debtor's language, if it is known.
    pub language: Option<String>,
    /// The numbers that `agents` and `payments` stand for, E.164.
    pub lines: BTreeMap<&'static str, String>,
    /// Whether calls are recorded.
    pub recorded: bool,
}

/// Why a call cannot be made ready.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum PlanError {
    /// The flow says something that is not known.
    #[error("the call flow says `{{{name}}}`: {remedy}")]
    Missing {
        /// What.
        name: String,
        /// Who can mend it.
        remedy: &'static str,
    },
    /// The flow connects to a line that is not configured.
    #[error("the call flow connects to `{0}`: set it under `[voice]` in the configuration")]
    Line(String),
    /// The message has no words in any language of the flow.
    #[error("the message has no words in a language of the call flow")]
    Language,
    /// Calls are recorded, and the flow has no notice of it.
    #[error("calls are recorded, and the call flow has no [recording] notice")]
    Notice,
}

impl Flow {
    /// The plan of one call.
    ///
    /// # Errors
    /// What it lacks, and who can mend it; nothing personal.
    pub fn plan(&self, values: &Values) -> Result<CallPlan, PlanError> {
        let spoken: Vec<&String> =
            self.languages().iter().filter(|tag| values.messages.contains_key(*tag)).collect();
        let wanted = values.language.as_deref().map(|tag| tag.split('-').next().unwrap_or(tag));
        let language = spoken.iter().find(|tag| Some(tag.as_str()) == wanted).or(spoken.first());
        let language = language.ok_or(PlanError::Language)?.to_string();
        let notice = match (&self.head.recording, values.recorded) {
            (_, false) => None,
            (Some(notice), true) => Some(notice.get_ref()),
            (None, true) => return Err(PlanError::Notice),
        };
        let mut nodes = BTreeMap::new();
        for (name, node) in &self.nodes {
            nodes.insert(name.clone(), self.node(node, &spoken, values)?);
        }
        if let Some(notice) = notice {
            let start = self.head.start.get_ref();
            let words = self.fill(notice, None, &spoken, values)?;
            nodes.insert(NOTICE.to_owned(), CallNode { say: words, ..bare(NodeKind::Ask, start) });
        }
        let always = self.head.keys.get_ref().iter();
        Ok(CallPlan {
            farewell: self.head.farewell.as_ref().map(|name| name.get_ref().clone()),
            flow: self.version(),
            machine: values.machine.iter().filter(|(tag, _)| spoken.contains(tag)).map(pair).collect(),
            language,
            keys: always.map(|(key, target)| (key.clone(), target.get_ref().clone())).collect(),
            nodes,
            recorded: notice.is_some(),
            speech: self.head.speech,
            start: self.head.start.get_ref().clone(),
        })
    }

    fn node(&self, node: &Node, spoken: &[&String], values: &Values) -> Result<CallNode, PlanError> {
        let mut say = self.fill(&node.say, Some(node), spoken, values)?;
        if node.kind == NodeKind::Message {
            for tag in spoken {
                let message = values.messages.get(*tag).map(String::as_str).unwrap_or_default();
                let after = say.get(*tag).map(String::as_str).unwrap_or_default();
                say.insert((*tag).clone(), format!("{message} {after}").trim().to_owned());
            }
        }
        let to = match node.to.as_deref() {
            Some(line) if LINES.contains(&line) => {
                Some(values.lines.get(line).cloned().ok_or_else(|| PlanError::Line(line.to_owned()))?)
            }
            other => other.map(str::to_owned),
        };
        let seconds = node.wait.map(|wait| u16::try_from(wait.as_millis() / 1_000).unwrap_or(5));
        let usual = if node.kind == NodeKind::Transfer { 25 } else { 5 };
        Ok(CallNode {
            again: self.fill(&node.again, Some(node), spoken, values)?,
            does: node.kind,
            keys: node.keys.clone(),
            language: node.language.clone(),
            next: node.next.clone(),
            otherwise: node.otherwise.clone(),
            confirm: node.confirm.clone(),
            say,
            to,
            tries: node.tries,
            wait_seconds: seconds.unwrap_or(usual),
        })
    }

    fn fill(
        &self,
        words: &Words,
        node: Option<&Node>,
        spoken: &[&String],
        values: &Values,
    ) -> Result<Spoken, PlanError> {
        let said = words.iter().filter(|(tag, _)| spoken.contains(tag));
        said.map(|(tag, phrase)| Ok((tag.clone(), self.said(phrase, node, values)?))).collect()
    }

    fn said(&self, phrase: &Phrase, node: Option<&Node>, values: &Values) -> Result<String, PlanError> {
        let value = |name: &str| match name.strip_prefix(KEY) {
            Some(target) => {
                let keys = (0..=9).map(|digit| digit.to_string()).chain(["*".to_owned()]);
                keys.into_iter().find(|key| node.is_some_and(|node| self.by_key(node, key) == Some(target)))
            }
            None => values.names.get(name).cloned(),
        };
        phrase.fill(value).map_err(|name| PlanError::Missing { remedy: remedy(&name), name })
    }
}

/// The node of the notice that the call is recorded; no flow can name it.
pub(in crate::callflow) const NOTICE: &str = "[recording]";

fn bare(kind: NodeKind, next: &str) -> CallNode {
    CallNode {
        again: Spoken::new(),
        does: kind,
        keys: BTreeMap::new(),
        language: None,
        next: Some(next.to_owned()),
        otherwise: None,
        confirm: None,
        say: Spoken::new(),
        to: None,
        tries: 1,
        wait_seconds: 1,
    }
}

fn pair((key, value): (&String, &String)) -> (String, String) {
    (key.clone(), value.clone())
}

fn remedy(name: &str) -> &'static str {
    match name {
        "collector.name" => "set `name` under `[collector]` in the configuration",
        "collector.neutral_name" => "set `neutral_name` under `[collector]` in the configuration",
        "collector.phone" => "set `phone` under `[collector]` in the configuration",
        "debtor.name" | "debtor.given" => "put the debtor's name on file",
        _ => "it is not known",
    }
}
