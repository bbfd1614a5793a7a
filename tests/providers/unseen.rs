//! What vendors do that none of the shipped ones does: one address for everything, lists that are faults, odd charsets.

use crate::{given, manifest};
use dunwell::domain::fault::SourceFile;
use dunwell::domain::time::Timestamp;
use dunwell::provider::callback::{
    CallbackError, CallbackEvent, CallbackKind, CallbackRequest, Grounds, Heard,
};
use dunwell::provider::catalogue::Catalogue;
use dunwell::provider::crypto::{Hash, PublicKey};
use dunwell::provider::manifest::Manifest;
use dunwell::provider::settings::Settings;
use dunwell::provider::signature::Unbelievable;
use dunwell::provider::token::{self, Signing};

/// A vendor with one address for everything: reports in one list, messages in another.
const ONE_ADDRESS: &str = r#"
identity = { id = "x", channel = "sms", name = "x", docs = "x", tested_on = "2026-11-23" }
settings.secret = { help = "x", required = true, secret = true }
send = { method = "POST", url = "https://vendor.example/send", response = { accepted = { status = ["202"] } } }
[[signatures.secret]]
primitive = "secret"
keys = ["{secret}"]
given = { query = "secret" }
[callbacks.status]
methods = ["POST"]
encoding = "any"
signature = "secret"
acknowledge = { status = 200 }
events = "/reports"
also = "inbound"
reference = { json = "/id" }
status = { json = "/state" }
statuses = { ok = "delivered" }
[[callbacks.status.rules]]
when = [{ value = { json = "/errors" } }]
status = "failed"
[callbacks.inbound]
methods = ["POST"]
encoding = "any"
signature = "secret"
acknowledge = { status = 200 }
events = "/messages"
select = [{ value = { json = "/kind" }, is = ["text"] }]
reference = { json = "/id" }
from = { json = "/from" }
text = { json = "/text" }
charset = { query = "coding" }
"#;

fn vendor() -> (Manifest, Settings) {
    let manifest = manifest("sms/x/manifest.toml", ONE_ADDRESS);
    let settings = manifest.settings(&given(&[("secret", "s")]), "test").expect("settings");
    (manifest, settings)
}

fn hear(kind: CallbackKind, query: &str, body: &[u8]) -> Result<Heard, CallbackError> {
    let (manifest, settings) = vendor();
    let url = format!("https://gw.example.com/callbacks/sms/x/{kind}?secret=s{query}");
    let headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
    let request = CallbackRequest { method: "POST".to_owned(), url, headers, body: body.to_vec() };
    manifest.verify_and_parse(kind, &request, &Grounds::new(&settings, Timestamp::from_millis(0)))
}

/// What a callback comes to: a word for each event.
fn words(heard: &Heard) -> Vec<String> {
    let word = |event: &CallbackEvent| match event {
        CallbackEvent::Delivery(delivery) => delivery.status.as_str().to_owned(),
        CallbackEvent::Inbound(inbound) => inbound.text.clone(),
        CallbackEvent::Call(_) => "call".to_owned(),
    };
    heard.events.iter().map(word).collect()
}

#[test]
fn one_address_may_bring_reports_messages_and_neither() {
    for (body, expected, passed_over) in [
        (r#"{"reports":[{"id":"1","state":"ok"}]}"#, &["delivered"][..], 1),
        (r#"{"messages":[{"id":"2","kind":"text","from":"+13055550117","text":"STOP"}]}"#, &["STOP"], 1),
        (
            r#"{"reports":[{"id":"1","state":"ok"}],"messages":[{"id":"2","kind":"text","from":"+1","text":"a"},{"kind":"image"}]}"#,
            &["delivered", "a"],
            1,
        ),
        (r#"{"news":[]}"#, &[], 2),
        (r#"{"reports":[]}"#, &[], 1),
    ] {
        let heard = hear(CallbackKind::Status, "", body.as_bytes()).expect(body);
        assert_eq!(
            (words(&heard), heard.passed_over),
            (expected.iter().map(|&s| s.to_owned()).collect(), passed_over),
            "{body}"
        );
    }
    // At an address of its own, a list that is not there is a fault of somebody's.
    assert!(matches!(hear(CallbackKind::Inbound, "", br#"{"news":[]}"#), Err(CallbackError::Malformed(_))));
    assert!(matches!(hear(CallbackKind::Status, "", b"nonsense"), Err(CallbackError::Malformed(_))));
}

#[test]
fn a_list_of_faults_is_a_fault() {
    let failed = br#"{"reports":[{"id":"1","state":"ok","errors":[{"code":4}]},{"id":"2","state":"ok","errors":null}]}"#;
    assert_eq!(words(&hear(CallbackKind::Status, "", failed).expect("good")), ["failed", "delivered"]);
}

#[test]
fn letters_arrive_whatever_they_are_written_in() {
    let body =
        |text: &[u8]| [br#"{"messages":[{"kind":"text","from":"+1","text":""#, text, br#""}]}"#].concat();
    for (query, text) in
        [("", &b"ma\xf1ana"[..]), ("", "mañana".as_bytes()), ("&coding=iso-8859-15", b"ma\xf1ana")]
    {
        assert_eq!(
            words(&hear(CallbackKind::Inbound, query, &body(text)).expect("good")),
            ["mañana"],
            "{query}"
        );
    }
}

/// Signed over a binary digest of the body (as Bird does it), and bound to our account.
const BINARY: &str = r#"
identity = { id = "x", channel = "sms", name = "x", docs = "x", tested_on = "2026-11-23" }
settings.secret = { help = "x", required = true, secret = true }
settings.account = { help = "x", required = true }
send = { method = "POST", url = "https://vendor.example/send", response = { accepted = { status = ["202"] } } }
[[signatures.binary]]
primitive = "hmac_sha256"
keys = ["{secret}"]
message = "{header:Time}\n{url}\n{body|sha256}"
given = { header = "Signature" }
given_form = "base64"
fresh = { time = { header = "Time" }, within = "PT5M" }
require = [{ value = { json = "/account" }, equals = "acc-{account}" }]
once = true
[callbacks.status]
methods = ["POST"]
encoding = "json"
signature = "binary"
acknowledge = { status = 200 }
reference = { json = "/id" }
status = { json = "/state" }
statuses = { ok = "delivered" }
"#;

#[test]
fn a_digest_in_bytes_is_signed_and_a_stranger_s_account_is_not_ours() {
    use base64::Engine;
    let manifest = manifest("sms/x/manifest.toml", BINARY);
    let settings =
        manifest.settings(&given(&[("secret", "s"), ("account", "17")]), "test").expect("settings");
    let now = Timestamp::from_millis(1_790_000_000_000);
    let judge = |body: &str, sent: &str| {
        let url = "https://gw.example.com/callbacks/sms/x/status".to_owned();
        let mut signed = format!("1790000000\n{url}\n").into_bytes();
        signed.extend(Hash::Sha256.digest(body.as_bytes()));
        let signature = base64::prelude::BASE64_STANDARD.encode(Hash::Sha256.hmac(b"s", &signed));
        let headers = [("Time", "1790000000".to_owned()), ("Signature", signature)];
        let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let request =
            CallbackRequest { method: "POST".to_owned(), url, headers, body: sent.as_bytes().to_vec() };
        manifest.verify_and_parse(CallbackKind::Status, &request, &Grounds::new(&settings, now))
    };
    let ours = r#"{"account":"acc-17","id":"1","state":"ok","token":"t1"}"#;
    let heard = judge(ours, ours).expect("ours");
    let once = heard.once.expect("it counts once");
    assert_eq!(once.until.since(now).as_millis(), 600_000);
    let other = ours.replace("t1", "t2");
    assert_ne!(judge(&other, &other).expect("ours").once, Some(once));
    for (body, sent, why) in [
        (ours, &*ours.replace("\"ok\"", "\"no\""), Unbelievable::Forged),
        (&*ours.replace("acc-17", "acc-18"), &*ours.replace("acc-17", "acc-18"), Unbelievable::Foreign),
        (
            &*ours.replace("\"account\"", "\"other\""),
            &*ours.replace("\"account\"", "\"other\""),
            Unbelievable::Foreign,
        ),
    ] {
        assert_eq!(judge(body, sent), Err(CallbackError::Unbelievable(why)), "{sent}");
    }
    for (from, to, words) in [
        ("acc-{account}", "{acount}", "no setting (did you mean `account`?)"),
        ("fresh = ", "# fresh = ", "`once` needs `fresh`"),
        ("{header:Time}\\n", "", "`once`: the time of `fresh` is not in what is signed"),
        ("header = \"Time\"", "header = \"Other\"", "`once`: the time of `fresh` is not in what is signed"),
        ("once = true", "once = { json = \"/token\" }", "expected a boolean"),
        ("{body|sha256}", "{body|sha256|upper}", "there must be `hex`"),
        ("given_form = \"base64\"", "given_form = \"base65\"", "unknown variant `base65`"),
    ] {
        assert!(BINARY.contains(from), "{from}");
        let text = BINARY.replacen(from, to, 1);
        let file = SourceFile { path: "sms/x/manifest.toml".to_owned(), text };
        let faults = Manifest::read(&file).expect_err(to);
        assert!(faults.iter().any(|fault| fault.message.contains(words)), "{to}: {faults:?}");
    }
}

/// What is signed has no mark between time and token (as Mailgun has it), and the body is not signed at all.
#[test]
fn whoever_moves_a_boundary_within_what_is_signed_says_nothing_new() {
    let scheme = |text: &str| {
        let text = text
            .replace("{header:Time}\\n{url}\\n{body|sha256}", "{header:Time}{header:Token}")
            .replace("require = [{ value = { json = \"/account\" }, equals = \"acc-{account}\" }]\n", "");
        manifest("sms/x/manifest.toml", &text)
    };
    let now = Timestamp::from_millis(1_790_000_000_000);
    let judge = |manifest: &Manifest, time: &str, token: &str| {
        use base64::Engine;
        let settings =
            manifest.settings(&given(&[("secret", "s"), ("account", "17")]), "test").expect("settings");
        let signature =
            base64::prelude::BASE64_STANDARD.encode(Hash::Sha256.hmac(b"s", b"17900000001234567"));
        let headers = [("Time", time), ("Token", token), ("Signature", &signature)];
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let url = "https://gw.example.com/callbacks/sms/x/status".to_owned();
        let body = format!(r#"{{"id":"{time}","state":"ok"}}"#).into_bytes();
        let request = CallbackRequest { method: "POST".to_owned(), url, headers, body };
        manifest.verify_and_parse(CallbackKind::Status, &request, &Grounds::new(&settings, now))
    };
    let loose = scheme(BINARY);
    let once = |time: &str, token: &str| judge(&loose, time, token).expect("it holds").once.expect("once");
    // As milliseconds the time is fresh too, and the token another; but it is the same that was signed.
    assert_eq!(once("1790000000", "1234567"), once("1790000000123", "4567"));
    let strict = scheme(&BINARY.replace(
        "fresh = { time = { header = \"Time\" }",
        "fresh = { time = { header = \"Time\", pattern = \"^[0-9]{10}$\" }",
    ));
    assert!(judge(&strict, "1790000000", "1234567").is_ok());
    let stale = Err(CallbackError::Unbelievable(Unbelievable::Stale));
    assert_eq!(judge(&strict, "1790000000123", "4567"), stale);
}

#[test]
fn where_our_account_is_not_given_nothing_is_ours() {
    let text = BINARY
        .replace("account = { help = \"x\", required = true }", "account = { help = \"x\" }")
        .replace("{header:Time}\\n{url}\\n{body|sha256}", "{body}")
        .replace("once = true\n", "")
        .replace("acc-{account}", "{account}");
    let manifest = manifest("sms/x/manifest.toml", &text);
    let judge = |pairs: &[(&str, &str)], body: &str| {
        use base64::Engine;
        let settings = manifest.settings(&given(pairs), "test").expect("settings");
        let signature = base64::prelude::BASE64_STANDARD.encode(Hash::Sha256.hmac(b"s", body.as_bytes()));
        let headers = [("Time", "1790000000".to_owned()), ("Signature", signature)];
        let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let url = "https://gw.example.com/callbacks/sms/x/status".to_owned();
        let request =
            CallbackRequest { method: "POST".to_owned(), url, headers, body: body.as_bytes().to_vec() };
        let now = Timestamp::from_millis(1_790_000_000_000);
        manifest.verify(CallbackKind::Status, &request, &Grounds::new(&settings, now))
    };
    let foreign = Err(CallbackError::Unbelievable(Unbelievable::Foreign));
    for account in ["", "17"] {
        let body = format!(r#"{{"account":"{account}","id":"1","state":"ok","token":"t"}}"#);
        assert_eq!(judge(&[("secret", "s")], &body), foreign, "{account}");
    }
    let body = r#"{"account":"17","id":"1","state":"ok","token":"t"}"#;
    assert_eq!(judge(&[("secret", "s"), ("account", "17")], body), Ok(()));
}

#[test]
fn public_keys_and_tokens_hold_in_every_size() {
    use aws_lc_rs::signature::KeyPair;
    use aws_lc_rs::{digest, rsa, signature};
    let key = rsa::KeyPair::generate(rsa::KeySize::Rsa2048).expect("key");
    let message = b"1790000000.body";
    let public = key.public_key().as_ref().to_vec();
    for (algorithm, hash, ours) in [
        (&signature::RSA_PKCS1_SHA256, &digest::SHA256, PublicKey::RsaSha256),
        (&signature::RSA_PKCS1_SHA384, &digest::SHA384, PublicKey::RsaSha384),
        (&signature::RSA_PKCS1_SHA512, &digest::SHA512, PublicKey::RsaSha512),
    ] {
        let mut signed = vec![0; key.public_modulus_len()];
        key.sign_digest(algorithm, &digest::digest(hash, message), &mut signed).expect("signed");
        assert!(ours.holds(&public, message, &signed), "{ours:?}");
        assert!(!ours.holds(&public, b"another", &signed));
    }
    for (word, hash, signing) in [
        ("HS256", Hash::Sha256, Signing::HS256),
        ("HS384", Hash::Sha384, Signing::HS384),
        ("HS512", Hash::Sha512, Signing::HS512),
    ] {
        use base64::Engine;
        let encode = |bytes: &[u8]| base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(bytes);
        let signed = format!("{}.{}", encode(format!(r#"{{"alg":"{word}"}}"#).as_bytes()), encode(b"{}"));
        let token = format!("{signed}.{}", encode(&hash.hmac(b"k", signed.as_bytes())));
        let now = Timestamp::from_millis(0);
        assert!(token::claims(&token, signing, b"k", now).is_ok(), "{word}");
        let other = if signing == Signing::HS256 { Signing::HS512 } else { Signing::HS256 };
        assert!(token::claims(&token, other, b"k", now).is_err(), "{word}");
    }
}

/// A vendor that wants a token first, and takes XML.
const TOKEN: &str = r#"
identity = { id = "x", channel = "sms", name = "x", docs = "x", tested_on = "2026-11-23" }
settings.id = { help = "x", required = true }
settings.secret = { help = "x", required = true, secret = true }
[send]
method = "POST"
url = "https://vendor.example/send"
headers = { Content-Type = "application/xml" }
auth.oauth2 = { token_url = "https://login.vendor.example/t", client_id = "{id}", client_secret = "{secret}", credentials = "body", encoding = "json", fields = [{ name = "audience", value = "sms", when = "id=C1" }], token = { json = "/data/token" } }
body.text = "<send to='{to|xml}' ref='{attempt}'>{text|xml}</send>"
response = { accepted = { status = ["202"] } }
"#;

const TOKEN_CASE: &str = r#"
about = "A token first."
hidden = ["s3cret", "t0ken"]
settings = { id = "C1", secret = "s3cret" }
message = { to = "+13055550117", attempt = "att_0198c0de000070008000000000000017", text = "a < b" }
[token.request]
method = "POST"
url = "https://login.vendor.example/t"
json = { grant_type = "client_credentials", client_id = "C1", client_secret = "s3cret", audience = "sms" }
[token.response]
status = 200
body = '{"data":{"token":"t0ken"}}'
[request]
method = "POST"
url = "https://vendor.example/send"
headers = { Authorization = "Bearer t0ken", Content-Type = "application/xml" }
text = "<send to='+13055550117' ref='att_0198c0de000070008000000000000017'>a &lt; b</send>"
[response]
status = 202
[outcome]
accepted = true
"#;

#[test]
fn a_token_is_part_of_a_case() {
    let load = |manifest: &str, case: &str| {
        let file = |path: &str, text: &str| SourceFile { path: path.to_owned(), text: text.to_owned() };
        let files = [file("sms/x/manifest.toml", manifest), file("sms/x/cases/accepted.toml", case)];
        Catalogue::load(&files).unwrap_or_else(|faults| panic!("{faults:#?}"))
    };
    let sound = load(TOKEN, TOKEN_CASE);
    assert_eq!(sound.run_cases(), []);
    assert_eq!(sound.doubts(), []);
    for (from, to, words) in [
        ("audience = \"sms\"", "audience = \"mms\"", "[token]: json /audience"),
        ("Bearer t0ken", "Bearer other", "header Authorization"),
        ("status = 200", "status = 401", "token_refused"),
        ("", "", ""),
    ] {
        if words.is_empty() {
            let without: String = TOKEN_CASE.replace("[token.request]", "#").replace("[token.response]", "#");
            let (head, tail) = without.split_once("#\n").expect("a token");
            let (_, tail) = tail.split_once("[request]").expect("a request");
            let faults = load(TOKEN, &format!("{head}[request]{tail}")).run_cases();
            assert!(faults.iter().any(|fault| fault.message.contains("go together")), "{faults:?}");
            continue;
        }
        let faults = load(TOKEN, &TOKEN_CASE.replacen(from, to, 1)).run_cases();
        assert!(faults.iter().any(|fault| fault.message.contains(words)), "{to}: {faults:?}");
        assert!(faults.iter().all(|fault| !fault.message.contains("s3cret")), "{faults:?}");
    }
    let doubts = load(&TOKEN.replace("{text|xml}", "{text}"), TOKEN_CASE).doubts();
    assert!(doubts.len() == 1 && doubts[0].message.contains("`{text|xml}`"), "{doubts:?}");
    for (from, to, words) in [
        ("client_id = \"{id}\"", "client_id = \"{to}\"", "auth.oauth2 names `to`, which is no setting"),
        ("value = \"sms\", when = \"id=C1\"", "json = { a = 1 }", "needs a `value`"),
        ("when = \"id=C1\"", "when = \"idd\"", "no setting (did you mean `id`?)"),
    ] {
        let file = SourceFile { path: "sms/x/manifest.toml".to_owned(), text: TOKEN.replacen(from, to, 1) };
        let faults = Manifest::read(&file).expect_err(to);
        assert!(faults.iter().any(|fault| fault.message.contains(words)), "{to}: {faults:?}");
    }
}
