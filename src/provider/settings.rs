//! What an operator says of a vendor (`[providers.<channel>.<vendor>]`), checked against what its manifest asks for.

use crate::domain::fault::Fault;
use crate::provider::extract::Pattern;
use crate::provider::redact::HIDDEN;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt;

/// Settings that every provider has and no manifest needs to declare.
pub const COMMON: &[&str] = &["rate_per_second", "third_party_collections"];

/// What sort of value a setting takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SettingKind {
    /// Any text.
    #[default]
    Text,
    /// Text of several lines, such as a certificate in PEM.
    Lines,
    /// An absolute `https` address, or `http` as a test uses it; no trailing slash is kept.
    Url,
    /// A whole number, zero or more.
    Number,
    /// `true` or `false`.
    Boolean,
}

/// One setting that a manifest asks for.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SettingSpec {
    /// What it is and where to find it, for a person.
    pub help: String,
    /// Never printed.
    #[serde(default)]
    pub secret: bool,
    /// Must be given.
    #[serde(default)]
    pub required: bool,
    /// What the value must look like.
    pub pattern: Option<Pattern>,
    /// What sort of value.
    #[serde(default)]
    pub kind: SettingKind,
    /// Taken where nothing is given.
    pub default: Option<String>,
    /// A made-up value of the right form.
    pub example: Option<String>,
}

/// At least one of these settings must be given.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OneOf {
    /// Their names.
    pub settings: Vec<String>,
}

/// A value as the configuration gives it: text whatever its type there, secrets already resolved.
#[derive(Clone)]
pub struct Given {
    /// The value; numbers and booleans as they are written.
    pub value: String,
    /// The line it stands on, if it stands in a file.
    pub line: Option<usize>,
}

impl From<&str> for Given {
    fn from(value: &str) -> Self {
        Self { value: value.to_owned(), line: None }
    }
}

impl fmt::Debug for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{HIDDEN} (line {:?})", self.line)
    }
}

#[derive(Clone)]
struct Value {
    text: SecretString,
    secret: bool,
}

/// The settings of one provider, complete and valid. `Debug` shows no secret.
#[derive(Clone, Default)]
pub struct Settings {
    values: BTreeMap<String, Value>,
}

impl Settings {
    /// A value, if it was given or has a default, and is not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(|value| value.text.expose_secret()).filter(|text| !text.is_empty())
    }

    /// A number, where the setting was declared as one.
    pub fn number(&self, name: &str) -> Option<u32> {
        self.get(name)?.parse().ok()
    }

    /// How many messages a second the provider takes, where the operator says.
    pub fn rate_per_second(&self) -> Option<u32> {
        self.number("rate_per_second")
    }

    /// Whether debts of third parties may be collected over this provider; true unless the operator says no.
    pub fn third_party_collections(&self) -> bool {
        self.get("third_party_collections") != Some("false")
    }

    /// Every secret value, for blotting out.
    pub(in crate::provider) fn secrets(&self) -> impl Iterator<Item = &str> {
        self.values.values().filter(|value| value.secret).map(|value| value.text.expose_secret())
    }

    /// Checks what was given against what is asked for; `place` names the file or table in faults.
    ///
    /// # Errors
    /// Every fault at once; none of them shows a value.
    pub fn check(
        specs: &BTreeMap<String, SettingSpec>,
        one_of: &[OneOf],
        given: &BTreeMap<String, Given>,
        place: &str,
    ) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let mut settings = Self::default();
        for (name, given) in given {
            let checked = match (specs.get(name), name.as_str()) {
                (Some(spec), _) => check_one(spec, &given.value),
                (None, "rate_per_second") => check_kind(SettingKind::Number, &given.value),
                (None, "third_party_collections") => check_kind(SettingKind::Boolean, &given.value),
                (None, _) => Err(unknown(specs)),
            };
            match checked {
                Ok(text) => settings.insert(name, text, specs.get(name).is_some_and(|spec| spec.secret)),
                Err(why) => faults.push(fault(place, given.line, name, &why)),
            }
        }
        for (name, spec) in specs.iter().filter(|(name, _)| !given.contains_key(*name)) {
            match &spec.default {
                Some(default) => settings.insert(name, default.clone(), spec.secret),
                None if spec.required => {
                    faults.push(fault(place, None, name, &format!("is missing: {}", spec.help)))
                }
                None => {}
            }
        }
        for one_of in
            one_of.iter().filter(|one_of| !one_of.settings.iter().any(|name| given.contains_key(name)))
        {
            faults.push(Fault::of(place, format!("give at least one of {}", one_of.settings.join(", "))));
        }
        if faults.is_empty() { Ok(settings) } else { Err(faults) }
    }

    fn insert(&mut self, name: &str, text: String, secret: bool) {
        self.values.insert(name.to_owned(), Value { text: text.into(), secret });
    }
}

fn fault(place: &str, line: Option<usize>, name: &str, why: &str) -> Fault {
    let message = format!("setting `{name}` {why}");
    Fault { line, ..Fault::of(place, message) }
}

fn unknown(specs: &BTreeMap<String, SettingSpec>) -> String {
    let known: Vec<&str> = specs.keys().map(String::as_str).chain(COMMON.iter().copied()).collect();
    format!("is not one that this provider has: {}", known.join(", "))
}

/// Checks one value against its specification; the error says what is wrong without showing the value.
fn check_one(spec: &SettingSpec, value: &str) -> Result<String, String> {
    if value.is_empty() {
        return if spec.required { Err(format!("is empty: {}", spec.help)) } else { Ok(String::new()) };
    }
    if let Some(pattern) = spec.pattern.as_ref().filter(|pattern| !pattern.matches(value)) {
        let example = spec.example.as_ref().map(|example| format!(", such as {example}")).unwrap_or_default();
        return Err(format!("does not look like {}{example}: {}", pattern.as_str(), spec.help));
    }
    check_kind(spec.kind, value)
}

fn check_kind(kind: SettingKind, value: &str) -> Result<String, String> {
    match kind {
        SettingKind::Text if value.chars().any(char::is_control) => Err("has control characters".to_owned()),
        SettingKind::Text => Ok(value.to_owned()),
        SettingKind::Lines if value.chars().any(|c| c.is_control() && !matches!(c, '\r' | '\n')) => {
            Err("has control characters".to_owned())
        }
        SettingKind::Lines => Ok(value.to_owned()),
        SettingKind::Number => match value.parse::<u32>() {
            Ok(_) => Ok(value.to_owned()),
            Err(_) => Err("is not a whole number".to_owned()),
        },
        SettingKind::Boolean if matches!(value, "true" | "false") => Ok(value.to_owned()),
        SettingKind::Boolean => Err("is neither true nor false".to_owned()),
        SettingKind::Url => match url::Url::parse(value) {
            // Every request would be refused for it.
            Ok(url) if has_user(&url, value) => {
                Err("has a user name or a password in it, which have no place in an address".to_owned())
            }
            Ok(url)
                if matches!(url.scheme(), "https" | "http") && url.query().is_none() && url.has_host() =>
            {
                Ok(value.trim_end_matches('/').to_owned())
            }
            _ => Err("is not an https address without a query".to_owned()),
        },
    }
}

/// Whether an address names somebody, or leaves a place for it (RFC 3986, section 3.2.1).
fn has_user(url: &url::Url, written: &str) -> bool {
    let authority = written.split_once("://").and_then(|(_, rest)| rest.split(['/', '?', '#']).next());
    !url.username().is_empty() || url.password().is_some() || authority.is_some_and(|it| it.contains('@'))
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        for (name, value) in &self.values {
            map.entry(name, &if value.secret { HIDDEN } else { value.text.expose_secret() });
        }
        map.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn specs() -> BTreeMap<String, SettingSpec> {
        toml::from_str(
            "token = { help = 'the token', secret = true, required = true, pattern = '^[a-z]{4}$' }\n\
             base_url = { help = 'where', kind = 'url', default = 'https://api.example.com' }\n\
             from = { help = 'sender' }\nservice = { help = 'sender service' }\n",
        )
        .expect("specs")
    }

    fn check(given: &[(&str, &str)]) -> Result<Settings, Vec<Fault>> {
        let given = given.iter().map(|(name, value)| ((*name).to_owned(), Given::from(*value))).collect();
        let one_of = [OneOf { settings: vec!["from".to_owned(), "service".to_owned()] }];
        Settings::check(&specs(), &one_of, &given, "providers.sms.x")
    }

    #[test]
    fn complete_settings_are_taken_and_secrets_not_shown() {
        let settings =
            check(&[("token", "abcd"), ("from", "+15005550006"), ("rate_per_second", "7")]).expect("valid");
        assert_eq!(settings.get("base_url"), Some("https://api.example.com"));
        assert_eq!(settings.rate_per_second(), Some(7));
        assert!(settings.third_party_collections());
        let shown = format!("{settings:?}");
        assert!(!shown.contains("abcd") && shown.contains("+15005550006"), "{shown}");
    }

    #[test]
    fn every_fault_comes_at_once_and_shows_no_value() {
        let faults =
            check(&[("token", "S3CRET"), ("tokn", "x"), ("rate_per_second", "fast")]).expect_err("invalid");
        assert_eq!(faults.len(), 4, "{faults:?}");
        assert!(faults.iter().all(|fault| !fault.message.contains("S3CRET")), "{faults:?}");
        let faults = check(&[("from", "a"), ("base_url", "ftp://example.com")]).expect_err("invalid");
        assert_eq!(faults.len(), 2, "{faults:?}");
    }

    #[test]
    fn an_address_holds_no_user_and_no_password() {
        for given in [
            "https://sample-user@api.example.com",
            "https://sample-user:sample-pass@api.example.com/a",
            "https://:sample-pass@api.example.com",
            "https://@api.example.com",
            "https:sample-user@api.example.com",
        ] {
            let faults = check(&[("token", "abcd"), ("from", "a"), ("base_url", given)]).expect_err(given);
            let said: Vec<&str> = faults.iter().map(|fault| fault.message.as_str()).collect();
            let [said] = said[..] else { panic!("{said:?}") };
            assert!(said.starts_with("setting `base_url` ") && said.contains("password"), "{said}");
            assert!(!said.contains("sample") && !said.contains("example"), "{said}");
        }
        let settings = check(&[("token", "abcd"), ("from", "a"), ("base_url", "https://example.com/@a/")]);
        assert_eq!(settings.expect("valid").get("base_url"), Some("https://example.com/@a"));
    }
}
