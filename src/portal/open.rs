//! The door: a link asks before it opens, and opens once.

use crate::http::page::escape;
use crate::http::query::{At, Chosen};
use crate::pipeline::{Refusal, links, preview};
use crate::portal::visit::{Instead, Visitor, Why, cookie_of, is_own, leading, words_of};
use crate::portal::words::Words;
use crate::portal::{Portal, frame};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;

/// Asks whether to open a link; changes nothing, because mail scanners follow links.
pub async fn ask(
    State(portal): State<Portal>,
    At(Chosen(token)): At<Chosen>,
    headers: HeaderMap,
) -> Result<Response, Instead> {
    let words = known(&portal, &token, &headers).await?;
    let body = format!(
        "<p>{}</p>\n<form method=\"post\">\n{}</form>\n",
        escape(words.open.text),
        frame::button(words.open.button)
    );
    let settings = &portal.pipeline.desk().settings;
    Ok(frame::outside(words, settings, StatusCode::OK, words.open.title, &body))
}

/// The words for the holder of a link that still opens.
async fn known(portal: &Portal, token: &str, headers: &HeaderMap) -> Result<&'static Words, Instead> {
    let desk = portal.pipeline.desk();
    let instead = |words, why| Instead { portal: portal.clone(), words, why };
    let wanted = Words::wanted(headers);
    let link = links::read(desk, token).ok_or_else(|| instead(wanted, Why::Lost))?;
    let read = portal.pipeline.read(move |store| preview::fold(&store.reader()?, link.debtor)).await;
    let state = read.map_err(|_| instead(wanted, Why::Later))?;
    let words = words_of(&state, headers);
    if !state.is_on_file() || desk.clock.now() >= link.expires_at {
        return Err(instead(words, Why::Lost));
    }
    // Whom the link let in may come back by it while the visit lasts.
    if links::is_spent(&state, link.id) && cookie_of(portal, headers).is_none_or(|own| own.link != link.id) {
        return Err(instead(words, Why::Spent));
    }
    Ok(words)
}

/// Opens a link.
pub async fn open(
    State(portal): State<Portal>,
    At(Chosen(token)): At<Chosen>,
    request: Request,
) -> Result<Response, Instead> {
    let headers = request.headers();
    let words = Words::wanted(headers);
    let instead = |why| Instead { portal: portal.clone(), words, why };
    if !is_own(&portal.pipeline.desk().settings, headers) {
        return Err(instead(Why::Stale));
    }
    match portal.pipeline.open_link(&token).await {
        Ok(session) => Ok(leading(&portal, "/portal", Some(&session))),
        Err(Refusal::Unavailable) => Err(instead(Why::Later)),
        Err(Refusal::Conflict(_)) => {
            let link = links::read(portal.pipeline.desk(), &token).map(|link| link.id);
            match Visitor::of(&portal, headers).await {
                Ok(visitor) if Some(visitor.session.link) == link => {
                    Ok(crate::portal::visit::see_other("/portal"))
                }
                Ok(_) | Err(_) => Err(instead(Why::Spent)),
            }
        }
        Err(Refusal::NotFound(_) | Refusal::Invalid(_) | Refusal::Refused(_)) => Err(instead(Why::Lost)),
    }
}

/// Ends the visit.
pub async fn leave(State(portal): State<Portal>, request: Request) -> Result<Response, Instead> {
    let (visitor, _) = Visitor::form(&portal, request).await?;
    portal.pipeline.leave(visitor.session).await.map_err(|refusal| visitor.refused(&refusal))?;
    Ok(leading(&portal, "/portal", None))
}
