//! Floor 4: the outside contract over HTTP. It reads what comes in strictly, asks [`crate::pipeline`], and says what came of
//! it; it decides nothing itself.
//!
//! One listener serves everything ([`router`]). Where the outside gets a listener of its own, [`outside`] serves just what
//! vendors and debtors need.
//!
//! # Decisions
//! - 2026-11-22: a body is read twice on purpose: once for its structure (a quarter of a microsecond for a contact request),
//!   once for its meaning. serde reads structures from arrays and lets a member stand twice; the contract does not. Rejected:
//!   a `Value` in between, which costs more and loses the duplicates.
//! - 2026-11-22: `/metrics`, `/openapi.json`, `/docs` and `/docs/policy` take no key: they say nothing about anybody. Where even the counts
//!   are nobody's business, fence `/metrics` at the proxy or give the outside its own listener.
//! - 2026-11-22: query parameters are as strict as bodies. A filter misspelt and ignored would answer with everything.

pub mod api;
pub mod auth;
pub mod batch;
pub mod body;
pub mod callback;
pub mod docs;
pub mod health;
pub mod list;
pub mod openapi;
pub mod page;
pub mod problem;
pub mod query;
pub mod shape;
pub mod telemetry;
pub mod unsubscribe;

use crate::domain::time::{Clock, Entropy};
use crate::http::auth::Gate;
use crate::http::telemetry::{Meters, RequestIds};
use crate::pipeline::Pipeline;
use axum::Router;
use prometheus_client::registry::Registry;
use std::sync::Arc;
use std::time::Instant;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa_axum::router::OpenApiRouter;

/// What the assembly brings.
pub struct Setup {
    /// The business.
    pub pipeline: Pipeline,
    /// The API keys that are known.
    pub gate: Arc<Gate>,
    /// Every meter of the program, for `/metrics`; [`Meters::register`] has been called on it.
    pub registry: Arc<Registry>,
    /// The meters of this floor.
    pub meters: Meters,
    /// Whether store and policy are loaded, for `/readyz`: why not, if not.
    pub readiness: Arc<dyn Fn() -> Result<(), &'static str> + Send + Sync>,
    /// What vendors and debtors reach us at, without a slash at the end.
    pub public_url: String,
    /// The present instant.
    pub clock: Arc<dyn Clock>,
    /// A clock that only runs forward, for durations.
    pub timer: fn() -> Instant,
    /// Randomness for request ids and new keys.
    pub entropy: Arc<dyn Entropy>,
}

struct Parts {
    setup: Setup,
    request_ids: RequestIds,
    description: Arc<openapi::Description>,
}

/// What every handler is given.
#[derive(Clone)]
pub struct Api(Arc<Parts>);

impl Api {
    fn pipeline(&self) -> &Pipeline {
        &self.0.setup.pipeline
    }

    fn gate(&self) -> &Gate {
        &self.0.setup.gate
    }

    fn setup(&self) -> &Setup {
        &self.0.setup
    }

    fn meters(&self) -> &Meters {
        &self.0.setup.meters
    }

    fn timer(&self) -> Instant {
        (self.0.setup.timer)()
    }

    fn request_ids(&self) -> &RequestIds {
        &self.0.request_ids
    }

    fn description(&self) -> &openapi::Description {
        &self.0.description
    }
}

/// The contract, on one listener.
pub fn router(setup: Setup) -> Router {
    router_with(setup, Router::new())
}

/// Everything, on one listener: the contract, and the pages of the faces.
pub fn router_with(setup: Setup, faces: Router) -> Router {
    let (routes, document) = described();
    finish(routes, faces, state(setup, document))
}

/// Only what vendors and debtors need, for a listener that faces the outside.
pub fn outside(setup: Setup, portal: Router) -> Router {
    let (_, document) = described();
    let routes = callback::routes().merge(unsubscribe::routes()).merge(health::probes());
    finish(routes.into(), portal, state(setup, document))
}

/// The description of the whole API, as `/openapi.json` serves it and `dunwell openapi` prints it.
pub fn document() -> utoipa::openapi::OpenApi {
    described().1
}

fn described() -> (Router<Api>, utoipa::openapi::OpenApi) {
    let routes: OpenApiRouter<Api> = OpenApiRouter::with_openapi(openapi::preface())
        .merge(api::routes())
        .merge(callback::routes())
        .merge(unsubscribe::routes())
        .merge(health::probes())
        .merge(health::metrics())
        .merge(docs::routes());
    let (routes, mut document) = routes.split_for_parts();
    openapi::complete(&mut document);
    (routes, document)
}

fn state(setup: Setup, document: utoipa::openapi::OpenApi) -> Api {
    let request_ids = RequestIds::new(&*setup.entropy);
    let description = Arc::new(openapi::Description::of(&document));
    Api(Arc::new(Parts { setup, request_ids, description }))
}

fn finish(routes: Router<Api>, faces: Router, api: Api) -> Router {
    routes
        .merge(faces.with_state(()))
        .fallback(problem::nothing_here)
        .method_not_allowed_fallback(problem::other_method)
        .layer(CatchPanicLayer::custom(problem::after_panic))
        .layer(axum::middleware::from_fn_with_state(api.clone(), telemetry::observe))
        .with_state(api)
}
