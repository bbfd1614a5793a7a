//! Whether it runs, whether it is ready, and its meters.

use crate::http::Api;
use crate::http::problem::{Problem, ProblemKind};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(in crate::http) fn probes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(healthz)).routes(routes!(readyz))
}

pub(in crate::http) fn metrics() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(meters))
}

/// How it is.
#[derive(serde::Serialize, utoipa::ToSchema)]
struct Health {
    /// `ok`.
    #[schema(example = "ok")]
    status: &'static str,
    /// The program's version.
    #[schema(example = "0.1.0")]
    version: &'static str,
}

const OK: Health = Health { status: "ok", version: env!("CARGO_PKG_VERSION") };

/// Whether the process answers
#[utoipa::path(
    get, path = "/healthz", tag = "Operation", security(()),
    responses((status = 200, description = "It does", body = Health))
)]
async fn healthz() -> Json<Health> {
    Json(OK)
}

/// Whether store and policy are loaded
///
/// A provider that is down does not change it.
#[utoipa::path(
    get, path = "/readyz", tag = "Operation", security(()),
    responses((status = 200, description = "They are", body = Health))
)]
async fn readyz(State(api): State<Api>) -> Result<Json<Health>, Problem> {
    (api.setup().readiness)().map_err(|why| Problem::new(ProblemKind::Unavailable, why))?;
    Ok(Json(OK))
}

/// The meters, for Prometheus
#[utoipa::path(
    get, path = "/metrics", tag = "Operation", security(()),
    responses((status = 200, description = "OpenMetrics text", body = String, content_type = "application/openmetrics-text"))
)]
async fn meters(State(api): State<Api>) -> Result<Response, Problem> {
    api.pipeline().take_stock();
    let mut text = String::with_capacity(16 * 1024);
    prometheus_client::encoding::text::encode(&mut text, &api.setup().registry)
        .map_err(|_| Problem::new(ProblemKind::Internal, "the meters could not be written"))?;
    let kind = HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
    Ok(([(header::CONTENT_TYPE, kind)], text).into_response())
}
