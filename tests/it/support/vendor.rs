//! Vendors of texts and calls that we play: a Twilio of our own making, judged by Prism on Twilio's own specification.

use super::gateway::{Setup, free_address};
use super::http::{Client, Message, form};
use super::{Process, eventually};
use aws_lc_rs::hmac;
use base64::{Engine, prelude::BASE64_STANDARD};
use std::collections::BTreeSet;
use std::io::{BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub const ACCOUNT_SID: &str = "AC00000000000000000000000000000001";
pub const AUTH_TOKEN: &str = "12345678901234567890123456789012";

/// How the vendor answers one message.
#[derive(Clone, Copy)]
pub enum Answer {
    /// Takes it, after a while.
    Accept(Duration),
    /// Refuses it with an HTTP status and an error code of its own.
    Refuse(u16, u32),
    /// Reads it, and closes the connection without a word.
    HangUp,
}

/// One message that the vendor got.
#[derive(Clone, Debug)]
pub struct Text {
    pub form: Vec<(String, String)>,
    /// The message's id, which the vendor gave it.
    pub sid: String,
}

impl Text {
    #[track_caller]
    pub fn get(&self, name: &str) -> &str {
        let field = self.form.iter().find(|(key, _)| key == name);
        field.map(|(_, value)| value.as_str()).unwrap_or_else(|| panic!("no {name} in {:?}", self.form))
    }
}

/// The vendor: it takes `POST …/Messages.json` and `…/Calls.json`, and remembers.
#[derive(Clone)]
pub struct Twilio {
    pub address: SocketAddr,
    received: Arc<Mutex<Vec<Text>>>,
    complaints: Arc<Mutex<Vec<String>>>,
    judge: Option<Client>,
    unjudged: Arc<Mutex<Vec<Message>>>,
}

impl Twilio {
    /// One that takes everything at once.
    pub fn accepting() -> Self {
        Self::start(None, |_| Answer::Accept(Duration::ZERO))
    }

    /// One that answers as told; with a judge, it is also asked there what Twilio's specification says of each request.
    pub fn start(judge: Option<Client>, answer: impl Fn(&Text) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(free_address()).expect("a port");
        let twilio = Self {
            address: listener.local_addr().expect("an address"),
            received: Arc::default(),
            complaints: Arc::default(),
            judge,
            unjudged: Arc::default(),
        };
        let (vendor, answer) = (twilio.clone(), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (vendor, answer) = (vendor.clone(), Arc::clone(&answer));
                std::thread::spawn(move || vendor.serve(&stream, &*answer));
            }
        });
        twilio
    }

    fn serve(&self, stream: &TcpStream, answer: &(dyn Fn(&Text) -> Answer + Send + Sync)) {
        let mut reader = BufReader::new(stream);
        while let Ok(Some(request)) = Message::read(&mut reader) {
            let form = form(&request.body);
            let letters = if is_call(&form) { "CA" } else { "SM" };
            let sid = format!("{letters}{:032x}", self.received.lock().expect("a lock").len());
            let text = Text { form, sid: sid.clone() };
            self.check(&request);
            self.unjudged.lock().expect("a lock").push(request);
            self.received.lock().expect("a lock").push(text.clone());
            let (status, body) = match answer(&text) {
                Answer::Accept(after) => {
                    std::thread::sleep(after);
                    (201, accepted(&text))
                }
                Answer::Refuse(status, code) => {
                    let more = format!("https://www.twilio.com/docs/errors/{code}");
                    let body = serde_json::json!({"code": code, "message": "refused", "more_info": more, "status": status});
                    (status, body.to_string())
                }
                Answer::HangUp => return,
            };
            let head = format!(
                "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            if { stream }.write_all((head + &body).as_bytes()).is_err() {
                return;
            }
        }
    }

    fn check(&self, request: &Message) {
        let mut complaints = self.complaints.lock().expect("a lock");
        let what = if is_call(&form(&request.body)) { "Calls" } else { "Messages" };
        let expected = format!("POST /2010-04-01/Accounts/{ACCOUNT_SID}/{what}.json HTTP/1.1");
        if request.start != expected {
            complaints.push(format!("{} instead of {expected}", request.start));
        }
        if request.header("authorization") != Some(&credentials()) {
            complaints.push("wrong credentials".to_owned());
        }
    }

    /// Asks the judge about what came since; not before the answer, for which the gateway waits no longer than it says.
    fn judge(&self) {
        let unjudged = std::mem::take(&mut *self.unjudged.lock().expect("a lock"));
        let Some(judge) = &self.judge else { return };
        for request in unjudged {
            let kind = request.header("content-type").unwrap_or_default();
            let headers = [("Content-Type", kind), ("Authorization", &credentials())];
            let verdict = judge.send("POST", request.path(), &headers, &request.body);
            if verdict.status() != 201 {
                let complaint = format!("the specification says {}: {}", verdict.status(), verdict.text());
                self.complaints.lock().expect("a lock").push(complaint);
            }
        }
    }

    /// What it got so far; fails if anything of it was not as Twilio wants it.
    #[track_caller]
    pub fn received(&self) -> Vec<Text> {
        let received = self.received.lock().expect("a lock").clone();
        self.judge();
        let complaints = self.complaints.lock().expect("a lock");
        assert!(complaints.is_empty(), "the vendor complains: {complaints:#?}");
        received
    }

    /// Waits until it has got so many.
    #[track_caller]
    pub fn wait_for(&self, count: usize) -> Vec<Text> {
        eventually(&format!("{count} messages at the vendor"), || {
            Some(self.received()).filter(|texts| texts.len() >= count)
        })
    }

    /// What a gateway needs to send texts here.
    pub fn setup(&self, rate_per_second: u32) -> Setup {
        self.setup_of("sms", rate_per_second)
    }

    /// What a gateway needs to call over here.
    pub fn calls(&self) -> Setup {
        self.setup_of("voice", 100)
    }

    fn setup_of(&self, channel: &str, rate_per_second: u32) -> Setup {
        let channels = format!(
            r#"
[channels.{channel}]
providers = ["twilio"]
[providers.{channel}.twilio]
base_url = "http://{}"
account_sid = "{ACCOUNT_SID}"
auth_token = {{ env = "TWILIO_AUTH_TOKEN" }}
from = "+15005550006"
rate_per_second = {rate_per_second}
third_party_collections = true
"#,
            self.address
        );
        Setup { channels, env: vec![("TWILIO_AUTH_TOKEN".to_owned(), AUTH_TOKEN.to_owned())] }
    }
}

fn credentials() -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{ACCOUNT_SID}:{AUTH_TOKEN}")))
}

/// Whether a form asks for a call: it says where the vendor learns what to say.
fn is_call(form: &[(String, String)]) -> bool {
    form.iter().any(|(name, _)| name == "Url")
}

fn accepted(text: &Text) -> String {
    let field = |name| text.form.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    serde_json::json!({
        "sid": text.sid, "account_sid": ACCOUNT_SID, "status": "queued", "direction": "outbound-api",
        "to": field("To"), "from": field("From"), "body": field("Body"), "num_segments": "1", "num_media": "0",
        "error_code": null, "error_message": null, "api_version": "2010-04-01", "price_unit": "USD",
    })
    .to_string()
}

/// The signature that Twilio puts on a form: base64(HMAC-SHA1(token, URL and every sorted name and value)).
pub fn signature(token: &str, url: &str, fields: &[(&str, &str)]) -> String {
    let sorted: BTreeSet<_> = fields.iter().collect();
    let signed = sorted.iter().fold(url.to_owned(), |text, (name, value)| text + name + value);
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, token.as_bytes());
    BASE64_STANDARD.encode(hmac::sign(&key, signed.as_bytes()))
}

/// Prism, running a vendor's own OpenAPI file: a client to it, and the process.
pub fn prism(specification: &str) -> (Client, Process) {
    let root = env!("CARGO_MANIFEST_DIR");
    let address = free_address();
    let program = format!("{root}/tests/peers/node_modules/@stoplight/prism-cli/dist/index.js");
    let mut command = Command::new("node");
    command.args([&program, "mock", "--errors", "-h", "127.0.0.1", "-p", &address.port().to_string()]);
    command
        .arg(format!("{root}/{specification}"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut process = Process(command.spawn().expect("node is there: run tests/setup.sh"));
    let client = Client { address, key: None };
    eventually("Prism to be ready", || {
        let ended = process.0.try_wait().expect("a child");
        assert!(
            ended.is_none(),
            "Prism ended with {ended:?}: run tests/setup.sh, and see that {specification} is there"
        );
        client.try_send("GET", "/", &[], b"").ok().map(|_| ())
    });
    (client, process)
}
