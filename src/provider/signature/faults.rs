//! What is wrong with a signature's scheme, in words.

use crate::provider::extract::{Extract, Pattern};
use crate::provider::placeholder::Template;
use crate::provider::primitive::Kind;
use crate::provider::settings::SettingSpec;
use crate::provider::signature::{PARTS, PREFIXES, Scheme};
use crate::provider::suggest;
use std::collections::BTreeMap;

/// What is wrong with a scheme, in words.
pub(in crate::provider) fn faults(scheme: &Scheme, settings: &BTreeMap<String, SettingSpec>) -> Vec<String> {
    let mut faults = Vec::new();
    let kind = scheme.primitive.kind();
    match (&scheme.certificate, scheme.keys.is_empty()) {
        (None, true) => faults.push("a signature needs at least one key".to_owned()),
        (Some(_), false) => faults.push("`keys` and `certificate`: only one of them".to_owned()),
        (Some(_), true) if !matches!(kind, Kind::Public(_)) => {
            faults.push("a `certificate` holds a public key: use it with `rsa_…` or `ecdsa_…`".to_owned());
        }
        (Some(certificate), true) if certificate.hosts.iter().any(|host| !anchored(host)) => {
            let message = "`certificate.hosts` are patterns on the whole name: begin with `^`, end with `$`";
            faults.push(message.to_owned());
        }
        (Some(certificate), true) if certificate.hosts.is_empty() => {
            faults.push("`certificate.hosts` is empty: no certificate would be believed".to_owned());
        }
        (Some(_), true) | (None, false) => {}
    }
    if scheme.keys.iter().any(|key| key.names().next().is_none()) {
        faults.push("a key must come from a setting: a key written in a manifest is no secret".to_owned());
    }
    match (&scheme.message, &kind) {
        (None, Kind::Secret | Kind::Token(_)) => {}
        (Some(_), Kind::Secret) => {
            faults.push("primitive `secret` signs nothing: leave out `message`".to_owned())
        }
        (Some(_), Kind::Token(_)) => {
            faults.push("a token brings what it signs: leave out `message`, and say `claims`".to_owned());
        }
        (None, _) => faults.push("`message` is missing: what is signed?".to_owned()),
        (Some(message), Kind::Digest(_)) if !message.names().any(|name| name == "key") => {
            faults.push("a plain digest proves nothing unless its message holds `{key}`".to_owned());
        }
        (Some(_), _) => {}
    }
    if !matches!(kind, Kind::Token(_)) && !scheme.claims.is_empty() {
        faults.push("`claims` are of tokens: use a primitive that begins with `jwt_`".to_owned());
    }
    for name in signed(scheme) {
        if !scheme.knows(name) && !settings.contains_key(name) {
            let mut known: Vec<&str> = PARTS.to_vec();
            known.extend(scheme.parts.keys().chain(settings.keys()).map(String::as_str));
            let nearest = suggest::nearest(name, &known);
            faults.push(format!(
                "`{{{name}}}` cannot be signed over{nearest}; there are {}, {}",
                known.join(", "),
                PREFIXES.join(", ")
            ));
        }
    }
    let names_pairs = scheme.message.iter().flat_map(|message| message.names()).any(|name| name == "pairs");
    if names_pairs != scheme.pairs.is_some() {
        faults.push("`{pairs}` in `message` and `pairs = { … }` go together".to_owned());
    }
    faults.extend(faults_of_meaning(scheme, settings));
    if let Some(fresh) = &scheme.fresh
        && fresh.time.is_some() == fresh.claim.is_some()
    {
        faults.push("`fresh` needs `time` or `claim`, one of them".to_owned());
    }
    faults
}

fn anchored(pattern: &Pattern) -> bool {
    pattern.as_str().starts_with('^') && pattern.as_str().ends_with('$')
}

/// What keeps it from saying for whom a callback is meant, and that it counts once.
fn faults_of_meaning(scheme: &Scheme, settings: &BTreeMap<String, SettingSpec>) -> Vec<String> {
    let mut faults = Vec::new();
    if scheme.once {
        faults.extend(fault_of_once(scheme).map(str::to_owned));
    }
    for name in scheme.require.iter().flat_map(|required| required.equals.names()) {
        if !settings.contains_key(name) {
            let known: Vec<&String> = settings.keys().collect();
            let nearest = suggest::nearest(name, &known);
            faults.push(format!("`require` names `{name}`, which is no setting{nearest}"));
        }
    }
    faults
}

/// The names of what a signature covers.
fn signed(scheme: &Scheme) -> impl Iterator<Item = &str> {
    let templates = scheme.message.iter().map(|message| &**message).chain(scheme.claims.values());
    templates.flat_map(Template::names)
}

/// Why what is signed cannot count once.
fn fault_of_once(scheme: &Scheme) -> Option<&'static str> {
    let Some(fresh) = &scheme.fresh else {
        return Some("`once` needs `fresh`: for how long must what is signed be remembered?");
    };
    if matches!(scheme.primitive.kind(), Kind::Secret) {
        return Some("`once`: primitive `secret` signs nothing that could count once");
    }
    let covers = |time: &Extract| {
        let part = |name: &str| scheme.parts.get(name).is_some_and(|part| part.has_place_of(time));
        signed(scheme).any(|name| part(name) || time.lies_within(name))
    };
    // Forgotten, it would be believed again under another time.
    let unsigned = fresh.time.as_ref().is_some_and(|time| !covers(time));
    unsigned.then_some("`once`: the time of `fresh` is not in what is signed, so that anybody could renew it")
}
