//! Contacts made elsewhere, which count exactly as our own do.

use crate::domain::statement::ContactEvent;
use crate::http::Api;
use crate::http::auth::{Caller, Writes};
use crate::http::batch::{self, Batch};
use crate::http::body::Body;
use crate::http::problem::Problem;
use crate::http::query::{NoQuery, Query};
use crate::pipeline::Refusal;
use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(in crate::http) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(record)).routes(routes!(record_batch))
}

/// A contact event that is on record.
#[derive(Serialize, utoipa::ToSchema)]
struct RecordedEvent {
    /// Upstream's identifier.
    #[schema(example = "dialler-88123")]
    event_id: String,
    /// Whether it was on record before; then nothing was counted again.
    repeated: bool,
}

/// Record a contact made elsewhere
///
/// `event_id` makes it idempotent: the same one with another body is 409.
#[utoipa::path(
    post, path = "/v1/contact-events", tag = "Contact events",
    request_body(content = ContactEvent, example = json!({
        "event_id": "dialler-88123", "debtor_id": "D-1001", "account_ids": ["A-1"], "channel": "voice",
        "direction": "outbound", "contact_point": "+13055550123", "occurred_at": "2026-11-20T14:05:00-05:00",
        "result": "no_answer"
    })),
    responses(
        (status = 201, description = "Recorded", body = RecordedEvent),
        (status = 200, description = "It was on record before", body = RecordedEvent),
        (status = 409, description = "The same event_id with another body", body = crate::http::problem::ProblemSchema, content_type = "application/problem+json")
    )
)]
async fn record(
    State(api): State<Api>,
    caller: Caller<Writes>,
    _: Query<NoQuery>,
    Body(event): Body<ContactEvent>,
) -> Result<(StatusCode, Json<RecordedEvent>), Problem> {
    let event_id = event.event_id.clone();
    let recorded = api.pipeline().record_contacts(caller.actor(), vec![event]).await;
    let repeated = recorded.into_iter().next().unwrap_or(Err(Refusal::Unavailable))?.repeated;
    let status = if repeated { StatusCode::OK } else { StatusCode::CREATED };
    Ok((status, Json(RecordedEvent { event_id, repeated })))
}

struct ContactEvents {
    api: Api,
    caller: Caller<Writes>,
}

impl Batch for ContactEvents {
    type Ask = ContactEvent;
    type Answer = RecordedEvent;
    const LABEL: &'static str = "event_id";

    fn label(ask: &ContactEvent) -> &str {
        &ask.event_id
    }

    async fn answer(&self, asked: Vec<ContactEvent>) -> Vec<Result<RecordedEvent, Refusal>> {
        let ids: Vec<String> = asked.iter().map(|event| event.event_id.clone()).collect();
        let recorded = self.api.pipeline().record_contacts(self.caller.actor(), asked).await;
        let named = ids.into_iter().zip(recorded);
        named
            .map(|(event_id, recorded)| {
                recorded.map(|recorded| RecordedEvent { event_id, repeated: recorded.repeated })
            })
            .collect()
    }
}

/// Record many contacts made elsewhere
///
/// NDJSON in and out: one answer a line, in order, as it goes. A bad line is answered `{line, event_id, problem}` and never
/// spoils its neighbours.
#[utoipa::path(
    post, path = "/v1/contact-events/batch", tag = "Contact events",
    request_body(content = ContactEvent, content_type = "application/x-ndjson", description = "One event a line"),
    responses((status = 200, description = "One answer a line", body = RecordedEvent, content_type = "application/x-ndjson"))
)]
async fn record_batch(
    State(api): State<Api>,
    caller: Caller<Writes>,
    _: Query<NoQuery>,
    request: Request,
) -> Result<Response, Problem> {
    batch::run(ContactEvents { api, caller }, request)
}
