//! Providers: how each of them fares.

use crate::coordination::breaker::Standing;
use crate::domain::channel::Channel;
use crate::domain::time::Timestamp;
use crate::http::Api;
use crate::http::auth::{Caller, Reads};
use crate::http::list::List;
use crate::http::query::{NoQuery, Query};
use crate::pipeline::fleet::Provider;
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(in crate::http) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(list))
}

/// A provider as of now. What it knows of its health it has learnt since the start.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Provider)]
pub struct ProviderView {
    channel: Channel,
    #[schema(example = "twilio")]
    provider: String,
    /// At which place of its channel it is tried, from 1.
    #[schema(example = 1)]
    place: usize,
    /// `in_service`; `resting` (it asked for patience); `out_of_service` (it does not work); `probing` (one message tries it);
    /// `returning` (it gets its share back step by step).
    #[schema(value_type = String, example = "in_service")]
    standing: &'static str,
    /// How much of its traffic it gets, as far as its health goes, in hundredths.
    #[schema(example = 100)]
    share: u32,
    /// Until when it is left alone.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    until: Option<Timestamp>,
    /// The pauses in force that name it.
    paused_by: Vec<String>,
    /// Whether debts that are collected for others are routed to it.
    third_party_collections: bool,
    /// Messages a second that it is sent, at most.
    rate_per_second: u32,
    /// Messages that wait for their turn with it.
    waiting: usize,
}

impl From<Provider> for ProviderView {
    fn from(provider: Provider) -> Self {
        let (standing, until) = match provider.standing {
            Standing::InService => ("in_service", None),
            Standing::Resting(until) => ("resting", Some(until)),
            Standing::OutOfService(until) => ("out_of_service", Some(until)),
            Standing::Probing => ("probing", None),
            Standing::Returning(_) => ("returning", None),
        };
        Self {
            share: provider.share(),
            channel: provider.channel,
            provider: provider.name,
            place: provider.place,
            standing,
            until,
            paused_by: provider.paused_by,
            third_party_collections: provider.third_party_collections,
            rate_per_second: provider.rate_per_second,
            waiting: provider.waiting,
        }
    }
}

/// List the providers
///
/// By channel, in the order in which they are tried, with how each of them fares. To keep one from being used, pause it.
#[utoipa::path(
    get, path = "/v1/providers", tag = "Operation",
    responses((status = 200, description = "All of them", body = List<ProviderView>))
)]
async fn list(State(api): State<Api>, _: Caller<Reads>, _: Query<NoQuery>) -> Json<List<ProviderView>> {
    Json(List::whole(api.pipeline().providers().into_iter().map(ProviderView::from).collect()))
}
