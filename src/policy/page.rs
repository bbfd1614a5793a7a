//! The law as a page for people: every rule with its citation, its place, its figures and dates, whether anybody has compared
//! it with the text, and the worked cases that show what it does. Generated from the packs, so that it cannot differ.

use crate::domain::fault::{Fault, SourceFile};
use crate::policy::pack::{CalendarEntry, Pack, Policy};
use crate::policy::rule::{Effect, Override, Row, Rule};
use serde::Deserialize;
use std::fmt::Write;
use toml::Spanned;

/// What a worked case shows, for listings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaseTitle {
    /// In plain words.
    pub says: String,
    /// The moment asked about, as the file writes it.
    pub at: String,
    /// The answer.
    pub outcome: String,
    /// The rule whose finding stands first, where the case names it.
    pub rule: Option<String>,
    /// The file of rules that it stands beside.
    pub file: String,
    /// The line of the file of cases.
    pub line: usize,
}

#[derive(Deserialize)]
struct CaseFile {
    #[serde(rename = "case", default)]
    cases: Vec<Spanned<Case>>,
}

#[derive(Deserialize)]
struct Case {
    says: String,
    at: String,
    expect: Expect,
}

#[derive(Deserialize)]
struct Expect {
    outcome: String,
    #[serde(default)]
    rule: Option<String>,
    #[serde(default)]
    reviews: Vec<String>,
}

impl CaseTitle {
    /// The cases beside the files of these packs. A file that cannot be read has none here; running the cases names its fault.
    pub(in crate::policy) fn all(files: &[SourceFile], packs: &[Pack]) -> Vec<Self> {
        let of_pack = |file: &&SourceFile| {
            packs.iter().any(|pack| file.path.split('/').next() == Some(pack.name.as_str()))
        };
        let mut titles = Vec::new();
        for file in files.iter().filter(of_pack) {
            let Some(stem) = file.path.strip_suffix(".cases.toml") else { continue };
            let Ok(read) = toml::from_str::<CaseFile>(&file.text) else { continue };
            titles.extend(read.cases.into_iter().map(|case| {
                let line = Fault::line_of(&file.text, case.span().start);
                let Case { says, at, expect } = case.into_inner();
                let rule = expect.rule.or_else(|| expect.reviews.into_iter().next());
                Self { says, at, outcome: expect.outcome, rule, file: format!("{stem}.toml"), line }
            }));
        }
        titles
    }
}

/// What each kind of law is, in one line.
const KINDS: &[(&str, &str)] = &[
    ("account_status", "Contact about an account only while there is something to collect."),
    ("consent", "A consent that the contact needs, or what may stand in its place."),
    ("contact_window", "Hours and days at which contact is permitted."),
    ("cool_down", "Silence for some days after a conversation."),
    ("disclosure", "A notice that a message must carry. It bars nothing."),
    ("frequency_cap", "So many contacts within a window, and no more."),
    ("hold", "Contact barred while a hold is in force."),
    ("inconvenient_time", "Times and places that the debtor called inconvenient."),
    ("opt_out", "A refusal of a medium or an address."),
    ("reassigned_number", "A number that has gone to somebody else."),
    ("usable_point", "A contact point that cannot be used."),
    ("waiting_period", "A time that must have passed since the written notice."),
    ("workplace", "The place of work, left alone without consent."),
];

/// The page's body, HTML that needs no script and loads nothing: a skip link, a header, a navigation, and the rules.
pub fn page(policy: &Policy) -> String {
    let mut html = String::with_capacity(256 * 1024);
    header(&mut html, policy);
    navigation(&mut html, policy);
    html.push_str("<main id=\"main\">\n");
    for pack in policy.packs() {
        pack_section(&mut html, policy, pack);
    }
    calendars(&mut html, policy.calendars());
    html.push_str("</main>\n");
    html
}

// Writing to a string does not fail.
macro_rules! put {
    ($html:expr, $($text:tt)*) => { let _ok = write!($html, $($text)*); };
}

fn header(html: &mut String, policy: &Policy) {
    let rules = policy.rules();
    let count = |keep: fn(&&Rule) -> bool| rules.iter().filter(keep).count();
    let overrides: usize = rules.iter().map(|rule| rule.overrides.len()).sum();
    put!(
        html,
        "<a class=\"skip\" href=\"#main\">Skip to the rules</a>\n<header><p class=\"version\">{}</p><h1>The law in force here</h1>\
         <p>{} rules, {} worked cases. {} rules are not yet verified against the text of the law, {} not yet reviewed by counsel; where a \
         wording is not verified, the stricter reading is kept. {overrides} rules are set aside by an override. Every rule that applies must \
         permit a contact; the strictest stands first in the answer.</p><p>Policy digest: <code>{}</code></p></header>\n",
        escape(&policy.stamp().packs.join(", ")),
        rules.len(),
        policy.cases().len(),
        count(|rule| !rule.status.verified),
        count(|rule| !rule.status.reviewed),
        policy.digest(),
    );
}

fn navigation(html: &mut String, policy: &Policy) {
    html.push_str("<nav aria-label=\"Packs\"><ul>\n");
    for pack in policy.packs() {
        put!(html, "<li><a href=\"#{}\">{}</a><ul>", escape(&pack.name), escape(&pack.name));
        for file in files_of(policy, pack) {
            put!(html, "<li><a href=\"#{}\">{}</a></li>", anchor(file), escape(short(file)));
        }
        html.push_str("</ul></li>\n");
    }
    html.push_str("</ul></nav>\n");
}

/// The files of a pack, in order.
fn files_of<'p>(policy: &'p Policy, pack: &Pack) -> Vec<&'p str> {
    let inside = |file: &&str| file.split('/').next() == Some(pack.name.as_str());
    let mut files: Vec<&str> = policy.rules().iter().map(|rule| rule.file.as_str()).filter(inside).collect();
    files.sort_unstable();
    files.dedup();
    files
}

fn short(file: &str) -> &str {
    file.split_once('/').map_or(file, |(_, name)| name).trim_end_matches(".toml")
}

fn anchor(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect()
}

fn pack_section(html: &mut String, policy: &Policy, pack: &Pack) {
    put!(
        html,
        "<section id=\"{}\"><h2>{}</h2><p class=\"version\">{}, version {}</p>\n",
        escape(&pack.name),
        escape(&pack.title),
        escape(&pack.name),
        pack.version
    );
    for file in files_of(policy, pack) {
        put!(html, "<section id=\"{}\" aria-label=\"{}\">\n", anchor(file), escape(short(file)));
        let mut rules: Vec<&Rule> = policy.rules().iter().filter(|rule| rule.file == file).collect();
        rules.sort_by_key(|rule| rule.line);
        for rule in &rules {
            rule_section(html, policy, rule);
        }
        other_cases(html, policy, file, &rules);
        html.push_str("</section>\n");
    }
    html.push_str("</section>\n");
}

fn rule_section(html: &mut String, policy: &Policy, rule: &Rule) {
    put!(
        html,
        "<article id=\"{}\"><h3><code>{}</code></h3>\n<p>{}</p>\n<dl class=\"members\">\n",
        anchor(&rule.id),
        escape(&rule.id),
        cited(&rule.citation, &rule.source)
    );
    let about = KINDS.iter().find(|(kind, _)| *kind == rule.kind).map_or("", |(_, about)| about);
    let effect = match rule.effect {
        Effect::Bar => "bars the contact",
        Effect::Review => "permits the contact, and asks a person to look",
    };
    member(html, "Jurisdiction", &rule.jurisdiction);
    member(html, "Kind", &format!("{}: {about}", rule.kind));
    member(html, "Where it objects, it", effect);
    for (name, value) in &rule.scope {
        member(html, &format!("Applies to: {}", name.replace('_', " ")), value);
    }
    let checked = |yes: bool, done: &str| if yes { done.to_owned() } else { format!("not {done}") };
    let (verified, reviewed) = (rule.status.verified, rule.status.reviewed);
    let status = format!(
        "{}; {}",
        checked(verified, "verified against the text of the law"),
        checked(reviewed, "reviewed by counsel")
    );
    member(html, "Status", &status);
    if let Some(note) = &rule.note {
        member(html, "Note", note);
    }
    member(html, "Stands in", &format!("{}, line {}", rule.file, rule.line));
    html.push_str("</dl>\n");
    rule.rows().for_each(|row| row_of(html, row));
    rule.overrides.iter().for_each(|relief| override_of(html, relief));
    let shown = policy.cases().iter().filter(|case| case.rule.as_deref() == Some(rule.id.as_str()));
    cases(html, "Worked cases", shown);
    html.push_str("</article>\n");
}

fn cited(citation: &str, source: &str) -> String {
    if source.starts_with("https://") || source.starts_with("http://") {
        format!("<a href=\"{}\" rel=\"noreferrer\">{}</a>", escape(source), escape(citation))
    } else {
        escape(citation)
    }
}

fn member(html: &mut String, name: &str, value: &str) {
    put!(html, "<dt>{}</dt><dd>{}</dd>\n", escape(name), escape(value));
}

fn row_of(html: &mut String, row: Row<'_>) {
    let until = row.to.map_or_else(|| "on".to_owned(), |to| format!("to {to}"));
    put!(html, "<h4>From {} {until}</h4>\n<dl class=\"members\">\n", row.from);
    for (name, value) in row.parameters {
        member(html, &name.replace('_', " "), value);
    }
    html.push_str("</dl>\n");
}

fn override_of(html: &mut String, relief: &Override) {
    put!(
        html,
        "<h4>Set aside from {} to {} by <code>{}</code></h4>\n<dl class=\"members\">\n",
        relief.from,
        relief.to,
        escape(&relief.id)
    );
    member(html, "Citation", &relief.citation);
    member(html, "Approved by", &relief.approver);
    member(html, "Reason", &relief.reason);
    html.push_str("</dl>\n");
}

/// The cases of a file that name none of its rules: what is permitted.
fn other_cases(html: &mut String, policy: &Policy, file: &str, rules: &[&Rule]) {
    let named = |id: &String| rules.iter().any(|rule| rule.id == *id);
    let others =
        policy.cases().iter().filter(|case| case.file == file && !case.rule.as_ref().is_some_and(named));
    cases(html, &format!("More worked cases of {}", short(file)), others);
}

fn cases<'c>(html: &mut String, title: &str, cases: impl Iterator<Item = &'c CaseTitle>) {
    let mut cases = cases.peekable();
    if cases.peek().is_none() {
        return;
    }
    put!(html, "<h4>{}</h4>\n<ul>\n", escape(title));
    for case in cases {
        put!(
            html,
            "<li>{} <span class=\"kind\">{}: {}</span></li>\n",
            escape(&case.says),
            escape(&case.at),
            escape(&case.outcome)
        );
    }
    html.push_str("</ul>\n");
}

fn calendars(html: &mut String, calendars: &[CalendarEntry]) {
    if calendars.is_empty() {
        return;
    }
    html.push_str("<section id=\"calendars\"><h2>Calendars</h2>\n");
    for calendar in calendars {
        put!(
            html,
            "<article><h3><code>{}</code></h3>\n<p>{}</p>\n<dl class=\"members\">\n",
            escape(&calendar.name),
            cited(&calendar.citation, &calendar.source)
        );
        member(html, "Days", &calendar.holidays.join(", "));
        member(html, "Status", if calendar.verified { "verified" } else { "not verified" });
        if let Some(note) = &calendar.note {
            member(html, "Note", note);
        }
        member(html, "Stands in", &format!("{}, line {}", calendar.file, calendar.line));
        html.push_str("</dl></article>\n");
    }
    html.push_str("</section>\n");
}

/// Text made safe between tags and inside quoted attributes.
fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::rules::Kind;

    #[test]
    fn every_kind_is_described() {
        let described: Vec<&str> = KINDS.iter().map(|(kind, _)| *kind).collect();
        assert_eq!(described, Kind::NAMES);
    }
}
