//! What the figures were measured on, and how busy others kept it.

use crate::load::quantile_of;
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

/// The machine in one line: processor, cores, memory, kernel.
pub fn facts() -> String {
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let model = field("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown processor".to_owned());
    let memory = field("/proc/meminfo", "MemTotal")
        .and_then(|text| text.trim_end_matches(" kB").parse::<f64>().ok())
        .map_or(0.0, |kibibytes| kibibytes / 1024.0 / 1024.0);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{cores} cores ({model}), {memory:.0} GiB of memory, Linux {}", kernel.trim())
}

fn field(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

/// The load averages of 1, 5 and 15 minutes.
pub fn load_average() -> String {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').take(3).collect::<Vec<_>>().join(" ")
}

/// How long one append of 4 KiB with fdatasync takes in this folder: median and 99th percentile.
pub fn sync_latency(folder: &Path, time: Duration) -> anyhow::Result<String> {
    let path = folder.join("sync.dat");
    let mut file = File::create(&path)?;
    let mut micros = Vec::new();
    let begun = Instant::now();
    while begun.elapsed() < time {
        let asked = Instant::now();
        file.write_all(&[7; 4096])?;
        file.sync_data()?;
        micros.push(u32::try_from(asked.elapsed().as_micros()).unwrap_or(u32::MAX));
    }
    fs::remove_file(&path)?;
    let (half, most) = (quantile_of(&mut micros, 0.5), quantile_of(&mut micros, 0.99));
    Ok(format!("append 4 KiB + fdatasync: p50 {half} us, p99 {most} us ({} syncs)", micros.len()))
}

/// CPU seconds that the whole machine has worked since it started, all cores.
pub fn busy() -> f64 {
    let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
    let ticks: Vec<f64> = stat
        .lines()
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .skip(1)
        .filter_map(|t| t.parse().ok())
        .collect();
    // user, nice, system, irq, softirq; not idle, iowait and steal (proc(5)).
    [0, 1, 2, 5, 6].iter().filter_map(|field| ticks.get(*field)).sum::<f64>() / 100.0
}
