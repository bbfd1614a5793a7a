//! A short message centre that nobody here wrote: `tests/peers/smsc.js`, running on the npm package `smpp`.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Far longer than anything takes, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A centre that ends with its test.
pub struct Centre {
    child: Child,
    stdin: Mutex<ChildStdin>,
    told: Arc<Mutex<Vec<Value>>>,
    marks: AtomicUsize,
    pub port: u16,
}

impl Drop for Centre {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Centre {
    /// One that answers as `smsc.js` describes, with these words of its command line.
    #[track_caller]
    pub fn start(words: &[&str]) -> Self {
        let program = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/peers/smsc.js");
        let mut command = Command::new("node");
        command.arg(program).args(words).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("node is there: run tests/setup.sh");
        let stdin = Mutex::new(child.stdin.take().expect("a pipe"));
        let stdout = BufReader::new(child.stdout.take().expect("a pipe"));
        let told: Arc<Mutex<Vec<Value>>> = Arc::default();
        let hears = Arc::clone(&told);
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let event = serde_json::from_str(&line).unwrap_or_else(|_| panic!("smsc.js says {line}"));
                hears.lock().expect("a lock").push(event);
            }
        });
        let mut centre = Self { child, stdin, told, marks: AtomicUsize::new(0), port: 0 };
        let port = centre.wait_for("listening", 1)[0]["listening"].as_u64().expect("a port");
        centre.port = u16::try_from(port).expect("a port");
        centre
    }

    /// Everything of this kind that happened there before this was asked: what it has answered, it has told of.
    #[track_caller]
    pub fn heard(&self, kind: &str) -> Vec<Value> {
        let mark = self.marks.fetch_add(1, Ordering::Relaxed) + 1;
        self.tell(&json!({"mark": mark}));
        self.wait_for("marked", mark);
        self.read(kind)
    }

    /// What has been read of it.
    fn read(&self, kind: &str) -> Vec<Value> {
        self.told.lock().expect("a lock").iter().filter(|event| !event[kind].is_null()).cloned().collect()
    }

    /// Waits until so much of this kind has happened there.
    #[track_caller]
    pub fn wait_for(&self, kind: &str, count: usize) -> Vec<Value> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let heard = self.read(kind);
            if heard.len() >= count {
                return heard;
            }
            let all = self.told.lock().expect("a lock").clone();
            assert!(
                Instant::now() < deadline,
                "waited for {count} × {kind}, heard {all:#?}: run tests/setup.sh"
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Tells it to do something.
    #[track_caller]
    pub fn tell(&self, what: &Value) {
        writeln!(self.stdin.lock().expect("a lock"), "{what}").expect("smsc.js listens");
    }
}
