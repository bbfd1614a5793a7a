//! Version 1 of the API: one file a resource, each with its routes, its wire forms and their description in one place.

pub mod cadence_view;
pub mod cadences;
pub mod consents;
pub mod contact_events;
pub mod debtors;
pub mod decisions;
pub mod history;
pub mod holds;
pub mod inbox;
pub mod keys;
pub mod naming;
pub mod pauses;
pub mod permits;
pub mod policy;
pub mod providers;
pub mod request_view;
pub mod requests;
pub mod reviews;
pub mod webhooks;

use crate::http::Api;
use utoipa_axum::router::OpenApiRouter;

pub(in crate::http) fn routes() -> OpenApiRouter<Api> {
    debtors::routes()
        .merge(consents::routes())
        .merge(holds::routes())
        .merge(contact_events::routes())
        .merge(decisions::routes())
        .merge(policy::routes())
        .merge(permits::routes())
        .merge(requests::routes())
        .merge(cadences::routes())
        .merge(inbox::routes())
        .merge(pauses::routes())
        .merge(providers::routes())
        .merge(reviews::routes())
        .merge(history::routes())
        .merge(webhooks::routes())
        .merge(keys::routes())
}
