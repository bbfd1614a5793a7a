//! Each table of the configuration, key by key.

use crate::config::document::{Faults, Place};
use crate::config::environment::Environment;
use crate::config::secret::SecretSource;
use crate::config::section::{Located, Section};
use crate::config::webhooks;
use crate::config::{
    BOOTSTRAP_KEY, BOOTSTRAP_KEY_LENGTH, CollectorChoice, Config, InboundEmail, PolicyChoice, ProviderTable,
    SANDBOX, VoiceChoice,
};
use crate::domain::channel::Channel;
use crate::domain::contact_point::{PointKind, PointValue};
use crate::domain::debtor::{CollectorRole, DebtType};
use crate::domain::fault::Fault;
use crate::domain::time::Span;
use crate::pipeline::rejoinder::Rejoinders;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8080);
const DEFAULT_MANIFESTS: &str = "providers";
const DEFAULT_PLANS: &str = "config/plans";
const DEFAULT_FLOWS: &str = "config/ivr";
const DEFAULT_FLOW: &str = "standard";
const DEFAULT_EXPIRY: Span = Span::days(7);

/// Reads everything; nothing if what is required is missing, which the faults then say.
pub fn config(
    file: &str,
    data: &Path,
    root: &mut Section<'_>,
    faults: &Faults,
    environment: &Environment,
) -> Option<Config> {
    let (listen, public_url) = server(root);
    let store = store(root, faults);
    redis(root);
    let policy = policy(root, faults);
    let templates = templates(root, faults);
    let plans = plans(root, policy.as_ref().map(|policy| policy.dir.as_path()));
    let manifests = manifests(root);
    let master_key = master_key(root, data);
    let expire_after = requests(root);
    let rejoinders = rejoinders(root);
    let collector = collector(root);
    let voice = voice(root, policy.as_ref().map(|policy| policy.dir.as_path()));
    let channels = channels(root);
    let providers = providers(root);
    let inbound_email = inbound_email(root);
    let webhooks = webhooks::read(root);
    let bootstrap_key = bootstrap_key(environment, faults);
    let mut config = Config {
        file: file.to_owned(),
        data: data.to_owned(),
        listen,
        public_url: public_url.or_else(|| url::Url::parse(&format!("http://{listen}")).ok())?,
        store: store?,
        policy: policy?,
        templates: templates?,
        plans,
        manifests,
        master_key,
        expire_after,
        rejoinders,
        collector,
        voice,
        channels,
        inbound_email,
        providers,
        webhooks,
        warnings: Vec::new(),
        bootstrap_key,
    };
    config.warnings = warnings(&config);
    Some(config)
}

fn server(root: &mut Section<'_>) -> (SocketAddr, Option<url::Url>) {
    let mut section = root.section("server");
    let listen = section.parsed("listen", |text| {
        text.parse().map_err(|_| "is not an address and a port such as \"127.0.0.1:8080\"".to_owned())
    });
    let public_url = section.parsed("public_url", |text| web_address(text, "http://127.0.0.1:8080"));
    section.finish();
    (listen.map_or(DEFAULT_LISTEN, |listen| listen.value), public_url.map(|url| url.value))
}

pub(in crate::config) fn web_address(text: &str, example: &str) -> Result<url::Url, String> {
    match url::Url::parse(text.trim_end_matches('/')) {
        Ok(url)
            if matches!(url.scheme(), "http" | "https")
                && url.has_host()
                && url.query().is_none()
                && url.fragment().is_none()
                && url.username().is_empty() =>
        {
            Ok(url)
        }
        _ => Err(format!("is not a web address such as \"{example}\"")),
    }
}

fn required<'f>(root: &mut Section<'f>, key: &'static str, faults: &Faults) -> Section<'f> {
    let section = root.section(key);
    if !section.is_there() {
        faults.add_to_file(format!("has no table [{key}], which is required"));
    }
    section
}

fn store(root: &mut Section<'_>, faults: &Faults) -> Option<PathBuf> {
    let mut section = required(root, "store", faults);
    let url = section.required("url");
    let path = url.and_then(|url| match sqlite_path(url.value.trim()) {
        Ok(path) => Some(path),
        Err(why) => {
            section.fault(&url.place, "url", &why);
            None
        }
    });
    section.finish();
    path
}

/// The file that a store's URL names. A URL may hold a password, so that faults show its scheme alone.
fn sqlite_path(url: &str) -> Result<PathBuf, String> {
    let example = "such as \"sqlite:data/dunwell.db\"";
    let (scheme, path) = url.split_once(':').unwrap_or(("", url));
    match scheme {
        "sqlite" => match path.strip_prefix("//").unwrap_or(path) {
            "" => Err(format!("names no file; write a URL {example}")),
            ":memory:" => Err(format!("would lose what was accepted; name a file, {example}")),
            path if path.contains(['?', '#']) => Err(format!("takes no parameters; write a URL {example}")),
            path => Ok(PathBuf::from(path)),
        },
        "postgres" | "postgresql" => Err(format!(
            "is {scheme}://, which this version does not have yet; name a SQLite file, {example}"
        )),
        "redis" | "rediss" => {
            Err(format!("is {scheme}://, which is not a store; name a SQLite file, {example}"))
        }
        _ => Err(format!("is not the URL of a SQLite file, {example}")),
    }
}

fn redis(root: &mut Section<'_>) {
    let mut section = root.section("redis");
    if let Some(url) = section.text("url").filter(|url| !url.value.trim().is_empty()) {
        let scheme = url.value.split(':').next().unwrap_or("");
        let what = if matches!(scheme, "redis" | "rediss") { scheme } else { "no redis" };
        let why = format!("is {what}://, which this version does not have yet; leave it empty, for one node");
        section.fault(&url.place, "url", &why);
    }
    section.finish();
}

fn policy(root: &mut Section<'_>, faults: &Faults) -> Option<PolicyChoice> {
    let mut section = required(root, "policy", faults);
    let dir = section.required("dir");
    if section.is_there() && !section.has("packs") {
        section.fault(&section.place(), "packs", "is missing; name at least one, such as [\"us-federal\"]");
    }
    let packs = section.list("packs");
    if let Some(packs) = &packs {
        if packs.value.is_empty() {
            section.fault(&packs.place, "packs", "is empty: without a law nothing could be decided");
        }
        no_twins(&section, "packs", &packs.value);
    }
    section.finish();
    Some(PolicyChoice { dir: PathBuf::from(dir?.value), packs: packs?.value })
}

fn no_twins(section: &Section<'_>, key: &str, items: &[Located<String>]) {
    for (number, item) in items.iter().enumerate() {
        if items.iter().take(number).any(|earlier| earlier.value == item.value) {
            section.fault(&item.place, key, &format!("names `{}` twice", item.value));
        }
    }
}

fn templates(root: &mut Section<'_>, faults: &Faults) -> Option<PathBuf> {
    let mut section = required(root, "templates", faults);
    let dir = section.required("dir");
    section.finish();
    Some(PathBuf::from(dir?.value))
}

fn manifests(root: &mut Section<'_>) -> PathBuf {
    let mut section = root.section("manifests");
    let dir = section.text("dir").filter(|dir| !dir.value.is_empty());
    section.finish();
    dir.map_or_else(|| PathBuf::from(DEFAULT_MANIFESTS), |dir| PathBuf::from(dir.value))
}

fn master_key(root: &mut Section<'_>, data: &Path) -> Located<SecretSource> {
    let mut section = root.section("keys");
    let given = section.secret("master");
    let place = section.place();
    section.finish();
    given.unwrap_or_else(|| Located { value: SecretSource::File(data.join("master.key")), place })
}

fn requests(root: &mut Section<'_>) -> Span {
    let mut section = root.section("requests");
    let after = section.parsed("expire_after", |text| match text.parse::<Span>() {
        Ok(span) if span.as_millis() > 0 => Ok(span),
        Ok(_) => Err("is no time at all; write a duration such as \"P7D\"".to_owned()),
        Err(error) => Err(format!("is {error}")),
    });
    section.finish();
    after.map_or(DEFAULT_EXPIRY, |after| after.value)
}

/// What is answered by itself: over no medium that is not named.
fn rejoinders(root: &mut Section<'_>) -> Rejoinders {
    let mut section = root.section("replies");
    let mut media = |key: &'static str| {
        let mut named = BTreeSet::new();
        for Located { value, place } in section.list(key).map(|list| list.value).unwrap_or_default() {
            match Channel::from_word(value.trim()) {
                Some(channel @ (Channel::Sms | Channel::Email)) => {
                    named.insert(channel);
                }
                Some(Channel::Voice | Channel::Portal | Channel::Letter | Channel::Visit) | None => {
                    section.fault(
                        &place,
                        key,
                        &format!("names `{value}`, but answers by sms and email only"),
                    );
                }
            }
        }
        named
    };
    let (confirmation, help) = (media("confirm_stops_by"), media("answer_help_by"));
    section.finish();
    Rejoinders { confirmation, help }
}

/// Mail is taken in only where the table is there; then it must say where and for which domains.
fn inbound_email(root: &mut Section<'_>) -> Option<InboundEmail> {
    let mut inbound = root.section("inbound");
    let mut section = inbound.section("email");
    inbound.finish();
    let there = section.is_there();
    let listen =
        section.required("listen").and_then(|listen| match listen.value.trim().parse::<SocketAddr>() {
            Ok(address) => Some(address),
            Err(_) => {
                let what = "is not an address and a port such as \"127.0.0.1:2424\"";
                section.fault(&listen.place, "listen", what);
                None
            }
        });
    let lmtp = section.parsed("protocol", |word| match word {
        "lmtp" => Ok(true),
        "smtp" => Ok(false),
        _ => Err("is neither \"lmtp\" nor \"smtp\"".to_owned()),
    });
    let domains = section.list("domains");
    if there && domains.as_ref().is_none_or(|domains| domains.value.is_empty()) {
        section.fault(&section.place(), "domains", "must name at least one, such as [\"recovery.example\"]");
    }
    section.finish();
    let domains = domains?.value.into_iter().map(|domain| domain.value.trim().to_ascii_lowercase());
    Some(InboundEmail {
        listen: listen?,
        lmtp: lmtp.is_none_or(|lmtp| lmtp.value),
        domains: domains.collect(),
    })
}

fn collector(root: &mut Section<'_>) -> CollectorChoice {
    let mut section = root.section("collector");
    let mut text = |key| section.text(key).map(|text| text.value).filter(|text| !text.trim().is_empty());
    let (name, neutral_name, address) = (text("name"), text("neutral_name"), text("address"));
    let phone = section.parsed("phone", |text| match PointValue::parse(PointKind::Phone, text) {
        Ok(phone) => Ok(phone.expose().to_owned()),
        Err(error) => Err(format!("is {error}")),
    });
    let role = section.parsed("role", |word| one_of(word, CollectorRole::ALL, CollectorRole::as_str));
    let debt_type = section.parsed("debt_type", |word| one_of(word, DebtType::ALL, DebtType::as_str));
    let licences = licences(section.section("licences"));
    section.finish();
    CollectorChoice {
        name,
        neutral_name,
        address,
        phone: phone.map(|phone| phone.value),
        role: role.map(|role| role.value),
        debt_type: debt_type.map(|kind| kind.value),
        licences,
    }
}

/// Plans stand beside the law, unless it is said where.
fn plans(root: &mut Section<'_>, policy: Option<&Path>) -> PathBuf {
    let mut section = root.section("plans");
    let dir = section.text("dir").filter(|dir| !dir.value.trim().is_empty());
    section.finish();
    let beside =
        policy.and_then(Path::parent).map_or_else(|| PathBuf::from(DEFAULT_PLANS), |dir| dir.join("plans"));
    dir.map_or(beside, |dir| PathBuf::from(dir.value))
}

/// Call flows stand beside the law, unless it is said where.
fn voice(root: &mut Section<'_>, policy: Option<&Path>) -> VoiceChoice {
    let mut section = root.section("voice");
    let mut number = |key| {
        let parsed = section.parsed(key, |text| match PointValue::parse(PointKind::Phone, text) {
            Ok(phone) => Ok(phone.expose().to_owned()),
            Err(error) => Err(format!("is {error}")),
        });
        parsed.map(|number| number.value)
    };
    let (agents, payments) = (number("agents"), number("payments"));
    let dir = section.text("dir").filter(|dir| !dir.value.trim().is_empty());
    let flow = section.text("flow").filter(|flow| !flow.value.trim().is_empty());
    let ask_for = section.text("ask_for").map(|text| text.value).filter(|text| !text.trim().is_empty());
    let record = section.parsed("record", |word| match word {
        "never" => Ok(false),
        "announced" => Ok(true),
        _ => Err("is neither \"never\" nor \"announced\"".to_owned()),
    });
    let place = section.place();
    section.finish();
    let beside =
        policy.and_then(Path::parent).map_or_else(|| PathBuf::from(DEFAULT_FLOWS), |dir| dir.join("ivr"));
    VoiceChoice {
        dir: dir.map_or(beside, |dir| PathBuf::from(dir.value)),
        flow: flow.unwrap_or_else(|| Located { value: DEFAULT_FLOW.to_owned(), place }),
        agents,
        payments,
        ask_for,
        record: record.is_some_and(|record| record.value),
    }
}

fn one_of<T: Copy>(word: &str, all: &[T], spelled: impl Fn(T) -> &'static str) -> Result<T, String> {
    match all.iter().find(|value| spelled(**value) == word) {
        Some(value) => Ok(*value),
        None => {
            let words: Vec<&str> = all.iter().map(|value| spelled(*value)).collect();
            Err(format!("must be one of {}", words.join(", ")))
        }
    }
}

fn licences(mut section: Section<'_>) -> BTreeMap<String, String> {
    let mut licences = BTreeMap::new();
    for (key, number) in section.texts() {
        // A variable's name has neither a dash nor a case.
        let region = key.replace('_', "-").to_uppercase();
        let well_formed = region.split_once('-').is_some_and(|(country, rest)| {
            country.len() == 2
                && (1..=3).contains(&rest.len())
                && region.bytes().all(|byte| byte == b'-' || byte.is_ascii_alphanumeric())
        });
        if well_formed && !number.value.trim().is_empty() {
            licences.insert(region, number.value);
        } else {
            section.fault(&number.place, &key, "must be a region such as \"US-CA\" with a licence's number");
        }
    }
    licences
}

fn channels(root: &mut Section<'_>) -> BTreeMap<Channel, Vec<Located<String>>> {
    let mut channels = BTreeMap::new();
    for (name, mut section) in root.section("channels").sections() {
        let channel = dispatched(&name, &section);
        let providers = section.list("providers").map(|list| list.value).unwrap_or_default();
        no_twins(&section, "providers", &providers);
        section.finish();
        if let Some(channel) = channel {
            channels.insert(channel, providers);
        }
    }
    channels
}

fn dispatched(name: &str, section: &Section<'_>) -> Option<Channel> {
    let channel = Channel::from_word(name).filter(|channel| channel.is_dispatched());
    if channel.is_none() {
        let words: Vec<&str> = Channel::DISPATCHED.iter().map(|channel| channel.as_str()).collect();
        section.fault(
            &section.place(),
            "",
            &format!("is no channel that we send over: {}", words.join(", ")),
        );
    }
    channel
}

fn providers(root: &mut Section<'_>) -> Vec<ProviderTable> {
    let mut providers = Vec::new();
    for (name, mut section) in root.section("providers").sections() {
        let channel = dispatched(&name, &section);
        for (vendor, table) in section.sections() {
            let place = table.place();
            let settings = table.open();
            if let Some(channel) = channel {
                providers.push(ProviderTable { channel, vendor, place, settings });
            }
        }
    }
    providers
}

fn bootstrap_key(environment: &Environment, faults: &Faults) -> Option<secrecy::SecretString> {
    let key = environment.get(BOOTSTRAP_KEY).filter(|key| !key.is_empty())?;
    let fits = key.chars().count() >= BOOTSTRAP_KEY_LENGTH && key.chars().all(|c| c.is_ascii_graphic());
    if !fits {
        faults.add(
            &Place::Named(BOOTSTRAP_KEY.to_owned()),
            format!("must have {BOOTSTRAP_KEY_LENGTH} or more printable ASCII characters and no space"),
        );
    }
    fits.then(|| key.into())
}

/// What is worth saying although it does not keep us from starting.
fn warnings(config: &Config) -> Vec<Fault> {
    let mut warnings = Vec::new();
    warnings.extend(webhooks::warnings(config));
    for table in &config.providers {
        let named = config.channels.get(&table.channel).is_some_and(|providers| {
            let same =
                |name: &Located<String>| crate::config::environment::same_key(&name.value, &table.vendor);
            providers.iter().any(same)
        });
        if !named && table.vendor != SANDBOX {
            let name = format!("[providers.{}.{}]", table.channel, table.vendor);
            let message = format!("{name} is not used: [channels.{}] does not name it", table.channel);
            warnings.push(config.fault(&table.place, message));
        }
    }
    warnings
}
