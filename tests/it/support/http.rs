//! HTTP/1.1 as bytes on a socket: a client for the gateway, and the server side for the vendors that we play.

use super::PATIENCE;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};

/// One message as it came over the wire: a request or an answer.
#[derive(Clone, Debug)]
pub struct Message {
    /// `POST /path HTTP/1.1` or `HTTP/1.1 200 OK`.
    pub start: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Message {
    /// Reads one; nothing at the end of the stream.
    pub fn read(from: &mut impl BufRead) -> std::io::Result<Option<Self>> {
        let start = line(from)?;
        if start.is_empty() {
            return Ok(None);
        }
        let mut message = Self { start, headers: Vec::new(), body: Vec::new() };
        loop {
            let header = line(from)?;
            let Some((name, value)) = header.split_once(':') else { break };
            message.headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let length = message.header("content-length").map(|length| length.parse::<u64>().expect("a length"));
        if message.header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
            loop {
                let size = u64::from_str_radix(line(from)?.trim(), 16).expect("a chunk's size");
                from.take(size).read_to_end(&mut message.body)?;
                line(from)?;
                if size == 0 {
                    break;
                }
            }
        } else if let Some(length) = length {
            from.take(length).read_to_end(&mut message.body)?;
        } else if message.start.starts_with("HTTP/") && message.status() != 204 {
            from.read_to_end(&mut message.body)?;
        }
        Ok(Some(message))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub fn status(&self) -> u16 {
        self.start.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status")
    }

    pub fn path(&self) -> &str {
        self.start.split(' ').nth(1).expect("a path")
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; null if there is none.
    #[track_caller]
    pub fn json(&self) -> Value {
        if self.body.is_empty() {
            return Value::Null;
        }
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|e| panic!("not JSON ({e}): {}\n{}", self.start, self.text()))
    }

    /// The body as lines of JSON.
    #[track_caller]
    pub fn ndjson(&self) -> Vec<Value> {
        assert_eq!(
            self.header("content-type").and_then(|kind| kind.split(';').next()),
            Some("application/x-ndjson")
        );
        self.text().lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
    }

    /// The body of an answer that must have this status.
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status(), status, "{}\n{}", self.start, self.text());
        self.json()
    }

    /// The body of an answer that must be a success.
    #[track_caller]
    pub fn ok(&self) -> Value {
        assert!((200..300).contains(&self.status()), "{}\n{}", self.start, self.text());
        self.json()
    }

    /// The problem (RFC 9457) of an answer that must have this status.
    #[track_caller]
    pub fn problem(&self, status: u16) -> Value {
        let problem = self.expect(status);
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{}", self.text());
        for member in ["type", "detail"] {
            assert!(problem[member].as_str().is_some_and(|text| !text.is_empty()), "no {member}: {problem}");
        }
        problem
    }

    /// The JSON Pointers of a 422, sorted.
    #[track_caller]
    pub fn pointers(&self) -> Vec<String> {
        let problem = self.problem(422);
        let errors = problem["errors"].as_array().unwrap_or_else(|| panic!("no errors: {problem}"));
        let mut pointers: Vec<String> = errors
            .iter()
            .map(|error| {
                assert!(
                    error["detail"].as_str().is_some_and(|detail| !detail.is_empty()),
                    "no detail: {problem}"
                );
                error["pointer"].as_str().unwrap_or_else(|| panic!("no pointer: {problem}")).to_owned()
            })
            .collect();
        pointers.sort();
        pointers
    }
}

fn line(from: &mut impl BufRead) -> std::io::Result<String> {
    let mut line = String::new();
    from.read_line(&mut line)?;
    Ok(line.trim_end().to_owned())
}

/// Talks to one address, with one API key or none.
#[derive(Clone)]
pub struct Client {
    pub address: SocketAddr,
    pub key: Option<String>,
}

impl Client {
    /// Sends one request over a connection of its own.
    pub fn try_send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> std::io::Result<Message> {
        let stream = TcpStream::connect_timeout(&self.address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", self.address);
        if let Some(key) = &self.key {
            head += &format!("Authorization: Bearer {key}\r\n");
        }
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        head += &format!("Content-Length: {}\r\n\r\n", body.len());
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(body);
        // A server may answer, and close, before it has read all that it will not take.
        let written = (&stream).write_all(&bytes);
        match Message::read(&mut BufReader::new(&stream))? {
            Some(answer) => Ok(answer),
            None => Err(written.err().unwrap_or_else(|| std::io::ErrorKind::UnexpectedEof.into())),
        }
    }

    #[track_caller]
    pub fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Message {
        self.try_send(method, path, headers, body).unwrap_or_else(|e| panic!("{method} {path}: {e}"))
    }

    #[track_caller]
    fn json(&self, method: &str, path: &str, body: &Value) -> Message {
        self.send(method, path, &[("Content-Type", "application/json")], body.to_string().as_bytes())
    }

    #[track_caller]
    pub fn get(&self, path: &str) -> Message {
        self.send("GET", path, &[], b"")
    }

    #[track_caller]
    pub fn put(&self, path: &str, body: &Value) -> Message {
        self.json("PUT", path, body)
    }

    #[track_caller]
    pub fn post(&self, path: &str, body: &Value) -> Message {
        self.json("POST", path, body)
    }

    #[track_caller]
    pub fn delete(&self, path: &str) -> Message {
        self.send("DELETE", path, &[], b"")
    }

    /// Posts lines as they are.
    #[track_caller]
    pub fn lines(&self, path: &str, lines: &[String]) -> Message {
        let body = lines.iter().map(|line| format!("{line}\n")).collect::<String>();
        self.send("POST", path, &[("Content-Type", "application/x-ndjson")], body.as_bytes())
    }

    /// Every item of a list, page by page.
    #[track_caller]
    pub fn all(&self, path: &str) -> Vec<Value> {
        let (mut items, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let separator = if path.contains('?') { '&' } else { '?' };
            let page = match &cursor {
                Some(cursor) => self.get(&format!("{path}{separator}cursor={}", encode(cursor))),
                None => self.get(path),
            };
            let page = page.expect(200);
            items.extend(
                page["items"].as_array().unwrap_or_else(|| panic!("no items: {page}")).iter().cloned(),
            );
            match page.get("next_cursor") {
                Some(Value::Null) => return items,
                Some(Value::String(next)) => cursor = Some(next.clone()),
                other => panic!("next_cursor is {other:?}"),
            }
            assert!(items.len() < 100_000, "a list without end");
        }
    }
}

/// Percent-encodes everything but letters and digits.
pub fn encode(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => out.push(char::from(byte)),
            _ => out += &format!("%{byte:02X}"),
        }
        out
    })
}

/// The pairs of a form body, decoded, in order.
pub fn form(body: &[u8]) -> Vec<(String, String)> {
    url::form_urlencoded::parse(body).into_owned().collect()
}
