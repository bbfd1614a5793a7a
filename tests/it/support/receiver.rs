//! A receiver of webhooks that we did write, and a judge of signatures that we did not: the `standardwebhooks` package of npm.

use super::eventually;
use super::gateway::free_address;
use super::http::Message;
use serde_json::{Value, json};
use std::io::{BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// One webhook as it came.
#[derive(Clone, Debug)]
pub struct Hook {
    pub message: Message,
    /// Whether it was answered with 200 to 299.
    pub taken: bool,
}

impl Hook {
    pub fn id(&self) -> &str {
        self.message.header("webhook-id").expect("an id")
    }

    pub fn body(&self) -> Value {
        self.message.json()
    }

    pub fn kind(&self) -> String {
        self.body()["type"].as_str().expect("a type").to_owned()
    }

    /// The debtor it is about.
    pub fn debtor(&self) -> String {
        self.body()["data"]["debtor_id"].as_str().unwrap_or_default().to_owned()
    }
}

/// What it says to a webhook.
pub enum Reaction {
    /// This status, with these further header lines.
    Status(u16, String),
    /// Nothing for so long, then 200.
    Slow(Duration),
    /// 200, with a body that does not end.
    Endless,
}

/// A receiver on a port of its own.
#[derive(Clone)]
pub struct Receiver {
    pub address: SocketAddr,
    hooks: Arc<Mutex<Vec<Hook>>>,
}

impl Receiver {
    /// One that takes everything.
    pub fn accepting() -> Self {
        Self::start(|_, _| Reaction::Status(200, String::new()))
    }

    /// One that reacts as told; it is also told how many came before.
    pub fn start(react: impl Fn(&Hook, usize) -> Reaction + Send + Sync + 'static) -> Self {
        Self::at(free_address(), react)
    }

    pub fn at(address: SocketAddr, react: impl Fn(&Hook, usize) -> Reaction + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(address).expect("a port");
        let receiver = Self { address, hooks: Arc::default() };
        let (served, react) = (receiver.clone(), Arc::new(react));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (served, react) = (served.clone(), react.clone());
                std::thread::spawn(move || served.serve(&stream, &*react));
            }
        });
        receiver
    }

    fn serve(&self, stream: &TcpStream, react: &(dyn Fn(&Hook, usize) -> Reaction + Send + Sync)) {
        let mut reader = BufReader::new(stream);
        while let Ok(Some(message)) = Message::read(&mut reader) {
            let mut hook = Hook { message, taken: false };
            let reaction = {
                let mut hooks = self.hooks.lock().expect("a lock");
                let reaction = react(&hook, hooks.len());
                hook.taken = match &reaction {
                    Reaction::Status(status, _) => (200..300).contains(status),
                    Reaction::Slow(_) => false,
                    Reaction::Endless => true,
                };
                hooks.push(hook);
                reaction
            };
            let answered = match reaction {
                Reaction::Status(status, headers) => {
                    let head = format!("HTTP/1.1 {status} X\r\n{headers}Content-Length: 2\r\n\r\nok");
                    { stream }.write_all(head.as_bytes())
                }
                Reaction::Slow(pause) => {
                    std::thread::sleep(pause);
                    { stream }.write_all(b"HTTP/1.1 200 X\r\nContent-Length: 0\r\n\r\n")
                }
                Reaction::Endless => {
                    let _gone = { stream }.write_all(b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n");
                    while { stream }.write_all(b"400\r\n").is_ok()
                        && { stream }.write_all(&[b'x'; 0x400]).is_ok()
                        && { stream }.write_all(b"\r\n").is_ok()
                    {}
                    return;
                }
            };
            if answered.is_err() {
                return;
            }
        }
    }

    /// Everything that came so far.
    pub fn hooks(&self) -> Vec<Hook> {
        self.hooks.lock().expect("a lock").clone()
    }

    /// Waits until something came that is looked for.
    #[track_caller]
    pub fn until(&self, what: &str, good: impl Fn(&[Hook]) -> bool) -> Vec<Hook> {
        eventually(what, || Some(self.hooks()).filter(|hooks| good(hooks)))
    }

    /// Waits for the first webhook of a type.
    #[track_caller]
    pub fn first(&self, kind: &str) -> Hook {
        let hooks = self.until(kind, |hooks| hooks.iter().any(|hook| hook.taken && hook.kind() == kind));
        hooks.into_iter().find(|hook| hook.taken && hook.kind() == kind).expect("it is there")
    }

    /// The configuration of a webhook that leads here; further keys as given.
    pub fn table(&self, path: &str, secret: &str, further: &str) -> String {
        format!(
            "[[webhooks]]\nurl = \"http://{}{path}\"\nsecret = {secret}\nallow_private = true\n{further}\n",
            self.address
        )
    }
}

/// What the `standardwebhooks` package says of each webhook under a secret: it throws at whatever is not genuine.
#[track_caller]
pub fn judge(secret: &str, hooks: &[Hook]) -> Vec<bool> {
    const SCRIPT: &str = r#"
        const { Webhook } = require("standardwebhooks");
        const { secret, hooks } = JSON.parse(require("fs").readFileSync(0, "utf8"));
        console.log(JSON.stringify(hooks.map(({ headers, body }) => {
            try { new Webhook(secret).verify(body, headers); return true; } catch { return false; }
        })));"#;
    let asked: Vec<Value> = hooks
        .iter()
        .map(|hook| {
            let headers: serde_json::Map<_, _> =
                hook.message.headers.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
            json!({"headers": headers, "body": hook.message.text()})
        })
        .collect();
    let peers = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers");
    let mut command = Command::new("node");
    command.args(["-e", SCRIPT]).current_dir(peers).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("node is there: run tests/setup.sh");
    let question = json!({"secret": secret, "hooks": asked}).to_string();
    child.stdin.take().expect("a pipe").write_all(question.as_bytes()).expect("written");
    let output = child.wait_with_output().expect("a child");
    assert!(output.status.success(), "standardwebhooks did not answer: run tests/setup.sh");
    serde_json::from_slice(&output.stdout).expect("a list")
}
