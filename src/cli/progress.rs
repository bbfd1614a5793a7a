//! How far a long command has come: a bar on standard error where somebody watches, nothing where nobody does.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Draws at most so often a second.
const RATE: u8 = 8;

/// A bar over bytes read.
pub fn over_bytes(length: u64) -> ProgressBar {
    bar(length, "{msg:9} [{bar:32}] {bytes}/{total_bytes}, {elapsed_precise}, {eta} left {prefix}")
}

/// A bar over events walked.
pub fn over_events(length: u64) -> ProgressBar {
    bar(length, "{msg:9} [{bar:32}] {human_pos}/{human_len} events, {elapsed_precise}, {eta} left {prefix}")
}

fn bar(length: u64, form: &'static str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr_with_hz(RATE));
    // The forms are constants; one that could not be read would only lose its looks.
    if let Ok(style) = ProgressStyle::with_template(form) {
        bar.set_style(style.progress_chars("=> "));
    }
    bar
}
