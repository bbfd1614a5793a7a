//! The messages, and one of them.

use crate::domain::event::Actor;
use crate::domain::id::AttemptId;
use crate::http::page::escape;
use crate::http::query::{At, Chosen};
use crate::pipeline::inbox::{self, Entry};
use crate::portal::Portal;
use crate::portal::frame::{self, Here};
use crate::portal::visit::{Instead, Visitor, Why};
use crate::template::format;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::Response;
use std::fmt::Write;

/// The messages, the newest first.
pub async fn list(State(portal): State<Portal>, headers: HeaderMap) -> Result<Response, Instead> {
    let visitor = Visitor::proved(&portal, &headers).await?;
    let (words, entries) = (visitor.words, inbox::entries(&visitor.state));
    let mut body = String::new();
    if entries.is_empty() {
        let _ = writeln!(body, "<p>{}</p>", escape(words.inbox.empty));
    } else {
        body.push_str("<ul class=\"inbox\">\n");
        entries.iter().for_each(|entry| line(&mut body, &visitor, entry));
        body.push_str("</ul>\n");
    }
    Ok(frame::page(&visitor, Here::Messages, StatusCode::OK, words.inbox.title, &body))
}

fn line(body: &mut String, visitor: &Visitor, entry: &Entry) {
    let words = visitor.words;
    let new = if entry.read {
        String::new()
    } else {
        format!(" <strong class=\"new\">{}</strong>", escape(words.inbox.new))
    };
    // Writing to a string does not fail.
    let _ = writeln!(
        body,
        "<li><a href=\"/portal/messages/{}\" lang=\"{}\">{}</a>{new}<br><small>{}</small></li>",
        entry.id,
        escape(&entry.language),
        escape(&entry.subject),
        escape(&placed_on(visitor, entry))
    );
}

fn placed_on(visitor: &Visitor, entry: &Entry) -> String {
    format::date(visitor.date(entry.placed_at), visitor.words.language)
}

/// One message. Opened, it counts as read.
pub async fn message(
    State(portal): State<Portal>,
    At(Chosen(id)): At<Chosen>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Instead> {
    let visitor = Visitor::proved(&portal, &headers).await?;
    let found = id.parse::<AttemptId>().ok().and_then(|id| inbox::find(&visitor.state, id));
    let Some(entry) = found else { return Err(visitor.instead(Why::Missing)) };
    if !entry.read && method == Method::GET {
        let read = portal.pipeline.mark_read(&Actor::Debtor, visitor.session.debtor, entry.id).await;
        read.map_err(|refusal| visitor.refused(&refusal))?;
    }
    let words = visitor.words;
    let body = format!(
        "<p class=\"hint\">{} {}</p>\n<article lang=\"{}\">\n{}\n</article>\n\
         <p class=\"ways\"><a href=\"/portal/write\">{}</a> <a href=\"/portal\">{}</a></p>\n",
        escape(words.inbox.received),
        escape(&placed_on(&visitor, &entry)),
        escape(&entry.language),
        // The template engine has escaped every value in it.
        entry.html,
        escape(words.write.title),
        escape(words.inbox.back)
    );
    Ok(frame::page(&visitor, Here::Messages, StatusCode::OK, &entry.subject, &body))
}
