//! `[smpp]` with an operator's settings filled in: everything that a connection goes by.

use crate::domain::outcome::{Failure, FailureCause, FailureClass, Outcome};
use crate::provider::manifest::Manifest;
use crate::provider::placeholder::{Place, Template};
use crate::provider::settings::Settings;
use crate::provider::smpp::pdu::{Address, Bind, Pdu};
use crate::provider::smpp::spec::{CommandStatus, SmppSpec};
use std::sync::Arc;
use std::time::Duration;
use toml::Spanned;

/// What stands in `[smpp]` cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` {1}")]
pub struct Unusable(pub &'static str, pub String);

/// How a long message is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Long {
    /// In parts, each with a header of its own in front of the words (3GPP TS 23.040, section 9.2.3.24.1).
    Udh,
    /// In parts, with `sar_…` parameters.
    Sar,
    /// Whole, as `message_payload`: the centre parts it.
    Payload,
}

/// What octets mean under `data_coding` 0, the centre's default alphabet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alphabet {
    /// The GSM default alphabet, one septet an octet.
    Gsm7,
    /// ISO 8859-1.
    Latin1,
    /// ASCII.
    Ascii,
}

/// How a centre writes its identifiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reference {
    /// As they are.
    Text,
    /// Hexadecimal digits.
    Hex,
    /// Decimal digits.
    Decimal,
}

impl Reference {
    /// An identifier in the one form that answers and receipts share: a number in decimal digits without zeros in front. What is
    /// no such number stays as it is.
    pub fn canonical(self, written: &str) -> String {
        let written = written.trim();
        let number = match self {
            Self::Text => None,
            Self::Hex => u128::from_str_radix(written, 16).ok(),
            Self::Decimal => written.parse::<u128>().ok(),
        };
        number.map_or_else(|| written.to_owned(), |number| number.to_string())
    }
}

/// Everything that a connection goes by.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The centre's name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Whether TLS is spoken from the first byte.
    pub tls: bool,
    /// Certificates in PEM, trusted in place of the system's.
    pub ca_pem: Option<String>,
    /// Who we are.
    pub bind: Bind,
    /// Messages under way at once.
    pub window: usize,
    /// Silence after which the centre is asked whether it is there.
    pub enquire_link: Duration,
    /// The sender.
    pub from: Address,
    /// `service_type`.
    pub service_type: String,
    /// How a long message is written.
    pub long: Long,
    /// What octets mean under `data_coding` 0.
    pub alphabet: Alphabet,
    /// How identifiers stand in answers.
    pub answered: Reference,
    /// How identifiers stand in receipts.
    pub receipted: Reference,
    /// What stands before a number that comes without its country.
    pub home: Option<String>,
    pub(in crate::provider) manifest: Arc<Manifest>,
}

impl Plan {
    /// Fills in an operator's settings.
    ///
    /// # Errors
    /// The first key of `[smpp]` that cannot be used with them.
    pub fn new(manifest: &Arc<Manifest>, settings: &Settings) -> Result<Self, Unusable> {
        let spec = manifest.smpp.as_ref();
        let spec = spec.ok_or_else(|| Unusable("smpp", "is missing from the manifest".to_owned()))?;
        let text = |template: &Spanned<Template>| {
            template.get_ref().render(Place::Plain, |name| settings.get(name).map(Into::into))
        };
        let maybe = |template: &Option<Spanned<Template>>| {
            template.as_ref().map(text).filter(|value| !value.is_empty())
        };
        let (host, port) = match manifest.origin.as_deref().and_then(|origin| origin.rsplit_once(':')) {
            Some((host, port)) => (host.trim_matches(['[', ']']).to_owned(), port.to_owned()),
            None => (text(&spec.host), text(&spec.port)),
        };
        let mut plan = Self {
            host,
            port: number("port", &port, 1, u16::MAX.into())?.try_into().unwrap_or(u16::MAX),
            tls: word("tls", maybe(&spec.tls), &[("none", false), ("tls", true)])?,
            ca_pem: maybe(&spec.ca_pem),
            bind: Bind {
                system_id: text(&spec.system_id),
                password: text(&spec.password),
                system_type: maybe(&spec.system_type).unwrap_or_default(),
            },
            window: number("window", &maybe(&spec.window).unwrap_or("10".to_owned()), 1, 1_000)? as usize,
            enquire_link: Duration::from_secs(
                number("enquire_link", &maybe(&spec.enquire_link).unwrap_or("30".to_owned()), 1, 3_600)?
                    .into(),
            ),
            from: sender(&text(&spec.submit.from)),
            service_type: maybe(&spec.submit.service_type).unwrap_or_default(),
            long: Long::Udh,
            alphabet: Alphabet::Gsm7,
            answered: reference("answer.reference", maybe(&spec.answer.reference))?,
            receipted: reference("receipt.reference", maybe(&spec.receipt.reference))?,
            home: maybe(&spec.inbound.home),
            manifest: Arc::clone(manifest),
        };
        let long = [("udh", Long::Udh), ("sar", Long::Sar), ("payload", Long::Payload)];
        plan.long = word("submit.long", maybe(&spec.submit.long), &long)?;
        let alphabets = [("gsm7", Alphabet::Gsm7), ("latin1", Alphabet::Latin1), ("ascii", Alphabet::Ascii)];
        plan.alphabet = word("submit.alphabet", maybe(&spec.submit.alphabet), &alphabets)?;
        let loopback =
            plan.host == "localhost" || plan.host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
        if plan.from.value.is_empty() {
            return Err(Unusable("submit.from", "is empty: who is it from?".to_owned()));
        }
        if loopback || plan.tls || manifest.origin.is_some() || settings.get("clear_text") == Some("true") {
            return Ok(plan);
        }
        let why = "is none, and password and messages would travel in clear: use tls, or set clear_text = true where a private line leads there";
        Err(Unusable("tls", why.to_owned()))
    }

    /// What `[smpp]` says.
    pub(in crate::provider) fn spec(&self) -> Option<&SmppSpec> {
        self.manifest.smpp.as_ref()
    }

    /// What a centre's answer to a message means. One that nothing recognises is uncertain, never accepted.
    pub fn outcome(&self, answer: &Pdu) -> Outcome {
        use crate::provider::smpp::pdu::Body;
        let failed = |class, cause, code: String| Outcome::Failed(Failure::of(class, cause, code));
        match (&answer.body, answer.status) {
            (Body::SubmitAnswer(id), 0) => {
                let id = self.answered.canonical(id);
                if id.is_empty() || id.len() > 200 {
                    return failed(
                        FailureClass::Uncertain,
                        FailureCause::Provider,
                        "malformed_answer".to_owned(),
                    );
                }
                Outcome::Accepted { provider_ref: Some(id) }
            }
            (Body::SubmitAnswer(_) | Body::GenericNack, status) if status != 0 => {
                let (class, cause) = self
                    .spec()
                    .and_then(|spec| spec.meaning(status))
                    .unwrap_or((FailureClass::Uncertain, FailureCause::Provider));
                failed(class, cause, format!("esme_{}", CommandStatus(status)))
            }
            _ => failed(FailureClass::Uncertain, FailureCause::Provider, "unexpected_answer".to_owned()),
        }
    }

    /// What it means that a centre would not let us in: nothing left, whatever it says.
    pub fn unbound(&self, status: u32) -> Failure {
        let known = self.spec().and_then(|spec| spec.meaning(status));
        let cause = known.map_or(FailureCause::Provider, |(_, cause)| match cause {
            FailureCause::Account => FailureCause::Account,
            FailureCause::InvalidAddress
            | FailureCause::OptedOut
            | FailureCause::Content
            | FailureCause::Provider
            | FailureCause::Unspecified => FailureCause::Provider,
        });
        Failure::of(FailureClass::NeverLeft, cause, format!("bind_{}", CommandStatus(status)))
    }
}

/// A sender as SMPP writes it: a number with its country, a short code, or a name.
fn sender(from: &str) -> Address {
    let digits = from.strip_prefix('+').unwrap_or(from);
    let numeric = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let (ton, npi, value) = match (numeric, digits.len()) {
        (true, 7..) => (1, 1, digits),
        // A short code is the network's own (section 5.2.5).
        (true, _) => (3, 0, digits),
        (false, _) => (5, 0, from),
    };
    Address { ton, npi, value: value.to_owned() }
}

fn number(key: &'static str, text: &str, least: u32, most: u32) -> Result<u32, Unusable> {
    let number = text.parse().ok().filter(|number| (least..=most).contains(number));
    number.ok_or_else(|| Unusable(key, format!("is not a number between {least} and {most}")))
}

fn word<T: Copy>(key: &'static str, given: Option<String>, words: &[(&str, T)]) -> Result<T, Unusable> {
    let wanted = given.as_deref().or(words.first().map(|(first, _)| *first));
    let found = words.iter().find(|(known, _)| Some(*known) == wanted).map(|(_, meaning)| *meaning);
    found.ok_or_else(|| {
        let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        Unusable(key, format!("is none of {}", known.join(", ")))
    })
}

fn reference(key: &'static str, given: Option<String>) -> Result<Reference, Unusable> {
    let words = [("text", Reference::Text), ("hex", Reference::Hex), ("decimal", Reference::Decimal)];
    word(key, given, &words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_in_hex_and_decimal_are_the_same_one() {
        for (form, written, canonical) in [
            (Reference::Text, " m0000A1 ", "m0000A1"),
            (Reference::Text, "007", "007"),
            (Reference::Hex, "0000A1", "161"),
            (Reference::Hex, "a1", "161"),
            (Reference::Decimal, "00161", "161"),
            (Reference::Hex, "not hex", "not hex"),
            (Reference::Decimal, "m1", "m1"),
            (Reference::Hex, "", ""),
        ] {
            assert_eq!(form.canonical(written), canonical, "{written}");
        }
    }

    #[test]
    fn a_sender_is_a_number_a_short_code_or_a_name() {
        let told = |from| (sender(from).ton, sender(from).npi, sender(from).value);
        assert_eq!(told("+15005550006"), (1, 1, "15005550006".to_owned()));
        assert_eq!(told("15005550006"), (1, 1, "15005550006".to_owned()));
        assert_eq!(told("24273"), (3, 0, "24273".to_owned()));
        assert_eq!(told("FRServices"), (5, 0, "FRServices".to_owned()));
    }
}
