//! The HTML of every shipped email, as a mail program and a screen reader meet it.

use super::{catalogue, shipped};
use dunwell::domain::channel::Channel;
use dunwell::domain::decision::Disclosure;
use dunwell::domain::message::Content;
use dunwell::template::catalogue::Catalogue;
use dunwell::template::manifest::Carries;
use htmlparser::{ElementEnd, Token, Tokenizer};
use std::collections::BTreeMap;

/// WCAG 2.2, success criterion 1.4.3.
const CONTRAST: f64 = 4.5;
const VOID: [&str; 4] = ["br", "img", "meta", "hr"];
const HEAD: &str = "partials/email-head.mjml.hbs";

/// An email as it is sent.
struct Letter {
    html: String,
    language: String,
    name: String,
    subject: String,
    text: String,
}

/// Every shipped email in every language, with no disclosure and, where it may carry them, with all.
fn letters(catalogue: &Catalogue) -> Vec<Letter> {
    let mut letters = Vec::new();
    for sample in catalogue.samples() {
        let carries = catalogue.manifest(&sample.template).expect("it has one").disclosures;
        let all = if carries == Carries::Disclosures { Disclosure::ALL } else { &[] };
        for (language, channel) in catalogue.combinations(&sample.template) {
            for disclosures in [&[], all].into_iter().filter(|_| channel == Channel::Email) {
                let mut context = sample.context();
                context.disclosures = disclosures;
                let name = format!("{} {language}, {} disclosures", sample.file, disclosures.len());
                let rendered = catalogue.render(&sample.template, channel, Some(language), &context);
                let Content::Email { subject, text, html } = rendered.expect(&name).content else {
                    panic!("{name}: it is no email");
                };
                let html = html.unwrap_or_else(|| panic!("{name}: it has no HTML"));
                letters.push(Letter { html, language: language.to_owned(), name, subject, text });
            }
        }
    }
    letters
}

/// An element as a browser has it: what Outlook alone reads is a comment to it.
struct Element {
    attributes: BTreeMap<String, String>,
    name: String,
    parent: Option<usize>,
    /// All words in it and below.
    text: String,
}

impl Element {
    fn get(&self, attribute: &str) -> &str {
        self.attributes.get(attribute).map(String::as_str).unwrap_or_default()
    }

    fn style(&self, property: &str) -> Option<&str> {
        let all = self.get("style").split(';');
        all.filter_map(|one| one.split_once(':')).find(|(name, _)| *name == property).map(|(_, value)| value)
    }
}

/// Every element, in the order of the text; the nesting must be sound.
fn elements(letter: &Letter) -> Vec<Element> {
    let mut html = letter.html.clone();
    while let Some(start) = html.find("<!--") {
        let end = html[start..].find("-->").expect("a comment ends") + start + 3;
        html.replace_range(start..end, "");
    }
    let html = html.strip_prefix("<!doctype html>").expect("it is HTML 5");
    let (mut all, mut open): (Vec<Element>, Vec<usize>) = (Vec::new(), Vec::new());
    for token in Tokenizer::from(html) {
        match token.unwrap_or_else(|error| panic!("{}: {error}", letter.name)) {
            Token::ElementStart { local, prefix, .. } => {
                assert_eq!(prefix.as_str(), "", "{}", letter.name);
                let (name, parent) = (local.as_str().to_owned(), open.last().copied());
                open.push(all.len());
                all.push(Element { attributes: BTreeMap::new(), name, parent, text: String::new() });
            }
            Token::Attribute { prefix, local, value, .. } => {
                let key = if prefix.is_empty() { local.to_string() } else { format!("{prefix}:{local}") };
                let value = value.map_or(String::new(), |value| value.to_string());
                let element = all.last_mut().expect("attributes belong to an element");
                assert_eq!(element.attributes.insert(key, value), None, "{}", letter.name);
            }
            Token::ElementEnd { end: ElementEnd::Close(_, name), .. } => {
                let closed = &all[open.pop().expect("something is open")];
                assert_eq!(closed.name, name.as_str(), "{}", letter.name);
            }
            Token::ElementEnd { end: ElementEnd::Open | ElementEnd::Empty, .. } => {
                if VOID.contains(&all.last().expect("one is open").name.as_str()) {
                    open.pop();
                }
            }
            Token::Text { text } => open.iter().for_each(|index| all[*index].text.push_str(text.as_str())),
            other => panic!("{}: {other:?}", letter.name),
        }
    }
    assert!(open.is_empty(), "{}", letter.name);
    all
}

fn named<'a>(all: &'a [Element], name: &'a str) -> impl Iterator<Item = &'a Element> {
    all.iter().filter(move |element| element.name == name)
}

fn only<'a>(all: &'a [Element], name: &'a str, letter: &str) -> &'a Element {
    let found: Vec<_> = named(all, name).collect();
    assert_eq!(found.len(), 1, "{letter}: <{name}>");
    found[0]
}

#[test]
fn every_email_has_a_plain_part_that_says_as_much() {
    let letters = letters(&catalogue());
    assert_eq!(letters.len(), 28, "seven samples, two languages, with and without disclosures");
    for letter in letters {
        assert!(letter.text.split_whitespace().count() > 5 && !letter.text.contains("<p"), "{}", letter.name);
        for link in named(&elements(&letter), "a") {
            let href = link.get("href").replace("&amp;", "&").replace("&#x3D;", "=");
            let address = href.strip_prefix("https://").unwrap_or_default();
            assert!(letter.text.contains(address), "{}: {href} is in the HTML alone", letter.name);
        }
    }
    // Nor can one be shipped without.
    let mut files = shipped();
    files.retain(|file| !file.path.ends_with("help/en/email.txt.hbs"));
    let faults = Catalogue::load(&files).expect_err("its plain part is missing");
    assert_eq!(
        faults[0].to_string(),
        "messages/help/en/email.txt.hbs: is missing: template.toml offers email"
    );
}

#[test]
fn every_email_says_its_language_title_and_headings() {
    for letter in letters(&catalogue()) {
        let (all, name) = (elements(&letter), &letter.name);
        assert_eq!(only(&all, "html", name).get("lang"), letter.language, "{name}");
        assert_eq!(all.iter().filter(|one| one.get("role") == "article").count(), 1, "{name}");
        assert!(all.iter().all(|one| ["", &letter.language].contains(&one.get("lang"))), "{name}");
        assert!(!only(&all, "title", name).text.trim().is_empty(), "{name}");
        let headings: Vec<_> =
            all.iter().filter(|one| ["h1", "h2", "h3"].contains(&one.name.as_str())).collect();
        assert!(headings[0].name == "h1" && only(&all, "h1", name).text.len() > 5, "{name}");
        assert!(
            headings.iter().all(|heading| heading.name != "h3" && !heading.text.trim().is_empty()),
            "{name}"
        );
        let meta = |wanted: &str| {
            named(&all, "meta").find(|one| one.get("name") == wanted).map(|one| one.get("content"))
        };
        assert_eq!(meta("color-scheme"), Some("light dark"), "{name}");
        assert_eq!(
            meta("viewport"),
            Some("width=device-width, initial-scale=1"),
            "{name}: it can be enlarged"
        );
        assert!(named(&all, "meta").any(|one| one.get("charset") == "utf-8"), "{name}");
    }
}

#[test]
fn tables_are_scaffolding_or_have_row_headings() {
    let mut tables = 0;
    for letter in letters(&catalogue()) {
        let all = elements(&letter);
        for (index, table) in all.iter().enumerate().filter(|(_, one)| one.name == "table") {
            let within = |mut at: usize| {
                while let Some(parent) = all[at].parent.filter(|_| all[at].name != "table") {
                    at = parent;
                }
                at == index
            };
            let heads: Vec<_> =
                all.iter().enumerate().filter(|(at, one)| one.name == "th" && within(*at)).collect();
            if table.get("role") == "presentation" {
                assert!(heads.is_empty(), "{}", letter.name);
            } else {
                let rows = all.iter().enumerate().filter(|(at, one)| one.name == "tr" && within(*at)).count();
                assert_eq!(heads.len(), rows, "{}", letter.name);
                assert!(heads.iter().all(|(_, head)| head.get("scope") == "row"), "{}", letter.name);
                tables += 1;
            }
        }
    }
    assert_eq!(tables, 12, "two validation notices and one reminder, in two languages, twice");
}

#[test]
fn links_say_where_they_lead_and_nothing_is_fetched() {
    for letter in letters(&catalogue()) {
        let (all, name) = (elements(&letter), &letter.name);
        let mut leads: BTreeMap<String, &str> = BTreeMap::new();
        for link in named(&all, "a") {
            let (says, href) = (link.text.trim().to_lowercase(), link.get("href"));
            assert!(href.starts_with("https://") || href.starts_with("tel:+"), "{name}: {href}");
            assert!(says.len() > 7, "{name}: `{says}` is no description");
            for vague in ["here", "click", "link", "aquí", "haga clic", "enlace"] {
                assert!(
                    !says.split(|c: char| !c.is_alphabetic()).any(|word| word == vague),
                    "{name}: {says}"
                );
            }
            assert_eq!(
                *leads.entry(says.clone()).or_insert(href),
                href,
                "{name}: `{says}` leads to two places"
            );
        }
        assert!(
            !leads.is_empty() || letter.subject.contains("opt-out") || letter.subject.contains("no recibir"),
            "{name}"
        );
        for fetching in ["<img", "src=", "background=", "url(", "@import", "<link", "<script", "http://"] {
            assert!(!letter.html.contains(fetching), "{name}: {fetching}");
        }
    }
}

#[test]
fn what_a_list_of_messages_shows_gives_nothing_away() {
    for letter in letters(&catalogue()) {
        let all = elements(&letter);
        let body = all.iter().position(|one| one.name == "body").expect("it has one");
        let preview = &all[body + 1];
        assert_eq!(preview.style("display"), Some("none"), "{}", letter.name);
        assert!((15..100).contains(&preview.text.trim().len()), "{}: {}", letter.name, preview.text);
        let said = preview.text.to_lowercase();
        for telling in [
            "debt", "deuda", "owe", "pay", "pag", "balance", "saldo", "collect", "cobr", "account", "cuenta",
            "$",
        ] {
            assert!(!said.contains(telling), "{}: `{telling}`", letter.name);
        }
    }
}

/// A property's value in the first rule for just this selector.
fn rule<'a>(css: &'a str, selector: &str, property: &str) -> &'a str {
    let rule = css.split('}').find_map(|rule| {
        let (selectors, body) = rule.rsplit_once('{')?;
        let selectors = selectors.rsplit('{').next()?;
        selectors.split(',').any(|one| one == selector).then_some(body)
    });
    let rule = rule.unwrap_or_else(|| panic!("there is no rule for {selector} in {css}"));
    let value = rule.split(';').filter_map(|one| one.split_once(':')).find(|(name, _)| *name == property);
    value.unwrap_or_else(|| panic!("{selector} has no {property}")).1.trim_end_matches("!important")
}

/// Relative luminance, WCAG 2.2.
fn luminance(colour: &str) -> f64 {
    let hex = colour.strip_prefix('#').unwrap_or_else(|| panic!("{colour} is no colour"));
    let hex: String =
        if hex.len() == 3 { hex.chars().flat_map(|c| [c, c]).collect() } else { hex.to_owned() };
    let part = |at: usize| {
        let value = f64::from(u8::from_str_radix(&hex[at..at + 2], 16).expect("two hex digits")) / 255.0;
        if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * part(0) + 0.7152 * part(2) + 0.0722 * part(4)
}

fn contrast(one: &str, other: &str) -> f64 {
    let (one, other) = (luminance(one) + 0.05, luminance(other) + 0.05);
    one.max(other) / one.min(other)
}

#[test]
fn contrast_is_counted_as_wcag_does() {
    assert!((contrast("#000", "#ffffff") - 21.0).abs() < 1e-9);
    assert!((contrast("#777777", "#fff") - 4.48).abs() < 0.01);
}

#[test]
fn every_colour_can_be_read_by_day_and_by_night() {
    for letter in letters(&catalogue()) {
        let (all, name) = (elements(&letter), &letter.name);
        let css = &only(&all, "style", name).text;
        let (day, night) =
            css.split_once("@media (prefers-color-scheme:dark){").expect("it has dark colours");
        let paper = rule(night, ".card table", "background");
        let mut seen = vec![
            (rule(night, ".text div", "color"), paper),
            (rule(night, "a", "color"), paper),
            (rule(night, ".button a", "color"), rule(night, ".button a", "background")),
        ];
        assert_eq!(rule(night, ".card", "background"), paper, "{name}");
        assert_eq!(rule(night, ".button td", "background"), rule(night, ".button a", "background"), "{name}");
        assert!(luminance(rule(night, "body", "background")) < 0.05, "{name}: the page stays bright");
        // Whatever has a colour of its own is something that the dark rules name.
        for (index, element) in all.iter().enumerate() {
            let class = |levels: usize| {
                let at = (0..levels).try_fold(index, |at, _| all[at].parent);
                at.map_or("", |at| all[at].get("class"))
            };
            let hidden = element.style("display") == Some("none");
            let link = class(4) == "button" && element.name == "a";
            if let Some(colour) = element.style("color").filter(|_| !hidden) {
                let text = class(1) == "text" && element.name == "div";
                assert!(text || link, "{name}: {colour} has no dark colour");
                let ground =
                    if link { element.style("background").expect("a button has one") } else { "#fff" };
                seen.extend([(colour, ground), (rule(day, "a", "color"), "#fff")]);
            }
            if let Some(ground) = element.style("background").or(element.style("background-color")) {
                let card = class(0) == "card" || (class(1) == "card" && element.name == "table");
                assert!(
                    link || (class(3) == "button" && element.name == "td") || (card && ground == "#fff"),
                    "{name}"
                );
            }
        }
        assert!(seen.len() > 4, "{name}");
        for (colour, ground) in seen {
            let found = contrast(colour, ground);
            assert!(found >= CONTRAST, "{name}: {colour} on {ground} has {found:.2}:1");
        }
    }
}

#[test]
fn a_narrow_window_scrolls_one_way_only() {
    for letter in letters(&catalogue()) {
        for element in elements(&letter) {
            for width in [element.get("width"), element.style("width").unwrap_or_default()] {
                assert!(["", "100%"].contains(&width), "{}: <{}> is {width} wide", letter.name, element.name);
            }
        }
    }
}

/// The history keeps each of these bytes for years.
#[test]
fn the_html_is_lean() {
    let catalogue = catalogue();
    for letter in letters(&catalogue) {
        let bytes = letter.html.len();
        println!("{bytes:>6} {}", letter.name);
        let most = if letter.name.contains("validation") { 7_400 } else { 6_000 };
        assert!(bytes < most, "{}: {bytes} bytes", letter.name);
        for idle in ["  ", "\n\n", "<tbody>", "lte mso", "X-UA", "mj-column-per-100{", "<!-- "] {
            assert!(!letter.html.contains(idle), "{}: {idle:?}", letter.name);
        }
    }
}

/// What is wrong with the shipped words once a piece of a file is replaced.
fn faults(path: &str, from: &str, to: &str) -> Vec<String> {
    let mut files = shipped();
    let file = files.iter_mut().find(|file| file.path == path).expect("it is shipped");
    assert!(file.text.contains(from), "{path} has no {from}");
    file.text = file.text.replacen(from, to, 1);
    Catalogue::load(&files).err().unwrap_or_default().iter().map(ToString::to_string).collect()
}

#[test]
fn bad_mjml_is_refused_with_file_and_line() {
    const REMINDER: &str = "messages/payment-reminder/en/email.mjml.hbs";
    const HELP: &str = "messages/help/es/email.mjml.hbs";
    for (path, from, to, place, says) in [
        (REMINDER, "</h1>", "</h2>", ":11", "`</h2>` stands where `<h1>` is open"),
        (REMINDER, "</table>", "", ":21", "a block must end in the element it begins in: `<table>`"),
        (
            REMINDER,
            "<mj-button href",
            "<mj-buton href",
            ":27",
            "`<mj-buton>` has no place here; in `<mj-column>`",
        ),
        (
            REMINDER,
            "<mj-button href",
            "<mj-button color=\"{{debtor.name}}\" href",
            ":27",
            "no value may stand in `color`",
        ),
        (REMINDER, "{{account.payment_url}}\">", "{{debtor.name}}\">", ":27", "whole address of type url"),
        (HELP, "lang=\"es\"", "lang=\"en\"", ":1", "must say its language: <mjml lang=\"es\">"),
        (HELP, "<mj-preview>Le atendemos por teléfono.</mj-preview>", "", ":1", "no words in <mj-preview>"),
        (
            HELP,
            "{{> email-head}}",
            "<mj-include path=\"/etc/passwd\" />",
            ":5",
            "`<mj-include>` has no place",
        ),
        (HELP, "<mj-column>", "<mj-column>\nwords", ":10", "words stand in <mj-text>"),
    ] {
        let found = faults(path, from, to);
        assert!(
            found.iter().any(|fault| fault.starts_with(&format!("{path}{place}: ")) && fault.contains(says)),
            "{from}: {found:#?}"
        );
    }
    // The shared head is one file; each email that names it says the fault once, of that file.
    let found = faults(HEAD, "<mj-section css-class", "<mj-section css-clas");
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].starts_with(&format!("{HEAD}:4: `css-clas` is no attribute")), "{found:#?}");
}

#[test]
fn a_dark_colour_that_cannot_be_read_would_be_found() {
    let mut files = shipped();
    let head = files.iter_mut().find(|file| file.path == HEAD).expect("it is shipped");
    head.text = head.text.replace("color: #8ab8f5", "color: #30405a");
    let letters = letters(&Catalogue::load(&files).expect("it is sound"));
    let all = elements(&letters[0]);
    let css = &only(&all, "style", "the first").text;
    let night = css.split_once("@media (prefers-color-scheme:dark){").expect("it is there").1;
    assert!(contrast(rule(night, "a", "color"), rule(night, ".card", "background")) < CONTRAST);
}
