//! Parameters put in order and joined, as many vendors sign them: `{pairs}` in a signature's message.

use crate::provider::extract::{Document, scalar};
use crate::provider::placeholder::push_percent_encoded;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Where the parameters stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PairsOf {
    /// The form, or the parts of a multipart body.
    Form,
    /// The query.
    Query,
    /// The members of a JSON object that are no objects or arrays.
    Json,
}

/// How parameters become one text.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pairs {
    /// Where they stand; several are put together.
    of: Vec<PairsOf>,
    /// Only these; absent ones are passed over.
    only: Option<Vec<String>>,
    /// Not these.
    #[serde(default)]
    without: Vec<String>,
    /// Before each.
    #[serde(default)]
    before: String,
    /// Between name and value.
    #[serde(default)]
    between: String,
    /// After each.
    #[serde(default)]
    after: String,
    /// Between one and the next.
    #[serde(default)]
    separator: String,
    /// The values alone.
    #[serde(default)]
    values_only: bool,
    /// What is replaced in values, one after the other.
    #[serde(default)]
    replace: Vec<(String, String)>,
    /// Names and values percent-encoded (RFC 3986).
    #[serde(default)]
    encode: bool,
    /// In the order they came, instead of by name.
    #[serde(default)]
    as_given: bool,
    /// The same name and value twice is once, and the values of a name are sorted.
    #[serde(default)]
    unique: bool,
}

impl Pairs {
    /// A form's names and values in order with nothing between them, as some vendors sign forms.
    pub fn plain(of: PairsOf) -> Self {
        Self {
            of: vec![of],
            only: None,
            without: Vec::new(),
            before: String::new(),
            between: String::new(),
            after: String::new(),
            separator: String::new(),
            values_only: false,
            replace: Vec::new(),
            encode: false,
            as_given: false,
            unique: true,
        }
    }

    /// The text.
    pub fn join(&self, document: &Document<'_>) -> String {
        let mut pairs: Vec<(String, String)> = Vec::new();
        for of in &self.of {
            match of {
                PairsOf::Form => pairs.extend_from_slice(document.fields),
                PairsOf::Query => pairs.extend_from_slice(document.query),
                PairsOf::Json => {
                    let members = document.json.and_then(|json| json.as_object()).into_iter().flatten();
                    pairs.extend(members.filter_map(|(name, value)| Some((name.clone(), scalar(value)?))));
                }
            }
        }
        pairs.retain(|(name, _)| {
            self.only.as_ref().is_none_or(|only| only.contains(name)) && !self.without.contains(name)
        });
        if !self.as_given {
            pairs.sort_by(|left, right| left.0.cmp(&right.0));
        }
        if self.unique {
            pairs = unique(pairs);
        }
        let pairs: Vec<String> = pairs.iter().map(|(name, value)| self.one(name, value)).collect();
        pairs.join(&self.separator)
    }

    fn one(&self, name: &str, value: &str) -> String {
        let value = self.replace.iter().fold(value.to_owned(), |value, (from, to)| value.replace(from, to));
        let written = |text: &str| {
            let mut out = String::new();
            if self.encode {
                push_percent_encoded(&mut out, text);
            } else {
                out.push_str(text);
            }
            out
        };
        let name = if self.values_only { String::new() } else { written(name) };
        format!("{}{name}{}{}{}", self.before, self.between, written(&value), self.after)
    }
}

/// Each pair once, the values of a name sorted, names in the order they have.
fn unique(pairs: Vec<(String, String)>) -> Vec<(String, String)> {
    let mut order: Vec<String> = Vec::new();
    let mut values: BTreeMap<String, std::collections::BTreeSet<String>> = BTreeMap::new();
    for (name, value) in pairs {
        if !values.contains_key(&name) {
            order.push(name.clone());
        }
        values.entry(name).or_default().insert(value);
    }
    let of_name = |name: String| {
        let values = values.get(&name).cloned().unwrap_or_default();
        values.into_iter().map(move |value| (name.clone(), value))
    };
    order.into_iter().flat_map(of_name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::form::form_pairs;

    #[test]
    fn parameters_are_joined_as_told() {
        let (fields, query) = (form_pairs("b=2&a=z&a=y&a=z&c="), form_pairs("q=x&y=a b"));
        let json = serde_json::json!({"Type": "N", "Message": "m", "n": 1, "o": {}, "z": null});
        let document = Document { fields: &fields, query: &query, json: Some(&json), ..Document::default() };
        let join = |text: &str| toml::from_str::<Pairs>(text).expect(text).join(&document);
        assert_eq!(Pairs::plain(PairsOf::Form).join(&document), "ayazb2c");
        for (text, joined) in [
            ("of = ['form']", "azayazb2c"),
            ("of = ['form', 'query']\nbetween = '='\nseparator = '&'", "a=z&a=y&a=z&b=2&c=&q=x&y=a b"),
            ("of = ['form']\nunique = true\nas_given = true\nbefore = '&'\nbetween = '='", "&b=2&a=y&a=z&c="),
            ("of = ['query']\nencode = true\nwithout = ['q']\nbetween = '='", "y=a%20b"),
            (
                "of = ['query']\nvalues_only = true\nseparator = '|'\nreplace = [[' ', '_'], ['a', '&']]",
                "x|&_b",
            ),
            (
                "of = ['json']\nonly = ['Message', 'Subject', 'Type']\nbetween = ':'\nafter = ';'",
                "Message:m;Type:N;",
            ),
            ("of = ['json']\nbetween = '='\nseparator = ','", "Message=m,Type=N,n=1"),
        ] {
            assert_eq!(join(text), joined, "{text}");
        }
    }
}
