//! JSON Web Tokens that come with a callback (RFC 7519): checked here, and nowhere else.

use crate::domain::time::{Span, Timestamp};
use crate::provider::crypto::{Hash, PublicKey, equal};
use base64::Engine;
use serde_json::{Map, Value};

/// How far the vendor's clock and ours may differ.
const LEEWAY: Span = Span::seconds(60);

/// Why a token is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadToken {
    /// Not a token, not of the algorithm agreed, or not signed with the key.
    Forged,
    /// Past its end, or before its beginning.
    Stale,
}

/// How a callback's token may be signed; the token itself has no say in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signing {
    /// HMAC with SHA-256.
    HS256,
    /// HMAC with SHA-384.
    HS384,
    /// HMAC with SHA-512.
    HS512,
    /// RSA with SHA-256.
    RS256,
    /// RSA with SHA-384.
    RS384,
    /// RSA with SHA-512.
    RS512,
    /// ECDSA on P-256 with SHA-256.
    ES256,
}

/// What a token claims, if it is signed with this key and in force.
///
/// # Errors
/// Why it is not believed.
pub fn claims(
    token: &str,
    signing: Signing,
    key: &[u8],
    now: Timestamp,
) -> Result<Map<String, Value>, BadToken> {
    let forged = || BadToken::Forged;
    let (signed, signature) = token.trim().rsplit_once('.').ok_or_else(forged)?;
    let (head, payload) = signed.split_once('.').ok_or_else(forged)?;
    let decode = |text: &str| base64::prelude::BASE64_URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok();
    let object = |text: &str| match decode(text).and_then(|bytes| serde_json::from_slice(&bytes).ok()) {
        Some(Value::Object(object)) => Some(object),
        _ => None,
    };
    let algorithm = match signing {
        Signing::HS256 => "HS256",
        Signing::HS384 => "HS384",
        Signing::HS512 => "HS512",
        Signing::RS256 => "RS256",
        Signing::RS384 => "RS384",
        Signing::RS512 => "RS512",
        Signing::ES256 => "ES256",
    };
    let head = object(head).ok_or_else(forged)?;
    if head.get("alg").and_then(Value::as_str) != Some(algorithm) || head.contains_key("crit") {
        return Err(BadToken::Forged);
    }
    let signature = decode(signature).ok_or_else(forged)?;
    let shared = |hash: Hash| equal(&hash.hmac(key, signed.as_bytes()), &signature);
    let holds = match signing {
        Signing::HS256 => shared(Hash::Sha256),
        Signing::HS384 => shared(Hash::Sha384),
        Signing::HS512 => shared(Hash::Sha512),
        Signing::RS256 => PublicKey::RsaSha256.holds(key, signed.as_bytes(), &signature),
        Signing::RS384 => PublicKey::RsaSha384.holds(key, signed.as_bytes(), &signature),
        Signing::RS512 => PublicKey::RsaSha512.holds(key, signed.as_bytes(), &signature),
        Signing::ES256 => PublicKey::EcdsaP256Fixed.holds(key, signed.as_bytes(), &signature),
    };
    if !holds {
        return Err(BadToken::Forged);
    }
    let claims = object(payload).ok_or_else(forged)?;
    let instant = |name: &str| match claims.get(name) {
        None => Ok(None),
        Some(value) => value.as_f64().map(|seconds| Some(at(seconds))).ok_or(BadToken::Forged),
    };
    let over = instant("exp")?.is_some_and(|end| now >= end.plus(LEEWAY));
    let early = instant("nbf")?.is_some_and(|begin| now.plus(LEEWAY) < begin);
    if over || early { Err(BadToken::Stale) } else { Ok(claims) }
}

#[expect(clippy::cast_possible_truncation, reason = "saturates, and so far away nothing is in force")]
fn at(seconds: f64) -> Timestamp {
    Timestamp::from_millis((seconds * 1_000.0) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &[u8] = b"a shared secret";

    fn token(head: &str, payload: &str) -> String {
        let encode = |bytes: &[u8]| base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(bytes);
        let signed = format!("{}.{}", encode(head.as_bytes()), encode(payload.as_bytes()));
        format!("{signed}.{}", encode(&Hash::Sha256.hmac(KEY, signed.as_bytes())))
    }

    #[test]
    fn a_token_is_believed_only_by_its_key_its_algorithm_and_its_time() {
        let now = Timestamp::from_millis(1_790_000_000_000);
        let judge = |head: &str, payload: &str| claims(&token(head, payload), Signing::HS256, KEY, now);
        let hs256 = r#"{"alg":"HS256"}"#;
        assert_eq!(judge(hs256, r#"{"a":"b"}"#).expect("good").get("a"), Some(&Value::from("b")));
        for (head, payload, why) in [
            (r#"{"alg":"none"}"#, "{}", BadToken::Forged),
            (r#"{"alg":"HS512"}"#, "{}", BadToken::Forged),
            (r#"{"alg":"HS256","crit":["b64"]}"#, "{}", BadToken::Forged),
            (hs256, "[]", BadToken::Forged),
            (hs256, r#"{"exp":"soon"}"#, BadToken::Forged),
            (hs256, r#"{"exp":1789999900}"#, BadToken::Stale),
            (hs256, r#"{"nbf":1790000100}"#, BadToken::Stale),
        ] {
            assert_eq!(judge(head, payload), Err(why), "{head} {payload}");
        }
        assert!(judge(hs256, r#"{"exp":1790000000.5,"nbf":1790000030}"#).is_ok());
        let good = token(hs256, "{}");
        assert_eq!(claims(&good, Signing::HS256, b"another", now), Err(BadToken::Forged));
        for broken in ["", "a.b", "a.b.c", &good[..good.len() - 2]] {
            assert_eq!(claims(broken, Signing::HS256, KEY, now), Err(BadToken::Forged), "{broken}");
        }
    }
}
