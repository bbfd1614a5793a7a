//! Keeping secrets and personal data out of everything that is printed.

use crate::provider::settings::Settings;
use std::fmt;

/// What stands where something must not be shown.
pub const HIDDEN: &str = "[redacted]";

/// Shows only how much there is of something.
pub struct Length(pub usize);

impl fmt::Debug for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{HIDDEN} ({} bytes)", self.0)
    }
}

/// The text with every secret of the settings blotted out, also where it was percent-encoded or in base64.
pub fn without_secrets(text: &str, settings: &Settings) -> String {
    let mut text = text.to_owned();
    for secret in settings.secrets().filter(|secret| !secret.is_empty()) {
        let mut encoded = String::new();
        crate::provider::placeholder::push_percent_encoded(&mut encoded, secret);
        let base64 = base64::Engine::encode(&base64::prelude::BASE64_STANDARD, secret);
        for form in [secret, encoded.as_str(), base64.as_str()] {
            text = text.replace(form, HIDDEN);
        }
    }
    text
}

/// A vendor's code as we may keep it: short and of harmless characters; anything else is `unreadable`.
///
/// Codes go into the clear part of the history, so nothing personal may come in by this door.
pub fn code(text: &str) -> String {
    let harmless = |c: char| c.is_ascii_alphanumeric() || "._:-/ ".contains(c);
    let digits = text.chars().filter(char::is_ascii_digit).count();
    if text.is_empty() || text.len() > 48 || digits > 9 || !text.chars().all(harmless) {
        "unreadable".to_owned()
    } else {
        text.to_owned()
    }
}

/// Whether a code in a table is this one: the same, or its beginning where it ends with `*`.
pub fn names(known: &str, code: &str) -> bool {
    known == code || known.strip_suffix('*').is_some_and(|beginning| code.starts_with(beginning))
}

/// A text for a person who looks for a difference: in quotes, every invisible character written out, cut where it is long.
pub fn quoted(text: &str) -> String {
    const LONG: usize = 600;
    let cut: String = text.chars().take(LONG).collect();
    let more =
        if cut.len() < text.len() { format!(" … ({} bytes in all)", text.len()) } else { String::new() };
    format!("{cut:?}{more}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_carry_nothing_personal() {
        assert_eq!(code("30005"), "30005");
        assert_eq!(code("550 5.1.1"), "550 5.1.1");
        for bad in ["", "+13055550123", "13055550123", "sample@example.com", "a\nb", &"x".repeat(49)] {
            assert_eq!(code(bad), "unreadable", "{bad}");
        }
    }
}
