//! Waiting for what a test expects, within one process.

use std::time::Duration;

/// Far longer than anything takes, even on a busy machine: only a fault waits so long.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Between two questions.
const POLL: Duration = Duration::from_millis(10);

/// Asks until there is an answer; `None` if none comes.
pub async fn patiently<T>(mut ask: impl AsyncFnMut() -> Option<T>) -> Option<T> {
    // Counted and not measured: a machine that stands still for minutes uses up nobody's patience.
    for _ in 0..PATIENCE.as_millis() / POLL.as_millis() {
        if let Some(answer) = ask().await {
            return Some(answer);
        }
        tokio::time::sleep(POLL).await;
    }
    None
}

/// Asks until there is an answer; fails the test, saying what it waited for, if none comes.
pub async fn until<T>(what: &str, ask: impl AsyncFnMut() -> Option<T>) -> T {
    patiently(ask).await.unwrap_or_else(|| panic!("waited {PATIENCE:?} for {what}"))
}
