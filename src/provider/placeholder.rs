//! `{name|filter}`: the whole template language of manifests. No loops, no conditions, no code.
//!
//! A name is looked up by whoever reads the template; a filter changes the value's form. `{{` and `}}` are braces.

use crate::provider::filter::{FILTERS, Filter};
use crate::provider::suggest;
use std::borrow::Cow;
use std::fmt;

/// What a template is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Slot { name: String, filters: Vec<Filter> },
}

/// A template as a manifest writes it, taken apart once at load.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "String")]
pub struct Template {
    pieces: Vec<Piece>,
}

/// What can be wrong with a template.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum InvalidTemplate {
    /// A brace without its partner.
    #[error("a brace has no partner; write {{{{ or }}}} for a brace itself")]
    Brace,
    /// Nothing between the braces, or not a name.
    #[error(
        "`{0}` is not a name (letters, digits, `_`, `:`, `-`, `.` and `/`); a brace itself is written {{{{ or }}}}"
    )]
    Name(String),
    /// A filter that does not exist, or lacks what must follow its colon.
    #[error("unknown filter `{0}`{nearest}: there are {all}", nearest = suggest::nearest(.0, FILTERS), all = FILTERS.join(", "))]
    Filter(String),
    /// Bytes that are no text.
    #[error("after `{0}` there must be `hex`, `base64` or `base64url`: its result is no text")]
    Bytes(String),
}

/// Where a rendered value stands, which decides how it is escaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// As it is.
    Plain,
    /// Within a URL: everything but unreserved characters is percent-encoded (RFC 3986, section 2.3).
    Url,
    /// Within a header: control characters are dropped (RFC 9110, section 5.5).
    Header,
}

impl Template {
    /// The names that stand in the template.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Slot { name, .. } => Some(name.as_str()),
            Piece::Text(_) => None,
        })
    }

    /// The name that is all there is of it, without a filter.
    pub(in crate::provider) fn alone(&self) -> Option<&str> {
        match self.pieces.as_slice() {
            [Piece::Slot { name, filters }] if filters.is_empty() => Some(name),
            _ => None,
        }
    }

    /// The names of slots that may hold anything, and carry neither this filter nor one whose result needs none.
    pub(in crate::provider) fn unescaped<'t>(&'t self, wanted: &'t Filter) -> impl Iterator<Item = &'t str> {
        /// What never needs it.
        const HARMLESS: &[&str] = &[
            "attempt",
            "document",
            "http_date",
            "language",
            "nonce",
            "now",
            "segments",
            "to",
            "unicode",
            "unix",
            "unix_ms",
        ];
        self.pieces.iter().filter_map(move |piece| match piece {
            Piece::Slot { name, filters } => {
                let encoded = |filter: &Filter| filter == wanted || filter.takes_bytes();
                (!HARMLESS.contains(&name.as_str()) && !filters.iter().any(encoded)).then_some(name.as_str())
            }
            Piece::Text(_) => None,
        })
    }

    /// Whether any slot carries a filter.
    pub fn has(&self, wanted: &Filter) -> bool {
        self.pieces
            .iter()
            .any(|piece| matches!(piece, Piece::Slot { filters, .. } if filters.contains(wanted)))
    }

    /// Fills the slots; a name that the reader does not know is empty.
    pub fn render<'v>(&self, place: Place, value: impl Fn(&str) -> Option<Cow<'v, str>>) -> String {
        self.fill(place, value).0
    }

    /// Fills the slots. None where nothing came of it: where all that it has is slots and text around them, and every slot
    /// is empty. A slot with `keep` always counts as filled.
    pub fn render_unless_empty<'v>(
        &self,
        place: Place,
        value: impl Fn(&str) -> Option<Cow<'v, str>>,
    ) -> Option<String> {
        let (text, filled) = self.fill(place, value);
        let slots = self.names().next().is_some();
        (if slots { filled } else { !text.is_empty() }).then_some(text)
    }

    fn fill<'v>(&self, place: Place, value: impl Fn(&str) -> Option<Cow<'v, str>>) -> (String, bool) {
        let (mut out, mut filled) = (String::new(), self.has(&Filter::Keep));
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Slot { name, filters } => {
                    let before = out.len();
                    // A request without a body still has the body's digest.
                    let counts = |value: &Cow<'_, str>| !value.is_empty() || name == "request_body";
                    if let Some(value) = value(name).filter(counts) {
                        push_filtered(&mut out, value, filters, place);
                    }
                    filled |= out.len() > before;
                }
            }
        }
        (out, filled)
    }

    /// Fills the slots with bytes, unescaped: for what signatures are computed over. None where a slot has no value, unless
    /// it is `optional`.
    pub fn render_bytes(&self, value: impl Fn(&str) -> Option<Vec<u8>>) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => out.extend_from_slice(text.as_bytes()),
                Piece::Slot { name, filters } => match value(name) {
                    Some(value) => {
                        out.extend(filters.iter().fold(value, |value, filter| filter.apply(value)))
                    }
                    None if filters.contains(&Filter::Optional) => {}
                    None => return None,
                },
            }
        }
        Some(out)
    }
}

fn push_filtered(out: &mut String, value: Cow<'_, str>, filters: &[Filter], place: Place) {
    let value = match filters {
        [] => value,
        filters => {
            let bytes =
                filters.iter().fold(value.into_owned().into_bytes(), |value, filter| filter.apply(value));
            Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
        }
    };
    match place {
        Place::Url if !filters.contains(&Filter::Raw) => push_percent_encoded(out, &value),
        Place::Plain | Place::Url => out.push_str(&value),
        Place::Header => out.extend(value.chars().filter(|c| !c.is_control())),
    }
}

/// Percent-encodes all but the unreserved characters (RFC 3986, section 2.3).
pub fn push_percent_encoded(out: &mut String, text: &str) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(HEX[usize::from(byte >> 4)]));
            out.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
}

/// A template of what a signature covers: a slot in it may end in bytes that are no text, such as a digest.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "String")]
pub struct SignedText(Template);

impl TryFrom<String> for SignedText {
    type Error = InvalidTemplate;
    fn try_from(text: String) -> Result<Self, InvalidTemplate> {
        Template::parse(&text, true).map(Self)
    }
}

impl std::ops::Deref for SignedText {
    type Target = Template;
    fn deref(&self) -> &Template {
        &self.0
    }
}

impl TryFrom<String> for Template {
    type Error = InvalidTemplate;
    fn try_from(text: String) -> Result<Self, InvalidTemplate> {
        Self::parse(&text, false)
    }
}

impl Template {
    fn parse(text: &str, bytes: bool) -> Result<Self, InvalidTemplate> {
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(at) = rest.find(['{', '}']) {
            plain.push_str(&rest[..at]);
            let brace = &rest[at..=at];
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix(brace) {
                plain.push_str(brace);
                rest = after;
                continue;
            }
            let end = rest.find(['{', '}']).ok_or(InvalidTemplate::Brace)?;
            if brace == "}" || !rest[end..].starts_with('}') {
                return Err(InvalidTemplate::Brace);
            }
            if !plain.is_empty() {
                pieces.push(Piece::Text(std::mem::take(&mut plain)));
            }
            pieces.push(slot(&rest[..end], bytes)?);
            rest = &rest[end + 1..];
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain));
        }
        Ok(Self { pieces })
    }
}

fn slot(text: &str, bytes: bool) -> Result<Piece, InvalidTemplate> {
    let mut parts = text.split('|');
    let name = parts.next().unwrap_or_default();
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || "_:-./".contains(c)) {
        return Err(InvalidTemplate::Name(name.to_owned()));
    }
    let filters: Vec<Filter> = parts.map(Filter::read).collect::<Result<_, _>>()?;
    if let Some(at) = filters.iter().position(Filter::gives_bytes) {
        let next = filters.get(at + 1);
        if !next.map_or(bytes, |next| next.takes_bytes() || next.gives_bytes()) {
            return Err(InvalidTemplate::Bytes(text.split('|').nth(at + 1).unwrap_or_default().to_owned()));
        }
    }
    Ok(Piece::Slot { name: name.to_owned(), filters })
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => f.write_str(&text.replace('{', "{{").replace('}', "}}"))?,
                Piece::Slot { name, .. } => write!(f, "{{{name}}}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(text: &str, place: Place) -> String {
        let template = Template::try_from(text.to_owned()).expect(text);
        template.render(place, |name| match name {
            "to" => Some("+13055550123".into()),
            "text" => Some("a&b\r\nc".into()),
            _ => None,
        })
    }

    #[test]
    fn slots_are_filled_filtered_and_escaped() {
        assert_eq!(rendered("{to|without_plus}", Place::Plain), "13055550123");
        assert_eq!(rendered("{to|without_plus|with_plus}", Place::Plain), "+13055550123");
        assert_eq!(rendered("x/{to}/{text}", Place::Url), "x/%2B13055550123/a%26b%0D%0Ac");
        assert_eq!(rendered("{to|raw}", Place::Url), "+13055550123");
        assert_eq!(rendered("T: {text}", Place::Header), "T: a&bc");
        assert_eq!(rendered("{{{to}}} {unknown}", Place::Plain), "{+13055550123} ");
        assert_eq!(rendered("{to|base64}", Place::Plain), "KzEzMDU1NTUwMTIz");
    }

    #[test]
    fn text_around_empty_slots_goes_with_them() {
        for (text, out) in [
            ("<{unknown}>", None),
            ("<{to}>", Some("<+13055550123>")),
            ("{unknown}-{to}", Some("-+13055550123")),
            ("plain", Some("plain")),
            ("", None),
            ("{unknown|keep}", Some("")),
        ] {
            let template = Template::try_from(text.to_owned()).expect(text);
            let look = |name: &str| (name == "to").then(|| "+13055550123".into());
            assert_eq!(template.render_unless_empty(Place::Plain, look).as_deref(), out, "{text}");
        }
    }

    #[test]
    fn broken_templates_are_refused() {
        for (text, error) in [
            ("{to", InvalidTemplate::Brace),
            ("to}", InvalidTemplate::Brace),
            ("{a{b}}", InvalidTemplate::Brace),
            ("{}", InvalidTemplate::Name(String::new())),
            ("{a b}", InvalidTemplate::Name("a b".to_owned())),
            ("{to|shout}", InvalidTemplate::Filter("shout".to_owned())),
            ("{to|sha256}", InvalidTemplate::Bytes("sha256".to_owned())),
            ("{to|utf16|upper|hex}", InvalidTemplate::Bytes("utf16".to_owned())),
        ] {
            assert_eq!(Template::try_from(text.to_owned()), Err(error), "{text}");
        }
        assert!(SignedText::try_from("{to|utf16|upper}".to_owned()).is_err());
        let signed = SignedText::try_from("{a}.{b|sha256}".to_owned()).expect("bytes at the end");
        let bytes = signed.render_bytes(|name| Some(if name == "a" { b"1".to_vec() } else { Vec::new() }));
        assert!(bytes.is_some_and(|bytes| bytes.len() == 34 && bytes.starts_with(b"1.\xe3\xb0\xc4")));
    }
}
