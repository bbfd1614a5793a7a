//! Email by a relay that we did not write (Postfix), with what real relays do: they bounce, delay, greylist, refuse and die.

use crate::api_requests::settle;
use crate::support::attempts::{count, in_time};
use crate::support::eventually;
use crate::support::gateway::{Gateway, free_address};
use crate::support::http::Client;
use crate::support::mail::MailServer;
use crate::support::postfix::Postfix;
use crate::support::sample::{Person, decide, noon, person};
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};

/// Enters a person with an address of this domain, and asks for one email; the request's id.
fn mail(client: &Client, number: usize, domain: &str) -> (Person, String) {
    let mut sample = person(number);
    sample.email = format!("sample.{number}@{domain}");
    sample.enter(client, noon());
    let answer =
        client.post("/v1/contact-requests", &sample.request(&format!("r-{number}"), &["email"])).expect(202);
    (sample, answer["id"].as_str().expect("an id").to_owned())
}

/// How the attempts of a request stand, in order.
fn attempts(client: &Client, id: &str) -> Vec<(String, String)> {
    let state = in_time(client.get(&format!("/v1/contact-requests/{id}")).expect(200));
    let word = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let attempts = state["attempts"].as_array().expect("attempts").iter();
    attempts.map(|attempt| (word(&attempt["status"]), word(&attempt["error"]))).collect()
}

fn to(server: &MailServer) -> String {
    format!("smtp:[127.0.0.1]:{}", server.address.port())
}

/// What relays say long after they have taken a message: bounces by Postfix itself, handed over by LMTP and by SMTP.
#[test]
fn real_bounces_find_their_way_back() {
    let taking = MailServer::start();
    let unknown = MailServer::with(&["-f", "RCPT", "-B", "550 5.1.1 User unknown"]);
    let spam = MailServer::with(&["-f", ".", "-B", "554 5.7.1 Message rejected as spam"]);
    let busy = MailServer::with(&["-r", "RCPT", "-b", "451 4.7.1 Try again later"]);
    for protocol in ["lmtp", "smtp"] {
        let door = free_address();
        let back = match protocol {
            "lmtp" => format!("lmtp:inet:127.0.0.1:{}", door.port()),
            _ => format!("smtp:[127.0.0.1]:{}", door.port()),
        };
        let routes = [
            ("hard.example", to(&unknown)),
            ("spam.example", to(&spam)),
            ("soft.example", to(&busy)),
            ("recovery.example", back),
        ];
        // It tells of a delay at the first try that fails, and has some seconds for it before it gives up.
        let patient = "delay_warning_time = 1s\nmaximal_queue_lifetime = 4s";
        let relay = Postfix::start(&routes, taking.address, patient);
        let gateway = Gateway::with(relay.setup(Some((door, protocol))));
        let client = gateway.admin();
        let before = taking.raw().len();
        let (soft, soft_id) = mail(&client, 1, "soft.example");
        let (hard, hard_id) = mail(&client, 2, "hard.example");
        let (rejected, rejected_id) = mail(&client, 3, "spam.example");
        let (good, good_id) = mail(&client, 4, "example.com");

        settle(&client, &hard_id, &["failed"]);
        eventually("the address to be suppressed", || {
            (count(&client, &hard, "contact_point.invalid") == 1).then_some(())
        });
        assert_eq!(decide(&client, &hard.query("email"))["outcome"], "block");
        assert_eq!(decide(&client, &hard.query("sms"))["outcome"], "allow");
        settle(&client, &rejected_id, &["failed"]);
        assert_eq!(
            count(&client, &rejected, "contact_point.invalid"),
            0,
            "the message was refused, not the address"
        );
        assert_eq!(decide(&client, &rejected.query("email"))["outcome"], "allow");

        settle(&client, &good_id, &["sent"]);
        let mails = taking.wait_for(before + 1);
        assert_eq!(mails.len(), before + 1, "one message, once");
        let arrived =
            mails.iter().find(|mail| mail["headers"]["received"].to_string().contains("relay.example"));
        assert_eq!(arrived.expect("by way of Postfix")["defects"], serde_json::json!([]));

        // Delayed, told so, and given up at last: the address may well be good.
        eventually("a notice of the delay", || {
            relay.log().contains("sender delay notification").then_some(())
        });
        settle(&client, &soft_id, &["failed"]);
        assert_eq!(count(&client, &soft, "contact_point.invalid"), 0);
        assert_eq!(decide(&client, &soft.query("email"))["outcome"], "allow");

        assert_eq!(taking.raw().len(), before + 1, "no duplicate");
        for sample in [&soft, &hard, &rejected, &good] {
            // One that never left, since a busy machine did not connect in time, is made again.
            let left = |event| count(&client, sample, event);
            assert_eq!(left("attempt.started") - left("attempt.abandoned"), 1, "nothing is sent twice");
            assert_eq!(count(&client, sample, "inbound.received"), 0, "a bounce is nobody's reply");
        }
    }
}

/// What greylisting asks for Postfix, over its policy protocol: the first so many recipients are put off.
fn greylist(patience: usize) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        let mut left = patience;
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let asked = BufReader::new(stream.try_clone().expect("a stream"));
            // Attributes, a line each; an empty one ends the question.
            for _ in asked.lines().map_while(Result::ok).filter(String::is_empty) {
                let answer = if left > 0 { "451 4.7.1 Greylisted" } else { "dunno" };
                left = left.saturating_sub(1);
                if write!(stream, "action={answer}\n\n").is_err() {
                    break;
                }
            }
        }
    });
    address
}

/// A relay that puts off whoever it does not know yet (RFC 6647) is asked again, and takes the message once.
#[test]
fn a_greylisted_message_is_offered_again_and_arrives_once() {
    let taking = MailServer::start();
    let asked = greylist(2);
    let grey = format!("smtpd_recipient_restrictions = check_policy_service inet:{asked}");
    let relay = Postfix::start(&[], taking.address, &grey);
    let gateway = Gateway::with(relay.setup(None));
    let client = gateway.admin();
    let (sample, id) = mail(&client, 1, "grey.example");
    settle(&client, &id, &["sent"]);
    let attempts = attempts(&client, &id);
    let (last, before) = attempts.split_last().expect("an attempt");
    assert_eq!(last.0, "sent", "{attempts:?}");
    // Whether each of the two refusals was read in time is the machine's affair.
    assert!(before.iter().all(|(status, _)| status == "abandoned"), "{attempts:?}");
    assert!(before.iter().any(|(_, error)| error.contains("451 4.7.1")), "{attempts:?}");
    assert_eq!(count(&client, &sample, "attempt.failed"), 0);
    assert_eq!(count(&client, &sample, "contact_point.invalid"), 0);
    taking.wait_for(1);
    eventually("the relay's queue to be empty", || relay.log().contains("status=sent").then_some(()));
    assert_eq!(taking.raw().len(), 1, "no duplicate");
}

/// A relay that reads the message and refuses it: final, and nothing is said of the address.
#[test]
fn a_message_refused_at_its_end_fails_and_the_address_stays() {
    let taking = MailServer::start();
    let refusing = "smtpd_end_of_data_restrictions = check_recipient_access \
                    inline:{ {spam.example = 554 5.7.1 Message rejected as spam} }";
    let relay = Postfix::start(&[], taking.address, refusing);
    let gateway = Gateway::with(relay.setup(None));
    let client = gateway.admin();
    let (sample, id) = mail(&client, 1, "spam.example");
    settle(&client, &id, &["failed"]);
    let attempts = attempts(&client, &id);
    assert!(attempts.len() == 1 && attempts[0].1.contains("554 5.7.1"), "{attempts:?}");
    assert_eq!(count(&client, &sample, "contact_point.invalid"), 0);
    assert_eq!(decide(&client, &sample.query("email"))["outcome"], "allow");
    assert!(taking.raw().is_empty());
}

/// The relay has read the message and dies before it has answered: whether it went out nobody knows, and it is not sent again.
#[test]
fn a_message_in_doubt_is_not_sent_again() {
    let taking = MailServer::start();
    let slow =
        "smtpd_end_of_data_restrictions = check_recipient_access inline:{ {slow.example = sleep 100} }";
    let relay = Postfix::start(&[], taking.address, slow);
    let mut gateway = Gateway::with(relay.setup(None));
    let client = gateway.admin();
    let (sample, id) = mail(&client, 1, "slow.example");
    // Postfix logs the identifier when it has read the headers; by then all of so small a message is underway.
    eventually("the relay to read the message", || relay.log().contains("message-id=<").then_some(()));
    relay.stop();
    settle(&client, &id, &["unknown"]);
    assert_eq!(attempts(&client, &id)[0].0, "unknown");

    // Neither the relay's return nor our own restart brings it up again: what is asked for after it goes out before it would.
    relay.start_again("");
    gateway.kill();
    gateway.run();
    let (_, other) = mail(&client, 2, "example.com");
    settle(&client, &other, &["sent"]);
    let arrived = taking.wait_for(1);
    assert!(arrived.iter().all(|mail| mail["headers"]["to"] == "sample.2@example.com"), "{arrived:?}");
    let state = client.get(&format!("/v1/contact-requests/{id}")).expect(200);
    assert_eq!(state["status"], "unknown");
    assert_eq!(count(&client, &sample, "attempt.started"), 1);
}
