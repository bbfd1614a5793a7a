//! What serde lets pass and the contract does not: a member given twice, a list where one value belongs (serde reads
//! structures from arrays), an object where a word belongs (serde reads words from `{"word": null}`).
//!
//! One pass over the text, without building anything; it also tells text that is not JSON (400) from JSON that says
//! something wrong (422).

use crate::domain::statement::FieldFault;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// What a member of a body may hold. Names mean the same in every body of the API, so one table serves all.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Holds {
    /// A single value.
    Value,
    /// One object.
    Object,
    /// A list of single values.
    Values,
    /// A list of objects.
    Objects,
    /// Anything.
    Anything,
}

fn holds(member: &str) -> Holds {
    match member {
        "name" | "balance" | "reassignment_check" | "creditor_notice" => Holds::Object,
        "account_ids" | "channels" | "days" | "ids" | "places" | "says" | "states" => Holds::Values,
        "locations" | "contact_points" | "accounts" | "inconvenient" => Holds::Objects,
        "variables" | "evidence" => Holds::Anything,
        _ => Holds::Value,
    }
}

/// Why a text is not an acceptable body.
#[derive(Debug, PartialEq, Eq)]
pub enum Malformed {
    /// It is not JSON.
    NotJson,
    /// It is, but has the wrong structure somewhere.
    Misshapen(FieldFault),
}

/// Checks the structure of a body, which must be one object.
pub fn inspect(text: &[u8]) -> Result<(), Malformed> {
    let mut fault = Trail::default();
    let mut reader = serde_json::Deserializer::from_slice(text);
    let result =
        Walk { trail: &mut fault, holds: Holds::Object }.deserialize(&mut reader).and_then(|()| reader.end());
    match (result, fault.detail) {
        (Ok(()), _) => Ok(()),
        // What comes after a fault of structure may still not be JSON at all.
        (Err(_), Some(detail)) if is_json(text) => {
            Err(Malformed::Misshapen(FieldFault::new(pointer(fault.path.iter().rev()), detail)))
        }
        (Err(_), _) => Err(Malformed::NotJson),
    }
}

fn is_json(text: &[u8]) -> bool {
    serde_json::from_slice::<serde::de::IgnoredAny>(text).is_ok()
}

/// A JSON Pointer (RFC 6901) from its parts.
pub fn pointer<I: IntoIterator<Item: AsRef<str>>>(parts: I) -> String {
    let mut pointer = String::new();
    for part in parts {
        pointer.push('/');
        for c in part.as_ref().chars() {
            match c {
                '~' => pointer.push_str("~0"),
                '/' => pointer.push_str("~1"),
                c => pointer.push(c),
            }
        }
    }
    pointer
}

/// The fault found, and the way to it from the inside out.
#[derive(Default)]
struct Trail {
    path: Vec<String>,
    detail: Option<&'static str>,
}

impl Trail {
    fn found<E: Error>(&mut self, detail: &'static str) -> E {
        self.detail = Some(detail);
        E::custom(detail)
    }

    fn step<E>(&mut self, error: E, part: impl FnOnce() -> String) -> E {
        if self.detail.is_some() {
            self.path.push(part());
        }
        error
    }
}

struct Walk<'t> {
    trail: &'t mut Trail,
    holds: Holds,
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();
    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    // Values of the wrong type are for the typed reading to name; here only structure counts.
    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }
    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }
    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }
    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }
    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let holds = match self.holds {
            Holds::Values => Holds::Value,
            Holds::Objects => Holds::Object,
            Holds::Anything => Holds::Anything,
            Holds::Object => return Err(self.trail.found("expected an object, found an array")),
            Holds::Value => return Err(self.trail.found("expected a single value, found an array")),
        };
        let mut index = 0_usize;
        loop {
            match items.next_element_seed(Walk { trail: self.trail, holds }) {
                Ok(Some(())) => index += 1,
                Ok(None) => return Ok(()),
                Err(error) => return Err(self.trail.step(error, || index.to_string())),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        match self.holds {
            Holds::Object | Holds::Anything => {}
            Holds::Value => return Err(self.trail.found("expected a single value, found an object")),
            Holds::Values | Holds::Objects => {
                return Err(self.trail.found("expected an array, found an object"));
            }
        }
        let mut seen: Vec<Cow<'de, str>> = Vec::with_capacity(16);
        while let Some(Member(name)) = members.next_key()? {
            if seen.contains(&name) {
                let error = self.trail.found("is given twice");
                return Err(self.trail.step(error, || name.into_owned()));
            }
            let holds = if self.holds == Holds::Anything { Holds::Anything } else { holds(&name) };
            if let Err(error) = members.next_value_seed(Walk { trail: self.trail, holds }) {
                return Err(self.trail.step(error, || name.into_owned()));
            }
            seen.push(name);
        }
        Ok(())
    }
}

/// A member's name, borrowed from the text wherever it has no escapes.
struct Member<'de>(Cow<'de, str>);

impl<'de> serde::Deserialize<'de> for Member<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Name;
        impl<'de> Visitor<'de> for Name {
            type Value = Member<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a member's name")
            }
            fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
                Ok(Member(Cow::Borrowed(name)))
            }
            fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
                Ok(Member(Cow::Owned(name.to_owned())))
            }
        }
        deserializer.deserialize_str(Name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> (String, String) {
        match inspect(text.as_bytes()) {
            Err(Malformed::Misshapen(fault)) => (fault.pointer, fault.detail),
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn structure_is_strict() {
        assert_eq!(
            inspect(br#"{"a": 1, "account_ids": ["x", null], "variables": {"b": [{"c": {}}]}}"#),
            Ok(())
        );
        for (text, at) in [
            ("[]", ""),
            (r#"{"name": ["a", "b"]}"#, "/name"),
            (r#"{"accounts": [["A-1"]]}"#, "/accounts/0"),
            (r#"{"accounts": [{}, {"balance": ["1", "USD"]}]}"#, "/accounts/1/balance"),
            (r#"{"channel": {"sms": null}}"#, "/channel"),
            (r#"{"account_ids": {"0": "x"}}"#, "/account_ids"),
            (r#"{"account_ids": [["x"]]}"#, "/account_ids/0"),
        ] {
            assert_eq!(fault(text).0, at, "{text}");
        }
    }

    #[test]
    fn a_member_given_twice_is_refused_at_any_depth() {
        for (text, at) in [
            (r#"{"a": 1, "a": 1}"#, "/a"),
            (r#"{"a": 1, "\u0061": 1}"#, "/a"),
            (r#"{"variables": {"x": [{"y/z": 1, "y/z": 2}]}}"#, "/variables/x/0/y~1z"),
        ] {
            assert_eq!(fault(text), (at.to_owned(), "is given twice".to_owned()));
        }
    }

    #[test]
    fn what_is_not_json_is_said_to_be_so() {
        for text in ["", "{", "{}x", "{'a': 1}", "{\"a\": [}", "[} ", "\u{feff}{}", "{\"a\": {\"b\":1}, }"] {
            assert_eq!(inspect(text.as_bytes()), Err(Malformed::NotJson), "{text}");
        }
        assert_eq!(inspect(b"{\"a\": \"\xff\"}"), Err(Malformed::NotJson));
    }
}
