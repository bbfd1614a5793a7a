//! `[[webhooks]]`: whom we tell what happened.

use crate::channel::egress;
use crate::config::Config;
use crate::config::document::Place;
use crate::config::environment::Environment;
use crate::config::read::web_address;
use crate::config::secret::SecretSource;
use crate::config::section::{Located, Section};
use crate::domain::fault::Fault;
use crate::domain::time::Span;
use crate::pipeline::webhooks::{filter, notice};
use secrecy::SecretString;

/// How long a receiver has to answer; Standard Webhooks recommends 15 to 30 seconds.
const DEFAULT_TIMEOUT: Span = Span::seconds(15);
/// The longest that may be asked for: a receiver should take a notice first and work later.
const LONGEST_TIMEOUT: Span = Span::seconds(60);
/// The most secrets at once: the one in use, and the one that it is exchanged for.
const MOST_SECRETS: usize = 2;

/// One receiver, valid in itself. Its secrets are not fetched yet.
#[derive(Clone, Debug)]
pub struct WebhookTable {
    /// `name`; made of the address where it is absent.
    pub name: String,
    /// `url`.
    pub url: url::Url,
    /// `secret`: one, or two while they are exchanged.
    pub secrets: Vec<Located<SecretSource>>,
    /// `events`: types of notice; `*` stands for anything.
    pub events: Vec<String>,
    /// `allow_private`: it may be in our own network, and without TLS.
    pub allow_private: bool,
    /// `timeout`.
    pub timeout: Span,
    /// Where it stands.
    pub place: Place,
}

impl WebhookTable {
    /// Fetches the secrets.
    ///
    /// # Errors
    /// Every one that cannot be had, with its place.
    pub fn fetch(
        &self,
        config: &Config,
        environment: &Environment,
    ) -> Result<Vec<Located<SecretString>>, Vec<Fault>> {
        let (mut fetched, mut faults) = (Vec::new(), Vec::new());
        for secret in &self.secrets {
            match secret.value.resolve(environment) {
                Ok(value) => fetched.push(Located { value, place: secret.place.clone() }),
                Err(why) => {
                    let message = format!("[[webhooks]] secret cannot be had: {why}");
                    faults.push(config.fault(&secret.place, message));
                }
            }
        }
        if faults.is_empty() { Ok(fetched) } else { Err(faults) }
    }
}

/// Reads all of them.
pub(in crate::config) fn read(root: &mut Section<'_>) -> Vec<WebhookTable> {
    let mut tables: Vec<WebhookTable> = Vec::new();
    for mut section in root.list_of_sections("webhooks") {
        let named = section.text("name");
        if let Some(name) = named.as_ref().filter(|name| !is_name(&name.value)) {
            let why =
                "must have 1 to 100 letters, digits, dots, dashes or underscores, since it stands in paths";
            section.fault(&name.place, "name", why);
        }
        let twin = |name: &Located<String>| tables.iter().any(|table| table.name == name.value);
        if let Some(name) = named.as_ref().filter(|name| twin(name)) {
            section.fault(&name.place, "name", "is another webhook's name too");
        }
        if let Some(table) = one(&mut section, named.map(|name| name.value), &tables) {
            tables.push(table);
        }
        section.finish();
    }
    tables
}

fn one(section: &mut Section<'_>, named: Option<String>, others: &[WebhookTable]) -> Option<WebhookTable> {
    let place = section.place();
    let url = section.required("url").and_then(|url| {
        let parsed = web_address(&url.value, "https://collections.example/hooks");
        parsed.map_err(|why| section.fault(&url.place, "url", &why)).ok()
    });
    let secrets = section.secrets("secret");
    match &secrets {
        None => section.fault(&place, "secret", "is missing"),
        Some(secrets) if secrets.value.len() > MOST_SECRETS => {
            section.fault(
                &secrets.place,
                "secret",
                "names more than two: the one in use and the one to come",
            );
        }
        Some(_) => {}
    }
    let events = events(section);
    let allow_private = section.flag("allow_private").is_some_and(|flag| flag.value);
    let timeout = section.parsed("timeout", |text| match text.parse::<Span>() {
        Ok(span) if span >= Span::seconds(1) && span <= LONGEST_TIMEOUT => Ok(span),
        Ok(_) => Err("must be between PT1S and PT1M".to_owned()),
        Err(error) => Err(format!("is {error}")),
    });
    let (url, secrets) = (url?, secrets?.value);
    if secrets.is_empty() {
        return None;
    }
    Some(WebhookTable {
        name: named.unwrap_or_else(|| name_of(&url, others)),
        url,
        secrets,
        events,
        allow_private,
        timeout: timeout.map_or(DEFAULT_TIMEOUT, |timeout| timeout.value),
        place,
    })
}

fn events(section: &mut Section<'_>) -> Vec<String> {
    let Some(list) = section.list("events") else { return vec!["*".to_owned()] };
    if list.value.is_empty() {
        section.fault(&list.place, "events", "names nothing; leave it out to be told everything");
    }
    for event in &list.value {
        if !notice::TYPES.iter().any(|type_name| filter::fits(&event.value, type_name)) {
            let why = format!("names `{}`, but we tell of {}", event.value, notice::TYPES.join(", "));
            section.fault(&event.place, "events", &why);
        }
    }
    list.value.into_iter().map(|event| event.value).collect()
}

fn is_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-._".contains(c);
    (1..=100).contains(&name.len())
        && name.chars().all(fits)
        && name.contains(|c: char| c.is_ascii_alphanumeric())
}

/// `collections.example-hooks` for `https://collections.example/hooks`; a number follows where that is taken.
fn name_of(url: &url::Url, others: &[WebhookTable]) -> String {
    let port = url.port().map(|port| format!("-{port}")).unwrap_or_default();
    let address = format!("{}{port}{}", url.host_str().unwrap_or_default(), url.path());
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' };
    let name: String = address.trim_matches('/').chars().map(plain).take(90).collect();
    let taken = |name: &str| others.iter().any(|other| other.name == name);
    let numbered = (2..).map(|number| format!("{name}-{number}"));
    std::iter::once(name.clone()).chain(numbered).find(|name| !taken(name)).unwrap_or(name)
}

/// Receivers that will not be called as they are configured.
pub(in crate::config) fn warnings(config: &Config) -> Vec<Fault> {
    let closed = |table: &&WebhookTable| !table.allow_private && egress::check(&table.url).is_err();
    let warn = |table: &WebhookTable| {
        let why = if table.url.scheme() == "https" { "leads to a private address" } else { "is not https" };
        let message = format!(
            "[[webhooks]] url {why}, so it is not told anything; if it is in your own network, set allow_private = true"
        );
        config.fault(&table.place, message)
    };
    config.webhooks.iter().filter(closed).map(warn).collect()
}
