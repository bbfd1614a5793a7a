//! Letters that come by way of a vendor, over HTTP: whatever they are written in, however large, once.

use crate::support::gateway::{Gateway, Setup};
use crate::support::sample::{decide, noon, now, person};
use dunwell::provider::crypto::Hash;

const TOKEN: &str = "inbound-token-0017";
const SIGNING_KEY: &str = "key-signing-sample-0017";
const CHANNELS: &str = r#"
[channels.email]
providers = ["mailgun", "sendgrid"]
[providers.email.mailgun]
base_url = "http://127.0.0.1:9"
domain = "mg.recovery.example"
api_key = { env = "MAIL_KEY" }
webhook_signing_key = { env = "MAIL_SIGNING_KEY" }
from = "First Recovery <notices@mg.recovery.example>"
[providers.email.sendgrid]
base_url = "http://127.0.0.1:9"
api_key = { env = "MAIL_KEY" }
inbound_token = { env = "MAIL_TOKEN" }
webhook_public_key = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEmNL/+zIpeHf0LlJtlg0orwFSYXk1jfauUZIhNBf03WyAZTfkeTHeAsSd+GuxZPy7YyVC0i6FbOKzp8diSbS9Og=="
from = "First Recovery <notices@recovery.example>"
"#;

fn house() -> Gateway {
    let env = [("MAIL_KEY", "key-sample-0017"), ("MAIL_TOKEN", TOKEN), ("MAIL_SIGNING_KEY", SIGNING_KEY)];
    let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Gateway::with(Setup { channels: CHANNELS.to_owned(), env })
}

/// A letter as SendGrid posts it: the parts as given, byte for byte.
fn parts(fields: &[(&str, &[u8])]) -> Vec<u8> {
    let part = |(name, value): &(&str, &[u8])| {
        let head = format!("--xYz\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n");
        [head.as_bytes(), value, b"\r\n"].concat()
    };
    let mut body: Vec<u8> = fields.iter().flat_map(part).collect();
    body.extend_from_slice(b"--xYz--\r\n");
    body
}

#[test]
fn a_letter_with_a_large_attachment_in_an_old_charset_stops_email() {
    let gateway = house();
    let client = gateway.admin();
    let sample = person(1);
    sample.enter(&client, noon());
    assert_eq!(decide(&client, &sample.query("email"))["outcome"], "allow");
    let envelope = format!(r#"{{"to":["replies@recovery.example"],"from":"{}"}}"#, sample.email);
    let attachment = vec![b'x'; 20 << 20];
    let post = |headers: &[u8], html: &[u8], token: &str| {
        let body = parts(&[
            ("headers", headers),
            ("envelope", envelope.as_bytes()),
            ("charsets", br#"{"to":"UTF-8","text":"iso-8859-1"}"#),
            ("html", html),
            ("attachment1", &attachment),
        ]);
        let path = format!("/callbacks/email/sendgrid/inbound?token={token}");
        let kind = [("Content-Type", "multipart/form-data; boundary=xYz")];
        gateway.anyone().send("POST", &path, &kind, &body)
    };
    let stop = b"<p>Por favor, no me escriban m\xe1s</p>";
    assert_eq!(post(b"Message-ID: <m-1@mail.example.com>", stop, "another").status(), 401);
    let away = b"Message-ID: <m-2@mail.example.com>\r\nAuto-Submitted: auto-replied";
    assert_eq!(post(away, stop, TOKEN).status(), 200);
    assert_eq!(decide(&client, &sample.query("email"))["outcome"], "allow", "a machine's answer is no reply");
    assert_eq!(post(b"Message-ID: <m-3@mail.example.com>", stop, TOKEN).status(), 200);
    assert_eq!(decide(&client, &sample.query("email"))["outcome"], "block");
}

#[test]
fn a_token_that_counts_once_lets_nobody_say_another_thing_with_it() {
    let gateway = house();
    let client = gateway.admin();
    let (first, second) = (person(1), person(2));
    for sample in [&first, &second] {
        sample.enter(&client, noon());
    }
    let time = now().as_second().to_string();
    let post = |from: &str, token: &str| {
        let signature =
            hex::encode(Hash::Sha256.hmac(SIGNING_KEY.as_bytes(), format!("{time}{token}").as_bytes()));
        let fields = [
            ("recipient", "replies@mg.recovery.example"),
            ("from", from),
            ("Message-Id", "<m-1@mail.example.com>"),
            ("subject", "Re: Sample subject"),
            ("body-plain", "Please stop emailing me"),
            ("message-headers", "[]"),
            ("timestamp", &time),
            ("token", token),
            ("signature", &signature),
        ];
        let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let kind = [("Content-Type", "application/x-www-form-urlencoded")];
        gateway.anyone().send("POST", "/callbacks/email/mailgun/inbound", &kind, form.as_bytes())
    };
    assert_eq!(post(&first.email, "t-1").status(), 200);
    assert_eq!(decide(&client, &first.query("email"))["outcome"], "block");
    // The signature holds still, since it covers no more than time and token.
    assert_eq!(post(&second.email, "t-1").status(), 200);
    assert_eq!(decide(&client, &second.query("email"))["outcome"], "allow");
    assert_eq!(post(&second.email, "t-2").status(), 200);
    assert_eq!(decide(&client, &second.query("email"))["outcome"], "block");
    let metrics = client.get("/metrics").text();
    let repeated = metrics.lines().find(|line| line.contains("callbacks") && line.contains("repeated"));
    assert!(repeated.is_some_and(|line| line.ends_with(" 1")), "{metrics}");
}
