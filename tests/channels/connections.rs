//! Connections to a vendor are kept between messages, and one that the vendor has closed costs no message.

use crate::{open, sms};
use dunwell::channel::{Gate, Transport};
use dunwell::domain::outcome::Outcome;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A vendor that answers so many requests on each connection, and then hangs up without a word.
struct Vendor {
    base: String,
    connections: Arc<AtomicUsize>,
    requests: Arc<AtomicUsize>,
}

impl Vendor {
    async fn answering(each: usize) -> Self {
        Self::holding(0, each).await
    }

    /// One that answers nobody before so many have asked.
    async fn holding(least: usize, each: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let base = format!("http://{}", listener.local_addr().expect("address"));
        let (connections, requests) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let vendor = Self { base, connections: Arc::clone(&connections), requests: Arc::clone(&requests) };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(converse(stream, least, each, Arc::clone(&requests)));
            }
        });
        vendor
    }

    fn transport(&self) -> Transport {
        let settings = [
            ("base_url", self.base.as_str()),
            ("account_sid", "AC00000000000000000000000000000001"),
            ("auth_token", "tok"),
            ("from", "+15005550001"),
        ];
        open(&crate::http::patient(), &settings)
    }

    fn counted(&self) -> (usize, usize) {
        (self.connections.load(Ordering::SeqCst), self.requests.load(Ordering::SeqCst))
    }
}

async fn converse(mut stream: TcpStream, least: usize, each: usize, requests: Arc<AtomicUsize>) {
    for _ in 0..each {
        if !whole(&mut stream).await {
            return;
        }
        requests.fetch_add(1, Ordering::SeqCst);
        while requests.load(Ordering::SeqCst) < least {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let body = r#"{"sid":"SM00000000000000000000000000000001","status":"queued"}"#;
        let answer = format!(
            "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(answer.as_bytes()).await.expect("write");
    }
}

/// Reads one request with its body; `false` where the connection ends before.
async fn whole(stream: &mut TcpStream) -> bool {
    let mut bytes = Vec::new();
    loop {
        if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
            return false;
        }
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        if body.len() >= length.unwrap_or(0) {
            return true;
        }
    }
}

async fn taken(transport: &Transport) -> bool {
    let outcome = transport.send(&sms("+13055550117", "Sample text"), Gate::open()).await;
    matches!(outcome, Outcome::Accepted { provider_ref: Some(_) })
}

#[tokio::test]
async fn one_connection_carries_one_message_after_the_other() {
    let vendor = Vendor::answering(usize::MAX).await;
    let transport = vendor.transport();
    for _ in 0..5 {
        assert!(taken(&transport).await);
    }
    assert_eq!(vendor.counted(), (1, 5));
    transport.close().await;
    assert!(taken(&transport).await);
    assert_eq!(vendor.counted(), (2, 6), "what was idle was closed");
}

#[tokio::test]
async fn messages_side_by_side_have_connections_of_their_own() {
    let vendor = Vendor::answering(usize::MAX).await;
    let transport = vendor.transport();
    let all = tokio::join!(taken(&transport), taken(&transport), taken(&transport));
    assert_eq!(all, (true, true, true));
    assert_eq!(vendor.counted(), (3, 3));
}

#[tokio::test]
async fn a_connection_that_was_closed_while_idle_costs_no_message() {
    let vendor = Vendor::answering(1).await;
    let transport = vendor.transport();
    for sent in 1..5 {
        assert!(taken(&transport).await);
        assert_eq!(vendor.counted(), (sent, sent), "each left once");
        // One turn of the runtime, so that the vendor's farewell is heard.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// More than a task may read in one turn: some of them look open until the next.
#[tokio::test]
async fn many_that_were_closed_while_idle_cost_no_message() {
    const MANY: usize = 200;
    let vendor = Vendor::holding(MANY, 1).await;
    let transport = Arc::new(vendor.transport());
    let mut sends = tokio::task::JoinSet::new();
    for sent in 1..=MANY {
        let transport = Arc::clone(&transport);
        sends.spawn(async move { taken(&transport).await });
        // No more at once than a socket keeps waiting to be accepted.
        while sent.is_multiple_of(50) && vendor.counted().1 < sent {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    assert!(sends.join_all().await.into_iter().all(|taken| taken));
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert!(taken(&transport).await);
    assert_eq!(vendor.counted(), (MANY + 1, MANY + 1), "each left once");
}
