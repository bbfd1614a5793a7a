//! Walks a log in leaf order and names the first fault. Needs no key: it works on the sealed form.

use crate::domain::event::Stream;
use crate::ledger::LeafHash;
use crate::ledger::chain::{Break, Head};
use crate::ledger::entry::Entry;
use std::collections::HashMap;

/// The first place at which a log is not what was recorded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Breach {
    /// A leaf is missing or out of place.
    #[error("leaf {expected} is missing: leaf {found} stands in its place")]
    Gap {
        /// The index that should come next.
        expected: u64,
        /// The one that came.
        found: u64,
    },
    /// An entry is not in canonical form.
    #[error("leaf {leaf}: the entry is malformed at byte {offset}: {what}")]
    Form {
        /// The leaf's index.
        leaf: u64,
        /// Where in the entry, in bytes.
        offset: usize,
        /// What is wrong there.
        what: &'static str,
    },
    /// The entry's bytes are not those that were hashed.
    #[error("leaf {leaf}: the entry does not match its leaf hash")]
    Hash {
        /// The leaf's index.
        leaf: u64,
    },
    /// The entry is not the next in its stream.
    #[error("leaf {leaf}: it is number {found} of its stream, where {expected} comes next")]
    Sequence {
        /// The leaf's index.
        leaf: u64,
        /// The number that should come next.
        expected: u64,
        /// The one that came.
        found: u64,
    },
    /// The entry names another predecessor.
    #[error("leaf {leaf}: it does not name the entry before it in its stream")]
    Link {
        /// The leaf's index.
        leaf: u64,
    },
}

/// What was walked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Walked {
    /// How many entries.
    pub entries: u64,
    /// How many streams they stand in.
    pub streams: u64,
    /// The leaf hash of the last entry.
    pub last: Option<LeafHash>,
}

/// The walk: fed with entries in leaf order, it keeps one head a stream.
#[derive(Debug, Default)]
pub struct Verifier {
    next_leaf: u64,
    heads: HashMap<Stream, Head>,
    last: Option<LeafHash>,
}

impl Verifier {
    /// A walk that begins at leaf 0.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next entry with the index and the leaf hash that were stored with it.
    pub fn feed<'a>(&mut self, leaf: u64, stored: &[u8], entry: &'a [u8]) -> Result<Entry<'a>, Breach> {
        if leaf != self.next_leaf {
            return Err(Breach::Gap { expected: self.next_leaf, found: leaf });
        }
        let hash = LeafHash::of(entry);
        if hash.as_bytes() != stored {
            return Err(Breach::Hash { leaf });
        }
        let parsed = Entry::parse(entry).map_err(|fault| Breach::Form {
            leaf,
            offset: fault.offset,
            what: fault.what,
        })?;
        if parsed.sealed.is_some() && parsed.ciphertext().is_none() {
            return Err(Breach::Form { leaf, offset: 0, what: "sealed is not base64" });
        }
        let head = self.heads.entry(parsed.stream).or_insert(Head::START);
        head.admits(&parsed).map_err(|broken| match broken {
            Break::Sequence { expected } => Breach::Sequence { leaf, expected, found: parsed.seq },
            Break::Link => Breach::Link { leaf },
        })?;
        head.advance(hash);
        self.next_leaf += 1;
        self.last = Some(hash);
        Ok(parsed)
    }

    /// What was walked so far.
    pub fn walked(&self) -> Walked {
        Walked { entries: self.next_leaf, streams: self.heads.len() as u64, last: self.last }
    }
}
