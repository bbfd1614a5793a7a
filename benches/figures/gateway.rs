//! Dunwell itself, seen from outside only: its configuration, its process, its API.

use crate::child::{Process, free_port};
use crate::load::shown;
use crate::portfolio::Upstream;
use crate::sink::ACCOUNT;
use crate::wire::Connection;
use anyhow::{Context, anyhow};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// An administrator's key, made up for the measurement.
pub const KEY: &str = "bench-key-0123456789abcdef";

/// The secret that the vendor signs its callbacks with, made up likewise.
pub const TOKEN: &str = "bench-token-0123456789abcdef0123";

/// The number that texts come from.
pub const SENDER: &str = "+15005550006";

/// How long a start may take at most.
const START: Duration = Duration::from_secs(120);

/// What a gateway is started with.
#[derive(Clone)]
pub struct Setup {
    /// The program.
    pub binary: PathBuf,
    /// The folder of its store, keys and logs.
    pub folder: PathBuf,
    /// Where its SMS vendor listens.
    pub vendor: SocketAddr,
    /// What it logs, in the syntax of `RUST_LOG`; as shipped, where absent.
    pub log_filter: Option<String>,
    /// The time zone that debtors have stated.
    pub zone: &'static str,
    /// Sets the run apart.
    pub run: i64,
}

/// A running gateway.
pub struct Gateway {
    /// How to write to it.
    pub upstream: Upstream,
    /// Its process.
    pub process: Process,
    begun: Instant,
    setup: Setup,
}

impl Gateway {
    /// Starts `dunwell serve`; it is not ready yet.
    pub fn start(setup: Setup) -> anyhow::Result<Self> {
        std::fs::create_dir_all(&setup.folder)
            .with_context(|| format!("making {}", setup.folder.display()))?;
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()?));
        let configuration = setup.folder.join("dunwell.toml");
        std::fs::write(&configuration, settings(&setup, address))?;
        let mut command = Command::new(&setup.binary);
        command.arg("serve").arg("--config").arg(&configuration).arg("--data").arg(&setup.folder);
        command
            .env("DUNWELL_BOOTSTRAP_KEY", KEY)
            .env_remove("RUST_LOG")
            .envs(setup.log_filter.iter().map(|filter| ("RUST_LOG", filter)))
            .current_dir(env!("CARGO_MANIFEST_DIR"));
        let begun = Instant::now();
        let process = Process::start(&mut command, &setup.log())?;
        let upstream = Upstream { address, key: KEY.to_owned(), zone: setup.zone, run: setup.run };
        Ok(Self { upstream, process, begun, setup })
    }

    /// Starts it and waits until `/readyz` is 200.
    pub async fn ready(setup: Setup) -> anyhow::Result<Self> {
        let mut gateway = Self::start(setup)?;
        let request = crate::stencil::get("/readyz", gateway.upstream.address, KEY);
        gateway.until(request.as_bytes(), 200).await?;
        Ok(gateway)
    }

    /// The time from the start of the process to the first answer 202 to this request, tried all the while.
    pub async fn first_accepted(&mut self, request: &[u8]) -> anyhow::Result<Duration> {
        self.until(request, 202).await
    }

    async fn until(&mut self, request: &[u8], status: u16) -> anyhow::Result<Duration> {
        let mut last = "it never listened".to_owned();
        while self.begun.elapsed() < START {
            let answered = async {
                let mut connection = Connection::open(self.upstream.address).await?;
                let answer = connection.exchange(request).await?;
                std::io::Result::Ok((answer.status == status, shown(&answer)))
            };
            match answered.await {
                Ok((true, _)) => return Ok(self.begun.elapsed()),
                Ok((false, answer)) => last = answer,
                Err(_) => {
                    self.process.alive().map_err(|ended| anyhow!("{ended}; {}", self.setup.end_of_log()))?
                }
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        anyhow::bail!("dunwell was not ready within {START:?}; last: {last}; {}", self.setup.end_of_log())
    }

    /// One request outside of any load; the status and body of its answer.
    pub async fn ask(&self, request: &[u8]) -> anyhow::Result<(u16, String)> {
        let mut connection = Connection::open(self.upstream.address).await?;
        let answer = connection.exchange(request).await?;
        Ok((answer.status, String::from_utf8_lossy(answer.body).into_owned()))
    }

    /// `kill -9`; gives what is needed to start it again.
    pub fn kill(self) -> anyhow::Result<Setup> {
        self.process.kill()?;
        Ok(self.setup)
    }

    /// Ends it as an operator would.
    pub fn stop(self) -> anyhow::Result<Setup> {
        let stopped = self.process.stop(Duration::from_secs(60));
        stopped.map_err(|fault| anyhow!("{fault}; {}", self.setup.end_of_log()))?;
        Ok(self.setup)
    }
}

impl Setup {
    fn log(&self) -> PathBuf {
        self.folder.join("serve.log")
    }

    fn end_of_log(&self) -> String {
        let text = std::fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().rev().take(12).collect();
        format!(
            "the end of {}:\n{}",
            self.log().display(),
            lines.into_iter().rev().collect::<Vec<_>>().join("\n")
        )
    }
}

/// Everything as shipped, except that the vendor is the sink and its throttle never binds.
fn settings(setup: &Setup, address: SocketAddr) -> String {
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = setup.folder.display();
    format!(
        r#"[server]
listen = "{address}"
public_url = "http://{address}"
[store]
url = "sqlite:{folder}/dunwell.db"
[policy]
dir = "{policy}"
packs = ["us-federal", "us-states"]
[templates]
dir = "{templates}"
[manifests]
dir = "{manifests}"
[keys]
master = {{ file = "{folder}/master.key" }}
[collector]
name = "First Recovery LLC"
neutral_name = "FR Services"
address = "1 Main St, Columbus, OH 43004"
phone = "+16145550100"
role = "third_party"
debt_type = "consumer"
[channels.sms]
providers = ["twilio"]
[providers.sms.twilio]
base_url = "http://{vendor}"
account_sid = "{ACCOUNT}"
auth_token = "{TOKEN}"
from = "{SENDER}"
rate_per_second = 1000000
third_party_collections = true
"#,
        policy = project.join("config/policy").display(),
        templates = project.join("templates").display(),
        manifests = project.join("providers").display(),
        vendor = setup.vendor,
    )
}
