//! The API's description, OpenAPI 3.1, generated from the handlers and the types they read and write.

use crate::http::docs;
use crate::http::problem::{ProblemKind, ProblemSchema};
use bytes::Bytes;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ContentBuilder, OpenApi as Document, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{Modify, OpenApi};

/// What the description says before the first operation.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Dunwell",
        description = "An omnichannel contact gateway for debt collection: it decides whether a contact is lawful now, makes \
                       it, and proves it.\n\nMoney is a decimal string with its currency, phone numbers are E.164, timestamps \
                       RFC 3339 with an offset, durations ISO 8601. Unknown members and query parameters are refused. Errors \
                       are RFC 9457 `application/problem+json`; `type` is one of a closed list.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    tags(
        (name = "Debtors", description = "What upstream knows of the people who owe"),
        (name = "Consents and opt-outs", description = "What the debtor allowed, refused and asked for"),
        (name = "Holds", description = "Why contact is barred until somebody lifts it"),
        (name = "Contact events", description = "Contacts made elsewhere, which count as our own do"),
        (name = "Decisions", description = "May I, and if not, when"),
        (name = "Permits", description = "Contacts that others carry"),
        (name = "Contact requests", description = "The main job"),
        (name = "Cadences", description = "Several contact requests in turn, until an answer ends them"),
        (name = "Portal", description = "The debtor's inbox, here or in a creditor's own portal"),
        (name = "Pauses", description = "The kill switch"),
        (name = "Reviews", description = "Replies held until understood"),
        (name = "History", description = "Everything that was recorded, with its proof"),
        (name = "Webhooks", description = "How far upstream has been told, and telling it again"),
        (name = "API keys", description = "Who may call"),
        (name = "Callbacks", description = "What vendors tell us"),
        (name = "Debtors' own", description = "What debtors do by a signed link"),
        (name = "Operation", description = "How the service is, and this description")
    ),
    security(("api_key" = [])),
    components(schemas(ProblemSchema)),
    modifiers(&ApiKeyScheme)
)]
struct Preface;

struct ApiKeyScheme;

impl Modify for ApiKeyScheme {
    fn modify(&self, document: &mut Document) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("An API key: `Authorization: Bearer KEY`. Its role is upstream, compliance, operator or admin."))
            .build();
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("api_key", SecurityScheme::Http(scheme));
        for kind in ProblemKind::ALL {
            components.responses.insert(name_of(*kind), RefOr::T(response_of(*kind)));
        }
    }
}

/// The document before any operation is in it.
pub fn preface() -> Document {
    Preface::openapi()
}

/// Under which name a problem stands among the document's responses: `invalid-body`.
fn name_of(kind: ProblemKind) -> String {
    kind.urn().rsplit(':').next().unwrap_or_default().to_owned()
}

fn response_of(kind: ProblemKind) -> Response {
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name("Problem")))
        .example(Some(serde_json::json!({
            "type": kind.urn(), "title": kind.title(), "status": kind.status().as_u16(), "detail": kind.title(),
        })))
        .build();
    ResponseBuilder::new().description(kind.title()).content("application/problem+json", content).build()
}

/// Adds to every operation the problems that its shape alone brings with it.
pub fn complete(document: &mut Document) {
    for (path, item) in &mut document.paths.paths {
        let batch = path.ends_with("/batch");
        let operations = [&mut item.get, &mut item.put, &mut item.post, &mut item.delete];
        for operation in operations.into_iter().flatten() {
            for kind in problems_of(operation, path, batch) {
                let status = kind.status().as_u16().to_string();
                let known = &mut operation.responses.responses;
                known.entry(status).or_insert_with(|| RefOr::Ref(Ref::from_response_name(name_of(kind))));
            }
        }
    }
}

fn problems_of(operation: &Operation, path: &str, batch: bool) -> Vec<ProblemKind> {
    let public = operation.security.is_some();
    let mut kinds = Vec::new();
    let with_body = operation.request_body.is_some() && !batch;
    if !public {
        kinds.extend([ProblemKind::Unauthenticated, ProblemKind::Forbidden]);
        kinds.push(if with_body { ProblemKind::InvalidBody } else { ProblemKind::InvalidParameter });
    }
    if operation.request_body.is_some() {
        kinds.push(if public { ProblemKind::Unreadable } else { ProblemKind::UnsupportedMediaType });
        if !batch {
            kinds.extend([ProblemKind::NotJson, ProblemKind::TooLarge]);
        }
    }
    if path.contains('{') {
        kinds.extend([ProblemKind::NotFound, ProblemKind::Unreadable]);
    }
    if !public || path.contains('{') || path == "/readyz" {
        kinds.push(ProblemKind::Unavailable);
    }
    kinds
}

/// The description as it is served.
pub struct Description {
    /// As JSON.
    pub json: Bytes,
    /// As a page.
    pub page: docs::Rendered,
}

impl Description {
    /// Writes a document once, for every reader.
    pub fn of(document: &Document) -> Self {
        // The document is made of strings, numbers and maps; it always has a JSON form.
        let json = serde_json::to_vec_pretty(document).unwrap_or_default();
        let value = serde_json::from_slice(&json).unwrap_or_default();
        Self { json: Bytes::from(json), page: docs::render(&value) }
    }
}
