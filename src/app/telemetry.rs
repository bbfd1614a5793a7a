//! Logs: one JSON object a line while serving, plain lines otherwise; never anything personal.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// How a log line looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogForm {
    /// For machines.
    Json,
    /// For people: only what is wrong.
    Plain,
}

/// Starts logging to standard error. `filter` is in the syntax of `RUST_LOG`; what it gets wrong is left out.
pub fn start(form: LogForm, filter: Option<&str>) {
    let usual = match form {
        LogForm::Json => "info",
        LogForm::Plain => "error",
    };
    let filter = EnvFilter::builder().parse_lossy(filter.unwrap_or(usual));
    let registry = tracing_subscriber::registry().with(filter);
    // Only the first start in a process counts; a test may start more than one gateway.
    let _already = match form {
        LogForm::Json => {
            let layer = tracing_subscriber::fmt::layer()
                .json()
                .flatten_event(true)
                .with_current_span(true)
                .with_span_list(false)
                .with_writer(std::io::stderr);
            registry.with(layer).try_init()
        }
        LogForm::Plain => {
            let layer = tracing_subscriber::fmt::layer()
                .without_time()
                .with_target(false)
                .with_writer(std::io::stderr);
            registry.with(layer).try_init()
        }
    };
}
