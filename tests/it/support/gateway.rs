//! The program under test, as a child process with its own port, directory and configuration.

use super::http::Client;
pub use super::ports::free_address;
use super::{Process, eventually};
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// The administrator's key of every test.
pub const BOOTSTRAP_KEY: &str = "bootstrap-key-of-the-tests";
const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// What a test may choose before the start.
#[derive(Clone, Default)]
pub struct Setup {
    /// Tables that follow the common ones, such as channels and providers; all on the sandbox if empty.
    pub channels: String,
    pub env: Vec<(String, String)>,
}

/// A gateway: its directory, its port, and the process while it runs.
pub struct Gateway {
    pub address: SocketAddr,
    dir: tempfile::TempDir,
    setup: Setup,
    process: Option<Process>,
}

impl Gateway {
    /// Starts one on sandbox providers.
    #[track_caller]
    pub fn start() -> Self {
        Self::with(Setup::default())
    }

    #[track_caller]
    pub fn with(setup: Setup) -> Self {
        let mut gateway = Self::unstarted(setup);
        gateway.run();
        gateway
    }

    /// Everything in place, but no process.
    pub fn unstarted(setup: Setup) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        fs::create_dir(dir.path().join("data")).expect("a directory");
        let gateway = Self { address: free_address(), dir, setup, process: None };
        fs::write(gateway.config_path(), gateway.config()).expect("written");
        gateway
    }

    fn config(&self) -> String {
        let channels = if self.setup.channels.is_empty() { SANDBOX } else { &self.setup.channels };
        let data = self.data_dir();
        format!(
            r#"
[server]
listen = "{address}"
public_url = "http://{address}"
[store]
url = "sqlite:{data}/dunwell.db"
[policy]
dir = "{ROOT}/config/policy"
packs = ["us-federal"]
[templates]
dir = "{ROOT}/templates"
[manifests]
dir = "{ROOT}/providers"
[keys]
master = {{ file = "{data}/master.key" }}
[collector]
name = "First Recovery LLC"
neutral_name = "FR Services"
address = "1 Main St, Columbus, OH 43004"
phone = "+16145550100"
role = "third_party"
debt_type = "consumer"
{channels}"#,
            address = self.address,
            data = data.display(),
        )
    }

    /// Starts the process and waits until it is ready.
    #[track_caller]
    pub fn run(&mut self) {
        assert!(self.process.is_none(), "it runs already");
        let log = fs::OpenOptions::new().create(true).append(true).open(self.log_path()).expect("a log");
        let mut command = self.command(&["serve", "--listen", &self.address.to_string()]);
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("a log")).stderr(log);
        self.process = Some(Process(command.spawn().expect("the program starts")));
        eventually("the gateway to be ready", || {
            let child = &mut self.process.as_mut()?.0;
            if let Some(status) = child.try_wait().expect("a child") {
                panic!(
                    "the gateway ended with {status}:\n{}",
                    fs::read_to_string(self.log_path()).unwrap_or_default()
                );
            }
            let answer = self.anyone().try_send("GET", "/readyz", &[], b"").ok()?;
            (answer.status() == 200).then_some(())
        });
    }

    /// The program with this gateway's configuration and data, from a directory of its own.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dunwell"));
        command.arg(arguments[0]).arg("--config").arg(self.config_path()).arg("--data").arg(self.data_dir());
        command
            .args(&arguments[1..])
            .current_dir(self.dir.path())
            .env("DUNWELL_BOOTSTRAP_KEY", BOOTSTRAP_KEY);
        command.envs(self.setup.env.iter().cloned());
        command
    }

    /// Runs a command of the program to its end.
    #[track_caller]
    pub fn tool(&self, arguments: &[&str]) -> Output {
        self.command(arguments).stdin(Stdio::null()).output().expect("the program starts")
    }

    /// A client with an administrator's key.
    pub fn admin(&self) -> Client {
        Client { address: self.address, key: Some(BOOTSTRAP_KEY.to_owned()) }
    }

    /// A client without a key.
    pub fn anyone(&self) -> Client {
        Client { address: self.address, key: None }
    }

    /// A client with a new key of this role.
    #[track_caller]
    pub fn role(&self, role: &str) -> Client {
        let output = self.tool(&["keys", "create", "--role", role, "--name", &format!("tests-{role}")]);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
        let key = text.split_whitespace().last().expect("the key is the last word that it prints").to_owned();
        Client { address: self.address, key: Some(key) }
    }

    /// Ends it as a power cut would.
    pub fn kill(&mut self) {
        let mut process = self.process.take().expect("it runs");
        process.0.kill().expect("killed");
        process.0.wait().expect("a child");
    }

    /// Asks it to end, and waits until it has; its exit code.
    #[track_caller]
    pub fn stop(&mut self) -> Option<i32> {
        self.ask_to_stop();
        self.ended()
    }

    pub fn ask_to_stop(&self) {
        self.process.as_ref().expect("it runs").signal("TERM");
    }

    /// Waits until it has ended; its exit code.
    #[track_caller]
    pub fn ended(&mut self) -> Option<i32> {
        let mut process = self.process.take().expect("it runs");
        eventually("the gateway to end", || process.0.try_wait().expect("a child")).code()
    }

    pub fn config_path(&self) -> PathBuf {
        self.dir.path().join("dunwell.toml")
    }

    pub fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    pub fn database(&self) -> PathBuf {
        self.data_dir().join("dunwell.db")
    }

    pub fn log_path(&self) -> PathBuf {
        self.dir.path().join("gateway.log")
    }

    pub fn dir(&self) -> &Path {
        self.dir.path()
    }
}

const SANDBOX: &str = r#"
[channels.sms]
providers = ["sandbox"]
[channels.email]
providers = ["sandbox"]
[channels.voice]
providers = ["sandbox"]
[channels.portal]
providers = ["inbox"]
"#;
