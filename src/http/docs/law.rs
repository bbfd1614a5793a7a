//! `/docs/policy`: the law in force here, as the packs say it, for whoever has to answer for it.

use super::STYLE;
use crate::http::Api;
use crate::http::page::Page;
use crate::policy;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

/// The law in force, as a page
///
/// Every rule with its citation, jurisdiction, figures and dates, whether it was verified, and its worked cases; generated from
/// the packs that this gateway decides by.
#[utoipa::path(
    get, path = "/docs/policy", tag = "Operation", security(()),
    responses((status = 200, description = "The page", content_type = "text/html", body = String))
)]
pub(super) async fn page(State(api): State<Api>) -> Response {
    let body = policy::page(&api.pipeline().policy());
    Page { language: "en", title: "The law in force", style: STYLE, body: &body }.respond(StatusCode::OK)
}
