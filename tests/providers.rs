//! Vendors as data: every manifest with every case, the vendors' own vectors and recorded requests, and faults.

#[path = "providers/calls.rs"]
mod calls;
#[path = "providers/language.rs"]
mod language;
#[path = "providers/unseen.rs"]
mod unseen;
#[path = "providers/vectors.rs"]
mod vectors;

use dunwell::domain::channel::Channel;
use dunwell::domain::contact_point::{PointKind, PointValue};
use dunwell::domain::fault::SourceFile;
use dunwell::domain::message::{Content, Outgoing};
use dunwell::domain::outcome::Outcome;
use dunwell::domain::time::Timestamp;
use dunwell::provider::callback::{
    CallbackError, CallbackEvent, CallbackKind, CallbackRequest, DeliveryStatus, Grounds,
};
use dunwell::provider::case::{MANDATORY, OF_CALLS, TWO_WAY};
use dunwell::provider::catalogue::Catalogue;
use dunwell::provider::form::form_pairs;
use dunwell::provider::manifest::{Carrier, Manifest};
use dunwell::provider::response::HttpResponse;
use dunwell::provider::settings::{Given, Settings};
use dunwell::provider::signature::Unbelievable;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn files(folder: &Path, root: &Path, out: &mut Vec<SourceFile>) {
    for entry in std::fs::read_dir(folder).expect("folder") {
        let path = entry.expect("entry").path();
        if path.is_dir() {
            files(&path, root, out);
        } else {
            let name = path.strip_prefix(root).expect("below").to_string_lossy().into_owned();
            out.push(SourceFile { path: name, text: std::fs::read_to_string(&path).expect("text") });
        }
    }
}

fn catalogue() -> Catalogue {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("providers");
    let mut found = Vec::new();
    files(&root, &root, &mut found);
    Catalogue::load(&found).unwrap_or_else(|faults| panic!("{faults:#?}"))
}

fn given(pairs: &[(&str, &str)]) -> BTreeMap<String, Given> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), Given::from(*value))).collect()
}

const ACCOUNT: &str = "AC00000000000000000000000000000001";

fn twilio_settings(manifest: &Manifest, more: &[(&str, &str)]) -> Settings {
    let mut pairs = vec![("account_sid", ACCOUNT)];
    pairs.extend_from_slice(more);
    manifest.settings(&given(&pairs), "test").expect("settings")
}

#[test]
fn every_case_of_every_vendor_holds() {
    let catalogue = catalogue();
    assert_eq!(catalogue.run_cases(), [], "faults");
    let cases: usize = catalogue.vendors().map(|vendor| vendor.cases.len()).sum();
    assert!(cases >= 125, "only {cases} cases were found");
}

#[test]
fn every_vendor_has_the_mandatory_cases() {
    assert_eq!(catalogue().unproved(), []);
    for vendor in catalogue().vendors().filter(|vendor| vendor.manifest.identity.carrier == Carrier::Http) {
        let names: BTreeSet<&str> = vendor.cases.iter().map(|case| case.name.as_str()).collect();
        let two_way = vendor.manifest.callbacks.contains_key(&CallbackKind::Inbound);
        let calls = vendor.manifest.channel() == Channel::Voice;
        // A call is not delivered: it has other ends.
        let of_messages = MANDATORY.iter().copied().filter(|name| !calls || *name != "callback_delivered");
        let of_calls = OF_CALLS.iter().copied().filter(|_| calls);
        for wanted in of_messages.chain(of_calls).chain(two_way.then_some(TWO_WAY)) {
            assert!(names.contains(wanted), "{} has no case `{wanted}`", vendor.manifest.id());
        }
    }
}

#[test]
fn a_broken_case_is_noticed() {
    let catalogue = catalogue();
    let manifest = catalogue.get(Channel::Sms, "twilio").expect("twilio");
    let text = read("providers/sms/twilio/cases/accepted.toml");
    for (from, to) in [
        ("SM00000000000000000000000000000017\"\n", "SM00000000000000000000000000000018\"\n"),
        ("[\"To\", \"+13055550117\"]", "[\"To\", \"+13055550118\"]"),
        ("status = 201", "status = 400"),
        ("/Messages.json", "/Calls.json"),
        ("Authorization = \"Basic QU", "Authorization = \"Basic QV"),
    ] {
        assert!(text.contains(from), "{from}");
        let file =
            SourceFile { path: "sms/twilio/cases/x.toml".to_owned(), text: text.replacen(from, to, 1) };
        let case = dunwell::provider::case::Case::read(&file).expect("readable");
        assert_ne!(case.run(manifest), [], "{from} -> {to}");
    }
}

fn vectors(file: &str) -> Value {
    serde_json::from_str(&read(&format!("tests/data/vendors/vectors/{file}"))).expect("vectors")
}

fn callback(vector: &Value) -> CallbackRequest {
    let headers = vector["headers"].as_object().expect("headers");
    CallbackRequest {
        method: vector["method"].as_str().unwrap_or("POST").to_owned(),
        url: vector["url"].as_str().unwrap_or("https://gw.example.com/hooks").to_owned(),
        headers: headers.iter().map(|(k, v)| (k.clone(), v.as_str().expect("text").to_owned())).collect(),
        body: vector["body"].as_str().expect("body").as_bytes().to_vec(),
    }
}

/// Every vector of a file is judged as its note says.
fn judge(manifest: &Manifest, settings: &Settings, vectors: &Value, kind: CallbackKind) {
    let now = Timestamp::from_millis(vectors["clock"].as_i64().unwrap_or(1_790_000_000) * 1_000);
    let all = vectors["vectors"].as_array().expect("vectors");
    assert!(all.len() >= 5);
    for vector in all {
        let valid = vector["valid"].as_bool().expect("valid");
        let result = manifest.verify(kind, &callback(vector), &Grounds::new(settings, now));
        assert_eq!(result.is_ok(), valid, "{}: {result:?}", vector["name"]);
    }
}

#[test]
fn twilio_vectors_are_judged_as_its_own_validator_judges_them() {
    let catalogue = catalogue();
    let manifest = catalogue.get(Channel::Sms, "twilio").expect("twilio");
    let vectors = vectors("twilio.json");
    let secret = vectors["secret"].as_str().expect("secret");
    let settings = twilio_settings(
        manifest,
        &[("auth_token", secret), ("webhook_shared_key", secret), ("from", "+15005550006")],
    );
    judge(manifest, &settings, &vectors, CallbackKind::Status);
}

#[test]
fn twilio_tokens_rotate_and_a_missing_shared_key_verifies_nothing() {
    let catalogue = catalogue();
    let manifest = catalogue.get(Channel::Sms, "twilio").expect("twilio");
    let vectors = vectors("twilio.json");
    let secret = vectors["secret"].as_str().expect("secret");
    let now = Timestamp::from_millis(0);
    let named = |name: &str| {
        let all = vectors["vectors"].as_array().expect("vectors");
        callback(all.iter().find(|vector| vector["name"] == name).expect(name))
    };
    let rotated = twilio_settings(
        manifest,
        &[("auth_token", "new"), ("previous_auth_token", secret), ("from", "12345")],
    );
    assert_eq!(
        manifest.verify(CallbackKind::Status, &named("status-callback"), &Grounds::new(&rotated, now)),
        Ok(())
    );
    let plain = twilio_settings(manifest, &[("auth_token", secret), ("from", "12345")]);
    assert_eq!(
        manifest.verify(CallbackKind::Status, &named("shared-key-sha256"), &Grounds::new(&plain, now)),
        Err(CallbackError::Unbelievable(Unbelievable::Forged))
    );
    assert_eq!(
        manifest.verify(CallbackKind::Status, &named("missing-signature"), &Grounds::new(&plain, now)),
        Err(CallbackError::Unbelievable(Unbelievable::Unsigned))
    );
    let stop = manifest
        .verify_and_parse(CallbackKind::Inbound, &named("inbound-stop"), &Grounds::new(&plain, now))
        .expect("valid")
        .events;
    let [CallbackEvent::Inbound(inbound)] = stop.as_slice() else { panic!("not one inbound message") };
    assert_eq!((inbound.text.as_str(), inbound.keyword.as_deref()), ("STOP", Some("STOP")));
    assert!(!format!("{stop:?}").contains("8505550101"));
}

fn twilio_message(text: &str, callback: Option<&str>) -> Outgoing {
    Outgoing {
        attempt: "att_0198c0de000070008000000000000017".parse().expect("id"),
        to: PointValue::parse(PointKind::Phone, "+18505550101").expect("phone"),
        language: "es".to_owned(),
        content: Content::Sms { text: text.to_owned(), segments: 1 },
        unsubscribe_url: None,
        status_callback_url: callback.map(str::to_owned),
        call: None,
    }
}

/// The same request as the vendor's own client makes, as far as a form means anything.
#[test]
fn twilio_requests_equal_those_of_its_client() {
    let golden: Value = serde_json::from_str(&read("tests/data/vendors/golden/twilio.json")).expect("golden");
    let golden = |name: &str| {
        let all = golden["requests"].as_array().expect("requests");
        all.iter().find(|request| request["name"] == name).expect(name).clone()
    };
    let catalogue = catalogue();
    let manifest = catalogue.get(Channel::Sms, "twilio").expect("twilio");
    let message = twilio_message;
    let from = twilio_settings(manifest, &[("auth_token", "tok"), ("from", "+15005550001")]);
    let service = [
        ("auth_token", "tok"),
        ("messaging_service_sid", "MG00000000000000000000000000000001"),
        ("validity_seconds", "3600"),
    ];
    let service = twilio_settings(manifest, &service);
    let hook = Some("https://gw.example.com/hooks/twilio/status");
    for (name, settings, message, beyond) in [
        ("sms", &from, message("Hola, señor & co", hook), &[][..]),
        // We keep a message until it may be sent; the vendor's own scheduling is not used.
        ("sms-messaging-service-scheduled", &service, message("x", None), &["ScheduleType", "SendAt"][..]),
    ] {
        let expected = golden(name);
        let ours = manifest.request(&message, settings, Timestamp::from_millis(0)).expect("request");
        assert_eq!(ours.method.as_str(), expected["method"], "{name}");
        assert_eq!(ours.url, expected["url"].as_str().expect("url"), "{name}");
        for (header, value) in expected["headers"].as_object().expect("headers") {
            let found = ours.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(header));
            assert_eq!(found.map(|(_, value)| value.as_str()), value.as_str(), "{name}: {header}");
        }
        let mut theirs = form_pairs(expected["body"].as_str().expect("body"));
        theirs.retain(|(key, _)| !beyond.contains(&key.as_str()));
        let mut ours = form_pairs(std::str::from_utf8(&ours.body).expect("text"));
        theirs.sort();
        ours.sort();
        assert_eq!(ours, theirs, "{name}");
    }
}

fn manifest(path: &str, text: &str) -> Manifest {
    let file = SourceFile { path: path.to_owned(), text: text.to_owned() };
    Manifest::read(&file).unwrap_or_else(|faults| panic!("{faults:#?}"))
}

/// Standard Webhooks: a key in base64 behind a prefix, several signatures in one header, a window of time.
#[test]
fn a_window_of_time_and_several_signatures_are_data_too() {
    let scheme = r#"
identity = { id = "x", channel = "sms", name = "x", docs = "x", tested_on = "2026-11-22" }
settings.secret = { help = "secret", secret = true }
send = { method = "GET", url = "https://x.example", response = { accepted = { status = ["202"] } } }
[[signatures.standard]]
primitive = "hmac_sha256"
keys = ["{secret}"]
key_form = "base64"
key_prefix = "whsec_"
message = "{header:webhook-id}.{header:webhook-timestamp}.{body}"
given = { header = "webhook-signature" }
given_form = "base64"
given_split = " "
given_prefix = "v1,"
fresh = { unix = { header = "webhook-timestamp" }, within = "PT5M" }
[callbacks.status]
methods = ["POST"]
encoding = "json"
signature = "standard"
acknowledge = { status = 204 }
reference = [{ json = "/data/id" }]
status = { json = "/type" }
statuses = { "dispatch.delivered" = "delivered" }
"#;
    let manifest = manifest("sms/x/manifest.toml", scheme);
    let vectors = vectors("standard-webhooks.json");
    let secret = vectors["secret"].as_str().expect("secret");
    let settings = manifest.settings(&given(&[("secret", secret)]), "test").expect("settings");
    judge(&manifest, &settings, &vectors, CallbackKind::Status);
}

/// A vendor asked by GET, with credentials in the query, plain text answers and callbacks by GET (as Kannel does it).
#[test]
fn a_vendor_asked_by_get_needs_no_code() {
    let text = r#"
identity = { id = "k", channel = "sms", name = "x", docs = "x", tested_on = "2026-11-22" }
settings.base_url = { help = "x", kind = "url", required = true }
settings.user = { help = "x", required = true }
settings.pass = { help = "x", secret = true, required = true }
settings.token = { help = "x", secret = true, required = true }
[send]
method = "GET"
url = "{base_url|raw}/cgi-bin/sendsms"
query = [
    { name = "username", value = "{user}" },
    { name = "password", value = "{pass}" },
    { name = "to", value = "{to|without_plus}" },
    { name = "text", value = "{text}" },
    { name = "dlr-url", value = "{status_callback_url}&state=%d", when = "status_callback_url" },
]
response = { accepted = { status = ["202"], when = [{ value = { text = "^0: " } }] } }
[[signatures.token]]
primitive = "secret"
keys = ["{token}"]
given = { query = "token" }
given_form = "text"
[callbacks.status]
methods = ["GET"]
encoding = "query"
signature = "token"
acknowledge = { status = 200 }
attempt = { query = "attempt" }
status = { query = "state" }
statuses = { 1 = "delivered", 2 = "failed", 8 = "sent" }
[callbacks.inbound]
methods = ["GET"]
encoding = "query"
signature = "token"
acknowledge = { status = 200 }
add_plus = true
from = { query = "from" }
to = { query = "to" }
text = { query = "text" }
"#;
    let manifest = manifest("sms/k/manifest.toml", text);
    let pairs =
        [("base_url", "http://127.0.0.1:13013/"), ("user", "gw"), ("pass", "p&s"), ("token", "t0ken")];
    let settings = manifest.settings(&given(&pairs), "test").expect("settings");
    let attempt = "att_0198c0de000070008000000000000017";
    let message = Outgoing {
        attempt: attempt.parse().expect("id"),
        to: PointValue::parse(PointKind::Phone, "+13055550117").expect("phone"),
        language: "en".to_owned(),
        content: Content::Sms { text: "a b&c".to_owned(), segments: 1 },
        unsubscribe_url: None,
        status_callback_url: Some("https://gw.example.com/s?token=t0ken".to_owned()),
        call: None,
    };
    let request = manifest.request(&message, &settings, Timestamp::from_millis(0)).expect("request");
    assert_eq!(
        request.url,
        "http://127.0.0.1:13013/cgi-bin/sendsms?username=gw&password=p%26s&to=13055550117&text=a%20b%26c\
         &dlr-url=https%3A%2F%2Fgw.example.com%2Fs%3Ftoken%3Dt0ken%26state%3D%25d"
    );
    assert!(!format!("{request:?}").contains("p%26s") && !request.shown(&settings).contains("p%26s"));
    let get = |url: &str| CallbackRequest {
        method: "GET".to_owned(),
        url: url.to_owned(),
        headers: Vec::new(),
        body: Vec::new(),
    };
    let now = Timestamp::from_millis(0);
    let url = format!("https://gw.example.com/s?token=t0ken&attempt={attempt}&state=1");
    let events = manifest
        .verify_and_parse(CallbackKind::Status, &get(&url), &Grounds::new(&settings, now))
        .expect("valid")
        .events;
    let [CallbackEvent::Delivery(delivery)] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!((delivery.status, delivery.attempt), (DeliveryStatus::Delivered, Some(message.attempt)));
    let wrong = url.replace("t0ken", "t1ken");
    assert_eq!(
        manifest.verify_and_parse(CallbackKind::Status, &get(&wrong), &Grounds::new(&settings, now)),
        Err(CallbackError::Unbelievable(Unbelievable::Forged))
    );
    let stop = "https://gw.example.com/i?token=t0ken&from=13055550117&to=15005550006&text=STOP";
    let events = manifest
        .verify_and_parse(CallbackKind::Inbound, &get(stop), &Grounds::new(&settings, now))
        .expect("valid")
        .events;
    assert!(matches!(events.as_slice(), [CallbackEvent::Inbound(inbound)] if inbound.from == "+13055550117"));
}

/// Every way of writing a manifest wrongly is named with its line.
#[test]
fn faults_are_named_with_file_and_line() {
    let twilio = read("providers/sms/twilio/manifest.toml");
    let fault_of = |from: &str, to: &str| {
        assert!(twilio.contains(from), "{from}");
        let file =
            SourceFile { path: "sms/twilio/manifest.toml".to_owned(), text: twilio.replacen(from, to, 1) };
        let line = file
            .text
            .lines()
            .position(|line| line.contains(to.lines().next().expect("line")))
            .map(|at| at + 1);
        (Manifest::read(&file).expect_err(to), line)
    };
    for (from, to, words) in [
        ("method = \"POST\"\nurl", "metod = \"POST\"\nurl", "unknown field `metod`"),
        ("value = \"{text}\"", "value = \"{txt}\"", "`{txt}` is unknown"),
        ("value = \"{text}\"", "value = \"{text|shout}\"", "unknown filter `shout`"),
        ("class = \"throttled\"", "class = \"later\"", "unknown variant `later`"),
        ("channel = \"sms\"", "channel = \"email\"", "`channel` must be the folder's"),
        ("signature = \"twilio\"", "signature = \"twillio\"", "there is no [[signatures.twillio]]"),
        ("reference = { json = \"/sid\"", "reference = { json = \"sid\"", "begins with `/`"),
        ("{url}{sorted_form}", "{uri}{sorted_form}", "`{uri}` cannot be signed over"),
        ("sent = \"sent\"", "sent = \"arrived\"", "unknown variant `arrived`"),
    ] {
        let (faults, line) = fault_of(from, to);
        let found =
            faults.iter().find(|fault| fault.message.contains(words)).unwrap_or_else(|| panic!("{faults:?}"));
        let near = |at: usize| line.is_some_and(|line| at == line || line.abs_diff(at) <= 6);
        assert!(found.line.is_some_and(near), "{to}: {found} is not near line {line:?}");
    }
    for (from, to, line) in [
        ("tested_on = \"2026-11-22\"", "tested_on = \"soon\"", "tested_on"),
        ("[settings.validity_seconds]", "[settings.segments]", "[settings.segments]"),
        ("[[one_of]]\nsettings = [\"from\"", "[[one_of]]\nsettings = [\"form\"", "[[one_of]]"),
        ("unless = \"messaging_service_sid\"", "unless = \"messaging_service\"", "    { name = \"From\""),
        ("acknowledge = { status = 204 }", "acknowledge = { status = 500 }", "[callbacks.status]"),
    ] {
        let (faults, _) = fault_of(from, to);
        let wanted =
            twilio.replacen(from, to, 1).lines().position(|text| text.starts_with(line)).map(|at| at + 1);
        assert!(faults.iter().any(|fault| fault.line == wanted), "{to}: {faults:?}");
    }
    let (faults, _) = fault_of("\"21610\", \"30004\"", "\"21211\", \"{x}\"");
    assert!(faults.iter().any(|fault| fault.message.contains("21211 twice")), "{faults:?}");
}

#[test]
fn settings_that_do_not_fit_are_all_named() {
    let catalogue = catalogue();
    let manifest = catalogue.get(Channel::Sms, "twilio").expect("twilio");
    let faults = manifest
        .settings(&given(&[("account_sid", "AC1"), ("auth_tokn", "s3cret-value")]), "config/dunwell.toml")
        .expect_err("faults");
    let shown = format!("{faults:?}");
    for words in
        ["account_sid", "auth_tokn", "`auth_token` is missing", "at least one of from, messaging_service_sid"]
    {
        assert!(shown.contains(words), "{words} in {shown}");
    }
    assert!(!shown.contains("s3cret-value"), "{shown}");
}

proptest::proptest! {
    /// Whatever a stranger sends, it is refused without a panic.
    #[test]
    fn nothing_unsigned_is_believed(
        body in ".{0,200}", query in ".{0,60}", signature in "[A-Za-z0-9+/=]{0,44}", settings_header in ".{0,40}",
        status in proptest::bool::ANY,
    ) {
        let manifest = manifest("sms/twilio/manifest.toml", &read("providers/sms/twilio/manifest.toml"));
        let settings = twilio_settings(&manifest, &[("auth_token", "tok"), ("from", "12345")]);
        let request = CallbackRequest {
            method: "POST".to_owned(),
            url: format!("https://gw.example.com/callbacks/sms/twilio/status?{query}"),
            headers: vec![
                ("X-Twilio-Signature".to_owned(), signature),
                ("X-Twilio-Webhooks-Signature-Settings".to_owned(), settings_header),
            ],
            body: body.into_bytes(),
        };
        let kind = if status { CallbackKind::Status } else { CallbackKind::Inbound };
        let result = manifest.verify_and_parse(kind, &request, &Grounds::new(&settings, Timestamp::from_millis(0)));
        proptest::prop_assert!(matches!(result, Err(CallbackError::Unbelievable(_))), "{:?}", result);
    }

    /// Whatever an answer says, it is a success only with the promised status and an identifier.
    #[test]
    fn only_the_promised_answer_is_success(status in 100u16..600, body in ".{0,120}", code in proptest::num::u32::ANY) {
        let manifest = manifest("sms/twilio/manifest.toml", &read("providers/sms/twilio/manifest.toml"));
        for body in [body, format!("{{\"code\":{code},\"sid\":\"x\"}}")] {
            let received_at = Timestamp::from_millis(0);
            let response = HttpResponse { status, headers: Vec::new(), body: body.into_bytes(), received_at };
            proptest::prop_assert!(matches!(manifest.outcome(&response), Outcome::Failed(_)));
        }
    }
}
