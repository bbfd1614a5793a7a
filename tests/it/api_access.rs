//! Keys and roles: who may do what.

use crate::support::gateway::{BOOTSTRAP_KEY, Gateway, Setup};
use crate::support::http::Client;
use crate::support::sample::{days_ago, noon, person};
use serde_json::json;

#[test]
fn without_a_good_key_there_is_nothing() {
    let gateway = Gateway::start();
    let sample = person(1);
    sample.enter(&gateway.admin(), noon());
    let with_key = |key: &str| Client { key: Some(key.to_owned()), ..gateway.anyone() };
    for client in
        [gateway.anyone(), with_key("wrong-key-of-some-length"), with_key(&BOOTSTRAP_KEY[..20]), with_key("")]
    {
        for path in [
            sample.path(),
            "/v1/contact-requests".to_owned(),
            "/v1/history".to_owned(),
            "/v1/reviews".to_owned(),
        ] {
            let answer = client.get(&path);
            answer.problem(401);
            assert!(
                answer.header("www-authenticate").is_some_and(|scheme| scheme.starts_with("Bearer")),
                "{path}"
            );
        }
        client.put(&sample.path(), &json!({})).problem(401);
    }
    for open in ["/healthz", "/readyz"] {
        gateway.anyone().get(open).ok();
    }
}

#[test]
fn each_role_does_its_own_work_and_no_other() {
    let gateway = Gateway::start();
    let admin = gateway.admin();
    let sample = person(1);
    sample.enter(&admin, noon());
    let (upstream, compliance, operator) =
        (gateway.role("upstream"), gateway.role("compliance"), gateway.role("operator"));

    // Upstream writes facts, asks, posts and reads; it neither pauses nor reviews.
    let hold = json!({"since": days_ago(1).to_string()});
    upstream.put(&person(2).path(), &person(2).file(noon())).ok();
    upstream.post(&format!("{}/consents", sample.path()), &sample.consent("sms", "automated")).ok();
    upstream.put(&format!("{}/holds/dispute", sample.path()), &hold).ok();
    upstream.delete(&format!("{}/holds/dispute", sample.path())).ok();
    upstream.post("/v1/decisions", &sample.query("voice")).expect(200);
    upstream.post("/v1/permits", &sample.query("voice")).expect(201);
    upstream.post("/v1/contact-requests", &sample.request("r-1", &["portal"])).expect(202);
    upstream.put("/v1/pauses/x", &json!({"reason": "none"})).problem(403);
    upstream.get("/v1/reviews").problem(403);

    // Compliance reads everything and changes nothing.
    for path in [
        sample.path(),
        format!("{}/history", sample.path()),
        "/v1/history".to_owned(),
        "/v1/contact-requests".to_owned(),
    ] {
        compliance.get(&path).expect(200);
    }
    compliance.put(&sample.path(), &sample.file(noon())).problem(403);
    compliance.post("/v1/contact-requests", &sample.request("r-2", &["portal"])).problem(403);
    compliance.put(&format!("{}/holds/cease", sample.path()), &hold).problem(403);
    compliance.put("/v1/pauses/x", &json!({"reason": "none"})).problem(403);

    // An operator holds and pauses, and posts no requests.
    operator.put(&format!("{}/holds/cease", sample.path()), &hold).ok();
    operator.delete(&format!("{}/holds/cease", sample.path())).ok();
    operator.put("/v1/pauses/x", &json!({"reason": "none", "channel": "sms"})).ok();
    operator.delete("/v1/pauses/x").ok();
    operator.get("/v1/reviews").expect(200);
    operator.post("/v1/contact-requests", &sample.request("r-3", &["portal"])).problem(403);
    operator.put(&sample.path(), &sample.file(noon())).problem(403);
}

#[test]
fn keys_are_made_listed_and_revoked_while_it_runs() {
    let gateway = Gateway::start();
    let client = gateway.role("upstream");
    person(1).enter(&client, noon());
    let list = gateway.tool(&["keys", "list"]);
    let list = String::from_utf8_lossy(&list.stdout).into_owned();
    let line =
        list.lines().find(|line| line.contains("upstream")).unwrap_or_else(|| panic!("not listed: {list}"));
    assert!(!list.contains(client.key.as_deref().expect("a key")), "a key is shown once only");
    let id = line.split_whitespace().find(|word| word.starts_with("key_")).expect("its id");
    assert!(gateway.tool(&["keys", "revoke", id]).status.success());
    crate::support::eventually("the key to be refused", || {
        (client.get(&person(1).path()).status() == 401).then_some(())
    });
}

#[test]
fn history_says_who_did_it() {
    let gateway = Gateway::start();
    let upstream = gateway.role("upstream");
    let sample = person(1);
    sample.enter_bare(&upstream, noon());
    let history = gateway.role("compliance").all(&format!("{}/history", sample.path()));
    let text = history[0].to_string();
    assert!(text.contains("key:key_") || text.contains("key_"), "{text}");
    assert!(!text.contains(upstream.key.as_deref().expect("a key")), "{text}");
}

/// A vendor whose callbacks bring a user and a password.
const BASIC: &str = r#"
identity = { id = "basic", channel = "sms", name = "Basic", docs = "https://basic.example", tested_on = "2026-11-23" }
settings.user = { help = "the user", required = true }
settings.password = { help = "the password", required = true, secret = true }
send = { method = "POST", url = "http://127.0.0.1:9/send", response = { accepted = { status = ["202"] } } }
[[signatures.password]]
primitive = "secret"
keys = ["{user}:{password}"]
given = { header = "Authorization", pattern = "^Basic (.+)$" }
given_form = "base64"
[callbacks.status]
methods = ["POST"]
encoding = "json"
signature = "password"
acknowledge = { status = 204 }
reference = { json = "/id" }
status = { json = "/state" }
statuses = { ok = "delivered" }
"#;

#[test]
fn a_vendor_that_gives_its_password_when_it_is_asked_is_asked() {
    let channels = "[channels.sms]\nproviders = [\"basic\"]\n[providers.sms.basic]\nuser = \"vendor\"\npassword = { env = \"PASSWORD\" }\n";
    let env = vec![("PASSWORD".to_owned(), "sample-0017".to_owned())];
    let mut gateway = Gateway::unstarted(Setup { channels: channels.to_owned(), env });
    let folder = gateway.dir().join("providers/sms/basic");
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join("manifest.toml"), BASIC).expect("written");
    let config = std::fs::read_to_string(gateway.config_path()).expect("a configuration");
    let shipped = format!("{}/providers", env!("CARGO_MANIFEST_DIR"));
    assert!(config.contains(&shipped), "{config}");
    let own = gateway.dir().join("providers").display().to_string();
    std::fs::write(gateway.config_path(), config.replace(&shipped, &own)).expect("written");
    gateway.run();
    let call = |headers: &[(&str, &str)]| {
        let body = br#"{"id":"m-1","state":"ok"}"#;
        gateway.anyone().send("POST", "/callbacks/sms/basic/status", headers, body)
    };
    for headers in [&[][..], &[("Authorization", "Basic dmVuZG9yOndyb25n")]] {
        let answer = call(headers);
        assert_eq!(answer.status(), 401);
        assert_eq!(answer.header("www-authenticate"), Some("Basic realm=\"dunwell\""));
    }
    assert_eq!(call(&[("Authorization", "Basic dmVuZG9yOnNhbXBsZS0wMDE3")]).status(), 204);
}
