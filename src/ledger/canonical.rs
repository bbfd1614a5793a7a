//! RFC 8785 canonical JSON, narrowed to what the history uses: no fractions, no exponents.
//!
//! Two programs that write the same content write the same bytes, so a hash over the bytes is a hash over the content.

use serde_json::Value;
use std::borrow::Cow;
use std::cmp::Ordering;

/// The largest integer that every JSON reader keeps exactly (RFC 8785, section 3.2.2.3; RFC 7493, section 2.2).
pub const MAX_INTEGER: u64 = 9_007_199_254_740_991;
const MAX_DEPTH: usize = 64;

/// The text is not in canonical form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not canonical JSON at byte {offset}: {what}")]
pub struct NotCanonical {
    /// Where, in bytes from 0.
    pub offset: usize,
    /// What is wrong there.
    pub what: &'static str,
}

/// Checks that a text is one value in canonical form.
pub fn check(json: &[u8]) -> Result<(), NotCanonical> {
    let end = scan(utf8(json)?, 0)?;
    if end == json.len() { Ok(()) } else { Err(NotCanonical { offset: end, what: "more follows the value" }) }
}

/// The canonical form of a JSON text: itself if it has it already.
///
/// # Errors
/// Names the place if the text is not JSON, or has a number that is no exact integer.
pub fn form(json: &[u8]) -> Result<Cow<'_, [u8]>, NotCanonical> {
    let Err(fault) = check(json) else { return Ok(Cow::Borrowed(json)) };
    let value: Value = serde_json::from_slice(json).map_err(|_| fault)?;
    let mut out = Vec::with_capacity(json.len());
    write(&value, &mut out).map_err(|what| NotCanonical { what, ..fault })?;
    check(&out)?;
    Ok(Cow::Owned(out))
}

/// Checks one value that begins at `at` and gives where it ends. The text must be UTF-8.
pub(crate) fn scan(text: &str, at: usize) -> Result<usize, NotCanonical> {
    Scanner { text: text.as_bytes(), at }.value(0)
}

/// The bytes as text.
pub(crate) fn utf8(bytes: &[u8]) -> Result<&str, NotCanonical> {
    std::str::from_utf8(bytes)
        .map_err(|error| NotCanonical { offset: error.valid_up_to(), what: "not UTF-8" })
}

struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Scanner<'a> {
    fn fail<T>(&self, what: &'static str) -> Result<T, NotCanonical> {
        Err(NotCanonical { offset: self.at, what })
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn value(&mut self, depth: usize) -> Result<usize, NotCanonical> {
        if depth > MAX_DEPTH {
            return self.fail("nested too deeply");
        }
        match self.peek() {
            Some(b'{') => self.object(depth)?,
            Some(b'[') => self.array(depth)?,
            Some(b'"') => {
                self.string()?;
            }
            Some(b't') => self.word(b"true")?,
            Some(b'f') => self.word(b"false")?,
            Some(b'n') => self.word(b"null")?,
            Some(b'-' | b'0'..=b'9') => self.integer()?,
            Some(_) => return self.fail("expected a value without spaces before it"),
            None => return self.fail("the text ends early"),
        }
        Ok(self.at)
    }

    fn word(&mut self, word: &[u8]) -> Result<(), NotCanonical> {
        if !self.text[self.at..].starts_with(word) {
            return self.fail("expected true, false or null");
        }
        self.at += word.len();
        Ok(())
    }

    fn integer(&mut self) -> Result<(), NotCanonical> {
        let start = self.at;
        let negative = self.eat(b'-');
        let digits = self.at;
        let mut number: u64 = 0;
        while let Some(digit @ b'0'..=b'9') = self.peek() {
            number = number.saturating_mul(10).saturating_add(u64::from(digit - b'0'));
            self.at += 1;
        }
        let length = self.at - digits;
        let zero_first = length > 1 && self.text[digits] == b'0';
        if length == 0 || zero_first || (negative && number == 0) {
            self.at = start;
            return self.fail("expected an integer without leading zeros");
        }
        if number > MAX_INTEGER || matches!(self.peek(), Some(b'.' | b'e' | b'E')) {
            self.at = start;
            return self.fail("numbers must be integers of at most 53 bits");
        }
        Ok(())
    }

    /// Steps over a string and gives what stands between its quotes.
    fn string(&mut self) -> Result<&'a [u8], NotCanonical> {
        self.at += 1;
        let start = self.at;
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(&self.text[start..self.at - 1]);
                }
                Some(b'\\') => self.escape()?,
                Some(0..=0x1f) => return self.fail("a control character must be escaped"),
                Some(_) => self.at += 1,
                None => return self.fail("the text ends early"),
            }
        }
    }

    fn escape(&mut self) -> Result<(), NotCanonical> {
        match self.text.get(self.at + 1) {
            Some(b'"' | b'\\' | b'b' | b't' | b'n' | b'f' | b'r') => {
                self.at += 2;
                Ok(())
            }
            Some(b'u') => {
                let digits = self.text.get(self.at + 2..self.at + 6).unwrap_or_default();
                let needed = match digits {
                    [b'0', b'0', b'0', low] => {
                        matches!(low, b'0'..=b'7' | b'b' | b'e' | b'f')
                    }
                    [b'0', b'0', b'1', low] => matches!(low, b'0'..=b'9' | b'a'..=b'f'),
                    _ => false,
                };
                if !needed {
                    return self.fail("this character has a shorter form");
                }
                self.at += 6;
                Ok(())
            }
            _ => self.fail("an escape that is not the shortest"),
        }
    }

    fn array(&mut self, depth: usize) -> Result<(), NotCanonical> {
        self.at += 1;
        if self.eat(b']') {
            return Ok(());
        }
        loop {
            self.value(depth + 1)?;
            if self.eat(b']') {
                return Ok(());
            }
            if !self.eat(b',') {
                return self.fail("expected , or ]");
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<(), NotCanonical> {
        self.at += 1;
        if self.eat(b'}') {
            return Ok(());
        }
        let mut last: Option<&[u8]> = None;
        loop {
            if self.peek() != Some(b'"') {
                return self.fail("expected a key");
            }
            let start = self.at;
            let key = self.string()?;
            if last.is_some_and(|last| compare(last, key) != Ordering::Less) {
                self.at = start;
                return self.fail("keys must be sorted and distinct");
            }
            last = Some(key);
            if !self.eat(b':') {
                return self.fail("expected : right after the key");
            }
            self.value(depth + 1)?;
            if self.eat(b'}') {
                return Ok(());
            }
            if !self.eat(b',') {
                return self.fail("expected , or }");
            }
        }
    }
}

/// Compares two keys as they stand in the text by their UTF-16 code units (RFC 8785, section 3.2.3).
fn compare(left: &[u8], right: &[u8]) -> Ordering {
    let plain = |key: &[u8]| key.iter().all(|byte| byte.is_ascii() && *byte != b'\\');
    if plain(left) && plain(right) {
        return left.cmp(right);
    }
    units(left).cmp(&units(right))
}

fn units(key: &[u8]) -> Vec<u16> {
    let mut quoted = Vec::with_capacity(key.len() + 2);
    quoted.push(b'"');
    quoted.extend_from_slice(key);
    quoted.push(b'"');
    // The scanner let it pass, so it is a JSON string.
    let text: String = serde_json::from_slice(&quoted).unwrap_or_default();
    text.encode_utf16().collect()
}

fn write(value: &Value, out: &mut Vec<u8>) -> Result<(), &'static str> {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Number(number) if number.is_f64() => {
            return Err("numbers must be integers of at most 53 bits");
        }
        Value::Number(number) => out.extend_from_slice(number.to_string().as_bytes()),
        Value::String(text) => write_string(text, out),
        Value::Array(items) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write(item, out)?;
            }
            out.push(b']');
        }
        Value::Object(fields) => {
            let mut sorted: Vec<_> = fields.iter().collect();
            sorted.sort_by(|left, right| left.0.encode_utf16().cmp(right.0.encode_utf16()));
            out.push(b'{');
            for (index, (key, value)) in sorted.into_iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_string(key, out);
                out.push(b':');
                write(value, out)?;
            }
            out.push(b'}');
        }
    }
    Ok(())
}

/// Writes a string with its quotes and the shortest escapes (RFC 8785, section 3.2.2.2).
pub(crate) fn write_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            0x08 => out.extend_from_slice(b"\\b"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'\n' => out.extend_from_slice(b"\\n"),
            0x0c => out.extend_from_slice(b"\\f"),
            b'\r' => out.extend_from_slice(b"\\r"),
            control @ 0..=0x1f => {
                const HEX: &[u8; 16] = b"0123456789abcdef";
                out.extend_from_slice(b"\\u00");
                out.push(HEX[usize::from(control >> 4)]);
                out.push(HEX[usize::from(control & 15)]);
            }
            plain => out.push(plain),
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn canonical_texts_pass() {
        for good in [
            "{}",
            "[]",
            "null",
            "-1",
            "9007199254740991",
            r#"{"a":[1,"\u001f\b\t\n\f\r\"\\",true],"b":{"c":null}}"#,
            "\"\u{7f}\u{20ac}\u{1f600}/\"",
            // RFC 8785, section 3.2.3: U+1F600 sorts before U+FB33 by its surrogates.
            "{\"\u{20ac}\":1,\"\u{1f600}\":2,\"\u{fb33}\":3}",
        ] {
            assert_eq!(check(good.as_bytes()), Ok(()), "{good}");
            assert!(matches!(form(good.as_bytes()), Ok(Cow::Borrowed(_))), "{good}");
        }
    }

    #[test]
    fn everything_else_is_refused_or_rewritten() {
        let rewritten = [
            ("{ }", "{}"),
            (r#"{"b":1,"a":2}"#, r#"{"a":2,"b":1}"#),
            ("{\"\u{fb33}\":3,\"\u{1f600}\":2}", "{\"\u{1f600}\":2,\"\u{fb33}\":3}"),
            (r#""\u0041\/\u0009\u001F""#, r#""A/\t\u001f""#),
            ("[1, 2]", "[1,2]"),
        ];
        for (text, expected) in rewritten {
            assert!(check(text.as_bytes()).is_err(), "{text}");
            assert_eq!(form(text.as_bytes()).expect(text).as_ref(), expected.as_bytes());
        }
        for bad in [
            "1.5",
            "1e3",
            "-0",
            "01",
            "9007199254740992",
            "{\"a\":1,}",
            "tru",
            "\"a",
            "[1",
            "",
            "1 1",
            "{a:1}",
        ] {
            assert!(check(bad.as_bytes()).is_err(), "{bad}");
            assert!(form(bad.as_bytes()).is_err() || bad == "-0", "{bad}");
        }
        assert!(check(b"\"\xff\"").is_err());
        assert!(check(br#"{"a":1,"a":2}"#).is_err());
        let deep = "[".repeat(80) + &"]".repeat(80);
        assert_eq!(check(deep.as_bytes()).expect_err("deep").what, "nested too deeply");
    }

    #[test]
    fn no_feature_of_a_dependency_changes_what_serde_json_writes() {
        // `preserve_order` would keep z first, `arbitrary_precision` would keep the exponent.
        let value: Value = serde_json::from_str(r#"{"z":1,"a":{"c":1,"b":2}}"#).expect("valid");
        assert_eq!(serde_json::to_string(&value).expect("text"), r#"{"a":{"b":2,"c":1},"z":1}"#);
        assert!(serde_json::from_str::<Value>("1e2").expect("valid").is_f64());
    }

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i32>().prop_map(Value::from),
            ".*".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(".*", inner, 0..4)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_canonical_and_reads_back(value in values()) {
            let mut out = Vec::new();
            write(&value, &mut out).expect("no fractions");
            prop_assert_eq!(check(&out), Ok(()));
            let back: Value = serde_json::from_slice(&out).expect("JSON");
            prop_assert_eq!(back, value);
        }

        #[test]
        fn spaces_are_always_found(value in values(), space in prop::sample::select(vec![' ', '\n', '\t'])) {
            let mut out = Vec::new();
            write(&value, &mut out).expect("no fractions");
            out.push(space as u8);
            prop_assert!(check(&out).is_err());
        }
    }
}
