//! The debtor's inbox for a creditor's own portal, and links to the pages that Dunwell itself serves.

use crate::domain::event::Understanding;
use crate::domain::id::{AttemptId, RequestId};
use crate::domain::intent::Intent;
use crate::domain::state::DebtorState;
use crate::domain::time::{Span, Timestamp};
use crate::http::Api;
use crate::http::auth::{Caller, Carries, Reads};
use crate::http::body::Body;
use crate::http::list::{self, List};
use crate::http::problem::Problem;
use crate::http::query::{At, At2, Chosen, Fields, NoQuery, Query, QueryForm};
use crate::pipeline::inbox::{self, Entry, Heard, Letter};
use crate::pipeline::links::LINK_LIFE;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(in crate::http) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(issue_link))
        .routes(routes!(list))
        .routes(routes!(read))
        .routes(routes!(write))
}

/// What a link to a debtor's own pages shall be.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct PortalLinkQuery {
    /// You know that whoever gets the link is the debtor, say because they are logged in. Otherwise the pages ask for the
    /// date of birth or a postal code on file before they show anything of a debt.
    #[serde(default)]
    identified: bool,
    /// How long it opens; `P7D` where absent, `P90D` at most.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "PT1H")]
    expires_after: Option<Span>,
}

/// A link to a debtor's own pages.
#[derive(Serialize, utoipa::ToSchema)]
struct PortalLink {
    /// Its address. It opens once, for a visit of an hour.
    #[schema(example = "https://contact.example/portal/open/…")]
    url: String,
    /// When it opens no more.
    #[schema(value_type = String, format = DateTime)]
    expires_at: Timestamp,
}

/// Make a link to a debtor's own pages
///
/// Give it to the debtor and to nobody else: it opens once. What mail scanners fetch uses nothing up.
#[utoipa::path(
    post, path = "/v1/debtors/{debtor_id}/portal-links", tag = "Portal",
    params(("debtor_id" = String, Path, description = "Upstream's identifier", example = "D-1001")),
    request_body(content = PortalLinkQuery, example = json!({"identified": false, "expires_after": "P2D"})),
    responses((status = 201, description = "Made", body = PortalLink))
)]
async fn issue_link(
    State(api): State<Api>,
    caller: Caller<Carries>,
    At(Chosen(debtor_id)): At<Chosen>,
    _: Query<NoQuery>,
    Body(said): Body<PortalLinkQuery>,
) -> Result<(StatusCode, Json<PortalLink>), Problem> {
    let lives = said.expires_after.unwrap_or(LINK_LIFE);
    let (url, expires_at) =
        api.pipeline().issue_link(caller.actor(), &debtor_id, lives, said.identified).await?;
    Ok((StatusCode::CREATED, Json(PortalLink { url, expires_at })))
}

/// A message in a debtor's inbox.
#[derive(Serialize, utoipa::ToSchema)]
struct InboxMessage {
    /// Its identifier: the attempt's.
    #[schema(value_type = String, example = "att_019ab2f0c4d87d3e9f10a2b3c4d5e6f7")]
    id: AttemptId,
    /// The contact request that it was placed for, by our identifier.
    #[schema(value_type = String, example = "req_019ab2f0c4d87d3e9f10a2b3c4d5e6f7")]
    contact_request: RequestId,
    #[schema(value_type = String, format = DateTime)]
    placed_at: Timestamp,
    /// Whether the debtor has opened it.
    read: bool,
    /// Its language, BCP 47.
    language: String,
    /// Its title, plain text.
    subject: String,
    /// Its body: HTML without styles or scripts, its values escaped. Show all of it: the disclosures stand in it.
    html: String,
}

impl From<Entry> for InboxMessage {
    fn from(entry: Entry) -> Self {
        let Entry { id, request, placed_at, read, language, subject, html } = entry;
        Self { id, contact_request: request, placed_at, read, language, subject, html }
    }
}

struct Wanted {
    after: Option<AttemptId>,
    limit: usize,
}

impl QueryForm for Wanted {
    fn take(fields: &mut Fields<'_>) -> Self {
        Self { after: list::cursor(fields), limit: fields.limit() }
    }
}

async fn state_of(api: &Api, debtor_id: &str) -> Result<DebtorState, Problem> {
    let state = api.pipeline().debtor(debtor_id).await?;
    state.filter(DebtorState::is_on_file).ok_or_else(|| Problem::not_found("debtor"))
}

/// List the messages of a debtor's inbox, newest first
#[utoipa::path(
    get, path = "/v1/debtors/{debtor_id}/inbox", tag = "Portal",
    params(
        ("debtor_id" = String, Path, description = "Upstream's identifier", example = "D-1001"),
        ("limit" = Option<u16>, Query, description = "At most so many: 100, up to 1000"),
        ("cursor" = Option<String>, Query, description = "The `next_cursor` of the page before")
    ),
    responses((status = 200, description = "A page of them", body = List<InboxMessage>))
)]
async fn list(
    State(api): State<Api>,
    _: Caller<Reads>,
    At(Chosen(debtor_id)): At<Chosen>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<List<InboxMessage>>, Problem> {
    let state = state_of(&api, &debtor_id).await?;
    let entries = inbox::entries(&state).into_iter();
    let mut page: Vec<Entry> = entries
        .filter(|entry| wanted.after.is_none_or(|after| entry.id < after))
        .take(wanted.limit + 1)
        .collect();
    let more = page.len() > wanted.limit;
    page.truncate(wanted.limit);
    let next = page.last().map(|entry| entry.id).filter(|_| more);
    Ok(Json(List::of(page.into_iter().map(InboxMessage::from).collect(), next)))
}

/// Say that the debtor has opened a message
///
/// The message then counts as delivered. Said again, it changes nothing.
#[utoipa::path(
    post, path = "/v1/debtors/{debtor_id}/inbox/{message_id}/read", tag = "Portal",
    params(
        ("debtor_id" = String, Path, description = "Upstream's identifier", example = "D-1001"),
        ("message_id" = String, Path, description = "The message's `id`")
    ),
    responses((status = 200, description = "Recorded", body = InboxMessage))
)]
async fn read(
    State(api): State<Api>,
    caller: Caller<Carries>,
    At2(Chosen(debtor_id), id): At2<Chosen, AttemptId>,
    _: Query<NoQuery>,
) -> Result<Json<InboxMessage>, Problem> {
    let missing = || Problem::not_found("message");
    inbox::find(&state_of(&api, &debtor_id).await?, id).ok_or_else(missing)?;
    api.pipeline().mark_read(caller.actor(), api.pipeline().key(&debtor_id), id).await?;
    let entry = inbox::find(&state_of(&api, &debtor_id).await?, id).ok_or_else(missing)?;
    Ok(Json(entry.into()))
}

/// What a debtor wrote in a creditor's portal.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct InboxReply {
    /// Your own identifier of it; the same one with the same text is the same reply, for ever.
    reply_id: String,
    /// The debtor's words.
    text: String,
}

/// What a debtor's words were understood to say.
#[derive(Serialize, utoipa::ToSchema)]
struct HeardReply {
    /// What is done about it. `unclear`: it waits in the review queue.
    understood: Understanding,
    /// Everything it says.
    intents: Vec<Intent>,
}

/// Post what a debtor wrote in a creditor's portal
///
/// Understood like a reply over any other channel: a stop, a dispute or an attorney is in force once this is answered, what
/// is not understood waits for a person. The same `reply_id` with another text is 409.
#[utoipa::path(
    post, path = "/v1/debtors/{debtor_id}/inbox/replies", tag = "Portal",
    params(("debtor_id" = String, Path, description = "Upstream's identifier", example = "D-1001")),
    request_body(content = InboxReply, example = json!({"reply_id": "portal-77", "text": "Please stop texting me."})),
    responses(
        (status = 201, description = "Recorded and in force", body = HeardReply),
        (status = 200, description = "It was recorded before", body = HeardReply),
        (status = 409, description = "The same reply_id with another text", body = crate::http::problem::ProblemSchema, content_type = "application/problem+json")
    )
)]
async fn write(
    State(api): State<Api>,
    caller: Caller<Carries>,
    At(Chosen(debtor_id)): At<Chosen>,
    _: Query<NoQuery>,
    Body(said): Body<InboxReply>,
) -> Result<(StatusCode, Json<HeardReply>), Problem> {
    let letter = Letter { text: said.text, reference: Some(said.reply_id) };
    let Heard { understood, intents, repeated } =
        api.pipeline().write_in(caller.actor(), api.pipeline().key(&debtor_id), letter).await?;
    let status = if repeated { StatusCode::OK } else { StatusCode::CREATED };
    Ok((status, Json(HeardReply { understood, intents })))
}
