//! The debtors at hand: state folded from the history, kept while it is in use.
//!
//! What is here can be thrown away at any moment; the history gives it back. Only the recorder's thread touches it.

use crate::domain::id::DebtorKey;
use crate::domain::state::DebtorState;
use crate::storage::Chain;
use hashlink::LinkedHashMap;

/// A debtor with the head of its chain.
pub struct Entry {
    /// The fold of its events.
    pub state: DebtorState,
    /// Where its chain goes on.
    pub chain: Chain,
    /// Debtors that share an account or a contact point with it, once looked up.
    pub relatives: Option<Vec<DebtorKey>>,
}

/// At most so many debtors, the least recently used forgotten first.
pub struct Roster {
    entries: LinkedHashMap<DebtorKey, Box<Entry>>,
    capacity: usize,
}

impl Roster {
    /// An empty roster.
    pub fn new(capacity: usize) -> Self {
        Self { entries: LinkedHashMap::new(), capacity }
    }

    /// Whether the debtor is at hand; if so, it stays a while longer.
    pub fn touch(&mut self, key: DebtorKey) -> bool {
        self.entries.to_back(&key).is_some()
    }

    /// A debtor at hand.
    pub fn get(&self, key: DebtorKey) -> Option<&Entry> {
        self.entries.get(&key).map(|entry| &**entry)
    }

    /// A debtor at hand, to be changed.
    pub fn get_mut(&mut self, key: DebtorKey) -> Option<&mut Entry> {
        self.entries.get_mut(&key).map(|entry| &mut **entry)
    }

    /// Takes a debtor in.
    pub fn insert(&mut self, key: DebtorKey, entry: Entry) {
        self.entries.insert(key, Box::new(entry));
    }

    /// Forgets whoever was not used for longest, down to the capacity. Never called while a batch is open: a debtor that the
    /// batch has touched must stay at hand until its commit.
    pub fn trim(&mut self) {
        while self.entries.len() > self.capacity {
            self.entries.pop_front();
        }
    }

    /// Forgets everything, because a batch was not committed and what is here may be ahead of the history.
    pub fn forget(&mut self) {
        self.entries.clear();
    }
}
