//! The manifest of a vendor: what it asks of the operator, how it is asked to send, how its callbacks are read.

use crate::domain::channel::Channel;
use crate::domain::fault::{Fault, SourceFile};
use crate::domain::time::Span;
use crate::provider::callback::CallbackKind;
use crate::provider::dialect::Dialect;
use crate::provider::placeholder::Template;
use crate::provider::poll::{POLL_WORDS, PollSpec};
use crate::provider::reading::CallbackSpec;
use crate::provider::send::{SendSpec, ValueSpec};
use crate::provider::settings::{COMMON, Given, OneOf, SettingSpec, Settings};
use crate::provider::signature::{self, Scheme};
use crate::provider::smpp::spec::SmppSpec;
use crate::provider::words::{MESSAGE_WORDS, REQUEST_WORDS};
use crate::provider::{suggest, written};
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
    /// A short message centre that speaks SMPP 3.4, as the manifest's `[smpp]` describes it.
    Smpp,
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

/// What the vendor's own rules say of what we send.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Terms {
    /// In a sentence: whether, and where, it refuses debts that are collected for others.
    pub third_party_collections: String,
    /// Where the vendor says so.
    pub source: String,
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
    /// What it refuses to carry, where it refuses anything of ours.
    pub terms: Option<Terms>,
    /// What it bears.
    #[serde(default)]
    pub limits: Limits,
    /// How it is asked to send.
    pub send: Option<SendSpec>,
    /// How it is asked what became of a message, where it does not report by itself.
    pub poll: Option<PollSpec>,
    /// How it is bound to, where it speaks SMPP.
    pub smpp: Option<SmppSpec>,
    /// How it writes what a call is to do.
    pub dialect: Option<Dialect>,
    /// How its callbacks are checked: each name has alternatives, of which one must hold.
    #[serde(default)]
    pub signatures: BTreeMap<String, Vec<Spanned<Scheme>>>,
    /// What it tells us afterwards.
    #[serde(default)]
    pub callbacks: BTreeMap<CallbackKind, CallbackSpec>,
    /// Where it is asked instead of where the manifest says ([`Manifest::aimed_at`]).
    #[serde(skip)]
    pub(in crate::provider) origin: Option<String>,
}

impl Manifest {
    /// Reads a manifest and checks everything in it that can be checked without a vendor.
    ///
    /// # Errors
    /// Every fault of its shape, with file and line; where the shape is right, every fault of what it says.
    pub fn read(file: &SourceFile) -> Result<Self, Vec<Fault>> {
        let manifest: Self = written::read(file)?;
        let faults = manifest.faults(file);
        if faults.is_empty() { Ok(manifest) } else { Err(faults) }
    }

    /// What may well be a mistake, in words.
    pub fn doubts(&self) -> Vec<String> {
        self.send.as_ref().map(SendSpec::doubts).unwrap_or_default()
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
            (Some(send), Carrier::Http) => self.check_send(&mut check, send, MESSAGE_WORDS),
            (None, Carrier::Http) => check.whole("has no [send]: say how the vendor is asked to send"),
            (Some(_), Carrier::Smtp | Carrier::Smpp | Carrier::Sandbox | Carrier::Portal) => {
                check.by("[send", "[send] is read only where carrier = \"http\"".to_owned());
            }
            (None, Carrier::Smtp | Carrier::Smpp | Carrier::Sandbox | Carrier::Portal) => {}
        }
        self.check_poll(&mut check);
        self.check_smpp(&mut check);
        self.check_calls(&mut check);
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
            let words = [MESSAGE_WORDS, POLL_WORDS, REQUEST_WORDS, COMMON];
            if words.iter().any(|words| words.contains(&name.as_str())) {
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

    fn check_send(&self, check: &mut Check<'_>, send: &SendSpec, words: &[&str]) {
        let values: Vec<&str> = send.values.keys().map(String::as_str).collect();
        let early: Vec<&str> = words.iter().copied().chain(values.iter().copied()).collect();
        let late: Vec<&str> = early.iter().copied().chain(REQUEST_WORDS.iter().copied()).collect();
        let used = send.used();
        for (span, template) in used.templates {
            self.check_names(check, span, template, &early);
        }
        for (span, template) in used.late {
            self.check_names(check, span, template, &late);
        }
        for (span, test) in used.tests {
            let name = test.name.as_str();
            if !early.contains(&name) && !self.settings.contains_key(name) {
                let known: Vec<&str> = early.iter().copied().chain(self.setting_names()).collect();
                let nearest = suggest::nearest(name, &known);
                check.at(span, format!("`when` or `unless` asks for `{name}`, which is no setting, message word or value{nearest}"));
            }
        }
        if let Some(oauth2) = &send.auth.oauth2 {
            for name in oauth2.get_ref().names().filter(|name| !self.settings.contains_key(*name)) {
                let known: Vec<&str> = self.setting_names().collect();
                let nearest = suggest::nearest(name, &known);
                check.at(
                    oauth2.span(),
                    format!("auth.oauth2 names `{name}`, which is no setting{nearest}: a token serves many messages"),
                );
            }
        }
        for (name, spec) in &send.values {
            if words.contains(&name.as_str())
                || REQUEST_WORDS.contains(&name.as_str())
                || self.settings.contains_key(name)
            {
                check.at(
                    spec.span(),
                    format!("value `{name}` has a name that is already taken: choose another"),
                );
            }
        }
        if let Some(name) = circle(send) {
            let span = send.values.get(name).map_or(0..0, Spanned::span);
            check.at(span, format!("value `{name}` names itself, directly or through others"));
        }
        for (span, message) in send.faults() {
            check.at(span, message);
        }
        for message in send.response.faults() {
            check.by("[send.response", message);
        }
    }

    fn check_poll(&self, check: &mut Check<'_>) {
        let Some(poll) = &self.poll else { return };
        if self.identity.carrier != Carrier::Http {
            check.by("[poll", "[poll] is read only where carrier = \"http\"".to_owned());
        }
        self.check_send(check, &poll.send, POLL_WORDS);
        for message in poll.faults() {
            check.by("[poll", message);
        }
    }

    /// What only a centre that speaks SMPP has, and what it must have.
    fn check_smpp(&self, check: &mut Check<'_>) {
        let speaks = self.identity.carrier == Carrier::Smpp;
        let Some(spec) = self.smpp.as_ref().filter(|_| speaks) else {
            if speaks {
                check.whole("has no [smpp]: how is the centre bound to, and how are its receipts read?");
            } else if self.smpp.is_some() {
                check.by("[smpp", "[smpp] is read only where carrier = \"smpp\"".to_owned());
            }
            return;
        };
        if self.channel() != Channel::Sms {
            check.at(self.identity.channel.span(), "SMPP carries messages of channel = \"sms\"".to_owned());
        }
        if !self.callbacks.is_empty() {
            check.by(
                "[callbacks",
                "a centre that speaks SMPP reports over its connection: no [callbacks]".to_owned(),
            );
        }
        for template in spec.templates() {
            self.check_names(check, template.span(), template.get_ref(), &[]);
        }
        for message in spec.faults() {
            check.by("[smpp", message);
        }
    }

    fn setting_names(&self) -> impl Iterator<Item = &str> {
        self.settings.keys().map(String::as_str)
    }

    /// What only a vendor of calls has, and what it must have.
    fn check_calls(&self, check: &mut Check<'_>) {
        let calls = self.channel() == Channel::Voice && self.identity.carrier == Carrier::Http;
        let told = |kind| self.callbacks.get(&kind);
        if !calls {
            if self.dialect.is_some() {
                check.by("[dialect", "[dialect] is for channel = \"voice\" over HTTP".to_owned());
            }
            let alien = told(CallbackKind::Status).and_then(|s| s.possible().find(|word| word.is_of_calls()));
            if let Some(word) = alien {
                check.by(
                    "[callbacks.status",
                    format!("[callbacks.status]: `{}` is said of calls only", word.as_str()),
                );
            }
            if told(CallbackKind::Voice).is_some() {
                check.by("[callbacks.voice", "[callbacks.voice] is for channel = \"voice\"".to_owned());
            }
            return;
        }
        for kind in [CallbackKind::Voice, CallbackKind::Status] {
            if told(kind).is_none() {
                let why = match kind {
                    CallbackKind::Voice => "how does the vendor ask what to say?",
                    CallbackKind::Status | CallbackKind::Inbound => {
                        "how does it tell that a line is busy, or a call over?"
                    }
                };
                check.whole(&format!("has no [callbacks.{kind}]: {why}"));
            }
        }
        let Some(dialect) = &self.dialect else {
            return check.whole("has no [dialect]: how does the vendor write what a call is to do?");
        };
        let before = check.faults.len();
        for (span, writing, words) in dialect.used() {
            for template in writing.templates() {
                self.check_names(check, span.clone(), template, &words);
            }
            for test in writing.tests() {
                let name = test.name.as_str();
                if !words.contains(&name) && !self.settings.contains_key(name) {
                    check.at(
                        span.clone(),
                        format!("`$when` or `$unless` asks for `{name}`; there are {}", words.join(", ")),
                    );
                }
            }
        }
        if check.faults.len() == before {
            for (span, message) in dialect.faults(self.detection()) {
                check.at(span, message);
            }
        }
    }

    fn check_callbacks(&self, check: &mut Check<'_>) {
        for (kind, callback) in &self.callbacks {
            let scheme = callback.signature.get_ref();
            if !self.signatures.contains_key(scheme) {
                let known: Vec<&String> = self.signatures.keys().collect();
                let nearest = suggest::nearest(scheme, &known);
                check.at(callback.signature.span(), format!("there is no [[signatures.{scheme}]]{nearest}"));
            }
            if let Some(other) = callback.also.filter(|other| !self.callbacks.contains_key(other)) {
                let message =
                    format!("[callbacks.{kind}]: `also` names {other}, but there is no [callbacks.{other}]");
                check.by(&format!("[callbacks.{kind}"), message);
            }
            let twin = callback.also.and_then(|other| self.callbacks.get(&other));
            if twin.is_some_and(|twin| callback.takes_all_of(twin)) {
                let message =
                    format!("[callbacks.{kind}]: `also` needs `select`: both read the same `events`");
                check.by(&format!("[callbacks.{kind}"), message);
            }
            let schemes = self.signatures.get(scheme).into_iter().flatten();
            let asks = *kind == CallbackKind::Voice || callback.also == Some(CallbackKind::Voice);
            for once in schemes.filter(|told| asks && told.get_ref().is_once()) {
                let message = format!(
                    "[[signatures.{scheme}]]: a question that is repeated is answered again: no `once` where [callbacks.voice] is read"
                );
                check.at(once.span(), message);
            }
            for message in callback.faults(*kind) {
                check.by(&format!("[callbacks.{kind}"), format!("[callbacks.{kind}]: {message}"));
            }
        }
        for scheme in self.signatures.values().flatten() {
            for key in &scheme.get_ref().keys {
                self.check_names(check, scheme.span(), key, &[]);
            }
            for message in signature::faults(scheme.get_ref(), &self.settings) {
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
            let known: Vec<&str> = words.iter().copied().chain(self.setting_names()).collect();
            let nearest = suggest::nearest(name, &known);
            let known = known.join(", ");
            check.at(span.clone(), format!("`{{{name}}}` is unknown here{nearest}; there are {known}"));
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

/// A computed value that leads back to itself.
fn circle(send: &SendSpec) -> Option<&str> {
    fn names(spec: &ValueSpec) -> Vec<&str> {
        match spec {
            ValueSpec::Text(text) => text.names().collect(),
            ValueSpec::First(texts) => texts.iter().flat_map(Template::names).collect(),
            ValueSpec::Hmac { key, message, .. } => key.names().chain(message.names()).collect(),
            // What a token claims is filled from the outermost values again.
            ValueSpec::Jwt { key, header, claims, .. } => {
                let within = header.iter().chain([claims.as_ref()]).flat_map(|json| json.templates());
                key.names().chain(within.into_iter().flat_map(Template::names)).collect()
            }
        }
    }
    send.values.keys().map(String::as_str).find(|start| {
        let mut seen: Vec<&str> = Vec::new();
        let mut next: Vec<&str> = vec![start];
        while let Some(name) = next.pop() {
            let Some(spec) = send.values.get(name) else { continue };
            for named in names(spec.get_ref()) {
                if named == *start {
                    return true;
                }
                if !seen.contains(&named) {
                    seen.push(named);
                    next.push(named);
                }
            }
        }
        false
    })
}
