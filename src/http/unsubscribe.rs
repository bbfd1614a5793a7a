//! One-click unsubscribe (RFC 8058): POST acts at once; GET shows a page with one button and changes nothing, because mail
//! scanners follow links.

use crate::http::Api;
use crate::http::body;
use crate::http::page::Page;
use crate::http::problem::{Problem, ProblemKind};
use crate::http::query::{At, Chosen};
use crate::pipeline::Refusal;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The largest form, in bytes; the one field needs far less.
const FORM_LIMIT: usize = 16 * 1024;
const FIELD: &str = "List-Unsubscribe";
const VALUE: &str = "One-Click";
const STYLE: &str = include_str!("unsubscribe.css");

pub(in crate::http) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::new().routes(routes!(ask, act))
}

/// What a page says, in one language.
struct Words {
    language: &'static str,
    ask_title: &'static str,
    ask_text: &'static str,
    button: &'static str,
    done_title: &'static str,
    done_text: &'static str,
    lost_title: &'static str,
    lost_text: &'static str,
    later_title: &'static str,
    later_text: &'static str,
}

const ENGLISH: Words = Words {
    language: "en",
    ask_title: "Stop these messages?",
    ask_text: "Press the button and we will send no more messages to this address. Opening this page has changed nothing.",
    button: "Stop the messages",
    done_title: "You will get no more messages here",
    done_text: "Your request is recorded and in force now. You need do nothing else.",
    lost_title: "This link does not work",
    lost_text: "It may have been cut off when it was copied. You can also answer any of our messages with the word STOP.",
    later_title: "We could not record this yet",
    later_text: "Please try again in a moment.",
};

const SPANISH: Words = Words {
    language: "es",
    ask_title: "¿Desea dejar de recibir estos mensajes?",
    ask_text: "Pulse el botón y no enviaremos más mensajes a esta dirección. Abrir esta página no ha cambiado nada.",
    button: "No quiero más mensajes",
    done_title: "No recibirá más mensajes aquí",
    done_text: "Su solicitud está registrada y ya se aplica. No tiene que hacer nada más.",
    lost_title: "Este enlace no funciona",
    lost_text: "Puede que se haya cortado al copiarlo. También puede responder a cualquiera de nuestros mensajes con la palabra ALTO.",
    later_title: "Todavía no hemos podido registrarlo",
    later_text: "Inténtelo de nuevo en un momento.",
};

/// The first of our languages that the reader's browser names.
fn words(headers: &HeaderMap) -> &'static Words {
    let wanted =
        headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let primary = wanted.split(',').map(|one| one.trim().split(['-', ';']).next().unwrap_or_default());
    for tag in primary {
        if tag.eq_ignore_ascii_case("es") {
            return &SPANISH;
        }
        if tag.eq_ignore_ascii_case("en") {
            return &ENGLISH;
        }
    }
    &ENGLISH
}

fn page(words: &Words, status: StatusCode, title: &str, text: &str, form: &str) -> Response {
    let body = format!("<main>\n<h1>{title}</h1>\n<p>{text}</p>\n{form}</main>");
    let mut response = Page { language: words.language, title, style: STYLE, body: &body }.respond(status);
    response.headers_mut().insert(header::VARY, axum::http::HeaderValue::from_static("Accept-Language"));
    response
}

fn answer(words: &Words, outcome: Result<Response, Refusal>) -> Response {
    match outcome {
        Ok(response) => response,
        Err(Refusal::NotFound(_) | Refusal::Invalid(_) | Refusal::Conflict(_) | Refusal::Refused(_)) => {
            page(words, StatusCode::NOT_FOUND, words.lost_title, words.lost_text, "")
        }
        Err(Refusal::Unavailable) => {
            page(words, StatusCode::SERVICE_UNAVAILABLE, words.later_title, words.later_text, "")
        }
    }
}

/// Show the page that asks whether to stop
///
/// Changes nothing.
#[utoipa::path(
    get, path = "/u/{token}", tag = "Debtors' own", security(()),
    params(("token" = String, Path, description = "The signed token of a message's link")),
    responses((status = 200, description = "The page", body = String, content_type = "text/html"))
)]
async fn ask(State(api): State<Api>, At(Chosen(token)): At<Chosen>, headers: HeaderMap) -> Response {
    let words = words(&headers);
    if !api.pipeline().knows_link(&token) {
        return answer(words, Err(Refusal::NotFound("link")));
    }
    let form = format!(
        "<form method=\"post\">\n<input type=\"hidden\" name=\"{FIELD}\" value=\"{VALUE}\">\n\
         <button type=\"submit\">{}</button>\n</form>\n",
        words.button
    );
    page(words, StatusCode::OK, words.ask_title, words.ask_text, &form)
}

/// Stop messages to an address, with one click
///
/// RFC 8058: the body is the form field `List-Unsubscribe=One-Click`. In force once it is answered.
#[utoipa::path(
    post, path = "/u/{token}", tag = "Debtors' own", security(()),
    params(("token" = String, Path, description = "The signed token of a message's link")),
    request_body(
        content = String, content_type = "application/x-www-form-urlencoded", description = "`List-Unsubscribe=One-Click`"
    ),
    responses((status = 200, description = "Recorded and in force", body = String, content_type = "text/html"))
)]
async fn act(
    State(api): State<Api>,
    At(Chosen(token)): At<Chosen>,
    request: Request,
) -> Result<Response, Problem> {
    let words = words(request.headers());
    let multipart = body::media_type(request.headers())
        .is_some_and(|kind| kind.eq_ignore_ascii_case("multipart/form-data"));
    let form = body::whole(request, FORM_LIMIT).await?;
    if !(if multipart { in_multipart(&form) } else { in_form(&form) }) {
        return Err(Problem::new(
            ProblemKind::Unreadable,
            "the body must be the form field List-Unsubscribe=One-Click",
        ));
    }
    let done = api.pipeline().unsubscribe(&token).await;
    Ok(answer(words, done.map(|_| page(words, StatusCode::OK, words.done_title, words.done_text, "")))
        .into_response())
}

fn in_form(form: &[u8]) -> bool {
    url::form_urlencoded::parse(form).any(|(name, value)| name == FIELD && value == VALUE)
}

/// Whether a multipart form (RFC 7578) holds the field: mail providers send either form.
fn in_multipart(form: &[u8]) -> bool {
    let text = String::from_utf8_lossy(form);
    text.split("\r\n\r\n").zip(text.split("\r\n\r\n").skip(1)).any(|(head, content)| {
        head.contains(&format!("name=\"{FIELD}\"")) && content.lines().next().map(str::trim) == Some(VALUE)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_rfc_8058_are_read() {
        assert!(in_form(b"List-Unsubscribe=One-Click"));
        assert!(!in_form(b"List-Unsubscribe=no") && !in_form(b""));
        let parts =
            "--x\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\nOne-Click\r\n--x--\r\n";
        assert!(in_multipart(parts.as_bytes()));
        assert!(!in_multipart(
            b"--x\r\nContent-Disposition: form-data; name=\"other\"\r\n\r\nOne-Click\r\n--x--\r\n"
        ));
    }

    #[test]
    fn the_page_speaks_the_readers_language() {
        let of = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_LANGUAGE, axum::http::HeaderValue::from_static(value));
            words(&headers).language
        };
        assert_eq!(of("es-MX,es;q=0.9,en;q=0.5"), "es");
        assert_eq!(of("fr, en;q=0.8, es;q=0.5"), "en");
        assert_eq!(of("*"), "en");
    }
}
