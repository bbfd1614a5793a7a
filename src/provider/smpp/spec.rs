//! `[smpp]` of a manifest: how a centre is bound to, how its answers, receipts and messages are read.

use crate::domain::outcome::{FailureCause, FailureClass};
use crate::provider::callback::DeliveryStatus;
use crate::provider::placeholder::Template;
use serde::Deserialize;
use std::collections::BTreeMap;
use toml::Spanned;

/// How a centre is spoken to. Every template names settings only.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SmppSpec {
    pub(in crate::provider) host: Spanned<Template>,
    pub(in crate::provider) port: Spanned<Template>,
    /// `none`, or `tls` from the first byte.
    pub(in crate::provider) tls: Option<Spanned<Template>>,
    /// Certificates trusted beside the system's.
    pub(in crate::provider) ca_pem: Option<Spanned<Template>>,
    pub(in crate::provider) system_id: Spanned<Template>,
    pub(in crate::provider) password: Spanned<Template>,
    pub(in crate::provider) system_type: Option<Spanned<Template>>,
    /// Messages under way at once.
    pub(in crate::provider) window: Option<Spanned<Template>>,
    /// Seconds of silence after which the centre is asked whether it is there.
    pub(in crate::provider) enquire_link: Option<Spanned<Template>>,
    pub(in crate::provider) submit: SubmitSpec,
    pub(in crate::provider) answer: AnswerSpec,
    pub(in crate::provider) receipt: ReceiptSpec,
    #[serde(default)]
    pub(in crate::provider) inbound: InboundSpec,
}

/// How a message is written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubmitSpec {
    /// The sender.
    pub(in crate::provider) from: Spanned<Template>,
    /// `service_type`.
    pub(in crate::provider) service_type: Option<Spanned<Template>>,
    /// How a long message is written: `udh`, `sar` or `payload`.
    pub(in crate::provider) long: Option<Spanned<Template>>,
    /// What octets mean under `data_coding` 0: `gsm7`, `latin1` or `ascii`.
    pub(in crate::provider) alphabet: Option<Spanned<Template>>,
}

/// How an answer to a message is read.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnswerSpec {
    /// How the centre writes its identifiers here: `text`, `hex` or `decimal`.
    pub(in crate::provider) reference: Option<Spanned<Template>>,
    /// What its error codes mean.
    #[serde(default)]
    pub(in crate::provider) codes: Vec<StatusRule>,
}

/// What error codes mean. One that is listed nowhere leaves it uncertain whether the message was taken.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatusRule {
    pub(in crate::provider) codes: Vec<CommandStatus>,
    pub(in crate::provider) class: FailureClass,
    #[serde(default = "unspecified")]
    pub(in crate::provider) cause: FailureCause,
    /// Why we think so, for a reader.
    #[serde(default)]
    #[expect(dead_code, reason = "for readers of the file")]
    note: String,
}

fn unspecified() -> FailureCause {
    FailureCause::Unspecified
}

/// A `command_status` (SMPP 3.4, section 5.1.3), written `0x0b`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct CommandStatus(pub u32);

impl TryFrom<String> for CommandStatus {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        let digits = text.strip_prefix("0x").filter(|digits| (1..=8).contains(&digits.len()));
        let status = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        status.filter(|status| *status != 0).map(Self).ok_or("not a command_status such as \"0x58\"")
    }
}

impl std::fmt::Display for CommandStatus {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:#04x}", self.0)
    }
}

/// How a receipt is read (SMPP 3.4, appendix B).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceiptSpec {
    /// How the centre writes its identifiers here: `text`, `hex` or `decimal`.
    pub(in crate::provider) reference: Option<Spanned<Template>>,
    /// What its words mean.
    pub(in crate::provider) statuses: BTreeMap<String, DeliveryStatus>,
    /// What its error codes say of the address.
    #[serde(default)]
    pub(in crate::provider) codes: Vec<CauseRule>,
}

/// What a receipt's error codes say of the address.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CauseRule {
    pub(in crate::provider) codes: Vec<String>,
    pub(in crate::provider) cause: FailureCause,
}

/// How a message from a handset is read.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InboundSpec {
    /// What stands before a number that comes without its country, `+1`.
    pub(in crate::provider) home: Option<Spanned<Template>>,
}

impl SmppSpec {
    /// Every template with its place.
    pub(in crate::provider) fn templates(&self) -> impl Iterator<Item = &Spanned<Template>> {
        let always = [&self.host, &self.port, &self.system_id, &self.password, &self.submit.from];
        let maybe = [
            &self.tls,
            &self.ca_pem,
            &self.system_type,
            &self.window,
            &self.enquire_link,
            &self.submit.service_type,
            &self.submit.long,
            &self.submit.alphabet,
            &self.answer.reference,
            &self.receipt.reference,
            &self.inbound.home,
        ];
        always.into_iter().chain(maybe.into_iter().flatten())
    }

    /// What is wrong with it, in words; what depends on settings is found by [`super::plan::Plan`].
    pub(in crate::provider) fn faults(&self) -> Vec<String> {
        let mut seen = std::collections::BTreeSet::new();
        let codes = self.answer.codes.iter().flat_map(|rule| &rule.codes);
        let mut faults: Vec<String> = codes
            .filter(|code| !seen.insert(**code))
            .map(|code| format!("[[smpp.answer.codes]] has code {code} twice"))
            .collect();
        if self.receipt.statuses.is_empty() {
            faults.push("[smpp.receipt] `statuses` is empty: every status would be unrecognised".to_owned());
        }
        if let Some(word) = self.receipt.statuses.values().find(|word| word.is_of_calls()) {
            faults.push(format!("[smpp.receipt] `statuses`: `{}` is said of calls only", word.as_str()));
        }
        faults
    }

    /// What a `command_status` means.
    pub(in crate::provider) fn meaning(&self, status: u32) -> Option<(FailureClass, FailureCause)> {
        let rule = self.answer.codes.iter().find(|rule| rule.codes.contains(&CommandStatus(status)));
        rule.map(|rule| (rule.class, rule.cause))
    }
}
