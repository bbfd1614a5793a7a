//! MJML with its Handlebars tags put aside.

use crate::domain::fault::{Fault, SourceFile};
use crate::template::compile::SLOT;

/// What a tag does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Ends a block.
    Close,
    /// Begins a block's other branch.
    Else,
    /// Begins a block.
    Open,
    /// The place of the disclosures.
    Slot,
    /// A value, or a piece of HTML.
    Value,
}

/// A tag as it was written.
struct Tag {
    at: usize,
    kind: Kind,
    source: String,
}

/// Where a piece of the text comes from.
struct Mark {
    at: usize,
    file: String,
    line: usize,
}

/// A file and the MJML partials that it names as one text, in which `{{7}}` stands for its eighth tag.
pub struct Masked {
    marks: Vec<Mark>,
    tags: Vec<Tag>,
    /// The markup.
    pub text: String,
}

impl Masked {
    /// Reads a file that is sound Handlebars; `partial` finds the path and text of a partial in MJML.
    pub fn of<'a>(file: &SourceFile, partial: &dyn Fn(&str) -> Option<(&'a str, &'a str)>) -> Self {
        let mut masked = Self { marks: Vec::new(), tags: Vec::new(), text: String::new() };
        masked.add(&file.path, &file.text, partial);
        masked
    }

    fn add<'a>(&mut self, file: &str, mut rest: &str, partial: &dyn Fn(&str) -> Option<(&'a str, &'a str)>) {
        let mut line = 1;
        loop {
            self.marks.push(Mark { at: self.text.len(), file: file.to_owned(), line });
            let (raw, tag) = rest.split_at(rest.find("{{").unwrap_or(rest.len()));
            self.text.push_str(raw);
            line += raw.matches('\n').count();
            if tag.is_empty() {
                return;
            }
            let (tag, after) = tag.split_at(length(tag));
            let inner = tag.trim_start_matches('{').trim_end_matches('}').trim_matches('~').trim();
            match inner.strip_prefix('>').and_then(|name| partial(name.trim())) {
                Some((path, text)) => self.add(path, text, partial),
                None if inner.starts_with('!') => {}
                None => {
                    self.marks.push(Mark { at: self.text.len(), file: file.to_owned(), line });
                    let tag = self.put_aside(self.text.len(), kind(inner), tag);
                    self.text.push_str(&tag);
                }
            }
            line += tag.matches('\n').count();
            rest = after;
        }
    }

    fn put_aside(&mut self, at: usize, kind: Kind, source: &str) -> String {
        self.tags.push(Tag { at, kind, source: source.to_owned() });
        format!("{{{{{}}}}}", self.tags.len() - 1)
    }

    /// One more tag, for the disclosures; what stands for it in the text.
    pub fn add_slot(&mut self, at: usize) -> String {
        self.put_aside(at, Kind::Slot, "{{disclosures}}")
    }

    /// What a tag does.
    pub fn kind(&self, index: usize) -> Option<Kind> {
        self.tags.get(index).map(|tag| tag.kind)
    }

    /// Whether there is a tag of this kind.
    pub fn has(&self, kind: Kind) -> bool {
        self.tags.iter().any(|tag| tag.kind == kind)
    }

    /// A fault at a place of the text, by file and line.
    pub fn fault(&self, at: usize, what: impl Into<String>) -> Fault {
        let after = self.marks.partition_point(|mark| mark.at <= at);
        let Some(mark) = after.checked_sub(1).and_then(|index| self.marks.get(index)) else {
            return Fault::of("", what);
        };
        let end = at.min(self.text.len());
        let lines = self.text.get(mark.at..end).map_or(0, |text| text.matches('\n').count());
        Fault::at(&mark.file, mark.line + lines, what)
    }

    /// The tags put back into what became of the text; a fault for each that is lost.
    pub fn unmask(&self, html: &str, faults: &mut Vec<Fault>) -> String {
        let mut lost: Vec<bool> = self.tags.iter().map(|_| true).collect();
        let mut pieces = html.split("{{");
        let mut out = pieces.next().unwrap_or_default().to_owned();
        for piece in pieces {
            let tag = piece.split_once("}}").and_then(|(index, rest)| {
                let index: usize = index.parse().ok()?;
                Some((index, self.tags.get(index)?, rest))
            });
            match tag {
                Some((index, tag, rest)) => {
                    lost.iter_mut().skip(index).take(1).for_each(|lost| *lost = false);
                    out.extend([tag.source.as_str(), rest]);
                }
                None => out.extend(["{{", piece]),
            }
        }
        for (tag, _) in self.tags.iter().zip(lost).filter(|(_, lost)| *lost) {
            let what =
                format!("{} does not get into the HTML; write it into an element that shows it", tag.source);
            faults.push(self.fault(tag.at, what));
        }
        out
    }
}

fn kind(inner: &str) -> Kind {
    match inner.chars().next() {
        Some('#') => Kind::Open,
        Some('/') => Kind::Close,
        Some('^') if inner.len() > 1 => Kind::Open,
        Some('^') => Kind::Else,
        _ if inner == "else" || inner.starts_with("else ") => Kind::Else,
        _ if inner == SLOT => Kind::Slot,
        _ => Kind::Value,
    }
}

/// How far a tag reaches.
fn length(tag: &str) -> usize {
    let comment = tag.trim_start_matches('{').trim_start_matches('~').starts_with("!--");
    let inner = if comment { tag.find("--}}").or_else(|| tag.find("--~}}")) } else { Some(0) };
    let end = inner.and_then(|from| Some(from + tag.get(from..)?.find("}}")? + 2)).unwrap_or(tag.len());
    // `}}}` ends an unescaped value, which the lint refuses by its own words.
    end + usize::from(tag.starts_with("{{{") && tag.get(end..).is_some_and(|rest| rest.starts_with('}')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_put_aside_and_back() {
        let text = "a {{#if x}}\n<b>{{~ money y ~}}</b>{{else}}{{!-- }} --}}{{^}}{{> words}}\n{{/if}}{{disclosures}}";
        let file = SourceFile { path: "f".to_owned(), text: text.to_owned() };
        let masked = Masked::of(&file, &|_| None);
        assert_eq!(masked.text, "a {{0}}\n<b>{{1}}</b>{{2}}{{3}}{{4}}\n{{5}}{{6}}");
        let kinds: Vec<_> = masked.tags.iter().map(|tag| tag.kind).collect();
        assert_eq!(
            kinds,
            [Kind::Open, Kind::Value, Kind::Else, Kind::Else, Kind::Value, Kind::Close, Kind::Slot]
        );
        let mut faults = Vec::new();
        assert_eq!(masked.unmask(&masked.text, &mut faults), text.replace("{{!-- }} --}}", ""));
        assert_eq!(faults, []);
        masked.unmask("{{0}}{{1}}{{2}}{{3}}{{5}}{{6}}", &mut faults);
        assert_eq!(faults.len(), 1);
        assert!(faults[0].to_string().starts_with("f:2: {{> words}} does not get"), "{faults:?}");
    }
}
