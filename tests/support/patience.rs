//! Waiting for what a test expects, within one process.

use std::time::Duration;

/// Far longer than anything takes, even on a busy machine: only a fault waits so long.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Asks until there is an answer; `None` if none comes.
pub async fn patiently<T>(mut ask: impl AsyncFnMut() -> Option<T>) -> Option<T> {
    let answer = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, answer).await.ok()
}

/// Asks until there is an answer; fails the test, saying what it waited for, if none comes.
pub async fn until<T>(what: &str, ask: impl AsyncFnMut() -> Option<T>) -> T {
    patiently(ask).await.unwrap_or_else(|| panic!("waited {PATIENCE:?} for {what}"))
}
