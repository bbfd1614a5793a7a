//! What the debtor allowed, refused and asked for: consents, opt-outs, preferences.

use crate::domain::consent::Preferences;
use crate::domain::statement::{ConsentStatement, OptOutStatement};
use crate::http::Api;
use crate::http::auth::{Caller, Writes};
use crate::http::body::Body;
use crate::http::problem::Problem;
use crate::http::query::{At, Chosen, NoQuery, Query};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(in crate::http) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(add_consent))
        .routes(routes!(add_opt_out))
        .routes(routes!(put_preferences))
}

/// Record a consent
///
/// Answered with the consent as understood. A consent for the same point dated after an opt-out lifts it; a scope that does
/// not fit the channel is 422, and so is a consent that is yet to be given.
#[utoipa::path(
    post, path = "/v1/debtors/{debtor_id}/consents", tag = "Consents and opt-outs",
    params(("debtor_id" = String, Path, description = "Upstream's identifier", example = "D-1001")),
    request_body(content = ConsentStatement, example = json!({
        "channel": "sms", "contact_point": "+13055550123", "scope": "automated", "granted_at": "2026-06-01T15:00:00-04:00",
        "form": "electronic", "source": "web form 12"
    })),
    responses((status = 201, description = "Recorded", body = ConsentStatement))
)]
async fn add_consent(
    State(api): State<Api>,
    caller: Caller<Writes>,
    At(Chosen(debtor_id)): At<Chosen>,
    _: Query<NoQuery>,
    Body(said): Body<ConsentStatement>,
) -> Result<(StatusCode, Json<ConsentStatement>), Problem> {
    api.pipeline().add_consent(caller.actor(), &debtor_id, said.clone()).await?;
    Ok((StatusCode::CREATED, Json(said)))
}

/// Record an opt-out
///
/// In force once it is answered: no further send that it forbids starts. Answered with the opt-out as understood.
#[utoipa::path(
    post, path = "/v1/debtors/{debtor_id}/opt-outs", tag = "Consents and opt-outs",
    params(("debtor_id" = String, Path, description = "Upstream's identifier", example = "D-1001")),
    request_body(content = OptOutStatement, example = json!({
        "channel": "sms", "contact_point": "+13055550123", "received_at": "2026-11-02T09:30:00-05:00", "source": "call centre"
    })),
    responses((status = 201, description = "Recorded and in force", body = OptOutStatement))
)]
async fn add_opt_out(
    State(api): State<Api>,
    caller: Caller<Writes>,
    At(Chosen(debtor_id)): At<Chosen>,
    _: Query<NoQuery>,
    Body(said): Body<OptOutStatement>,
) -> Result<(StatusCode, Json<OptOutStatement>), Problem> {
    api.pipeline().add_opt_out(caller.actor(), &debtor_id, said.clone()).await?;
    Ok((StatusCode::CREATED, Json(said)))
}

/// Replace a debtor's preferences
///
/// Times that do not suit, in the debtor's own zones; `to` is exclusive. Answered with the preferences as understood.
#[utoipa::path(
    put, path = "/v1/debtors/{debtor_id}/preferences", tag = "Consents and opt-outs",
    params(("debtor_id" = String, Path, description = "Upstream's identifier", example = "D-1001")),
    request_body(content = Preferences, example = json!({
        "inconvenient": [{"days": ["mon", "tue"], "from": "12:00", "to": "13:30", "channels": ["voice"]}],
        "preferred_channel": "email", "language": "es"
    })),
    responses((status = 200, description = "Replaced", body = Preferences))
)]
async fn put_preferences(
    State(api): State<Api>,
    caller: Caller<Writes>,
    At(Chosen(debtor_id)): At<Chosen>,
    _: Query<NoQuery>,
    Body(said): Body<Preferences>,
) -> Result<Json<Preferences>, Problem> {
    api.pipeline().put_preferences(caller.actor(), &debtor_id, said.clone()).await?;
    Ok(Json(said))
}
