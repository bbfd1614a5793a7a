//! A mail server that we did not write (Postfix's smtp-sink), and a reader of mail that we did not write (Python's).

use super::gateway::{Setup, free_address};
use super::{Process, eventually};
use serde_json::Value;
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

/// A mail server that keeps what it gets.
pub struct MailServer {
    pub address: SocketAddr,
    dir: tempfile::TempDir,
    _process: Process,
}

impl MailServer {
    /// One that takes everything.
    pub fn start() -> Self {
        Self::with(&[])
    }

    /// One with options of smtp-sink, such as `-f RCPT` to refuse every recipient.
    pub fn with(options: &[&str]) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let address = free_address();
        let program =
            ["/usr/sbin/smtp-sink", "smtp-sink"].into_iter().find(|path| fs::metadata(path).is_ok());
        let mut command = Command::new(program.unwrap_or("smtp-sink"));
        // Started by root it wants to become somebody else, who must be able to write there.
        let uid = Command::new("id").arg("-u").output().expect("id is there").stdout;
        if uid.trim_ascii() == b"0" {
            command.args(["-u", "postfix"]);
        }
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).expect("permissions");
        command.args(options).arg("-d").arg(dir.path().join("%H%M%S."));
        command
            .args([&address.to_string(), "100"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let process = Process(command.spawn().expect("smtp-sink is there: run tests/setup.sh"));
        eventually("smtp-sink to listen", || TcpStream::connect(address).ok());
        Self { address, dir, _process: process }
    }

    /// What a gateway needs to send mail here.
    pub fn setup(&self) -> Setup {
        let channels = format!(
            r#"
[channels.email]
providers = ["smtp"]
[providers.email.smtp]
host = "127.0.0.1"
port = {}
tls = "none"
from = "First Recovery <notices@recovery.example>"
"#,
            self.address.port()
        );
        Setup { channels, env: Vec::new() }
    }

    /// The messages so far, as they came over the wire.
    pub fn raw(&self) -> Vec<Vec<u8>> {
        let entries = fs::read_dir(self.dir.path()).expect("a directory");
        entries.map(|entry| fs::read(entry.expect("an entry").path()).expect("a message")).collect()
    }

    /// Waits until so many have come, and reads them.
    #[track_caller]
    pub fn wait_for(&self, count: usize) -> Vec<Value> {
        let whole = |message: &Vec<u8>| message.ends_with(b"\n\n");
        let raw = eventually(&format!("{count} mails"), || {
            let raw: Vec<_> = self.raw().into_iter().filter(whole).collect();
            (raw.len() >= count).then_some(raw)
        });
        raw.iter().map(|message| read(message)).collect()
    }
}

/// Reads a message: `{headers: {name: value}, parts: [{type, text}], defects: […]}`, names in lower case.
pub fn read(message: &[u8]) -> Value {
    const READER: &str = r#"
import email, email.policy, json, sys
m = email.message_from_bytes(sys.stdin.buffer.read(), policy=email.policy.default)
parts = [{"type": p.get_content_type(), "text": p.get_content()} for p in m.walk() if not p.is_multipart()]
defects = [repr(d) for p in m.walk() for d in p.defects]
json.dump({"headers": {k.lower(): str(v) for k, v in m.items()}, "type": m.get_content_type(), "parts": parts,
           "defects": defects}, sys.stdout)
"#;
    let mut command = Command::new("python3");
    let mut child = command
        .args(["-c", READER])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 is there");
    std::io::Write::write_all(&mut child.stdin.take().expect("a pipe"), message).expect("written");
    let output = child.wait_with_output().expect("a reader");
    assert!(output.status.success(), "Python cannot read {}", String::from_utf8_lossy(message));
    serde_json::from_slice(&output.stdout).expect("JSON")
}
