//! Typed, prefixed, time-sortable identifiers, and keyed pseudonyms.
//!
//! Identifiers are UUID version 7 (RFC 9562, section 5.7) made from an instant and randomness that the caller brings,
//! so that a simulation makes the same ones every time.

use crate::domain::time::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// The text is not an identifier of the kind asked for.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("not a {kind} identifier: expected {prefix}_ and 32 hexadecimal digits")]
pub struct InvalidId {
    kind: &'static str,
    prefix: &'static str,
}

macro_rules! prefixed_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(uuid::Uuid);

        impl $name {
            /// Makes an identifier from an instant and ten random bytes.
            pub fn new(at: Timestamp, random: &[u8; 10]) -> Self {
                let millis = u64::try_from(at.millis()).unwrap_or(0);
                Self(uuid::Builder::from_unix_timestamp_millis(millis, random).into_uuid())
            }

            /// The identifier's 16 bytes, as the store keeps them.
            pub fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }

            /// Reads back what [`Self::as_bytes`] gave.
            pub fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(uuid::Uuid::from_bytes(bytes))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "_{}"), self.0.simple())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                let invalid = InvalidId { kind: stringify!($name), prefix: $prefix };
                match text.strip_prefix(concat!($prefix, "_")) {
                    Some(hex) if hex.len() == 32 => {
                        uuid::Uuid::try_parse(hex).map(Self).map_err(|_| invalid)
                    }
                    _ => Err(invalid),
                }
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                std::borrow::Cow::<str>::deserialize(deserializer)?
                    .parse()
                    .map_err(serde::de::Error::custom)
            }
        }
    };
}

prefixed_id!(
    /// Our identifier of a contact request (upstream's own is its `request_id`).
    RequestId, "req"
);
prefixed_id!(
    /// One attempt to reach a debtor.
    AttemptId, "att"
);
prefixed_id!(
    /// A contact reserved for somebody else to make.
    PermitId, "prm"
);
prefixed_id!(
    /// A reply held until a person has understood it.
    ReviewId, "rev"
);
prefixed_id!(
    /// A cadence. Its bytes are those of its first step's [`RequestId`], by which the store finds it.
    CadenceId, "cad"
);
prefixed_id!(
    /// An API key (never the key itself).
    KeyId, "key"
);

impl AttemptId {
    /// What somebody hands back to whom it was given: also without its prefix, for those who take 32 letters and digits at
    /// most, and whichever way its digits are written.
    pub fn handed_back(text: &str) -> Option<Self> {
        let text = text.trim();
        let bare = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let whole = if bare { format!("att_{text}") } else { text.to_owned() };
        whole.parse().ok()
    }
}

impl CadenceId {
    /// The cadence that begins with a request.
    pub fn of(first: RequestId) -> Self {
        Self(first.0)
    }

    /// The request of its first step.
    pub fn first(self) -> RequestId {
        RequestId(self.0)
    }
}

/// A keyed hash that stands for something personal: HMAC-SHA-256 under the store's lookup key, cut to 16 bytes.
///
/// It is what the clear part of an event carries in place of a debtor's or account's id, a phone number or an address,
/// so that caps and stops still bind after the person has been erased and loaded again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pseudonym([u8; 16]);

impl Pseudonym {
    /// Wraps the 16 bytes of a keyed hash.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for Pseudonym {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0u8; 32];
        match hex::encode_to_slice(self.0, &mut text) {
            Ok(()) => f.write_str(std::str::from_utf8(&text).unwrap_or_default()),
            Err(_) => Err(fmt::Error),
        }
    }
}

impl fmt::Debug for Pseudonym {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Pseudonym {
    type Err = hex::FromHexError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0u8; 16];
        hex::decode_to_slice(text, &mut bytes)?;
        Ok(Self(bytes))
    }
}

impl Serialize for Pseudonym {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Pseudonym {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<str>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

macro_rules! pseudonymous {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Pseudonym);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

pseudonymous!(
    /// Stands for a debtor's `debtor_id`.
    DebtorKey
);
pseudonymous!(
    /// Stands for an `account_id`.
    AccountKey
);
pseudonymous!(
    /// Stands for a particular debt (12 CFR 1006.14(b)(4)): the account, or the `servicing_account` that several share.
    DebtKey
);
pseudonymous!(
    /// Stands for a contact point: a phone number, an email address or a portal login, whoever's file it is on.
    PointKey
);

/// Makes pseudonyms; the key behind it is the store's and never leaves the process.
pub trait Pseudonymiser: Send + Sync {
    /// The keyed hash of `value` within `domain` (a word such as `debtor`), so that equal texts of two domains differ.
    fn pseudonym(&self, domain: &'static str, value: &str) -> Pseudonym;

    /// The key of a debtor by its `debtor_id`.
    fn debtor(&self, debtor_id: &str) -> DebtorKey {
        DebtorKey(self.pseudonym("debtor", debtor_id))
    }

    /// The key of an account by its `account_id`.
    fn account(&self, account_id: &str) -> AccountKey {
        AccountKey(self.pseudonym("account", account_id))
    }

    /// The key of a contact point by its kind's word (`phone`, `email`, `portal`) and its value in normal form.
    fn point(&self, kind: &'static str, normal_value: &str) -> PointKey {
        PointKey(self.pseudonym(kind, normal_value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_time_and_read_back() {
        let early = AttemptId::new(Timestamp::from_millis(1_000), &[9; 10]);
        let late = AttemptId::new(Timestamp::from_millis(2_000), &[0; 10]);
        assert!(early < late);
        assert_eq!(early.to_string().parse::<AttemptId>(), Ok(early));
        assert!(early.to_string().parse::<RequestId>().is_err());
    }

    #[test]
    fn an_attempt_comes_back_with_its_prefix_or_without() {
        let id = AttemptId::new(Timestamp::from_millis(1_790_000_000_000), &[0xab; 10]);
        let whole = id.to_string();
        let bare = whole.trim_start_matches("att_");
        for text in [&*whole, bare, &bare.to_uppercase(), &format!(" {bare}\n")] {
            assert_eq!(AttemptId::handed_back(text), Some(id), "{text}");
        }
        for text in
            ["", "att_", &bare[1..], &format!("req_{bare}"), &format!("{bare}0"), &bare.replace('a', "g")]
        {
            assert_eq!(AttemptId::handed_back(text), None, "{text}");
        }
    }
}
