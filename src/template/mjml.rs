//! From MJML, which people write, to the HTML that mail programs show alike. The toolkit is `mrml`; it runs when
//! the words are loaded, never for a message.
//!
//! Each Handlebars tag is put aside first and back at the end, so the toolkit sees markup only and no `<` or quote of
//! an expression can mislead it. It is lenient (it takes any closing tag for any element and drops attributes that
//! it does not know), so [`outline`] judges the structure before, by file and line.
//!
//! # Decisions
//!
//! - 2026-11-23: email is written in MJML alone. Hand-written HTML beside it would need the head, the dark colours and
//!   the table scaffolding a second time, and nobody would look at both.
//! - 2026-11-23: nothing is included by `mj-include`; shared pieces are partials, as everywhere. The toolkit gets a
//!   loader that has nothing, and no font that it could link to, and [`outline`] refuses images and styles from elsewhere: a letter makes its
//!   reader's program fetch nothing.

mod lean;
mod masked;
mod outline;

use crate::domain::fault::{Fault, SourceFile};
use crate::template::compile::Partials;
use lean::{LINE_END, lean};
use masked::{Kind, Masked};
use mrml::prelude::parser::noop_loader::NoopIncludeLoader;
use mrml::prelude::parser::{Error, ParserOptions};
use mrml::prelude::render::RenderOptions;
use outline::{Outline, Written};
use std::collections::HashMap;

/// The ending of files in MJML.
pub const ENDING: &str = ".mjml.hbs";

/// Whether a file is written in MJML.
pub fn is_mjml(path: &str) -> bool {
    path.ends_with(ENDING)
}

/// The HTML of a file whose expressions have been judged; adds what is wrong with its markup to the faults. Where
/// disclosures have a place and the file names none, it is the end of the last column.
pub fn translate(
    file: &SourceFile,
    language: &str,
    slot: bool,
    partials: &Partials,
    faults: &mut Vec<Fault>,
) -> Option<String> {
    let before = faults.len();
    let mut masked = Masked::of(file, &|name| partials.mjml(name, language));
    let written = Outline::read(&masked, language, faults)?;
    if faults.len() > before {
        return None;
    }
    let text = prepared(&mut masked, &written, slot);
    let options = ParserOptions { include_loader: Box::new(NoopIncludeLoader) };
    let parsed = match mrml::parse_with_options(&text, &options) {
        Ok(parsed) => parsed,
        Err(error) => {
            faults.push(fault_of(&masked, &text, &error));
            return None;
        }
    };
    for warning in &parsed.warnings {
        faults.push(masked.fault(warning.span.start, format!("{} in MJML", warning.kind)));
    }
    let options = RenderOptions { disable_comments: true, fonts: HashMap::new(), social_icon_origin: None };
    let html = match parsed.element.render(&options) {
        Ok(html) => lean(&html),
        Err(error) => {
            faults.push(Fault::of(&file.path, format!("cannot be translated to HTML: {error}")));
            return None;
        }
    };
    let html = masked.unmask(&html, faults);
    (faults.len() == before).then_some(html)
}

/// The text as the toolkit shall read it: a line end between two elements among words is one that it
/// keeps, and the place of the disclosures is there.
fn prepared(masked: &mut Masked, written: &Written, slot: bool) -> String {
    let mut text = masked.text.clone();
    for &at in &written.line_ends {
        text.replace_range(at..=at, LINE_END.encode_utf8(&mut [0; 1]));
    }
    if let Some(at) = written.last_column.filter(|_| slot && !masked.has(Kind::Slot)) {
        let tag = masked.add_slot(at);
        text.insert_str(at, &format!("<mj-text>{tag}</mj-text>"));
    }
    text
}

/// What the toolkit refuses and the outline lets pass.
fn fault_of(masked: &Masked, text: &str, error: &Error) -> Fault {
    let (at, what) = match error {
        Error::UnexpectedElement { position, .. } => (position.start, "this element has no place here"),
        Error::UnexpectedToken { position, .. } => (position.start, "this has no place here"),
        Error::MissingAttribute { position, .. } => (position.start, "an attribute is missing"),
        Error::InvalidAttribute { position, .. } => (position.start, "this attribute is not valid"),
        Error::InvalidFormat { position, .. } => (position.start, "this is not in its format"),
        Error::IncludeLoaderError { position, .. } => (position.start, "mj-include is not allowed"),
        Error::ParserError { source, .. } => {
            let (row, column) = (source.pos().row as usize, source.pos().col as usize);
            let before: usize = text.split_inclusive('\n').take(row.saturating_sub(1)).map(str::len).sum();
            (before + column.saturating_sub(1), "this is not well-formed")
        }
        Error::EndOfStream { .. } => (text.len(), "an element is never closed"),
        Error::SizeLimit { .. } => (0, "is too long"),
        Error::NoRootNode => (0, "there is no <mjml> element"),
    };
    masked.fault(at, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str =
        "<mjml lang=\"en\">\n<mj-head>\n<mj-title>T</mj-title>\n<mj-preview>P</mj-preview>\n</mj-head>\n";

    fn page(body: &str) -> String {
        format!(
            "{HEAD}<mj-body><mj-section><mj-column>\n{body}\n</mj-column></mj-section></mj-body></mjml>\n"
        )
    }

    fn translated(text: &str, partials: &[(&str, &str)]) -> Result<String, Vec<String>> {
        let file = |path: &str, text: &str| SourceFile { path: path.to_owned(), text: text.to_owned() };
        let partials: Vec<_> = partials.iter().map(|(path, text)| file(path, text)).collect();
        let mut faults = Vec::new();
        let partials = Partials::read(partials.iter(), &mut faults);
        let html = translate(&file("m.mjml.hbs", text), "en", true, &partials, &mut faults);
        html.ok_or_else(|| faults.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn every_tag_survives_where_it_stood() {
        let body = "<mj-text><p>{{#if a}}{{money b}}{{else}}<b>x</b>\n<i>y</i>{{/if}} {{> p}}</p></mj-text>\n\
                    {{#unless c}}\n<mj-button href=\"{{d}}\">{{e}}</mj-button>{{! a note with < and \" }}\n{{/unless}}";
        let html = translated(&page(body), &[]).expect("it is sound");
        assert!(
            html.contains("<p>{{#if a}}{{money b}}{{else}}<b>x</b>\n<i>y</i>{{/if}} {{> p}}</p>"),
            "{html}"
        );
        let block = html.split_once("{{#unless c}}").and_then(|(_, rest)| rest.split_once("{{/unless}}"));
        let block = block.expect("the block is there").0;
        assert!(block.trim().starts_with("<tr>") && block.trim().ends_with("</tr>"), "{block}");
        assert!(block.contains("href=\"{{d}}\"") && block.contains(">{{e}}</a>"), "{block}");
        assert!(!html.contains("a note"), "{html}");
    }

    #[test]
    fn disclosures_have_a_place_at_the_end_of_the_last_column() {
        let html = translated(&page("<mj-text><p>x</p></mj-text>"), &[]).expect("it is sound");
        let (before, after) = html.split_once("{{disclosures}}").expect("it is there");
        assert!(before.contains("<p>x</p>") && after.starts_with("</div></td></tr>"), "{html}");
        let own = translated(&page("<mj-text>{{disclosures}}<p>x</p></mj-text>"), &[]).expect("it is sound");
        assert_eq!(own.matches("{{disclosures}}").count(), 1, "{own}");
    }

    #[test]
    fn shared_pieces_are_partials_and_keep_their_lines() {
        let head = page("<mj-text><p>x</p></mj-text>").replace("</mj-head>", "{{> head}}\n</mj-head>");
        let style = "<mj-style>\n.a { color: #123456; }\n</mj-style>\n";
        let html = translated(&head, &[("partials/head.mjml.hbs", style)]).expect("it is sound");
        assert!(html.contains(".a{color:#123456}"), "{html}");
        let own = [("partials/head.mjml.hbs", style), ("partials/en/head.mjml.hbs", "\n<mj-colour/>\n")];
        let refused = translated(&head, &own).expect_err("no such element");
        assert!(refused[0].starts_with("partials/en/head.mjml.hbs:2: `<mj-colour>`"), "{refused:?}");
        let after = head.replace("<p>x</p>", "<p>x</b>");
        let refused = translated(&after, &[("partials/head.mjml.hbs", style)]).expect_err("it is crooked");
        assert!(refused[0].starts_with("m.mjml.hbs:8: `</b>`"), "{refused:?}");
    }

    #[test]
    fn a_letter_fetches_nothing_and_no_file_is_read() {
        let fonts = page("<mj-text font-family=\"Roboto, Lato\"><p>x</p></mj-text>");
        let html = translated(&fonts, &[]).expect("it is sound");
        assert!(!html.contains("://") && !html.contains("@import"), "{html}");
        for (piece, says) in [
            ("<mj-include path=\"/etc/hostname\" />", "`<mj-include>`"),
            ("<mj-raw><mj-include path=\"x\" /></mj-raw>", "`<mj-include>`"),
        ] {
            let refused = translated(&page(piece), &[]).expect_err("it includes");
            assert!(refused[0].starts_with("m.mjml.hbs:7: ") && refused[0].contains(says), "{refused:?}");
        }
    }
}
