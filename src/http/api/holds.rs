//! Holds: why contact is barred until somebody lifts it.

use crate::domain::consent::HoldKind;
use crate::domain::statement::HoldStatement;
use crate::http::Api;
use crate::http::auth::{Caller, Holds};
use crate::http::body::Body;
use crate::http::problem::Problem;
use crate::http::query::{At2, Chosen, NoQuery, Query};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(in crate::http) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(place, lift))
}

/// Place or replace a hold
///
/// In force once it is answered. `retain` bars erasure, not contact. Answered with the hold as understood.
#[utoipa::path(
    put, path = "/v1/debtors/{debtor_id}/holds/{kind}", tag = "Holds",
    params(
        ("debtor_id" = String, Path, description = "Upstream's identifier", example = "D-1001"),
        ("kind" = HoldKind, Path, description = "Why contact is barred")
    ),
    request_body(content = HoldStatement, example = json!({"since": "2026-10-14T00:00:00-04:00", "detail": "letter of 12 October"})),
    responses((status = 200, description = "Placed", body = HoldStatement))
)]
async fn place(
    State(api): State<Api>,
    caller: Caller<Holds>,
    At2(Chosen(debtor_id), kind): At2<Chosen, HoldKind>,
    _: Query<NoQuery>,
    Body(said): Body<HoldStatement>,
) -> Result<Json<HoldStatement>, Problem> {
    api.pipeline().place_hold(caller.actor(), &debtor_id, kind, said.clone()).await?;
    Ok(Json(said))
}

/// Lift a hold
///
/// That is itself recorded. Nothing to lift is 404.
#[utoipa::path(
    delete, path = "/v1/debtors/{debtor_id}/holds/{kind}", tag = "Holds",
    params(
        ("debtor_id" = String, Path, description = "Upstream's identifier", example = "D-1001"),
        ("kind" = HoldKind, Path, description = "Why contact is barred")
    ),
    responses((status = 204, description = "Lifted"))
)]
async fn lift(
    State(api): State<Api>,
    caller: Caller<Holds>,
    At2(Chosen(debtor_id), kind): At2<Chosen, HoldKind>,
    _: Query<NoQuery>,
) -> Result<StatusCode, Problem> {
    api.pipeline().lift_hold(caller.actor(), &debtor_id, kind).await?;
    Ok(StatusCode::NO_CONTENT)
}
