//! Stops: of a medium, or of everything. Taken from whoever holds the link.

use crate::domain::channel::Channel;
use crate::http::page::escape;
use crate::pipeline::links::Standing;
use crate::portal::Portal;
use crate::portal::frame::{self, Here, Notice};
use crate::portal::shown::flag;
use crate::portal::visit::{Instead, Visitor, see_other};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use std::collections::BTreeSet;
use std::fmt::Write;

/// The media to choose from, in the order shown.
const MEDIA: [Channel; 4] = [Channel::Sms, Channel::Email, Channel::Voice, Channel::Portal];
/// What stands for everything.
const ALL: &str = "all";

/// The form.
pub async fn form(State(portal): State<Portal>, uri: Uri, headers: HeaderMap) -> Result<Response, Instead> {
    let visitor = Visitor::of(&portal, &headers).await?;
    let notice = match flag(&uri) {
        Some(_) => Notice::Done(visitor.words.stop.done),
        None => Notice::None,
    };
    Ok(show(&visitor, StatusCode::OK, notice))
}

/// Takes a stop: in force once it is answered.
pub async fn stop(State(portal): State<Portal>, request: Request) -> Result<Response, Instead> {
    let (visitor, form) = Visitor::form(&portal, request).await?;
    let words = &visitor.words.stop;
    let everything = form.all("stop").any(|value| value == ALL);
    let named = form.all("stop").filter_map(Channel::from_word).filter(|channel| MEDIA.contains(channel));
    let channels: BTreeSet<Channel> = named.collect();
    if channels.is_empty() && !everything {
        return Ok(show(&visitor, StatusCode::UNPROCESSABLE_ENTITY, Notice::Problem(words.none)));
    }
    let mut what: Vec<&str> = channels.iter().map(|channel| visitor.words.medium(*channel)).collect();
    if everything {
        what = vec![words.everything];
    }
    let said = words.chosen.replace("{what}", &what.join(", "));
    let done = portal.pipeline.close_media(visitor.session.debtor, &channels, everything, said).await;
    done.map_err(|refusal| visitor.refused(&refusal))?;
    Ok(see_other("/portal/stop?done=stopped"))
}

fn show(visitor: &Visitor, status: StatusCode, notice: Notice<'_>) -> Response {
    let words = visitor.words;
    let mut body = format!(
        "{}<p>{}</p>\n<form method=\"post\" action=\"/portal/stop\">\n{}\n<fieldset><legend>{}</legend>\n",
        notice.html(words),
        escape(words.stop.text),
        frame::token_field(visitor),
        escape(words.stop.legend)
    );
    let named = MEDIA.iter().map(|channel| (channel.as_str(), words.medium(*channel)));
    for (value, label) in named.chain([(ALL, words.stop.everything)]) {
        let hint = if value == ALL { " aria-describedby=\"all-hint\"" } else { "" };
        // Writing to a string does not fail.
        let _ = writeln!(
            body,
            "<p class=\"choice\"><input type=\"checkbox\" id=\"stop-{value}\" name=\"stop\" value=\"{value}\"{hint}>\
             <label for=\"stop-{value}\">{}</label></p>",
            escape(label)
        );
    }
    let _ = write!(
        body,
        "<p class=\"hint\" id=\"all-hint\">{}</p>\n</fieldset>\n{}</form>\n",
        escape(words.stop.everything_hint),
        frame::button(words.stop.button)
    );
    if visitor.standing == Standing::Proved {
        let _ = writeln!(body, "<p><a href=\"/portal/allow\">{}</a></p>", escape(words.stop.allow));
    }
    frame::page(visitor, Here::Stop, status, words.stop.title, &body)
}
