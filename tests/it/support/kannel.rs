//! A whole Kannel on loopback: bearerbox, smsbox, and fakesmsc as the network with its handsets.

use super::gateway::{Setup, free_address};
use super::http::Client;
use super::{Process, eventually};
use std::fs::File;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

pub const TOKEN: &str = "kannel-token-of-the-tests";
const PASSWORD: &str = "gwpass-of-the-tests";
const FAKESMSC: &str = "/usr/lib/kannel/test/fakesmsc";

/// Where Kannel listens.
#[derive(Clone, Copy)]
pub struct Ports {
    admin: SocketAddr,
    boxes: SocketAddr,
    network: SocketAddr,
    pub send: SocketAddr,
}

impl Ports {
    pub fn free() -> Self {
        Self { admin: free_address(), boxes: free_address(), network: free_address(), send: free_address() }
    }

    /// What a gateway needs to send texts through it.
    pub fn setup(&self) -> Setup {
        let channels = format!(
            "[channels.sms]\nproviders = [\"kannel\"]\n[providers.sms.kannel]\nbase_url = \"http://{}\"\nusername = \"gw\"\n\
             password = {{ env = \"KANNEL_PASSWORD\" }}\ncallback_token = {{ env = \"KANNEL_TOKEN\" }}\nfrom = \"15005550006\"\n\
             third_party_collections = true\n",
            self.send
        );
        let env = [("KANNEL_PASSWORD", PASSWORD), ("KANNEL_TOKEN", TOKEN)];
        Setup {
            channels,
            env: env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        }
    }

    /// The configuration, as Kannel's user guide describes it and the manifest's note asks.
    fn configuration(&self, gateway: SocketAddr) -> String {
        let (admin, boxes, network, send) =
            (self.admin.port(), self.boxes.port(), self.network.port(), self.send.port());
        format!(
            r#"group = core
admin-port = {admin}
admin-interface = 127.0.0.1
admin-password = bar
smsbox-port = {boxes}
smsbox-interface = 127.0.0.1
box-deny-ip = "*.*.*.*"
box-allow-ip = "127.0.0.1"
dlr-storage = internal

group = smsc
smsc = fake
smsc-id = FAKE
host = 127.0.0.1
port = {network}
connect-allow-ip = 127.0.0.1

group = smsbox
bearerbox-host = 127.0.0.1
sendsms-port = {send}
sendsms-interface = 127.0.0.1

group = sendsms-user
username = gw
password = {PASSWORD}
max-messages = 10
concatenation = true

group = sms-service
keyword = default
catch-all = true
max-messages = 0
get-url = "http://{gateway}/callbacks/sms/kannel/inbound?from=%p&to=%P&text=%a&id=%I&ts=%T&token={TOKEN}"
"#
        )
    }
}

/// Kannel, running; each part ends with the test.
pub struct Kannel {
    ports: Ports,
    /// Kannel takes one connection of it at a time.
    network: Option<Process>,
    _boxes: Vec<Process>,
}

fn start(program: &str, arguments: &[&str], log: &Path) -> Process {
    let log = File::create(log).expect("a log");
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(log.try_clone().expect("a log")).stderr(log);
    Process(command.spawn().unwrap_or_else(|error| panic!("{program}: {error}: run tests/setup.sh")))
}

impl Kannel {
    /// Starts everything for this gateway, and waits until a message could go through.
    #[track_caller]
    pub fn start(ports: Ports, gateway: SocketAddr, dir: &Path) -> Self {
        let file = dir.join("kannel.conf");
        std::fs::write(&file, ports.configuration(gateway)).expect("written");
        let file = file.to_string_lossy().into_owned();
        let mut boxes = vec![start("/usr/sbin/bearerbox", &["-v", "4", &file], &dir.join("bearerbox.log"))];
        let admin = Client { address: ports.admin, key: None };
        let status =
            || admin.try_send("GET", "/status.txt?password=bar", &[], b"").ok().map(|answer| answer.text());
        eventually("Kannel's bearerbox", status);
        boxes.push(start("/usr/sbin/smsbox", &["-v", "4", &file], &dir.join("smsbox.log")));
        let port = ports.network.port().to_string();
        // It must say something once; from this number nobody can have written.
        let network = ["-H", "127.0.0.1", "-r", &port, "-i", "3600", "-m", "1", "0 0 text hello"];
        let network = Some(start(FAKESMSC, &network, &dir.join("network.log")));
        eventually("Kannel to be ready", || {
            status().filter(|text| text.contains("online") && text.contains("smsbox:")).map(drop)
        });
        eventually("Kannel's smsbox", || std::net::TcpStream::connect(ports.send).ok());
        Self { ports, network, _boxes: boxes }
    }

    /// A handset writes one message: the network comes back with it.
    pub fn handset_writes(&mut self, from: &str, to: &str, words: &str, dir: &Path) {
        drop(self.network.take());
        let port = self.ports.network.port().to_string();
        let message = format!("{from} {to} text {words}");
        let network = ["-H", "127.0.0.1", "-r", &port, "-i", "1", "-m", "1", &message];
        self.network = Some(start(FAKESMSC, &network, &dir.join("handset.log")));
    }
}
