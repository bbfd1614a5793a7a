//! Processes that we start, watch and end, each by its own handle.

use anyhow::Context;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Clock ticks a second in `/proc/PID/stat`: 100 on every architecture that Linux and Rust share.
const TICKS: f64 = 100.0;

/// A child that ends with this value.
pub struct Process {
    child: Child,
}

impl Process {
    /// Starts a program whose output goes to this file.
    pub fn start(command: &mut Command, log: &Path) -> anyhow::Result<Self> {
        let output = File::options().create(true).append(true).open(log)?;
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        let child =
            command.spawn().with_context(|| format!("starting {}", command.get_program().display()))?;
        Ok(Self { child })
    }

    /// CPU seconds that the process has used since it began, all threads.
    pub fn cpu(&self) -> anyhow::Result<f64> {
        cpu_of(&self.child.id().to_string())
    }

    /// Resident memory in bytes.
    pub fn memory(&self) -> anyhow::Result<f64> {
        resident(&self.child.id().to_string())
    }

    /// Waits until it has ended well; gives the most memory that it was resident with, in bytes.
    pub fn finish(mut self, within: Duration) -> anyhow::Result<f64> {
        let (begun, mut peak) = (Instant::now(), 0.0_f64);
        while begun.elapsed() < within {
            if let Some(status) = self.child.try_wait()? {
                anyhow::ensure!(status.success(), "it ended with {status}");
                return Ok(peak);
            }
            // The high-water mark only grows; between the last look and the end it may still have.
            peak = peak.max(status_of(&self.child.id().to_string(), "VmHWM:").unwrap_or(0.0));
            std::thread::sleep(Duration::from_millis(5));
        }
        anyhow::bail!("it did not end within {within:?}")
    }

    /// Fails if the process has already ended.
    pub fn alive(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait()? {
            Some(status) => anyhow::bail!("dunwell has ended by itself ({status})"),
            None => Ok(()),
        }
    }

    /// `kill -9`, and waits until it is gone.
    pub fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Asks it to end (SIGTERM) and waits; gives the time that took.
    pub fn stop(mut self, within: Duration) -> anyhow::Result<Duration> {
        let begun = Instant::now();
        // Not reaped yet, so the id is still this child's own.
        Command::new("sh").args(["-c", "kill -TERM \"$0\"", &self.child.id().to_string()]).status()?;
        while begun.elapsed() < within {
            if self.child.try_wait()?.is_some() {
                return Ok(begun.elapsed());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        anyhow::bail!("the program did not end within {within:?} of SIGTERM")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The no-op server, in its own process so that its CPU can be told apart.
pub struct Noop {
    /// The process.
    pub process: Process,
    /// Where it listens.
    pub address: SocketAddr,
}

/// Starts the no-op server: this same executable in another role.
pub fn start_noop() -> anyhow::Result<Noop> {
    let mut command = Command::new(std::env::current_exe()?);
    // It ends itself when its standard input closes, should we be killed.
    command.arg("noop").stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().context("starting the no-op server")?;
    let output = child.stdout.take().context("the no-op server has no output")?;
    let process = Process { child };
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line)?;
    let port: u16 = line.trim().parse().context("the no-op server did not say its port")?;
    Ok(Noop { process, address: SocketAddr::from(([127, 0, 0, 1], port)) })
}

/// Bytes that a bare hash map of so many entries takes, in a process of its own.
pub fn map_memory(entries: u64) -> anyhow::Result<f64> {
    let output = Command::new(std::env::current_exe()?).args(["bare-map", &entries.to_string()]).output()?;
    String::from_utf8_lossy(&output.stdout)
        .trim()
        .parse()
        .context("the hash map's process did not say its memory")
}

/// A free port of loopback (free a moment ago, at least).
pub fn free_port() -> anyhow::Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// CPU seconds of this very process.
pub fn own_cpu() -> anyhow::Result<f64> {
    cpu_of("self")
}

fn cpu_of(process: &str) -> anyhow::Result<f64> {
    let stat =
        fs::read_to_string(format!("/proc/{process}/stat")).context("reading the process's CPU time")?;
    // The name in brackets may hold anything; the fields count from behind it (proc(5): utime is 14, stime 15).
    let (_, rest) = stat.rsplit_once(") ").context("a strange /proc/PID/stat")?;
    let mut fields = rest.split(' ').skip(11).map(str::parse::<f64>);
    let mut ticks = || fields.next().context("a short /proc/PID/stat")?.context("a strange /proc/PID/stat");
    Ok((ticks()? + ticks()?) / TICKS)
}

/// Resident memory of a process (`self`, or an id) in bytes.
pub fn resident(process: &str) -> anyhow::Result<f64> {
    status_of(process, "VmRSS:")
}

/// A size that `/proc/PID/status` names, in bytes.
fn status_of(process: &str, name: &str) -> anyhow::Result<f64> {
    let status =
        fs::read_to_string(format!("/proc/{process}/status")).context("reading the process's memory")?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)).context("no such size")?;
    let kibibytes: f64 = line.trim().trim_end_matches(" kB").trim().parse()?;
    Ok(kibibytes * 1024.0)
}
