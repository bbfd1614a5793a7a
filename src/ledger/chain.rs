//! The chain of one stream: each entry counts on from the last and names its leaf hash.

use crate::ledger::LeafHash;
use crate::ledger::entry::Entry;

/// Where a stream's chain stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The place of the last entry, from 1; 0 where there is none.
    pub seq: u64,
    /// The leaf hash of the last entry; [`LeafHash::ZERO`] where there is none.
    pub last: LeafHash,
}

/// How an entry does not follow from its chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Break {
    /// It is not the next in its stream.
    Sequence {
        /// The place it should have.
        expected: u64,
    },
    /// It names another predecessor.
    Link,
}

impl Head {
    /// A stream without entries.
    pub const START: Self = Self { seq: 0, last: LeafHash::ZERO };

    /// The place of the next entry.
    pub const fn next_seq(&self) -> u64 {
        self.seq + 1
    }

    /// Moves on to the entry that was just added.
    pub const fn advance(&mut self, added: LeafHash) {
        self.seq += 1;
        self.last = added;
    }

    /// Whether an entry is the next of this chain.
    pub fn admits(&self, entry: &Entry<'_>) -> Result<(), Break> {
        if entry.seq != self.next_seq() {
            return Err(Break::Sequence { expected: self.next_seq() });
        }
        if entry.prev == self.last { Ok(()) } else { Err(Break::Link) }
    }
}
