//! The reference of every HTTP figure: an axum server that reads the same contact request into an owned value and answers
//! 202 with small JSON. It keeps nothing, so it is the ceiling for anything that speaks HTTP on this machine.

use axum::{Json, Router, http::StatusCode, routing::post};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::io::{Read, Write};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "reading the whole request into an owned value is the work that is measured")]
struct ContactRequest {
    request_id: String,
    debtor_id: String,
    account_ids: Vec<String>,
    channels: Vec<String>,
    contact_point: Option<String>,
    purpose: String,
    template: String,
    variables: HashMap<String, String>,
    not_before: Option<String>,
    expires_at: Option<String>,
    priority: String,
    campaign: Option<String>,
}

#[derive(Serialize)]
struct Accepted {
    id: &'static str,
    request_id: String,
    status: &'static str,
}

async fn accept(Json(request): Json<ContactRequest>) -> (StatusCode, Json<Accepted>) {
    let answer =
        Accepted { id: "req_00000000000000000000000000", request_id: request.request_id, status: "accepted" };
    (StatusCode::ACCEPTED, Json(answer))
}

/// Serves until the parent closes our standard input; prints the port first.
pub fn serve() -> anyhow::Result<bool> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        println!("{}", listener.local_addr()?.port());
        std::io::stdout().flush()?;
        std::thread::spawn(|| {
            let _ = std::io::stdin().read(&mut [0]);
            std::process::exit(0);
        });
        let listener = axum::serve::ListenerExt::tap_io(listener, |stream| {
            let _ = stream.set_nodelay(true);
        });
        axum::serve(listener, Router::new().route("/v1/contact-requests", post(accept))).await?;
        Ok(true)
    })
}
