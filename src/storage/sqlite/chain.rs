//! The newest end of a stream, as the writer continues it.

use crate::domain::event::Stream;
use crate::ledger::chain::Head;
use crate::storage::seal::DataKey;

/// Where a stream stands and what its personal parts are sealed with. Kept by the pipeline beside the debtor's state,
/// and dropped with it when a commit fails.
pub struct Chain {
    pub(super) stream: Stream,
    pub(super) head: Head,
    pub(super) key: Option<DataKey>,
    /// The length of the log when the head was known to be the stream's end.
    pub(super) as_of: u64,
}

impl Chain {
    /// Whose chain it is.
    pub fn stream(&self) -> Stream {
        self.stream
    }

    /// The place of the last event, from 1; 0 where there is none yet.
    pub fn seq(&self) -> u64 {
        self.head.seq
    }
}

impl std::fmt::Debug for Chain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Chain")
            .field("stream", &self.stream)
            .field("head", &self.head)
            .finish_non_exhaustive()
    }
}
