//! What a message says that law looks at must stand in its manifest, or policy would judge by less than the debtor reads
//! (12 CFR 1006.26(b), 1006.38(b)(1)).

use crate::domain::channel::Claim;
use crate::domain::fault::{Fault, SourceFile};
use crate::template::manifest::Manifest;

/// Words by which a message speaks of suit, in English and Spanish; beginnings of words where they end in `…`.
const LEGAL_ACTION: [&str; 32] = [
    "lawsuit",
    "lawsuits",
    "sue",
    "sued",
    "suing",
    "legal action",
    "legal proceeding…",
    "litigat…",
    "court",
    "courts",
    "judgment against",
    "garnish…",
    "summons",
    "file suit",
    "bring suit",
    "obtain a judgment",
    "wages",
    "seize",
    "seized",
    "attorney will",
    "demandar…",
    "una demanda",
    "acción legal",
    "acciones legales",
    "vía judicial",
    "tribunal…",
    "juzgado…",
    "juicio",
    "embarg…",
    "litigi…",
    "proceso judicial",
    "su salario",
];

/// And by which it wants payment at once or within a time.
const DEADLINE: [&str; 31] = [
    "pay within",
    "pay immediately",
    "pay today",
    "immediate payment",
    "payment immediately",
    "payment within",
    "must pay by",
    "must be paid by",
    "must be received by",
    "final notice",
    "last chance",
    "or else",
    "pay no later",
    "pay before",
    "must pay the",
    "must pay your",
    "must pay this",
    "pague dentro",
    "pague de inmediato",
    "pague inmediatamente",
    "pague hoy",
    "pago inmediato",
    "debe pagar antes",
    "último aviso",
    "última oportunidad",
    "pague a más tardar",
    "pagar a más tardar",
    "pague antes",
    "pague ya",
    "pague ahora",
    "debe pagar hoy",
];

/// Judges a file of a message's words, or one that it includes; what they say and the manifest does not goes to the faults.
pub fn lint(file: &SourceFile, manifest: &Manifest, faults: &mut Vec<Fault>) {
    let (said, starts) = read_aloud(&file.text, !file.path.ends_with(".txt.hbs"));
    for (claim, words) in [(Claim::LegalAction, &LEGAL_ACTION[..]), (Claim::Deadline, &DEADLINE[..])] {
        let found = words.iter().find_map(|word| Some((word, place(&said, word)?)));
        if let Some((word, at)) = found.filter(|_| !manifest.says.contains(&claim)) {
            let what = format!(
                "`{word}` says `{claim}`, which template.toml does not: add says = [\"{claim}\"], or use other words"
            );
            faults.push(Fault::at(&file.path, starts.partition_point(|start| *start <= at), what));
        }
    }
}

/// What a reader is told, in small letters and one line, as most of it is sent: without expressions, and of a page without its
/// tags. Beside it where each line of the file begins in it: a phrase may run over the end of one.
fn read_aloud(text: &str, page: bool) -> (String, Vec<usize>) {
    let (mut said, mut starts, mut rest) = (String::new(), vec![0], text);
    while let Some(c) = rest.chars().next() {
        let (skipped, heard) = match c {
            '{' if rest.starts_with("{{") => {
                (rest.find("}}").map_or(rest.len(), |end| end + 2), " ".to_owned())
            }
            '<' if page => {
                let tag = rest.find('>').map_or(rest, |end| &rest[..=end]);
                (tag.len(), if is_within_words(tag) { String::new() } else { " ".to_owned() })
            }
            '&' if page => entity(rest),
            c => (c.len_utf8(), c.to_lowercase().collect()),
        };
        for c in heard.chars() {
            match c.is_whitespace() {
                true if said.is_empty() || said.ends_with(' ') => {}
                true => said.push(' '),
                false => said.push(c),
            }
        }
        let lines = rest[..skipped].matches('\n').count();
        starts.extend(std::iter::repeat_n(said.len(), lines));
        rest = &rest[skipped..];
    }
    said.push(' ');
    (said, starts)
}

/// Elements that may begin or end within a word.
fn is_within_words(tag: &str) -> bool {
    let name = tag.trim_start_matches(['<', '/']).split(|c: char| !c.is_ascii_alphanumeric()).next();
    matches!(name, Some("a" | "b" | "em" | "i" | "small" | "span" | "strong" | "u"))
}

/// A character written by its name or number (HTML, section 13.5): those that words in our languages are written with.
fn entity(text: &str) -> (usize, String) {
    let plain = (1, "&".to_owned());
    let Some((name, _)) =
        text.get(1..).and_then(|rest| rest.split_once(';')).filter(|(name, _)| name.len() < 9)
    else {
        return plain;
    };
    let code = name.strip_prefix('#').and_then(|digits| match digits.strip_prefix(['x', 'X']) {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => digits.parse().ok(),
    });
    let c = match name {
        "nbsp" | "ensp" | "emsp" | "thinsp" => Some(' '),
        "shy" | "zwnj" => return (name.len() + 2, String::new()),
        "aacute" | "Aacute" => Some('á'),
        "eacute" | "Eacute" => Some('é'),
        "iacute" | "Iacute" => Some('í'),
        "oacute" | "Oacute" => Some('ó'),
        "uacute" | "Uacute" => Some('ú'),
        "ntilde" | "Ntilde" => Some('ñ'),
        "uuml" | "Uuml" => Some('ü'),
        _ => code.and_then(char::from_u32),
    };
    c.map_or(plain, |c| (name.len() + 2, c.to_lowercase().collect()))
}

/// Where a word stands, or the beginning of one.
fn place(said: &str, word: &str) -> Option<usize> {
    let (begin, whole) = word.strip_suffix('…').map_or((word, true), |begin| (begin, false));
    let part = |at: usize| {
        said[..at].ends_with(char::is_alphanumeric)
            || (whole && said[at + begin.len()..].starts_with(char::is_alphanumeric))
    };
    said.match_indices(begin).map(|(at, _)| at).find(|at| !part(*at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::manifest::Manifest;

    fn faults(says: &str, purpose: &str, text: &str) -> Vec<String> {
        faults_in("en/sms.txt.hbs", says, purpose, text)
    }

    fn faults_in(path: &str, says: &str, purpose: &str, text: &str) -> Vec<String> {
        let file = |path: &str, text: String| SourceFile { path: path.to_owned(), text };
        let manifest = format!(
            "summary = \"x\"\npurpose = \"{purpose}\"\nchannels = [\"sms\"]\nversion = 1\nreviewed = false\nsays = [{says}]\n"
        );
        let mut found = Vec::new();
        let manifest = Manifest::read(&file("template.toml", manifest), &mut found).expect("a manifest");
        lint(&file(path, text.to_owned()), &manifest, &mut found);
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn words_of_suit_and_of_haste_must_be_declared() {
        let suit = "Hello {{debtor.name}}.\nWe may take you to court.";
        let found = faults("", "collection", suit);
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("en/sms.txt.hbs:2: `court` says `legal_action`"), "{found:?}");
        assert_eq!(faults("\"legal_action\"", "collection", suit), Vec::<String>::new());
        assert_eq!(faults("\"legal_action\"", "collection", "Último aviso").len(), 1);
        assert_eq!(faults("", "validation_notice", suit).len(), 1, "a notice is no place for it either");
    }

    #[test]
    fn tags_and_entities_hide_nothing() {
        for said in [
            "Legal <b>action</b> may follow",
            "We go to c<b>ourt</b>",
            "Final&nbsp;notice",
            "acci&oacute;n legal",
            "acci&#243;n <span\n class=\"x\">legal</span>",
            "la&shy;wsuit",
        ] {
            assert_eq!(faults_in("en/email.mjml.hbs", "", "collection", said).len(), 1, "{said}");
        }
        let apart = "<p>You can pay</p><p>within reach</p> <a title=\"court\">us</a> AT&T; R&D";
        assert_eq!(faults_in("en/email.mjml.hbs", "", "collection", apart).len(), 1, "a sentence may run on");
        assert_eq!(faults_in("en/email.mjml.hbs", "", "collection", "a < b & c; &nosuch; <").len(), 0);
    }

    #[test]
    fn a_phrase_may_run_over_the_end_of_a_line() {
        let found = faults("", "collection", "Hello.\nYou must pay\n  within three days.");
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("en/sms.txt.hbs:2: `pay within` says `deadline`"), "{found:?}");
    }

    #[test]
    fn ordinary_words_declare_nothing() {
        for text in ["A courtesy of {{variables.court}}", "Your issue was pursued", "You can pay online."] {
            assert_eq!(faults("", "collection", text), Vec::<String>::new(), "{text}");
        }
    }
}
