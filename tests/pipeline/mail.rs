//! What follows from mail that came in.

use crate::house::House;
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
    house.pipeline.take_mail(message.as_bytes(), &["replies@recovery.example".to_owned()]).await;
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
