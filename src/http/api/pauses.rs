//! Pauses: the kill switch, in force for the next send.

use crate::domain::event::Pause;
use crate::domain::statement::PauseStatement;
use crate::http::Api;
use crate::http::auth::{Caller, Operates, Reads};
use crate::http::body::Body;
use crate::http::list::List;
use crate::http::problem::Problem;
use crate::http::query::{At, Chosen, NoQuery, Query};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(in crate::http) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(place, lift))
}

/// List the pauses in force
#[utoipa::path(
    get, path = "/v1/pauses", tag = "Pauses", responses((status = 200, description = "All of them", body = List<Pause>))
)]
async fn list(State(api): State<Api>, _: Caller<Reads>, _: Query<NoQuery>) -> Json<List<Pause>> {
    Json(List::whole(api.pipeline().pauses()))
}

/// Pause sending
///
/// Without a filter everything is paused. In force once it is answered.
#[utoipa::path(
    put, path = "/v1/pauses/{name}", tag = "Pauses",
    params(("name" = String, Path, description = "What the pause is called", example = "bad-template")),
    request_body(content = PauseStatement, example = json!({"channel": "sms", "region": "US-MA", "reason": "wrong amounts in texts"})),
    responses((status = 200, description = "In force", body = Pause))
)]
async fn place(
    State(api): State<Api>,
    caller: Caller<Operates>,
    At(Chosen(name)): At<Chosen>,
    _: Query<NoQuery>,
    Body(said): Body<PauseStatement>,
) -> Result<Json<Pause>, Problem> {
    api.pipeline().put_pause(caller.actor(), &name, said.clone()).await?;
    let PauseStatement { channel, provider, creditor, region, reason, until } = said;
    Ok(Json(Pause { channel, creditor, name, provider, reason, region, until }))
}

/// Lift a pause
#[utoipa::path(
    delete, path = "/v1/pauses/{name}", tag = "Pauses",
    params(("name" = String, Path, description = "What the pause is called", example = "bad-template")),
    responses((status = 204, description = "Lifted"))
)]
async fn lift(
    State(api): State<Api>,
    caller: Caller<Operates>,
    At(Chosen(name)): At<Chosen>,
    _: Query<NoQuery>,
) -> Result<StatusCode, Problem> {
    api.pipeline().lift_pause(caller.actor(), &name).await?;
    Ok(StatusCode::NO_CONTENT)
}
