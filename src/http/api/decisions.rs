//! Decisions: may I, and if not, when. Nothing is sent, counted or recorded.

use crate::domain::channel::Channel;
use crate::domain::decision::{Decision, Finding, Outcome, PolicyStamp};
use crate::domain::routing::Routing;
use crate::domain::statement::DecisionQuery;
use crate::domain::time::Timestamp;
use crate::http::Api;
use crate::http::auth::{Asks, Caller};
use crate::http::batch::{self, Batch};
use crate::http::body::Body;
use crate::http::problem::Problem;
use crate::http::query::{Fields, Query, QueryForm};
use crate::pipeline::{DecisionAnswer, Refusal};
use axum::Json;
use axum::extract::{Request, State};
use axum::response::Response;
use serde::Serialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(in crate::http) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(decide)).routes(routes!(decide_batch))
}

/// A decision as callers read it.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Decision)]
pub struct DecisionView {
    /// `allow`, `defer` (time alone makes it lawful) or `block` (it does not).
    outcome: Outcome,
    /// The medium asked about.
    channel: Channel,
    /// The contact point asked about, or the best usable one; null for letters, visits, or where none is usable.
    #[schema(required)]
    contact_point: Option<String>,
    /// The moment asked about.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// The earliest moment at which every rule permits it, if nothing else happens; null where none is found.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    permitted_from: Option<Timestamp>,
    /// When an allowed contact stops being allowed, if it does within the search.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    permitted_until: Option<Timestamp>,
    /// Every rule that had a say; the permitting ones with `explain=all`.
    findings: Vec<Finding>,
    /// What does not bar the contact, but a person should look at: standards that figures cannot settle, and the overrides
    /// that let it pass.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    reviews: Vec<Finding>,
    /// The policy that answered.
    policy: PolicyStamp,
    /// Of a contact request: how it came to its channel and its provider, where that is not plain.
    #[serde(skip_serializing_if = "Option::is_none")]
    routing: Option<Routing>,
}

impl DecisionView {
    /// Of a fresh answer.
    pub fn of(answer: DecisionAnswer) -> Self {
        Self::with(answer.decision, answer.contact_point, answer.policy)
    }

    /// Of a decision with the value of the contact point that it is about.
    pub fn with(decision: Decision, contact_point: Option<String>, policy: PolicyStamp) -> Self {
        Self {
            outcome: decision.outcome,
            channel: decision.channel,
            contact_point,
            at: decision.at,
            permitted_from: decision.permitted_from,
            permitted_until: decision.permitted_until,
            findings: decision.findings,
            reviews: decision.reviews,
            policy,
            routing: None,
        }
    }

    /// The same with how it came to its way.
    pub fn routed(self, routing: Option<Routing>) -> Self {
        Self { routing, ..self }
    }
}

/// How much a decision tells.
#[derive(Clone, Copy, Default)]
struct Explain {
    all: bool,
}

impl QueryForm for Explain {
    fn take(fields: &mut Fields<'_>) -> Self {
        let all = fields.pick("explain", "all", |word| (word == "all").then_some(true));
        Self { all: all.unwrap_or(false) }
    }
}

/// Ask whether a contact would be lawful
///
/// Nothing is sent, counted or recorded. `at` asks about another moment and judges by effective time. A debtor that is not on
/// file is 422.
#[utoipa::path(
    post, path = "/v1/decisions", tag = "Decisions",
    params(("explain" = Option<String>, Query, description = "`all`: also the rules that permit it", example = "all")),
    request_body(content = DecisionQuery, example = json!({
        "debtor_id": "D-1001", "account_ids": ["A-1"], "channel": "voice", "at": "2026-11-22T02:10:00Z"
    })),
    responses((status = 200, description = "The decision, with every finding", body = DecisionView, example = json!({
        "outcome": "defer", "channel": "voice", "contact_point": "+13055550123", "at": "2026-11-22T02:10:00Z",
        "permitted_from": "2026-11-22T13:00:00Z", "permitted_until": null,
        "findings": [{
            "rule": "us.fed.regf.inconvenient-time", "effect": "defer", "until": "2026-11-22T13:00:00Z",
            "citation": "12 CFR 1006.6(b)(1)(i)",
            "reason": "it is 21:10 in America/New_York; calls are permitted from 08:00 to 21:00 there",
            "facts": {"zones": ["America/New_York"]}
        }],
        "policy": {"digest": "sha256:0f…", "packs": ["us-federal@3", "us-states@2"]}
    })))
)]
async fn decide(
    State(api): State<Api>,
    _: Caller<Asks>,
    Query(explain): Query<Explain>,
    Body(query): Body<DecisionQuery>,
) -> Result<Json<DecisionView>, Problem> {
    let answers = api.pipeline().decide(vec![query], explain.all).await;
    let answer = answers.into_iter().next().unwrap_or(Err(Refusal::Unavailable))?;
    Ok(Json(DecisionView::of(answer)))
}

struct Decisions {
    api: Api,
    explain: Explain,
}

impl Batch for Decisions {
    type Ask = DecisionQuery;
    type Answer = DecisionView;
    const LABEL: &'static str = "debtor_id";

    fn label(ask: &DecisionQuery) -> &str {
        &ask.debtor_id
    }

    async fn answer(&self, asked: Vec<DecisionQuery>) -> Vec<Result<DecisionView, Refusal>> {
        let answers = self.api.pipeline().decide(asked, self.explain.all).await;
        answers.into_iter().map(|answer| answer.map(DecisionView::of)).collect()
    }
}

/// Ask about many contacts
///
/// NDJSON in and out: one question a line, one answer a line, in order, as it goes. A bad line is answered
/// `{line, debtor_id, problem}` and never spoils its neighbours.
#[utoipa::path(
    post, path = "/v1/decisions/batch", tag = "Decisions",
    params(("explain" = Option<String>, Query, description = "`all`: also the rules that permit it", example = "all")),
    request_body(content = DecisionQuery, content_type = "application/x-ndjson", description = "One question a line"),
    responses((status = 200, description = "One answer a line", body = DecisionView, content_type = "application/x-ndjson"))
)]
async fn decide_batch(
    State(api): State<Api>,
    _: Caller<Asks>,
    Query(explain): Query<Explain>,
    request: Request,
) -> Result<Response, Problem> {
    batch::run(Decisions { api, explain }, request)
}
