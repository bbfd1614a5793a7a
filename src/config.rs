//! Floor 6, configuration: the only reader of files and of the environment.
//!
//! `config/dunwell.toml` is TOML; an environment variable overrides any key (`DUNWELL__STORE__URL` is `[store] url`), and a
//! command-line option overrides both. Every fault is found at once, each with file and line. A secret is fetched only by
//! a command that needs it.
//!
//! # Decisions
//! - 2026-11-23: read by our own walk over `toml`'s spanned tree, not by a layering crate. Such a crate stops at the first
//!   fault, loses the line of an unknown key, and must guess the type of a variable's text; here the key that asks decides,
//!   so that a secret of digits stays text. Would be changed for a crate that reports all faults with their spans.

pub mod document;
pub mod environment;
pub mod folder;
pub mod master_key;
mod read;
pub mod secret;
pub mod section;
mod webhooks;

use crate::config::document::{Faults, Place};
use crate::config::environment::Environment;
use crate::config::secret::SecretSource;
use crate::config::section::{Located, Section};
use crate::domain::channel::Channel;
use crate::domain::debtor::{CollectorRole, DebtType};
use crate::domain::fault::Fault;
use crate::domain::time::Span;
use crate::pipeline::rejoinder::Rejoinders;
use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

pub use webhooks::WebhookTable;

/// Where the configuration is, unless the command line says otherwise.
pub const DEFAULT_FILE: &str = "config/dunwell.toml";
/// The folder for keys and files, unless the command line says otherwise.
pub const DEFAULT_DATA: &str = "data";
/// The configuration as it is shipped.
pub const SHIPPED: &str = include_str!("../config/dunwell.toml");
/// The name of the provider that only pretends; it needs no settings.
pub const SANDBOX: &str = "sandbox";
/// The variable that carries an administrator's key for the first start.
const BOOTSTRAP_KEY: &str = "DUNWELL_BOOTSTRAP_KEY";
/// The fewest characters that such a key may have.
const BOOTSTRAP_KEY_LENGTH: usize = 16;

/// Everything that can be configured, valid in itself. Folders and secrets are not read yet.
#[derive(Debug)]
pub struct Config {
    /// The file it was read from, as it was named.
    pub file: String,
    /// The folder for keys and files.
    pub data: PathBuf,
    /// `[server] listen`.
    pub listen: SocketAddr,
    /// `[server] public_url`: what providers and debtors reach us at; without a slash at its end.
    pub public_url: url::Url,
    /// `[store] url`: the SQLite file.
    pub store: PathBuf,
    /// `[policy]`.
    pub policy: PolicyChoice,
    /// `[templates] dir`.
    pub templates: PathBuf,
    /// `[plans] dir`: the plans of cadences.
    pub plans: PathBuf,
    /// `[manifests] dir`.
    pub manifests: PathBuf,
    /// `[keys] master`.
    pub master_key: Located<SecretSource>,
    /// `[requests] expire_after`.
    pub expire_after: Span,
    /// `[replies]`: what is answered by itself.
    pub rejoinders: Rejoinders,
    /// `[collector]`.
    pub collector: CollectorChoice,
    /// `[voice]`.
    pub voice: VoiceChoice,
    /// `[channels.*] providers`, tried in order; a channel that is not here is off for sending.
    pub channels: BTreeMap<Channel, Vec<Located<String>>>,
    /// `[providers.*.*]`.
    pub providers: Vec<ProviderTable>,
    /// `[inbound.email]`: where mail is taken in, if it is.
    pub inbound_email: Option<InboundEmail>,
    /// `[[webhooks]]`.
    pub webhooks: Vec<WebhookTable>,
    /// Worth saying, and no reason not to start.
    pub warnings: Vec<Fault>,
    /// `DUNWELL_BOOTSTRAP_KEY`.
    pub bootstrap_key: Option<secrecy::SecretString>,
}

/// `[inbound.email]`: replies, bounces and complaints, handed in by the mail server.
#[derive(Clone, Debug)]
pub struct InboundEmail {
    /// `listen`.
    pub listen: SocketAddr,
    /// `protocol`: `lmtp` (the default) rather than `smtp`.
    pub lmtp: bool,
    /// `domains`, in lower case: mail for them is taken.
    pub domains: Vec<String>,
}

/// `[policy]`: which law is in force.
#[derive(Clone, Debug)]
pub struct PolicyChoice {
    /// `dir`.
    pub dir: PathBuf,
    /// `packs`.
    pub packs: Vec<Located<String>>,
}

/// `[collector]`: who we are; what a message must carry and lacks here refuses that message, not the start.
#[derive(Clone, Debug, Default)]
pub struct CollectorChoice {
    /// `name`.
    pub name: Option<String>,
    /// `neutral_name`, for limited-content messages.
    pub neutral_name: Option<String>,
    /// `address`.
    pub address: Option<String>,
    /// `phone`, E.164.
    pub phone: Option<String>,
    /// `role`, for accounts that name none.
    pub role: Option<CollectorRole>,
    /// `debt_type`, for accounts that name none.
    pub debt_type: Option<DebtType>,
    /// `licences`: a region such as `US-CA`, and the licence's number there.
    pub licences: BTreeMap<String, String>,
}

/// `[voice]`: what our calls say and where they lead.
#[derive(Clone, Debug)]
pub struct VoiceChoice {
    /// `dir`: the folder of call flows.
    pub dir: PathBuf,
    /// `flow`: the flow that calls take.
    pub flow: Located<String>,
    /// `agents`: the number that a call is handed to whoever wants a person, E.164; the collector's, where absent.
    pub agents: Option<String>,
    /// `payments`: the number that takes payments, E.164; that of `agents`, where absent.
    pub payments: Option<String>,
    /// `ask_for`: whom a limited-content message asks for, instead of whom the flow names.
    pub ask_for: Option<String>,
    /// `record`: whether calls are recorded, which is said before.
    pub record: bool,
}

/// `[providers.<channel>.<vendor>]`: what a vendor's manifest asks for, not yet checked against it.
#[derive(Clone, Debug)]
pub struct ProviderTable {
    /// The channel.
    pub channel: Channel,
    /// The vendor's name.
    pub vendor: String,
    /// Where the table stands.
    pub place: Place,
    /// Its settings.
    pub settings: BTreeMap<String, Located<SecretSource>>,
}

/// The configuration is not usable; each line of its text is one fault.
#[derive(Debug, thiserror::Error)]
pub struct Refused(pub Vec<Fault>);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, fault) in self.0.iter().enumerate() {
            let line_break = if number == 0 { "" } else { "\n" };
            write!(f, "{line_break}{fault}")?;
        }
        Ok(())
    }
}

impl Config {
    /// Reads and checks a file and what overrides it.
    ///
    /// # Errors
    /// Every fault at once.
    pub fn load(file: &Path, data: &Path, environment: &Environment) -> Result<Self, Refused> {
        sound(Self::survey(file, data, environment))
    }

    /// Checks a configuration's text and what overrides it.
    ///
    /// # Errors
    /// Every fault at once.
    pub fn read(file: &str, text: &str, data: &Path, environment: &Environment) -> Result<Self, Refused> {
        sound(Self::survey_text(file, text, data, environment))
    }

    /// Reads a file as far as it can be understood, with its faults: what it points to can then be checked as well.
    pub fn survey(file: &Path, data: &Path, environment: &Environment) -> (Option<Self>, Vec<Fault>) {
        let name = file.display().to_string();
        match std::fs::read_to_string(file) {
            Ok(text) => Self::survey_text(&name, &text, data, environment),
            Err(error) => {
                let fault =
                    Fault::of(&name, format!("cannot be read: {error}; name another file with --config"));
                (None, vec![fault])
            }
        }
    }

    fn survey_text(
        file: &str,
        text: &str,
        data: &Path,
        environment: &Environment,
    ) -> (Option<Self>, Vec<Fault>) {
        let faults = Faults::of(file);
        let mut tree = document::parse(text, &faults);
        environment.overlay(&mut tree, &faults);
        let mut root = Section::root(tree, &faults);
        let config = read::config(file, data, &mut root, &faults, environment);
        root.finish();
        (config, faults.into_sorted())
    }

    /// The settings of a provider with its secrets fetched, and the line each stands on; none where it has no table.
    ///
    /// # Errors
    /// Every secret that cannot be fetched, without the secrets that can.
    pub fn provider(
        &self,
        channel: Channel,
        vendor: &str,
        environment: &Environment,
    ) -> Result<BTreeMap<String, Located<secrecy::SecretString>>, Refused> {
        let faults = Faults::of(&self.file);
        let mut fetched = BTreeMap::new();
        for (name, setting) in self.provider_table(channel, vendor).into_iter().flat_map(|t| &t.settings) {
            match setting.value.resolve(environment) {
                Ok(value) => {
                    fetched.insert(name.clone(), Located { value, place: setting.place.clone() });
                }
                Err(why) => faults.add(
                    &setting.place,
                    format!("[providers.{channel}.{vendor}] {name} cannot be had: {why}"),
                ),
            }
        }
        let found = faults.into_sorted();
        if found.is_empty() { Ok(fetched) } else { Err(Refused(found)) }
    }

    /// A provider's table.
    pub fn provider_table(&self, channel: Channel, vendor: &str) -> Option<&ProviderTable> {
        let same =
            |table: &&ProviderTable| table.channel == channel && environment::same_key(&table.vendor, vendor);
        self.providers.iter().find(same)
    }

    /// A fault at a place in this configuration.
    pub fn fault(&self, place: &Place, message: impl Into<String>) -> Fault {
        match place {
            Place::Line(line) => Fault::at(&self.file, *line, message),
            Place::Named(name) => Fault::of(name, message),
        }
    }
}

fn sound((config, faults): (Option<Config>, Vec<Fault>)) -> Result<Config, Refused> {
    match config {
        Some(config) if faults.is_empty() => Ok(config),
        _ => Err(Refused(faults)),
    }
}
