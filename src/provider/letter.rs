//! What a vendor tells of a letter beside its text: a subject, HTML, the headers, however they are written.

use serde_json::Value;

/// The rest of a letter. `Debug` shows nothing of it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Letter {
    /// The subject.
    pub subject: Option<String>,
    /// The body in HTML, which is read where there is no text.
    pub html: Option<String>,
    /// The letter's own headers, as far as they are told.
    pub headers: Vec<(String, String)>,
}

impl std::fmt::Debug for Letter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Letter({} headers)", self.headers.len())
    }
}

/// Headers as vendors write them: as they stood in the letter, as a list of pairs, of objects with a name and a value, or as
/// one object; JSON may also stand within a string.
pub(in crate::provider) fn headers(written: &Value) -> Vec<(String, String)> {
    match written {
        Value::String(text) => match serde_json::from_str(text) {
            Ok(inner @ (Value::Array(_) | Value::Object(_))) => headers(&inner),
            _ => lines(text),
        },
        Value::Array(items) => items.iter().filter_map(pair).collect(),
        Value::Object(members) => {
            let texts = |value: &Value| match value {
                Value::Array(several) => several.iter().filter_map(text).collect(),
                one => text(one).into_iter().collect::<Vec<_>>(),
            };
            let named = |(name, value): (&String, &Value)| {
                texts(value).into_iter().map(|value| (name.clone(), value)).collect::<Vec<_>>()
            };
            members.iter().flat_map(named).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    }
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn pair(item: &Value) -> Option<(String, String)> {
    match item {
        Value::Array(pair) => Some((text(pair.first()?)?, text(pair.get(1)?)?)),
        Value::Object(members) => {
            let member = |wanted: &str| {
                let found = members.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
                found.and_then(|(_, value)| text(value))
            };
            Some((member("name").or_else(|| member("key"))?, member("value")?))
        }
        _ => None,
    }
}

/// Lines with their folded ones joined (RFC 5322, section 2.2.3).
fn lines(text: &str) -> Vec<(String, String)> {
    let mut out: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        match (line.starts_with([' ', '\t']), out.last_mut(), line.split_once(':')) {
            (true, Some((_, value)), _) => {
                value.push(' ');
                value.push_str(line.trim());
            }
            (_, _, Some((name, value))) => out.push((name.trim().to_owned(), value.trim().to_owned())),
            (_, _, None) => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn headers_are_read_however_they_are_written() {
        let expected = [
            ("Auto-Submitted".to_owned(), "auto-replied".to_owned()),
            ("Subject".to_owned(), "Away until Monday".to_owned()),
        ];
        for written in [
            json!("Auto-Submitted: auto-replied\r\nSubject: Away\r\n until Monday\r\nnonsense\r\n"),
            json!([["Auto-Submitted", "auto-replied"], ["Subject", "Away until Monday"], ["x"], 7]),
            json!("[[\"Auto-Submitted\",\"auto-replied\"],[\"Subject\",\"Away until Monday\"]]"),
            json!([{"Name": "Auto-Submitted", "Value": "auto-replied"}, {"name": "Subject", "value": "Away until Monday"}]),
            json!({"Auto-Submitted": "auto-replied", "Subject": ["Away until Monday"]}),
        ] {
            assert_eq!(headers(&written), expected, "{written}");
        }
        assert!(headers(&json!(null)).is_empty());
    }
}
