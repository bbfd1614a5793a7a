//! Permits: contacts that others carry, against the same caps and rules as our own.

use crate::domain::id::PermitId;
use crate::domain::statement::{PermitOutcome, PermitQuery};
use crate::domain::time::Timestamp;
use crate::http::Api;
use crate::http::api::decisions::DecisionView;
use crate::http::auth::{Caller, Writes};
use crate::http::body::Body;
use crate::http::problem::Problem;
use crate::http::query::{At, NoQuery, Query};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(in crate::http) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(issue)).routes(routes!(outcome)).routes(routes!(give_back))
}

/// A contact reserved for somebody else to make.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Permit)]
struct PermitView {
    /// The permit.
    #[schema(value_type = String, example = "prm_019ab2f0c4d87d3e9f10a2b3c4d5e6f7")]
    permit_id: PermitId,
    /// Until when the contact may be made.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
    /// The decision that allows it.
    decision: DecisionView,
}

/// Ask to make a contact, and reserve it
///
/// A human dialler, a letter shop or a field agent asks before it acts. 409 carries the decision that refuses.
#[utoipa::path(
    post, path = "/v1/permits", tag = "Permits",
    request_body(content = PermitQuery, example = json!({
        "debtor_id": "D-1001", "account_ids": ["A-1"], "channel": "voice", "contact_point": "+13055550123", "ttl": "PT15M"
    })),
    responses(
        (status = 201, description = "Reserved: it counts from now on", body = PermitView),
        (status = 409, description = "Refused, with the decision", body = crate::http::problem::ProblemSchema, content_type = "application/problem+json")
    )
)]
async fn issue(
    State(api): State<Api>,
    caller: Caller<Writes>,
    _: Query<NoQuery>,
    Body(query): Body<PermitQuery>,
) -> Result<(StatusCode, Json<PermitView>), Problem> {
    let permit = api.pipeline().issue_permit(caller.actor(), query).await?;
    let decision = DecisionView::of(permit.answer);
    Ok((
        StatusCode::CREATED,
        Json(PermitView { permit_id: permit.id, expires_at: permit.expires_at, decision }),
    ))
}

/// Say how a permitted contact ended
///
/// Turns the permit into a contact event.
#[utoipa::path(
    post, path = "/v1/permits/{permit_id}/outcome", tag = "Permits",
    params(("permit_id" = String, Path, description = "The permit")),
    request_body(content = PermitOutcome, example = json!({"result": "voicemail", "occurred_at": "2026-11-20T14:05:00-05:00"})),
    responses(
        (status = 204, description = "Recorded"),
        (status = 409, description = "The permit is no longer open", body = crate::http::problem::ProblemSchema, content_type = "application/problem+json")
    )
)]
async fn outcome(
    State(api): State<Api>,
    caller: Caller<Writes>,
    At(permit): At<PermitId>,
    _: Query<NoQuery>,
    Body(said): Body<PermitOutcome>,
) -> Result<StatusCode, Problem> {
    api.pipeline().permit_outcome(caller.actor(), permit, said).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Give a permit back unused
#[utoipa::path(
    delete, path = "/v1/permits/{permit_id}", tag = "Permits",
    params(("permit_id" = String, Path, description = "The permit")),
    responses(
        (status = 204, description = "Given back: it no longer counts"),
        (status = 409, description = "The permit is no longer open", body = crate::http::problem::ProblemSchema, content_type = "application/problem+json")
    )
)]
async fn give_back(
    State(api): State<Api>,
    caller: Caller<Writes>,
    At(permit): At<PermitId>,
    _: Query<NoQuery>,
) -> Result<StatusCode, Problem> {
    api.pipeline().return_permit(caller.actor(), permit).await?;
    Ok(StatusCode::NO_CONTENT)
}
