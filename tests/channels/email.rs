//! Email: against Postfix's smtp-sink and nodemailer's smtp-server, and read back by Python's mail parser.

use crate::peer::{self, Security, free_port, smtp_sink, smtp_sink_at};
use crate::{failure, mail, manifest, open, root};
use dunwell::channel::email::message::attempt_of;
use dunwell::channel::{Gate, OVERTAKEN, Transport};
use dunwell::domain::channel::Channel;
use dunwell::domain::outcome::{FailureCause, FailureClass, Outcome};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

fn relay(port: u16, more: &[(&str, &str)]) -> Transport {
    let port = port.to_string();
    let mut settings = vec![
        ("host", "127.0.0.1"),
        ("port", port.as_str()),
        ("from", "First Recovery <notices@recovery.example>"),
        ("hello_name", "gateway.recovery.example"),
    ];
    if !more.iter().any(|(name, _)| *name == "tls") {
        settings.push(("tls", "none"));
    }
    settings.retain(|(name, _)| !more.iter().any(|(other, _)| other == name));
    settings.extend_from_slice(more);
    open(&manifest(Channel::Email, "smtp"), &settings)
}

fn accepted(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Accepted { provider_ref: Some(reference) } => reference,
        other => panic!("{other:?}"),
    }
}

/// What Python's mail parser reads in a message: headers and decoded parts, as JSON.
fn read_by_python(raw: &[u8]) -> serde_json::Value {
    const PROGRAM: &str = "import email, email.policy, json, sys\n\
        m = email.message_from_bytes(sys.stdin.buffer.read(), policy=email.policy.default)\n\
        parts = [[p.get_content_type(), p.get_content()] for p in m.walk() if not p.is_multipart()]\n\
        json.dump({'headers': [[k, str(v)] for k, v in m.items()], 'parts': parts, 'type': m.get_content_type(),\n\
                   'defects': [str(d) for p in m.walk() for d in p.defects]}, sys.stdout)";
    let mut child = Command::new("python3")
        .args(["-c", PROGRAM])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("python3 is not installed: run tests/setup.sh");
    std::io::Write::write_all(&mut child.stdin.take().expect("stdin"), raw).expect("write");
    let output = child.wait_with_output().expect("output");
    serde_json::from_slice(&output.stdout).expect("json")
}

/// What the sink has written down: it may answer before it has, so this waits until there is something that no longer grows.
async fn dumped(folder: &std::path::Path) -> Vec<u8> {
    let mut before = Vec::new();
    for _ in 0..600 {
        let file = std::fs::read_dir(folder).expect("folder").next();
        let now = file.and_then(|entry| std::fs::read(entry.expect("entry").path()).ok()).unwrap_or_default();
        if !now.is_empty() && now == before {
            return now;
        }
        before = now;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the sink wrote nothing down within a minute");
}

#[tokio::test]
async fn a_message_arrives_whole() {
    let folder = tempfile::tempdir().expect("folder");
    let dump = format!("{}/mail.", folder.path().display());
    let sink = smtp_sink(&["-d", &dump]);
    let transport = relay(sink.port, &[("reply_to", "replies@recovery.example")]);
    let text = "Hola, señor:\r\n.\r\n..dos puntos\r\nfin";
    let message = mail("Su cuenta – aviso", text);
    let outcome = transport.send(&message, Gate::open()).await;
    assert_eq!(attempt_of(accepted(&outcome)), Some(message.attempt));
    transport.close().await;
    let dumped = dumped(folder.path()).await;
    // The sink writes what it was told in front of the message.
    let shown = String::from_utf8_lossy(&dumped).into_owned();
    assert!(shown.contains("X-Mail-Args: <notices@recovery.example>"), "{shown}");
    assert!(shown.contains("X-Rcpt-Args: <sample017@example.com>"), "{shown}");
    assert!(shown.contains("X-Helo-Args: gateway.recovery.example"), "{shown}");
    let read = read_by_python(&dumped);
    let header = |name: &str| {
        let found: Vec<&str> = read["headers"]
            .as_array()
            .expect("headers")
            .iter()
            .filter(|pair| pair[0] == name)
            .filter_map(|pair| pair[1].as_str())
            .collect();
        assert_eq!(found.len(), 1, "{name}: {found:?}");
        found[0].to_owned()
    };
    assert_eq!(header("Subject"), "Su cuenta – aviso");
    assert_eq!(header("From"), "First Recovery <notices@recovery.example>");
    assert_eq!(header("To"), "sample017@example.com");
    assert_eq!(header("Date"), "Sun, 22 Nov 2026 13:00:00 +0000");
    assert_eq!(header("List-Unsubscribe"), "<https://gw.example.com/u/t0ken>");
    assert_eq!(header("List-Unsubscribe-Post"), "List-Unsubscribe=One-Click");
    assert_eq!(header("Auto-Submitted"), "auto-generated");
    assert_eq!(attempt_of(&header("Message-ID")), Some(message.attempt));
    assert_eq!(read["type"], "multipart/alternative");
    assert_eq!(read["defects"], serde_json::json!([]));
    let parts: Vec<(&str, String)> = read["parts"]
        .as_array()
        .expect("parts")
        .iter()
        .map(|part| (part[0].as_str().expect("type"), part[1].as_str().expect("text").replace("\r\n", "\n")))
        .collect();
    let plain = text.replace("\r\n", "\n");
    assert_eq!(parts[0].0, "text/plain");
    assert_eq!(parts[0].1.trim_end(), plain);
    assert_eq!(parts[1].0, "text/html");
    assert_eq!(parts[1].1.trim_end(), format!("<p>{plain}</p>"));
}

#[tokio::test]
async fn refusals_are_read_at_every_step() {
    use FailureCause::{Account, Content, InvalidAddress, Provider};
    use FailureClass::{NeverLeft, Refused, Throttled, Uncertain};
    for (options, class, cause, code) in [
        (&["-f", "RCPT", "-B", "550 5.1.1 no such person"][..], Refused, InvalidAddress, "550 5.1.1"),
        (&["-f", "MAIL", "-B", "553 5.7.1 who are you"], Refused, Account, "553 5.7.1"),
        (&["-f", ".", "-B", "554 5.7.1 looks like spam"], Refused, Content, "554 5.7.1"),
        (&["-r", "RCPT", "-b", "451 4.7.1 come back later"], Throttled, Provider, "451 4.7.1"),
        (&["-r", ".", "-b", "452 4.3.1 disk full"], Throttled, Provider, "452 4.3.1"),
        (&["-f", "CONNECT", "-B", "554 no service here"], Refused, Account, "554"),
        (&["-Q", "MAIL"], Throttled, Provider, "421"),
        (&["-Q", "DATA"], Throttled, Provider, "421"),
        // `-f` and `-r` make the sink take one command at a time; these refuse several at once.
        (&["-Q", "RCPT"], Throttled, Provider, "421"),
        (&["-p", "-q", "DATA"], NeverLeft, Provider, "connection_lost"),
        (&["-q", "MAIL"], NeverLeft, Provider, "connection_lost"),
        (&["-q", "RCPT"], NeverLeft, Provider, "connection_lost"),
        (&["-q", "DATA"], NeverLeft, Provider, "connection_lost"),
        (&["-q", "CONNECT"], NeverLeft, Provider, "handshake"),
        // The end of the message was written and no reply came: it may have been taken.
        (&["-q", "."], Uncertain, Provider, "connection_lost"),
    ] {
        let sink = smtp_sink(options);
        let transport = relay(sink.port, &[]);
        for _ in 0..2 {
            let (found, why, what) = failure(transport.send(&mail("s", "t"), Gate::open()).await);
            assert_eq!((found, why), (class, cause), "{options:?}: {what}");
            assert!(what.starts_with(code), "{options:?}: {what}");
        }
    }
    let (class, _, code) = failure(relay(free_port(), &[]).send(&mail("s", "t"), Gate::open()).await);
    assert_eq!((class, code.as_str()), (NeverLeft, "connect"));
}

#[tokio::test]
async fn a_refused_message_does_not_spoil_the_connection_and_a_dead_one_is_replaced() {
    let port = free_port();
    let sink = smtp_sink_at(port, &[]);
    let transport = relay(port, &[("connections", "1")]);
    accepted(&transport.send(&mail("one", "t"), Gate::open()).await);
    drop(sink);
    let sink = smtp_sink_at(port, &[]);
    // The kept connection is dead; nothing was sent over it, so a fresh one carries the message.
    accepted(&transport.send(&mail("two", "t"), Gate::open()).await);
    drop(sink);
    let (class, _, _) = failure(transport.send(&mail("three", "t"), Gate::open()).await);
    assert_eq!(class, FailureClass::NeverLeft);
}

#[tokio::test]
async fn a_gate_that_shuts_leaves_nothing_with_the_relay() {
    let folder = tempfile::tempdir().expect("folder");
    let sink = smtp_sink(&["-d", &format!("{}/mail.", folder.path().display())]);
    let transport = relay(sink.port, &[]);
    let (class, _, code) = failure(transport.send(&mail("held back", "t"), Gate::new(|| false)).await);
    assert_eq!((class, code.as_str()), (FailureClass::NeverLeft, OVERTAKEN));
    accepted(&transport.send(&mail("let through", "t"), Gate::open()).await);
    transport.close().await;
    let whole = |path: std::path::PathBuf| std::fs::read_to_string(path).expect("dump");
    let dumps: Vec<String> = std::fs::read_dir(folder.path())
        .expect("folder")
        .map(|entry| whole(entry.expect("entry").path()))
        .collect();
    assert!(dumps.iter().any(|dump| dump.contains("let through")));
    assert!(!dumps.iter().any(|dump| dump.contains("held back")), "not a byte of the message left");
}

#[tokio::test]
async fn a_relay_that_keeps_silent_is_given_up_in_time() {
    let mut file = crate::source("email/smtp/manifest.toml");
    file.text = file.text.replacen("deadline = \"PT30S\"", "deadline = \"PT10S\"", 1);
    let quick = Arc::new(dunwell::provider::manifest::Manifest::read(&file).expect("manifest"));
    // It greets, but takes a minute to let the message come; and one that never greets.
    let slow = smtp_sink(&["-w", "60"]);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("bind");
    let mute = listener.local_addr().expect("address").port();
    // And one that takes the whole message and then says nothing: nobody knows whether it took it.
    let taking = mute_at_the_end().await;
    for (port, class) in [
        (slow.port, FailureClass::NeverLeft),
        (mute, FailureClass::NeverLeft),
        (taking, FailureClass::Uncertain),
    ] {
        let port = port.to_string();
        let settings =
            [("host", "127.0.0.1"), ("port", port.as_str()), ("tls", "none"), ("from", "a@b.example")];
        let transport = open(&quick, &settings);
        let started = Instant::now();
        let (found, _, code) = failure(transport.send(&mail("s", "t"), Gate::open()).await);
        assert_eq!((found, code.as_str()), (class, "timeout"));
        assert!(started.elapsed() < Duration::from_secs(50), "{:?}", started.elapsed());
    }
}

/// A relay that takes commands together knows no such person, and one that waits for the message all the same.
#[tokio::test]
async fn refusals_among_pipelined_commands_are_read_in_their_place() {
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    for data in ["503 5.5.1 no valid recipients\r\n", "354 go ahead\r\n"] {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let port = listener.local_addr().expect("address").port();
        let relaying = tokio::spawn(async move {
            let mut seen = Vec::new();
            for _ in 0..2 {
                let (stream, _) = listener.accept().await.expect("accept");
                let mut stream = BufReader::new(stream);
                stream.write_all(b"220 relay\r\n").await.expect("greet");
                let mut line = String::new();
                while stream.read_line(&mut line).await.unwrap_or(0) > 0 {
                    let reply = match line.get(..4) {
                        Some("EHLO") => "250-relay\r\n250 PIPELINING\r\n",
                        Some("MAIL" | "RSET") => "250 ok\r\n",
                        Some("RCPT") => "550 5.1.1 no such person\r\n",
                        Some("DATA") => data,
                        _ => "500 what\r\n",
                    };
                    seen.push(line.trim_end().to_owned());
                    if stream.write_all(reply.as_bytes()).await.is_err() {
                        break;
                    }
                    line.clear();
                }
                if data.starts_with('5') {
                    break;
                }
            }
            seen
        });
        let transport = relay(port, &[("connections", "1")]);
        for _ in 0..2 {
            let (class, cause, code) = failure(transport.send(&mail("s", "t"), Gate::open()).await);
            assert_eq!((class, cause), (FailureClass::Refused, FailureCause::InvalidAddress), "{code}");
        }
        drop(transport);
        let seen = relaying.await.expect("relay");
        assert_eq!(seen.iter().filter(|line| line.starts_with("RCPT")).count(), 2);
        assert!(
            !seen.iter().any(|line| line.contains("Subject")),
            "nothing of the message was written: {seen:?}"
        );
    }
}

/// A relay that answers every command but the message's end.
async fn mute_at_the_end() -> u16 {
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let port = listener.local_addr().expect("address").port();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("accept");
        let mut stream = BufReader::new(stream);
        stream.write_all(b"220 relay\r\n").await.expect("greet");
        let mut line = String::new();
        while stream.read_line(&mut line).await.expect("read") > 0 {
            let reply: &[u8] = match line.get(..4) {
                Some("EHLO" | "MAIL" | "RCPT") => b"250 ok\r\n",
                Some("DATA") => b"354 go\r\n",
                _ => b"",
            };
            stream.write_all(reply).await.expect("reply");
            line.clear();
        }
    });
    port
}

#[tokio::test]
async fn encrypted_relays_with_a_login_are_spoken_to() {
    let authority = std::fs::read_to_string(root().join("tests/data/tls/ca.pem")).expect("authority");
    for (security, tls) in [(Security::Starttls, "starttls"), (Security::Wrapped, "wrapped")] {
        let server = peer::smtp_server(security);
        let login = [("host", "localhost"), ("tls", tls), ("username", "gw"), ("password", "s3cret-pw")];
        let trusting = [&login[..], &[("ca_pem", authority.as_str())]].concat();
        let transport = relay(server.port, &trusting);
        for _ in 0..3 {
            accepted(&transport.send(&mail("s", "t"), Gate::open()).await);
        }
        let wrong: Vec<(&str, &str)> = trusting
            .iter()
            .map(|pair| if pair.0 == "password" { ("password", "wrong") } else { *pair })
            .collect();
        let (class, cause, code) =
            failure(relay(server.port, &wrong).send(&mail("s", "t"), Gate::open()).await);
        assert_eq!((class, cause), (FailureClass::Refused, FailureCause::Account), "{tls}: {code}");
        // Without the authority the relay is not believed, and no password is told.
        let (class, _, code) = failure(relay(server.port, &login).send(&mail("s", "t"), Gate::open()).await);
        assert_eq!((class, code.as_str()), (FailureClass::NeverLeft, "handshake"), "{tls}");
    }
    let sink = smtp_sink(&[]);
    let (class, _, code) =
        failure(relay(sink.port, &[("tls", "starttls")]).send(&mail("s", "t"), Gate::open()).await);
    assert_eq!((class, code.as_str()), (FailureClass::NeverLeft, "handshake"), "a relay without STARTTLS");
}

/// Without `TCP_NODELAY` every message takes 40 ms or more, whatever the machine; with it the quickest is bound by work alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_do_not_wait_for_acknowledgements() {
    let messages: u32 = if cfg!(debug_assertions) { 400 } else { 40_000 };
    let sink = smtp_sink(&[]);
    let transport = Arc::new(relay(sink.port, &[("connections", "8")]));
    let message = Arc::new(mail("Su cuenta – aviso", &"Hola, señor. ".repeat(30)));
    let started = Instant::now();
    let workers: Vec<_> = (0..8)
        .map(|_| {
            let (transport, message) = (Arc::clone(&transport), Arc::clone(&message));
            tokio::spawn(async move {
                let mut quickest = Duration::MAX;
                for _ in 0..messages / 8 {
                    let started = Instant::now();
                    accepted(&transport.send(&message, Gate::open()).await);
                    quickest = quickest.min(started.elapsed());
                }
                quickest
            })
        })
        .collect();
    let mut quickest = Duration::MAX;
    for worker in workers {
        quickest = quickest.min(worker.await.expect("worker"));
    }
    let rate = f64::from(messages) / started.elapsed().as_secs_f64();
    println!("{rate:.0} messages a second over 8 connections, the quickest in {quickest:?}");
    assert!(quickest < Duration::from_millis(30), "{quickest:?}: connections wait for acknowledgements");
}
