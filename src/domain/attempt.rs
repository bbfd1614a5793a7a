//! The life of an attempt: it only moves forward.

use crate::domain::channel::words;
use crate::domain::contact::ContactResult;

words! {
    /// Where an attempt stands.
    AttemptStatus {
        /// Its intent is durable; it may be on its way.
        Started = "started",
        /// The provider took it.
        Sent = "sent",
        /// The provider says that it arrived.
        Delivered = "delivered",
        /// It surely did not arrive.
        Failed = "failed",
        /// It may have left: it counts and is never repeated; a late receipt moves it on.
        Unknown = "unknown",
        /// It surely never left: it does not count.
        Abandoned = "abandoned",
    }
}

impl AttemptStatus {
    /// How far along it is. A status only gives way to one further along, so late and repeated receipts change nothing.
    fn rank(self) -> u8 {
        match self {
            Self::Started => 0,
            Self::Unknown => 1,
            Self::Sent => 2,
            Self::Failed => 3,
            Self::Delivered => 4,
            Self::Abandoned => 5,
        }
    }

    /// Whether a report of another status moves an attempt on. An abandoned attempt stays abandoned, and only a started one
    /// can be abandoned.
    pub fn moves_to(self, next: Self) -> bool {
        match (self, next) {
            (Self::Abandoned, _) => false,
            (from, Self::Abandoned) => from == Self::Started,
            (from, to) => to.rank() > from.rank(),
        }
    }

    /// Whether nothing more is expected to happen to it but a late receipt.
    pub fn is_settled(self) -> bool {
        self != Self::Started
    }

    /// Whether it counts against the caps: everything that left or may have left.
    pub fn counts(self) -> bool {
        self != Self::Abandoned
    }

    /// How a contact made by this attempt is counted.
    pub fn result(self) -> ContactResult {
        match self {
            Self::Started | Self::Sent | Self::Unknown => ContactResult::Sent,
            Self::Delivered => ContactResult::Delivered,
            Self::Failed | Self::Abandoned => ContactResult::Failed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_only_move_forward() {
        for (index, from) in AttemptStatus::ALL.iter().enumerate() {
            assert!(!from.moves_to(*from));
            for to in &AttemptStatus::ALL[index + 1..] {
                assert!(!(from.moves_to(*to) && to.moves_to(*from)), "{from} and {to} move both ways");
            }
        }
        assert!(AttemptStatus::Unknown.moves_to(AttemptStatus::Sent));
        assert!(AttemptStatus::Sent.moves_to(AttemptStatus::Failed));
        assert!(!AttemptStatus::Sent.moves_to(AttemptStatus::Abandoned));
        assert!(!AttemptStatus::Abandoned.moves_to(AttemptStatus::Delivered));
    }
}
