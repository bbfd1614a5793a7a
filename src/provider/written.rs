//! Reading what people write in TOML so that they learn every fault at once, each with its line and what would be right.
//!
//! The reader of a structure stops at the first fault. So what is at fault is taken out and the rest is read again, until
//! nothing more is found.

use crate::domain::fault::{Fault, SourceFile};
use crate::provider::suggest;
use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue, Deserializer};

/// More faults than this are not looked for.
const FAULTS: usize = 30;

/// Reads a file.
///
/// # Errors
/// Every fault of its syntax; or, where that is sound, every fault of its shape.
pub fn read<T: DeserializeOwned>(file: &SourceFile) -> Result<T, Vec<Fault>> {
    let (table, errors) = DeTable::parse_recoverable(&file.text);
    if !errors.is_empty() {
        let mut faults: Vec<Fault> = errors.iter().map(|error| fault(file, error)).collect();
        faults.sort();
        return Err(faults);
    }
    let mut table = table;
    let mut faults: Vec<Fault> = Vec::new();
    let mut removed: Vec<String> = Vec::new();
    while faults.len() < FAULTS {
        let error = match T::deserialize(Deserializer::from(table.clone())) {
            Ok(value) if faults.is_empty() => return Ok(value),
            Ok(_) => break,
            Err(error) => error,
        };
        // What is missing because it was taken out, or mistyped, is no fault of its own.
        let said = error.message();
        let consequence = removed.iter().any(|name| said == format!("missing field `{name}`"))
            || (!removed.is_empty() && said.starts_with("wanted exactly 1 element"));
        if !consequence {
            let fault = fault(file, &error);
            removed.extend(
                fault
                    .message
                    .split("(did you mean `")
                    .nth(1)
                    .and_then(|rest| rest.split('`').next())
                    .map(str::to_owned),
            );
            faults.push(fault);
        }
        let Some(at) = error.span().map(|span| span.start) else { break };
        match deepest(table.get_ref(), at).and_then(|path| take_out(table.get_mut(), &path)) {
            Some(name) => removed.push(name),
            None => break,
        }
    }
    faults.sort();
    faults.dedup();
    Err(faults)
}

/// A step on the way to what is at fault.
#[derive(Clone, Debug)]
enum Step {
    Key(String),
    Item(usize),
}

/// The innermost entry that stands at this place of the text. A table's entries need not stand where its head stands, so
/// every one is looked at.
fn deepest(table: &DeTable<'_>, at: usize) -> Option<Vec<Step>> {
    let mut found = None;
    look_in_table(table, at, &mut Vec::new(), &mut found);
    found.map(|(_, path)| path)
}

type Found = Option<(usize, Vec<Step>)>;

fn look_in_table(table: &DeTable<'_>, at: usize, path: &mut Vec<Step>, found: &mut Found) {
    for (key, value) in table {
        path.push(Step::Key(key.get_ref().to_string()));
        let width = key.span().contains(&at).then(|| key.span().len());
        look(value, at, width, path, found);
        path.pop();
    }
}

fn look(
    value: &Spanned<DeValue<'_>>,
    at: usize,
    width: Option<usize>,
    path: &mut Vec<Step>,
    found: &mut Found,
) {
    let width = width.or_else(|| value.span().contains(&at).then(|| value.span().len()));
    if let Some(width) = width
        && found.as_ref().is_none_or(|(narrowest, _)| width <= *narrowest)
    {
        *found = Some((width, path.clone()));
    }
    match value.get_ref() {
        DeValue::Table(table) => look_in_table(table, at, path, found),
        DeValue::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                path.push(Step::Item(index));
                look(item, at, None, path, found);
                path.pop();
            }
        }
        DeValue::String(_)
        | DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_) => {}
    }
}

/// Takes an entry out; its name, or that of the nearest thing around it that has one.
fn take_out<'i>(table: &mut DeTable<'i>, path: &[Step]) -> Option<String> {
    let (Step::Key(name), rest) = path.split_first()? else { return None };
    if rest.is_empty() {
        return table.remove(name.as_str()).map(|_| name.clone());
    }
    let mut value = table.get_mut(name.as_str())?.get_mut();
    let mut name = name.clone();
    let (last, between) = rest.split_last()?;
    for step in between {
        value = match (step, value) {
            (Step::Key(key), DeValue::Table(table)) => {
                name.clone_from(key);
                table.get_mut(key.as_str())?.get_mut()
            }
            (Step::Item(index), DeValue::Array(items)) => items.get_mut(*index)?.get_mut(),
            _ => return None,
        };
    }
    match (last, value) {
        (Step::Key(key), DeValue::Table(table)) => table.remove(key.as_str()).map(|_| key.clone()),
        (Step::Item(index), DeValue::Array(items)) if *index < items.len() => {
            let kept = std::mem::replace(items, DeArray::new())
                .into_iter()
                .enumerate()
                .filter(|(at, _)| at != index);
            *items = kept.map(|(_, item)| item).collect();
            Some(name)
        }
        _ => None,
    }
}

/// A fault of TOML: what it says, at its line, and the word that was probably meant.
fn fault(file: &SourceFile, error: &toml::de::Error) -> Fault {
    let said = error.message();
    let mut words = said.split('`').skip(1).step_by(2);
    let message =
        match (said.starts_with("unknown field") || said.starts_with("unknown variant"), words.next()) {
            (true, Some(word)) => {
                let known: Vec<&str> = words.collect();
                let nearest = suggest::nearest(word, &known);
                let kind =
                    if said.starts_with("unknown field") { "unknown field" } else { "unknown variant" };
                format!("{kind} `{word}`{nearest}; there are {}", known.join(", "))
            }
            _ => in_words(said),
        };
    match error.span() {
        Some(span) => Fault::at(&file.path, Fault::line_of(&file.text, span.start), message),
        None => Fault::of(&file.path, message),
    }
}

/// What the reader says of a value of the wrong sort, for somebody who writes TOML and no Rust.
fn in_words(said: &str) -> String {
    let (head, wanted) = match said.rsplit_once(", expected ") {
        Some((head, wanted)) => (head, wanted),
        None if said == "wanted string or table" => ("invalid type", "a string"),
        None => return said.to_owned(),
    };
    let wanted = match wanted {
        "a sequence" => "a list: [ … ]",
        "a string" | "string" => "a text in quotes",
        "a map" => "a table: { … }",
        wanted if wanted.starts_with("struct ") => "a table: { … }",
        wanted => wanted,
    };
    format!("{head}, expected {wanted}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        #[expect(dead_code, reason = "read, not used")]
        name: String,
        #[expect(dead_code, reason = "read, not used")]
        inner: Inner,
        #[serde(default)]
        list: Vec<Inner>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        #[expect(dead_code, reason = "read, not used")]
        count: u8,
        #[expect(dead_code, reason = "read, not used")]
        colour: Option<Colour>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Colour {
        Red,
        Green,
    }

    fn faults(text: &str) -> Vec<String> {
        let file = SourceFile { path: "f".to_owned(), text: text.to_owned() };
        read::<Outer>(&file).expect_err("faults").iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_fault_comes_at_once() {
        let found = faults(
            "name = 'x'\nnmae = 'y'\n[inner]\ncount = 'many'\ncolour = 'gren'\n[[list]]\ncount = 1\n[[list]]\ncont = 2\n",
        );
        assert_eq!(
            found,
            [
                "f:2: unknown field `nmae` (did you mean `name`?); there are name, inner, list",
                "f:4: invalid type: string \"many\", expected u8",
                "f:5: unknown variant `gren` (did you mean `green`?); there are red, green",
                "f:9: unknown field `cont` (did you mean `count`?); there are count, colour",
            ]
        );
    }

    #[test]
    fn what_is_missing_is_named_once() {
        assert_eq!(faults("[inner]\ncount = 1\n"), ["f:1: missing field `name`"]);
        assert_eq!(faults("name = 7\n[inner]\ncount = 1\n").len(), 1);
    }

    #[test]
    fn what_is_of_the_wrong_sort_is_told_in_words_of_toml() {
        for (text, words) in [
            ("name = 7\ninner = { count = 1 }", "integer `7`, expected a text in quotes"),
            ("name = 'x'\ninner = 'y'", "string \"y\", expected a table: { … }"),
            ("name = 'x'\ninner = { count = 1 }\nlist = 'z'", "string \"z\", expected a list: [ … ]"),
            ("name = 'x'\ninner = { count = 1, colour = ['red'] }", "expected a text in quotes"),
        ] {
            let found = faults(text);
            assert!(found.iter().any(|fault| fault.contains(words)), "{text}: {found:?}");
        }
    }

    #[test]
    fn every_fault_of_syntax_has_its_line() {
        let found = faults("name = \nother\n[inner]\ncount = 1 2\n");
        assert!(found.len() >= 2 && found[0].starts_with("f:1:"), "{found:?}");
        let good =
            SourceFile { path: "f".to_owned(), text: "name = 'x'\ninner = { count = 1 }\n".to_owned() };
        assert!(read::<Outer>(&good).expect("sound").list.is_empty());
    }
}
