//! Webhooks: how far upstream has been told, what was given up, and telling it again.

use crate::domain::time::Timestamp;
use crate::http::Api;
use crate::http::auth::{Caller, Inspects, Operates};
use crate::http::body::Body;
use crate::http::list::{self, List};
use crate::http::problem::Problem;
use crate::http::query::{At, Chosen, Fields, NoQuery, Query, QueryForm};
use crate::pipeline::Refusal;
use crate::pipeline::webhooks::{DeadLetter, Health, ReplayWish, Replayed, WebhookState};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(in crate::http) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(get))
        .routes(routes!(dead_letters))
        .routes(routes!(replay))
}

/// A webhook as of now.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Webhook)]
struct WebhookView {
    /// Its name: the configuration's, or made of its address.
    #[schema(example = "collections.example-hooks")]
    name: String,
    #[schema(example = "https://collections.example/hooks")]
    url: String,
    /// The types it is told of; `*` stands for anything.
    #[schema(example = json!(["contact_request.*", "opt_out.received"]))]
    events: Vec<String>,
    /// `ok`; `retrying` while some notices wait to be told again; `down` while it takes nothing.
    #[schema(example = "ok")]
    status: &'static str,
    /// Every event before this `leaf_index` was told, waits to be told again, or was given up.
    next_leaf_index: u64,
    /// How many events of the log are not behind it yet.
    lag_events: u64,
    /// Notices that wait to be told again, or behind such a one of the same debtor.
    waiting: usize,
    /// Notices that were given up.
    dead_letters: u64,
    /// When a notice was last taken, since the start.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    last_taken_at: Option<Timestamp>,
    /// When one was last not taken, since the start.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    last_failed_at: Option<Timestamp>,
    /// Why: `http_500`, `timeout`, `connect`, `connection_lost`, `private_address`, `not_https`.
    #[schema(required, example = "http_500")]
    last_error: Option<String>,
}

impl From<WebhookState> for WebhookView {
    fn from(state: WebhookState) -> Self {
        let (last_failed_at, last_error) = state.failed.unzip();
        Self {
            name: state.name,
            url: state.url.to_string(),
            events: state.events,
            status: match state.health {
                Health::Well => "ok",
                Health::Retrying => "retrying",
                Health::Away => "down",
            },
            next_leaf_index: state.position,
            lag_events: state.behind,
            waiting: state.waiting,
            dead_letters: state.dead,
            last_taken_at: state.taken_at,
            last_failed_at,
            last_error,
        }
    }
}

/// A notice that was given up.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = DeadLetter)]
struct DeadLetterView {
    /// Its `webhook-id`.
    #[schema(example = "msg_00000000002a9f86d081884c7d659a2f")]
    id: String,
    #[schema(example = "contact_request.sent")]
    r#type: String,
    /// The event that it tells of: `GET /v1/events?after=` one less begins with it.
    leaf_index: u64,
    /// How often it was tried.
    attempts: u32,
    #[schema(value_type = Option<String>, format = DateTime, required)]
    first_attempt_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime, required)]
    last_attempt_at: Option<Timestamp>,
    /// Why the last try failed.
    #[schema(required, example = "http_500")]
    error: Option<String>,
}

impl From<DeadLetter> for DeadLetterView {
    fn from(letter: DeadLetter) -> Self {
        let DeadLetter { id, row } = letter;
        Self {
            id,
            r#type: row.type_name,
            leaf_index: row.leaf,
            attempts: row.tries,
            first_attempt_at: row.first_tried_at,
            last_attempt_at: row.last_tried_at,
            error: row.error,
        }
    }
}

/// List the webhooks
///
/// Those of the configuration, with how far each receiver has been told.
#[utoipa::path(
    get, path = "/v1/webhooks", tag = "Webhooks",
    responses((status = 200, description = "All of them", body = List<WebhookView>))
)]
async fn list(
    State(api): State<Api>,
    _: Caller<Inspects>,
    _: Query<NoQuery>,
) -> Result<Json<List<WebhookView>>, Problem> {
    let found = api.pipeline().webhooks().await?;
    Ok(Json(List::whole(found.into_iter().map(WebhookView::from).collect())))
}

/// Read a webhook
#[utoipa::path(
    get, path = "/v1/webhooks/{name}", tag = "Webhooks",
    params(("name" = String, Path, description = "Its name", example = "collections.example-hooks")),
    responses((status = 200, description = "How far its receiver has been told", body = WebhookView))
)]
async fn get(
    State(api): State<Api>,
    _: Caller<Inspects>,
    At(Chosen(name)): At<Chosen>,
    _: Query<NoQuery>,
) -> Result<Json<WebhookView>, Problem> {
    let found = api.pipeline().webhooks().await?.into_iter().find(|webhook| webhook.name == name);
    found.map(|state| Json(state.into())).ok_or_else(|| Problem::not_found("webhook"))
}

struct Letters {
    from: u64,
    limit: usize,
}

impl QueryForm for Letters {
    fn take(fields: &mut Fields<'_>) -> Self {
        Self { from: list::cursor(fields).unwrap_or(0), limit: fields.limit() }
    }
}

/// List what was given up
///
/// Notices that a receiver did not take in three days, in the order of the log. They stay until they are told again and taken.
#[utoipa::path(
    get, path = "/v1/webhooks/{name}/dead-letters", tag = "Webhooks",
    params(
        ("name" = String, Path, description = "The webhook's name"),
        ("limit" = Option<u16>, Query, description = "At most so many: 100, up to 1000"),
        ("cursor" = Option<String>, Query, description = "The `next_cursor` of the page before")
    ),
    responses((status = 200, description = "A page of them", body = List<DeadLetterView>))
)]
async fn dead_letters(
    State(api): State<Api>,
    _: Caller<Inspects>,
    At(Chosen(name)): At<Chosen>,
    Query(wanted): Query<Letters>,
) -> Result<Json<List<DeadLetterView>>, Problem> {
    let found = api.pipeline().dead_letters(&name, wanted.from, wanted.limit).await?;
    let next =
        (found.len() == wanted.limit).then(|| found.last().map(|letter| letter.row.leaf + 1)).flatten();
    Ok(Json(List::of(found.into_iter().map(DeadLetterView::from).collect(), next)))
}

/// What to tell again: exactly one of its members.
#[derive(Clone, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct ReplayRequest {
    /// `true`: everything that was given up.
    #[serde(default)]
    dead_letters: Option<bool>,
    /// These notices, whatever became of them, by their `webhook-id`; up to 1000.
    #[serde(default)]
    ids: Option<Vec<String>>,
    /// Everything behind this `leaf_index`.
    #[serde(default)]
    after: Option<u64>,
    /// Everything recorded at this moment or later.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    since: Option<Timestamp>,
}

impl ReplayRequest {
    fn wish(self) -> Result<ReplayWish, Refusal> {
        match (self.dead_letters, self.ids, self.after, self.since) {
            (Some(true), None, None, None) => Ok(ReplayWish::DeadLetters),
            (None, Some(ids), None, None) => Ok(ReplayWish::Ids(ids)),
            (None, None, Some(leaf), None) => Ok(ReplayWish::After(leaf)),
            (None, None, None, Some(at)) => Ok(ReplayWish::Since(at)),
            _ => Err(Refusal::invalid(
                "",
                "must have exactly one of dead_letters (true), ids, after and since",
            )),
        }
    }
}

/// What is told again.
#[derive(Serialize, utoipa::ToSchema)]
struct ReplayAnswer {
    /// The webhook.
    name: String,
    /// How many notices, where they were named or given up.
    #[schema(required)]
    replayed: Option<u64>,
    /// From which `leaf_index` on, where everything behind a point is told.
    #[schema(required)]
    from_leaf_index: Option<u64>,
}

/// Tell a receiver again
///
/// Each notice goes out with the `webhook-id` that it had before, in the order of its debtor. Where everything behind a point
/// is told again, what is new comes after it. Durable once it is answered.
#[utoipa::path(
    post, path = "/v1/webhooks/{name}/replay", tag = "Webhooks",
    params(("name" = String, Path, description = "The webhook's name")),
    request_body(content = ReplayRequest, example = json!({"dead_letters": true})),
    responses((status = 202, description = "It is being told", body = ReplayAnswer))
)]
async fn replay(
    State(api): State<Api>,
    caller: Caller<Operates>,
    At(Chosen(name)): At<Chosen>,
    _: Query<NoQuery>,
    Body(said): Body<ReplayRequest>,
) -> Result<(StatusCode, Json<ReplayAnswer>), Problem> {
    let Replayed { notices, from } =
        api.pipeline().replay_webhook(caller.actor(), &name, said.wish()?).await?;
    Ok((StatusCode::ACCEPTED, Json(ReplayAnswer { name, replayed: notices, from_leaf_index: from })))
}
