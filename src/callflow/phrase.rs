//! The words of a node: text with `{names}` in it, and whether it would tell a stranger of a debt.

use std::fmt;

/// What words may name, beside `key.NODE`: the key that leads to a node.
pub const NAMES: &[&str] =
    &["collector.name", "collector.neutral_name", "collector.phone", "debtor.given", "debtor.name"];

/// What a name that begins so stands for: the key that leads to the node named after it.
pub const KEY: &str = "key.";

/// Beginnings of words that would reveal a debt or its collection, in English and Spanish (15 USC 1692c(b), 12 CFR
/// 1006.2(j)(1)(i)).
const REVEALING: &[&str] = &[
    "debt", "owe", "owing", "collect", "creditor", "account", "balance", "payment", "pay", "past due",
    "overdue", "amount", "loan", "deuda", "deudor", "debe", "cobr", "cuenta", "saldo", "pago", "pagar",
    "acreedor", "disput",
];

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Name(String),
}

/// Words as a flow writes them.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "String")]
pub struct Phrase {
    pieces: Vec<Piece>,
}

/// What can be wrong with them.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum InvalidPhrase {
    /// A brace without its partner.
    #[error("a brace has no partner: write {{name}}")]
    Brace,
    /// A name that stands for nothing.
    #[error("`{{{0}}}` stands for nothing; there are {known}, and key.NODE", known = NAMES.join(", "))]
    Name(String),
    /// Nothing to say.
    #[error("there are no words")]
    Empty,
}

impl TryFrom<String> for Phrase {
    type Error = InvalidPhrase;
    fn try_from(text: String) -> Result<Self, InvalidPhrase> {
        let mut pieces = Vec::new();
        let mut rest = text.as_str();
        while let Some(at) = rest.find(['{', '}']) {
            let (before, brace) = rest.split_at(at);
            let inner = brace.strip_prefix('{').ok_or(InvalidPhrase::Brace)?;
            let (name, after) = inner.split_once('}').ok_or(InvalidPhrase::Brace)?;
            let name = name.trim();
            if !NAMES.contains(&name) && name.strip_prefix(KEY).is_none_or(str::is_empty) {
                return Err(InvalidPhrase::Name(name.to_owned()));
            }
            pieces.extend((!before.is_empty()).then(|| Piece::Text(before.to_owned())));
            pieces.push(Piece::Name(name.to_owned()));
            rest = after;
        }
        pieces.extend((!rest.is_empty()).then(|| Piece::Text(rest.to_owned())));
        let nothing = |piece: &Piece| matches!(piece, Piece::Text(text) if text.trim().is_empty());
        if pieces.iter().all(nothing) { Err(InvalidPhrase::Empty) } else { Ok(Self { pieces }) }
    }
}

impl Phrase {
    /// The names in it.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Name(name) => Some(name.as_str()),
            Piece::Text(_) => None,
        })
    }

    /// The words with every name filled, as one line.
    ///
    /// # Errors
    /// The first name for which there is nothing.
    pub fn fill(&self, value: impl Fn(&str) -> Option<String>) -> Result<String, String> {
        let mut out = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Name(name) => out.push_str(&value(name).ok_or_else(|| name.clone())?),
            }
        }
        Ok(out.split_whitespace().collect::<Vec<_>>().join(" "))
    }

    /// The word by which a stranger would learn of a debt, if there is one: a telling word, or the business's full name,
    /// which may say what its business is.
    pub fn reveals(&self) -> Option<String> {
        if self.names().any(|name| name == "collector.name") {
            return Some("{collector.name}".to_owned());
        }
        let plain: String = self
            .pieces
            .iter()
            .map(|piece| match piece {
                Piece::Text(text) => text.as_str(),
                Piece::Name(_) => " ",
            })
            .collect();
        let lower = plain.to_lowercase();
        let starts = |word: &&&str| {
            lower.match_indices(**word).any(|(at, _)| !lower[..at].ends_with(char::is_alphanumeric))
        };
        REVEALING.iter().find(starts).map(|word| format!("{word}…"))
    }
}

impl fmt::Display for Phrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pieces.iter().try_for_each(|piece| match piece {
            Piece::Text(text) => f.write_str(text),
            Piece::Name(name) => write!(f, "{{{name}}}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn phrase(text: &str) -> Result<Phrase, InvalidPhrase> {
        Phrase::try_from(text.to_owned())
    }

    #[test]
    fn names_are_filled_and_nothing_else_is_one() {
        let words = phrase("Hello,\n  this is {collector.neutral_name}. Press {key.stop}.").expect("sound");
        let said = words.fill(|name| Some(if name == "key.stop" { "9" } else { "FR Services" }.to_owned()));
        assert_eq!(said.as_deref(), Ok("Hello, this is FR Services. Press 9."));
        assert_eq!(words.fill(|_| None), Err("collector.neutral_name".to_owned()));
        for (bad, why) in [
            ("{debtor.balance}", InvalidPhrase::Name("debtor.balance".to_owned())),
            ("{key.}", InvalidPhrase::Name("key.".to_owned())),
            ("{a", InvalidPhrase::Brace),
            ("a}", InvalidPhrase::Brace),
            (" ", InvalidPhrase::Empty),
        ] {
            assert_eq!(phrase(bad), Err(why), "{bad}");
        }
    }

    #[test]
    fn telling_words_are_found_at_the_beginning_of_words() {
        for (text, telling) in [
            ("It is about a debt.", true),
            ("Es sobre su CUENTA.", true),
            ("Please pay.", true),
            ("This is {collector.name}.", true),
            ("A repayment plan", false),
            ("This is {collector.neutral_name} for {debtor.name}.", false),
            ("Llame a nuestra oficina.", false),
        ] {
            assert_eq!(phrase(text).expect("sound").reveals().is_some(), telling, "{text}");
        }
    }
}
