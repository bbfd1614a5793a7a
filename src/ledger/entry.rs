//! An event as it stands in the log: one canonical JSON object, written straight into bytes.
//!
//! ```json
//! {"actor":"gateway","at":"2026-11-22T13:00:00Z","clear":{…},"prev":"64 hex digits","sealed":"base64"|null,
//!  "seq":1,"stream":"32 hex digits"|"installation","type":"debtor.updated","v":1}
//! ```
//! (in one line, without spaces). `clear` is the event's clear part, `sealed` the ciphertext of its personal part.

use crate::domain::event::{Actor, Stream};
use crate::domain::id::{DebtorKey, Pseudonym};
use crate::domain::time::Timestamp;
use crate::ledger::LeafHash;
use crate::ledger::canonical::{NotCanonical, scan, utf8, write_string};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use std::io::Write;

/// The version of this form.
pub const VERSION: u64 = 1;
const INSTALLATION: &str = "installation";

/// What an entry is made of, before it is written.
#[derive(Clone, Copy, Debug)]
pub struct Draft<'a> {
    /// Who did it.
    pub actor: &'a Actor,
    /// When it was recorded.
    pub at: Timestamp,
    /// The clear part, canonical JSON.
    pub clear: &'a [u8],
    /// The leaf hash of the stream's entry before it.
    pub prev: LeafHash,
    /// The ciphertext of the personal part.
    pub sealed: Option<&'a [u8]>,
    /// Its place in its stream, from 1.
    pub seq: u64,
    /// Whose chain it stands in.
    pub stream: Stream,
    /// The event's type.
    pub type_name: &'a str,
}

impl Draft<'_> {
    /// Writes the entry behind what `out` holds. `clear` must be canonical, which is the caller's to see to.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(br#"{"actor":"#);
        match self.actor {
            Actor::Gateway => out.extend_from_slice(br#""gateway""#),
            actor @ (Actor::Key(_) | Actor::Provider(_) | Actor::Debtor | Actor::Operator) => {
                write_string(&actor.to_string(), out);
            }
        }
        out.extend_from_slice(br#","at":""#);
        text(out, format_args!("{}", self.at));
        out.extend_from_slice(br#"","clear":"#);
        out.extend_from_slice(self.clear);
        out.extend_from_slice(br#","prev":""#);
        hexadecimal(out, self.prev.as_bytes());
        match self.sealed {
            Some(ciphertext) => {
                out.extend_from_slice(br#"","sealed":""#);
                base64_into(out, ciphertext);
                out.extend_from_slice(br#"","seq":"#);
            }
            None => out.extend_from_slice(br#"","sealed":null,"seq":"#),
        }
        text(out, format_args!("{}", self.seq));
        out.extend_from_slice(br#","stream":""#);
        match self.stream {
            Stream::Installation => out.extend_from_slice(INSTALLATION.as_bytes()),
            Stream::Debtor(DebtorKey(key)) => hexadecimal(out, key.as_bytes()),
        }
        out.extend_from_slice(br#"","type":"#);
        write_string(self.type_name, out);
        text(out, format_args!(",\"v\":{VERSION}}}"));
    }
}

fn text(out: &mut Vec<u8>, arguments: std::fmt::Arguments<'_>) {
    // Writing into memory does not fail.
    let _ = out.write_fmt(arguments);
}

fn hexadecimal(out: &mut Vec<u8>, bytes: &[u8]) {
    let start = out.len();
    out.resize(start + bytes.len() * 2, 0);
    // The room is exactly twice the bytes.
    let _ = hex::encode_to_slice(bytes, &mut out[start..]);
}

fn base64_into(out: &mut Vec<u8>, bytes: &[u8]) {
    let start = out.len();
    out.resize(start + bytes.len().div_ceil(3) * 4, 0);
    // The room is exactly what padded base64 takes.
    let _ = BASE64.encode_slice(bytes, &mut out[start..]);
}

/// An entry read back. It borrows from the bytes it was read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Who did it.
    pub actor: Actor,
    /// When it was recorded.
    pub at: Timestamp,
    /// The clear part, canonical JSON.
    pub clear: &'a str,
    /// The leaf hash of the stream's entry before it.
    pub prev: LeafHash,
    /// The ciphertext of the personal part in base64.
    pub sealed: Option<&'a str>,
    /// Its place in its stream, from 1.
    pub seq: u64,
    /// Whose chain it stands in.
    pub stream: Stream,
    /// The event's type.
    pub type_name: &'a str,
}

impl<'a> Entry<'a> {
    /// Reads an entry strictly: exactly the form that [`Draft::write`] gives, or a fault at a byte.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, NotCanonical> {
        let mut reader = Reader { text: utf8(bytes)?, at: 0 };
        let actor = reader.field("{\"actor\":", "expected actor", Reader::value)?;
        let at = reader.field(",\"at\":", "expected at", Reader::value)?;
        let clear = reader.field(",\"clear\":", "expected clear", Reader::value)?;
        let prev = reader.field(",\"prev\":", "expected prev", Reader::value)?;
        let sealed = reader.field(",\"sealed\":", "expected sealed", Reader::value)?;
        let seq = reader.field(",\"seq\":", "expected seq", Reader::value)?;
        let stream = reader.field(",\"stream\":", "expected stream", Reader::value)?;
        let type_name = reader.field(",\"type\":", "expected type", Reader::value)?;
        reader.expect(",\"v\":1}", "expected version 1 and the end")?;
        if reader.at != bytes.len() {
            return reader.fail("more follows the entry");
        }
        Ok(Self {
            actor: actor.actor()?,
            at: at.timestamp()?,
            clear: clear.object()?,
            prev: LeafHash::from_bytes(prev.hexadecimal()?),
            sealed: sealed.optional_text()?,
            seq: seq.number()?,
            stream: stream.stream()?,
            type_name: type_name.word()?,
        })
    }

    /// The first nine bytes of the ciphertext, without decoding the rest; none where there are not so many.
    pub fn ciphertext_start(&self) -> Option<[u8; 9]> {
        let mut start = [0; 9];
        let decoded = BASE64.decode_slice(self.sealed?.get(..12)?, &mut start);
        (decoded == Ok(start.len())).then_some(start)
    }

    /// The ciphertext's bytes; none where nothing is sealed or the text is no base64.
    pub fn ciphertext(&self) -> Option<Vec<u8>> {
        self.sealed.and_then(|text| BASE64.decode(text).ok())
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn fail<T>(&self, what: &'static str) -> Result<T, NotCanonical> {
        Err(NotCanonical { offset: self.at, what })
    }

    fn expect(&mut self, literal: &str, what: &'static str) -> Result<(), NotCanonical> {
        if !self.text.as_bytes()[self.at..].starts_with(literal.as_bytes()) {
            return self.fail(what);
        }
        self.at += literal.len();
        Ok(())
    }

    fn field(
        &mut self,
        literal: &str,
        what: &'static str,
        read: impl FnOnce(&mut Self) -> Result<Part<'a>, NotCanonical>,
    ) -> Result<Part<'a>, NotCanonical> {
        self.expect(literal, what)?;
        read(self)
    }

    fn value(&mut self) -> Result<Part<'a>, NotCanonical> {
        let start = self.at;
        self.at = scan(self.text, start)?;
        Ok(Part { text: &self.text[start..self.at], offset: start })
    }
}

/// One field's value as it stands in the text.
struct Part<'a> {
    text: &'a str,
    offset: usize,
}

impl<'a> Part<'a> {
    fn fail<T>(&self, what: &'static str) -> Result<T, NotCanonical> {
        Err(NotCanonical { offset: self.offset, what })
    }

    /// A string without escapes.
    fn plain(&self) -> Option<&'a str> {
        let inner = self.text.strip_prefix('"')?.strip_suffix('"')?;
        (!inner.contains('\\')).then_some(inner)
    }

    fn actor(&self) -> Result<Actor, NotCanonical> {
        let text: String = match serde_json::from_str(self.text) {
            Ok(text) => text,
            Err(_) => return self.fail("the actor is not a string"),
        };
        text.parse().or_else(|_| self.fail("not an actor"))
    }

    fn timestamp(&self) -> Result<Timestamp, NotCanonical> {
        let Some(text) = self.plain() else { return self.fail("at is not a string") };
        match text.parse::<Timestamp>() {
            // One instant has one spelling here.
            Ok(at) if at.to_string() == text => Ok(at),
            Ok(_) | Err(_) => self.fail("at is not an instant in UTC to the millisecond"),
        }
    }

    fn object(&self) -> Result<&'a str, NotCanonical> {
        if self.text.starts_with('{') { Ok(self.text) } else { self.fail("clear is not an object") }
    }

    fn hexadecimal<const N: usize>(&self) -> Result<[u8; N], NotCanonical> {
        let mut bytes = [0; N];
        let lower = |text: &&str| text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        match self.plain().filter(lower).map(|text| hex::decode_to_slice(text, &mut bytes)) {
            Some(Ok(())) => Ok(bytes),
            Some(Err(_)) | None => self.fail("not lower-case hexadecimal of the right length"),
        }
    }

    fn optional_text(&self) -> Result<Option<&'a str>, NotCanonical> {
        match self.plain() {
            None if self.text == "null" => Ok(None),
            Some(text) => Ok(Some(text)),
            None => self.fail("sealed is neither null nor base64"),
        }
    }

    fn number(&self) -> Result<u64, NotCanonical> {
        self.text.parse().or_else(|_| self.fail("not a count"))
    }

    fn stream(&self) -> Result<Stream, NotCanonical> {
        if self.plain() == Some(INSTALLATION) {
            return Ok(Stream::Installation);
        }
        Ok(Stream::Debtor(DebtorKey(Pseudonym::from_bytes(self.hexadecimal()?))))
    }

    fn word(&self) -> Result<&'a str, NotCanonical> {
        let plain = |text: &&str| {
            !text.is_empty() && text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'_' | b'.'))
        };
        match self.plain().filter(plain) {
            Some(word) => Ok(word),
            None => self.fail("not an event type"),
        }
    }
}
