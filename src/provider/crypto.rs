//! The cryptographic primitives that vendors use, over bytes: digests, HMAC, RSA, ECDSA and Ed25519. Nothing here knows a
//! vendor.
//!
//! MD5 and SHA-1 are here because vendors still sign with them (RFC 6151 and RFC 6194 say why nobody should); we never
//! choose them ourselves.

use aws_lc_rs::digest;
use aws_lc_rs::hmac;
use aws_lc_rs::signature::{self as public_key, RsaKeyPair, UnparsedPublicKey};
use base64::Engine;
use serde::Deserialize;
use subtle::ConstantTimeEq;

/// A hash function.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hash {
    /// RFC 1321.
    Md5,
    /// FIPS 180-4.
    Sha1,
    /// FIPS 180-4.
    Sha256,
    /// FIPS 180-4.
    Sha384,
    /// FIPS 180-4.
    Sha512,
}

impl Hash {
    /// The digest of these bytes.
    pub fn digest(self, bytes: &[u8]) -> Vec<u8> {
        let algorithm = match self {
            Self::Md5 => return md5::compute(bytes).0.to_vec(),
            Self::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
            Self::Sha512 => &digest::SHA512,
        };
        digest::digest(algorithm, bytes).as_ref().to_vec()
    }

    /// The keyed digest (RFC 2104).
    pub fn hmac(self, key: &[u8], message: &[u8]) -> Vec<u8> {
        let algorithm = match self {
            Self::Md5 => return hmac_md5(key, message),
            Self::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => hmac::HMAC_SHA256,
            Self::Sha384 => hmac::HMAC_SHA384,
            Self::Sha512 => hmac::HMAC_SHA512,
        };
        hmac::sign(&hmac::Key::new(algorithm, key), message).as_ref().to_vec()
    }
}

/// HMAC over MD5 (RFC 2104, section 2), whose blocks are of 64 bytes.
fn hmac_md5(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut block = [0_u8; 64];
    let hashed;
    let key = if key.len() > block.len() {
        hashed = md5::compute(key).0;
        &hashed[..]
    } else {
        key
    };
    block[..key.len()].copy_from_slice(key);
    let padded = |with: u8| block.iter().map(move |byte| byte ^ with);
    let inner: Vec<u8> = padded(0x36).chain(message.iter().copied()).collect();
    let outer: Vec<u8> = padded(0x5c).chain(md5::compute(inner).0).collect();
    md5::compute(outer).0.to_vec()
}

/// Compares in constant time.
pub fn equal(left: &[u8], right: &[u8]) -> bool {
    left.ct_eq(right).into()
}

/// A public-key signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublicKey {
    /// RFC 8032; the key raw (32 bytes) or as a SubjectPublicKeyInfo.
    Ed25519,
    /// P-256 with SHA-256, the signature in DER (ANSI X9.62).
    EcdsaP256,
    /// P-256 with SHA-256, the signature as two numbers side by side (RFC 7518, section 3.4).
    EcdsaP256Fixed,
    /// PKCS #1 v1.5 with SHA-1, 1024 bits or more.
    RsaSha1,
    /// PKCS #1 v1.5 with SHA-256, 2048 bits or more.
    RsaSha256,
    /// PKCS #1 v1.5 with SHA-384, 2048 bits or more.
    RsaSha384,
    /// PKCS #1 v1.5 with SHA-512, 2048 bits or more.
    RsaSha512,
}

impl PublicKey {
    /// Whether a signature over a message holds under a key (SubjectPublicKeyInfo in DER, or the raw point).
    pub fn holds(self, key: &[u8], message: &[u8], signature: &[u8]) -> bool {
        let algorithm: &'static dyn public_key::VerificationAlgorithm = match self {
            Self::Ed25519 => &public_key::ED25519,
            Self::EcdsaP256 => &public_key::ECDSA_P256_SHA256_ASN1,
            Self::EcdsaP256Fixed => &public_key::ECDSA_P256_SHA256_FIXED,
            Self::RsaSha1 => &public_key::RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY,
            Self::RsaSha256 => &public_key::RSA_PKCS1_2048_8192_SHA256,
            Self::RsaSha384 => &public_key::RSA_PKCS1_2048_8192_SHA384,
            Self::RsaSha512 => &public_key::RSA_PKCS1_2048_8192_SHA512,
        };
        UnparsedPublicKey::new(algorithm, key).verify(message, signature).is_ok()
    }
}

/// Signs with a private RSA key in PEM (PKCS #8 or PKCS #1): PKCS #1 v1.5 with SHA-256, which is the same every time.
/// None where the key cannot be read.
pub fn rsa_sha256(key_pem: &str, message: &[u8]) -> Option<Vec<u8>> {
    let der = pem(key_pem)?;
    let key = RsaKeyPair::from_pkcs8(&der).or_else(|_| RsaKeyPair::from_der(&der)).ok()?;
    let digest = digest::digest(&digest::SHA256, message);
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign_digest(&public_key::RSA_PKCS1_SHA256, &digest, &mut signature).ok()?;
    Some(signature)
}

/// The bytes within the first PEM block (RFC 7468). Line breaks may also be written as `\n`, as they often are in the
/// environment.
pub fn pem(text: &str) -> Option<Vec<u8>> {
    let text = text.replace("\\n", "\n");
    let (_, rest) = text.split_once("-----BEGIN ")?;
    let (_, rest) = rest.split_once("-----")?;
    let (body, _) = rest.split_once("-----END ")?;
    let body: String = body.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    base64::prelude::BASE64_STANDARD.decode(body).ok()
}

/// The public key (SubjectPublicKeyInfo, in DER) of what stands in PEM: a public key, or a certificate (RFC 5280).
pub fn public_key_of(text: &str) -> Option<Vec<u8>> {
    let der = pem(text)?;
    if !text.contains("BEGIN CERTIFICATE") {
        return Some(der);
    }
    // Certificate { tbsCertificate { [0] version, serial, algorithm, issuer, validity, subject, subjectPublicKeyInfo … } … }
    let (certificate, _) = element(&der)?;
    let (to_be_signed, _) = element(certificate.content)?;
    let mut rest = to_be_signed.content;
    let (first, after) = element(rest)?;
    if first.tag == 0xa0 {
        rest = after;
    }
    for _ in ["serial", "algorithm", "issuer", "validity", "subject"] {
        rest = element(rest)?.1;
    }
    Some(element(rest)?.0.whole.to_vec())
}

/// One element of DER: its tag, what it holds, and all of it.
struct Element<'d> {
    tag: u8,
    content: &'d [u8],
    whole: &'d [u8],
}

/// The first element, and what comes after it (X.690, section 8.1).
fn element(der: &[u8]) -> Option<(Element<'_>, &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x83 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit)), rest)
        }
        _ => return None,
    };
    let (content, after) = rest.split_at_checked(length)?;
    let whole = &der[..der.len() - after.len()];
    Some((Element { tag, content, whole }, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn md5_and_its_hmac_agree_with_their_rfcs() {
        // RFC 1321, appendix A.5; RFC 2202, section 2, cases 2 and 6.
        assert_eq!(hex::encode(Hash::Md5.digest(b"abc")), "900150983cd24fb0d6963f7d28e17f72");
        let said = hex::encode(Hash::Md5.hmac(b"Jefe", b"what do ya want for nothing?"));
        assert_eq!(said, "750c783e6ab0b503eaa86e310a5db738");
        let long = Hash::Md5.hmac(&[0xaa; 80], b"Test Using Larger Than Block-Size Key - Hash Key First");
        assert_eq!(hex::encode(long), "6b1ab7fe4bd7bf8f0b62e6ce61b9d0cd");
    }

    #[test]
    fn the_other_digests_are_those_of_fips_180() {
        for (hash, digest) in [
            (Hash::Sha1, "a9993e364706816aba3e25717850c26c9cd0d89d"),
            (Hash::Sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ] {
            assert_eq!(hex::encode(hash.digest(b"abc")), digest);
        }
        assert!(hex::encode(Hash::Sha384.digest(b"abc")).starts_with("cb00753f45a35e8b"));
        assert!(hex::encode(Hash::Sha512.digest(b"abc")).starts_with("ddaf35a193617aba"));
    }

    #[test]
    fn what_is_no_key_is_none() {
        for bad in ["", "-----BEGIN X-----", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"] {
            assert_eq!(public_key_of(bad), None, "{bad}");
        }
        assert_eq!(rsa_sha256("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", b"x"), None);
        assert!(element(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff]).is_none() && element(&[0x30, 5, 1]).is_none());
    }
}
