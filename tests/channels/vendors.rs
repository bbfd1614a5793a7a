//! Every vendor's requests, judged by the vendor's own specification: what it accepts, and that it does refuse.

use crate::{failure, mail, open, peer, sms, source};
use dunwell::channel::Gate;
use dunwell::domain::message::Outgoing;
use dunwell::domain::outcome::{FailureClass, Outcome};
use dunwell::provider::manifest::Manifest;
use std::sync::Arc;

/// A vendor before its own specification.
struct Judged<'j> {
    specification: &'j str,
    folder: &'j str,
    settings: &'j [(&'j str, &'j str)],
    messages: Vec<Outgoing>,
    /// What the specification's mock cannot do as the vendor does it; and it may be slow.
    adapted: &'j [(&'j str, &'j str)],
    /// What is changed in the manifest, and the status that it must then be refused with.
    broken: &'j [(&'j str, &'j str, &'j str)],
}

impl Judged<'_> {
    async fn judge(self) {
        let prism = peer::prism(self.specification);
        let base = format!("http://127.0.0.1:{}", prism.port);
        let mut file = source(&format!("{}/manifest.toml", self.folder));
        for (from, to) in self.adapted {
            assert!(file.text.contains(from), "{from}");
            file.text = file.text.replacen(from, to, 1);
        }
        let settings: Vec<(&str, &str)> =
            self.settings.iter().copied().chain([("base_url", base.as_str())]).collect();
        let manifest = Arc::new(Manifest::read(&file).unwrap_or_else(|faults| panic!("{faults:#?}")));
        let transport = open(&manifest, &settings);
        for message in &self.messages {
            let outcome = transport.send(message, Gate::open()).await;
            assert!(matches!(outcome, Outcome::Accepted { .. }), "{}: {outcome:?}", self.folder);
        }
        for (from, to, code) in self.broken {
            assert!(file.text.contains(from), "{from}");
            let mut broken = file.clone();
            broken.text = file.text.replacen(from, to, 1);
            let broken = Arc::new(Manifest::read(&broken).unwrap_or_else(|faults| panic!("{faults:#?}")));
            let outcome = open(&broken, &settings).send(&self.messages[0], Gate::open()).await;
            let (class, _, found) = failure(outcome);
            assert_eq!((class, found.as_str()), (FailureClass::Refused, *code), "{}: {to}", self.folder);
        }
    }
}

fn texts() -> Vec<Outgoing> {
    let mut plain = sms("+447700900123", &"long ".repeat(60));
    plain.status_callback_url = None;
    vec![sms("+13055550117", "Sample text"), sms("+13055550117", "Pagaré mañana ✓ & = + %"), plain]
}

fn mails() -> Vec<Outgoing> {
    let mut bare = mail("Sample", "Sample text");
    bare.unsubscribe_url = None;
    if let dunwell::domain::message::Content::Email { html, .. } = &mut bare.content {
        *html = None;
    }
    vec![mail("Aviso ✓", "Sample text"), bare]
}

const PATIENT: &[(&str, &str)] = &[("deadline = \"PT10S\"", "deadline = \"PT90S\"")];

const VONAGE: &[(&str, &str)] = &[
    ("api_key", "abcd1234"),
    ("api_secret", "abcdef0123456789"),
    ("signature_secret", "x"),
    ("from", "15005550006"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn vonage_messages() {
    let broken = &[
        ("to = \"{to|without_plus}\"", "too = \"{to|without_plus}\"", "http_422"),
        ("channel = \"sms\"\nmessage_type", "channel = \"smoke\"\nmessage_type", "http_422"),
        ("message_type = \"text\"", "message_type = \"song\"", "http_422"),
    ];
    let judged = Judged {
        specification: "vonage-messages.json",
        folder: "sms/vonage",
        settings: VONAGE,
        messages: texts(),
        adapted: PATIENT,
        broken,
    };
    judged.judge().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn vonage_sms() {
    let broken = &[
        ("{ name = \"to\", value", "{ name = \"too\", value", "http_422"),
        ("value = \"{validity_ms}\"", "value = \"soon\"", "http_422"),
    ];
    let judged = Judged {
        specification: "vonage-sms.json",
        folder: "sms/vonage-sms",
        settings: VONAGE,
        messages: texts(),
        adapted: PATIENT,
        broken,
    };
    judged.judge().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sendgrid() {
    let key = "A".repeat(90);
    let settings = &[
        ("api_key", "SG.key"),
        ("from", "First Recovery <notices@recovery.example>"),
        ("webhook_public_key", key.as_str()),
    ];
    let broken = &[
        ("from = { email", "form = { email", "field_name"),
        ("subject = \"{subject}\"", "subject = 7", "field_name"),
    ];
    let judged = Judged {
        specification: "sendgrid.json",
        folder: "email/sendgrid",
        settings,
        messages: mails(),
        adapted: &[
            ("deadline = \"PT15S\"", "deadline = \"PT90S\""),
            // The specification says nothing of the header that the identifier stands in.
            ("reference = { header = \"X-Message-Id\" }", ""),
        ],
        broken,
    };
    judged.judge().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ses() {
    let settings = &[
        ("region", "us-east-1"),
        ("access_key_id", "AKIDEXAMPLE"),
        ("secret_access_key", "x"),
        ("from", "First Recovery <notices@recovery.example>"),
        ("reply_to", "replies@recovery.example"),
        ("configuration_set", "dunwell"),
    ];
    let broken = &[
        ("[send.body.json.Content.Simple]\nSubject", "[send.body.json.Contents.Simple]\nSubject", "http_422"),
        (
            "Destination = { ToAddresses = [\"{to}\"] }",
            "Destination = { ToAddresses = \"{to}\" }",
            "http_422",
        ),
    ];
    let judged = Judged {
        specification: "amazon-sesv2.json",
        folder: "email/ses",
        settings,
        messages: mails(),
        adapted: &[("deadline = \"PT15S\"", "deadline = \"PT90S\"")],
        broken,
    };
    judged.judge().await;
}
