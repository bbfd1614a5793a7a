//! Floor 1: the arithmetic of an append-only history. No storage, no clock, no network.
//!
//! An event becomes an *entry*, one canonical JSON object (RFC 8785). Its *leaf hash* is that of RFC 6962, so that the same
//! hashes can stand under a Merkle tree. Each entry names the leaf hash of the one before it in its own stream: the *chain*.
//! [`verify`] walks both and names the first fault.

pub mod canonical;
pub mod chain;
pub mod entry;
pub mod verify;

use aws_lc_rs::digest;
use std::fmt;

/// The leaf hash of an entry: SHA-256(0x00 ‖ entry), RFC 6962 section 2.1.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct LeafHash([u8; 32]);

impl LeafHash {
    /// What the first entry of a stream names as its predecessor.
    pub const ZERO: Self = Self([0; 32]);

    /// Hashes an entry.
    pub fn of(entry: &[u8]) -> Self {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(&[0]);
        context.update(entry);
        Self::from_digest(context.finish())
    }

    /// Hashes an entry that already stands behind its zero byte, in one pass without copying.
    pub(crate) fn of_prefixed(zero_and_entry: &[u8]) -> Self {
        Self::from_digest(digest::digest(&digest::SHA256, zero_and_entry))
    }

    fn from_digest(digest: digest::Digest) -> Self {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest.as_ref());
        Self(bytes)
    }

    /// Wraps 32 bytes that were a leaf hash before.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for LeafHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; 64];
        match hex::encode_to_slice(self.0, &mut text) {
            Ok(()) => f.write_str(std::str::from_utf8(&text).unwrap_or_default()),
            Err(_) => Err(fmt::Error),
        }
    }
}

impl fmt::Debug for LeafHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaf_hashes_are_those_of_rfc_6962() {
        // The leaf hash of the empty string is a published vector of certificate transparency.
        let empty = "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d";
        assert_eq!(LeafHash::of(b"").to_string(), empty);
        assert_eq!(LeafHash::of_prefixed(b"\0abc"), LeafHash::of(b"abc"));
    }
}
