//! What the debtor wrote, without what a mail program quoted below or above it.
//!
//! A reply by email carries our own message with it, and ours says STOP. What is quoted is left out only where a mark says
//! that it is quoted; in doubt the words stay, and a person may have to read them.

use std::borrow::Cow;

/// The fields of a quoted message's head as mail programs write them, in the languages that ours are read in: who, when, to
/// whom, about what.
const HEAD: &[&[&str]] = &[
    &["from", "de", "von", "da", "van"],
    &[
        "sent",
        "date",
        "enviado",
        "enviado el",
        "enviada",
        "enviada em",
        "fecha",
        "data",
        "envoye",
        "envoyé",
        "gesendet",
        "inviato",
    ],
    &["to", "para", "a", "à", "an", "aan"],
    &["subject", "asunto", "assunto", "objet", "betreff", "oggetto", "onderwerp"],
];

/// Bytes of the longest of them.
const LONGEST_FIELD: usize = 16;

/// What stands between dashes before a quoted message.
const ORIGINAL: &[&str] = &[
    "original message",
    "original appointment",
    "mensaje original",
    "mensagem original",
    "message d'origine",
    "message original",
    "ursprüngliche nachricht",
    "messaggio originale",
    "forwarded message",
    "mensaje reenviado",
    "mensagem encaminhada",
];

/// A line that announces a quoted message, in lower case: whole-line patterns of the common mail programs.
fn announces(line: &str, next: &str) -> bool {
    if line.trim().is_empty() {
        return false;
    }
    let line = line.trim().trim_start_matches('>').trim().to_lowercase();
    let together = format!("{line} {}", next.trim().to_lowercase());
    let wrote = |text: &str| {
        (text.starts_with("on ") && text.ends_with("wrote:"))
            || (text.starts_with("el ") && (text.ends_with("escribió:") || text.ends_with("escribio:")))
            || (text.starts_with("le ") && (text.ends_with("a écrit :") || text.ends_with("a écrit:")))
            || (text.starts_with("em ") && text.ends_with("escreveu:"))
            || (text.starts_with("am ") && text.contains(" schrieb ") && text.ends_with(':'))
    };
    wrote(&line)
        || wrote(together.trim())
        || (line.starts_with("--")
            && ORIGINAL.iter().any(|words| line.trim_matches(['-', ' ']).starts_with(words)))
        || line.starts_with("begin forwarded message")
        || (line.len() >= 10 && line.chars().all(|c| c == '_'))
        || is_header(&line, next)
}

/// The head of a quoted message: `From: …` or `Sent: …`, and at once another field of it.
fn is_header(line: &str, next: &str) -> bool {
    let field = |line: &str| {
        let (name, _) = line.trim().trim_start_matches('*').split_once(':')?;
        let name = name.trim_end_matches('*').trim();
        let name = Some(name).filter(|name| name.len() <= LONGEST_FIELD)?.to_lowercase();
        HEAD.iter().position(|names| names.contains(&name.as_str()))
    };
    matches!((field(line), field(next)), (Some(first @ (0 | 1)), Some(second)) if first != second)
}

/// How our own lines with a link to unsubscribe begin; they end in a colon and the link.
const OURS: &[&str] = &[
    "to stop ",
    "to unsubscribe",
    "to opt out",
    "para no recibir ",
    "para dejar de recibir ",
    "para darse de baja",
];

/// A line without our own links to unsubscribe; none if nothing is left that the debtor wrote. Beside the link may stand
/// what the debtor says about it.
fn without_link<'a>(line: &'a str, link: &str) -> Option<Cow<'a, str>> {
    if !line.contains(link) {
        return Some(Cow::Borrowed(line));
    }
    let mut pieces = Vec::new();
    let mut rest = line;
    while let Some((before, behind)) = rest.split_once(link) {
        pieces.push(before);
        let of_link = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '?' | '&' | '=' | '%');
        rest = behind.trim_start_matches(of_link);
    }
    pieces.push(rest);
    let says = |piece: &str| piece.contains(char::is_alphanumeric);
    let ours = |piece: &str| {
        let piece = piece.trim().trim_end_matches(['<', '(', '[', ' ']).to_lowercase();
        piece.ends_with(':') && OURS.iter().any(|start| piece.starts_with(start))
    };
    match pieces.as_slice() {
        [first, others @ ..] if ours(first) && !others.iter().any(|piece| says(piece)) => None,
        pieces if pieces.iter().any(|piece| says(piece)) => {
            Some(Cow::Owned(pieces.concat().trim_end().to_owned()))
        }
        _ => None,
    }
}

/// The debtor's own words of an email's plain text: quoted lines, the quoted message below and the signature left out, and
/// our own link to unsubscribe, which stands under `public_url`, with the words that we put before it. Where a debtor wrote
/// between the quoted lines, those words stay.
pub fn own_words(text: &str, public_url: &str) -> String {
    let ours = format!("{public_url}/u/");
    let lines: Vec<&str> = text.lines().collect();
    let mut own: Vec<Cow<'_, str>> = Vec::new();
    let mut rest_of_announcement = None;
    let spoken = next_spoken(&lines);
    let last_marked = lines.iter().rposition(|line| line.trim_start().starts_with('>'));
    for (at, line) in lines.iter().enumerate() {
        let next_at = spoken.get(at).copied().flatten();
        let next = next_at.and_then(|at| lines.get(at)).copied().unwrap_or("");
        let bare = line.trim();
        if bare.starts_with('>') || rest_of_announcement == Some(at) {
            continue;
        }
        if announces(line, next) {
            if bare.ends_with(':') || is_header(&bare.to_lowercase(), next) || !next.trim().ends_with(':') {
                rest_of_announcement = None;
            } else {
                rest_of_announcement = next_at;
            }
            // Behind the announcement comes what is quoted: with marks line by line, or without to the end.
            if next.trim_start().starts_with('>') {
                continue;
            }
            let wrapped = last_marked.is_some_and(|last| last > at);
            if !wrapped {
                break;
            }
            continue;
        }
        // RFC 3676, section 4.3: what follows is a signature.
        if *line == "-- " || bare == "--" {
            break;
        }
        if !is_machine_line(bare) {
            own.extend(without_link(line, &ours));
        }
    }
    own.join("\n").trim().to_owned()
}

/// For each line the place of the next one that is not blank.
fn next_spoken(lines: &[&str]) -> Vec<Option<usize>> {
    let mut next = None;
    let mut places: Vec<Option<usize>> = lines
        .iter()
        .enumerate()
        .rev()
        .map(|(at, line)| if line.trim().is_empty() { next } else { next.replace(at) })
        .collect();
    places.reverse();
    places
}

/// "Sent from my iPhone" is not the debtor's wording.
fn is_machine_line(line: &str) -> bool {
    let line = line.to_lowercase();
    ["sent from my ", "get outlook for ", "enviado desde mi ", "sent from yahoo mail"]
        .iter()
        .any(|start| line.starts_with(start))
        && line.len() < 80
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = "https://gateway.example";

    #[test]
    fn a_body_without_end_is_read_all_the_same() {
        let blank = "\n".repeat(2_000_000);
        assert_eq!(own_words(&format!("{blank}stop{blank}"), OURS), "stop");
        let lines = "____________\n".repeat(50_000);
        assert_eq!(own_words(&format!("stop\n{lines}> x"), OURS), "stop");
    }

    #[test]
    fn what_is_quoted_is_left_out() {
        for (text, wanted) in [
            ("stop", "stop"),
            (
                "Thanks!\n\nOn Mon, Nov 23, 2026 at 9:00 AM First Recovery <a@b.example> wrote:\n> Reply STOP to opt out\n",
                "Thanks!",
            ),
            (
                "Thanks\r\n\r\nOn Mon, Nov 23, 2026 at 9:00 AM First Recovery\r\n<a@b.example> wrote:\r\n\r\n> Reply STOP\r\n",
                "Thanks",
            ),
            (
                "Gracias\n\nEl lun, 23 nov 2026 a las 9:00, First Recovery (<a@b.example>) escribió:\n\n> Responda ALTO",
                "Gracias",
            ),
            (
                "I paid\n________________________________\nFrom: First Recovery <a@b.example>\nSent: Monday\nTo: me\n\nReply STOP",
                "I paid",
            ),
            ("I paid\n\nFrom: First Recovery <a@b.example>\nSent: Monday\n\nReply STOP", "I paid"),
            ("ok\n-----Original Message-----\nFrom: x\n\nReply STOP", "ok"),
            ("Sure\n-- \nSample Debtor\nSTOP Bullying Foundation", "Sure"),
            ("ok\n\nSent from my iPhone", "ok"),
            (
                "> You owe 482.13\nI do not owe this\n> Reply STOP\nstop writing to me",
                "I do not owe this\nstop writing to me",
            ),
            (
                "On Mon, First Recovery <a@b.example> wrote:\n> Reply STOP\n\nI'll pay Friday",
                "I'll pay Friday",
            ),
            ("", ""),
            ("> only quoted", ""),
            ("ok\nTo stop emails: https://gateway.example/u/abc123", "ok"),
            (
                "I'll pay Friday.\nPlease stop these emails https://gateway.example/u/abc",
                "I'll pay Friday.\nPlease stop these emails",
            ),
            (
                "https://gateway.example/u/a-b_c does not work. Take me off your list",
                "does not work. Take me off your list",
            ),
            ("Stop this <https://gateway.example/u/abc>, now", "Stop this <>, now"),
            ("ya no me manden esto (https://gateway.example/u/abc)", "ya no me manden esto ()"),
            ("ok\nhttps://gateway.example/u/abc", "ok"),
            ("ok\n<https://gateway.example/u/abc>.", "ok"),
            (
                "vale\nPara no recibir m\u{e1}s correos, abra este enlace: https://gateway.example/u/abc",
                "vale",
            ),
            (
                "To stop these I opened this: https://gateway.example/u/abc and they go on",
                "To stop these I opened this:  and they go on",
            ),
            ("ok\n-------- Original message --------\nFrom: x\nReply STOP", "ok"),
            ("vale\n-------- Mensaje original --------\nDe: x\nResponda ALTO", "vale"),
            ("ok\n\nDe : First Recovery\nEnvoyé : lundi\nObjet : votre compte\n\nSTOP", "ok"),
            ("sim\n\nDe: First Recovery\nData: segunda\nAssunto: conta\n\nSTOP", "sim"),
            ("ok\nEm seg., 23 de nov. de 2026, First Recovery escreveu:\n> STOP", "ok"),
            ("Sent via certified mail, stop contacting me", "Sent via certified mail, stop contacting me"),
        ] {
            assert_eq!(own_words(text, OURS), wanted, "{text:?}");
        }
    }

    #[test]
    fn in_doubt_the_words_stay() {
        for text in [
            "On Monday I will pay.\nStop writing.",
            "From: now on please stop",
            "el martes pago",
            "To: whom it may concern\nSubject: stop",
        ] {
            assert_eq!(own_words(text, OURS), text);
        }
    }
}
