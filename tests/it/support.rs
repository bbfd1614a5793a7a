//! What the black-box tests stand on: the program as a child process, a plain HTTP client, sample people, and the peers.

pub mod attempts;
pub mod centre;
pub mod gateway;
pub mod http;
pub mod kannel;
pub mod mail;
#[path = "../support/ports.rs"]
pub mod ports;
pub mod postfix;
pub mod receiver;
pub mod sample;
pub mod sdk;
pub mod vendor;

use std::process::Child;
use std::time::Duration;

/// Far longer than anything takes, even on a busy machine: only a fault waits so long.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Asks until there is an answer; fails the test, saying what it waited for, if none comes.
#[track_caller]
pub fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    const POLL: Duration = Duration::from_millis(20);
    // Counted and not measured: a machine that stands still for minutes uses up nobody's patience.
    for _ in 0..PATIENCE.as_millis() / POLL.as_millis() {
        if let Some(answer) = ask() {
            return answer;
        }
        std::thread::sleep(POLL);
    }
    panic!("waited {PATIENCE:?} for {what}")
}

/// A process that dies with the test.
pub struct Process(pub Child);

impl Process {
    /// Sends a signal by its name, as `kill` does.
    pub fn signal(&self, name: &str) {
        let status =
            std::process::Command::new("kill").args([&format!("-{name}"), &self.0.id().to_string()]).status();
        assert!(status.expect("kill is there").success(), "process {} is gone", self.0.id());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
