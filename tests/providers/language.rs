//! What the page for those who add vendors says is so, and the language carries vendors that nobody here has seen.

use crate::{given, manifest, read, twilio_message};
use dunwell::domain::fault::SourceFile;
use dunwell::domain::time::Timestamp;
use dunwell::provider::callback::{CallbackEvent, CallbackKind, CallbackRequest, DeliveryStatus, Grounds};
use dunwell::provider::catalogue::Catalogue;
use dunwell::provider::crypto::Hash;
use dunwell::provider::filter::FILTERS;
use dunwell::provider::poll::POLL_WORDS;
use dunwell::provider::words::{MESSAGE_WORDS, REQUEST_WORDS};

/// The files that the page shows, by what their first line calls them.
fn shown() -> Vec<SourceFile> {
    let page = read("providers/README.md");
    let blocks = page.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let files = blocks.filter_map(|block| {
        let (head, text) = block.split_once('\n')?;
        let path = head.strip_prefix("# providers/")?;
        Some(SourceFile { path: path.to_owned(), text: text.to_owned() })
    });
    files.collect()
}

#[test]
fn the_worked_example_works_as_it_stands_on_the_page() {
    let files = shown();
    assert_eq!(files.len(), 3);
    let catalogue = Catalogue::load(&files).unwrap_or_else(|faults| panic!("{faults:#?}"));
    assert_eq!(catalogue.run_cases(), []);
    let missing = catalogue.unproved();
    assert!(missing.len() == 1 && missing[0].message.contains("rejected_permanent"), "{missing:?}");
    let broken: Vec<SourceFile> = files
        .into_iter()
        .map(|file| SourceFile { text: file.text.replace("add_plus = true\n", ""), ..file })
        .collect();
    let faults = Catalogue::load(&broken).expect("sound").run_cases();
    assert!(faults.iter().any(|fault| fault.message.contains("`from` is")), "{faults:?}");
}

#[test]
fn the_page_names_every_word_and_every_filter() {
    let page = read("providers/README.md");
    for word in MESSAGE_WORDS.iter().chain(POLL_WORDS).chain(REQUEST_WORDS) {
        assert!(page.contains(&format!("`{word}`")), "the page says nothing of `{word}`");
    }
    for filter in FILTERS {
        let shown = filter.strip_suffix(':').map_or(format!("`{filter}`"), |name| format!("`{name}:"));
        assert!(page.contains(&shown), "the page says nothing of `{filter}`");
    }
}

/// A request whose header signs method, time and body; JSON in a form field on the way back.
const SIGNING: &str = r#"
identity = { id = "x", channel = "sms", name = "x", docs = "x", tested_on = "2026-11-23" }
settings.customer = { help = "x", required = true }
settings.key = { help = "x", required = true, secret = true }
[send]
method = "POST"
url = "https://vendor.example/v1/send"
headers = { Date = "{http_date}", Content-Type = "text/xml" }
auth.header = { name = "Authorization", value = "TSA {customer}:{mac}" }
values.mac.hmac = { algorithm = "sha256", key = "{key}", key_form = "base64", message = "{request_method}\n{http_date}\n{request_body|sha256|hex}\n{request_path}", form = "base64" }
body.text = "<send><to>{to|strip:+1}</to><text>{text|xml}</text></send>"
[send.response]
accepted = { status = ["2xx"], when = [{ value = { text = "<state>([a-z]+)</state>" }, is = ["ok"] }] }
reference = { text = "<id>([^<]+)</id>" }
[[signatures.form]]
primitive = "hmac_sha1"
keys = ["{key}"]
message = "{url}{sorted_form}"
given = { header = "X-Signature" }
given_form = "base64"
[callbacks.status]
methods = ["POST"]
encoding = "form"
signature = "form"
acknowledge = { status = 200, content_type = "application/json", body = '{{"seen":"{field:batch}"}}' }
unwrap = { field = "events" }
events = "/list/*/items"
reference = { json = "/id" }
status = { json = "/state" }
statuses = { ok = "delivered" }
"#;

#[test]
fn a_request_that_signs_itself_needs_no_code() {
    let manifest = manifest("sms/x/manifest.toml", SIGNING);
    let settings =
        manifest.settings(&given(&[("customer", "C1"), ("key", "c2VjcmV0")]), "test").expect("settings");
    let now = Timestamp::from_millis(784_111_777_000);
    let request = manifest.request(&twilio_message("a < b", None), &settings, now).expect("request");
    let body = "<send><to>8505550101</to><text>a &lt; b</text></send>";
    assert_eq!(request.body, body.as_bytes());
    assert_eq!(request.header("date"), Some("Sun, 06 Nov 1994 08:49:37 GMT"));
    let digest = hex::encode(Hash::Sha256.digest(body.as_bytes()));
    let signed = format!("POST\nSun, 06 Nov 1994 08:49:37 GMT\n{digest}\n/v1/send");
    let mac = base64::Engine::encode(
        &base64::prelude::BASE64_STANDARD,
        Hash::Sha256.hmac(b"secret", signed.as_bytes()),
    );
    assert_eq!(request.header("authorization"), Some(format!("TSA C1:{mac}").as_str()));
    assert_eq!(request.header("content-type"), Some("text/xml"));

    let form = [
        ("batch", "7"),
        ("events", r#"{"list":[{"items":[{"id":"a","state":"ok"}]},{"items":[{"id":"b","state":"??"}]}]}"#),
    ];
    let text = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let url = "https://gw.example.com/callbacks/sms/x/status".to_owned();
    let signed = format!("{url}batch7events{}", form[1].1);
    let signature = base64::Engine::encode(
        &base64::prelude::BASE64_STANDARD,
        Hash::Sha1.hmac(b"c2VjcmV0", signed.as_bytes()),
    );
    let headers = vec![("X-Signature".to_owned(), signature)];
    let request = CallbackRequest { method: "POST".to_owned(), url, headers, body: text.into_bytes() };
    let heard = manifest
        .verify_and_parse(CallbackKind::Status, &request, &Grounds::new(&settings, now))
        .expect("good");
    let states: Vec<DeliveryStatus> = heard
        .events
        .iter()
        .map(|event| match event {
            CallbackEvent::Delivery(delivery) => delivery.status,
            CallbackEvent::Inbound(_) | CallbackEvent::Call(_) => panic!("nobody wrote"),
        })
        .collect();
    assert_eq!(states, [DeliveryStatus::Delivered, DeliveryStatus::Unrecognised]);
    assert_eq!(heard.acknowledge.body, r#"{"seen":"7"}"#);
}

/// What can only be seen when the whole manifest is read is named too, each at its line.
#[test]
fn what_does_not_fit_together_is_named() {
    for (from, to, words) in [
        ("{mac}\"", "{mack}\"", "`{mack}` is unknown here (did you mean `mac`?)"),
        ("key = \"{key}\", key_form", "key = \"{mac}\", key_form", "value `mac` names itself"),
        ("{to|strip:+1}", "{request_body}", "`{request_body}` is unknown here"),
        ("unwrap = { field = \"events\" }\n", "", "`events` needs encoding"),
        ("{url}{sorted_form}", "{url}{pairs}", "`{pairs}` in `message` and `pairs = { … }` go together"),
        (
            "signature = \"form\"",
            "signature = \"from\"",
            "there is no [[signatures.from]] (did you mean `form`?)",
        ),
        (
            "encoding = \"form\"\n",
            "encoding = \"form\"\nalso = \"inbound\"\n",
            "there is no [callbacks.inbound]",
        ),
        ("primitive = \"hmac_sha1\"", "primitive = \"digest_sha1\"", "unless its message holds `{key}`"),
        ("method = \"POST\"", "method = \"GET\"", "a GET has no body"),
        ("{http_date}\", Content", "{htp_date}\", Content", "did you mean `http_date`?"),
    ] {
        assert!(SIGNING.contains(from), "{from}");
        let file = SourceFile { path: "sms/x/manifest.toml".to_owned(), text: SIGNING.replacen(from, to, 1) };
        let faults = dunwell::provider::manifest::Manifest::read(&file).expect_err(to);
        assert!(faults.iter().any(|fault| fault.message.contains(words)), "{to}: {faults:?}");
    }
    let many = SIGNING
        .replace("methods =", "metods =")
        .replace("auth.header", "auth.heder")
        .replace("sha256\",", "sha257\",");
    let file = SourceFile { path: "sms/x/manifest.toml".to_owned(), text: many };
    let faults = dunwell::provider::manifest::Manifest::read(&file).expect_err("three faults");
    assert_eq!(faults.len(), 3, "{faults:#?}");
    assert!(
        faults.iter().all(|fault| fault.line.is_some() && fault.message.contains("did you mean")),
        "{faults:#?}"
    );
}

/// The page's `[poll]`, on the vendor of its worked example.
#[test]
fn a_vendor_that_is_asked_is_data_too() {
    let page = read("providers/README.md");
    let poll = page.split("```toml\n").find_map(|block| block.strip_prefix("# a part of a manifest\n[poll]"));
    let poll = format!("[poll]{}", poll.and_then(|rest| rest.split("```").next()).expect("the page has it"));
    let acme = shown().remove(0);
    let case = |name: &str, response: &str, events: &str| SourceFile {
        path: format!("sms/acme/cases/{name}.toml"),
        text: format!(
            "about = 'x'\nhidden = ['acme-key-0017']\n{events}\n\
             [settings]\napi_key = 'acme-key-0017'\nsigning_secret = 'acme-secret-0017'\nfrom = '+15005550006'\n\
             [asked]\nattempt = 'att_0198c0de000070008000000000000017'\nreference = 'm/1'\n\
             [request]\nmethod = 'GET'\nurl = 'https://api.acme.example/v2/messages/m%2F1'\nheaders = {{ Authorization = 'AcmeKey acme-key-0017' }}\n\
             [response]\n{response}\n"
        ),
    };
    let event = |status: &str| {
        format!(
            "events = [{{ attempt = 'att_0198c0de000070008000000000000017', reference = 'm/1', status = '{status}' }}]"
        )
    };
    let load = |poll: &str| {
        let manifest = SourceFile { text: format!("{}\n{poll}", acme.text), ..acme.clone() };
        let cases = [
            case("poll_delivered", "status = 200\nbody = '{\"state\":\"arrived\"}'", &event("delivered")),
            case("poll_failed", "status = 200\nbody = '{\"state\":\"lost\"}'", &event("failed")),
            case("poll_unanswered", "status = 404\nbody = '{\"state\":\"arrived\"}'", "events = []"),
        ];
        Catalogue::load(&[vec![manifest], cases.to_vec()].concat())
    };
    let catalogue = load(&poll).unwrap_or_else(|faults| panic!("{faults:#?}"));
    assert_eq!(catalogue.run_cases(), []);
    assert!(catalogue.unproved().iter().all(|fault| !fault.message.contains("poll_")));
    let wrong =
        load(&poll.replace("arrived = \"delivered\"", "arrived = \"sent\"")).expect("sound").run_cases();
    assert!(wrong.iter().any(|fault| fault.message.contains("`status` is")), "{wrong:?}");
    for (from, to, words) in [
        ("{reference}", "1", "which message is asked about?"),
        ("{reference}", "{to}", "`{to}` is unknown here"),
        ("PT1M", "PT0S", "`interval` is a second or more"),
        ("interval =", "intervall =", "did you mean `interval`?"),
        ("lost = \"failed\"", "lost = \"busy\"", "said of calls only"),
        ("status = { json = \"/state\" }\n", "", "`status` is missing"),
    ] {
        assert!(poll.contains(from), "{from}");
        let faults = load(&poll.replacen(from, to, 1)).expect_err(to);
        assert!(
            faults.iter().any(|fault| fault.message.contains(words) && fault.line.is_some()),
            "{to}: {faults:?}"
        );
    }
}
