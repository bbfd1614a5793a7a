//! What a reply says. Whole messages that carriers and the law name are understood; whatever is not surely something else is
//! *unclear*, which freezes the address until a person has read it.

use crate::domain::event::Understanding;

/// Reply words that revoke per se (47 CFR 64.1200(a)(10)), the further ones that carriers honour, and the Spanish ones.
const STOP: &[&str] = &[
    "stop",
    "stopall",
    "stop all",
    "quit",
    "end",
    "revoke",
    "opt out",
    "optout",
    "opt-out",
    "cancel",
    "unsubscribe",
    "remove",
    "remove me",
    "stop texting me",
    "stop calling me",
    "stop emailing me",
    "alto",
    "parar",
    "pare",
    "baja",
    "cancelar",
    "detener",
    "no mas",
    "no más",
    "darse de baja",
];
/// Asks for help; answered, never a stop.
const HELP: &[&str] = &["help", "info", "ayuda"];
/// Asks to hear from us again.
const START: &[&str] = &["start", "unstop", "comenzar", "empezar"];

/// Understands a message: by the provider's own keyword, or by its words alone.
pub fn understand(text: &str, keyword: Option<&str>) -> Understanding {
    let said = plain(text);
    let by_provider = keyword.map(plain);
    let is_one_of = |words: &[&str]| {
        words.contains(&said.as_str()) || by_provider.as_deref().is_some_and(|word| words.contains(&word))
    };
    // A stop comes first: where the provider and the words disagree, the stricter reading holds.
    if is_one_of(STOP) {
        Understanding::Stop
    } else if is_one_of(HELP) {
        Understanding::Help
    } else if is_one_of(START) {
        Understanding::Start
    } else {
        Understanding::Unclear
    }
}

/// Lower case, without punctuation at the ends, courtesies and doubled spaces.
fn plain(text: &str) -> String {
    let lower = text.to_lowercase();
    let words: Vec<&str> = lower
        .split_whitespace()
        .map(|word| word.trim_matches(|c: char| !c.is_alphanumeric()))
        .filter(|word| {
            !word.is_empty() && !matches!(*word, "please" | "pls" | "por" | "favor" | "thanks" | "gracias")
        })
        .collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_words_are_understood() {
        for text in [
            "STOP",
            "stop.",
            " Stop! ",
            "Please stop",
            "ALTO",
            "Alto por favor",
            "unsubscribe",
            "opt out",
            "Quit",
        ] {
            assert_eq!(understand(text, None), Understanding::Stop, "{text}");
        }
        assert_eq!(understand("HELP", None), Understanding::Help);
        assert_eq!(understand("ayuda", None), Understanding::Help);
        assert_eq!(understand("START", None), Understanding::Start);
    }

    #[test]
    fn the_provider_s_keyword_counts() {
        assert_eq!(understand("arrêt", Some("STOP")), Understanding::Stop);
        assert_eq!(understand("stop", Some("HELP")), Understanding::Stop);
    }

    #[test]
    fn anything_else_waits_for_a_person() {
        for text in ["who is this", "I already paid", "", "👍", "stop by my office", "can't stop laughing"]
        {
            assert_eq!(understand(text, None), Understanding::Unclear, "{text}");
        }
    }
}
