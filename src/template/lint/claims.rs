//! What a message says that law looks at must stand in its manifest, or policy would judge by less than the debtor reads
//! (12 CFR 1006.26(b), 1006.38(b)(1)).

use crate::domain::channel::{Claim, Purpose};
use crate::domain::fault::{Fault, SourceFile};
use crate::template::lint::without_expressions;
use crate::template::manifest::Manifest;

/// Words by which a message speaks of suit, in English and Spanish; beginnings of words where they end in `…`.
const LEGAL_ACTION: [&str; 26] = [
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
];

/// And by which it wants payment at once or within a time.
const DEADLINE: [&str; 20] = [
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
    "pague dentro",
    "pague de inmediato",
    "pague inmediatamente",
    "pague hoy",
    "pago inmediato",
    "debe pagar antes",
    "último aviso",
    "última oportunidad",
];

/// Judges a file of a message's words; what they say and the manifest does not goes to the faults.
pub fn lint(file: &SourceFile, manifest: &Manifest, faults: &mut Vec<Fault>) {
    // The notice and its periods are the law's own words.
    if manifest.purpose == Purpose::ValidationNotice {
        return;
    }
    // One line, as most of it is sent: a phrase may run over the end of ours.
    let (mut said, mut starts) = (String::new(), Vec::new());
    for line in file.text.lines() {
        starts.push(said.len());
        let words = without_expressions(line).to_lowercase();
        words.split_whitespace().for_each(|word| said.extend([word, " "]));
    }
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
        let file = |path: &str, text: String| SourceFile { path: path.to_owned(), text };
        let manifest = format!(
            "summary = \"x\"\npurpose = \"{purpose}\"\nchannels = [\"sms\"]\nversion = 1\nreviewed = false\nsays = [{says}]\n"
        );
        let mut found = Vec::new();
        let manifest = Manifest::read(&file("template.toml", manifest), &mut found).expect("a manifest");
        lint(&file("en/sms.txt.hbs", text.to_owned()), &manifest, &mut found);
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
        assert_eq!(faults("", "validation_notice", suit), Vec::<String>::new());
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
