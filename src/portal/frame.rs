//! What stands around every page: who writes, where else to go, how to reach us.

use crate::domain::debtor::CollectorRole;
use crate::http::page::{Page, escape};
use crate::pipeline::Settings;
use crate::pipeline::links::{self, Standing};
use crate::portal::visit::Visitor;
use crate::portal::words::Words;
use crate::template::format;
use axum::http::StatusCode;
use axum::response::Response;
use std::fmt::Write;

const STYLE: &str = include_str!("portal.css");

/// Which page of the navigation a page is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Here {
    Messages,
    Write,
    Preferences,
    Stop,
    Elsewhere,
}

/// A notice at the top of a page.
#[derive(Clone, Copy)]
pub enum Notice<'a> {
    None,
    Done(&'a str),
    Problem(&'a str),
}

impl Notice<'_> {
    /// As HTML, read out as soon as the page is there.
    pub fn html(&self, words: &Words) -> String {
        let (class, role, title, text) = match self {
            Self::None => return String::new(),
            Self::Done(text) => ("done", "status", words.done, text),
            Self::Problem(text) => ("problem", "alert", words.error, text),
        };
        format!(
            "<div class=\"notice {class}\" role=\"{role}\"><strong>{}</strong><p>{}</p></div>\n",
            escape(title),
            escape(text)
        )
    }
}

/// A page of a visit.
pub fn page(visitor: &Visitor, here: Here, status: StatusCode, title: &str, body: &str) -> Response {
    let words = visitor.words;
    let mut html = String::with_capacity(body.len() + 2048);
    top(&mut html, words, settings(visitor), visitor.standing == Standing::Proved);
    navigation(&mut html, visitor, here);
    let _ = write!(html, "</header>\n<main id=\"content\">\n<h1>{}</h1>\n{body}</main>\n", escape(title));
    foot(&mut html, words, settings(visitor), visitor.standing == Standing::Proved);
    respond(words, status, title, &html)
}

/// A page outside any visit: it names nobody but us, by the name that tells nothing.
pub fn outside(words: &Words, settings: &Settings, status: StatusCode, title: &str, body: &str) -> Response {
    let mut html = String::with_capacity(body.len() + 1024);
    top(&mut html, words, settings, false);
    let _ = write!(html, "</header>\n<main id=\"content\">\n<h1>{}</h1>\n{body}</main>\n", escape(title));
    foot(&mut html, words, settings, false);
    respond(words, status, title, &html)
}

fn respond(words: &Words, status: StatusCode, title: &str, body: &str) -> Response {
    Page { language: words.tag, title, style: STYLE, body }.respond(status)
}

fn settings(visitor: &Visitor) -> &Settings {
    &visitor.portal.pipeline.desk().settings
}

// Writing to a string does not fail.

fn top(html: &mut String, words: &Words, settings: &Settings, proved: bool) {
    let _ = write!(html, "<a class=\"skip\" href=\"#content\">{}</a>\n<header>\n", escape(words.skip));
    if let Some(name) = sender(settings, proved) {
        let _ = writeln!(html, "<p class=\"sender\">{}</p>", escape(name));
    }
}

fn sender(settings: &Settings, proved: bool) -> Option<&str> {
    let collector = &settings.collector;
    if proved { collector.name.as_deref() } else { collector.neutral_name.as_deref() }
}

fn navigation(html: &mut String, visitor: &Visitor, here: Here) {
    let words = visitor.words;
    let all = [
        (Here::Messages, "/portal", words.inbox.title),
        (Here::Write, "/portal/write", words.write.title),
        (Here::Preferences, "/portal/preferences", words.prefer.title),
        (Here::Stop, "/portal/stop", words.stop.title),
    ];
    let proved = visitor.standing == Standing::Proved;
    let _ = write!(html, "<nav aria-label=\"{}\"><ul>", escape(words.navigation));
    for (page, address, name) in all {
        // Who has not proved to be the debtor finds the question under "Messages", and the stop.
        if proved || page == Here::Messages || page == Here::Stop {
            let current = if page == here { " aria-current=\"page\"" } else { "" };
            let _ = write!(html, "<li><a href=\"{address}\"{current}>{}</a></li>", escape(name));
        }
    }
    html.push_str("</ul></nav>\n<div class=\"session\">");
    let token = token_field(visitor);
    let (name, tag) = words.other;
    let _ = writeln!(
        html,
        "<form method=\"post\" action=\"/portal/language\">{token}<button class=\"plain\" name=\"language\" value=\"{tag}\" \
         lang=\"{tag}\">{name}</button></form>\
         <form method=\"post\" action=\"/portal/leave\">{token}<button class=\"plain\">{}</button></form></div>",
        escape(words.leave)
    );
}

/// The field that every form of a visit carries.
pub fn token_field(visitor: &Visitor) -> String {
    let token = links::form_token(visitor.portal.pipeline.desk(), &visitor.session);
    format!("<input type=\"hidden\" name=\"form\" value=\"{token}\">")
}

fn foot(html: &mut String, words: &Words, settings: &Settings, proved: bool) {
    let collector = &settings.collector;
    html.push_str("<footer>\n");
    if let Some(name) = sender(settings, proved) {
        let address = collector.address.as_deref().filter(|_| proved);
        let address = address.map(|address| format!("<br>{}", escape(address))).unwrap_or_default();
        let _ = writeln!(html, "<p>{}{address}</p>", escape(name));
    }
    if let Some(call) = call_us(words, settings) {
        let _ = writeln!(html, "<p>{call}</p>");
    }
    // 12 CFR 1006.18(e)(2): every communication after the first says that it is from a debt collector.
    let third_party = match settings.collector_role {
        CollectorRole::ThirdParty | CollectorRole::DebtBuyer => true,
        CollectorRole::FirstParty | CollectorRole::Servicer => false,
    };
    if proved && third_party {
        let _ = writeln!(html, "<p>{}</p>", escape(words.from_collector));
    }
    html.push_str("</footer>\n");
}

/// Our telephone number as a link; none where the configuration has none.
pub fn call_us(words: &Words, settings: &Settings) -> Option<String> {
    let number = settings.collector.phone.as_deref()?;
    let shown = format::phone(number)?;
    Some(format!("{}: <a href=\"tel:{}\">{}</a>", escape(words.call_us), escape(number), escape(&shown)))
}

/// A button that sends its form.
pub fn button(text: &str) -> String {
    format!("<button type=\"submit\">{}</button>\n", escape(text))
}
