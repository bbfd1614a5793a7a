//! What follows from mail that came in.

use crate::house::House;
use dunwell::channel::email::listener::Envelope;
use dunwell::domain::event::EventBody;
use serde_json::json;

/// Somebody with an address, who has agreed to be written to.
async fn someone(house: &House, id: &str, email: &str) {
    house.debtor(id, json!({"contact_points": [{"kind": "email", "value": email}]})).await;
    house.consent(id, "email", &["electronic"]).await;
}

/// A message comes in.
async fn write(house: &House, headers: &str, text: &str) {
    let message = format!("{headers}\r\nSubject: Re: your account\r\n\r\n{text}\r\n");
    arrive(house, &message, "someone@example.com", "replies@recovery.example").await;
}

async fn arrive(house: &House, message: &str, sender: &str, recipient: &str) {
    let envelope = Envelope { sender: sender.to_owned(), recipients: vec![recipient.to_owned()] };
    house.pipeline.take_mail(message.as_bytes(), &envelope).await;
}

async fn stops(house: &House, id: &str) -> usize {
    house.state(id).await.opt_outs.len()
}

#[tokio::test]
async fn an_identifier_used_again_hides_no_stop_and_stands_nowhere_in_clear() {
    let house = House::new().await;
    someone(&house, "d1", "sample.017@example.com").await;
    let headers = "From: sample.017@example.com\r\nMessage-ID: <sample.017@phone.example.com>";
    write(&house, headers, "Thanks, I will look at it").await;
    assert_eq!(stops(&house, "d1").await, 0);
    for _ in 0..2 {
        write(&house, headers, "STOP").await;
        assert_eq!(stops(&house, "d1").await, 1, "once, however often it comes");
    }
    let inbound: Vec<String> = house
        .events("d1")
        .await
        .iter()
        .filter_map(|event| match &event.body {
            EventBody::InboundReceived(inbound, _) => inbound.provider_ref.clone(),
            _ => None,
        })
        .collect();
    assert_eq!(inbound.len(), 2, "{inbound:?}");
    assert!(inbound.iter().all(|id| !id.contains("sample") && !id.contains('@')), "{inbound:?}");
    house.close().await;
}

#[tokio::test]
async fn an_alias_that_wrote_before_still_answers_for_the_address_we_wrote_to() {
    let house = House::new().await;
    someone(&house, "d1", "sample.017@example.com").await;
    let accepted = house.accept(house.request("r1", "d1", &["email"])).await.expect("accepted");
    let attempt = house.until("d1", &accepted, "sent").await.attempts[0];
    let alias = "From: alias.017@example.net\r\nMessage-ID:";
    write(&house, &format!("{alias} <1@example.net>"), "stop writing to me").await;
    assert_eq!(stops(&house, "d1").await, 0, "nothing says whose it is");
    let answer = format!("{alias} <2@example.net>\r\nIn-Reply-To: <{attempt}.dunwell@recovery.example>");
    write(&house, &answer, "stop writing to me").await;
    assert_eq!(stops(&house, "d1").await, 1);
    house.close().await;
}

#[tokio::test]
async fn a_stop_from_another_address_on_file_closes_the_one_we_wrote_to_as_well() {
    let house = House::new().await;
    let points = json!([
        {"kind": "email", "value": "sample.017@example.com"},
        {"kind": "email", "value": "other.017@example.org"},
    ]);
    house.debtor("d1", json!({ "contact_points": points })).await;
    house.consent("d1", "email", &["electronic"]).await;
    let accepted = house.accept(house.request("r1", "d1", &["email"])).await.expect("accepted");
    let request = house.until("d1", &accepted, "sent").await;
    let written_to = house.state("d1").await.attempts[&request.attempts[0]].point.expect("a point");
    let both = ["sample.017@example.com", "other.017@example.org"];
    for (place, from) in both.iter().enumerate() {
        let attempt = request.attempts[0];
        let headers = format!(
            "From: {from}\r\nMessage-ID: <{place}@example.org>\r\nIn-Reply-To: <{attempt}.dunwell@recovery.example>"
        );
        write(&house, &headers, "stop writing to me").await;
    }
    let closed = house.state("d1").await.opt_outs.clone();
    assert_eq!(closed.len(), 3, "the address itself; then the other, and the one that was written to");
    assert_eq!(closed.iter().filter(|stop| stop.point == Some(written_to)).count(), 2);
    house.close().await;
}

#[tokio::test]
async fn what_has_no_sender_is_no_person_s() {
    let house = House::new().await;
    // No receipt of the provider's comes before the letter that returns.
    someone(&house, "d1", "sample.silent@example.com").await;
    let accepted = house.accept(house.request("r1", "d1", &["email"])).await.expect("accepted");
    let attempt = house.until("d1", &accepted, "sent").await.attempts[0];
    let stop = "From: sample.silent@example.com\r\nSubject: hello\r\n\r\nstop writing to me\r\n";
    arrive(&house, stop, "", "replies@recovery.example").await;
    let away = "From: sample.silent@example.com\r\nSubject: Automatic reply: your account\r\n\r\nI stop by on Monday\r\n";
    arrive(&house, away, "sample.silent@example.com", "replies@recovery.example").await;
    assert_eq!(stops(&house, "d1").await, 0);
    assert!(house.state("d1").await.frozen.is_empty(), "nobody needs to read it");
    let returned = "From: MAILER-DAEMON@example.com\r\nSubject: returned\r\n\r\nno such user\r\n";
    arrive(&house, returned, "", &format!("replies+{attempt}@recovery.example")).await;
    assert_eq!(house.state("d1").await.attempts[&attempt].status.as_str(), "failed");
    house.close().await;
}
