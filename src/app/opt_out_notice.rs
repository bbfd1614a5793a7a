//! How to stop must be simple on the very medium (12 CFR 1006.6(e), comment 6(e)-1): by a link, or by a reply of one word. A notice
//! that asks for a letter, a call or a visit to a site without a link is refused before anything is sent with it.
//!
//! This stands here because it takes two engines: what the notice says, and what a reply is understood as.

use crate::domain::channel::Channel;
use crate::domain::fault::{Fault, SourceFile};
use crate::domain::time::Timestamp;
use crate::reply::{Reader, Said};

/// Where the notices stand, a file for each language, medium and form.
const FOLDER: &str = "disclosures/opt-out-notice/";
/// The variable that the link is.
const LINK: &str = "{{unsubscribe_url}}";

/// What a stop may not depend on, in English and Spanish: nobody need say more than the wish and the address, or pay.
const MORE: [&str; 20] = [
    "social security",
    "ssn",
    "account number",
    "date of birth",
    "birth date",
    "password",
    "pin",
    "log in",
    "sign in",
    "fee",
    "charge",
    "seguro social",
    "número de cuenta",
    "fecha de nacimiento",
    "contraseña",
    "clave",
    "iniciar sesión",
    "inicie sesión",
    "costo",
    "cargo",
];

/// What is wrong with the notices among the templates' files.
pub fn faults(files: &[SourceFile]) -> Vec<Fault> {
    let reader = Reader::shipped();
    files.iter().filter_map(|file| fault(reader, file)).collect()
}

fn fault(reader: &Reader, file: &SourceFile) -> Option<Fault> {
    let name = file.path.strip_prefix(FOLDER)?;
    let mut parts = name.split('.');
    let (language, medium) = (parts.next()?, parts.next()?);
    let replies = |channel| names_a_reply(reader, &file.text, channel, language);
    if let Some(more) = asks_for_more(&file.text) {
        let message = format!(
            "the notice speaks of `{more}`: a stop asks for nothing beyond itself and costs nothing (12 CFR 1006.6(e))"
        );
        return Some(Fault::at(&file.path, 1, message));
    }
    let message = match medium {
        "sms" if !replies(Channel::Sms) => {
            "names no word in capitals that a reply of it would stop texts with"
        }
        "email" if !file.text.contains(LINK) && !replies(Channel::Email) => {
            "has neither the link `{{unsubscribe_url}}` nor a word in capitals that a reply of it would stop emails with"
        }
        _ => return None,
    };
    Some(Fault::at(&file.path, 1, format!("the notice {message} (12 CFR 1006.6(e))")))
}

fn asks_for_more(notice: &str) -> Option<&'static str> {
    let lower = notice.to_lowercase();
    let whole = |at: usize, word: &str| {
        !lower[..at].ends_with(char::is_alphanumeric)
            && !lower[at + word.len()..].starts_with(char::is_alphanumeric)
    };
    MORE.into_iter().find(|word| lower.match_indices(word).any(|(at, _)| whole(at, word)))
}

/// Whether the notice tells a word, set in capitals as keywords are, that is understood as a stop.
fn names_a_reply(reader: &Reader, notice: &str, channel: Channel, language: &str) -> bool {
    let words = notice.split(|c: char| !c.is_alphabetic());
    let mut keywords = words.filter(|word| word.len() > 2 && word.chars().all(char::is_uppercase));
    keywords.any(|text| {
        let today = Timestamp::from_millis(0).utc_date();
        let said = Said { text, channel, language: Some(language), today, currency: None };
        reader.read(&said).stop.is_some()
    })
}
