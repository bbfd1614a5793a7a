//! Mail that comes in, handed over by a client that we did not write (Python's smtplib), and mail that goes out signed, read
//! by a verifier that we did not write (dkimpy).

use crate::api_requests::settle;
use crate::support::gateway::{Gateway, Setup, free_address};
use crate::support::http::Client;
use crate::support::mail::MailServer;
use crate::support::sample::{Person, decide, noon, person};
use std::io::Write;
use std::net::SocketAddr;
use std::process::{Command, Stdio};

/// A gateway that sends to a mail server and takes mail in.
fn house(protocol: &str) -> (MailServer, Gateway, SocketAddr) {
    let server = MailServer::start();
    let door = free_address();
    let mut setup = server.setup();
    setup.channels.push_str(&format!(
        "[inbound.email]\nlisten = \"{door}\"\nprotocol = \"{protocol}\"\ndomains = [\"recovery.example\"]\n"
    ));
    (server, Gateway::with(setup), door)
}

/// Hands a message in; the answer's code of each recipient that was refused, or nothing.
fn deliver(door: SocketAddr, protocol: &str, recipient: &str, message: &str) -> String {
    const CLIENT: &str = r#"
import smtplib, sys
host, port, protocol, recipient = sys.argv[1:5]
client = (smtplib.LMTP if protocol == "lmtp" else smtplib.SMTP)(host, int(port), local_hostname="peer.example")
try:
    refused = client.sendmail("sender@example.com", [recipient], sys.stdin.buffer.read())
    print("".join(str(code) for code, _ in refused.values()), end="")
except smtplib.SMTPRecipientsRefused as error:
    print("".join(str(code) for code, _ in error.recipients.values()), end="")
client.quit()
"#;
    let (host, port) = (door.ip().to_string(), door.port().to_string());
    let mut child = Command::new("python3")
        .args(["-c", CLIENT, &host, &port, protocol, recipient])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 is there");
    child.stdin.take().expect("a pipe").write_all(message.as_bytes()).expect("written");
    let output = child.wait_with_output().expect("a client");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// Enters a person, sends one email, and gives its `Message-ID`.
fn sent(server: &MailServer, client: &Client, sample: &Person) -> (String, String) {
    sample.enter(client, noon());
    let answer = client.post("/v1/contact-requests", &sample.request("r-1", &["email"])).expect(202);
    let id = answer["id"].as_str().expect("an id").to_owned();
    settle(client, &id, &["sent", "delivered"]);
    let message_id = server.wait_for(1)[0]["headers"]["message-id"].as_str().expect("an id").to_owned();
    (id, message_id)
}

fn types(client: &Client, person: &Person) -> Vec<String> {
    let history = client.all(&format!("{}/history", person.path()));
    history.iter().filter_map(|event| event["type"].as_str().map(str::to_owned)).collect()
}

fn count(client: &Client, person: &Person, kind: &str) -> usize {
    types(client, person).iter().filter(|found| *found == kind).count()
}

#[test]
fn only_what_the_debtor_wrote_is_understood() {
    let (server, gateway, door) = house("lmtp");
    let client = gateway.admin();
    let sample = person(1);
    let (_, message_id) = sent(&server, &client, &sample);
    let quoted = "On Mon, Nov 23, 2026 at 9:00 AM First Recovery <notices@recovery.example> wrote:\r\n> Reply STOP to stop.\r\n";
    let thanks = format!(
        "From: {}\r\nTo: replies@recovery.example\r\nSubject: Re: your account\r\nMessage-ID: <1@example.com>\r\nIn-Reply-To: {message_id}\r\n\r\n\
         Thanks, I will pay $40 on Friday.\r\n\r\n{quoted}",
        sample.email
    );
    assert_eq!(deliver(door, "lmtp", "replies@recovery.example", &thanks), "");
    assert_eq!(count(&client, &sample, "promise.received"), 1);
    assert_eq!(decide(&client, &sample.query("email"))["outcome"], "allow");
    // The same message again is the same message.
    deliver(door, "lmtp", "replies@recovery.example", &thanks);
    assert_eq!(count(&client, &sample, "inbound.received"), 1);
    // A vacation notice says nothing, whatever it says.
    let vacation = format!(
        "From: {}\r\nSubject: Out of office\r\nAuto-Submitted: auto-replied\r\nMessage-ID: <2@example.com>\r\n\r\nstop by my desk on Monday. STOP\r\n",
        sample.email
    );
    deliver(door, "lmtp", "replies@recovery.example", &vacation);
    assert_eq!(count(&client, &sample, "inbound.received"), 1);
    // From another address of the debtor's, in HTML alone, quoted-printable: the message it answers says whose it is.
    let stop = format!(
        "From: Somebody <other@example.net>\r\nSubject: Re: your account\r\nMessage-ID: <3@example.net>\r\nReferences: <x@y.example>\r\n {message_id}\r\n\
         MIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n\
         <p>Por favor, <b>ya no me manden</b> m=C3=A1s correos</p>\r\n"
    );
    deliver(door, "lmtp", "replies@recovery.example", &stop);
    assert_eq!(decide(&client, &sample.query("email"))["outcome"], "block");
    assert_eq!(decide(&client, &sample.query("sms"))["outcome"], "allow");
    // Mail for others is not taken.
    assert_eq!(deliver(door, "lmtp", "someone@elsewhere.example", &thanks), "550");
}

/// A bounce as Postfix writes it.
fn bounce(message_id: &str, action: &str, status: &str, diagnosis: &str) -> String {
    format!(
        "From: MAILER-DAEMON@relay.example (Mail Delivery System)\r\nSubject: Undelivered Mail Returned to Sender\r\n\
         To: notices@recovery.example\r\nAuto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\nMessage-ID: <20261123.{status}@relay.example>\r\n\
         Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"b1/relay.example\"\r\n\r\n\
         This is a MIME-encapsulated message.\r\n\r\n--b1/relay.example\r\nContent-Description: Notification\r\n\
         Content-Type: text/plain; charset=us-ascii\r\n\r\nThis is the mail system at host relay.example. Please stop.\r\n\r\n\
         --b1/relay.example\r\nContent-Description: Delivery report\r\nContent-Type: message/delivery-status\r\n\r\n\
         Reporting-MTA: dns; relay.example\r\nArrival-Date: Mon, 23 Nov 2026 06:00:00 +0000 (UTC)\r\n\r\n\
         Final-Recipient: rfc822; sample.1@example.com\r\nAction: {action}\r\nStatus: {status}\r\n\
         Remote-MTA: dns; mx.example.com\r\nDiagnostic-Code: smtp; {diagnosis}\r\n\r\n\
         --b1/relay.example\r\nContent-Description: Undelivered Message Headers\r\nContent-Type: text/rfc822-headers\r\n\r\n\
         Received: by relay.example (Postfix)\r\nSubject: your account\r\nMessage-ID:\r\n {message_id}\r\n\r\n--b1/relay.example--\r\n"
    )
}

#[test]
fn a_hard_bounce_suppresses_the_address_and_a_soft_one_does_not() {
    let (server, gateway, door) = house("smtp");
    let client = gateway.admin();
    let sample = person(1);
    let (id, message_id) = sent(&server, &client, &sample);
    let to = "notices@recovery.example";
    // Forged: it knows no message of ours.
    let forged = bounce(
        "<att_0198c0de000070008000000000000017.dunwell@recovery.example>",
        "failed",
        "5.1.1",
        "550 5.1.1 unknown",
    );
    assert_eq!(deliver(door, "smtp", to, &forged), "");
    let delayed = bounce(&message_id, "delayed", "4.4.1", "connect to mx.example.com: timed out");
    deliver(door, "smtp", to, &delayed);
    assert_eq!(client.get(&format!("/v1/contact-requests/{id}")).expect(200)["status"], "sent");
    assert_eq!(count(&client, &sample, "contact_point.invalid"), 0);
    let hard = bounce(
        &message_id,
        "failed",
        "5.0.0",
        "550-5.1.1 <sample.1@example.com>: Recipient address\r\n    rejected: User unknown",
    );
    for _ in 0..2 {
        deliver(door, "smtp", to, &hard);
        assert_eq!(count(&client, &sample, "contact_point.invalid"), 1);
    }
    settle(&client, &id, &["failed"]);
    assert_eq!(decide(&client, &sample.query("email"))["outcome"], "block");
    assert_eq!(decide(&client, &sample.query("sms"))["outcome"], "allow");

    // Full, or given up after days of greylisting: the address may well be good.
    let (server, gateway, door) = house("smtp");
    let client = gateway.admin();
    let (id, message_id) = sent(&server, &client, &sample);
    deliver(
        door,
        "smtp",
        to,
        &bounce(&message_id, "failed", "4.7.1", "451 4.7.1 Greylisted, try again later"),
    );
    settle(&client, &id, &["failed"]);
    assert_eq!(count(&client, &sample, "contact_point.invalid"), 0);
}

#[test]
fn a_complaint_stops_email() {
    let (server, gateway, door) = house("lmtp");
    let client = gateway.admin();
    let sample = person(1);
    let (_, message_id) = sent(&server, &client, &sample);
    let complaint = |kind: &str| {
        format!(
            "From: fbl@mailbox.example\r\nSubject: FW: your account\r\nTo: fbl@recovery.example\r\nMIME-Version: 1.0\r\n\
             Content-Type: multipart/report; report-type=feedback-report; boundary=\"part\"\r\n\r\n\
             --part\r\nContent-Type: text/plain\r\n\r\nThis is an email abuse report.\r\n\r\n\
             --part\r\nContent-Type: message/feedback-report\r\n\r\nFeedback-Type: {kind}\r\nUser-Agent: Sample/1.0\r\nVersion: 1\r\n\
             Original-Rcpt-To: redacted\r\n\r\n\
             --part\r\nContent-Type: message/rfc822\r\n\r\nFrom: notices@recovery.example\r\nMessage-ID: {message_id}\r\nSubject: your account\r\n\r\nStop? Reply STOP.\r\n\r\n--part--\r\n"
        )
    };
    deliver(door, "lmtp", "fbl@recovery.example", &complaint("not-spam"));
    assert_eq!(decide(&client, &sample.query("email"))["outcome"], "allow");
    for _ in 0..2 {
        deliver(door, "lmtp", "fbl@recovery.example", &complaint("abuse"));
        assert_eq!(count(&client, &sample, "opt_out.received"), 1);
    }
    assert_eq!(decide(&client, &sample.query("email"))["outcome"], "block");
    assert_eq!(decide(&client, &sample.query("sms"))["outcome"], "allow");
}

/// The system's own Python, for which `tests/setup.sh` installs dkimpy; another may stand before it in the path.
fn python() -> &'static str {
    if std::path::Path::new("/usr/bin/python3").exists() { "/usr/bin/python3" } else { "python3" }
}

/// Whether dkimpy believes a message, given the key that the DNS would give, and what it says is signed.
fn verify(message: &[u8], record: &str) -> (bool, String) {
    const VERIFIER: &str = r#"
import dkim, re, sys
message = sys.stdin.buffer.read()
record = sys.argv[1].encode()
print(dkim.verify(message, dnsfunc=lambda name, timeout=5: record if name == b"s1._domainkey.recovery.example." else None))
print(re.search(rb"h=([^;]*);", message).group(1).decode())
"#;
    let mut child = Command::new(python())
        .args(["-c", VERIFIER, record])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 is there");
    child.stdin.take().expect("a pipe").write_all(message).expect("written");
    let output = child.wait_with_output().expect("a verifier");
    assert!(
        output.status.success(),
        "dkimpy: run tests/setup.sh: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let said = String::from_utf8(output.stdout).expect("text");
    let (believed, signed) = said.split_once('\n').expect("two lines");
    (believed == "True", signed.replace(char::is_whitespace, ""))
}

fn output(program: &str, arguments: &[&str], input: &str) -> String {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|_| panic!("{program} is there: run tests/setup.sh"));
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("written");
    String::from_utf8(child.wait_with_output().expect("an end").stdout).expect("text")
}

/// A new key, and the record that publishes it.
fn rsa() -> (String, String) {
    let key = output("openssl", &["genrsa", "-traditional", "2048"], "");
    let public = output("openssl", &["rsa", "-pubout"], &key);
    let base64: String = public.lines().filter(|line| !line.starts_with("--")).collect();
    (key, format!("v=DKIM1; k=rsa; p={base64}"))
}

fn ed25519() -> (String, String) {
    const MAKER: &str = "import base64, nacl.signing as s; k = s.SigningKey.generate(); \
        print(base64.b64encode(bytes(k)).decode(), base64.b64encode(bytes(k.verify_key)).decode())";
    let said = output(python(), &["-c", MAKER], "");
    let (key, public) = said.trim().split_once(' ').expect("two keys: run tests/setup.sh");
    (key.to_owned(), format!("v=DKIM1; k=ed25519; p={public}"))
}

#[test]
fn a_stranger_verifies_what_we_sign() {
    for (key, record) in [rsa(), ed25519()] {
        let server = MailServer::start();
        let Setup { mut channels, mut env } = server.setup();
        channels.push_str("dkim_selector = \"s1\"\ndkim_key = { env = \"DKIM_KEY\" }\n");
        env.push(("DKIM_KEY".to_owned(), key));
        let gateway = Gateway::with(Setup { channels, env });
        let client = gateway.admin();
        sent(&server, &client, &person(1));
        let message = server.raw().remove(0);
        let text = String::from_utf8(message.clone()).expect("text");
        let (believed, signed) = verify(&message, &record);
        assert!(believed, "{text}");
        for name in
            ["from", "to", "subject", "date", "message-id", "list-unsubscribe", "list-unsubscribe-post"]
        {
            assert!(signed.split(':').any(|header| header == name), "{name} is signed: {signed}");
        }
        // The verifier is worth nothing unless it refuses.
        let other = text.replace("482.13", "982.13");
        assert_ne!(other, text);
        assert!(!verify(other.as_bytes(), &record).0, "an altered body");
        let other = text.replace("List-Unsubscribe: <http", "List-Unsubscribe: <https");
        assert!(!verify(other.as_bytes(), &record).0, "an altered header");
    }
}
