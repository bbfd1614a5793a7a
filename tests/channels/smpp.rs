//! Text messages over SMPP: against a centre on the npm package `smpp`.

use crate::centre::Centre;
use crate::{failure, manifest, open, root, sms};
use dunwell::channel::{Gate, OVERTAKEN, Transport};
use dunwell::domain::channel::Channel;
use dunwell::domain::message::{Content, Outgoing};
use dunwell::domain::outcome::{FailureCause, FailureClass, Outcome};
use dunwell::provider::callback::{CallbackEvent, Delivery, DeliveryStatus};
use dunwell::provider::manifest::Manifest;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const FROM: &str = "+15005550006";

fn settings(centre: &Centre, more: &[(&str, &str)]) -> Transport {
    settings_of(&manifest(Channel::Sms, "smpp"), centre, more)
}

fn settings_of(manifest: &Arc<Manifest>, centre: &Centre, more: &[(&str, &str)]) -> Transport {
    let port = centre.port.to_string();
    let mut settings = vec![
        ("host", "127.0.0.1"),
        ("port", port.as_str()),
        ("tls", "none"),
        ("system_id", "gw"),
        ("password", "pw"),
        ("from", FROM),
    ];
    settings.retain(|(name, _)| !more.iter().any(|(other, _)| other == name));
    settings.extend_from_slice(more);
    open(manifest, &settings)
}

/// What a centre has handed over.
#[derive(Clone, Default)]
struct Taken {
    events: Arc<Mutex<Vec<CallbackEvent>>>,
    /// Whether the history is out of reach.
    closed: Arc<AtomicBool>,
}

impl Taken {
    fn of(transport: &Transport) -> Self {
        let taken = Self::default();
        let takes = taken.clone();
        transport.centre().expect("a centre").listen(Arc::new(move |event| {
            let takes = takes.clone();
            Box::pin(async move {
                let durable = !takes.closed.load(Ordering::Acquire);
                if durable {
                    takes.events.lock().expect("a lock").push(event);
                }
                durable
            })
        }));
        taken
    }

    /// Waits for so many.
    async fn wait_for(&self, count: usize) -> Vec<CallbackEvent> {
        let deadline = Instant::now() + Duration::from_secs(120);
        loop {
            let events = self.events.lock().expect("a lock").clone();
            if events.len() >= count {
                return events;
            }
            assert!(Instant::now() < deadline, "waited for {count} events, have {events:?}");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

fn delivery(event: &CallbackEvent) -> &Delivery {
    match event {
        CallbackEvent::Delivery(delivery) => delivery,
        CallbackEvent::Inbound(_) | CallbackEvent::Call(_) => panic!("no receipt: {event:?}"),
    }
}

fn reference(outcome: Outcome) -> String {
    match outcome {
        Outcome::Accepted { provider_ref: Some(reference) } => reference,
        other => panic!("{other:?}"),
    }
}

/// Sends once the connection stands: until then nothing leaves.
async fn send(transport: &Transport, message: &Outgoing) -> Outcome {
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        match transport.send(message, Gate::open()).await {
            Outcome::Failed(failure)
                if failure.class == FailureClass::NeverLeft && Instant::now() < deadline =>
            {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            outcome => return outcome,
        }
    }
}

fn text_to(number: &str, text: &str) -> Outgoing {
    sms(number, text)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_is_taken_and_its_receipts_come_back() {
    let centre = Centre::start(&[]);
    let transport = settings(&centre, &[]);
    let taken = Taken::of(&transport);
    let delivered = reference(send(&transport, &text_to("+13055550117", "Hola @ €5")).await);
    let plain = reference(send(&transport, &text_to("+13055550133", "t")).await);
    let bounced = reference(send(&transport, &text_to("+13055550199", "t")).await);
    assert_eq!(centre.wait_for("bound", 1)[0], json!({"bound": true, "version": 0x34}));

    let submitted = centre.heard("submitted");
    assert_eq!(submitted[0]["submitted"], "13055550117");
    assert_eq!(submitted[0]["from"], "15005550006");
    assert_eq!((&submitted[0]["ton"], &submitted[0]["npi"]), (&json!([1, 1]), &json!([1, 1])));
    assert_eq!(submitted[0]["text"], "Hola @ €5", "read by the GSM alphabet");
    for (field, value) in [("data_coding", 0), ("esm_class", 0), ("registered_delivery", 1)] {
        assert_eq!(submitted[0][field], value, "{field}");
    }

    let events = taken.wait_for(3).await;
    let of = |id: &str| {
        let found = events.iter().map(delivery).find(|said| said.provider_ref.as_deref() == Some(id));
        found.unwrap_or_else(|| panic!("no receipt for {id}: {events:?}"))
    };
    for id in [&delivered, &plain] {
        assert_eq!((of(id).status, of(id).code.as_deref()), (DeliveryStatus::Delivered, None));
    }
    assert_eq!((of(&bounced).status, of(&bounced).code.as_deref()), (DeliveryStatus::Failed, Some("005")));
    assert!(centre.wait_for("acknowledged", 3).iter().all(|event| event["acknowledged"] == 0));
    transport.close().await;
    centre.wait_for("unbound", 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn identifiers_in_hex_and_in_decimal_are_one() {
    let centre = Centre::start(&["mixed"]);
    let transport = settings(&centre, &[("answer_ids", "hex"), ("receipt_ids", "decimal")]);
    let taken = Taken::of(&transport);
    let id = reference(send(&transport, &text_to("+13055550117", "t")).await);
    assert_eq!(id, "161", "the centre called it A1");
    assert_eq!(delivery(&taken.wait_for(1).await[0]).provider_ref.as_deref(), Some("161"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_centre_refuses_is_told_apart() {
    let centre = Centre::start(&[]);
    let transport = settings(&centre, &[]);
    let _taken = Taken::of(&transport);
    reference(send(&transport, &text_to("+13055550117", "t")).await);
    for (number, class, cause, code) in [
        ("+13055550100", FailureClass::Refused, FailureCause::InvalidAddress, "esme_0x0b"),
        ("+13055550158", FailureClass::Throttled, FailureCause::Provider, "esme_0x58"),
        ("+13055550108", FailureClass::Uncertain, FailureCause::Provider, "esme_0x08"),
        ("+13055550140", FailureClass::Uncertain, FailureCause::Provider, "esme_0x400"),
    ] {
        let outcome = transport.send(&text_to(number, "t"), Gate::open()).await;
        assert_eq!(failure(outcome), (class, cause, code.to_owned()), "{number}");
    }
    let mut email = text_to("+13055550117", "t");
    email.content = Content::Portal { subject: String::new(), html: String::new() };
    let (class, _, code) = failure(transport.send(&email, Gate::open()).await);
    assert_eq!((class, code.as_str()), (FailureClass::Refused, "wrong_content"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_and_foreign_texts_arrive_whole() {
    let centre = Centre::start(&[]);
    let long = "Ñandú y más, señora. ".repeat(12);
    let plain = "0123456789".repeat(20);
    // In parts with a header …
    let transport = settings(&centre, &[]);
    let taken = Taken::of(&transport);
    let id = reference(send(&transport, &text_to("+13055550117", &long)).await);
    let parts = centre.wait_for("submitted", 4);
    let udh = |part: &Value| part["udh"][0].as_str().map(str::to_owned).expect("a header");
    let words: String = parts.iter().map(|part| part["text"].as_str().expect("text")).collect();
    assert_eq!((words.as_str(), parts.len()), (long.as_str(), 4));
    for (part, number) in parts.iter().zip(1..) {
        assert_eq!((&part["data_coding"], &part["esm_class"]), (&json!(8), &json!(0x40)));
        assert_eq!(udh(part)[..6], udh(&parts[0])[..6], "element, length and reference are the same");
        assert_eq!(udh(part)[6..], format!("04{number:02x}"));
        assert_eq!(part["registered_delivery"], if number == 4 { 1 } else { 2 });
    }
    let said = taken.wait_for(1).await;
    assert_eq!(
        delivery(&said[0]).provider_ref.as_ref(),
        Some(&id),
        "the last part's receipt is the message's"
    );
    // … with parameters …
    let transport = settings(&centre, &[("long_messages", "sar")]);
    reference(send(&transport, &text_to("+13055550117", &plain)).await);
    let parts = centre.wait_for("submitted", 6)[4..].to_vec();
    assert_eq!(parts.iter().map(|part| part["text"].as_str().expect("text")).collect::<String>(), plain);
    assert_eq!(parts[1]["sar"], json!([parts[0]["sar"][0], 2, 2]));
    // … and whole.
    let transport = settings(&centre, &[("long_messages", "payload"), ("alphabet", "latin1")]);
    reference(send(&transport, &text_to("+13055550117", &plain)).await);
    let whole = centre.wait_for("submitted", 7)[6].clone();
    assert_eq!((&whole["payload"], &whole["text"]), (&json!(plain), &json!("")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_part_that_is_put_off_is_offered_again_alone() {
    let centre = Centre::start(&[]);
    let transport = settings(&centre, &[]);
    let _taken = Taken::of(&transport);
    reference(send(&transport, &text_to("+13055550161", &"0123456789".repeat(20))).await);
    let parts = centre.heard("submitted");
    let numbers: Vec<&str> =
        parts.iter().map(|part| &part["udh"][0].as_str().expect("a header")[8..]).collect();
    assert_eq!(numbers, ["01", "02", "02"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_part_that_fails_fails_the_message() {
    let centre = Centre::start(&[]);
    let transport = settings(&centre, &[]);
    let taken = Taken::of(&transport);
    // Its receipt may come right behind its answer, and then it is no other's either.
    for (count, number) in (1..=20).zip(["+13055550199", "+13055550198"].into_iter().cycle()) {
        let message = text_to(number, &"0123456789".repeat(20));
        let last = reference(send(&transport, &message).await);
        let said = taken.wait_for(2 * count).await;
        let said: Vec<&Delivery> = said[2 * count - 2..].iter().map(delivery).collect();
        let first = said.iter().find(|said| said.provider_ref.as_ref() != Some(&last)).expect("two");
        assert_eq!((first.status, first.attempt), (DeliveryStatus::Failed, Some(message.attempt)));
        assert_eq!(first.provider_ref, None, "the part's identifier is not the message's");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_identifier_given_again_is_the_newer_message_s() {
    let centre = Centre::start(&[]);
    let transport = settings(&centre, &[]);
    let taken = Taken::of(&transport);
    let long = text_to("+13055550117", &"0123456789".repeat(20));
    let whole = reference(send(&transport, &long).await);
    taken.wait_for(1).await;
    centre.tell(&json!({"recount": true}));
    centre.heard("submitted");
    let first = reference(send(&transport, &text_to("+13055550118", "t")).await);
    assert_ne!(first, whole, "it was the first part's before");
    let said = taken.wait_for(2).await;
    let said = delivery(&said[1]);
    assert_eq!((said.provider_ref.as_ref(), said.attempt), (Some(&first), None));
    assert_eq!(said.status, DeliveryStatus::Delivered);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receipt_may_overtake_the_answer() {
    let centre = Centre::start(&[]);
    let transport = settings(&centre, &[]);
    let taken = Taken::of(&transport);
    let message = text_to("+13055550177", "t");
    let sending = async { reference(send(&transport, &message).await) };
    let receipt = async { delivery(&taken.wait_for(1).await[0]).clone() };
    let (id, receipt) = tokio::join!(sending, receipt);
    assert_eq!((receipt.provider_ref, receipt.status), (Some(id), DeliveryStatus::Delivered));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_answer_leaves_it_in_doubt_and_nothing_is_repeated() {
    let centre = Centre::start(&[]);
    let transport = settings(&centre, &[]);
    let _taken = Taken::of(&transport);
    reference(send(&transport, &text_to("+13055550117", "t")).await);
    let (class, _, code) = failure(transport.send(&text_to("+13055550110", "t"), Gate::open()).await);
    assert_eq!((class, code.as_str()), (FailureClass::Uncertain, "connection_lost"));
    // It binds again by itself, and the message is not sent again.
    reference(send(&transport, &text_to("+13055550118", "t")).await);
    let numbers: Vec<String> = centre
        .heard("submitted")
        .iter()
        .map(|sent| sent["submitted"].as_str().expect("a number").to_owned())
        .collect();
    assert_eq!(numbers, ["13055550117", "13055550110", "13055550118"]);
    assert_eq!(centre.heard("bound").len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_comes_too_late_still_tells_which_message_it_was() {
    let centre = Centre::start(&[]);
    let mut manifest = (*manifest(Channel::Sms, "smpp")).clone();
    manifest.limits.deadline = dunwell::domain::time::Span::seconds(2);
    let transport = settings_of(&Arc::new(manifest), &centre, &[]);
    let taken = Taken::of(&transport);
    centre.wait_for("bound", 1);
    let message = text_to("+13055550112", "t");
    let (class, _, code) = failure(send(&transport, &message).await);
    assert_eq!((class, code.as_str()), (FailureClass::Uncertain, "timeout"));
    let said = taken.wait_for(2).await;
    let of = |status| said.iter().map(delivery).find(|said| said.status == status).expect("both are told");
    let (late, receipt) = (of(DeliveryStatus::Pending), of(DeliveryStatus::Delivered));
    assert_eq!((late.attempt, receipt.attempt), (Some(message.attempt), Some(message.attempt)));
    assert!(late.provider_ref.is_some() && late.provider_ref == receipt.provider_ref);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_not_let_in_sends_nothing() {
    let centre = Centre::start(&[]);
    let transport = settings(&centre, &[("password", "wrong")]);
    let _taken = Taken::of(&transport);
    centre.wait_for("bound", 1);
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let (class, cause, code) = failure(transport.send(&text_to("+13055550117", "t"), Gate::open()).await);
        assert_eq!(class, FailureClass::NeverLeft, "{code}");
        if code == "bind_0x0e" {
            assert_eq!(cause, FailureCause::Account);
            break;
        }
        assert!(Instant::now() < deadline, "{code}");
    }
    assert!(centre.heard("submitted").is_empty());
    // And where nobody is at all, neither.
    let port = crate::peer::free_port().to_string();
    let transport = settings(&centre, &[("port", &port)]);
    let (class, cause, _) = failure(transport.send(&text_to("+13055550117", "t"), Gate::open()).await);
    assert_eq!((class, cause), (FailureClass::NeverLeft, FailureCause::Provider));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_people_write_is_acknowledged_once_it_is_durable() {
    let centre = Centre::start(&[]);
    let transport = settings(&centre, &[]);
    let taken = Taken::of(&transport);
    centre.wait_for("bound", 1);
    reference(send(&transport, &text_to("+13055550120", "t")).await);
    taken.closed.store(true, Ordering::Release);
    let text = |words: &str| json!({"deliver": {"source_addr": "13055550117", "source_addr_ton": 1, "destination_addr": "15005550006", "short_message": words}});
    // What cannot be recorded is not acknowledged, nor is what was written after it: the centre keeps both, in their order.
    for words in ["START", "STOP"] {
        centre.tell(&text(words));
    }
    centre.wait_for("closed", 1);
    taken.closed.store(false, Ordering::Release);
    centre.wait_for("bound", 2);
    assert!(centre.heard("acknowledged").is_empty() && taken.events.lock().expect("a lock").is_empty());
    for words in ["START", "STOP"] {
        centre.tell(&text(words));
    }
    // A number without its country, in the alphabet of other tongues.
    centre.tell(&json!({"deliver": {"source_addr": "3055550118", "source_addr_ton": 2, "destination_addr": "24273", "data_coding": 8, "short_message": "no más ✋"}}));
    // What says nothing of any message is thrown back.
    centre.tell(&json!({"deliver": {"source_addr": "1", "destination_addr": "2", "esm_class": 4, "short_message": "stat:DELIVRD"}}));
    let said = taken.wait_for(3).await;
    let heard: Vec<(&str, &str)> = said
        .iter()
        .map(|event| match event {
            CallbackEvent::Inbound(said) => (said.from.as_str(), said.text.as_str()),
            CallbackEvent::Delivery(_) | CallbackEvent::Call(_) => panic!("no reply: {event:?}"),
        })
        .collect();
    assert_eq!(heard, [("+13055550117", "START"), ("+13055550117", "STOP"), ("+13055550118", "no más ✋")]);
    let answers = centre.wait_for("acknowledged", 4);
    // What is thrown back waits for nothing, so its answer may come first.
    let mut answers: Vec<u64> = answers.iter().filter_map(|event| event["acknowledged"].as_u64()).collect();
    answers.sort_unstable();
    assert_eq!(answers, [0, 0, 0, 0x66]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_holds_back_what_has_not_left() {
    let centre = Centre::start(&[]);
    let transport = settings(&centre, &[]);
    let _taken = Taken::of(&transport);
    reference(send(&transport, &text_to("+13055550120", "t")).await);
    let (class, _, code) = failure(transport.send(&text_to("+13055550117", "t"), Gate::new(|| false)).await);
    assert_eq!((class, code.as_str()), (FailureClass::NeverLeft, OVERTAKEN));
    reference(send(&transport, &text_to("+13055550118", "t")).await);
    assert_eq!(centre.heard("submitted").len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_sides_ask_who_is_there() {
    let centre = Centre::start(&[]);
    let asking = settings(&centre, &[("enquire_link", "1")]);
    let _taken = Taken::of(&asking);
    centre.wait_for("enquired", 2);
    centre.tell(&json!({"ask": true}));
    centre.wait_for("present", 1);
    asking.close().await;
    centre.wait_for("closed", 1);
    // A centre that takes its leave is bound to again.
    let before = centre.heard("bound").len();
    let transport = settings(&centre, &[]);
    let _taken = Taken::of(&transport);
    centre.wait_for("bound", before + 1);
    centre.tell(&json!({"unbind": true}));
    centre.wait_for("bound", before + 2);
    reference(send(&transport, &text_to("+13055550120", "t")).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_tls_only_a_trusted_centre_is_spoken_to() {
    let folder = root().join("tests/data/tls");
    let file = |name: &str| folder.join(name).to_string_lossy().into_owned();
    let centre = Centre::start(&["text", &file("localhost.key"), &file("localhost.pem")]);
    let authority = std::fs::read_to_string(file("ca.pem")).expect("ca.pem");
    let told = [("host", "localhost"), ("tls", "tls")];
    let trusting = settings(&centre, &[told[0], told[1], ("ca_pem", &authority)]);
    reference(send(&trusting, &text_to("+13055550120", "t")).await);
    let wary = settings(&centre, &told);
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let (class, _, code) = failure(wary.send(&text_to("+13055550117", "t"), Gate::open()).await);
        assert_eq!(class, FailureClass::NeverLeft, "{code}");
        if code == "connect" {
            break;
        }
        // It is still being opened.
        assert!(Instant::now() < deadline, "{code}");
    }
    assert_eq!(centre.heard("bound").len(), 1);
}

#[test]
fn a_password_does_not_travel_in_clear() {
    let manifest = manifest(Channel::Sms, "smpp");
    let try_with = |more: &[(&str, &str)]| {
        let given =
            [("host", "smpp.example.com"), ("system_id", "gw"), ("password", "s3cret-pw"), ("from", FROM)];
        let given =
            given.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
        let settings = manifest.settings(&given, "test").expect("settings");
        Transport::open(&manifest, settings, Arc::new(crate::Still))
            .map(|_| ())
            .map_err(|error| error.to_string())
    };
    let refused = try_with(&[("tls", "none")]).expect_err("refused");
    assert!(refused.contains("tls") && !refused.contains("s3cret-pw"), "{refused}");
    assert_eq!(try_with(&[]), Ok(()));
    assert_eq!(try_with(&[("tls", "none"), ("clear_text", "true")]), Ok(()));
    assert!(try_with(&[("port", "0")]).expect_err("refused").contains("port"));
}
