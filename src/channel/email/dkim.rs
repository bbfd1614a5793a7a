//! DKIM (RFC 6376), signed by lettre.
//!
//! # Decisions
//! - 2026-11-23: relaxed canonicalisation of both parts, for relays fold lines anew. `Content-Type` and
//!   `Content-Transfer-Encoding` are left out of the signed headers: the signer sees them before the message's boundary is
//!   written, and a verifier would find others. Headers that a message lacks are signed as absent, so that nobody adds them.
//! - 2026-11-23: lettre's own signer brings the `rsa` crate, whose decryption leaks by its timing (RUSTSEC-2023-0071). Here it
//!   signs only, and never what a stranger chose; an Ed25519 key (RFC 8463) does without it.

use crate::channel::ChannelError;
use crate::provider::settings::Settings;
use lettre::Message;
use lettre::message::dkim::{
    DkimCanonicalization, DkimCanonicalizationType, DkimConfig, DkimSigningAlgorithm, DkimSigningKey,
};
use lettre::message::header::HeaderName;
use std::fmt;

/// What is signed: who and what, and the two headers of one-click unsubscribing (RFC 8058, section 4).
const SIGNED: [&str; 11] = [
    "From",
    "To",
    "Cc",
    "Subject",
    "Date",
    "Message-ID",
    "Reply-To",
    "In-Reply-To",
    "MIME-Version",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
];
/// A key of 1024 bits (RFC 8301, section 3.2, wants no less) has about as many letters in PEM.
const SHORTEST_RSA: usize = 800;

/// Signs messages for a domain.
pub(in crate::channel::email) struct Signer(DkimConfig);

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer")
    }
}

impl Signer {
    /// Reads `dkim_domain`, `dkim_selector` and `dkim_key`; none where no key is set.
    pub(in crate::channel::email) fn new(
        settings: &Settings,
        domain: &str,
    ) -> Result<Option<Self>, ChannelError> {
        let Some(key) = settings.get("dkim_key").map(str::trim).filter(|key| !key.is_empty()) else {
            return Ok(None);
        };
        let wrong = |name: &'static str, what: &str| ChannelError::Setting(name, what.to_owned());
        let selector = settings.get("dkim_selector");
        let selector = selector.ok_or_else(|| wrong("dkim_selector", "is missing: dkim_key needs one"))?;
        let algorithm = if key.starts_with("-----BEGIN RSA PRIVATE KEY-----") {
            if key.len() < SHORTEST_RSA {
                return Err(wrong("dkim_key", "is an RSA key of less than 1024 bits; make one of 2048"));
            }
            DkimSigningAlgorithm::Rsa
        } else if key.starts_with("-----") {
            let how = "is no RSA key in PKCS #1; `openssl rsa -traditional -in key.pem` writes it so";
            return Err(wrong("dkim_key", how));
        } else {
            DkimSigningAlgorithm::Ed25519
        };
        let key = DkimSigningKey::new(key, algorithm).map_err(|_| {
            wrong(
                "dkim_key",
                "cannot be read: neither an RSA key in PKCS #1 PEM nor 32 bytes of Ed25519 in base64",
            )
        })?;
        let relaxed = DkimCanonicalization {
            header: DkimCanonicalizationType::Relaxed,
            body: DkimCanonicalizationType::Relaxed,
        };
        let headers = SIGNED.into_iter().map(HeaderName::new_from_ascii_str).collect();
        let domain = settings.get("dkim_domain").unwrap_or(domain).to_owned();
        Ok(Some(Self(DkimConfig::new(selector.to_owned(), domain, key, headers, relaxed))))
    }

    /// Signs a message.
    pub(in crate::channel::email) fn sign(&self, message: &mut Message) {
        message.sign(&self.0);
    }
}
