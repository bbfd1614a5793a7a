//! What stands after the bar in `{name|filter}`: a change of a value's form.

use crate::provider::crypto::Hash;
use crate::provider::placeholder::{InvalidTemplate, push_percent_encoded};
use base64::Engine;

/// Every filter, as a manifest writes it; those with a colon take what follows it.
pub const FILTERS: &[&str] = &[
    "without_plus",
    "with_plus",
    "strip:",
    "address",
    "name",
    "first:",
    "add:",
    "most:",
    "lower",
    "upper",
    "trim",
    "url",
    "xml",
    "json",
    "utf16",
    "md5",
    "sha1",
    "sha256",
    "sha384",
    "sha512",
    "hex",
    "base64",
    "base64url",
    "number",
    "boolean",
    "keep",
    "raw",
    "optional",
];

/// How a value changes its form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filter {
    /// A telephone number without its plus sign.
    WithoutPlus,
    /// A telephone number with its plus sign, whether or not it came with one.
    WithPlus,
    /// Without this at its beginning.
    Strip(String),
    /// The address of a mailbox: `a@example.com` of `Name <a@example.com>`.
    Address,
    /// The name of a mailbox, empty where it has none.
    Name,
    /// At most so many characters.
    First(usize),
    /// A whole number, this much more.
    Add(i64),
    /// A whole number, this at most.
    Most(i64),
    /// In lower case.
    Lower,
    /// In upper case.
    Upper,
    /// Without white space around it.
    Trim,
    /// Percent-encoded, beyond what its place does anyway.
    Url,
    /// Escaped for XML.
    Xml,
    /// Escaped as within a JSON string.
    Json,
    /// In UTF-16, big end first; needs `hex` or `base64` after it.
    Utf16,
    /// Its digest; needs `hex` or `base64` after it.
    Digest(Hash),
    /// In hexadecimal, small letters.
    Hex,
    /// Standard base64 (RFC 4648, section 4).
    Base64,
    /// Base64 for addresses, without padding (RFC 4648, section 5).
    Base64Url,
    /// In JSON bodies: a number instead of a string.
    Number,
    /// In JSON bodies: `true` or `false` instead of a string.
    Boolean,
    /// Sent even when empty.
    Keep,
    /// Not percent-encoded where the place would encode it: for a base address.
    Raw,
    /// In what a signature covers: nothing where it is absent, instead of no signature at all.
    Optional,
}

impl Filter {
    /// Reads a filter.
    ///
    /// # Errors
    /// There is no such filter, or it lacks what it needs.
    pub(in crate::provider) fn read(word: &str) -> Result<Self, InvalidTemplate> {
        let unknown = || InvalidTemplate::Filter(word.to_owned());
        if let Some((name, given)) = word.split_once(':') {
            return match name {
                "strip" if !given.is_empty() => Ok(Self::Strip(given.to_owned())),
                "first" => given.parse().map(Self::First).map_err(|_| unknown()),
                "add" => given.parse().map(Self::Add).map_err(|_| unknown()),
                "most" => given.parse().map(Self::Most).map_err(|_| unknown()),
                _ => Err(unknown()),
            };
        }
        Ok(match word {
            "without_plus" => Self::WithoutPlus,
            "with_plus" => Self::WithPlus,
            "address" => Self::Address,
            "name" => Self::Name,
            "lower" => Self::Lower,
            "upper" => Self::Upper,
            "trim" => Self::Trim,
            "url" => Self::Url,
            "xml" => Self::Xml,
            "json" => Self::Json,
            "utf16" => Self::Utf16,
            "md5" => Self::Digest(Hash::Md5),
            "sha1" => Self::Digest(Hash::Sha1),
            "sha256" => Self::Digest(Hash::Sha256),
            "sha384" => Self::Digest(Hash::Sha384),
            "sha512" => Self::Digest(Hash::Sha512),
            "hex" => Self::Hex,
            "base64" => Self::Base64,
            "base64url" => Self::Base64Url,
            "number" => Self::Number,
            "boolean" => Self::Boolean,
            "keep" => Self::Keep,
            "raw" => Self::Raw,
            "optional" => Self::Optional,
            _ => return Err(unknown()),
        })
    }

    /// Whether what comes out is bytes that are no text.
    pub(in crate::provider) fn gives_bytes(&self) -> bool {
        matches!(self, Self::Utf16 | Self::Digest(_))
    }

    /// Whether any bytes that go in come out as text.
    pub(in crate::provider) fn takes_bytes(&self) -> bool {
        matches!(self, Self::Hex | Self::Base64 | Self::Base64Url)
    }

    /// Changes a value.
    pub(in crate::provider) fn apply(&self, value: Vec<u8>) -> Vec<u8> {
        match self {
            Self::Digest(hash) => return hash.digest(&value),
            Self::Hex => return hex::encode(value).into_bytes(),
            Self::Base64 => return base64::prelude::BASE64_STANDARD.encode(value).into_bytes(),
            Self::Base64Url => return base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(value).into_bytes(),
            Self::Number | Self::Boolean | Self::Keep | Self::Raw | Self::Optional => return value,
            Self::WithoutPlus | Self::WithPlus | Self::Strip(_) | Self::Address | Self::Name => {}
            Self::First(_) | Self::Add(_) | Self::Most(_) | Self::Lower | Self::Upper | Self::Trim => {}
            Self::Url | Self::Xml | Self::Json | Self::Utf16 => {}
        }
        self.apply_to_text(&String::from_utf8_lossy(&value))
    }

    fn apply_to_text(&self, text: &str) -> Vec<u8> {
        let text = match self {
            Self::WithoutPlus => text.trim_start_matches('+').to_owned(),
            Self::WithPlus if text.starts_with('+') || text.is_empty() => text.to_owned(),
            Self::WithPlus => format!("+{text}"),
            Self::Strip(prefix) => text.strip_prefix(prefix.as_str()).unwrap_or(text).to_owned(),
            Self::Address => mailbox(text).1.to_owned(),
            Self::Name => mailbox(text).0.to_owned(),
            Self::First(count) => text.chars().take(*count).collect(),
            Self::Add(more) => match text.trim().parse::<i64>() {
                Ok(number) => number.saturating_add(*more).to_string(),
                Err(_) => text.to_owned(),
            },
            Self::Most(most) => match text.trim().parse::<i64>() {
                Ok(number) => number.min(*most).to_string(),
                Err(_) => text.to_owned(),
            },
            Self::Lower => text.to_lowercase(),
            Self::Upper => text.to_uppercase(),
            Self::Trim => text.trim().to_owned(),
            Self::Url => {
                let mut out = String::with_capacity(text.len());
                push_percent_encoded(&mut out, text);
                out
            }
            Self::Xml => xml(text),
            Self::Json => {
                let quoted = serde_json::Value::from(text).to_string();
                quoted[1..quoted.len() - 1].to_owned()
            }
            Self::Utf16 => return text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
            Self::Digest(_) | Self::Hex | Self::Base64 | Self::Base64Url => text.to_owned(),
            Self::Number | Self::Boolean | Self::Keep | Self::Raw | Self::Optional => text.to_owned(),
        };
        text.into_bytes()
    }
}

/// Name and address of a mailbox: `Name <a@example.com>`, or the address alone.
fn mailbox(text: &str) -> (&str, &str) {
    match text.rsplit_once('<') {
        Some((name, rest)) => {
            (name.trim().trim_matches('"'), rest.split_once('>').map_or(rest, |(address, _)| address).trim())
        }
        None => ("", text.trim()),
    }
}

/// Text as it stands within XML, also within an attribute.
pub(in crate::provider) fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_filter_changes_what_it_says() {
        for (filters, value, result) in [
            ("without_plus", "+13055550117", "13055550117"),
            ("with_plus", "13055550117", "+13055550117"),
            ("strip:+1", "+13055550117", "3055550117"),
            ("address", "First Recovery <a@recovery.example>", "a@recovery.example"),
            ("name", "\"First Recovery\" <a@recovery.example>", "First Recovery"),
            ("name", "a@recovery.example", ""),
            ("address", "a@recovery.example", "a@recovery.example"),
            ("first:3", "ñandú", "ñan"),
            ("add:900", "1790000000", "1790000900"),
            ("most:10", "25", "10"),
            ("most:10", "5", "5"),
            ("upper", "abc", "ABC"),
            ("trim", " a ", "a"),
            ("url", "a b&c", "a%20b%26c"),
            ("xml", "<a & 'b'>", "&lt;a &amp; &apos;b&apos;&gt;"),
            ("json", "a\"b\n", "a\\\"b\\n"),
            ("utf16|hex", "ñ", "00f1"),
            ("sha256|hex", "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            ("md5|hex|upper", "abc", "900150983CD24FB0D6963F7D28E17F72"),
            ("sha1|base64", "abc", "qZk+NkcGgWq6PiVxeFDCbJzQ2J0="),
            ("base64url", "??>", "Pz8-"),
        ] {
            let filters: Vec<Filter> =
                filters.split('|').map(|word| Filter::read(word).expect(word)).collect();
            let out = filters.iter().fold(value.as_bytes().to_vec(), |value, filter| filter.apply(value));
            assert_eq!(String::from_utf8(out).expect("text"), result, "{filters:?}");
        }
        for wrong in ["shout", "strip:", "first:x", "add:", "most:x"] {
            assert!(Filter::read(wrong).is_err(), "{wrong}");
        }
        for word in FILTERS.iter().filter(|word| !word.ends_with(':')) {
            assert!(Filter::read(word).is_ok(), "{word}");
        }
    }
}
