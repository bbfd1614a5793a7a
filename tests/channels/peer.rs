//! Starting and stopping the strangers.

use crate::patience::PATIENCE;
use crate::ports::free_address;
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a peer may take to answer: minutes, where many builds share the machine.
const MINUTES: Duration = PATIENCE.saturating_mul(4);

/// A peer that ends with its test.
pub struct Peer {
    child: Child,
    pub port: u16,
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is gone.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that nobody listens on, and that nobody else is given.
pub fn free_port() -> u16 {
    free_address().port()
}

fn start(mut command: Command, port: u16, patience: Duration) -> Peer {
    let name = format!("{command:?}");
    let install = "is not installed: run tests/setup.sh";
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    let mut child = child.unwrap_or_else(|error| panic!("{name} {install} ({error})"));
    let started = Instant::now();
    while TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)), Duration::from_secs(1))
        .is_err()
    {
        if let Some(status) = child.try_wait().expect("status") {
            let mut why = String::new();
            let _ = child.stderr.take().map(|mut stderr| stderr.read_to_string(&mut why));
            panic!("{name} ended with {status}, perhaps it {install}\n{why}");
        }
        assert!(started.elapsed() < patience, "{name} does not answer on port {port}");
        std::thread::sleep(Duration::from_millis(20));
    }
    // Nobody reads on: a full pipe must not stop the peer.
    if let Some(mut stderr) = child.stderr.take() {
        std::thread::spawn(move || std::io::copy(&mut stderr, &mut std::io::sink()));
    }
    Peer { child, port }
}

/// Postfix's sink for mail, as its manual page describes the options.
pub fn smtp_sink(options: &[&str]) -> Peer {
    smtp_sink_at(free_port(), options)
}

pub fn smtp_sink_at(port: u16, options: &[&str]) -> Peer {
    let program =
        ["/usr/sbin/smtp-sink", "smtp-sink"].into_iter().find(|path| std::path::Path::new(path).exists());
    let mut command = Command::new(program.unwrap_or("smtp-sink"));
    // As root it wants to be told whose rights to take; anybody else keeps his own.
    if std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").expect("Linux")) == 0 {
        command.args(["-u", "root"]);
    }
    command.args(options).arg(format!("127.0.0.1:{port}")).arg("128");
    start(command, port, MINUTES)
}

/// Prism, running the vendor's own specification and refusing what breaks it.
pub fn prism(specification: &str) -> Peer {
    let port = free_port();
    let root = super::root();
    let program = root.join("tests/peers/node_modules/.bin/prism");
    assert!(program.exists(), "{} is not installed: run tests/setup.sh", program.display());
    let mut command = Command::new("node");
    command.arg(program).args(["mock", "-h", "127.0.0.1", "-p", &port.to_string(), "--errors"]);
    command.arg(root.join("tests/data/vendors").join(specification));
    start(command, port, MINUTES)
}

/// An authorization server, oidc-provider, with the clients `by-header` and `by-body`.
pub fn authority() -> Peer {
    let port = free_port();
    let peers = super::root().join("tests/peers");
    assert!(
        peers.join("node_modules/oidc-provider").exists(),
        "oidc-provider is not installed: run tests/setup.sh"
    );
    let mut command = Command::new("node");
    command.current_dir(peers).args(["authority.mjs", &port.to_string()]);
    start(command, port, MINUTES)
}

/// How the other mail server is reached.
#[derive(Clone, Copy)]
pub enum Security {
    Starttls,
    Wrapped,
}

/// Nodemailer's smtp-server with a certificate of our own test authority. It wants a login, `gw` with `s3cret-pw`, and
/// takes mail only over an encrypted connection.
pub fn smtp_server(security: Security) -> Peer {
    const PROGRAM: &str = r#"
        const { SMTPServer } = require("smtp-server");
        const fs = require("fs");
        const [port, wrapped, folder] = process.argv.slice(1);
        new SMTPServer({
            secure: wrapped === "true", authOptional: false,
            key: fs.readFileSync(folder + "/localhost.key"), cert: fs.readFileSync(folder + "/localhost.pem"),
            onAuth: (auth, session, done) => auth.username === "gw" && auth.password === "s3cret-pw" && session.secure
                ? done(null, { user: "gw" }) : done(Object.assign(new Error("no"), { responseCode: 535 })),
            onData: (stream, session, done) => { stream.resume(); stream.on("end", () => done(null, "taken")); },
        }).on("error", () => {}).listen(Number(port), "127.0.0.1"); // clients that hang up must not end it
    "#;
    let port = free_port();
    let root = super::root();
    let peers = root.join("tests/peers");
    assert!(
        peers.join("node_modules/smtp-server").exists(),
        "smtp-server is not installed: run tests/setup.sh"
    );
    let mut command = Command::new("node");
    let wrapped = matches!(security, Security::Wrapped).to_string();
    command.current_dir(peers).args(["-e", PROGRAM, "--", &port.to_string(), &wrapped]);
    command.arg(root.join("tests/data/tls"));
    start(command, port, MINUTES)
}
