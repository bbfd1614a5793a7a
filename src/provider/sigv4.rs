//! AWS Signature Version 4, in headers.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html>

use crate::domain::time::Timestamp;
use crate::provider::crypto::Hash;
use crate::provider::form::form_pairs;
use crate::provider::placeholder::push_percent_encoded;

/// Who signs, and for what.
pub struct Keys {
    /// The access key's identifier.
    pub access_key: String,
    /// The secret access key.
    pub secret_key: String,
    /// The session's token, with temporary credentials.
    pub session_token: Option<String>,
    /// The region.
    pub region: String,
    /// The service's signing name.
    pub service: String,
}

/// The headers that sign a request: over its method, address, content type, host and body.
pub fn headers(
    keys: &Keys,
    method: &str,
    url: &str,
    given: &[(String, String)],
    body: &[u8],
    now: Timestamp,
) -> Vec<(String, String)> {
    let at = stamp(now);
    let date = at.get(..8).unwrap_or_default().to_owned();
    let (_, rest) = url.split_once("://").unwrap_or(("", url));
    let (host, local) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let (path, query) = local.split_once('?').unwrap_or((local, ""));
    let content_type = given.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
    let mut signed = vec![("host", host.to_owned()), ("x-amz-date", at.clone())];
    signed.extend(content_type.map(|(_, value)| ("content-type", value.trim().to_owned())));
    signed.extend(keys.session_token.clone().map(|token| ("x-amz-security-token", token)));
    signed.sort();
    let names: Vec<&str> = signed.iter().map(|(name, _)| *name).collect();
    let names = names.join(";");
    let lines: String = signed.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    let canonical = format!(
        "{method}\n{}\n{}\n{lines}\n{names}\n{}",
        encoded_path(path),
        sorted_query(query),
        hex::encode(Hash::Sha256.digest(body))
    );
    let scope = format!("{date}/{}/{}/aws4_request", keys.region, keys.service);
    let to_sign = format!(
        "AWS4-HMAC-SHA256\n{at}\n{scope}\n{}",
        hex::encode(Hash::Sha256.digest(canonical.as_bytes()))
    );
    let first = format!("AWS4{}", keys.secret_key).into_bytes();
    let parts = [date.as_str(), &keys.region, &keys.service, "aws4_request", &to_sign];
    let signature = parts.iter().fold(first, |key, part| Hash::Sha256.hmac(&key, part.as_bytes()));
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={}",
        keys.access_key,
        hex::encode(signature)
    );
    let mut out = vec![("X-Amz-Date".to_owned(), at)];
    out.extend(keys.session_token.clone().map(|token| ("X-Amz-Security-Token".to_owned(), token)));
    out.push(("Authorization".to_owned(), authorization));
    out
}

/// ISO 8601's basic form, to the second: `20260921T133320Z`.
fn stamp(now: Timestamp) -> String {
    let text = now.to_string();
    let whole = text.split(['.', 'Z']).next().unwrap_or_default();
    format!("{}Z", whole.replace(['-', ':'], ""))
}

/// Every segment is encoded once more: the services but S3 want it twice.
fn encoded_path(path: &str) -> String {
    let segments: Vec<String> = path
        .split('/')
        .map(|segment| {
            let mut out = String::new();
            push_percent_encoded(&mut out, segment);
            out
        })
        .collect();
    if path.is_empty() { "/".to_owned() } else { segments.join("/") }
}

fn sorted_query(query: &str) -> String {
    let mut pairs: Vec<String> = form_pairs(query)
        .iter()
        .map(|(name, value)| {
            let mut out = String::new();
            push_percent_encoded(&mut out, name);
            out.push('=');
            push_percent_encoded(&mut out, value);
            out
        })
        .collect();
    pairs.sort();
    pairs.join("&")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_sorted_and_encoded_and_a_path_twice() {
        assert_eq!(sorted_query("b=2&a=x%20y&a=1&c"), "a=1&a=x%20y&b=2&c=");
        assert_eq!(encoded_path("/v2/a%20b"), "/v2/a%2520b");
        assert_eq!(encoded_path(""), "/");
        assert_eq!(stamp(Timestamp::from_millis(1_789_997_600_123)), "20260921T133320Z");
    }
}
