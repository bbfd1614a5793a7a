//! Contact requests: the main job.

use crate::domain::id::RequestId;
use crate::domain::request::{ContactRequest, RequestStatus};
use crate::http::Api;
use crate::http::api::request_view::{AttemptMessage, RequestItem, RequestView};
use crate::http::auth::{Caller, Reads, Writes};
use crate::http::batch::{self, Batch};
use crate::http::body::Body;
use crate::http::list::{self, List};
use crate::http::problem::Problem;
use crate::http::query::{At, Fields, NoQuery, Query, QueryForm};
use crate::pipeline::{Accepted, Pipeline, Refusal, naming};
use crate::storage::{Page, RequestFilter, RequestRow, StorageError, Store};
use axum::Json;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(in crate::http) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(accept, list))
        .routes(routes!(accept_batch))
        .routes(routes!(get))
        .routes(routes!(messages))
        .routes(routes!(cancel))
}

/// A contact request that was taken, and survives whatever happens now.
#[derive(Serialize, utoipa::ToSchema)]
struct AcceptedRequest {
    /// Our identifier.
    #[schema(value_type = String, example = "req_019ab2f0c4d87d3e9f10a2b3c4d5e6f7")]
    id: RequestId,
    /// Upstream's.
    #[schema(example = "crm-2026-000123")]
    request_id: String,
    /// Where it stands.
    status: RequestStatus,
}

impl From<Accepted> for AcceptedRequest {
    fn from(accepted: Accepted) -> Self {
        Self { id: accepted.id, request_id: accepted.request_id, status: accepted.status }
    }
}

/// Ask for a contact
///
/// Durable once it is answered. The same `request_id` with the same body again gives the same answer, for ever; with another
/// body it is 409. Channels are tried in order. A missing template variable, an unknown template or a debtor not on file is
/// 422.
#[utoipa::path(
    post, path = "/v1/contact-requests", tag = "Contact requests",
    request_body(content = ContactRequest, example = json!({
        "request_id": "crm-2026-000123", "debtor_id": "D-1001", "account_ids": ["A-1"], "channels": ["sms", "email"],
        "purpose": "collection", "template": "payment-reminder", "variables": {"due_date": "2026-12-01"},
        "expires_at": "2026-12-05T00:00:00Z", "priority": "normal", "campaign": "nov-early", "fallback_after": "PT24H"
    })),
    responses(
        (status = 202, description = "Taken", body = AcceptedRequest),
        (status = 409, description = "The same request_id with another body", body = crate::http::problem::ProblemSchema, content_type = "application/problem+json")
    )
)]
async fn accept(
    State(api): State<Api>,
    caller: Caller<Writes>,
    _: Query<NoQuery>,
    Body(request): Body<ContactRequest>,
) -> Result<(StatusCode, Json<AcceptedRequest>), Problem> {
    let answers = api.pipeline().accept(caller.actor(), vec![request]).await;
    let accepted = answers.into_iter().next().unwrap_or(Err(Refusal::Unavailable))?;
    Ok((StatusCode::ACCEPTED, Json(accepted.into())))
}

struct Requests {
    api: Api,
    caller: Caller<Writes>,
}

impl Batch for Requests {
    type Ask = ContactRequest;
    type Answer = AcceptedRequest;
    const LABEL: &'static str = "request_id";

    fn label(ask: &ContactRequest) -> &str {
        &ask.request_id
    }

    async fn answer(&self, asked: Vec<ContactRequest>) -> Vec<Result<AcceptedRequest, Refusal>> {
        let answers = self.api.pipeline().accept(self.caller.actor(), asked).await;
        answers.into_iter().map(|answer| answer.map(AcceptedRequest::from)).collect()
    }
}

/// Ask for many contacts
///
/// NDJSON in and out: one answer a line, in order, as it goes; each is durable once it is answered. A bad line is answered
/// `{line, request_id, problem}` and never spoils its neighbours.
#[utoipa::path(
    post, path = "/v1/contact-requests/batch", tag = "Contact requests",
    request_body(content = ContactRequest, content_type = "application/x-ndjson", description = "One request a line"),
    responses((status = 200, description = "One answer a line", body = AcceptedRequest, content_type = "application/x-ndjson"))
)]
async fn accept_batch(
    State(api): State<Api>,
    caller: Caller<Writes>,
    _: Query<NoQuery>,
    request: Request,
) -> Result<Response, Problem> {
    batch::run(Requests { api, caller }, request)
}

/// Read a contact request
#[utoipa::path(
    get, path = "/v1/contact-requests/{id}", tag = "Contact requests",
    params(("id" = String, Path, description = "Our identifier")),
    responses((status = 200, description = "The request as of now", body = RequestView))
)]
async fn get(
    State(api): State<Api>,
    _: Caller<Reads>,
    At(id): At<RequestId>,
    _: Query<NoQuery>,
) -> Result<Json<RequestView>, Problem> {
    let state = api.pipeline().request(id).await?;
    let view = state.and_then(|state| RequestView::of(&state, id));
    view.map(Json).ok_or_else(|| Problem::not_found("contact request"))
}

/// Read the messages of a contact request, as sent
#[utoipa::path(
    get, path = "/v1/contact-requests/{id}/messages", tag = "Contact requests",
    params(("id" = String, Path, description = "Our identifier")),
    responses((status = 200, description = "One for each attempt; content is null once the person is erased", body = List<AttemptMessage>))
)]
async fn messages(
    State(api): State<Api>,
    _: Caller<Reads>,
    At(id): At<RequestId>,
    _: Query<NoQuery>,
) -> Result<Json<List<AttemptMessage>>, Problem> {
    let state = api.pipeline().request(id).await?;
    let messages = state.and_then(|state| AttemptMessage::all(&state, id));
    messages.map(|items| Json(List::whole(items))).ok_or_else(|| Problem::not_found("contact request"))
}

/// Take a contact request back
///
/// What has gone out cannot be taken back: 409.
#[utoipa::path(
    post, path = "/v1/contact-requests/{id}/cancel", tag = "Contact requests",
    params(("id" = String, Path, description = "Our identifier")),
    responses(
        (status = 200, description = "Taken back", body = RequestView),
        (status = 409, description = "It has gone out, or ended", body = crate::http::problem::ProblemSchema, content_type = "application/problem+json")
    )
)]
async fn cancel(
    State(api): State<Api>,
    caller: Caller<Writes>,
    At(id): At<RequestId>,
    _: Query<NoQuery>,
) -> Result<Json<RequestView>, Problem> {
    api.pipeline().cancel(caller.actor(), id).await?;
    let state = api.pipeline().request(id).await?;
    let view = state.and_then(|state| RequestView::of(&state, id));
    view.map(Json).ok_or_else(|| Problem::not_found("contact request"))
}

/// Which requests to list.
struct Wanted {
    request_id: Option<String>,
    debtor_id: Option<String>,
    account_id: Option<String>,
    campaign: Option<String>,
    filter: RequestFilter,
}

impl QueryForm for Wanted {
    fn take(fields: &mut Fields<'_>) -> Self {
        const INSTANT: &str = "an RFC 3339 timestamp with an offset";
        let words = "one or more of accepted, deferred, dispatching, sent, delivered, failed, blocked, expired, cancelled, \
                     unknown, with commas between";
        Self {
            request_id: fields.text("request_id"),
            debtor_id: fields.text("debtor_id"),
            account_id: fields.text("account_id"),
            campaign: fields.text("campaign"),
            filter: RequestFilter {
                debtors: None,
                statuses: fields
                    .pick("status", words, |text| text.split(',').map(RequestStatus::from_word).collect())
                    .unwrap_or_default(),
                channel: fields.pick("channel", "a channel", crate::domain::channel::Channel::from_word),
                campaign: None,
                accepted_since: fields.read("from", INSTANT),
                accepted_until: fields.read("to", INSTANT),
                after: list::cursor(fields),
                limit: fields.limit(),
            },
        }
    }
}

/// List contact requests, oldest first
///
/// Filters join with *and*. A page may be shorter than its limit although more follows: go on while `next_cursor` is there.
#[utoipa::path(
    get, path = "/v1/contact-requests", tag = "Contact requests",
    params(
        ("request_id" = Option<String>, Query, description = "Upstream's identifier of the request"),
        ("debtor_id" = Option<String>, Query, description = "Of this debtor"),
        ("account_id" = Option<String>, Query, description = "About this account"),
        ("campaign" = Option<String>, Query, description = "Of this campaign"),
        ("status" = Option<String>, Query, description = "In one of these states, with commas between", example = "deferred,sent"),
        ("channel" = Option<crate::domain::channel::Channel>, Query, description = "On this channel"),
        ("from" = Option<String>, Query, description = "Taken at this moment or later"),
        ("to" = Option<String>, Query, description = "Taken before this moment"),
        ("limit" = Option<u16>, Query, description = "At most so many: 100, up to 1000"),
        ("cursor" = Option<String>, Query, description = "The `next_cursor` of the page before")
    ),
    responses((status = 200, description = "A page of them", body = List<RequestItem>))
)]
async fn list(
    State(api): State<Api>,
    _: Caller<Reads>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<List<RequestItem>>, Problem> {
    let pipeline = api.pipeline().clone();
    let found = api.pipeline().read(move |store| find(&pipeline, store, wanted)).await?;
    Ok(Json(found))
}

/// Reads a page of rows, and each debtor once.
fn find(pipeline: &Pipeline, store: &Store, wanted: Wanted) -> Result<List<RequestItem>, StorageError> {
    let reader = store.reader()?;
    let names = &pipeline.desk().names;
    let mut filter = wanted.filter;
    filter.campaign = wanted.campaign.as_deref().map(|name| names.pseudonym("campaign", name));
    let account = wanted.account_id.as_deref().map(|id| names.account(id));
    filter.debtors = match (wanted.debtor_id.as_deref(), account) {
        (Some(id), _) => Some(vec![names.debtor(id)]),
        (None, Some(account)) => Some(reader.streams_with_account(account)?),
        (None, None) => None,
    };
    let page = match wanted.request_id.as_deref() {
        Some(id) => {
            let mut found = None;
            for key in naming::request_keys(pipeline.desk(), id) {
                if found.is_none() {
                    found = reader.request_by_key(key)?;
                }
            }
            Page { items: found.into_iter().filter(|row| passes(&filter, row)).collect(), next: None }
        }
        None => reader.requests(&filter)?,
    };
    let mut debtors = BTreeMap::new();
    for row in &page.items {
        if let std::collections::btree_map::Entry::Vacant(place) = debtors.entry(row.debtor) {
            place.insert(crate::pipeline::preview::fold(&reader, row.debtor)?);
        }
    }
    let items = page.items.iter().filter_map(|row| {
        let state = debtors.get(&row.debtor)?;
        let about =
            |account| state.requests.get(&row.request).is_some_and(|r| r.order.accounts.contains(&account));
        account.is_none_or(about).then(|| RequestItem::of(state, row.request))?
    });
    Ok(List::of(items.collect(), page.next))
}

/// Whether a row that was found by its key is also what the other filters ask for.
fn passes(filter: &RequestFilter, row: &RequestRow) -> bool {
    filter.debtors.as_ref().is_none_or(|debtors| debtors.contains(&row.debtor))
        && (filter.statuses.is_empty() || filter.statuses.contains(&row.status))
        && filter.channel.is_none_or(|channel| row.channel == Some(channel))
        && filter.campaign.is_none_or(|campaign| row.campaign == Some(campaign))
        && filter.accepted_since.is_none_or(|since| row.accepted_at >= since)
        && filter.accepted_until.is_none_or(|until| row.accepted_at < until)
        && filter.after.is_none_or(|after| row.request > after)
}
