//! What the debtor prefers: language, medium, and when not.

use crate::domain::channel::Channel;
use crate::domain::consent::{InconvenientTime, Preferences, Weekday};
use crate::http::page::escape;
use crate::pipeline::{Refusal, inbox};
use crate::portal::Portal;
use crate::portal::frame::{self, Here, Notice};
use crate::portal::shown::flag;
use crate::portal::visit::{Form, Instead, Visitor, see_other};
use crate::portal::words::Words;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use std::fmt::Write;

/// The media to choose from, in the order shown.
const MEDIA: [Channel; 4] = [Channel::Sms, Channel::Email, Channel::Voice, Channel::Portal];
/// The languages to choose from.
const LANGUAGES: [(&str, &str); 2] = [("en", "English"), ("es", "Español")];

/// What a form says, or would say if nothing were changed.
#[derive(Default)]
struct Draft {
    language: Option<String>,
    channel: Option<Channel>,
    removed: Vec<usize>,
    days: Vec<Weekday>,
    from: String,
    to: String,
    about: Option<Channel>,
}

impl Draft {
    fn of(preferences: &Preferences) -> Self {
        let Preferences { language, preferred_channel, .. } = preferences.clone();
        Self { language, channel: preferred_channel, ..Self::default() }
    }

    fn read(form: &Form) -> Self {
        let text = |name| form.first(name).unwrap_or_default().trim().to_owned();
        let channel = |name| form.first(name).and_then(Channel::from_word).filter(|one| MEDIA.contains(one));
        Self {
            language: Some(text("language")).filter(|tag| !tag.is_empty()),
            channel: channel("channel"),
            removed: form.all("remove").filter_map(|place| place.parse().ok()).collect(),
            days: form.all("day").filter_map(Weekday::from_word).collect(),
            from: text("from"),
            to: text("to"),
            about: channel("about"),
        }
    }

    fn adds(&self) -> bool {
        !self.days.is_empty() || !self.from.is_empty() || !self.to.is_empty()
    }
}

/// The form.
pub async fn form(State(portal): State<Portal>, uri: Uri, headers: HeaderMap) -> Result<Response, Instead> {
    let visitor = Visitor::proved(&portal, &headers).await?;
    let notice = match flag(&uri) {
        Some(_) => Notice::Done(visitor.words.prefer.done),
        None => Notice::None,
    };
    let draft = Draft::of(&visitor.state.preferences);
    Ok(show(&visitor, StatusCode::OK, notice, &draft))
}

/// Takes what the debtor prefers.
pub async fn save(State(portal): State<Portal>, request: Request) -> Result<Response, Instead> {
    let (visitor, form) = Visitor::proved_form(&portal, request).await?;
    let (draft, words) = (Draft::read(&form), &visitor.words.prefer);
    let Some(preferences) = preferred(&visitor, &draft) else {
        let problem = Notice::Problem(words.incomplete);
        return Ok(show(&visitor, StatusCode::UNPROCESSABLE_ENTITY, problem, &draft));
    };
    let seen = form.first("seen").unwrap_or_default().to_owned();
    match portal.pipeline.prefer(visitor.session.debtor, seen, preferences).await {
        Ok(()) => Ok(see_other("/portal/preferences?done=saved")),
        Err(Refusal::Invalid(_)) => {
            let problem = Notice::Problem(words.incomplete);
            Ok(show(&visitor, StatusCode::UNPROCESSABLE_ENTITY, problem, &draft))
        }
        Err(Refusal::Conflict(_)) => {
            let draft = Draft::of(&visitor.state.preferences);
            Ok(show(&visitor, StatusCode::CONFLICT, Notice::Problem(words.changed), &draft))
        }
        Err(refusal) => Err(visitor.refused(&refusal)),
    }
}

/// The preferences that a form asks for; none where the time it adds is not whole.
fn preferred(visitor: &Visitor, draft: &Draft) -> Option<Preferences> {
    let known = &visitor.state.preferences;
    let kept = known.inconvenient.iter().enumerate().filter(|(place, _)| !draft.removed.contains(place));
    let mut inconvenient: Vec<InconvenientTime> = kept.map(|(_, time)| time.clone()).collect();
    if draft.adds() {
        let (from, to) = (draft.from.parse().ok()?, draft.to.parse().ok()?);
        if draft.days.is_empty() || from == to {
            return None;
        }
        inconvenient.push(InconvenientTime {
            channels: draft.about.into_iter().collect(),
            days: draft.days.clone(),
            from,
            places: Vec::new(),
            since: Some(visitor.now),
            to,
        });
    }
    // A language that the pages do not speak stays where it is on file.
    let offered = |tag: &String| Words::of(tag).is_some() || known.language.as_ref() == Some(tag);
    let language = draft.language.clone().filter(offered);
    Some(Preferences { inconvenient, language, preferred_channel: draft.channel })
}

/// Changes the language: of these pages, and of what we send.
pub async fn language(State(portal): State<Portal>, request: Request) -> Result<Response, Instead> {
    let (visitor, form) = Visitor::form(&portal, request).await?;
    let asked = form.first("language").and_then(Words::of);
    if let Some(words) = asked {
        let seen = inbox::preferences_seen(&visitor.state.preferences);
        let language = Some(words.tag.to_owned());
        let preferences = Preferences { language, ..visitor.state.preferences.clone() };
        let done = portal.pipeline.prefer(visitor.session.debtor, seen, preferences).await;
        done.map_err(|refusal| visitor.refused(&refusal))?;
    }
    Ok(see_other("/portal"))
}

fn show(visitor: &Visitor, status: StatusCode, notice: Notice<'_>, draft: &Draft) -> Response {
    let words = visitor.words;
    let mut body = format!(
        "{}<form method=\"post\" action=\"/portal/preferences\">\n{}\
         <input type=\"hidden\" name=\"seen\" value=\"{}\">\n",
        notice.html(words),
        frame::token_field(visitor),
        inbox::preferences_seen(&visitor.state.preferences)
    );
    languages(&mut body, words, draft);
    channels(&mut body, words, draft);
    times(&mut body, visitor, draft);
    added(&mut body, words, draft);
    body.push_str(&frame::button(words.prefer.button));
    body.push_str("</form>\n");
    frame::page(visitor, Here::Preferences, status, words.prefer.title, &body)
}

/// A button of a group with its label. `kind` is `radio` or `checkbox`.
fn choice(body: &mut String, kind: &str, name: &str, value: &str, chosen: bool, label: &str) {
    let id = format!("{name}-{}", if value.is_empty() { "any" } else { value });
    let checked = if chosen { " checked" } else { "" };
    // Writing to a string does not fail.
    let _ = writeln!(
        body,
        "<p class=\"choice\"><input type=\"{kind}\" id=\"{id}\" name=\"{name}\" value=\"{}\"{checked}>\
         <label for=\"{id}\">{}</label></p>",
        escape(value),
        escape(label)
    );
}

fn languages(body: &mut String, words: &Words, draft: &Draft) {
    let _ = writeln!(body, "<fieldset><legend>{}</legend>", escape(words.prefer.language));
    let chosen = draft.language.as_deref();
    let spoken = chosen.and_then(Words::of).map(|words| words.tag);
    choice(body, "radio", "language", "", chosen.is_none(), words.prefer.language_any);
    for (tag, name) in LANGUAGES {
        choice(body, "radio", "language", tag, spoken == Some(tag), name);
    }
    if let Some(tag) = chosen.filter(|_| spoken.is_none()) {
        choice(body, "radio", "language", tag, true, tag);
    }
    body.push_str("</fieldset>\n");
}

fn channels(body: &mut String, words: &Words, draft: &Draft) {
    let _ = writeln!(body, "<fieldset><legend>{}</legend>", escape(words.prefer.channel));
    choice(body, "radio", "channel", "", draft.channel.is_none(), words.prefer.channel_any);
    for medium in MEDIA {
        let chosen = draft.channel == Some(medium);
        choice(body, "radio", "channel", medium.as_str(), chosen, words.medium(medium));
    }
    body.push_str("</fieldset>\n");
}

/// The times on file, each to be removed.
fn times(body: &mut String, visitor: &Visitor, draft: &Draft) {
    let words = visitor.words;
    let _ = writeln!(body, "<h2>{}</h2>", escape(words.prefer.times));
    let _ = writeln!(body, "<p>{}</p>", escape(words.prefer.times_text));
    let known = &visitor.state.preferences.inconvenient;
    if known.is_empty() {
        return;
    }
    let _ = writeln!(body, "<fieldset><legend>{}</legend>", escape(words.prefer.remove));
    for (place, time) in known.iter().enumerate() {
        let days: Vec<&str> = time.days.iter().map(|day| words.weekday(*day)).collect();
        let about: Vec<&str> = time.channels.iter().map(|channel| words.medium(*channel)).collect();
        let about = if about.is_empty() { words.prefer.everything.to_owned() } else { about.join(", ") };
        let label = format!("{}, {}–{} ({about})", days.join(", "), time.from, time.to);
        choice(body, "checkbox", "remove", &place.to_string(), draft.removed.contains(&place), &label);
    }
    body.push_str("</fieldset>\n");
}

/// A time to add.
fn added(body: &mut String, words: &Words, draft: &Draft) {
    let prefer = &words.prefer;
    let _ = writeln!(
        body,
        "<h3>{}</h3>\n<fieldset><legend>{}</legend>\n<div class=\"days\">",
        escape(prefer.add),
        escape(prefer.days)
    );
    for day in Weekday::ALL {
        choice(body, "checkbox", "day", day.as_str(), draft.days.contains(day), words.weekday(*day));
    }
    body.push_str("</div></fieldset>\n<div class=\"row\">");
    for (name, label, value) in [("from", prefer.from, &draft.from), ("to", prefer.to, &draft.to)] {
        let _ = write!(
            body,
            "<p><label for=\"{name}\">{}</label><input type=\"time\" id=\"{name}\" name=\"{name}\" value=\"{}\"></p>",
            escape(label),
            escape(value)
        );
    }
    let _ = write!(
        body,
        "<p><label for=\"about\">{}</label><select id=\"about\" name=\"about\"><option value=\"\">{}</option>",
        escape(prefer.about),
        escape(prefer.everything)
    );
    for medium in MEDIA {
        let chosen = if draft.about == Some(medium) { " selected" } else { "" };
        let name = escape(words.medium(medium));
        let _ = write!(body, "<option value=\"{medium}\"{chosen}>{name}</option>");
    }
    body.push_str("</select></p></div>\n");
}
