//! `dunwell provider try`: what a manifest makes of a message, of a vendor's answer and of a callback, for whoever writes one.

use crate::app::clock::MachineClock;
use crate::channel::{Gate, Transport};
use crate::cli::{Attempt, print};
use crate::config::environment::Environment;
use crate::config::{Config, Refused, folder};
use crate::domain::call::{CallOp, CallPlace, CallStart, Speech};
use crate::domain::channel::Channel;
use crate::domain::contact_point::{PointKind, PointValue};
use crate::domain::message::{Content, Outgoing};
use crate::domain::outcome::{FailureClass, Outcome};
use crate::domain::time::{Clock, Timestamp};
use crate::provider::callback::{
    CallbackEvent, CallbackKind, CallbackRequest, Delivery, Grounds, Heard, Inbound,
};
use crate::provider::case::Case;
use crate::provider::catalogue::{Catalogue, Vendor};
use crate::provider::letter::Letter;
use crate::provider::manifest::{Carrier, Manifest};
use crate::provider::redact;
use crate::provider::settings::{Given, SettingKind, Settings};
use crate::provider::smpp;
use crate::provider::smpp::pdu::{Body, Pdu};
use crate::provider::smpp::plan::Plan;
use secrecy::ExposeSecret;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::process::ExitCode;
use std::sync::Arc;

/// A made-up attempt.
const ATTEMPT: &str = "att_0198c0de000070008000000000000017";

/// Tries a vendor.
pub fn run(config: &Config, environment: &Environment, wanted: &Attempt) -> anyhow::Result<ExitCode> {
    let (channel, name) = wanted.vendor();
    let catalogue = catalogue(config, channel, name)?;
    let vendor = catalogue.vendors().next();
    let vendor = vendor.ok_or_else(|| {
        let folder = config.manifests.join(channel.as_str()).join(name);
        anyhow::anyhow!("there is no {}/manifest.toml", folder.display())
    })?;
    match &wanted.callback {
        Some(file) => listen(config, environment, vendor, wanted, file),
        None => send(config, environment, vendor, wanted),
    }
}

/// The vendor alone: what is wrong with another one is no matter here.
fn catalogue(config: &Config, channel: Channel, name: &str) -> anyhow::Result<Catalogue> {
    let folder = format!("{channel}/{name}/");
    let mut files = folder::read(&config.manifests).map_err(Refused)?;
    files.retain(|file| file.path.starts_with(&folder));
    Ok(Catalogue::load(&files).map_err(|faults| Refused(folder::located(&config.manifests, faults)))?)
}

fn send(
    config: &Config,
    environment: &Environment,
    vendor: &Vendor,
    wanted: &Attempt,
) -> anyhow::Result<ExitCode> {
    let manifest = match &wanted.to_url {
        Some(origin) => Arc::new(vendor.manifest.aimed_at(origin)),
        None => Arc::clone(&vendor.manifest),
    };
    if !matches!(manifest.identity.carrier, Carrier::Http | Carrier::Smpp) {
        anyhow::bail!("{} is asked neither over HTTP nor SMPP: there is no request to show", manifest.id());
    }
    let case = wanted.case.as_deref().map(|name| case(vendor, name)).transpose()?;
    let (settings, source) = settings(config, environment, vendor, wanted, case)?;
    let message = match case {
        Some(case) => {
            let message = case.message(&manifest);
            message.ok_or_else(|| anyhow::anyhow!("case `{}` sends no message", case.name))?
        }
        None => message(config, &manifest, wanted)?,
    };
    let now = wanted.at.or_else(|| case.map(Case::at)).unwrap_or_else(|| MachineClock.now());
    let shown = match manifest.request(&message, &settings, now) {
        Some(request) => request.shown(&settings),
        None => units(&manifest, &message, &settings)?,
    };
    let token = manifest.token_request(&settings).map(|request| {
        format!(
            "first, unless a token is held:\n\n{}\n\nthen, with `Authorization` from its answer:\n\n",
            request.shown(&settings).trim_end()
        )
    });
    let token = token.unwrap_or_default();
    print(&format!("settings     {source}\n\n{token}{}\n", shown.trim_end()))?;
    if wanted.to_url.is_none() {
        return Ok(ExitCode::SUCCESS);
    }
    let transport = Transport::open(&manifest, settings, Arc::new(MachineClock))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let outcome = runtime.block_on(transport.send(&message, Gate::open()));
    let (words, code) = described(&outcome);
    print(&format!("\noutcome      {words}\n"))?;
    Ok(code)
}

/// What a centre is sent: the bind, and each part of the message.
fn units(manifest: &Arc<Manifest>, message: &Outgoing, settings: &Settings) -> anyhow::Result<String> {
    let plan = Plan::new(manifest, settings).map_err(|unusable| anyhow::anyhow!("[smpp] {unusable}"))?;
    let parts =
        plan.submits(message).ok_or_else(|| anyhow::anyhow!("no text message of 255 parts at most"))?;
    let bind = Pdu::new(1, Body::Bind(Box::new(plan.bind.clone())));
    let parts = (2..).zip(parts).map(|(at, part)| Pdu::new(at, Body::Submit(Box::new(part))));
    Ok(std::iter::once(bind).chain(parts).map(|unit| unit.shown() + "\n").collect())
}

/// What a centre hands over, in hexadecimal digits.
fn hand_over(vendor: &Vendor, settings: &Settings, source: &str, bytes: &[u8]) -> anyhow::Result<ExitCode> {
    let plan =
        Plan::new(&vendor.manifest, settings).map_err(|unusable| anyhow::anyhow!("[smpp] {unusable}"))?;
    let event = smpp::case::heard(&plan, &String::from_utf8_lossy(bytes)).map_err(anyhow::Error::msg)?;
    let mut text = format!("settings     {source}\n");
    tell(&event, &mut text);
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// An outcome in words, and whether it is a good one.
fn described(outcome: &Outcome) -> (String, ExitCode) {
    match outcome {
        Outcome::Accepted { provider_ref: Some(reference) } => {
            (format!("accepted; the vendor's reference is {reference}"), ExitCode::SUCCESS)
        }
        Outcome::Accepted { provider_ref: None } => {
            ("accepted; the vendor gave no reference".to_owned(), ExitCode::SUCCESS)
        }
        Outcome::Failed(failure) => {
            let then = match failure.class {
                FailureClass::NeverLeft => "never_left: surely not sent, would be tried again",
                FailureClass::Refused => "refused: final",
                FailureClass::Throttled => "throttled: not sent, would be tried again later",
                FailureClass::Uncertain => "uncertain: may have been sent, counts and is never repeated",
            };
            let wait =
                failure.retry_after_seconds.map(|seconds| format!(", after {seconds} s")).unwrap_or_default();
            (format!("{then}{wait}; code {}, cause {:?}", failure.code, failure.cause), ExitCode::FAILURE)
        }
    }
}

fn case<'v>(vendor: &'v Vendor, name: &str) -> anyhow::Result<&'v Case> {
    vendor.cases.iter().find(|case| case.name == name).ok_or_else(|| {
        let known: Vec<&str> = vendor.cases.iter().map(|case| case.name.as_str()).collect();
        anyhow::anyhow!("there is no case `{name}`; there are {}", known.join(", "))
    })
}

/// The message asked for, the rest of it made up.
fn message(config: &Config, manifest: &Manifest, wanted: &Attempt) -> anyhow::Result<Outgoing> {
    let channel = manifest.channel();
    let kind = PointKind::of(channel).ok_or_else(|| anyhow::anyhow!("nothing is sent over {channel}"))?;
    let to = wanted.to.as_deref().unwrap_or(match kind {
        PointKind::Phone => "+13055550117",
        PointKind::Email => "sample017@example.com",
        PointKind::Portal => "sample017",
    });
    let to = PointValue::parse(kind, to).map_err(|error| anyhow::anyhow!("--to: {error}"))?;
    let text = wanted.text.clone().unwrap_or_else(|| "Sample text & more: 50% ñ".to_owned());
    let subject = wanted.subject.clone().unwrap_or_else(|| "Sample subject".to_owned());
    let call = (channel == Channel::Voice).then(|| CallStart {
        answer: CallPlace {
            url: format!(
                "{}/callbacks/voice/{}/voice/STATE",
                config.public_url.as_str().trim_end_matches('/'),
                manifest.id()
            ),
            state: "STATE".to_owned(),
        },
        opening: vec![CallOp::Say(Speech { language: wanted.language.clone(), text: text.clone() })],
    });
    let content = match channel {
        Channel::Email => Content::Email { subject, html: Some(format!("<p>{text}</p>")), text },
        Channel::Voice => Content::Voice { script: text, plan: None },
        Channel::Portal => Content::Portal { subject, html: text },
        Channel::Sms | Channel::Letter | Channel::Visit => Content::Sms { text, segments: 1 },
    };
    let public_url = config.public_url.as_str().trim_end_matches('/');
    let callback = format!("{public_url}/callbacks/{channel}/{}/status?attempt={ATTEMPT}", manifest.id());
    Ok(Outgoing {
        attempt: ATTEMPT.parse()?,
        to,
        language: wanted.language.clone(),
        content,
        unsubscribe_url: (channel == Channel::Email).then(|| format!("{public_url}/u/sample")),
        status_callback_url: manifest.hears(CallbackKind::Status).then_some(callback),
        call,
    })
}

/// The settings: of the case that is tried, or the operator's where there are any, what lacks made up; and what is said on
/// the command line before all of them. Then where they come from.
fn settings(
    config: &Config,
    environment: &Environment,
    vendor: &Vendor,
    wanted: &Attempt,
    case: Option<&Case>,
) -> anyhow::Result<(Settings, String)> {
    let manifest = &vendor.manifest;
    let mut source = match case {
        Some(case) => format!("those of the case `{}`", case.name),
        None => "made up".to_owned(),
    };
    let mut given: BTreeMap<String, Given> = BTreeMap::new();
    let mut made_up = Vec::new();
    if let Some(case) = case {
        given = case.given();
    } else {
        if let Ok(fetched) = config.provider(manifest.channel(), manifest.id(), environment)
            && !fetched.is_empty()
        {
            source = format!("{} [providers.{}.{}]", config.file, manifest.channel(), manifest.id());
            let value = |text: &str| Given::from(text);
            given = fetched
                .iter()
                .map(|(name, found)| (name.clone(), value(found.value.expose_secret())))
                .collect();
        }
        let asked: Vec<&str> =
            manifest.one_of.iter().filter_map(|one_of| one_of.settings.first()).map(String::as_str).collect();
        for (name, spec) in &manifest.settings {
            let needed = spec.required || asked.contains(&name.as_str());
            if needed && spec.default.is_none() && !given.contains_key(name) {
                given.insert(name.clone(), sample(name, spec.kind, spec.example.as_deref()));
                made_up.push(name.as_str());
            }
        }
    }
    for pair in &wanted.set {
        let (name, value) =
            pair.split_once('=').ok_or_else(|| anyhow::anyhow!("--set wants NAME=VALUE, not `{pair}`"))?;
        given.insert(name.to_owned(), Given::from(value));
        made_up.retain(|made_up| *made_up != name);
    }
    if !made_up.is_empty() && source != "made up" {
        let _ok = write!(source, ", made up: {}", made_up.join(", "));
    } else if !made_up.is_empty() {
        let _ok = write!(source, ": {} (--set NAME=VALUE gives others)", made_up.join(", "));
    }
    let checked = manifest.settings(&given, "settings").map_err(Refused)?;
    Ok((checked, source))
}

fn sample(name: &str, kind: SettingKind, example: Option<&str>) -> Given {
    let value = match (example, kind) {
        (Some(example), _) => example.to_owned(),
        (None, SettingKind::Url) => "https://vendor.example".to_owned(),
        (None, SettingKind::Number) => "1".to_owned(),
        (None, SettingKind::Boolean) => "true".to_owned(),
        (None, SettingKind::Text | SettingKind::Lines) => format!("sample-{name}"),
    };
    Given::from(value.as_str())
}

fn listen(
    config: &Config,
    environment: &Environment,
    vendor: &Vendor,
    wanted: &Attempt,
    file: &std::path::Path,
) -> anyhow::Result<ExitCode> {
    let bytes = std::fs::read(file).map_err(|error| anyhow::anyhow!("{}: {error}", file.display()))?;
    let case = wanted.case.as_deref().map(|name| case(vendor, name)).transpose()?;
    let (settings, source) = settings(config, environment, vendor, wanted, case)?;
    if vendor.manifest.smpp.is_some() {
        return hand_over(vendor, &settings, &source, &bytes);
    }
    let public_url = config.public_url.as_str().trim_end_matches('/');
    let (kind, request) = callback(&bytes, public_url, wanted.kind)
        .map_err(|why| anyhow::anyhow!("{}: {why}", file.display()))?;
    let certificate = wanted.certificate.as_ref().map(std::fs::read_to_string).transpose()?;
    let manifest = &vendor.manifest;
    let address = manifest.certificate(kind, &request);
    let grounds = Grounds {
        settings: &settings,
        now: wanted.at.unwrap_or_else(|| MachineClock.now()),
        certificate: address.as_deref().zip(certificate.as_deref()),
    };
    // A secret may stand in the address.
    let address_called = redact::without_secrets(&request.url, &settings);
    let mut text =
        format!("settings     {source}\ncallback     {kind}, {} {address_called}\n", request.method);
    let believed = manifest.verify_and_parse(kind, &request, &grounds);
    let heard = match &believed {
        Ok(heard) => {
            text.push_str("signature    holds\n");
            Ok(heard.clone())
        }
        Err(error) => {
            let _ok = writeln!(text, "refused      {error}");
            manifest.parse_unbelieved(kind, &request)
        }
    };
    if let (Some(address), None) = (&address, &certificate) {
        let _ok = writeln!(text, "certificate  {address} is wanted; give it with --certificate FILE");
    }
    for line in manifest.explain_signature(kind, &request, &grounds) {
        let _ok = writeln!(text, "  {line}");
    }
    match heard {
        Ok(heard) => {
            if believed.is_err() {
                text.push_str("\nif it were believed, it would be understood so:\n");
            }
            show(&heard, &mut text);
        }
        Err(error) if believed.as_ref().err() != Some(&error) => {
            let _ok = writeln!(text, "and if it were believed: {error}");
        }
        Err(_) => {}
    }
    print(&text)?;
    Ok(if believed.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn tell(event: &CallbackEvent, text: &mut String) {
    let or_none = |value: Option<String>| value.unwrap_or_else(|| "none".to_owned());
    let time = |at: Option<Timestamp>| or_none(at.map(|at| at.to_string()));
    let _ok = match event {
        CallbackEvent::Delivery(Delivery { provider_ref, attempt, status, code, cause, at }) => writeln!(
            text,
            "delivery     status {}, reference {}, attempt {}, code {}, cause {cause:?}, at {}",
            status.as_str(),
            or_none(provider_ref.clone()),
            or_none(attempt.map(|attempt| attempt.to_string())),
            or_none(code.clone()),
            time(*at)
        ),
        CallbackEvent::Inbound(Inbound { provider_ref, from, to, text: words, keyword, at, letter }) => {
            let _ok = writeln!(
                text,
                "inbound      from {from}, to {to}, reference {}, keyword {}, at {}, text {words:?}",
                or_none(provider_ref.clone()),
                or_none(keyword.clone()),
                time(*at)
            );
            show_letter(letter, text)
        }
        CallbackEvent::Call(call) => writeln!(
            text,
            "call         keys {:?}, speech {:?}, answered by {}, connected {}, reference {}, attempt {}, state {}",
            call.keys,
            call.speech.as_deref().unwrap_or_default(),
            or_none(call.answered_by.map(|who| who.to_string())),
            call.connected.unwrap_or(false),
            or_none(call.provider_ref.clone()),
            or_none(call.attempt.map(|attempt| attempt.to_string())),
            or_none(call.state.clone())
        ),
    };
}

fn show(heard: &Heard, text: &mut String) {
    for event in &heard.events {
        tell(event, text);
    }
    if heard.events.is_empty() {
        text.push_str("events       none\n");
    }
    if heard.passed_over > 0 {
        let _ok = writeln!(
            text,
            "passed over  {}: `select` does not hold for it, or `events` leads nowhere",
            heard.passed_over
        );
    }
    if heard.unreadable > 0 {
        let _ok =
            writeln!(text, "unreadable   {} events are not what the manifest describes", heard.unreadable);
    }
    if let Some(address) = &heard.visit {
        let _ok = writeln!(text, "handshake    {address} would be called");
    }
    let answer = &heard.acknowledge;
    let kind = answer.content_type.as_deref().unwrap_or("no type");
    let _ok = writeln!(text, "answer       {} ({kind}) {:?}", answer.status, answer.body);
}

fn show_letter(letter: &Letter, text: &mut String) -> std::fmt::Result {
    let Letter { subject, html, headers } = letter;
    for (name, value) in [("subject", subject), ("html", html)] {
        if let Some(value) = value {
            writeln!(text, "  {name:<10} {value:?}")?;
        }
    }
    for (name, value) in headers {
        writeln!(text, "  header     {name}: {value}")?;
    }
    Ok(())
}

/// A callback as a file holds it: an HTTP request as it came over the wire.
fn callback(
    bytes: &[u8],
    public_url: &str,
    kind: Option<CallbackKind>,
) -> Result<(CallbackKind, CallbackRequest), String> {
    let shape = "write the callback as it comes over the wire: `POST /callbacks/… HTTP/1.1`, headers, an empty line, the body";
    let end =
        |mark: &[u8]| bytes.windows(mark.len()).position(|window| window == mark).map(|at| (at, mark.len()));
    let whole = (bytes.len(), 0);
    let (at, gap) = [end(b"\r\n\r\n"), end(b"\n\n")].into_iter().flatten().min().unwrap_or(whole);
    let head = std::str::from_utf8(&bytes[..at]).map_err(|_| shape.to_owned())?;
    let mut lines = head.lines();
    let mut words = lines.next().unwrap_or_default().split_ascii_whitespace();
    let (Some(method @ ("GET" | "POST")), Some(target)) = (words.next(), words.next()) else {
        return Err(shape.to_owned());
    };
    let url = if target.starts_with('/') { format!("{public_url}{target}") } else { target.to_owned() };
    let headers: Vec<(String, String)> = lines
        .map(|line| {
            line.split_once(':').map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
        })
        .collect::<Option<_>>()
        .ok_or_else(|| format!("a header has no colon: {shape}"))?;
    let mut body = bytes[at + gap..].to_vec();
    // An editor puts a line break at a file's end, and every byte of a body counts.
    let length = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    if let Some(length) = length.and_then(|(_, value)| value.parse::<usize>().ok()) {
        body.truncate(length);
    }
    let path = url.split('?').next().unwrap_or_default();
    // What is asked about a call carries its place behind the word.
    let by_path = path.rsplit('/').take(2).find_map(CallbackKind::from_word);
    let kind =
        kind.or(by_path).ok_or("say which callback it is: --kind status, --kind inbound or --kind voice")?;
    Ok((kind, CallbackRequest { method: method.to_owned(), url, headers, body }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_callback_is_read_as_it_came() {
        let text =
            "POST /callbacks/sms/x/status?a=b HTTP/1.1\r\nContent-Length: 3\r\nX-Sig:  s \r\n\r\na=b\n";
        let (kind, request) = callback(text.as_bytes(), "https://gw.example.com", None).expect("readable");
        assert_eq!(kind, CallbackKind::Status);
        assert_eq!(request.url, "https://gw.example.com/callbacks/sms/x/status?a=b");
        assert_eq!(request.headers[1], ("X-Sig".to_owned(), "s".to_owned()));
        assert_eq!(request.body, b"a=b");
        let text = "POST /callbacks/voice/x/voice/STATE HTTP/1.1\n\nDigits=1";
        let (kind, _) = callback(text.as_bytes(), "", None).expect("readable");
        assert_eq!(kind, CallbackKind::Voice);
        let text = "GET https://gw.example.com/hook?x=1 HTTP/1.1\nHost: gw.example.com\n\n";
        assert!(callback(text.as_bytes(), "", None).is_err());
        let (kind, request) = callback(text.as_bytes(), "", Some(CallbackKind::Inbound)).expect("readable");
        assert_eq!((kind, request.body.len()), (CallbackKind::Inbound, 0));
        for bad in ["", "nonsense", "POST /x/status\nno colon\n\n", "PUT /x/status\n\n"] {
            assert!(callback(bad.as_bytes(), "", None).is_err(), "{bad}");
        }
    }
}
