//! Mail that comes in: what a debtor wrote, what a mail server reports (RFC 3464), what a mailbox provider complains of
//! (RFC 5965), and what a machine answers.
//!
//! Reports are believed only where they carry the identifier of an attempt, which is random and stands in no other message:
//! in the address they were sent to, or in the headers of our message that they return. Anybody can forge the rest.

use crate::channel::email::listener::Envelope;
use crate::channel::email::message::attempt_of;
use crate::domain::id::AttemptId;
use crate::domain::outcome::FailureCause;
use mail_parser::{Message, MessageParser, MimeHeaders, PartType};

/// A message that came in.
#[derive(Clone, PartialEq, Eq)]
pub enum Incoming {
    /// A person wrote.
    Letter(Letter),
    /// A mail server reports what became of an attempt.
    Report {
        /// Of which attempt.
        attempt: AttemptId,
        /// What became of it.
        fate: Fate,
        /// `failed`, and the code.
        code: String,
    },
    /// A mailbox provider passes on that the debtor called an attempt unwanted (RFC 5965).
    Complaint {
        /// Of which attempt.
        attempt: AttemptId,
    },
    /// A machine answered, or a report is about nothing of ours: nothing follows from it.
    Machine,
}

/// What a person wrote.
#[derive(Clone, PartialEq, Eq)]
pub struct Letter {
    /// Who wrote, as the message says.
    pub from: String,
    /// The text, with what it quotes; the subject before it where it is the debtor's own.
    pub text: String,
    /// The `Message-ID`.
    pub id: Option<String>,
    /// The attempt that it answers, if its headers name one.
    pub answers: Option<AttemptId>,
}

/// What a delivery report says of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It arrived.
    Delivered,
    /// It was passed on to a server that reports nothing.
    Relayed,
    /// It is still being tried.
    Delayed,
    /// It did not arrive.
    Failed(FailureCause),
}

/// Reads a message as it came, in its envelope; none if it is no message.
pub fn read(bytes: &[u8], envelope: &Envelope) -> Option<Incoming> {
    let message = MessageParser::default().parse(bytes)?;
    let to_attempt = envelope.recipients.iter().find_map(|recipient| attempt_in_address(recipient));
    match report_type(&message).as_deref() {
        Some("delivery-status") => Some(delivery_report(&message, to_attempt)),
        Some("feedback-report") => Some(complaint(&message, to_attempt)),
        Some(_) => Some(Incoming::Machine),
        // No person writes without a sender. To the address that stands for an attempt a server says so that it came back.
        None if envelope.sender.is_empty() => Some(to_attempt.map_or(Incoming::Machine, returned)),
        None if is_machine(&message) => Some(Incoming::Machine),
        None => letter(&message),
    }
}

/// A letter as a vendor's callback tells it, in parts.
pub struct Told<'t> {
    /// Who wrote.
    pub from: &'t str,
    /// The vendor's identifier of it, or its `Message-ID`.
    pub id: Option<&'t str>,
    /// The subject, where the headers do not hold it.
    pub subject: Option<&'t str>,
    /// Its own headers, as far as they are told.
    pub headers: &'t [(String, String)],
    /// The text.
    pub text: &'t str,
    /// The same in HTML, read where there is no text.
    pub html: Option<&'t str>,
}

/// Reads a letter that is told in parts as if it had come whole. A report of a mail server is not read here: only its text is
/// told.
pub fn told(told: &Told<'_>) -> Option<Incoming> {
    let header = |name: &str| told.headers.iter().find(|(found, _)| found.eq_ignore_ascii_case(name));
    let report = header("Content-Type")
        .is_some_and(|(_, value)| value.to_ascii_lowercase().contains("multipart/report"));
    if report {
        return Some(Incoming::Machine);
    }
    let mut whole = String::new();
    let mut write = |name: &str, value: &str| {
        let plain = |text: &str| text.replace(|c: char| c.is_control(), " ");
        if !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':') {
            whole.push_str(&format!("{name}: {}\r\n", plain(value)));
        }
    };
    for (name, value) in told.headers {
        let of_body = name.get(..8).is_some_and(|start| start.eq_ignore_ascii_case("content-"));
        if !of_body && !name.eq_ignore_ascii_case("mime-version") {
            write(name, value);
        }
    }
    let angled = told.id.map(|id| format!("<{}>", id.trim_matches(['<', '>'])));
    for (name, value) in
        [("From", Some(told.from)), ("Subject", told.subject), ("Message-ID", angled.as_deref())]
    {
        if let Some(value) = value.filter(|_| header(name).is_none()) {
            write(name, value);
        }
    }
    let (kind, body) = match told.html {
        Some(html) if told.text.trim().is_empty() => ("html", html),
        Some(_) | None => ("plain", told.text),
    };
    write("MIME-Version", "1.0");
    write("Content-Type", &format!("text/{kind}; charset=utf-8"));
    write("Content-Transfer-Encoding", "8bit");
    whole.push_str("\r\n");
    whole.push_str(body);
    let envelope = Envelope { sender: told.from.to_owned(), recipients: Vec::new() };
    match read(whole.as_bytes(), &envelope)? {
        // The vendor knows from the envelope who wrote, and by its identifier a letter that comes twice.
        Incoming::Letter(letter) => Some(Incoming::Letter(Letter {
            from: told.from.to_owned(),
            id: told.id.map(str::to_owned).or(letter.id),
            ..letter
        })),
        other => Some(other),
    }
}

/// The attempt in an address of the form `anything+att_…@domain`: the envelope's sender of one message alone (VERP).
fn attempt_in_address(address: &str) -> Option<AttemptId> {
    let (local, _) = address.trim_matches(['<', '>']).rsplit_once('@')?;
    local.rsplit_once('+')?.1.parse().ok()
}

/// `report-type` of a multipart/report (RFC 6522), in lower case. Some servers leave the parameter out: then the part says.
fn report_type(message: &Message<'_>) -> Option<String> {
    let kind = message.content_type()?;
    if !(kind.ctype().eq_ignore_ascii_case("multipart") && kind.subtype()?.eq_ignore_ascii_case("report")) {
        return None;
    }
    if let Some(named) = kind.attribute("report-type") {
        return Some(named.to_ascii_lowercase());
    }
    ["delivery-status", "feedback-report"]
        .into_iter()
        .find(|wanted| part(message, wanted).is_some())
        .map(str::to_owned)
        .or_else(|| Some(String::new()))
}

/// The text of the first part of type `message/…`.
fn part(message: &Message<'_>, subtype: &str) -> Option<String> {
    message.parts.iter().find_map(|part| {
        let kind = part.content_type()?;
        let fits = kind.ctype().eq_ignore_ascii_case("message")
            && kind.subtype().is_some_and(|found| found.eq_ignore_ascii_case(subtype));
        fits.then(|| String::from_utf8_lossy(part.contents()).into_owned())
    })
}

/// The attempt whose message a report returns, in whole or its headers alone.
fn returned_attempt(message: &Message<'_>) -> Option<AttemptId> {
    message.parts.iter().find_map(|part| {
        if let PartType::Message(inner) = &part.body {
            return inner.message_id().and_then(attempt_of);
        }
        let kind = part.content_type()?;
        let headers = kind.subtype().is_some_and(|subtype| subtype.eq_ignore_ascii_case("rfc822-headers"));
        if !headers {
            return None;
        }
        let text = String::from_utf8_lossy(part.contents()).into_owned();
        unfolded(&text).iter().find_map(|line| attempt_of(field(line, "message-id")?))
    })
}

/// RFC 3464: the groups of the recipients, and the one that weighs most.
fn delivery_report(message: &Message<'_>, to_attempt: Option<AttemptId>) -> Incoming {
    let Some(attempt) = to_attempt.or_else(|| returned_attempt(message)) else { return Incoming::Machine };
    let text = part(message, "delivery-status").unwrap_or_default();
    let lines = unfolded(&text);
    let find = |name: &str| lines.iter().find_map(|line| field(line, name)).unwrap_or_default();
    let action = find("action").trim().to_ascii_lowercase();
    let code = code_of(find("diagnostic-code"), find("status"));
    let fate = match action.as_str() {
        "delivered" => Fate::Delivered,
        "relayed" | "expanded" => Fate::Relayed,
        "delayed" => Fate::Delayed,
        "failed" => Fate::Failed(cause(&code, find("diagnostic-code"))),
        _ => return Incoming::Machine,
    };
    Incoming::Report { attempt, fate, code }
}

/// RFC 5965: a `Feedback-Type` of `not-spam` takes a complaint back and is none.
fn complaint(message: &Message<'_>, to_attempt: Option<AttemptId>) -> Incoming {
    let Some(attempt) = to_attempt.or_else(|| returned_attempt(message)) else { return Incoming::Machine };
    let text = part(message, "feedback-report").unwrap_or_default();
    let kind =
        unfolded(&text).iter().find_map(|line| field(line, "feedback-type").map(str::to_ascii_lowercase));
    match kind.as_deref().map(str::trim) {
        Some("not-spam" | "auth-failure") | None => Incoming::Machine,
        Some(_) => Incoming::Complaint { attempt },
    }
}

/// A message that came back without a report in the standard form.
fn returned(attempt: AttemptId) -> Incoming {
    Incoming::Report { attempt, fate: Fate::Failed(FailureCause::Unspecified), code: "unknown".to_owned() }
}

/// Subjects that mail programs give an absent person's answer.
const AUTOMATIC: &[&str] = &[
    "automatic reply",
    "auto reply",
    "auto-reply",
    "autoreply",
    "automatic response",
    "out of office",
    "out of the office",
    "respuesta automatica",
    "respuesta automática",
    "fuera de la oficina",
    "fuera de oficina",
];

/// Fields with their folded lines joined (RFC 5322, section 2.2.3).
fn unfolded(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        match lines.last_mut() {
            Some(last) if line.starts_with([' ', '\t']) => {
                last.push(' ');
                last.push_str(line.trim());
            }
            Some(_) | None => lines.push(line.to_owned()),
        }
    }
    lines
}

fn field<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let (found, value) = line.split_once(':')?;
    found.trim().eq_ignore_ascii_case(name).then_some(value.trim())
}

/// The code that says most: an enhanced one (RFC 3463) of the diagnosis before that of the status, for some servers write
/// 5.0.0 always; then the plain one.
fn code_of(diagnosis: &str, status: &str) -> String {
    let words = || diagnosis.split(|c: char| c.is_whitespace() || "();,#-".contains(c));
    let enhanced = |word: &&str| {
        let parts: Vec<&str> = word.split('.').collect();
        parts.len() == 3
            && matches!(parts.first(), Some(&"2" | &"4" | &"5"))
            && parts
                .iter()
                .all(|part| !part.is_empty() && part.len() <= 3 && part.bytes().all(|b| b.is_ascii_digit()))
    };
    let plain = |word: &&str| {
        word.len() == 3 && word.starts_with(['2', '4', '5']) && word.bytes().all(|b| b.is_ascii_digit())
    };
    let status = status.split_whitespace().next().unwrap_or_default();
    words()
        .find(enhanced)
        .filter(|code| *code != "5.0.0")
        .or_else(|| Some(status).filter(|status| enhanced(status)))
        .or_else(|| words().find(plain))
        .unwrap_or("unknown")
        .to_owned()
}

/// What a failure says of the address. A soft failure that was given up is `failed` with a 4: no fault of the address.
fn cause(code: &str, diagnosis: &str) -> FailureCause {
    match code {
        "5.1.1" | "5.1.2" | "5.1.3" | "5.1.6" | "5.1.10" | "5.2.1" | "5.4.4" => FailureCause::InvalidAddress,
        "5.6.0" | "5.3.4" | "5.2.3" => FailureCause::Content,
        _ if code.starts_with("5.7.") => FailureCause::Content,
        "5.0.0" | "5.1.0" | "5.5.0" | "550" | "551" | "553" | "unknown" => {
            let text = diagnosis.to_ascii_lowercase();
            let unknown = [
                "user unknown",
                "unknown user",
                "no such user",
                "does not exist",
                "no such recipient",
                "unknown recipient",
                "invalid recipient",
                "invalid mailbox",
                "no mailbox here",
                "user not found",
            ];
            match unknown.iter().any(|words| text.contains(words)) {
                true => FailureCause::InvalidAddress,
                false => FailureCause::Unspecified,
            }
        }
        _ => FailureCause::Unspecified,
    }
}

/// Vacation notices and list mail (RFC 3834, section 2; the headers that programs write instead).
fn is_machine(message: &Message<'_>) -> bool {
    let header = |name: &str| {
        message
            .header_raw(name)
            .map(|value| value.trim().to_ascii_lowercase())
            .filter(|value| !value.is_empty())
    };
    header("Auto-Submitted").is_some_and(|value| !value.starts_with("no"))
        || header("Precedence")
            .is_some_and(|value| ["bulk", "junk", "list", "auto_reply"].contains(&value.as_str()))
        || ["X-Autoreply", "X-Autorespond", "X-Auto-Response-From", "List-Id"]
            .iter()
            .any(|name| header(name).is_some())
        || message.subject().is_some_and(|subject| {
            let subject = subject.trim().to_lowercase();
            AUTOMATIC.iter().any(|start| {
                subject.strip_prefix(start).is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
            })
        })
        || message.return_path().as_text().is_some_and(|path| path.trim_matches(['<', '>']).is_empty())
}

fn letter(message: &Message<'_>) -> Option<Incoming> {
    let from = message.from()?.first()?.address()?.to_owned();
    let body = message.body_text(0).map(|text| text.into_owned()).unwrap_or_default();
    let subject = message.subject().unwrap_or_default().trim().to_owned();
    let answered = ["re:", "fw:", "fwd:", "rv:", "reenv:", "aw:"];
    let own = !subject.is_empty() && !answered.iter().any(|start| subject.to_lowercase().starts_with(start));
    let named = ["In-Reply-To", "References"];
    let answers = named.iter().find_map(|name| message.header_raw(*name).and_then(attempt_of));
    Some(Incoming::Letter(Letter {
        from,
        text: if own { format!("{subject}\n\n{body}") } else { body },
        id: message.message_id().map(str::to_owned),
        answers,
    }))
}
