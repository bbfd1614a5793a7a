//! `template.toml`: what a message is for, where it may go, and what upstream must give it.

use crate::domain::channel::{Channel, Claim, Purpose};
use crate::domain::fault::{Fault, SourceFile};
use crate::template::variable::{Declared, json_of};
use serde::Deserialize;
use std::collections::BTreeMap;
use toml::Spanned;

/// A message's manifest.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// The channels it has words for, in the file's order.
    pub channels: Vec<Channel>,
    /// Whether it carries what policy demands.
    pub disclosures: Carries,
    /// Why such a message is sent.
    pub purpose: Purpose,
    /// Whether a lawyer has read this version.
    pub reviewed: bool,
    /// What it says that law looks at.
    pub says: Vec<Claim>,
    /// What it is, for people.
    pub summary: String,
    /// What upstream gives it.
    pub variables: BTreeMap<String, Declared>,
    /// Raised with every change of its words.
    pub version: u32,
}

/// What a message may say beyond its own words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Carries {
    /// Whatever disclosures policy demands.
    #[default]
    Disclosures,
    /// Nothing: its law allows only its own words (an opt-out's confirmation, 12 CFR 1006.14(h)(2)(i)).
    OnlyItsWords,
    /// Nothing, and its words are those of a limited-content message (12 CFR 1006.2(j)).
    LimitedContent,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    carries: Carries,
    channels: Spanned<Vec<Channel>>,
    purpose: Purpose,
    reviewed: bool,
    #[serde(default)]
    says: Vec<Claim>,
    summary: Spanned<String>,
    #[serde(default)]
    variables: BTreeMap<Spanned<String>, Declared>,
    version: Spanned<u32>,
}

impl Manifest {
    /// Reads a manifest; adds what is wrong with it to the faults.
    pub fn read(file: &SourceFile, faults: &mut Vec<Fault>) -> Option<Self> {
        let written = match toml::from_str::<Written>(&file.text) {
            Ok(written) => written,
            Err(error) => {
                faults.push(fault_of(file, &error));
                return None;
            }
        };
        let before = faults.len();
        let mut fault = |offset: usize, message: String| {
            faults.push(Fault::at(&file.path, Fault::line_of(&file.text, offset), message));
        };
        let channels = written.channels.get_ref();
        if channels.is_empty() || channels.iter().any(|channel| !channel.is_dispatched()) {
            fault(written.channels.span().start, "channels must name email, sms, voice or portal".to_owned());
        }
        if written.purpose == Purpose::ValidationNotice && written.says.contains(&Claim::Deadline) {
            let what = "a validation notice may not want payment by a day, or it overshadows the right to dispute \
                        (12 CFR 1006.38(b))";
            fault(file.text.find("says").unwrap_or(0), what.to_owned());
        }
        if (1..channels.len()).any(|end| channels[..end].contains(&channels[end])) {
            fault(written.channels.span().start, "channels names one twice".to_owned());
        }
        if written.summary.get_ref().trim().is_empty() {
            fault(written.summary.span().start, "summary is empty".to_owned());
        }
        if *written.version.get_ref() == 0 {
            fault(written.version.span().start, "version starts at 1".to_owned());
        }
        for (name, declared) in &written.variables {
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
            if name.get_ref().is_empty() || !name.get_ref().chars().all(plain) {
                fault(name.span().start, format!("variable `{}` must be in snake_case", name.get_ref()));
            }
            if let Some(objection) = declared.objection(&json_of(&declared.example)) {
                fault(name.span().start, format!("the example of `{}` {objection}", name.get_ref()));
            }
        }
        let variables = written.variables.into_iter().map(|(name, one)| (name.into_inner(), one)).collect();
        (faults.len() == before).then(|| Self {
            channels: written.channels.into_inner(),
            disclosures: written.carries,
            purpose: written.purpose,
            reviewed: written.reviewed,
            says: written.says,
            summary: written.summary.into_inner(),
            variables,
            version: written.version.into_inner(),
        })
    }
}

/// A TOML error as a fault.
pub fn fault_of(file: &SourceFile, error: &toml::de::Error) -> Fault {
    let message = error.message().trim().replace('\n', "; ");
    match error.span() {
        Some(span) => Fault::at(&file.path, Fault::line_of(&file.text, span.start), message),
        None => Fault::of(&file.path, message),
    }
}
