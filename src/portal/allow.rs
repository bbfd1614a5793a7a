//! What the debtor allows: a medium at an address, in a sentence that says all of it.

use crate::domain::channel::Channel;
use crate::domain::id::{PointKey, Pseudonym};
use crate::http::page::escape;
use crate::pipeline::inbox::{self, Agreement};
use crate::portal::Portal;
use crate::portal::frame::{self, Here, Notice};
use crate::portal::shown::{flag, masked};
use crate::portal::visit::{Instead, Visitor, see_other};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use std::fmt::Write;

/// The media that need a consent.
const MEDIA: [Channel; 3] = [Channel::Sms, Channel::Email, Channel::Voice];

/// The form.
pub async fn form(State(portal): State<Portal>, uri: Uri, headers: HeaderMap) -> Result<Response, Instead> {
    let visitor = Visitor::proved(&portal, &headers).await?;
    let notice = match flag(&uri) {
        Some(_) => Notice::Done(visitor.words.allow.done),
        None => Notice::None,
    };
    Ok(show(&visitor, StatusCode::OK, notice))
}

/// Takes what the debtor agrees to.
pub async fn allow(State(portal): State<Portal>, request: Request) -> Result<Response, Instead> {
    let (visitor, form) = Visitor::proved_form(&portal, request).await?;
    let chosen: Vec<(Channel, PointKey)> = form.all("allow").filter_map(read).collect();
    let mut agreements = offers(&visitor);
    agreements.retain(|offer| chosen.contains(&(offer.channel, offer.point)));
    if agreements.is_empty() {
        let problem = Notice::Problem(visitor.words.allow.none);
        return Ok(show(&visitor, StatusCode::UNPROCESSABLE_ENTITY, problem));
    }
    let taken = portal.pipeline.agree(visitor.session.debtor, agreements).await;
    taken.map_err(|refusal| visitor.refused(&refusal))?;
    Ok(see_other("/portal/allow?done=allowed"))
}

fn read(value: &str) -> Option<(Channel, PointKey)> {
    let (channel, point) = value.split_once('-')?;
    Some((Channel::from_word(channel)?, PointKey(point.parse::<Pseudonym>().ok()?)))
}

/// What the debtor may agree to, each in its own words.
fn offers(visitor: &Visitor) -> Vec<Agreement> {
    let words = &visitor.words.allow;
    let settings = &visitor.portal.pipeline.desk().settings;
    let Some(name) = settings.collector.name.as_deref() else { return Vec::new() };
    if inbox::has_ceased(&visitor.state, visitor.now) {
        return Vec::new();
    }
    let values = visitor.state.file.iter().flat_map(|file| &file.contact_points);
    let points = visitor.state.outline.points.iter().zip(values);
    let mut offers = Vec::new();
    for (outline, on_file) in points {
        for channel in MEDIA {
            if !inbox::may_allow(&visitor.state, channel, outline.point) {
                continue;
            }
            let sentence = match channel {
                Channel::Sms => words.sms,
                Channel::Email => words.email,
                Channel::Voice | Channel::Portal | Channel::Letter | Channel::Visit => words.voice,
            };
            let shown = masked(outline.kind, &on_file.value);
            let words = sentence.replace("{name}", name).replace("{point}", &shown);
            offers.push(Agreement { channel, point: outline.point, words });
        }
    }
    offers
}

fn show(visitor: &Visitor, status: StatusCode, notice: Notice<'_>) -> Response {
    let words = visitor.words;
    let offers = offers(visitor);
    let mut body = notice.html(words);
    // Writing to a string does not fail.
    if offers.is_empty() {
        let ceased = inbox::has_ceased(&visitor.state, visitor.now);
        let why = if ceased { words.allow.ceased } else { words.allow.nothing };
        let _ = writeln!(body, "<p>{}</p>", escape(why));
        return frame::page(visitor, Here::Elsewhere, status, words.allow.title, &body);
    }
    let _ = write!(
        body,
        "<p>{}</p>\n<form method=\"post\" action=\"/portal/allow\">\n{}\n<fieldset><legend>{}</legend>\n",
        escape(words.allow.text),
        frame::token_field(visitor),
        escape(words.allow.legend)
    );
    for Agreement { channel, point, words } in &offers {
        let id = format!("{channel}-{point}");
        let _ = writeln!(
            body,
            "<p class=\"choice\"><input type=\"checkbox\" id=\"{id}\" name=\"allow\" value=\"{id}\">\
             <label for=\"{id}\">{}</label></p>",
            escape(words)
        );
    }
    let _ = write!(body, "</fieldset>\n{}</form>\n", frame::button(words.allow.button));
    frame::page(visitor, Here::Elsewhere, status, words.allow.title, &body)
}
