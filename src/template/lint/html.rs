//! Where in an HTML text a value would land: text, a quoted attribute, or somewhere that escaping does not
//! make safe.

use crate::template::variable::Kind;

/// The place that the text read so far has come to.
#[derive(Default)]
pub struct Place {
    /// The attribute being written.
    attribute: String,
    /// The element opened last.
    element: String,
    /// The open quote.
    quote: Option<char>,
    /// What of a tag has been read since `<`, outside quotes; none outside tags.
    tag: Option<String>,
    /// What of a quoted value has been read.
    value: String,
}

/// Attributes whose value is an address.
const ADDRESSES: [&str; 6] = ["href", "src", "action", "formaction", "background", "poster"];
/// Elements that no message needs.
const REFUSED: [&str; 8] = ["script", "iframe", "object", "embed", "form", "base", "svg", "link"];
/// Attributes of MJML whose values stay values in HTML; the others become styles or sizes.
const KEPT: [&str; 3] = ["alt", "href", "title"];

impl Place {
    /// Reads on; what in the text itself is refused, and how many lines down.
    pub fn feed(&mut self, text: &str) -> Option<(usize, String)> {
        let mut found = None;
        let mut lines = 0;
        for c in text.chars() {
            lines += usize::from(c == '\n');
            let mut objection = None;
            match (self.quote, &mut self.tag, c) {
                (Some(quote), _, c) if c == quote => {
                    if self.value.trim_start().to_ascii_lowercase().starts_with("javascript:") {
                        objection = Some("a script address is not allowed".to_owned());
                    }
                    self.quote = None;
                    self.value.clear();
                }
                (Some(_), _, c) => self.value.push(c),
                (None, Some(tag), '"' | '\'') if has_attributes(tag) => {
                    self.attribute = attribute_of(tag);
                    self.quote = Some(c);
                    if self.attribute.starts_with("on") {
                        objection = Some(format!("the script attribute `{}` is not allowed", self.attribute));
                    }
                }
                (None, Some(tag), '>') if ends(tag) => {
                    // A comment in a style sheet does not end it.
                    if has_attributes(tag) {
                        self.element = element_of(tag);
                    }
                    self.tag = None;
                    if REFUSED.contains(&self.element.as_str()) {
                        objection = Some(format!("<{}> is not allowed", self.element));
                    }
                }
                // A `<` among words begins nothing.
                (None, Some(tag), c) if tag.is_empty() && !begins(c) => {
                    self.tag = (c == '<').then(String::new);
                }
                (None, Some(tag), c) => tag.push(c),
                (None, None, '<') => self.tag = Some(String::new()),
                (None, None, _) => {}
            }
            found = found.or(objection.map(|objection| (lines, objection)));
        }
        found
    }

    /// What is wrong with a value of this type at this place.
    pub fn objection(&self, kind: Kind) -> Option<String> {
        match (&self.tag, self.quote) {
            (None, _) if matches!(self.element.as_str(), "style" | "mj-style") => {
                Some("no value may stand in a style sheet".to_owned())
            }
            (None, _) => None,
            (Some(_), None) => Some("a value in a tag must stand in a quoted attribute".to_owned()),
            (Some(_), Some(_)) if ADDRESSES.contains(&self.attribute.as_str()) => {
                let fits = (kind == Kind::Url && self.value.is_empty())
                    || (kind == Kind::Phone && self.is_telephone_link());
                (!fits).then(|| format!("`{}` must be a whole address of type url", self.attribute))
            }
            (Some(tag), Some(_))
                if element_of(tag).starts_with("mj") && !KEPT.contains(&self.attribute.as_str()) =>
            {
                Some(format!("no value may stand in `{}` of MJML", self.attribute))
            }
            (Some(_), Some(_)) if self.attribute == "style" => {
                Some("no value may stand in a style".to_owned())
            }
            (Some(_), Some(_)) => None,
        }
    }

    /// Whether it is just after `href="tel:`.
    pub fn is_telephone_link(&self) -> bool {
        self.quote.is_some() && self.attribute == "href" && self.value == "tel:"
    }
}

/// Whether this may stand right behind a `<` that begins something (WHATWG HTML, section 13.2.5.6).
fn begins(c: char) -> bool {
    c.is_ascii_alphabetic() || matches!(c, '!' | '/' | '?')
}

/// Whether it is an element's: in a comment, or in what browsers take for one, a quote is a quote and hides nothing.
fn has_attributes(tag: &str) -> bool {
    tag.strip_prefix('/').unwrap_or(tag).starts_with(|c: char| c.is_ascii_alphabetic())
}

/// Whether a `>` ends it. A comment ends as browsers read it (WHATWG HTML, sections 13.2.5.43 to 13.2.5.52).
fn ends(tag: &str) -> bool {
    let Some(comment) = tag.strip_prefix("!--") else { return true };
    matches!(comment, "" | "-") || comment.ends_with("--") || comment.ends_with("--!")
}

fn attribute_of(tag: &str) -> String {
    let name = tag.trim_end().trim_end_matches('=').trim_end();
    name.rsplit(|c: char| c.is_whitespace() || c == '=').next().unwrap_or_default().to_ascii_lowercase()
}

fn element_of(tag: &str) -> String {
    tag.split(|c: char| c.is_whitespace() || c == '/').next().unwrap_or_default().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_place_has_its_own_rule() {
        let table = [
            ("<p>", Kind::Text, true),
            ("<a href=\"", Kind::Url, true),
            ("<a href=\"", Kind::Text, false),
            ("<a href=\"https://x.example/?q=", Kind::Url, false),
            ("<a href=\"tel:", Kind::Phone, true),
            ("<a href=\"sms:", Kind::Phone, false),
            ("<a class=\"x\" title='", Kind::Text, true),
            ("<a title=", Kind::Text, false),
            ("<", Kind::Text, false),
            ("<p style=\"color:", Kind::Text, false),
            ("<style>p { color: ", Kind::Text, false),
            ("<style>p { color: red }</style><p>", Kind::Text, true),
            ("<p title=\"a > b\">", Kind::Text, true),
            ("<mj-style>p { color: ", Kind::Text, false),
            ("<mj-text color=\"", Kind::Text, false),
            ("<mj-image alt=\"", Kind::Text, true),
            ("<mj-button href=\"", Kind::Url, true),
            ("<mj-button href=\"", Kind::Text, false),
            ("<style><!-- x --> p { color: ", Kind::Text, false),
            ("<!-- don't --><a href=\"", Kind::Text, false),
            ("<!-- don't --><a title=\"", Kind::Text, true),
            ("<!-- a > b's -><a title=\"", Kind::Text, false),
            ("<!-- \"", Kind::Text, false),
            ("<!--><a href='", Kind::Text, false),
            ("<!-- x' --!><a href='", Kind::Text, false),
            ("<!--'-->x", Kind::Text, true),
            ("<!DOCTYPE html don't><a href=\"", Kind::Text, false),
            ("<?xml don't?><a href=\"", Kind::Text, false),
            ("</ don't><a href=\"", Kind::Text, false),
            ("I <3 you, don't <a href=\"", Kind::Text, false),
            ("1 <<a href=\"", Kind::Text, false),
            ("1 < 2, ", Kind::Text, true),
        ];
        for (before, kind, fits) in table {
            let mut place = Place::default();
            assert_eq!(place.feed(before), None, "{before}");
            assert_eq!(place.objection(kind).is_none(), fits, "{before} {kind:?}");
        }
    }

    #[test]
    fn scripts_are_refused() {
        for text in [
            "<script>x</script>",
            "<img onload=\"x()\">",
            "<a href=\" JavaScript:x()\">",
            "<iframe src=\"https://x.example\">",
            "<!-- don't --><script>x</script>",
            "<!--><script>x</script>",
            "<!---><script>x</script>",
            "<!----!><script>x</script>",
        ] {
            assert!(Place::default().feed(text).is_some(), "{text}");
        }
    }
}
