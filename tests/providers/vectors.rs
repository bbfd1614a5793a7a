//! What the vendors' own libraries sign and ask is judged and asked likewise here.

use crate::{callback, catalogue, given, judge, read, twilio_message, vectors};
use dunwell::domain::channel::Channel;
use dunwell::domain::contact_point::{PointKind, PointValue};
use dunwell::domain::message::{Content, Outgoing};
use dunwell::domain::time::Timestamp;
use dunwell::provider::callback::{CallbackKind, CallbackRequest, Grounds};
use dunwell::provider::form::form_pairs;
use dunwell::provider::sigv4;
use serde_json::{Value, json};

#[test]
fn vonage_tokens_are_judged_with_the_body_they_cover() {
    let (catalogue, vectors) = (catalogue(), vectors("vonage-jwt.json"));
    let manifest = catalogue.get(Channel::Sms, "vonage").expect("vonage");
    let secret = vectors["secret"].as_str().expect("secret");
    let pairs =
        [("api_key", "abcd1234"), ("api_secret", "x"), ("from", "15005550001"), ("signature_secret", secret)];
    let settings = manifest.settings(&given(&pairs), "test").expect("settings");
    judge(manifest, &settings, &vectors, CallbackKind::Status);
}

#[test]
fn sendgrid_events_are_judged_as_its_library_judges_them() {
    let (catalogue, vectors) = (catalogue(), vectors("sendgrid.json"));
    let manifest = catalogue.get(Channel::Email, "sendgrid").expect("sendgrid");
    let key = vectors["public_key_base64_der"].as_str().expect("key");
    let pairs = [("api_key", "x"), ("from", "a@recovery.example"), ("webhook_public_key", key)];
    let settings = manifest.settings(&given(&pairs), "test").expect("settings");
    judge(manifest, &settings, &vectors, CallbackKind::Status);
}

#[test]
fn amazon_notifications_are_judged_by_a_certificate_of_amazons_alone() {
    let (catalogue, vectors) = (catalogue(), vectors("amazon-sns.json"));
    let manifest = catalogue.get(Channel::Email, "ses").expect("ses");
    let pairs = [
        ("region", "us-east-1"),
        ("access_key_id", "AKIDEXAMPLE"),
        ("secret_access_key", "x"),
        ("from", "a@recovery.example"),
        ("topic_arn", "arn:aws:sns:us-east-1:123456789012:ses-events"),
    ];
    let settings = manifest.settings(&given(&pairs), "test").expect("settings");
    let pem = vectors["certificate_pem"].as_str().expect("certificate");
    for vector in vectors["vectors"].as_array().expect("vectors") {
        let (request, name) = (callback(vector), &vector["name"]);
        let address = manifest.certificate(CallbackKind::Status, &request);
        let foreign = name.as_str().is_some_and(|name| name.starts_with("cert-"));
        assert_eq!(address.is_none(), foreign, "{name}: only Amazon is asked for a certificate");
        let certificate = address.as_deref().map(|address| (address, pem));
        let grounds = Grounds { settings: &settings, now: Timestamp::from_millis(0), certificate };
        let result = manifest.verify(CallbackKind::Status, &request, &grounds);
        assert_eq!(result.is_ok(), vector["valid"].as_bool().expect("valid"), "{name}: {result:?}");
        // The certificate of another address is of no use.
        let other =
            Grounds { certificate: Some(("https://sns.us-east-1.amazonaws.com/other.pem", pem)), ..grounds };
        assert!(manifest.verify(CallbackKind::Status, &request, &other).is_err(), "{name}");
    }
}

#[test]
fn the_older_vonage_signature_holds_with_every_method_and_every_way_of_calling() {
    let (catalogue, vectors) = (catalogue(), vectors("vonage-sms-sig.json"));
    let manifest = catalogue.get(Channel::Sms, "vonage-sms").expect("vonage-sms");
    let secret = vectors["secret"].as_str().expect("secret");
    let pairs =
        [("api_key", "abcd1234"), ("api_secret", "x"), ("from", "15005550001"), ("signature_secret", secret)];
    let settings = manifest.settings(&given(&pairs), "test").expect("settings");
    let grounds = Grounds::new(&settings, Timestamp::from_millis(1_790_000_000_000));
    let own = "https://gw.example.com/callbacks/sms/vonage-sms/status?attempt=att_1";
    for vector in vectors["vectors"].as_array().expect("vectors") {
        let mut params = vector["params"].as_object().expect("params").clone();
        params.insert("sig".to_owned(), vector["sig"].clone());
        let pairs = params.iter().map(|(name, value)| (name.as_str(), value.as_str().expect("text")));
        let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        let typed = |kind: &str| vec![("Content-Type".to_owned(), kind.to_owned())];
        for (method, url, headers, body) in [
            ("GET", format!("{own}&{form}"), Vec::new(), String::new()),
            ("POST", own.to_owned(), typed("application/x-www-form-urlencoded"), form.clone()),
            ("POST", own.to_owned(), typed("application/json"), Value::Object(params.clone()).to_string()),
        ] {
            let body = body.into_bytes();
            let request = CallbackRequest { method: method.to_owned(), url, headers, body };
            let result = manifest.verify(CallbackKind::Status, &request, &grounds);
            let valid = vector["valid"].as_bool().expect("valid");
            assert_eq!(result.is_ok(), valid, "{} by {method}: {result:?}", vector["name"]);
        }
    }
}

#[test]
fn requests_to_amazon_are_signed_as_botocore_signs_them() {
    let vectors = vectors("amazon-sigv4.json");
    let word = |value: &Value| value.as_str().expect("text").to_owned();
    for vector in vectors["vectors"].as_array().expect("vectors") {
        let keys = sigv4::Keys {
            access_key: word(&vectors["access_key"]),
            secret_key: word(&vectors["secret_key"]),
            session_token: vector["session_token"].as_str().map(str::to_owned),
            region: word(&vectors["region"]),
            service: "ses".to_owned(),
        };
        let expected = &vector["headers"];
        let given = [("Content-Type".to_owned(), word(&expected["Content-Type"]))];
        let now = "2026-09-21T13:33:20Z".parse().expect("time");
        let body = word(&vector["body"]);
        let made = sigv4::headers(
            &keys,
            &word(&vector["method"]),
            &word(&vector["url"]),
            &given,
            body.as_bytes(),
            now,
        );
        for (name, value) in &made {
            assert_eq!(expected[name], value.as_str(), "{}: {name}", vector["name"]);
        }
        assert_eq!(made.len() + 1, expected.as_object().expect("headers").len());
    }
}

fn golden(file: &str, name: &str) -> Value {
    let golden: Value =
        serde_json::from_str(&read(&format!("tests/data/vendors/golden/{file}"))).expect("golden");
    let all = golden["requests"].as_array().expect("requests");
    all.iter().find(|request| request["name"] == name).expect(name).clone()
}

#[test]
fn vonage_requests_equal_those_of_its_client() {
    let catalogue = catalogue();
    let hook = "https://gw.example.com/hooks/vonage/status";
    let message = twilio_message("Hola, señor & co", Some(hook));
    let common = [
        ("api_key", "abcd1234"),
        ("api_secret", "abcdef0123456789"),
        ("from", "+15005550001"),
        ("signature_secret", "x"),
    ];
    let request = |vendor: &str| {
        let manifest = catalogue.get(Channel::Sms, vendor).expect(vendor);
        let settings = manifest.settings(&given(&common), "test").expect("settings");
        manifest.request(&message, &settings, Timestamp::from_millis(0)).expect("request")
    };
    let (ours, mut theirs) = (request("vonage"), golden("vonage.json", "messages-sms"));
    assert_eq!((ours.method.as_str(), ours.url.as_str()), ("POST", theirs["url"].as_str().expect("url")));
    let mut body: Value = serde_json::from_str(theirs["body"].take().as_str().expect("body")).expect("JSON");
    body["client_ref"] = json!(message.attempt);
    assert_eq!(serde_json::from_slice::<Value>(&ours.body).expect("JSON"), body);

    let (ours, theirs) = (request("vonage-sms"), golden("vonage.json", "sms-api"));
    assert_eq!(ours.url, theirs["url"].as_str().expect("url"));
    assert_eq!(ours.header("authorization"), theirs["headers"]["Authorization"].as_str());
    let mut theirs = form_pairs(theirs["body"].as_str().expect("body"));
    for (name, value) in &mut theirs {
        match name.as_str() {
            "client-ref" => *value = message.attempt.to_string(),
            "callback" => *value = hook.to_owned(),
            _ => {}
        }
    }
    // Its client has the key in the header alone; the specification wants it in the form.
    theirs.push(("api_key".to_owned(), "abcd1234".to_owned()));
    let mut ours = form_pairs(std::str::from_utf8(&ours.body).expect("text"));
    theirs.sort();
    ours.sort();
    assert_eq!(ours, theirs);
}

#[test]
fn sendgrid_requests_equal_those_of_its_client() {
    let catalogue = catalogue();
    let manifest = catalogue.get(Channel::Email, "sendgrid").expect("sendgrid");
    let key = "A".repeat(90);
    let pairs = [
        ("api_key", "SG.key"),
        ("from", "Example <billing@example.com>"),
        ("webhook_public_key", key.as_str()),
    ];
    let settings = manifest.settings(&given(&pairs), "test").expect("settings");
    let html = Some("<p>texto</p>".to_owned());
    let message = Outgoing {
        attempt: "att_0198c0de000070008000000000000017".parse().expect("id"),
        to: PointValue::parse(PointKind::Email, "a@example.com").expect("email"),
        language: "es".to_owned(),
        content: Content::Email { subject: "Aviso".to_owned(), text: "texto".to_owned(), html },
        unsubscribe_url: Some("https://gw.example.com/u/1".to_owned()),
        status_callback_url: None,
        call: None,
    };
    let ours = manifest.request(&message, &settings, Timestamp::from_millis(0)).expect("request");
    let theirs = golden("sendgrid.json", "mail-send");
    assert_eq!(ours.url, theirs["url"].as_str().expect("url"));
    assert_eq!(ours.header("authorization"), theirs["headers"]["Authorization"].as_str());
    let mut ours: Value = serde_json::from_slice(&ours.body).expect("JSON");
    let mut theirs: Value = serde_json::from_str(theirs["body"].as_str().expect("body")).expect("JSON");
    // Each names its messages in its own way; theirs has a letter with it, ours turns tracking off.
    for (value, name) in [(&mut ours, "custom_args"), (&mut theirs, "custom_args")] {
        assert!(value.as_object_mut().expect("object").remove(name).is_some());
    }
    theirs.as_object_mut().expect("object").remove("attachments");
    ours.as_object_mut().expect("object").remove("tracking_settings");
    assert_eq!(ours, theirs);
}
