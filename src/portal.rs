//! Floor 5: the debtor's own pages. Server-rendered, without JavaScript, in English and Spanish; nothing is loaded from
//! anywhere. A debtor comes by a signed link ([`crate::pipeline::links`]), reads the inbox, writes, prefers, stops, allows;
//! each of these is asked of [`crate::pipeline`], which records it.
//!
//! # Decisions
//! - 2026-11-23: a GET changes nothing, but that a message opened in a proven visit is recorded as read: its sender may not
//!   reach it by fetching the link, because a link opens only by a POST.
//! - 2026-11-23: before a visitor has proved to be the debtor, pages bear the name that does not reveal debt collection
//!   (12 CFR 1006.2(j)(1)(i)) and nothing from the debtor's file but its language. A stop needs no proof.
//! - 2026-11-23: the pages are no part of the API's description: they are for people, and change as people need.

mod allow;
mod check;
mod frame;
mod inbox;
mod open;
mod preferences;
mod shown;
mod stop;
mod visit;
mod words;
mod write;

use crate::pipeline::Pipeline;
use axum::Router;
use axum::routing::{get, post};

/// What every page is given.
#[derive(Clone)]
pub(in crate::portal) struct Portal {
    pipeline: Pipeline,
}

/// The pages, for [`crate::http::router_with`].
pub fn router(pipeline: Pipeline) -> Router {
    Router::new()
        .route("/portal", get(inbox::list))
        .route("/portal/", get(inbox::list))
        .route("/portal/open/{token}", get(open::ask).post(open::open))
        .route("/portal/check", get(check::ask).post(check::answer))
        .route("/portal/messages/{id}", get(inbox::message))
        .route("/portal/write", get(write::form).post(write::send))
        .route("/portal/preferences", get(preferences::form).post(preferences::save))
        .route("/portal/stop", get(stop::form).post(stop::stop))
        .route("/portal/allow", get(allow::form).post(allow::allow))
        .route("/portal/language", post(preferences::language))
        .route("/portal/leave", post(open::leave))
        .with_state(Portal { pipeline })
}
