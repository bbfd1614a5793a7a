//! The law in force, how it came to be, and what its newest change did to what was pending.

use crate::domain::decision::{Outcome, PolicyStamp};
use crate::domain::time::Timestamp;
use crate::domain::zone::tzdb_version;
use crate::http::Api;
use crate::http::auth::{Caller, Reads};
use crate::http::problem::Problem;
use crate::http::query::{NoQuery, Query};
use crate::pipeline::amend::{self, Amendment, Effects};
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(in crate::http) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(get))
}

/// The law in force.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Policy)]
struct PolicyView {
    #[serde(flatten)]
    policy: PolicyStamp,
    /// How many rules it has.
    rules: usize,
    /// The version of the time-zone rules that it is applied with.
    #[schema(example = "2026f")]
    tzdb: &'static str,
    /// Every change of it, oldest first.
    changes: Vec<ChangeView>,
    /// What the newest change since the start did to what was pending; null where there was none, or while it is counted.
    #[schema(required)]
    pending: Option<EffectsView>,
}

/// A change of the law.
#[derive(Serialize, utoipa::ToSchema)]
struct ChangeView {
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// Who did it.
    #[schema(example = "gateway")]
    actor: String,
    /// The law from then on.
    policy: PolicyStamp,
    /// The law before; null for the first.
    #[schema(required)]
    previous: Option<PolicyStamp>,
}

/// What a change did to requests that waited for a moment, a person or upstream.
#[derive(Serialize, utoipa::ToSchema)]
struct EffectsView {
    /// The law that they were decided under anew.
    digest: String,
    /// How many waited.
    pending: u64,
    /// Of these: answered as before.
    unchanged: u64,
    /// Of these: answered otherwise.
    changed: Vec<TurnView>,
}

/// Requests whose answer turned in one way for one reason.
#[derive(Serialize, utoipa::ToSchema)]
struct TurnView {
    /// The answer before.
    from: Outcome,
    /// The answer now.
    to: Outcome,
    /// The rule that speaks first: of the new answer, or of the old where the new one is `allow`.
    rule: String,
    /// The paragraph it rests on.
    citation: String,
    /// How many.
    requests: u64,
}

impl From<Amendment> for ChangeView {
    fn from(change: Amendment) -> Self {
        let Amendment { at, actor, policy, previous } = change;
        Self { at, actor: actor.to_string(), policy, previous }
    }
}

impl From<&Effects> for EffectsView {
    fn from(effects: &Effects) -> Self {
        let turns = effects.changed.iter().map(|(turn, requests)| TurnView {
            from: turn.from,
            to: turn.to,
            rule: turn.rule.clone(),
            citation: turn.citation.clone(),
            requests: *requests,
        });
        Self {
            digest: effects.digest.clone(),
            pending: effects.pending,
            unchanged: effects.unchanged,
            changed: turns.collect(),
        }
    }
}

/// Read the law in force
///
/// Its digest and packs, every change of it, and what the newest change did to pending requests, which were decided anew.
#[utoipa::path(
    get, path = "/v1/policy", tag = "Decisions",
    responses((status = 200, description = "The law in force", body = PolicyView))
)]
async fn get(
    State(api): State<Api>,
    _: Caller<Reads>,
    _: Query<NoQuery>,
) -> Result<Json<PolicyView>, Problem> {
    let changes = api.pipeline().read(|store| amend::amendments(&store.reader()?)).await?;
    let policy = api.pipeline().desk().policy.load();
    Ok(Json(PolicyView {
        policy: policy.stamp(),
        rules: policy.rules().len(),
        tzdb: tzdb_version(),
        changes: changes.into_iter().map(ChangeView::from).collect(),
        pending: api.pipeline().amended().as_deref().map(EffectsView::from),
    }))
}
