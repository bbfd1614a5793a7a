//! The structure of a letter in MJML, judged strictly: the toolkit would take a crooked one and send it.

use crate::domain::fault::Fault;
use crate::template::mjml::lean::{VOID, end_of};
use crate::template::mjml::masked::{Kind, Masked};

/// Elements of MJML and those that may stand in them; in the others stand words: text and HTML.
const STRUCTURE: [(&str, &[&str]); 7] = [
    ("mjml", &["mj-head", "mj-body"]),
    ("mj-head", &["mj-attributes", "mj-breakpoint", "mj-preview", "mj-raw", "mj-style", "mj-title"]),
    ("mj-body", &["mj-raw", "mj-section", "mj-wrapper"]),
    ("mj-wrapper", &["mj-raw", "mj-section"]),
    ("mj-section", &["mj-column", "mj-group", "mj-raw"]),
    ("mj-group", &["mj-column", "mj-raw"]),
    ("mj-column", &["mj-button", "mj-divider", "mj-image", "mj-raw", "mj-spacer", "mj-table", "mj-text"]),
];

/// Where the defaults of elements and classes stand.
const DEFAULTS: &str = "mj-attributes";

/// The attributes of MJML's elements, as far as a letter may need them. None that fetches a background.
const ATTRIBUTES: &str = "align alt background-color border border-bottom border-color border-left border-radius border-right \
    border-style border-top border-width cellpadding cellspacing color container-background-color css-class \
    dir direction font-family font-size font-style font-weight full-width height href inner-background-color \
    inner-border inner-border-radius inner-padding lang letter-spacing line-height max-width min-width mj-class \
    mobile-width name padding padding-bottom padding-left padding-right padding-top position rel role \
    src table-layout target text-align text-decoration text-padding text-transform title vertical-align \
    white-space width word-break";

const FETCHES: &str = "a style may fetch nothing";
/// Attributes of HTML that name what is fetched at once.
const FETCHED: [&str; 4] = ["background", "poster", "src", "srcset"];

/// Disclosures must be read.
const HIDDEN: &str = "{{disclosures}} stands in <mj-text>, where it is read";

/// What the outline found.
#[derive(Default)]
pub struct Written {
    /// Where the last column ends that no condition can take away.
    pub last_column: Option<usize>,
    /// Line ends that part two elements among words, and nothing else does.
    pub line_ends: Vec<usize>,
}

/// An element or block that is open.
struct Open {
    at: usize,
    /// None for a block.
    name: Option<String>,
}

/// Reads a letter's structure.
pub struct Outline<'a> {
    faults: Vec<Fault>,
    masked: &'a Masked,
    open: Vec<Open>,
    said: Vec<String>,
    written: Written,
}

impl<'a> Outline<'a> {
    /// Judges a letter in a language. Reading ends at the first fault of nesting, as all after it would follow from it.
    pub fn read(masked: &'a Masked, language: &str, faults: &mut Vec<Fault>) -> Option<Written> {
        let mut outline = Self {
            faults: Vec::new(),
            masked,
            open: Vec::new(),
            said: Vec::new(),
            written: Written::default(),
        };
        let nested = outline.walk(language);
        if nested.is_ok() {
            for (element, what) in [
                ("mj-title", "what a screen reader calls it"),
                ("mj-preview", "what a list of messages shows of it, where anybody may read along"),
            ] {
                if !outline.said.iter().any(|name| name == element) {
                    outline.fault(0, format!("there are no words in <{element}>: {what}"));
                }
            }
            if outline.written.last_column.is_none() {
                outline.fault(0, "there is no <mj-column> outside conditions: nothing surely shows");
            }
        }
        outline.faults.extend(nested.err());
        let sound = outline.faults.is_empty();
        faults.append(&mut outline.faults);
        sound.then_some(outline.written)
    }

    fn fault(&mut self, at: usize, what: impl Into<String>) {
        self.faults.push(self.masked.fault(at, what));
    }

    /// The element that is open; empty outside all.
    fn element(&self) -> &str {
        self.open.iter().rev().find_map(|open| open.name.as_deref()).unwrap_or_default()
    }

    fn among_words(&self) -> bool {
        let element = self.element();
        !["", DEFAULTS].contains(&element) && !STRUCTURE.iter().any(|(name, _)| *name == element)
    }

    fn walk(&mut self, language: &str) -> Result<(), Fault> {
        let text = self.masked.text.as_str();
        let mut at = 0;
        while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
            at += if let Some(tag) = rest.strip_prefix("{{") {
                let end = tag.find("}}").unwrap_or(tag.len());
                self.tag(at, tag.get(..end).and_then(|index| index.parse().ok()))?;
                end + 4
            } else if rest.starts_with("<!--") {
                self.comment(at, rest)?
            } else if let Some(name) = rest.strip_prefix("</") {
                let end = name.find('>').unwrap_or(name.len());
                self.close(at, name.get(..end).unwrap_or_default().trim())?;
                end + 3
            } else if rest.starts_with('<') {
                let end = end_of(rest);
                self.start(at, rest.get(..end).unwrap_or_default(), language)?;
                end
            } else {
                let end = rest.find("{{").into_iter().chain(rest.find('<')).min().unwrap_or(rest.len());
                self.words(at, rest.get(..end).unwrap_or_default());
                end
            };
        }
        match self.open.last() {
            None => Ok(()),
            Some(Open { at, name }) => {
                let what = name.as_ref().map_or("this block".to_owned(), |name| format!("`<{name}>`"));
                Err(self.masked.fault(*at, format!("{what} is never closed")))
            }
        }
    }

    fn tag(&mut self, at: usize, index: Option<usize>) -> Result<(), Fault> {
        let element = self.element().to_owned();
        let head = matches!(element.as_str(), "" | "mjml" | "mj-head" | DEFAULTS);
        match index.and_then(|index| self.masked.kind(index)).unwrap_or(Kind::Value) {
            _ if matches!(element.as_str(), "mj-style" | "style") => {
                self.fault(
                    at,
                    "a style sheet is the same for everybody: nothing of a message may stand in it",
                );
            }
            Kind::Open | Kind::Else | Kind::Close if head => {
                self.fault(at, "no condition may stand here; MJML has them in its body");
            }
            Kind::Open => self.open.push(Open { at, name: None }),
            Kind::Else | Kind::Close if self.open.last().is_some_and(|open| open.name.is_some()) => {
                let what =
                    format!("a block must end in the element it begins in: `<{element}>` is still open");
                return Err(self.masked.fault(at, what));
            }
            Kind::Else => {}
            Kind::Close => drop(self.open.pop()),
            Kind::Slot if !self.open.iter().any(|open| open.name.as_deref() == Some("mj-text")) => {
                self.fault(at, HIDDEN);
            }
            Kind::Slot | Kind::Value if self.among_words() => self.said.push(element),
            Kind::Slot | Kind::Value => {
                self.fault(at, "write it into <mj-text>: nothing shows it here");
            }
        }
        Ok(())
    }

    fn comment(&mut self, at: usize, rest: &str) -> Result<usize, Fault> {
        let end = rest.find("-->").ok_or_else(|| self.masked.fault(at, "this comment has no end"))?;
        if rest.starts_with("<!--[") {
            self.fault(at, "no conditional comment is needed: the toolkit writes its own for Outlook");
        } else if rest.get(..end).is_some_and(|comment| comment.contains("{{")) {
            self.fault(at, "a comment around {{…}} is written {{!-- … --}}");
        }
        Ok(end + 3)
    }

    fn close(&mut self, at: usize, name: &str) -> Result<(), Fault> {
        match self.open.last() {
            Some(Open { name: Some(open), .. }) if open == name => {
                if name == "mj-column" && self.open.iter().all(|open| open.name.is_some()) {
                    self.written.last_column = Some(at);
                }
                self.open.pop();
                Ok(())
            }
            Some(Open { name: Some(open), .. }) => {
                Err(self.masked.fault(at, format!("`</{name}>` stands where `<{open}>` is open")))
            }
            Some(Open { name: None, .. }) => {
                let what = format!("`</{name}>` ends an element that began outside this block");
                Err(self.masked.fault(at, what))
            }
            None => Err(self.masked.fault(at, format!("`</{name}>` closes nothing"))),
        }
    }

    fn start(&mut self, at: usize, tag: &str, language: &str) -> Result<(), Fault> {
        let Some(inner) = tag.strip_prefix('<').and_then(|tag| tag.strip_suffix('>')) else {
            return Err(self.masked.fault(at, "this element's tag has no end; a lone < is written &lt;"));
        };
        let closed = inner.ends_with('/');
        let inner = inner.strip_suffix('/').unwrap_or(inner);
        let end = inner.find(char::is_whitespace).unwrap_or(inner.len());
        let (name, attributes) = inner.split_at(end);
        if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return Err(self.masked.fault(at, "a lone < is written &lt;"));
        }
        if self.element().is_empty() && name != "mjml" {
            return Err(self
                .masked
                .fault(at, format!("a letter is one <mjml>; `<{name}>` has no place here")));
        }
        self.placed(at, name);
        let attributes = self.attributes(at, name, attributes);
        let given =
            |wanted: &str| attributes.iter().find(|(name, _)| *name == wanted).map(|(_, value)| *value);
        if name == "mjml" && given("lang") != Some(language) {
            self.fault(at, format!("must say its language: <mjml lang=\"{language}\">"));
        }
        if matches!(name, "img" | "mj-image") && given("alt").is_none() {
            self.fault(at, "an image needs an alt: what it says, or nothing where it only adorns");
        }
        if !closed && !VOID.contains(&name) {
            self.open.push(Open { at, name: Some(name.to_owned()) });
        }
        Ok(())
    }

    /// Whether an element may stand where it does.
    fn placed(&mut self, at: usize, name: &str) {
        let parent = self.element();
        let ours = name.starts_with("mj");
        let rule = STRUCTURE.iter().find(|(element, _)| *element == parent);
        let what = match rule {
            Some((_, children)) if !children.contains(&name) => {
                format!("`<{name}>` has no place here; in `<{parent}>` may stand {}", children.join(", "))
            }
            None if parent == DEFAULTS && !ours => format!("`<{name}>` is no element of MJML"),
            None if !["", DEFAULTS].contains(&parent) && ours => {
                format!("`<{name}>` may not stand among the words of `<{parent}>`")
            }
            _ => return,
        };
        self.fault(at, what);
    }

    /// An element's attributes, those of MJML known.
    fn attributes<'t>(&mut self, at: usize, name: &str, text: &'t str) -> Vec<(&'t str, &'t str)> {
        let mut found = Vec::new();
        let mut rest = text.trim_start();
        while !rest.is_empty() {
            if rest.starts_with("{{") {
                self.fault(
                    at,
                    "no condition may stand in a tag: write it around the element, or inside the quotes",
                );
                return found;
            }
            let end = rest.find(|c: char| c.is_whitespace() || c == '=').unwrap_or(rest.len());
            let (key, after) = rest.split_at(end);
            let value = after.trim_start().strip_prefix('=').map(str::trim_start);
            let quote = value.and_then(|value| value.chars().next()).filter(|c| matches!(c, '"' | '\''));
            let whole = quote.and_then(|quote| value?.get(1..)?.split_once(quote));
            let Some((value, after)) = whole else {
                self.fault(at, format!("`{key}` of `<{name}>` needs a value in quotes"));
                return found;
            };
            if name.starts_with("mj") && !ATTRIBUTES.split(' ').any(|known| known == key) {
                self.fault(at, format!("`{key}` is no attribute of `<{name}>`"));
            }
            self.plain(at, value);
            let tags = value.split("{{").skip(1).filter_map(|tag| tag.split_once("}}")?.0.parse().ok());
            if tags.filter_map(|index| self.masked.kind(index)).any(|kind| kind == Kind::Slot) {
                self.fault(at, HIDDEN);
            }
            if key.eq_ignore_ascii_case("style") && fetches(value) {
                self.fault(at, FETCHES);
            }
            if FETCHED.iter().any(|known| key.eq_ignore_ascii_case(known)) && !is_within(value) {
                self.fault(
                    at,
                    "a letter may fetch nothing: an image stands in it as `data:`, or goes with it as `cid:`",
                );
            }
            found.push((key, value));
            rest = after.trim_start();
        }
        found
    }

    /// The toolkit writes attributes as Rust shows a string: what that would alter is refused.
    fn plain(&mut self, at: usize, value: &str) {
        if format!("{value:?}").len() != value.len() + 2 {
            self.fault(
                at,
                "an attribute's value holds no line end, no \\ and no \"; write &quot; for the last",
            );
        }
    }

    fn words(&mut self, at: usize, text: &str) {
        let blank = text.trim().is_empty();
        if self.among_words() {
            if !blank {
                self.said.push(self.element().to_owned());
            } else if text.starts_with('\n') && self.element() != "mj-style" {
                self.written.line_ends.push(at);
            }
            match self.element() {
                "mj-title" => self.plain(at, text.trim()),
                "mj-style" | "style" if fetches(text) => self.fault(at, FETCHES),
                _ => {}
            }
        } else if !blank {
            let skipped = text.len() - text.trim_start().len();
            self.fault(
                at + skipped,
                "words stand in <mj-text>; here they would stand between the rows of a table",
            );
        }
    }
}

/// Whether a style, as far as it is written here, fetches anything.
fn fetches(style: &str) -> bool {
    let style = style.to_ascii_lowercase();
    ["@import", "url(", "image-set("].iter().any(|known| style.contains(known))
}

/// Whether an image's address is of the letter itself (RFC 2397, RFC 2392).
fn is_within(address: &str) -> bool {
    let address = address.trim_start().to_ascii_lowercase();
    ["data:", "cid:"].iter().any(|own| address.starts_with(own))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fault::SourceFile;

    const HEAD: &str =
        "<mjml lang=\"en\"><mj-head><mj-title>T</mj-title><mj-preview>P</mj-preview></mj-head>";

    fn faults(text: &str) -> Vec<String> {
        let file = SourceFile { path: "f".to_owned(), text: text.to_owned() };
        let masked = Masked::of(&file, &|_| None);
        let mut faults = Vec::new();
        let written = Outline::read(&masked, "en", &mut faults);
        assert_eq!(written.is_some(), faults.is_empty());
        faults.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_crooked_letter_is_refused_with_its_line() {
        let table = [
            ("<mj-text><p>x</mj-text>", "`</mj-text>` stands where `<p>` is open"),
            ("<mj-text><p>x</p></p></mj-text>", "`</p>` stands where `<mj-text>` is open"),
            ("<mj-text><p>x</p>", "`</mj-column>` stands where `<mj-text>` is open"),
            (
                "<mj-texxt>x</mj-texxt>",
                "`<mj-texxt>` has no place here; in `<mj-column>` may stand mj-button",
            ),
            ("<p>x</p>", "`<p>` has no place here"),
            ("words", "words stand in <mj-text>"),
            ("{{x}}", "write it into <mj-text>"),
            (
                "<mj-text>{{#if a}}<p>{{/if}}</p></mj-text>",
                "a block must end in the element it begins in: `<p>`",
            ),
            (
                "<mj-text>{{#if a}}</mj-text>{{/if}}",
                "`</mj-text>` ends an element that began outside this block",
            ),
            ("<mj-text colour=\"red\">x</mj-text>", "`colour` is no attribute of `<mj-text>`"),
            ("<mj-text color=red>x</mj-text>", "`color` of `<mj-text>` needs a value in quotes"),
            ("<mj-text><p {{#if a}}class=\"b\"{{/if}}>x</p></mj-text>", "no condition may stand in a tag"),
            ("<mj-text><p title='\"'>x</p></mj-text>", "write &quot;"),
            ("<mj-text><mj-button>x</mj-button></mj-text>", "may not stand among the words of `<mj-text>`"),
            ("<mj-text>1 < 2</mj-text>", "a lone < is written &lt;"),
            ("<mj-text><!-- x</mj-text>", "this comment has no end"),
            ("<mj-text><!-- {{x}} --></mj-text>", "is written {{!-- … --}}"),
            ("<mj-raw>{{disclosures}}</mj-raw>", "{{disclosures}} stands in <mj-text>"),
            ("<mj-text><p title=\"{{disclosures}}\">x</p></mj-text>", "{{disclosures}} stands in <mj-text>"),
            ("<mj-text><p style=\"background:url(x)\">x</p></mj-text>", "a style may fetch nothing"),
            ("<mj-text><p style=\"background:URL(x)\">x</p></mj-text>", "a style may fetch nothing"),
            ("<mj-text><p Style=\"background:url(x)\">x</p></mj-text>", "a style may fetch nothing"),
            ("<mj-raw><style>p{background:Url(x)}</style></mj-raw>", "a style may fetch nothing"),
            ("<mj-image alt=\"\" src=\"https://x.example/a.png\" />", "a letter may fetch nothing"),
            ("<mj-image alt=\"\" src=\"{{x}}\" />", "a letter may fetch nothing"),
            (
                "<mj-text><img alt=\"\" SRC=\" HTTP://x.example/a.png\"></mj-text>",
                "a letter may fetch nothing",
            ),
            ("<mj-text><img alt=\"\" src=\"//x.example/a.png\"></mj-text>", "a letter may fetch nothing"),
            ("<mj-text><img alt=\"\" srcset=\"a.png 2x\"></mj-text>", "a letter may fetch nothing"),
            ("<mj-text><td background=\"//x.example/a.png\">x</td></mj-text>", "a letter may fetch nothing"),
            ("<mj-raw><style>p{ {{x}} }</style></mj-raw>", "a style sheet is the same for everybody"),
            ("<mj-raw><!--[if mso]>x<![endif]--></mj-raw>", "no conditional comment is needed"),
            ("<mj-image src=\"data:image/png;base64,AA==\" />", "an image needs an alt"),
            ("<mj-text><img src=\"cid:a\"></mj-text>", "an image needs an alt"),
            ("<mj-section background-url=\"x\"></mj-section>", "`<mj-section>` has no place here"),
            ("<mj-spacer background-url=\"x\" />", "`background-url` is no attribute"),
        ];
        for (piece, says) in table {
            let text = format!(
                "{HEAD}<mj-body><mj-section><mj-column>\n\n{piece}\n</mj-column></mj-section></mj-body></mjml>"
            );
            let found = faults(&text);
            let line = if found.first().is_some_and(|fault| fault.starts_with("f:4: ")) { 4 } else { 3 };
            let first = found.first().map_or("nothing", String::as_str);
            assert!(first.starts_with(&format!("f:{line}: ")) && first.contains(says), "{piece}: {found:?}");
            assert_eq!(line == 4, says.starts_with("`</mj-column>`"), "{piece}: {found:?}");
        }
    }

    #[test]
    fn a_head_is_complete_and_fetches_nothing() {
        let whole = |head: &str| {
            format!(
                "<mjml lang=\"en\">\n<mj-head>{head}</mj-head><mj-body><mj-section><mj-column></mj-column></mj-section></mj-body></mjml>"
            )
        };
        let both = "<mj-title>T</mj-title><mj-preview>P</mj-preview>";
        assert_eq!(faults(&whole(both)), Vec::<String>::new());
        for (head, says) in [
            ("<mj-title>T</mj-title>", "f:1: there are no words in <mj-preview>"),
            ("<mj-title> </mj-title><mj-preview>P</mj-preview>", "f:1: there are no words in <mj-title>"),
            (&format!("{both}<mj-font name=\"x\" />"), "f:2: `<mj-font>` has no place"),
            (&format!("{both}<mj-style>@import 'x';</mj-style>"), "f:2: a style may fetch nothing"),
            (&format!("{both}<mj-style>@IMPORT 'x';</mj-style>"), "f:2: a style may fetch nothing"),
            (&format!("{both}{{{{#if a}}}}{{{{/if}}}}"), "f:2: no condition may stand here"),
            (
                "<mj-title>T</mj-title><mj-preview>{{disclosures}}</mj-preview>",
                "f:2: {{disclosures}} stands in <mj-text>",
            ),
            (
                &format!("{both}<mj-style>{{{{#if a}}}}p{{}}{{{{/if}}}}</mj-style>"),
                "f:2: a style sheet is the same",
            ),
            (&format!("{both}<mj-attributes><p /></mj-attributes>"), "f:2: `<p>` is no element of MJML"),
        ] {
            let found = faults(&whole(head));
            assert!(found.first().is_some_and(|fault| fault.starts_with(says)), "{head}: {found:?}");
        }
        let doubtful = whole(both)
            .replace("<mj-section>", "{{#if a}}<mj-section>")
            .replace("</mj-body>", "{{/if}}</mj-body>");
        assert_eq!(
            faults(&doubtful),
            ["f:1: there is no <mj-column> outside conditions: nothing surely shows"]
        );
        let found = faults(&whole(both).replace("\"en\"", "\"es\""));
        assert_eq!(found, ["f:1: must say its language: <mjml lang=\"en\">"]);
        assert_eq!(faults("<!-- x -->\n<p>x</p>"), ["f:2: a letter is one <mjml>; `<p>` has no place here"]);
        assert!(faults("").first().is_some_and(|fault| fault.contains("<mj-title>")));
        assert!(
            faults("<mjml lang=\"en\">\n")
                .first()
                .is_some_and(|fault| fault == "f:1: `<mjml>` is never closed")
        );
    }
}
