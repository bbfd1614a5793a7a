//! Who visits: the session in the cookie, the debtor's file behind it, and what stands in a page's way.

use crate::domain::state::DebtorState;
use crate::domain::time::{Date, Timestamp};
use crate::http::body;
use crate::pipeline::links::{self, Session, Standing, VISIT};
use crate::pipeline::{Refusal, Settings, preview};
use crate::policy::zones_in_play;
use crate::portal::words::Words;
use crate::portal::{Portal, frame};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// The cookie's name.
const COOKIE: &str = "portal";
/// The largest form, in bytes.
const FORM_LIMIT: usize = 64 * 1024;

/// A debtor, or somebody who holds a debtor's link, on a page.
pub struct Visitor {
    pub portal: Portal,
    pub session: Session,
    pub state: DebtorState,
    pub standing: Standing,
    pub words: &'static Words,
    pub now: Timestamp,
}

impl Visitor {
    /// The visitor that a request's cookie names.
    pub async fn of(portal: &Portal, headers: &HeaderMap) -> Result<Self, Instead> {
        let instead = |why| Instead { portal: portal.clone(), words: Words::wanted(headers), why };
        let desk = portal.pipeline.desk();
        let Some(session) = cookie_of(portal, headers) else { return Err(instead(Why::NoVisit)) };
        let read = portal.pipeline.read(move |store| preview::fold(&store.reader()?, session.debtor)).await;
        let state = read.map_err(|_| instead(Why::Later))?;
        let (now, words) = (desk.clock.now(), words_of(&state, headers));
        match links::standing(&state, session.link, now) {
            Standing::Over => Err(Instead { words, ..instead(Why::NoVisit) }),
            standing => Ok(Self { portal: portal.clone(), session, state, standing, words, now }),
        }
    }

    /// The visitor, who must have proved to be the debtor.
    pub async fn proved(portal: &Portal, headers: &HeaderMap) -> Result<Self, Instead> {
        let visitor = Self::of(portal, headers).await?;
        match visitor.standing {
            Standing::Proved => Ok(visitor),
            Standing::Asked(_) | Standing::NothingToAsk | Standing::TooManyWrong | Standing::Over => {
                Err(visitor.instead(Why::Unproved))
            }
        }
    }

    /// The visitor and the form that a request carries, which must be one of this visit's.
    pub async fn form(portal: &Portal, request: Request) -> Result<(Self, Form), Instead> {
        let headers = request.headers().clone();
        let visitor = Self::of(portal, &headers).await?;
        if !is_own(&visitor.portal.pipeline.desk().settings, &headers) {
            return Err(visitor.instead(Why::Stale));
        }
        let Ok(form) = Form::read(request).await else { return Err(visitor.instead(Why::Stale)) };
        let token = form.first("form").unwrap_or_default();
        if !links::is_form_token(portal.pipeline.desk(), &visitor.session, token) {
            return Err(visitor.instead(Why::Stale));
        }
        Ok((visitor, form))
    }

    /// The same, of a visitor who has proved to be the debtor.
    pub async fn proved_form(portal: &Portal, request: Request) -> Result<(Self, Form), Instead> {
        let (visitor, form) = Self::form(portal, request).await?;
        if visitor.standing == Standing::Proved {
            return Ok((visitor, form));
        }
        Err(visitor.instead(Why::Unproved))
    }

    /// What is answered in place of a page.
    pub fn instead(&self, why: Why) -> Instead {
        Instead { portal: self.portal.clone(), words: self.words, why }
    }

    /// The same for a wish that was refused.
    pub fn refused(&self, refusal: &Refusal) -> Instead {
        self.instead(match refusal {
            Refusal::NotFound(_) => Why::NoVisit,
            Refusal::Invalid(_) | Refusal::Conflict(_) | Refusal::Refused(_) => Why::Stale,
            Refusal::Unavailable => Why::Later,
        })
    }

    /// The date where the debtor is, at a moment; of several zones the first on file.
    pub fn date(&self, at: Timestamp) -> Date {
        zones_in_play(&self.state.outline).first().map_or(at.utc_date(), |zone| zone.local(at).date())
    }
}

/// The words for a debtor: those chosen, those on file, those that the browser asks for.
pub fn words_of(state: &DebtorState, headers: &HeaderMap) -> &'static Words {
    let on_file = state.file.as_ref().and_then(|file| file.language.as_deref());
    let tags = [state.preferences.language.as_deref(), on_file];
    tags.into_iter().flatten().find_map(Words::of).unwrap_or_else(|| Words::wanted(headers))
}

/// The visit that a request's cookie names, whether or not it is over.
pub fn cookie_of(portal: &Portal, headers: &HeaderMap) -> Option<Session> {
    cookies(headers).find_map(|cookie| links::read_cookie(portal.pipeline.desk(), cookie))
}

/// Where a visit stands after something was recorded of it.
pub async fn standing_now(visitor: &Visitor) -> Result<Standing, Instead> {
    let session = visitor.session;
    let read =
        visitor.portal.pipeline.read(move |store| preview::fold(&store.reader()?, session.debtor)).await;
    let state = read.map_err(|_| visitor.instead(Why::Later))?;
    Ok(links::standing(&state, session.link, visitor.portal.pipeline.desk().clock.now()))
}

fn cookies(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let lines = headers.get_all(header::COOKIE).into_iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';'));
    pairs
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(name, _)| *name == COOKIE)
        .map(|(_, value)| value)
}

/// An answer that leads on and begins a visit, or ends it.
pub fn leading(portal: &Portal, to: &'static str, session: Option<&Session>) -> Response {
    let desk = portal.pipeline.desk();
    let secure = if desk.settings.public_url.starts_with("https://") { "; Secure" } else { "" };
    let (value, age) = match session {
        Some(session) => (links::cookie(desk, session), VISIT.as_millis() / 1_000),
        None => (String::new(), 0),
    };
    let cookie = format!("{COOKIE}={value}; Path=/portal; Max-Age={age}; HttpOnly; SameSite=Strict{secure}");
    let mut response = see_other(to);
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

/// An answer that leads on, so that loading again sends nothing again.
pub fn see_other(to: &'static str) -> Response {
    (StatusCode::SEE_OTHER, [(header::LOCATION, HeaderValue::from_static(to))]).into_response()
}

/// Whether a form comes from a page of ours, as far as the browser says. Our own pages send `Origin: null`, because they
/// keep their address to themselves (Fetch, "append a request Origin header").
pub fn is_own(settings: &Settings, headers: &HeaderMap) -> bool {
    let said = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let site = said(header::HeaderName::from_static("sec-fetch-site"));
    let origin = said(header::ORIGIN);
    site.is_none_or(|site| matches!(site, "same-origin" | "none"))
        && origin.is_none_or(|origin| origin == "null" || settings.public_url.trim_end_matches('/') == origin)
}

/// The fields of a form.
pub struct Form(Vec<(String, String)>);

impl Form {
    /// Reads a request's form.
    pub async fn read(request: Request) -> Result<Self, ()> {
        let kind = body::media_type(request.headers()).unwrap_or_default().to_ascii_lowercase();
        if kind != "application/x-www-form-urlencoded" {
            return Err(());
        }
        let bytes = body::whole(request, FORM_LIMIT).await.map_err(|_| ())?;
        let pairs = url::form_urlencoded::parse(&bytes);
        Ok(Self(pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect()))
    }

    /// A field's first value.
    pub fn first(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    /// All values of a field.
    pub fn all<'f>(&'f self, name: &'f str) -> impl Iterator<Item = &'f str> {
        self.0.iter().filter(move |(field, _)| field == name).map(|(_, value)| value.as_str())
    }
}

/// Why a page is not shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// There is no visit, or it is over.
    NoVisit,
    /// The visitor has not proved to be the debtor.
    Unproved,
    /// The form is not of this visit, or what it was written from has changed.
    Stale,
    /// The link is not ours, too old or cut off.
    Lost,
    /// The link was opened before.
    Spent,
    /// There is no such page.
    Missing,
    /// The history is out of reach.
    Later,
}

/// What is answered in place of a page.
pub struct Instead {
    pub portal: Portal,
    pub words: &'static Words,
    pub why: Why,
}

impl IntoResponse for Instead {
    fn into_response(self) -> Response {
        let trouble = &self.words.trouble;
        let (status, title, text) = match self.why {
            Why::Unproved => return see_other("/portal/check"),
            Why::NoVisit => (StatusCode::UNAUTHORIZED, trouble.over_title, trouble.over),
            Why::Stale => (StatusCode::FORBIDDEN, trouble.stale_title, trouble.stale),
            Why::Lost => (StatusCode::NOT_FOUND, trouble.lost_title, trouble.lost),
            Why::Spent => (StatusCode::GONE, trouble.spent_title, trouble.spent),
            Why::Missing => (StatusCode::NOT_FOUND, trouble.missing_title, trouble.missing),
            Why::Later => (StatusCode::SERVICE_UNAVAILABLE, trouble.later_title, trouble.later),
        };
        let settings = &self.portal.pipeline.desk().settings;
        frame::outside(self.words, settings, status, title, &format!("<p>{text}</p>\n"))
    }
}
