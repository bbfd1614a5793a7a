//! Voice vendors' own SDKs, asked over a pipe: they sign what the vendor would sign, and judge what the vendor would read.

use super::Process;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::process::{ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Mutex;

/// `tests/peers/voice.js`, running.
pub struct Sdk {
    pipes: Mutex<(ChildStdin, BufReader<ChildStdout>)>,
    _process: Process,
}

impl Sdk {
    #[track_caller]
    pub fn start() -> Self {
        let program = format!("{}/tests/peers/voice.js", env!("CARGO_MANIFEST_DIR"));
        let mut command = Command::new("node");
        command.arg(program).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = Process(command.spawn().expect("node is there: run tests/setup.sh"));
        let stdin = process.0.stdin.take().expect("a pipe");
        let stdout = BufReader::new(process.0.stdout.take().expect("a pipe"));
        Self { pipes: Mutex::new((stdin, stdout)), _process: process }
    }

    #[track_caller]
    fn ask(&self, question: &Value) -> Value {
        let mut pipes = self.pipes.lock().expect("a lock");
        writeln!(pipes.0, "{question}").expect("voice.js listens");
        let mut line = String::new();
        pipes.1.read_line(&mut line).expect("voice.js answers");
        let answer: Value =
            serde_json::from_str(&line).unwrap_or_else(|_| panic!("voice.js ended: run tests/setup.sh"));
        assert!(answer["error"].is_null(), "{question}: {}", answer["error"]);
        answer["answer"].clone()
    }

    #[track_caller]
    fn text(&self, question: &Value) -> String {
        self.ask(question).as_str().expect("a text").to_owned()
    }

    /// The signature that Twilio's SDK expects of a form.
    #[track_caller]
    pub fn twilio_signature(&self, token: &str, url: &str, fields: &[(&str, &str)]) -> String {
        let params: Value = fields.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        self.text(&json!({"ask": "twilio-sign", "token": token, "url": url, "params": params}))
    }

    /// The token that Vonage puts on a webhook, which its SDK believes.
    #[track_caller]
    pub fn vonage_token(&self, secret: &str, body: &str) -> String {
        let now = jiff::Timestamp::now().as_second();
        self.text(&json!({"ask": "vonage-sign", "secret": secret, "body": body, "now": now}))
    }

    /// The claims of a token of ours, which Vonage's SDK believes.
    #[track_caller]
    pub fn believed(&self, token: &str, private_key: &str) -> Value {
        let verdict = self.ask(&json!({"ask": "vonage-believes", "token": token, "key": private_key}));
        assert_eq!(verdict["believed"], true, "{verdict}");
        verdict["claims"].clone()
    }

    /// What is wrong with a document of this kind, `twiml` or `ncco`.
    #[track_caller]
    pub fn faults(&self, kind: &str, document: &str) -> Vec<Value> {
        self.ask(&json!({"ask": kind, "text": document})).as_array().expect("a list").clone()
    }
}
