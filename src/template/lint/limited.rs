//! Limited-content messages (12 CFR 1006.2(j)): a voicemail that says who called, whom to ask for and which
//! number to call, and nothing else. Anything more, even what a state asks for, makes it a communication
//! about a debt.

use crate::domain::channel::Channel;
use crate::domain::fault::{Fault, SourceFile};
use crate::template::compile::Body;
use crate::template::context::BuiltIn;
use crate::template::lint::without_expressions;
use crate::template::manifest::Manifest;

/// The variable with the natural person to ask for (12 CFR 1006.2(j)(1)(iii)).
const ASK_FOR: &str = "ask_for";

/// Beginnings of words that would reveal a debt or its collection, in English and Spanish.
const REVEALING: [&str; 22] = [
    "debt", "owe", "owing", "collect", "creditor", "account", "balance", "payment", "pay", "past due",
    "overdue", "amount", "loan", "deuda", "deudor", "debe", "cobr", "cuenta", "saldo", "pago", "pagar",
    "acreedor",
];

/// What such a message may speak of: the four required items and a salutation or the date (12 CFR
/// 1006.2(j)(1), (2)).
pub fn permits(one: BuiltIn) -> bool {
    matches!(
        one,
        BuiltIn::CollectorNeutralName
            | BuiltIn::CollectorPhone
            | BuiltIn::DebtorFamily
            | BuiltIn::DebtorGiven
            | BuiltIn::DebtorName
            | BuiltIn::Today
    )
}

/// Judges the words of such a message; what is wrong goes to the faults.
pub fn lint(file: &SourceFile, body: &Body, manifest: &Manifest, faults: &mut Vec<Fault>) {
    if manifest.channels != [Channel::Voice] {
        faults.push(Fault::of(
            &file.path,
            "only a voicemail can be a limited-content message: channels = [\"voice\"]",
        ));
    }
    for required in [BuiltIn::CollectorNeutralName, BuiltIn::CollectorPhone] {
        if !body.uses.has(required) {
            let what =
                format!("a limited-content message must say `{}` (12 CFR 1006.2(j)(1))", required.path());
            faults.push(Fault::of(&file.path, what));
        }
    }
    let named = body.names.values().any(|path| path.strip_prefix("variables.") == Some(ASK_FOR));
    let declared = manifest.variables.get(ASK_FOR).is_some_and(|one| one.required);
    if !named || !declared || manifest.variables.len() > 1 {
        let what = format!(
            "a limited-content message must name whom to ask for, with `{ASK_FOR}` its only variable"
        );
        faults.push(Fault::of(&file.path, what));
    }
    for (index, line) in file.text.lines().enumerate() {
        let lower = without_expressions(line).to_lowercase();
        for word in REVEALING {
            let starts =
                lower.match_indices(word).any(|(at, _)| !lower[..at].ends_with(char::is_alphanumeric));
            if starts {
                let what = format!("`{word}…` reveals a debt (12 CFR 1006.2(j)(1)(i))");
                faults.push(Fault::at(&file.path, index + 1, what));
            }
        }
    }
}
