//! The debtors at hand: state folded from the history, kept while it is in use.
//!
//! What is here can be thrown away at any moment; the history gives it back. Only the recorder's thread touches it.

use crate::domain::id::DebtorKey;
use crate::domain::state::DebtorState;
use crate::storage::Chain;
use std::collections::HashMap;

/// A debtor with the head of its chain.
pub struct Entry {
    /// The fold of its events.
    pub state: DebtorState,
    /// Where its chain goes on.
    pub chain: Chain,
    /// Debtors that share an account or a contact point with it, once looked up.
    pub relatives: Option<Vec<DebtorKey>>,
}

/// Two generations: what is used moves to the young one; when that is full, the old one is forgotten.
pub struct Roster {
    young: HashMap<DebtorKey, Entry>,
    old: HashMap<DebtorKey, Entry>,
    generation: usize,
}

impl Roster {
    /// A roster of at most twice `generation` debtors.
    pub fn new(generation: usize) -> Self {
        Self { young: HashMap::new(), old: HashMap::new(), generation: generation.max(1) }
    }

    /// Whether the debtor is at hand; if so, it stays a while longer.
    pub fn touch(&mut self, key: DebtorKey) -> bool {
        if self.young.contains_key(&key) {
            return true;
        }
        match self.old.remove(&key) {
            Some(entry) => {
                self.young.insert(key, entry);
                true
            }
            None => false,
        }
    }

    /// A debtor at hand.
    pub fn get(&self, key: DebtorKey) -> Option<&Entry> {
        self.young.get(&key).or_else(|| self.old.get(&key))
    }

    /// A debtor at hand, to be changed.
    pub fn get_mut(&mut self, key: DebtorKey) -> Option<&mut Entry> {
        match self.young.get_mut(&key) {
            Some(entry) => Some(entry),
            None => self.old.get_mut(&key),
        }
    }

    /// Takes a debtor in.
    pub fn insert(&mut self, key: DebtorKey, entry: Entry) {
        self.young.insert(key, entry);
    }

    /// Forgets the old generation once the young one is full. Never called while a batch is open: a debtor that the batch has
    /// touched must stay at hand until its commit.
    pub fn age(&mut self) {
        if self.young.len() >= self.generation {
            self.old = std::mem::take(&mut self.young);
        }
    }

    /// Forgets everything, because a batch was not committed and what is here may be ahead of the history.
    pub fn forget(&mut self) {
        self.young.clear();
        self.old.clear();
    }
}
