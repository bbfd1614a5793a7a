//! API keys: made, listed, revoked. A key is shown once, when it is made; kept is only its SHA-256.

use crate::domain::id::KeyId;
use crate::domain::statement::FieldFault;
use crate::domain::time::{Entropy, Timestamp};
use crate::http::Api;
use crate::http::auth::{self, Administers, Caller, Role};
use crate::http::body::Body;
use crate::http::list::List;
use crate::http::problem::Problem;
use crate::http::query::{At, NoQuery, Query};
use crate::storage::ApiKeyRow;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(in crate::http) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(revoke))
}

/// The longest name of a key, in characters.
const NAME_MAX: usize = 200;

/// Makes a key of 256 random bits; what it begins with tells a leaked one for what it is.
pub fn make(entropy: &dyn Entropy) -> String {
    let mut secret = [0; 32];
    entropy.fill(&mut secret);
    format!("dunwell_{}", URL_SAFE_NO_PAD.encode(secret))
}

/// A key to make.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct NewKey {
    /// What to call it.
    label: String,
    /// What it may do.
    role: Role,
}

/// A key, without the key itself.
#[derive(Serialize, utoipa::ToSchema)]
#[schema(as = ApiKey)]
struct KeyView {
    #[schema(value_type = String, example = "key_019ab2f0c4d87d3e9f10a2b3c4d5e6f7")]
    id: KeyId,
    /// What it is called.
    label: String,
    /// What it may do.
    role: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it was revoked; null while it opens.
    #[schema(value_type = Option<String>, format = DateTime, required)]
    revoked_at: Option<Timestamp>,
}

/// A key that was made.
#[derive(Serialize, utoipa::ToSchema)]
struct MadeKey {
    #[serde(flatten)]
    about: KeyView,
    /// The key itself. It is not kept and cannot be shown again.
    #[schema(example = "dunwell_…")]
    key: String,
}

impl From<ApiKeyRow> for KeyView {
    fn from(row: ApiKeyRow) -> Self {
        Self {
            id: row.id,
            label: row.name,
            role: row.role,
            created_at: row.created_at,
            revoked_at: row.revoked_at,
        }
    }
}

/// List the API keys, revoked ones too
#[utoipa::path(
    get, path = "/v1/keys", tag = "API keys", responses((status = 200, description = "All of them", body = List<KeyView>))
)]
async fn list(
    State(api): State<Api>,
    _: Caller<Administers>,
    _: Query<NoQuery>,
) -> Result<Json<List<KeyView>>, Problem> {
    let rows = api.pipeline().read(|store| store.reader()?.api_keys()).await?;
    Ok(Json(List::whole(rows.into_iter().map(KeyView::from).collect())))
}

/// Make an API key
///
/// It opens at once. The answer is the only time that the key itself is shown.
#[utoipa::path(
    post, path = "/v1/keys", tag = "API keys",
    request_body(content = NewKey, example = json!({"label": "crm production", "role": "upstream"})),
    responses((status = 201, description = "Made", body = MadeKey))
)]
async fn create(
    State(api): State<Api>,
    _: Caller<Administers>,
    _: Query<NoQuery>,
    Body(wanted): Body<NewKey>,
) -> Result<(StatusCode, Json<MadeKey>), Problem> {
    let fits =
        (1..=NAME_MAX).contains(&wanted.label.chars().count()) && !wanted.label.chars().any(char::is_control);
    if !fits {
        let detail = format!("must have 1 to {NAME_MAX} printable characters");
        return Err(Problem::invalid(vec![FieldFault::new("/label", detail)]));
    }
    let (entropy, now) = (&*api.setup().entropy, api.setup().clock.now());
    let key = make(entropy);
    let row = ApiKeyRow {
        id: KeyId::new(now, &entropy.ten()),
        hash: auth::digest_of(&key),
        role: wanted.role.as_str().to_owned(),
        name: wanted.label,
        created_at: now,
        revoked_at: None,
    };
    let kept = row.clone();
    let rows = api.pipeline().read(move |store| {
        store.put_api_key(&kept)?;
        store.reader()?.api_keys()
    });
    api.gate().load(&rows.await?);
    Ok((StatusCode::CREATED, Json(MadeKey { about: row.into(), key })))
}

/// Revoke an API key
///
/// It no longer opens once this is answered.
#[utoipa::path(
    delete, path = "/v1/keys/{id}", tag = "API keys",
    params(("id" = String, Path, description = "The key's identifier")),
    responses((status = 204, description = "Revoked"))
)]
async fn revoke(
    State(api): State<Api>,
    _: Caller<Administers>,
    At(id): At<KeyId>,
    _: Query<NoQuery>,
) -> Result<StatusCode, Problem> {
    let now = api.setup().clock.now();
    let done = api.pipeline().read(move |store| {
        let revoked = store.revoke_api_key(id, now)?;
        Ok((revoked, store.reader()?.api_keys()?))
    });
    let (revoked, rows) = done.await?;
    api.gate().load(&rows);
    if revoked { Ok(StatusCode::NO_CONTENT) } else { Err(Problem::not_found("API key in force")) }
}
