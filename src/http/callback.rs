//! What vendors report and what debtors answer, as vendors call us. Nothing here is believed: the vendor's manifest says how
//! it signs, and the pipeline reads a callback only once its signature holds.

use crate::domain::channel::Channel;
use crate::http::Api;
use crate::http::body;
use crate::http::problem::{Problem, ProblemKind};
use crate::http::query::{Chosen, PathPart};
use crate::pipeline::CallbackRefusal;
use crate::provider::callback::{CallbackKind, CallbackRequest};
use axum::extract::{FromRequestParts, RawPathParams, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// What is read of a body that nobody asked for, in bytes.
const UNASKED: usize = 64 * 1024;

pub(in crate::http) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(get, post)).routes(routes!(get_call, post_call))
}

/// Take a vendor's callback by GET
///
/// Signed by the vendor's own scheme, which its manifest names; repeats change nothing.
#[utoipa::path(
    get, path = "/callbacks/{channel}/{provider}/{kind}", tag = "Callbacks", security(()),
    params(
        ("channel" = Channel, Path, description = "The medium"),
        ("provider" = String, Path, description = "The vendor", example = "twilio"),
        ("kind" = String, Path, description = "`status`, `inbound` or `voice`", example = "inbound")
    ),
    responses(
        (status = 200, description = "Taken; what the vendor expects to be answered"),
        (status = 401, description = "The signature does not hold", body = crate::http::problem::ProblemSchema, content_type = "application/problem+json")
    )
)]
async fn get(State(api): State<Api>, request: Request) -> Result<Response, Problem> {
    receive(api, request, None).await
}

/// Take a vendor's callback by POST
///
/// Signed by the vendor's own scheme, which its manifest names; repeats change nothing.
#[utoipa::path(
    post, path = "/callbacks/{channel}/{provider}/{kind}", tag = "Callbacks", security(()),
    params(
        ("channel" = Channel, Path, description = "The medium"),
        ("provider" = String, Path, description = "The vendor", example = "twilio"),
        ("kind" = String, Path, description = "`status`, `inbound` or `voice`", example = "inbound")
    ),
    responses(
        (status = 200, description = "Taken; what the vendor expects to be answered"),
        (status = 401, description = "The signature does not hold", body = crate::http::problem::ProblemSchema, content_type = "application/problem+json")
    )
)]
async fn post(State(api): State<Api>, request: Request) -> Result<Response, Problem> {
    receive(api, request, None).await
}

/// Say what comes next on a call, by GET
///
/// Where the call is stands in the address, under our seal; the answer is a document in the vendor's own language.
#[utoipa::path(
    get, path = "/callbacks/{channel}/{provider}/voice/{state}", tag = "Callbacks", security(()),
    params(
        ("channel" = Channel, Path, description = "The medium", example = "voice"),
        ("provider" = String, Path, description = "The vendor", example = "twilio"),
        ("state" = String, Path, description = "Where the call is, as we told the vendor")
    ),
    responses(
        (status = 200, description = "The document"),
        (status = 401, description = "The signature does not hold", body = crate::http::problem::ProblemSchema, content_type = "application/problem+json")
    )
)]
async fn get_call(State(api): State<Api>, request: Request) -> Result<Response, Problem> {
    receive(api, request, Some(CallbackKind::Voice)).await
}

/// Say what comes next on a call, by POST
///
/// Where the call is stands in the address, under our seal; the answer is a document in the vendor's own language.
#[utoipa::path(
    post, path = "/callbacks/{channel}/{provider}/voice/{state}", tag = "Callbacks", security(()),
    params(
        ("channel" = Channel, Path, description = "The medium", example = "voice"),
        ("provider" = String, Path, description = "The vendor", example = "twilio"),
        ("state" = String, Path, description = "Where the call is, as we told the vendor")
    ),
    responses(
        (status = 200, description = "The document"),
        (status = 401, description = "The signature does not hold", body = crate::http::problem::ProblemSchema, content_type = "application/problem+json")
    )
)]
async fn post_call(State(api): State<Api>, request: Request) -> Result<Response, Problem> {
    receive(api, request, Some(CallbackKind::Voice)).await
}

async fn receive(api: Api, request: Request, kind: Option<CallbackKind>) -> Result<Response, Problem> {
    let (mut parts, payload) = request.into_parts();
    let (channel, vendor, kind) = address(&mut parts, &api, kind).await?;
    let local = parts.uri.path_and_query().map_or("/", |local| local.as_str());
    let url = format!("{}{local}", api.setup().public_url);
    let (method, headers) = (parts.method.as_str().to_owned(), plain(&parts.headers));
    let probe = parts.method == Method::HEAD;
    let request = Request::from_parts(parts, payload);
    let Some(largest) = api.pipeline().largest_callback(channel, &vendor, kind) else {
        // Nothing of it is kept; but a caller who is still writing would not see the answer.
        let _unasked = body::whole(request, UNASKED).await;
        return Err(Problem::not_found("provider or callback"));
    };
    if probe {
        // Some vendors look whether an address is there before they take it.
        return Ok(StatusCode::OK.into_response());
    }
    let body = body::whole(request, largest).await.inspect_err(|problem| {
        if problem.kind() == ProblemKind::TooLarge {
            api.pipeline().callback_too_large(channel, &vendor, kind);
        }
    })?;
    let body = body.to_vec();
    let callback = CallbackRequest { method, url, headers, body };
    let taken =
        api.pipeline().receive(channel, &vendor, kind, &callback).await.map_err(|refusal| match refusal {
            CallbackRefusal::Unauthenticated => {
                let problem =
                    Problem::new(ProblemKind::Unauthenticated, "the vendor's signature does not hold");
                if api.pipeline().wants_password(channel, &vendor, kind) {
                    problem.asking_for_a_password()
                } else {
                    problem
                }
            }
            CallbackRefusal::Unknown => Problem::not_found("provider or callback"),
            CallbackRefusal::Malformed => Problem::new(
                ProblemKind::InvalidBody,
                "the callback lacks what the vendor's manifest reads from it",
            ),
            CallbackRefusal::Unavailable => {
                Problem::new(ProblemKind::Unavailable, "the store cannot take this now; send it again")
            }
        })?;
    let status = StatusCode::from_u16(taken.status).unwrap_or(StatusCode::OK);
    let mut response = (status, taken.body).into_response();
    response.headers_mut().remove(header::CONTENT_TYPE);
    if let Some(kind) = taken.content_type.and_then(|kind| HeaderValue::from_str(&kind).ok()) {
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
    }
    Ok(response)
}

/// Channel, vendor and kind from the path.
async fn address(
    parts: &mut axum::http::request::Parts,
    api: &Api,
    kind: Option<CallbackKind>,
) -> Result<(Channel, String, CallbackKind), Problem> {
    let unknown = || Problem::not_found("provider or callback");
    let path = RawPathParams::from_request_parts(parts, api).await.map_err(|_| unknown())?;
    let mut path = path.iter().map(|(_, value)| value);
    match (path.next(), path.next(), path.next()) {
        (Some(channel), Some(vendor), Some(last)) => Ok((
            Channel::read(channel)?,
            Chosen::read(vendor)?.0,
            kind.or_else(|| CallbackKind::from_word(last)).ok_or_else(unknown)?,
        )),
        _ => Err(unknown()),
    }
}

/// Headers as text; one that is not text cannot be part of a signature.
fn plain(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
    text.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}
