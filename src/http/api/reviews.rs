//! Reviews: replies held until a person has understood them.

use crate::domain::channel::Channel;
use crate::domain::event::{Event, EventBody, ReviewResolution, Stream};
use crate::domain::id::ReviewId;
use crate::domain::state::DebtorState;
use crate::domain::statement::ReviewAnswer;
use crate::domain::time::Timestamp;
use crate::http::Api;
use crate::http::api::naming::Names;
use crate::http::auth::{Caller, Inspects, Operates};
use crate::http::body::Body;
use crate::http::list::List;
use crate::http::problem::Problem;
use crate::http::query::{At, Fields, NoQuery, Query, QueryForm};
use crate::storage::{ReviewRow, StorageError, Store};
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(in crate::http) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(resolve))
}

/// A reply held until a person has understood it; its address is frozen meanwhile.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Review)]
struct ReviewView {
    #[schema(value_type = String, example = "rev_019ab2f0c4d87d3e9f10a2b3c4d5e6f7")]
    id: ReviewId,
    /// The debtor; null where the address is on nobody's file, or the person is erased.
    #[schema(required)]
    debtor_id: Option<String>,
    channel: Channel,
    /// From where; null once the person is erased.
    #[schema(required)]
    contact_point: Option<String>,
    /// What was said; null once the person is erased.
    #[schema(required)]
    text: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    opened_at: Timestamp,
}

impl ReviewView {
    fn of(row: &ReviewRow, events: &[Event]) -> Self {
        let state = DebtorState::fold(events.iter().cloned());
        let held = events.iter().position(
            |event| matches!(&event.body, EventBody::ReplyHeld(held, _) if held.review == row.review),
        );
        // The reply is the newest that came from the address before it was frozen.
        let before = &events[..held.unwrap_or(events.len())];
        let reply = before.iter().rev().find_map(|event| match &event.body {
            EventBody::InboundReceived(said, secret) if said.point == Some(row.point) => secret.open(),
            _ => None,
        });
        let on_file = Names::of(&state).point(row.point).map(str::to_owned);
        Self {
            id: row.review,
            debtor_id: state.debtor_id.clone(),
            channel: row.channel,
            contact_point: on_file.or_else(|| reply.map(|reply| reply.from.clone())),
            text: reply.map(|reply| reply.text.clone()),
            opened_at: row.opened_at,
        }
    }
}

struct Limit(usize);

impl QueryForm for Limit {
    fn take(fields: &mut Fields<'_>) -> Self {
        Self(fields.limit())
    }
}

/// List the open reviews, oldest first
///
/// The queue is worked from its front, so there is no cursor: what is resolved leaves the list.
#[utoipa::path(
    get, path = "/v1/reviews", tag = "Reviews",
    params(("limit" = Option<u16>, Query, description = "At most so many: 100, up to 1000")),
    responses((status = 200, description = "The front of the queue", body = List<ReviewView>))
)]
async fn list(
    State(api): State<Api>,
    _: Caller<Inspects>,
    Query(Limit(limit)): Query<Limit>,
) -> Result<Json<List<ReviewView>>, Problem> {
    let open = api.pipeline().read(move |store| open(store, limit)).await?;
    Ok(Json(List::whole(open)))
}

fn open(store: &Store, limit: usize) -> Result<Vec<ReviewView>, StorageError> {
    let reader = store.reader()?;
    let rows = reader.open_reviews(limit)?;
    rows.iter().map(|row| Ok(ReviewView::of(row, &reader.load(Stream::Debtor(row.debtor))?))).collect()
}

/// A review that was resolved.
#[derive(Serialize, utoipa::ToSchema)]
struct ResolvedReview {
    #[schema(value_type = String, example = "rev_019ab2f0c4d87d3e9f10a2b3c4d5e6f7")]
    id: ReviewId,
    resolution: ReviewResolution,
}

/// Say what a held reply meant
#[utoipa::path(
    post, path = "/v1/reviews/{id}", tag = "Reviews",
    params(("id" = String, Path, description = "The review")),
    request_body(content = ReviewAnswer, example = json!({"resolution": "not_stop", "note": "asked for the balance"})),
    responses(
        (status = 200, description = "Resolved: its address is no longer frozen", body = ResolvedReview),
        (status = 409, description = "It was resolved before", body = crate::http::problem::ProblemSchema, content_type = "application/problem+json")
    )
)]
async fn resolve(
    State(api): State<Api>,
    caller: Caller<Operates>,
    At(id): At<ReviewId>,
    _: Query<NoQuery>,
    Body(said): Body<ReviewAnswer>,
) -> Result<Json<ResolvedReview>, Problem> {
    let resolution = said.resolution;
    api.pipeline().resolve_review(caller.actor(), id, said).await?;
    Ok(Json(ResolvedReview { id, resolution }))
}
