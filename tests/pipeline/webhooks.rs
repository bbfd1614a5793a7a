//! Telling upstream under a clock that the tests move: days of tries, what is given up, and what is told of the erased.

use crate::house::{House, actor, until};
use dunwell::channel::webhook::{Receiver, SigningKey};
use dunwell::domain::time::{Clock, Span};
use dunwell::pipeline::webhooks::lines::PAUSES;
use dunwell::pipeline::webhooks::{Health, ReplayWish, Webhook, WebhookState};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// Notes what comes and answers with the status that it is set to.
#[derive(Clone)]
struct Ear {
    url: url::Url,
    status: Arc<AtomicU16>,
    heard: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Ear {
    async fn open(status: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let url = format!("http://{}/", listener.local_addr().expect("an address")).parse().expect("a URL");
        let ear = Self { url, status: Arc::new(AtomicU16::new(status)), heard: Arc::default() };
        let all = ear.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(all.clone().hear(stream));
            }
        });
        ear
    }

    async fn hear(self, stream: TcpStream) {
        let mut stream = BufReader::new(stream);
        loop {
            let (mut length, mut id, mut line) = (0, String::new(), String::new());
            while stream.read_line(&mut line).await.is_ok_and(|read| read > 2) {
                if let Some((name, value)) = line.trim().split_once(": ") {
                    match name.to_ascii_lowercase().as_str() {
                        "content-length" => length = value.parse().expect("a length"),
                        "webhook-id" => id = value.to_owned(),
                        _ => {}
                    }
                }
                line.clear();
            }
            let mut body = vec![0; length];
            if length == 0 || stream.read_exact(&mut body).await.is_err() {
                return;
            }
            self.heard.lock().expect("a lock").push((id, serde_json::from_slice(&body).expect("JSON")));
            let answer =
                format!("HTTP/1.1 {} X\r\ncontent-length: 0\r\n\r\n", self.status.load(Ordering::SeqCst));
            if stream.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
        }
    }

    fn heard(&self) -> Vec<(String, Value)> {
        self.heard.lock().expect("a lock").clone()
    }

    async fn tell(&self, house: &House, events: &[&str]) {
        let key = SigningKey::read(&"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into()).expect("a key");
        let receiver = Receiver {
            url: self.url.clone(),
            keys: vec![key],
            allow_private: true,
            timeout: Span::seconds(30),
        };
        let events = events.iter().map(|event| (*event).to_owned()).collect();
        house.pipeline.tell(vec![Webhook { name: "crm".to_owned(), receiver, events }]).await.expect("told");
    }
}

/// Waits until a try is over and on file: nothing more is told before its time.
async fn kept(house: &House, tries: usize) {
    until("the try to be kept", async || {
        let waiting = house.pipeline.read(|store| store.reader()?.webhook_waiting("crm")).await;
        waiting.expect("rows").iter().any(|row| row.tries as usize == tries).then_some(())
    })
    .await;
}

async fn state(house: &House) -> WebhookState {
    house.pipeline.webhooks().await.expect("readable").pop().expect("one")
}

#[tokio::test]
async fn what_is_not_taken_is_tried_for_days_then_given_up_and_told_again_when_asked() {
    let house = House::new().await;
    let ear = Ear::open(500).await;
    ear.tell(&house, &["consent.granted"]).await;
    house.debtor("d1", json!({})).await;
    house.consent("d1", "sms", &["automated", "electronic"]).await;
    let began = house.clock.now();
    for tries in 1..=PAUSES.len() + 1 {
        until(&format!("try {tries}"), async || (ear.heard().len() >= tries).then_some(())).await;
        if tries == PAUSES.len() {
            break;
        }
        kept(&house, tries).await;
        assert_eq!(ear.heard().len(), tries, "not before its time");
        house.pass(
            PAUSES[tries - 1]
                .max(Span::seconds(10))
                .max(Span::millis(PAUSES[tries - 1].as_millis() * 11 / 10)),
        );
    }
    let (first, _) = ear.heard()[0].clone();
    assert!(ear.heard().iter().all(|(id, _)| *id == first), "the second waits behind the first");
    // A restart in between changes nothing.
    let (place, clock) = house.close().await;
    let house = House::at(place, clock).await;
    ear.tell(&house, &["consent.granted"]).await;
    house.pass(Span::hours(27));
    until("the first to be given up", async || (state(&house).await.dead == 1).then_some(())).await;
    assert!(house.clock.now().since(began) > Span::days(3));
    let letters = house.pipeline.dead_letters("crm", 0, 10).await.expect("listed");
    assert_eq!(letters.len(), 1);
    assert_eq!((letters[0].id.as_str(), letters[0].row.error.as_deref()), (first.as_str(), Some("http_500")));
    assert_eq!(letters[0].row.tries as usize, PAUSES.len() + 1);

    // The second had its turn, in vain too.
    kept(&house, 1).await;
    ear.status.store(200, Ordering::SeqCst);
    let heard = ear.heard().len();
    let again = house.pipeline.replay_webhook(&actor(), "crm", ReplayWish::DeadLetters).await.expect("again");
    assert_eq!(again.notices, Some(1));
    house.pass(Span::hours(1));
    until("both to be taken", async || {
        let state = state(&house).await;
        (state.health == Health::Well && state.dead == 0 && state.behind == 0).then_some(())
    })
    .await;
    let last: Vec<_> = ear.heard()[heard..].iter().map(|(id, _)| id.clone()).collect();
    assert_eq!(last.first(), Some(&first));
    assert_ne!(last.last(), Some(&first), "and then the second");
    house.close().await;
}

#[tokio::test]
async fn of_the_erased_it_is_said_what_happened_and_not_to_whom() {
    let house = House::new().await;
    let ear = Ear::open(500).await;
    ear.tell(&house, &["*"]).await;
    house.debtor("d1", json!({})).await;
    let waiting = house.accept(house.request("r1", "d1", &["sms"])).await.expect("accepted");
    until("a first try", async || ear.heard().first().cloned()).await;
    let (id, named) = ear.heard()[0].clone();
    assert_eq!(
        (&named["type"], &named["data"]["debtor_id"]),
        (&json!("contact_request.deferred"), &json!("d1"))
    );
    kept(&house, 1).await;
    house.pipeline.erase(&actor(), "d1").await.expect("erased");
    let before = ear.heard().len();
    ear.status.store(200, Ordering::SeqCst);
    house.pass(Span::minutes(5));
    let heard = until("the rest", async || {
        let heard = ear.heard()[before..].to_vec();
        heard.iter().any(|(_, body)| body["type"] == "contact_request.cancelled").then_some(heard)
    })
    .await;
    assert_eq!(heard[0].0, id, "the same notice");
    for (_, body) in heard {
        assert_eq!(body["data"]["id"], waiting.id.to_string(), "{body}");
        assert!(body["data"]["debtor_id"].is_null() && body["data"]["request_id"].is_null(), "{body}");
        assert!(!body.to_string().contains("d1"), "{body}");
    }
    house.close().await;
}
