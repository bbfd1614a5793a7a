//! Cadences: several contact requests in turn, by a plan, until an answer ends them.

use crate::domain::cadence::{CadenceRequest, Plan, StopCondition};
use crate::domain::id::CadenceId;
use crate::http::Api;
use crate::http::api::cadence_view::CadenceView;
use crate::http::auth::{Caller, Reads, Writes};
use crate::http::body::{Body, PerhapsBody};
use crate::http::list::{self, List};
use crate::http::problem::Problem;
use crate::http::query::{At, Fields, NoQuery, Query, QueryForm};
use crate::pipeline::cadences::Begun;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(in crate::http) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new()
        .routes(routes!(begin, list))
        .routes(routes!(get))
        .routes(routes!(cancel))
        .routes(routes!(plans))
}

/// A cadence that was begun, and goes on whatever happens now.
#[derive(Serialize, utoipa::ToSchema)]
struct BegunCadence {
    /// Our identifier.
    #[schema(value_type = String, example = "cad_019ab2f0c4d87d3e9f10a2b3c4d5e6f7")]
    id: CadenceId,
    /// Upstream's.
    #[schema(example = "crm-cadence-77")]
    cadence_id: String,
}

impl From<Begun> for BegunCadence {
    fn from(begun: Begun) -> Self {
        Self { id: begun.id, cadence_id: begun.cadence_id }
    }
}

/// Begin a cadence
///
/// Durable once it is answered. The same `cadence_id` with the same body again gives the same answer, for ever; with another
/// body it is 409. Each step of the plan becomes an ordinary contact request, known as `{cadence_id}/{step}`, decided when it
/// is about to go out like any other; the next one is due when the step's time has passed since the one before went out,
/// was refused or ran out of time. What the plan names under `stop_on` ends the rest. A cadence keeps the plan that it was
/// begun with, whatever becomes of the file. An unknown plan, a missing variable of any step's template or a debtor not on
/// file is 422; what would end it at once (a hold in force, an account named that is not open, or none that is) is 409.
#[utoipa::path(
    post, path = "/v1/cadences", tag = "Cadences",
    request_body(content = CadenceRequest, example = json!({
        "cadence_id": "crm-cadence-77", "debtor_id": "D-1001", "plan": "gentle-reminder", "account_ids": ["A-1"],
        "variables": {"due_date": "2026-12-15"}, "not_before": "2026-12-01T09:00:00-05:00", "campaign": "dec-early"
    })),
    responses(
        (status = 202, description = "Begun", body = BegunCadence),
        (status = 409, description = "The same cadence_id with another body, or what would end it at once", body = crate::http::problem::ProblemSchema, content_type = "application/problem+json")
    )
)]
async fn begin(
    State(api): State<Api>,
    caller: Caller<Writes>,
    _: Query<NoQuery>,
    Body(said): Body<CadenceRequest>,
) -> Result<(StatusCode, Json<BegunCadence>), Problem> {
    let begun = api.pipeline().begin_cadence(caller.actor(), said).await?;
    Ok((StatusCode::ACCEPTED, Json(begun.into())))
}

/// Read a cadence
#[utoipa::path(
    get, path = "/v1/cadences/{id}", tag = "Cadences",
    params(("id" = String, Path, description = "Our identifier")),
    responses((status = 200, description = "The cadence as of now", body = CadenceView))
)]
async fn get(
    State(api): State<Api>,
    _: Caller<Reads>,
    At(id): At<CadenceId>,
    _: Query<NoQuery>,
) -> Result<Json<CadenceView>, Problem> {
    view(&api, id).await
}

async fn view(api: &Api, id: CadenceId) -> Result<Json<CadenceView>, Problem> {
    let state = api.pipeline().cadence(id).await?;
    let view = state.and_then(|state| CadenceView::of(&state, id));
    view.map(Json).ok_or_else(|| Problem::not_found("cadence"))
}

/// Why upstream takes a cadence back.
#[derive(Default, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct CadenceCancel {
    /// What made the rest pointless, where it is something that this gateway has not heard of itself, such as a payment;
    /// `cancelled` is recorded where absent. What binds beyond the cadence has its own endpoint, and ends the cadence by
    /// itself: an opt-out, a dispute or a hold is 422 here.
    #[serde(default)]
    reason: Option<StopCondition>,
}

/// Take a cadence back
///
/// What has gone out stays; nothing more goes out once this is answered. The body may be left out. One that has ended otherwise is 409.
#[utoipa::path(
    post, path = "/v1/cadences/{id}/cancel", tag = "Cadences",
    params(("id" = String, Path, description = "Our identifier")),
    request_body(content = Option<CadenceCancel>, example = json!({"reason": "payment"})),
    responses(
        (status = 200, description = "Taken back", body = CadenceView),
        (status = 409, description = "It has ended", body = crate::http::problem::ProblemSchema, content_type = "application/problem+json")
    )
)]
async fn cancel(
    State(api): State<Api>,
    caller: Caller<Writes>,
    At(id): At<CadenceId>,
    _: Query<NoQuery>,
    PerhapsBody(said): PerhapsBody<CadenceCancel>,
) -> Result<Json<CadenceView>, Problem> {
    api.pipeline().cancel_cadence(caller.actor(), id, said.reason).await?;
    view(&api, id).await
}

/// Which cadences to list.
struct Wanted {
    debtor_id: Option<String>,
    cadence_id: Option<String>,
    after: Option<CadenceId>,
    limit: usize,
}

impl QueryForm for Wanted {
    fn take(fields: &mut Fields<'_>) -> Self {
        let wanted = Self {
            debtor_id: fields.text("debtor_id"),
            cadence_id: fields.text("cadence_id"),
            after: list::cursor(fields),
            limit: fields.limit(),
        };
        if wanted.debtor_id.is_none() && wanted.cadence_id.is_none() {
            fields.fault("debtor_id", "is missing: name a debtor, or a cadence_id");
        }
        wanted
    }
}

/// List a debtor's cadences, oldest first
///
/// Filters join with *and*; one of `debtor_id` and `cadence_id` must be given.
#[utoipa::path(
    get, path = "/v1/cadences", tag = "Cadences",
    params(
        ("debtor_id" = Option<String>, Query, description = "Of this debtor"),
        ("cadence_id" = Option<String>, Query, description = "Upstream's identifier of the cadence"),
        ("limit" = Option<u16>, Query, description = "At most so many: 100, up to 1000"),
        ("cursor" = Option<String>, Query, description = "The `next_cursor` of the page before")
    ),
    responses((status = 200, description = "A page of them", body = List<CadenceView>))
)]
async fn list(
    State(api): State<Api>,
    _: Caller<Reads>,
    Query(wanted): Query<Wanted>,
) -> Result<Json<List<CadenceView>>, Problem> {
    let pipeline = api.pipeline();
    let Wanted { debtor_id, cadence_id, after, limit } = wanted;
    let (only, state) = match (&cadence_id, &debtor_id) {
        (Some(name), _) => match pipeline.cadence_named(name).await? {
            Some((id, state)) => (Some(id), Some(state)),
            None => (None, None),
        },
        (None, Some(debtor_id)) => (None, pipeline.debtor(debtor_id).await?),
        (None, None) => (None, None),
    };
    let of_debtor = |state: &crate::domain::state::DebtorState| {
        debtor_id.is_none() || cadence_id.is_none() || state.debtor_id == debtor_id
    };
    let Some(state) = state.filter(of_debtor) else { return Ok(Json(List::whole(Vec::new()))) };
    let passes =
        |id: &&CadenceId| only.is_none_or(|only| only == **id) && after.is_none_or(|after| **id > after);
    let mut ids: Vec<CadenceId> = state.cadences.keys().filter(passes).copied().collect();
    let more = ids.len() > limit;
    ids.truncate(limit);
    let next = ids.last().copied().filter(|_| more);
    let items = ids.into_iter().filter_map(|id| CadenceView::of(&state, id)).collect();
    Ok(Json(List::of(items, next)))
}

/// A plan that cadences can be begun by.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = ListedPlan)]
struct PlanView {
    #[serde(flatten)]
    plan: Plan,
    /// What it is for.
    summary: String,
}

/// List the plans
///
/// As they were read at the start from `[plans] dir`.
#[utoipa::path(
    get, path = "/v1/plans", tag = "Cadences",
    responses((status = 200, description = "All of them, by name", body = List<PlanView>))
)]
async fn plans(State(api): State<Api>, _: Caller<Reads>, _: Query<NoQuery>) -> Json<List<PlanView>> {
    let all = api.pipeline().desk().plans.all();
    let views = all.map(|filed| PlanView { plan: filed.plan.clone(), summary: filed.summary.clone() });
    Json(List::whole(views.collect()))
}
