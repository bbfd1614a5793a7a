//! A debtor's visits by signed link: what the history keeps of them.
//!
//! Each step is an `access.recorded` in the debtor's own chain, so that a link opens once and a wrong answer counts even
//! after a crash. Nothing of it is personal: a link's identifier is random.

use crate::domain::channel::words;
use crate::domain::time::{Span, Timestamp};
use std::fmt;
use std::str::FromStr;

/// No link lives longer, so older steps need not be kept at hand.
pub const LONGEST_LIFE: Span = Span::days(90);

/// A link's identifier.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub [u8; 16]);

impl fmt::Display for LinkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for LinkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for LinkId {
    type Err = hex::FromHexError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0u8; 16];
        hex::decode_to_slice(text, &mut bytes)?;
        Ok(Self(bytes))
    }
}

words! {
    /// One step of a visit.
    Step {
        /// A link was handed out.
        Issued = "portal_link.issued",
        /// It was opened, and opens no more.
        Opened = "portal_link.opened",
        /// Its holder knew what only the debtor knows.
        Proved = "portal_link.proved",
        /// Its holder did not know it.
        Failed = "portal_link.failed",
        /// The visit was ended.
        Left = "portal_link.left",
    }
}

/// A step of a visit, with its moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Visit {
    /// When.
    pub at: Timestamp,
    /// By which link.
    pub link: LinkId,
    /// What.
    pub step: Step,
}

/// What an `access.recorded` says that it was.
pub fn subject(step: Step, link: LinkId) -> String {
    format!("{step} {link}")
}

/// Reads back what [`subject`] wrote; none for other accesses.
pub fn read(subject: &str) -> Option<(Step, LinkId)> {
    let (step, link) = subject.split_once(' ')?;
    Some((Step::from_word(step)?, link.parse().ok()?))
}

/// Takes an access into what is kept at hand of a debtor's visits.
pub fn remember(visits: &mut Vec<Visit>, said: &str, at: Timestamp) {
    if let Some((step, link)) = read(said) {
        visits.retain(|visit| at.since(visit.at) <= LONGEST_LIFE);
        visits.push(Visit { at, link, step });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_reads_back() {
        let link = LinkId([7; 16]);
        for step in Step::ALL {
            assert_eq!(read(&subject(*step, link)), Some((*step, link)));
        }
        for other in ["history of a debtor", "portal_link.opened", "portal_link.opened 07", ""] {
            assert_eq!(read(other), None, "{other}");
        }
    }
}
