//! The manifest of a vendor: what it asks of the operator, how it is asked to send, how its callbacks are read.

use crate::domain::channel::Channel;
use crate::domain::fault::{Fault, SourceFile};
use crate::domain::time::Span;
use crate::provider::callback::{CallbackKind, CallbackSpec};
use crate::provider::placeholder::Template;
use crate::provider::request::{MESSAGE_WORDS, SendSpec};
use crate::provider::settings::{COMMON, Given, OneOf, SettingSpec, Settings};
use crate::provider::signature::{self, Scheme};
use serde::Deserialize;
use std::collections::BTreeMap;
use toml::Spanned;

/// What moves the bytes for this vendor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Carrier {
    /// HTTP requests as the manifest's `[send]` describes them.
    #[default]
    Http,
    /// A mail relay (RFC 5321).
    Smtp,
    /// Nothing leaves: outcomes chosen by address, for demonstrations and tests.
    Sandbox,
    /// The debtor's own inbox, which is the history.
    Portal,
}

/// Who the vendor is.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identity {
    /// The folder's name.
    pub id: Spanned<String>,
    /// The channel, which is the folder's folder.
    pub channel: Spanned<Channel>,
    /// The vendor's or service's name, for people.
    pub name: String,
    /// What moves the bytes.
    #[serde(default)]
    pub carrier: Carrier,
    /// Where the vendor describes its interface.
    pub docs: String,
    /// When the manifest was last tried against the vendor or its published contract, `YYYY-MM-DD`.
    pub tested_on: String,
    /// Anything a reader should know.
    pub note: Option<String>,
}

/// What the vendor bears.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Messages a second, where the operator's settings say nothing.
    pub rate_per_second: u32,
    /// How long a send may take in all.
    pub deadline: Span,
    /// How much of an answer is read, in bytes.
    pub answer_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { rate_per_second: 10, deadline: Span::seconds(10), answer_bytes: 65_536 }
    }
}

/// A vendor described as data: `providers/<channel>/<vendor>/manifest.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Who it is.
    pub identity: Identity,
    /// What it asks of the operator.
    #[serde(default)]
    pub settings: BTreeMap<String, SettingSpec>,
    /// Settings of which at least one is needed.
    #[serde(default)]
    pub one_of: Vec<OneOf>,
    /// What it bears.
    #[serde(default)]
    pub limits: Limits,
    /// How it is asked to send.
    pub send: Option<SendSpec>,
    /// How its callbacks are checked: each name has alternatives, of which one must hold.
    #[serde(default)]
    pub signatures: BTreeMap<String, Vec<Spanned<Scheme>>>,
    /// What it tells us afterwards.
    #[serde(default)]
    pub callbacks: BTreeMap<CallbackKind, CallbackSpec>,
}

impl Manifest {
    /// Reads a manifest and checks everything in it that can be checked without a vendor.
    ///
    /// # Errors
    /// Every fault, with file and line. Where the text is not even TOML of the right shape there is only the first.
    pub fn read(file: &SourceFile) -> Result<Self, Vec<Fault>> {
        let manifest: Self = toml::from_str(&file.text).map_err(|error| vec![toml_fault(file, &error)])?;
        let faults = manifest.faults(file);
        if faults.is_empty() { Ok(manifest) } else { Err(faults) }
    }

    /// The vendor's folder name, as configuration and callback addresses write it.
    pub fn id(&self) -> &str {
        self.identity.id.get_ref()
    }

    /// The channel it serves.
    pub fn channel(&self) -> Channel {
        *self.identity.channel.get_ref()
    }

    /// Checks an operator's settings; `place` names the file or table in faults.
    ///
    /// # Errors
    /// Every fault at once; none shows a value.
    pub fn settings(&self, given: &BTreeMap<String, Given>, place: &str) -> Result<Settings, Vec<Fault>> {
        Settings::check(&self.settings, &self.one_of, given, place)
    }

    /// Messages a second: the operator's word, or else the manifest's.
    pub fn rate_per_second(&self, settings: &Settings) -> u32 {
        settings.rate_per_second().unwrap_or(self.limits.rate_per_second).max(1)
    }

    fn faults(&self, file: &SourceFile) -> Vec<Fault> {
        let mut check = Check { file, faults: Vec::new() };
        self.check_identity(&mut check);
        self.check_settings(&mut check);
        match (&self.send, self.identity.carrier) {
            (Some(send), Carrier::Http) => self.check_send(&mut check, send),
            (None, Carrier::Http) => check.whole("has no [send]: say how the vendor is asked to send"),
            (Some(_), Carrier::Smtp | Carrier::Sandbox | Carrier::Portal) => {
                check.by("[send", "[send] is read only where carrier = \"http\"".to_owned());
            }
            (None, Carrier::Smtp | Carrier::Sandbox | Carrier::Portal) => {}
        }
        self.check_callbacks(&mut check);
        check.faults
    }

    fn check_identity(&self, check: &mut Check<'_>) {
        let parts: Vec<&str> = check.file.path.rsplit('/').collect();
        if let [_, vendor, channel, ..] = parts.as_slice() {
            if *vendor != self.id() {
                check.at(self.identity.id.span(), format!("`id` must be the folder's name, `{vendor}`"));
            }
            if *channel != self.channel().as_str() {
                check
                    .at(self.identity.channel.span(), format!("`channel` must be the folder's, `{channel}`"));
            }
        }
        if !self.channel().is_dispatched() {
            check.at(self.identity.channel.span(), "this gateway sends nothing over that channel".to_owned());
        }
        if self.identity.tested_on.parse::<crate::domain::time::Date>().is_err() {
            check.by("tested_on", "`tested_on` is not a date such as 2026-11-22".to_owned());
        }
    }

    fn check_settings(&self, check: &mut Check<'_>) {
        for (name, spec) in &self.settings {
            if MESSAGE_WORDS.contains(&name.as_str()) || COMMON.contains(&name.as_str()) {
                let message = format!("setting `{name}` has a name that is already taken: choose another");
                check.by(&format!("[settings.{name}"), message);
            }
            for (what, value) in [("default", &spec.default), ("example", &spec.example)] {
                let wrong = value.as_ref().is_some_and(|value| {
                    spec.pattern.as_ref().is_some_and(|pattern| !pattern.matches(value))
                });
                if wrong {
                    let message = format!("setting `{name}`: its {what} does not match its own pattern");
                    check.by(&format!("[settings.{name}"), message);
                }
            }
        }
        for name in self.one_of.iter().flat_map(|one_of| &one_of.settings) {
            if !self.settings.contains_key(name) {
                check.by("[[one_of", format!("[[one_of]] names `{name}`, which is no setting"));
            }
        }
    }

    fn check_send(&self, check: &mut Check<'_>, send: &SendSpec) {
        for (span, template) in send.templates() {
            self.check_names(check, span, template, MESSAGE_WORDS);
        }
        for name in send.tested_names() {
            if !MESSAGE_WORDS.contains(&name) && !self.settings.contains_key(name) {
                let message = format!(
                    "[send] asks whether `{name}` is given, which is neither setting nor message word"
                );
                check.by("[send", message);
            }
        }
        for message in send.response.faults() {
            check.by("[send.response", message);
        }
    }

    fn check_callbacks(&self, check: &mut Check<'_>) {
        for (kind, callback) in &self.callbacks {
            let scheme = callback.signature.get_ref();
            if !self.signatures.contains_key(scheme) {
                check.at(callback.signature.span(), format!("there is no [[signatures.{scheme}]]"));
            }
            for message in callback.faults(*kind) {
                check.by(&format!("[callbacks.{kind}"), format!("[callbacks.{kind}]: {message}"));
            }
        }
        for scheme in self.signatures.values().flatten() {
            for key in &scheme.get_ref().keys {
                self.check_names(check, scheme.span(), key, &[]);
            }
            for message in signature::faults(scheme.get_ref()) {
                check.at(scheme.span(), message);
            }
        }
    }

    fn check_names(
        &self,
        check: &mut Check<'_>,
        span: std::ops::Range<usize>,
        template: &Template,
        words: &[&str],
    ) {
        for name in
            template.names().filter(|name| !words.contains(name) && !self.settings.contains_key(*name))
        {
            let known: Vec<&str> =
                words.iter().copied().chain(self.settings.keys().map(String::as_str)).collect();
            check.at(span.clone(), format!("`{{{name}}}` is unknown here; there are {}", known.join(", ")));
        }
    }
}

struct Check<'f> {
    file: &'f SourceFile,
    faults: Vec<Fault>,
}

impl Check<'_> {
    fn at(&mut self, span: std::ops::Range<usize>, message: String) {
        let line = Fault::line_of(&self.file.text, span.start);
        self.faults.push(Fault::at(&self.file.path, line, message));
    }

    fn whole(&mut self, message: &str) {
        self.faults.push(Fault::of(&self.file.path, message));
    }

    /// At the first line that begins with these words, or of the whole file where none does.
    fn by(&mut self, words: &str, message: String) {
        let line =
            self.file.text.lines().position(|line| line.trim_start().starts_with(words)).map(|at| at + 1);
        self.faults.push(Fault { line, ..Fault::of(&self.file.path, message) });
    }
}

/// A fault of TOML: what it says, at its line.
pub(in crate::provider) fn toml_fault(file: &SourceFile, error: &toml::de::Error) -> Fault {
    let message = error.message().to_owned();
    match error.span() {
        Some(span) => Fault::at(&file.path, Fault::line_of(&file.text, span.start), message),
        None => Fault::of(&file.path, message),
    }
}
