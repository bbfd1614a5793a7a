//! Debtors: what upstream knows, and what follows from it now.

use crate::domain::channel::Channel;
use crate::domain::consent::{
    Consent, ConsentForm, ConsentScope, GivenTo, Hold, HoldKind, OptOut, OptOutChannel, Preferences,
};
use crate::domain::debtor::{Account, ContactPoint, DebtorFile, Location, Name};
use crate::domain::state::DebtorState;
use crate::domain::time::{Date, Span, Timestamp};
use crate::http::Api;
use crate::http::api::naming::Names;
use crate::http::auth::{Caller, Reads, Writes};
use crate::http::body::Body;
use crate::http::problem::Problem;
use crate::http::query::{At, Chosen, NoQuery, Query};
use crate::pipeline::preview::Standing;
use crate::policy;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Serialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(in crate::http) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(put, get)).routes(routes!(erase))
}

/// A debtor that was put on file.
#[derive(Serialize, utoipa::ToSchema)]
struct PutDebtor {
    /// Upstream's identifier.
    #[schema(example = "D-1001")]
    debtor_id: String,
    /// Whether it was not on file before.
    created: bool,
}

/// A contact point with what Dunwell has learned about it.
#[derive(Serialize, utoipa::ToSchema)]
struct PointView {
    #[serde(flatten)]
    point: ContactPoint,
    /// Found not to exist, or not to be the debtor's: for these media it is not used any more.
    invalid_for: Vec<Channel>,
    /// Frozen until a reply from it has been understood.
    frozen: bool,
}

/// A consent on record.
#[derive(Serialize, utoipa::ToSchema)]
struct ConsentView {
    channel: Channel,
    scope: ConsentScope,
    /// The point it covers; null: every point of the channel, or one no longer on file (see `covers_point`).
    #[schema(required)]
    contact_point: Option<String>,
    /// Whether it covers one point only.
    covers_point: bool,
    /// The accounts it covers; empty means all.
    account_ids: Vec<String>,
    #[schema(value_type = String, format = DateTime)]
    granted_at: Timestamp,
    #[schema(value_type = Option<String>, format = DateTime, required)]
    expires_at: Option<Timestamp>,
    given_to: GivenTo,
    #[schema(required)]
    form: Option<ConsentForm>,
}

/// An opt-out on record.
#[derive(Serialize, utoipa::ToSchema)]
struct OptOutView {
    channel: OptOutChannel,
    /// The point it closes; null: every point of the channel, or one no longer on file (see `covers_point`).
    #[schema(required)]
    contact_point: Option<String>,
    /// Whether it closes one point only.
    covers_point: bool,
    /// The accounts it covers; empty means all.
    account_ids: Vec<String>,
    #[schema(value_type = String, format = DateTime)]
    received_at: Timestamp,
}

/// A hold in force, or lifted.
#[derive(Serialize, utoipa::ToSchema)]
struct HoldView {
    kind: HoldKind,
    #[schema(value_type = String, format = DateTime)]
    since: Timestamp,
    /// When it was lifted; null while it is in force.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    lifted_at: Option<Timestamp>,
    /// The accounts it covers; empty means all.
    account_ids: Vec<String>,
}

/// The use of one cap now.
#[derive(Serialize, utoipa::ToSchema)]
struct CapView {
    /// The rule's id.
    rule: String,
    /// The paragraph it rests on.
    citation: String,
    /// Contacts that count now.
    used: u32,
    /// Contacts permitted.
    limit: u32,
    /// Contacts still permitted now, as far as this cap goes.
    left: u32,
    /// The window it counts over.
    #[schema(value_type = String, example = "P7D")]
    window: Span,
    /// When the next use is freed; null while nothing is used.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    frees_at: Option<Timestamp>,
    /// The accounts it counts for; empty where it counts by debtor or point.
    account_ids: Vec<String>,
    /// The contact point it counts for; null where it counts by debtor or account.
    #[schema(required)]
    contact_point: Option<String>,
}

/// A debtor as of now: what upstream knows, what the debtor allowed and refused, and what follows from it.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = Debtor)]
struct DebtorView {
    /// Upstream's identifier.
    #[schema(example = "D-1001")]
    debtor_id: String,
    /// The person was erased: nothing personal is left; stops and caps still bind.
    erased: bool,
    #[schema(required)]
    name: Option<Name>,
    #[schema(value_type = Option<String>, format = Date, required)]
    date_of_birth: Option<Date>,
    /// Language, BCP 47.
    #[schema(required)]
    language: Option<String>,
    locations: Vec<Location>,
    /// The zone that the debtor told us, which stands alone.
    #[schema(required)]
    time_zone: Option<String>,
    contact_points: Vec<PointView>,
    accounts: Vec<Account>,
    /// Every zone that the debtor may be in: a contact is lawful only where it is in all of them. Empty: none is known.
    #[schema(example = json!(["America/New_York", "America/Chicago"]))]
    time_zones: Vec<String>,
    consents: Vec<ConsentView>,
    opt_outs: Vec<OptOutView>,
    preferences: Preferences,
    holds: Vec<HoldView>,
    caps: Vec<CapView>,
}

impl DebtorView {
    fn of(debtor_id: String, state: &DebtorState, zones: Vec<String>, caps: Vec<Standing>) -> Self {
        let file = state.file.clone();
        let erased = file.is_none();
        let DebtorFile { name, date_of_birth, language, locations, time_zone, contact_points, accounts } =
            file.unwrap_or_default();
        let names = Names::of(state);
        let points = contact_points.into_iter().enumerate();
        Self {
            debtor_id,
            erased,
            name,
            date_of_birth,
            language,
            locations,
            time_zone,
            contact_points: points.map(|(place, point)| PointView::of(state, place, point)).collect(),
            accounts,
            time_zones: zones,
            consents: state.consents.iter().map(|consent| ConsentView::of(&names, consent)).collect(),
            opt_outs: state.opt_outs.iter().map(|stop| OptOutView::of(&names, stop)).collect(),
            preferences: state.preferences.clone(),
            holds: state.holds.iter().map(|hold| HoldView::of(&names, hold)).collect(),
            caps: caps.into_iter().map(|cap| CapView::of(&names, cap)).collect(),
        }
    }
}

impl PointView {
    fn of(state: &DebtorState, place: usize, mut point: ContactPoint) -> Self {
        let outline = state.outline.points.get(place);
        let key = outline.map(|outline| outline.point);
        // An answer that was loaded stands beside upstream's own, and may outrank it.
        point.reassignment_check = outline.and_then(|outline| outline.reassignment_check.clone());
        let invalid = state.invalid_points.iter().filter(|invalid| Some(invalid.point) == key);
        let mut invalid_for: Vec<Channel> = invalid
            .flat_map(|invalid| match invalid.channel {
                Some(channel) => vec![channel],
                None => Channel::DISPATCHED.to_vec(),
            })
            .filter(|channel| crate::domain::contact_point::PointKind::of(*channel) == Some(point.kind))
            .collect();
        invalid_for.sort();
        invalid_for.dedup();
        let frozen = state.frozen.iter().any(|(_, frozen)| Some(*frozen) == key);
        Self { point, invalid_for, frozen }
    }
}

impl ConsentView {
    fn of(names: &Names<'_>, consent: &Consent) -> Self {
        Self {
            channel: consent.channel,
            scope: consent.scope,
            contact_point: consent.point.and_then(|key| names.point(key)).map(str::to_owned),
            covers_point: consent.point.is_some(),
            account_ids: names.accounts(&consent.accounts),
            granted_at: consent.granted_at,
            expires_at: consent.expires_at,
            given_to: consent.given_to,
            form: consent.form,
        }
    }
}

impl OptOutView {
    fn of(names: &Names<'_>, stop: &OptOut) -> Self {
        Self {
            channel: stop.channel,
            contact_point: stop.point.and_then(|key| names.point(key)).map(str::to_owned),
            covers_point: stop.point.is_some(),
            account_ids: names.accounts(&stop.accounts),
            received_at: stop.received_at,
        }
    }
}

impl HoldView {
    fn of(names: &Names<'_>, hold: &Hold) -> Self {
        Self {
            kind: hold.kind,
            since: hold.since,
            lifted_at: hold.lifted_at,
            account_ids: names.accounts(&hold.accounts),
        }
    }
}

impl CapView {
    fn of(names: &Names<'_>, standing: Standing) -> Self {
        let Standing { cap, point } = standing;
        Self {
            contact_point: point.and_then(|key| names.point(key)).map(str::to_owned),
            left: cap.limit.saturating_sub(cap.used),
            rule: cap.rule,
            citation: cap.citation,
            used: cap.used,
            limit: cap.limit,
            window: cap.window,
            frees_at: cap.frees_at,
            account_ids: names.accounts(&cap.accounts),
        }
    }
}

/// Create or replace a debtor
///
/// Replaces what upstream knows; never what Dunwell has learned (a number found invalid, a stop) nor what the debtor chose.
/// It takes effect on everything pending at once.
#[utoipa::path(
    put, path = "/v1/debtors/{debtor_id}", tag = "Debtors",
    params(("debtor_id" = String, Path, description = "Upstream's identifier", example = "D-1001")),
    request_body(content = DebtorFile, example = json!({
        "name": {"given": "Sample", "family": "Debtor"}, "language": "es",
        "locations": [{"postal_code": "33101", "region": "US-FL", "country": "US"}],
        "contact_points": [
            {"kind": "phone", "value": "+13055550123", "line_type": "mobile"},
            {"kind": "email", "value": "sample@example.com"}
        ],
        "accounts": [{
            "account_id": "A-1", "creditor": "First Bank", "reference": "xxxx1234",
            "balance": {"amount": "482.13", "currency": "USD"}, "collector_role": "third_party", "debt_type": "consumer"
        }]
    })),
    responses(
        (status = 201, description = "Created", body = PutDebtor),
        (status = 200, description = "Replaced", body = PutDebtor)
    )
)]
async fn put(
    State(api): State<Api>,
    caller: Caller<Writes>,
    At(Chosen(debtor_id)): At<Chosen>,
    _: Query<NoQuery>,
    Body(file): Body<DebtorFile>,
) -> Result<(StatusCode, Json<PutDebtor>), Problem> {
    let created = api.pipeline().put_debtor(caller.actor(), &debtor_id, file).await?;
    let status = if created { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(PutDebtor { debtor_id, created })))
}

/// Read a debtor
#[utoipa::path(
    get, path = "/v1/debtors/{debtor_id}", tag = "Debtors",
    params(("debtor_id" = String, Path, description = "Upstream's identifier", example = "D-1001")),
    responses((status = 200, description = "The debtor as of now", body = DebtorView))
)]
async fn get(
    State(api): State<Api>,
    _: Caller<Reads>,
    At(Chosen(debtor_id)): At<Chosen>,
    _: Query<NoQuery>,
) -> Result<Json<DebtorView>, Problem> {
    let state = api.pipeline().debtor(&debtor_id).await?.ok_or_else(|| Problem::not_found("debtor"))?;
    let zones = policy::zones_in_play(&state.outline).iter().map(|zone| zone.name().to_owned()).collect();
    let caps = api.pipeline().caps(&debtor_id).await?;
    Ok(Json(DebtorView::of(debtor_id, &state, zones, caps)))
}

/// Erase a debtor's personal data
///
/// Destroys the key to everything personal. The history stays provable; stops and caps still bind a person who is loaded
/// again. A hold of kind `retain` bars it.
#[utoipa::path(
    delete, path = "/v1/debtors/{debtor_id}/personal-data", tag = "Debtors",
    params(("debtor_id" = String, Path, description = "Upstream's identifier", example = "D-1001")),
    responses(
        (status = 204, description = "Erased"),
        (status = 409, description = "A hold bars it", body = crate::http::problem::ProblemSchema, content_type = "application/problem+json")
    )
)]
async fn erase(
    State(api): State<Api>,
    caller: Caller<Writes>,
    At(Chosen(debtor_id)): At<Chosen>,
    _: Query<NoQuery>,
) -> Result<StatusCode, Problem> {
    api.pipeline().erase(caller.actor(), &debtor_id).await?;
    Ok(StatusCode::NO_CONTENT)
}
