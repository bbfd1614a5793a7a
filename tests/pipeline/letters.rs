//! Letters that come by way of a vendor's callback, in parts: read as those that come by our own listener.

use crate::house::House;
use dunwell::domain::channel::Channel;
use dunwell::provider::callback::{CallbackEvent, Inbound};
use dunwell::provider::letter::Letter;
use serde_json::json;

const FROM: &str = "sample.017@example.com";

async fn someone(house: &House, id: &str) {
    house.debtor(id, json!({"contact_points": [{"kind": "email", "value": FROM}]})).await;
    house.consent(id, "email", &["electronic"]).await;
}

/// A letter comes; whether it was about anything of ours.
async fn write(house: &House, from: &str, reference: &str, text: &str, letter: Letter) -> bool {
    let inbound = Inbound {
        provider_ref: Some(reference.to_owned()),
        from: from.to_owned(),
        to: "replies@recovery.example".to_owned(),
        text: text.to_owned(),
        keyword: None,
        at: None,
        letter,
    };
    house.pipeline.take(Channel::Email, "sandbox", CallbackEvent::Inbound(inbound)).await.expect("taken")
}

fn headers(pairs: &[(&str, &str)]) -> Letter {
    let headers = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Letter { headers, ..Letter::default() }
}

async fn stops(house: &House, id: &str) -> usize {
    house.state(id).await.opt_outs.len()
}

#[tokio::test]
async fn a_machine_s_answer_is_no_reply() {
    let house = House::new().await;
    someone(&house, "d1").await;
    for (at, machine) in [
        headers(&[("Auto-Submitted", "auto-replied")]),
        headers(&[("X-Autoreply", "yes"), ("Subject", "stop")]),
        headers(&[("Precedence", "bulk")]),
        headers(&[("Content-Type", "multipart/report; report-type=delivery-status")]),
    ]
    .into_iter()
    .enumerate()
    {
        let found =
            write(&house, FROM, &format!("m{at}"), "stop writing to this address, it is not read", machine)
                .await;
        assert!(!found, "no. {at}");
    }
    assert_eq!(stops(&house, "d1").await, 0);
    assert!(write(&house, FROM, "m9", "stop writing to me", headers(&[("Auto-Submitted", "no")])).await);
    assert_eq!(stops(&house, "d1").await, 1);
    house.close().await;
}

#[tokio::test]
async fn a_stop_in_html_or_in_the_subject_alone_is_heard() {
    let html = Letter {
        html: Some(
            "<div>Please <b>stop</b> emailing me</div><blockquote>On Monday we wrote: pay</blockquote>"
                .to_owned(),
        ),
        ..Letter::default()
    };
    let subject = Letter { subject: Some("UNSUBSCRIBE".to_owned()), ..Letter::default() };
    let in_headers = headers(&[("Subject", "=?iso-8859-1?Q?No_me_escriban_m=E1s?=")]);
    for letter in [html, subject, in_headers] {
        let house = House::new().await;
        someone(&house, "d1").await;
        assert!(write(&house, FROM, "m1", "", letter.clone()).await);
        assert_eq!(stops(&house, "d1").await, 1);
        // The vendor hands it on again.
        assert!(write(&house, FROM, "m1", "", letter).await);
        assert_eq!(stops(&house, "d1").await, 1);
        house.close().await;
    }
}

#[tokio::test]
async fn an_alias_that_answers_stops_the_address_we_wrote_to() {
    let house = House::new().await;
    someone(&house, "d1").await;
    let accepted = house.accept(house.request("r1", "d1", &["email"])).await.expect("accepted");
    let attempt = house.until("d1", &accepted, "sent").await.attempts[0];
    let answers =
        headers(&[("In-Reply-To", &format!("<{attempt}.dunwell@recovery.example>")), ("Evil\r\nX", "y")]);
    assert!(write(&house, "alias.017@example.net", "m1", "stop writing to me", answers).await);
    assert_eq!(stops(&house, "d1").await, 1);
    house.close().await;
}
