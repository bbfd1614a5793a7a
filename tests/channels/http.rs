//! Requests to vendors: judged by the vendor's own specification, and by a fake whose every byte we choose.

use crate::{catalogue, failure, manifest, open, peer, sms};
use dunwell::channel::{Gate, OVERTAKEN, Transport};
use dunwell::domain::channel::Channel;
use dunwell::domain::outcome::{FailureCause, FailureClass, Outcome};
use dunwell::provider::case::Case;
use dunwell::provider::manifest::Manifest;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const ACCOUNT: &str = "AC00000000000000000000000000000001";

fn twilio(manifest: &Arc<Manifest>, base_url: &str, more: &[(&str, &str)]) -> Transport {
    let mut settings = vec![
        ("base_url", base_url),
        ("account_sid", ACCOUNT),
        ("auth_token", "tok"),
        ("from", "+15005550001"),
    ];
    settings.extend_from_slice(more);
    open(manifest, &settings)
}

/// The manifest with one thing in it changed, and minutes to answer in: whatever is not about the deadline does not hang on it.
fn altered(from: &str, to: &str) -> Arc<Manifest> {
    let mut file = crate::source("sms/twilio/manifest.toml");
    for (from, to) in [(from, to), ("deadline = \"PT10S\"", "deadline = \"PT2M\"")] {
        assert!(file.text.contains(from), "{from}");
        file.text = file.text.replacen(from, to, 1);
    }
    Arc::new(Manifest::read(&file).unwrap_or_else(|faults| panic!("{faults:#?}")))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_vendors_own_specification_accepts_our_requests_and_refuses_broken_ones() {
    let prism = peer::prism("twilio.json");
    let base = format!("http://127.0.0.1:{}", prism.port);
    let manifest = patient();
    let plain = twilio(&manifest, &base, &[]);
    let service =
        [("messaging_service_sid", "MG00000000000000000000000000000001"), ("validity_seconds", "3600")];
    let service = twilio(&manifest, &base, &service);
    let mut without_callback = sms("+13055550117", "Pagaré mañana ✓ & = + %");
    without_callback.status_callback_url = None;
    for (transport, message) in [
        (&plain, sms("+13055550117", "Sample text")),
        (&plain, without_callback.clone()),
        (&plain, sms("+447700900123", &"long ".repeat(300))),
        (&service, without_callback),
    ] {
        let outcome = transport.send(&message, Gate::open()).await;
        let Outcome::Accepted { provider_ref: Some(reference) } = &outcome else { panic!("{outcome:?}") };
        assert!(reference.starts_with("SM") && reference.len() == 34, "{reference}");
    }
    for (from, to, status) in [
        ("name = \"To\"", "name = \"Too\"", "http_422"),
        (
            "{ name = \"ValidityPeriod\", value = \"{validity_seconds}\" }",
            "{ name = \"ValidityPeriod\", value = \"soon\" }",
            "http_422",
        ),
        (
            "{ name = \"StatusCallback\", value = \"{status_callback_url}\" }",
            "{ name = \"StatusCallback\", value = \"not an address\" }",
            "http_422",
        ),
        ("auth.basic = { username = \"{account_sid}\", password = \"{auth_token}\" }", "", "http_401"),
        ("/2010-04-01/Accounts/{account_sid}/", "/2010-04-01/Accounts/XX/", "http_422"),
    ] {
        let broken = twilio(&altered(from, to), &base, &[]);
        let (class, _, code) = failure(broken.send(&sms("+13055550117", "Sample text"), Gate::open()).await);
        assert_eq!((class, code.as_str()), (FailureClass::Refused, status), "{to}");
    }
}

/// The manifest with minutes to answer in.
pub fn patient() -> Arc<Manifest> {
    altered("", "")
}

/// A vendor whose answer we write. It hands over each request as it came in.
async fn fake(
    answer: impl Fn(TcpStream, Vec<u8>) -> Ending + Send + Sync + 'static,
) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let base = format!("http://{}", listener.local_addr().expect("address"));
    let requests = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&requests);
    let answer = Arc::new(answer);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (count, answer) = (Arc::clone(&count), Arc::clone(&answer));
            tokio::spawn(async move {
                if let Some(request) = read_request(&mut stream).await {
                    count.fetch_add(1, Ordering::SeqCst);
                    match answer(stream, request) {
                        Ending::Answer(mut stream, bytes) => {
                            stream.write_all(&bytes).await.expect("write");
                            stream.shutdown().await.expect("shutdown");
                        }
                        Ending::Silence(stream) => {
                            tokio::time::sleep(Duration::from_secs(60)).await;
                            drop(stream);
                        }
                    }
                }
            });
        }
    });
    (base, requests)
}

enum Ending {
    Answer(TcpStream, Vec<u8>),
    Silence(TcpStream),
}

/// A whole request, headers and body; none if the connection ends before it is whole.
async fn read_request(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        let mut buffer = [0; 4096];
        let count = stream.read(&mut buffer).await.ok().filter(|count| *count > 0)?;
        bytes.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                return Some(bytes);
            }
        }
    }
}

fn answer(status: u16, headers: &[(String, String)], body: &[u8]) -> Vec<u8> {
    let mut out = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n", body.len());
    for (name, value) in headers {
        out.push_str(&format!("{name}: {value}\r\n"));
    }
    let mut out = format!("{out}\r\n").into_bytes();
    out.extend_from_slice(body);
    out
}

#[tokio::test]
async fn every_case_holds_over_the_wire() {
    let catalogue = catalogue("sms/twilio");
    let vendor = catalogue.vendors().next().expect("vendor");
    let sending: Vec<&Case> = vendor.cases.iter().filter(|case| case.response().is_some()).collect();
    assert!(sending.len() >= 9, "{}", sending.len());
    for case in sending {
        let response = case.response().expect("response");
        let message = case.message(&vendor.manifest).expect("message");
        let canned = answer(response.status, &response.headers, &response.body);
        let (base, requests) = fake(move |stream, _| Ending::Answer(stream, canned.clone())).await;
        let transport = twilio(&patient(), &base, &[]);
        let outcome = transport.send(&message, Gate::open()).await;
        assert!(case.expects(&outcome), "{}: {outcome:?}", case.name);
        assert_eq!(requests.load(Ordering::SeqCst), 1, "{}: one request, never repeated", case.name);
    }
}

#[tokio::test]
async fn what_cannot_have_left_is_told_from_what_may_have() {
    let manifest = manifest(Channel::Sms, "twilio");
    let message = sms("+13055550117", "Sample text");

    let nobody = twilio(&patient(), &format!("http://127.0.0.1:{}", peer::free_port()), &[]);
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let gate = Gate::new(move || count.fetch_add(1, Ordering::SeqCst) < 99);
    let (class, cause, code) = failure(nobody.send(&message, gate).await);
    assert_eq!((class, cause, code.as_str()), (FailureClass::NeverLeft, FailureCause::Provider, "connect"));
    assert_eq!(asked.load(Ordering::SeqCst), 0, "the gate is asked only once there is a connection");

    let (base, requests) = fake(|stream, _| Ending::Answer(stream, Vec::new())).await;
    let (class, _, code) = failure(twilio(&patient(), &base, &[]).send(&message, Gate::open()).await);
    assert_eq!(
        (class, code.as_str()),
        (FailureClass::Uncertain, "connection_lost"),
        "hung up without an answer"
    );
    assert_eq!(requests.load(Ordering::SeqCst), 1, "never repeated");

    let (base, _) = fake(|stream, _| Ending::Silence(stream)).await;
    let started = Instant::now();
    let (class, _, code) = failure(twilio(&manifest, &base, &[]).send(&message, Gate::open()).await);
    assert_eq!((class, code.as_str()), (FailureClass::Uncertain, "timeout"));
    assert!(started.elapsed() < Duration::from_secs(50), "the deadline holds");

    // A listener that never accepts more than its backlog: the connection itself does not come about.
    let (class, _, _) =
        failure(twilio(&manifest, "http://192.0.2.1", &[]).send(&message, Gate::open()).await);
    assert_eq!(class, FailureClass::NeverLeft);
}

#[tokio::test]
async fn a_gate_that_shuts_lets_nothing_out() {
    let manifest = patient();
    let message = sms("+13055550117", "Sample text");
    let ok = answer(201, &[], br#"{"sid":"SM00000000000000000000000000000017"}"#);
    let (base, requests) = fake(move |stream, _| Ending::Answer(stream, ok.clone())).await;
    let transport = twilio(&manifest, &base, &[]);
    let (class, _, code) = failure(transport.send(&message, Gate::new(|| false)).await);
    assert_eq!((class, code.as_str()), (FailureClass::NeverLeft, OVERTAKEN));
    assert!(
        matches!(transport.send(&message, Gate::open()).await, Outcome::Accepted { .. }),
        "the next one goes"
    );
    assert_eq!(requests.load(Ordering::SeqCst), 1, "only the second one arrived");
}

#[tokio::test]
async fn a_connection_that_the_vendor_closed_meanwhile_costs_nothing() {
    let manifest = patient();
    let ok = answer(201, &[], br#"{"sid":"SM00000000000000000000000000000017"}"#);
    // The vendor promises to keep the connection, then closes it.
    let ok = String::from_utf8(ok)
        .expect("text")
        .replace("Connection: close", "Connection: keep-alive")
        .into_bytes();
    let (base, requests) = fake(move |stream, _| Ending::Answer(stream, ok.clone())).await;
    let transport = twilio(&manifest, &base, &[]);
    for sent in 1..=3 {
        let outcome = transport.send(&sms("+13055550117", "Sample text"), Gate::open()).await;
        assert!(matches!(outcome, Outcome::Accepted { .. }), "{outcome:?}");
        assert_eq!(requests.load(Ordering::SeqCst), sent);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn answers_are_bounded_and_redirects_not_followed() {
    let manifest = patient();
    let message = sms("+13055550117", "Sample text");
    let (base, _) = fake(|stream, _| Ending::Answer(stream, answer(201, &[], &vec![b' '; 4 << 20]))).await;
    let (class, _, code) = failure(twilio(&manifest, &base, &[]).send(&message, Gate::open()).await);
    assert_eq!((class, code.as_str()), (FailureClass::Uncertain, "malformed_answer"));
    let (elsewhere, followed) = fake(|stream, _| Ending::Answer(stream, answer(201, &[], b"{}"))).await;
    let location = [("Location".to_owned(), elsewhere)];
    let (base, _) = fake(move |stream, _| Ending::Answer(stream, answer(307, &location, b""))).await;
    let (class, _, code) = failure(twilio(&manifest, &base, &[]).send(&message, Gate::open()).await);
    assert_eq!((class, code.as_str()), (FailureClass::Uncertain, "http_307"));
    assert_eq!(followed.load(Ordering::SeqCst), 0, "credentials and text go nowhere else");
}

/// The CPU that one request costs the thread that makes it, kernel included, over kept connections.
#[test]
fn a_request_costs_little_cpu() {
    const REQUESTS: u32 = 3_000;
    let server =
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("runtime");
    let base = server.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let base = format!("http://{}", listener.local_addr().expect("address"));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let body = br#"{"sid":"SM00000000000000000000000000000017"}"#;
                    let answer = format!("HTTP/1.1 201 Created\r\nContent-Length: {}\r\n\r\n", body.len());
                    let answer = [answer.as_bytes(), body].concat();
                    while read_request(&mut stream).await.is_some() {
                        if stream.write_all(&answer).await.is_err() {
                            break;
                        }
                    }
                });
            }
        });
        base
    });
    let client = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
    let spent = client.block_on(async {
        let transport = twilio(&patient(), &base, &[]);
        let message = sms("+13055550117", &"Sample text ".repeat(10));
        let before = thread_cpu();
        for _ in 0..REQUESTS / 30 {
            let sends = (0..30).map(|_| transport.send(&message, Gate::open()));
            for outcome in futures_util::future::join_all(sends).await {
                assert!(matches!(outcome, Outcome::Accepted { .. }), "{outcome:?}");
            }
        }
        thread_cpu() - before
    });
    let each = spent / REQUESTS;
    println!("{each:?} of CPU a request");
    let limit = if cfg!(debug_assertions) { Duration::from_millis(2) } else { Duration::from_micros(100) };
    assert!(each < limit, "{each:?} of CPU a request");
}

/// The CPU time of this thread, as Linux counts it.
fn thread_cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux");
    Duration::from_nanos(text.split(' ').next().and_then(|nanos| nanos.parse().ok()).expect("nanoseconds"))
}
