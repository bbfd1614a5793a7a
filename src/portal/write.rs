//! What the debtor writes.

use crate::domain::event::{Actor, Understanding};
use crate::http::page::escape;
use crate::pipeline::Refusal;
use crate::pipeline::inbox::{LETTER_MAX, Letter};
use crate::portal::Portal;
use crate::portal::frame::{self, Here, Notice};
use crate::portal::shown::flag;
use crate::portal::visit::{Instead, Visitor, see_other};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;

/// The form, and what came of the last one.
pub async fn form(State(portal): State<Portal>, uri: Uri, headers: HeaderMap) -> Result<Response, Instead> {
    let visitor = Visitor::proved(&portal, &headers).await?;
    let words = &visitor.words.write;
    let notice = match flag(&uri) {
        Some("stop") => Notice::Done(words.done_stop),
        Some("dispute") => Notice::Done(words.done_dispute),
        Some("held") => Notice::Done(words.done_held),
        Some("other") => Notice::Done(words.done_other),
        Some(_) | None => Notice::None,
    };
    Ok(show(&visitor, StatusCode::OK, notice, ""))
}

/// Takes a message in.
pub async fn send(State(portal): State<Portal>, request: Request) -> Result<Response, Instead> {
    let (visitor, form) = Visitor::proved_form(&portal, request).await?;
    // Browsers send CR LF for a line's end (HTML, "multipart and urlencoded form data").
    let text = form.first("text").unwrap_or_default().replace("\r\n", "\n");
    let letter = Letter { text: text.clone(), reference: None };
    match portal.pipeline.write_in(&Actor::Debtor, visitor.session.debtor, letter).await {
        Ok(heard) => Ok(see_other(match heard.understood {
            Understanding::Stop => "/portal/write?done=stop",
            Understanding::Dispute => "/portal/write?done=dispute",
            Understanding::Unclear => "/portal/write?done=held",
            Understanding::WrongNumber
            | Understanding::Help
            | Understanding::Start
            | Understanding::Other => "/portal/write?done=other",
        })),
        Err(Refusal::Invalid(_)) => {
            let problem = Notice::Problem(visitor.words.write.empty);
            Ok(show(&visitor, StatusCode::UNPROCESSABLE_ENTITY, problem, &text))
        }
        Err(refusal) => Err(visitor.refused(&refusal)),
    }
}

fn show(visitor: &Visitor, status: StatusCode, notice: Notice<'_>, text: &str) -> Response {
    let words = visitor.words;
    let body = format!(
        "{}<p>{}</p>\n<form method=\"post\" action=\"/portal/write\">\n{}\n\
         <p><label for=\"text\">{}</label><span class=\"hint\" id=\"text-hint\">{}</span>\
         <textarea id=\"text\" name=\"text\" rows=\"8\" maxlength=\"{LETTER_MAX}\" aria-describedby=\"text-hint\" required>\n{}</textarea></p>\n\
         {}</form>\n",
        notice.html(words),
        escape(words.write.text),
        frame::token_field(visitor),
        escape(words.write.label),
        escape(words.write.hint),
        escape(text),
        frame::button(words.write.button)
    );
    frame::page(visitor, Here::Write, status, words.write.title, &body)
}
