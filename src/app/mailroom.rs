//! The listener for mail that comes in, wired to the pipeline.

use crate::channel::email::listener::{self, Inbox, Take};
use crate::config::InboundEmail;
use crate::pipeline::Pipeline;
use anyhow::Context;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// The socket, taken before the store is touched.
pub async fn bind(inbound: &InboundEmail) -> anyhow::Result<TcpListener> {
    let bound = TcpListener::bind(inbound.listen).await;
    bound.with_context(|| format!("cannot listen for mail on {}", inbound.listen))
}

/// Takes mail in until it is told to stop.
pub async fn serve(
    listener: TcpListener,
    inbound: InboundEmail,
    pipeline: Pipeline,
    stop: CancellationToken,
) {
    let name = inbound.domains.first().cloned().unwrap_or_else(|| "localhost".to_owned());
    let inbox = Inbox { lmtp: inbound.lmtp, domains: inbound.domains, name };
    let take: Take = Arc::new(move |message, envelope| {
        let pipeline = pipeline.clone();
        Box::pin(async move { pipeline.take_mail(&message, &envelope).await })
    });
    listener::serve(listener, inbox, take, stop).await;
}
