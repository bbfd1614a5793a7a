//! The closed set of signature primitives, and how bytes are written as text.

use crate::provider::crypto::{self, Hash, PublicKey};
use crate::provider::token::Signing;
use base64::Engine;
use serde::Deserialize;

/// The primitive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Primitive {
    /// HMAC with MD5 (RFC 2104).
    HmacMd5,
    /// HMAC with SHA-1.
    HmacSha1,
    /// HMAC with SHA-256.
    HmacSha256,
    /// HMAC with SHA-384.
    HmacSha384,
    /// HMAC with SHA-512.
    HmacSha512,
    /// A plain digest whose message holds the key, as `{key}`.
    DigestMd5,
    /// The same with SHA-1.
    DigestSha1,
    /// The same with SHA-256.
    DigestSha256,
    /// The same with SHA-384.
    DigestSha384,
    /// The same with SHA-512.
    DigestSha512,
    /// Ed25519 (RFC 8032); the key is the public one.
    Ed25519,
    /// ECDSA on P-256 with SHA-256, the signature in DER; the key is the public one.
    EcdsaP256,
    /// The same, the signature as two numbers of 32 bytes side by side (IEEE P1363).
    EcdsaP256Fixed,
    /// RSA, PKCS #1 v1.5 with SHA-1; the key is the public one, or comes in a certificate.
    RsaSha1,
    /// RSA, PKCS #1 v1.5 with SHA-256; likewise.
    RsaSha256,
    /// RSA, PKCS #1 v1.5 with SHA-384; likewise.
    RsaSha384,
    /// RSA, PKCS #1 v1.5 with SHA-512; likewise.
    RsaSha512,
    /// What is given is a JSON Web Token under a shared secret.
    JwtHs256,
    /// The same with SHA-384.
    JwtHs384,
    /// The same with SHA-512.
    JwtHs512,
    /// What is given is a JSON Web Token under an RSA key.
    JwtRs256,
    /// The same with SHA-384.
    JwtRs384,
    /// The same with SHA-512.
    JwtRs512,
    /// What is given is a JSON Web Token under a key on P-256.
    JwtEs256,
    /// What was given is the key itself: a password, a token in the address.
    Secret,
}

/// What a primitive does.
pub(in crate::provider) enum Kind {
    Hmac(Hash),
    Digest(Hash),
    Public(PublicKey),
    Token(Signing),
    Secret,
}

impl Primitive {
    pub(in crate::provider) fn kind(self) -> Kind {
        match self {
            Self::HmacMd5 => Kind::Hmac(Hash::Md5),
            Self::HmacSha1 => Kind::Hmac(Hash::Sha1),
            Self::HmacSha256 => Kind::Hmac(Hash::Sha256),
            Self::HmacSha384 => Kind::Hmac(Hash::Sha384),
            Self::HmacSha512 => Kind::Hmac(Hash::Sha512),
            Self::DigestMd5 => Kind::Digest(Hash::Md5),
            Self::DigestSha1 => Kind::Digest(Hash::Sha1),
            Self::DigestSha256 => Kind::Digest(Hash::Sha256),
            Self::DigestSha384 => Kind::Digest(Hash::Sha384),
            Self::DigestSha512 => Kind::Digest(Hash::Sha512),
            Self::Ed25519 => Kind::Public(PublicKey::Ed25519),
            Self::EcdsaP256 => Kind::Public(PublicKey::EcdsaP256),
            Self::EcdsaP256Fixed => Kind::Public(PublicKey::EcdsaP256Fixed),
            Self::RsaSha1 => Kind::Public(PublicKey::RsaSha1),
            Self::RsaSha256 => Kind::Public(PublicKey::RsaSha256),
            Self::RsaSha384 => Kind::Public(PublicKey::RsaSha384),
            Self::RsaSha512 => Kind::Public(PublicKey::RsaSha512),
            Self::JwtHs256 => Kind::Token(Signing::HS256),
            Self::JwtHs384 => Kind::Token(Signing::HS384),
            Self::JwtHs512 => Kind::Token(Signing::HS512),
            Self::JwtRs256 => Kind::Token(Signing::RS256),
            Self::JwtRs384 => Kind::Token(Signing::RS384),
            Self::JwtRs512 => Kind::Token(Signing::RS512),
            Self::JwtEs256 => Kind::Token(Signing::ES256),
            Self::Secret => Kind::Secret,
        }
    }
}

/// How bytes are written as text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// As they are.
    #[default]
    Text,
    /// Base64, padded or not.
    Base64,
    /// Base64 for addresses, padded or not.
    #[serde(rename = "base64url")]
    Base64Url,
    /// Hexadecimal, either case.
    Hex,
    /// PEM: a public key or a certificate.
    Pem,
}

impl Form {
    /// The bytes that a text stands for, if it is of this form.
    pub(in crate::provider) fn decode(self, text: &str) -> Option<Vec<u8>> {
        let bare = text.trim_end_matches('=');
        match self {
            Self::Text => Some(text.as_bytes().to_vec()),
            Self::Hex => hex::decode(text).ok(),
            Self::Base64 => base64::prelude::BASE64_STANDARD_NO_PAD.decode(bare).ok(),
            Self::Base64Url => base64::prelude::BASE64_URL_SAFE_NO_PAD.decode(bare).ok(),
            Self::Pem => crypto::public_key_of(text),
        }
    }
}
