//! The message itself: plain part always, one-click unsubscribe, an identifier that finds its attempt again.

use crate::channel::ChannelError;
use crate::channel::email::dkim::Signer;
use crate::domain::id::AttemptId;
use crate::domain::message::{Content, Outgoing};
use crate::domain::outcome::FailureCause;
use crate::domain::time::Timestamp;
use crate::provider::settings::Settings;
use lettre::address::{Address, Envelope};
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, MultiPartKind, SinglePart};
use lettre::{Message, message::MessageBuilder};
use std::time::{Duration, SystemTime};

/// RFC 5322, section 2.1.1, limits a line to 998 characters; the rest is for the header's name and brackets.
const LONGEST_URL: usize = 900;

/// Who writes: what every message of an operator has in common.
pub(in crate::channel::email) struct Letterhead {
    from: Mailbox,
    reply_to: Option<Mailbox>,
    return_path: Address,
    /// Whether each message has a return path of its own (VERP), by which its bounce finds it.
    verp: bool,
    signer: Option<Signer>,
}

/// A message as it goes over the wire.
pub(in crate::channel::email) struct Letter {
    pub(in crate::channel::email) envelope: Envelope,
    pub(in crate::channel::email) message_id: String,
    pub(in crate::channel::email) bytes: Vec<u8>,
}

/// Why a message cannot be written.
#[derive(Clone, Copy, Debug, thiserror::Error, PartialEq, Eq)]
pub(in crate::channel::email) enum Unwritable {
    #[error("the content is not an email's")]
    Content,
    #[error("the subject has control characters")]
    Subject,
    #[error("the recipient's address is not one of email")]
    Recipient,
    #[error("the unsubscribe address is no web address that fits a header")]
    Unsubscribe,
    #[error("the message cannot be put together")]
    Message,
}

impl Unwritable {
    pub(in crate::channel::email) fn cause(self) -> FailureCause {
        match self {
            Self::Recipient => FailureCause::InvalidAddress,
            Self::Content | Self::Subject | Self::Unsubscribe | Self::Message => FailureCause::Content,
        }
    }

    pub(in crate::channel::email) fn code(self) -> &'static str {
        match self {
            Self::Content => "wrong_content",
            Self::Subject => "bad_subject",
            Self::Recipient => "bad_address",
            Self::Unsubscribe => "bad_unsubscribe_url",
            Self::Message => "bad_message",
        }
    }
}

/// The identifier of an attempt's message: `<att_….dunwell@domain>` (RFC 5322, section 3.6.4).
pub fn message_id(attempt: AttemptId, domain: &str) -> String {
    format!("<{attempt}.dunwell@{domain}>")
}

/// The attempt that a `Message-ID`, `In-Reply-To` or `References` names, whoever put brackets around it or took them
/// off; the first where there are several.
pub fn attempt_of(message_ids: &str) -> Option<AttemptId> {
    message_ids
        .split(|c: char| c.is_whitespace() || "<>,".contains(c))
        .filter_map(|id| id.split_once('@'))
        .find_map(|(local, _)| local.strip_suffix(".dunwell")?.parse().ok())
}

impl Letterhead {
    pub(in crate::channel::email) fn new(settings: &Settings) -> Result<Self, ChannelError> {
        let mailbox = |name: &'static str| -> Result<Option<Mailbox>, ChannelError> {
            let wrong =
                |_| ChannelError::Setting(name, "is not an email address, with or without a name".to_owned());
            settings.get(name).map(|text| text.parse().map_err(wrong)).transpose()
        };
        let from = mailbox("from")?;
        let from = from.ok_or_else(|| ChannelError::Setting("from", "is missing".to_owned()))?;
        let return_path = mailbox("return_path")?.map_or_else(|| from.email.clone(), |mailbox| mailbox.email);
        let signer = Signer::new(settings, from.email.domain())?;
        let verp = settings.get("verp") == Some("true");
        Ok(Self { reply_to: mailbox("reply_to")?, from, return_path, verp, signer })
    }

    /// Where the bounce of an attempt goes: with VERP the attempt stands behind a plus sign.
    fn return_path(&self, attempt: AttemptId) -> Address {
        let (user, domain) = (self.return_path.user(), self.return_path.domain());
        let own = self.verp.then(|| Address::new(format!("{user}+{attempt}"), domain).ok()).flatten();
        own.unwrap_or_else(|| self.return_path.clone())
    }

    /// Writes a message, dated as told.
    pub(in crate::channel::email) fn write(
        &self,
        message: &Outgoing,
        at: Timestamp,
    ) -> Result<Letter, Unwritable> {
        let Content::Email { subject, text, html } = &message.content else {
            return Err(Unwritable::Content);
        };
        if subject.chars().any(char::is_control) {
            return Err(Unwritable::Subject);
        }
        let to: Address = message.to.expose().parse().map_err(|_| Unwritable::Recipient)?;
        let id = message_id(message.attempt, self.from.email.domain());
        let envelope = Envelope::new(Some(self.return_path(message.attempt)), vec![to.clone()]);
        let envelope = envelope.map_err(|_| Unwritable::Recipient)?;
        let mut builder = Message::builder()
            .envelope(envelope)
            .from(self.from.clone())
            .to(Mailbox::new(None, to))
            .subject(subject.as_str())
            .date(SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(at.millis()).unwrap_or(0)))
            .message_id(Some(id.clone()))
            // RFC 3834, section 5.2: keeps vacation responders silent.
            .raw_header(plain("Auto-Submitted", "auto-generated"));
        if let Some(reply_to) = &self.reply_to {
            builder = builder.reply_to(reply_to.clone());
        }
        if is_language(&message.language) {
            builder = builder.raw_header(plain("Content-Language", &message.language));
        }
        if let Some(url) = &message.unsubscribe_url {
            builder = one_click(builder, url)?;
        }
        let built = match html {
            Some(html) => builder.multipart(alternative(message.attempt, text, html)),
            None => builder.singlepart(SinglePart::plain(text.clone())),
        };
        let mut built = built.map_err(|_| Unwritable::Message)?;
        if let Some(signer) = &self.signer {
            signer.sign(&mut built);
        }
        Ok(Letter { envelope: built.envelope().clone(), message_id: id, bytes: built.formatted() })
    }
}

/// RFC 8058: one click, by POST, without a page in between.
fn one_click(builder: MessageBuilder, url: &str) -> Result<MessageBuilder, Unwritable> {
    let url = url::Url::parse(url).map_err(|_| Unwritable::Unsubscribe)?;
    // A parsed address is ASCII without spaces or control characters; brackets would end the header's own.
    let fits = matches!(url.scheme(), "https" | "http")
        && url.as_str().len() <= LONGEST_URL
        && !url.as_str().contains(['<', '>', ',']);
    if !fits {
        return Err(Unwritable::Unsubscribe);
    }
    Ok(builder
        .raw_header(plain("List-Unsubscribe", &format!("<{url}>")))
        .raw_header(plain("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")))
}

/// A header whose value is ASCII without control characters, written as it is: no folding, no encoding.
fn plain(name: &'static str, value: &str) -> HeaderValue {
    let name = HeaderName::new_from_ascii_str(name);
    HeaderValue::dangerous_new_pre_encoded(name, value.to_owned(), value.to_owned())
}

/// Whether the text has the form of a language tag (RFC 5646).
fn is_language(text: &str) -> bool {
    (2..=35).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// Plain first, HTML last: a reader shows the last part that it can (RFC 2046, section 5.1.4).
fn alternative(attempt: AttemptId, text: &str, html: &str) -> MultiPart {
    MultiPart::builder()
        .kind(MultiPartKind::Alternative)
        .boundary(format!("={attempt}="))
        .singlepart(SinglePart::builder().header(ContentType::TEXT_PLAIN).body(text.to_owned()))
        .singlepart(SinglePart::builder().header(ContentType::TEXT_HTML).body(html.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::contact_point::{PointKind, PointValue};

    fn letterhead() -> Letterhead {
        Letterhead {
            from: "First Recovery <notices@recovery.example>".parse().expect("from"),
            reply_to: Some("replies@recovery.example".parse().expect("reply")),
            return_path: "bounces@recovery.example".parse().expect("return path"),
            verp: false,
            signer: None,
        }
    }

    fn outgoing(subject: &str, html: Option<&str>, url: Option<&str>) -> Outgoing {
        Outgoing {
            attempt: "att_0198c0de000070008000000000000017".parse().expect("id"),
            to: PointValue::parse(PointKind::Email, "sample017@example.com").expect("address"),
            language: "es".to_owned(),
            content: Content::Email {
                subject: subject.to_owned(),
                text: "Hola, señor\r\n.\r\nfin".to_owned(),
                html: html.map(str::to_owned),
            },
            unsubscribe_url: url.map(str::to_owned),
            status_callback_url: None,
            call: None,
        }
    }

    #[test]
    fn a_letter_has_all_that_the_rules_want() {
        let url = "https://gw.example.com/u/abc?x=1&y=2";
        let message = outgoing("Su cuenta – aviso", Some("<p>Hola</p>"), Some(url));
        let at = "2026-11-22T13:00:00Z".parse().expect("instant");
        let letter = letterhead().write(&message, at).expect("letter");
        let text = String::from_utf8(letter.bytes.clone()).expect("text");
        for line in [
            "From: \"First Recovery\" <notices@recovery.example>\r\n",
            "Reply-To: replies@recovery.example\r\n",
            "To: sample017@example.com\r\n",
            "Date: Sun, 22 Nov 2026 13:00:00 +0000\r\n",
            "Message-ID: <att_0198c0de000070008000000000000017.dunwell@recovery.example>\r\n",
            "Auto-Submitted: auto-generated\r\n",
            "Content-Language: es\r\n",
            "List-Unsubscribe: <https://gw.example.com/u/abc?x=1&y=2>\r\n",
            "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n",
            "Content-Type: text/plain; charset=utf-8\r\n",
            "Content-Type: text/html; charset=utf-8\r\n",
        ] {
            assert!(text.contains(line), "{line} in\n{text}");
        }
        assert!(text.find("text/plain") < text.find("text/html"));
        assert!(text.is_ascii(), "everything is encoded");
        assert_eq!(
            letter.envelope.from().map(ToString::to_string).as_deref(),
            Some("bounces@recovery.example")
        );
        assert_eq!(
            letterhead().write(&message, at).expect("again").bytes,
            letter.bytes,
            "the same every time"
        );
    }

    #[test]
    fn nothing_smuggles_a_header_in() {
        let at = Timestamp::from_millis(0);
        let write = |subject: &str, url: Option<&str>| letterhead().write(&outgoing(subject, None, url), at);
        assert_eq!(write("a\r\nBcc: all@example.com", None).err(), Some(Unwritable::Subject));
        for bad in [
            "javascript:x",
            "https://a.example/>,<x",
            "nonsense",
            &format!("https://a.example/{}", "x".repeat(900)),
        ] {
            // A `>` is percent-encoded by the parser or refused by us; either way it ends no header.
            if let Ok(letter) = write("s", Some(bad)) {
                let text = String::from_utf8(letter.bytes).expect("text");
                let line = text.lines().find(|line| line.starts_with("List-Unsubscribe:")).expect("header");
                assert_eq!(line.matches('>').count(), 1, "{line}");
            }
        }
        let sneaky = write("s", Some("https://a.example/\r\nBcc: all@example.com")).expect("cleaned");
        let text = String::from_utf8(sneaky.bytes).expect("text");
        assert!(!text.contains("\nBcc:"), "{text}");
        let mut spoken = outgoing("s", None, None);
        spoken.language = "en\r\nBcc: all@example.com".to_owned();
        let text = String::from_utf8(letterhead().write(&spoken, at).expect("letter").bytes).expect("text");
        assert!(!text.contains("Bcc"), "{text}");
    }

    #[test]
    fn each_message_may_have_a_return_path_of_its_own() {
        let letterhead = Letterhead { verp: true, ..letterhead() };
        let letter = letterhead.write(&outgoing("s", None, None), Timestamp::from_millis(0)).expect("letter");
        assert_eq!(
            letter.envelope.from().map(ToString::to_string).as_deref(),
            Some("bounces+att_0198c0de000070008000000000000017@recovery.example")
        );
    }

    #[test]
    fn a_message_id_leads_back_to_its_attempt() {
        let attempt: AttemptId = "att_0198c0de000070008000000000000017".parse().expect("id");
        let id = message_id(attempt, "recovery.example");
        for text in [&id, id.trim_matches(['<', '>']), &format!("<x@y.example>\r\n {id}")] {
            assert_eq!(attempt_of(text), Some(attempt), "{text}");
        }
        for other in
            ["", "<x@y.example>", "<att_0198c0de000070008000000000000017@y.example>", "<att_1.dunwell@y>"]
        {
            assert_eq!(attempt_of(other), None, "{other}");
        }
    }
}
