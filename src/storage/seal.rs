//! Keys and sealing. The master key, through HKDF (RFC 5869), gives the wrapping key; the wrapping key wraps the store's
//! lookup key and one data key a debtor; a data key seals the personal parts of that debtor's events (AES-256-GCM,
//! NIST SP 800-38D). Destroying a data key erases the person and leaves every hash as it is.

use crate::domain::event::Stream;
use crate::domain::id::{DebtorKey, Pseudonym, Pseudonymiser};
use crate::domain::time::Entropy;
use crate::storage::StorageError;
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::{hkdf, hmac};
use zeroize::Zeroizing;

const TAG_LEN: usize = 16;
const KEY_ID_LEN: usize = 8;

/// Names a data key in what it sealed, so that what was sealed under a destroyed one is known as gone.
pub(in crate::storage) type KeyId = [u8; KEY_ID_LEN];
type Secret = Zeroizing<[u8; 32]>;

/// A stream as the store's tables name it: 16 bytes for a debtor, none for the installation.
pub(in crate::storage) fn stream_bytes(stream: &Stream) -> &[u8] {
    match stream {
        Stream::Installation => &[],
        Stream::Debtor(DebtorKey(key)) => key.as_bytes(),
    }
}

/// Reads back what [`stream_bytes`] gave.
pub(in crate::storage) fn stream_from(bytes: &[u8]) -> Option<Stream> {
    if bytes.is_empty() {
        return Some(Stream::Installation);
    }
    Some(Stream::Debtor(DebtorKey(Pseudonym::from_bytes(bytes.try_into().ok()?))))
}

fn cipher(secret: &[u8; 32]) -> Result<LessSafeKey, StorageError> {
    UnboundKey::new(&AES_256_GCM, secret).map(LessSafeKey::new).map_err(|_| StorageError::Sealing)
}

/// The key that wraps other keys.
pub(in crate::storage) struct Wrapping {
    cipher: LessSafeKey,
}

impl Wrapping {
    /// Derives it from the master key, differently for each store.
    pub(in crate::storage) fn derive(master: &[u8], store: &[u8]) -> Result<Self, StorageError> {
        let mut secret: Secret = Zeroizing::new([0; 32]);
        hkdf::Salt::new(hkdf::HKDF_SHA256, store)
            .extract(master)
            .expand(&[b"dunwell key wrapping 1"], hkdf::HKDF_SHA256)
            .and_then(|okm| okm.fill(secret.as_mut_slice()))
            .map_err(|_| StorageError::Sealing)?;
        Ok(Self { cipher: cipher(&secret)? })
    }

    /// Wraps a key for one place: elsewhere it does not unwrap.
    pub(in crate::storage) fn wrap(
        &self,
        place: &[u8],
        secret: &[u8; 32],
        entropy: &dyn Entropy,
    ) -> Result<Vec<u8>, StorageError> {
        let mut wrapped = vec![0; NONCE_LEN];
        entropy.fill(&mut wrapped);
        wrapped.extend_from_slice(secret);
        seal_behind(&self.cipher, 0, place, &mut wrapped)?;
        Ok(wrapped)
    }

    /// Unwraps a key; none if this is not the wrapping key or the place another.
    pub(in crate::storage) fn unwrap(&self, place: &[u8], wrapped: &[u8]) -> Option<Secret> {
        let secret = open_behind(&self.cipher, place, wrapped)?;
        Some(Zeroizing::new(secret.as_slice().try_into().ok()?))
    }
}

/// Encrypts in place what stands behind `head` bytes and a nonce, and appends the tag.
fn seal_behind(
    cipher: &LessSafeKey,
    head: usize,
    place: &[u8],
    buffer: &mut Vec<u8>,
) -> Result<(), StorageError> {
    let start = head + NONCE_LEN;
    let nonce = Nonce::try_assume_unique_for_key(&buffer[head..start]).map_err(|_| StorageError::Sealing)?;
    let tag = cipher
        .seal_in_place_separate_tag(nonce, Aad::from(place), &mut buffer[start..])
        .map_err(|_| StorageError::Sealing)?;
    buffer.extend_from_slice(tag.as_ref());
    Ok(())
}

fn open_behind(cipher: &LessSafeKey, place: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let (nonce, ciphertext) = sealed.split_at_checked(NONCE_LEN)?;
    let mut plain = Zeroizing::new(ciphertext.to_vec());
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    let length = cipher.open_in_place(nonce, Aad::from(place), &mut plain).ok()?.len();
    plain.truncate(length);
    Some(plain)
}

/// One stream's data key.
#[derive(Clone)]
pub(in crate::storage) struct DataKey {
    pub(in crate::storage) id: KeyId,
    secret: Secret,
}

impl DataKey {
    pub(in crate::storage) fn generate(entropy: &dyn Entropy) -> Self {
        let mut key = Self { id: [0; KEY_ID_LEN], secret: Zeroizing::new([0; 32]) };
        entropy.fill(&mut key.id);
        entropy.fill(key.secret.as_mut_slice());
        key
    }

    pub(in crate::storage) fn wrap(
        &self,
        stream: &Stream,
        wrapping: &Wrapping,
        entropy: &dyn Entropy,
    ) -> Result<Vec<u8>, StorageError> {
        wrapping.wrap(&key_place(stream, &self.id), &self.secret, entropy)
    }

    pub(in crate::storage) fn unwrap(
        stream: &Stream,
        id: KeyId,
        wrapped: &[u8],
        wrapping: &Wrapping,
    ) -> Option<Self> {
        Some(Self { id, secret: wrapping.unwrap(&key_place(stream, &id), wrapped)? })
    }

    /// Seals a personal part into `out`: key id ‖ nonce ‖ ciphertext ‖ tag.
    pub(in crate::storage) fn seal(
        &self,
        place: &Place<'_>,
        nonce: &[u8; NONCE_LEN],
        plain: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), StorageError> {
        out.clear();
        out.reserve(KEY_ID_LEN + NONCE_LEN + plain.len() + TAG_LEN);
        out.extend_from_slice(&self.id);
        out.extend_from_slice(nonce);
        out.extend_from_slice(plain);
        seal_behind(&cipher(&self.secret)?, KEY_ID_LEN, &place.bytes(), out)
    }

    /// Opens what [`Self::seal`] made; none if it was altered or moved.
    pub(in crate::storage) fn open(
        &self,
        place: &Place<'_>,
        sealed: &[u8],
    ) -> Result<Option<Zeroizing<Vec<u8>>>, StorageError> {
        let body = sealed.get(KEY_ID_LEN..).unwrap_or_default();
        Ok(open_behind(&cipher(&self.secret)?, &place.bytes(), body))
    }
}

/// The id of the key that something was sealed with.
pub(in crate::storage) fn key_of(sealed: &[u8]) -> Option<KeyId> {
    sealed.first_chunk().copied()
}

fn key_place(stream: &Stream, id: &KeyId) -> Vec<u8> {
    [b"data key\0".as_slice(), id, stream_bytes(stream)].concat()
}

/// Where a sealed part belongs; bound to it as additional data, so that it cannot be moved.
pub(in crate::storage) struct Place<'a> {
    pub(in crate::storage) stream: Stream,
    pub(in crate::storage) seq: u64,
    pub(in crate::storage) type_name: &'a str,
}

impl Place<'_> {
    fn bytes(&self) -> Vec<u8> {
        let stream = stream_bytes(&self.stream);
        let mut bytes = Vec::with_capacity(stream.len() + 8 + self.type_name.len());
        bytes.extend_from_slice(stream);
        bytes.extend_from_slice(&self.seq.to_be_bytes());
        bytes.extend_from_slice(self.type_name.as_bytes());
        bytes
    }
}

/// Nonces from the system's randomness, drawn many at a time.
pub(in crate::storage) struct Nonces {
    drawn: [u8; NONCE_LEN * 64],
    used: usize,
}

impl Nonces {
    pub(in crate::storage) const fn new() -> Self {
        Self { drawn: [0; NONCE_LEN * 64], used: NONCE_LEN * 64 }
    }

    pub(in crate::storage) fn next(&mut self, entropy: &dyn Entropy) -> [u8; NONCE_LEN] {
        if self.used == self.drawn.len() {
            entropy.fill(&mut self.drawn);
            self.used = 0;
        }
        let mut nonce = [0; NONCE_LEN];
        nonce.copy_from_slice(&self.drawn[self.used..self.used + NONCE_LEN]);
        self.used += NONCE_LEN;
        nonce
    }
}

/// Makes pseudonyms under the store's lookup key: HMAC-SHA-256 over `domain ‖ 0x00 ‖ value`, cut to 16 bytes.
pub struct Lookup {
    key: hmac::Key,
}

impl Lookup {
    pub(in crate::storage) fn new(secret: &[u8; 32]) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, secret) }
    }
}

impl Pseudonymiser for Lookup {
    fn pseudonym(&self, domain: &'static str, value: &str) -> Pseudonym {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(domain.as_bytes());
        context.update(&[0]);
        context.update(value.as_bytes());
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&context.sign().as_ref()[..16]);
        Pseudonym::from_bytes(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU8, Ordering};

    struct Counting(AtomicU8);
    impl Entropy for Counting {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill_with(|| self.0.fetch_add(1, Ordering::Relaxed));
        }
    }

    #[test]
    fn what_is_sealed_opens_only_in_its_place_and_unaltered() {
        let entropy = Counting(AtomicU8::new(1));
        let key = DataKey::generate(&entropy);
        let place = Place { stream: Stream::Installation, seq: 7, type_name: "debtor.updated" };
        let nonce = Nonces::new().next(&entropy);
        let mut sealed = Vec::new();
        key.seal(&place, &nonce, b"Sample 017", &mut sealed).expect("sealed");
        let open = |place: &Place<'_>, sealed: &[u8]| key.open(place, sealed).expect("a key");
        assert_eq!(open(&place, &sealed).expect("opens").as_slice(), b"Sample 017");
        assert_eq!(key_of(&sealed), Some(key.id));
        assert!(open(&Place { seq: 8, ..place }, &sealed).is_none());
        for at in KEY_ID_LEN..sealed.len() {
            let mut altered = sealed.clone();
            altered[at] ^= 1;
            assert!(open(&place, &altered).is_none(), "byte {at}");
        }
    }

    #[test]
    fn keys_unwrap_only_with_their_master_and_in_their_place() {
        let entropy = Counting(AtomicU8::new(1));
        let wrapping = Wrapping::derive(&[1; 32], b"store").expect("derived");
        let wrapped = wrapping.wrap(b"here", &[5; 32], &entropy).expect("wrapped");
        assert_eq!(*wrapping.unwrap(b"here", &wrapped).expect("unwraps"), [5; 32]);
        assert!(wrapping.unwrap(b"there", &wrapped).is_none());
        for other in [Wrapping::derive(&[2; 32], b"store"), Wrapping::derive(&[1; 32], b"other")] {
            assert!(other.expect("derived").unwrap(b"here", &wrapped).is_none());
        }
    }

    #[test]
    fn pseudonyms_differ_by_domain_value_and_key() {
        let lookup = Lookup::new(&[1; 32]);
        assert_eq!(lookup.pseudonym("debtor", "D-1"), lookup.pseudonym("debtor", "D-1"));
        assert_ne!(lookup.pseudonym("debtor", "D-1"), lookup.pseudonym("account", "D-1"));
        assert_ne!(lookup.pseudonym("debtor", "D-1"), Lookup::new(&[2; 32]).pseudonym("debtor", "D-1"));
    }

    #[test]
    fn nonces_are_never_given_twice() {
        let entropy = Counting(AtomicU8::new(0));
        let mut nonces = Nonces::new();
        let mut given: Vec<_> = (0..64).map(|_| nonces.next(&entropy)).collect();
        given.sort_unstable();
        given.dedup();
        assert_eq!(given.len(), 64);
    }
}
