//! Whether XML is well-formed, as far as a vendor's reader of call-control documents would mind (XML 1.0, section 2.1).

/// What is wrong with a document, in words; nothing if every tag has its partner and every attribute its quotes.
pub(in crate::provider) fn fault(text: &str) -> Option<String> {
    let mut open: Vec<&str> = Vec::new();
    let (mut rest, mut roots) = (text.trim(), 0);
    if let Some(after) = rest.strip_prefix("<?xml") {
        let Some((_, after)) = after.split_once("?>") else { return Some("`<?xml` has no end".to_owned()) };
        rest = after.trim_start();
    }
    while !rest.is_empty() {
        let (before, tag) = rest.split_at(rest.find('<').unwrap_or(rest.len()));
        if let Some(entity) = stray(before) {
            return Some(entity);
        }
        if open.is_empty() && !before.trim().is_empty() {
            return Some(format!("text outside every element: {:?}", cut(before)));
        }
        if tag.is_empty() {
            break;
        }
        if let Some(comment) = tag.strip_prefix("<!--") {
            let Some((_, after)) = comment.split_once("-->") else {
                return Some("a comment has no end".to_owned());
            };
            rest = after;
            continue;
        }
        let Some(end) = tag_end(tag) else { return Some(format!("a tag has no end: {:?}", cut(tag))) };
        let (inner, after) = (&tag[1..end], &tag[end + 1..]);
        if let Some(name) = inner.strip_prefix('/') {
            match open.pop() {
                Some(opened) if opened == name.trim() => {}
                Some(opened) => return Some(format!("`</{}>` ends `<{opened}>`", name.trim())),
                None => return Some(format!("`</{}>` ends nothing", name.trim())),
            }
        } else {
            let (inner, empty) = match inner.strip_suffix('/') {
                Some(inner) => (inner, true),
                None => (inner, false),
            };
            let name = inner.split_whitespace().next().unwrap_or_default();
            if !is_name(name) {
                return Some(format!("`<{name}` is no tag"));
            }
            if let Some(wrong) = attributes(&inner[inner.find(name).unwrap_or(0) + name.len()..]) {
                return Some(format!("in `<{name}>`: {wrong}"));
            }
            roots += usize::from(open.is_empty());
            if !empty {
                open.push(name);
            }
        }
        rest = after;
    }
    match (open.last(), roots) {
        (Some(name), _) => Some(format!("`<{name}>` has no end")),
        (None, 1) => None,
        (None, count) => Some(format!("a document has one outermost element, this has {count}")),
    }
}

/// Where the tag ends that a text begins with: at the first `>` outside quotes.
fn tag_end(tag: &str) -> Option<usize> {
    let mut quote = None;
    tag.char_indices().find_map(|(at, c)| match (quote, c) {
        (None, '>') => Some(at),
        (None, '"' | '\'') => {
            quote = Some(c);
            None
        }
        (Some(q), c) if q == c => {
            quote = None;
            None
        }
        _ => None,
    })
}

fn attributes(text: &str) -> Option<String> {
    let mut rest = text.trim();
    let mut seen: Vec<&str> = Vec::new();
    while !rest.is_empty() {
        let Some((name, after)) = rest.split_once('=') else { return Some(format!("`{rest}` has no value")) };
        let name = name.trim();
        let after = after.trim_start();
        let quote = after.chars().next().filter(|c| matches!(c, '"' | '\''));
        let Some(quote) = quote else { return Some(format!("the value of `{name}` has no quotes")) };
        let Some((value, after)) = after[1..].split_once(quote) else {
            return Some(format!("the value of `{name}` has no end"));
        };
        if !is_name(name) || seen.contains(&name) {
            return Some(format!("`{name}` is no attribute, or stands twice"));
        }
        if let Some(wrong) = stray(value) {
            return Some(wrong);
        }
        seen.push(name);
        rest = after.trim_start();
    }
    None
}

/// An ampersand that begins no entity.
fn stray(text: &str) -> Option<String> {
    text.match_indices('&').find_map(|(at, _)| {
        let entity = text[at + 1..].split(';').next().unwrap_or_default();
        let known = matches!(entity, "amp" | "lt" | "gt" | "quot" | "apos")
            || entity.strip_prefix('#').is_some_and(|n| n.chars().all(|c| c.is_ascii_hexdigit() || c == 'x'));
        let ended = text[at..].contains(';');
        (!known || !ended).then(|| "an ampersand is written `&amp;`".to_owned())
    })
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_alphabetic() || c == '_' || c == ':')
        && name.chars().all(|c| c.is_alphanumeric() || "_:.-".contains(c))
}

fn cut(text: &str) -> String {
    text.chars().take(40).collect()
}

/// Attributes whose value is empty are left out, as everything that comes out empty is.
pub(in crate::provider) fn without_empty_attributes(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("=\"\"") {
        let before = &rest[..at];
        let begins = before.rfind(|c: char| !(c.is_alphanumeric() || "_:.-".contains(c)));
        let name_at = begins.map_or(0, |begin| begin + 1);
        out.push_str(before[..name_at].trim_end());
        rest = &rest[at + 3..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_well_formed_passes() {
        for good in [
            "<?xml version=\"1.0\"?><R><Say a=\"b\">x &amp; y</Say><!-- c --><H/></R>",
            "<R a='>' b=\"it's\"/>",
            "<R>&#233;&#xe9;</R>",
        ] {
            assert_eq!(fault(good), None, "{good}");
        }
        for bad in [
            "",
            "<R>",
            "<R></S>",
            "</R>",
            "<R/><R/>",
            "x<R/>",
            "<R a=b/>",
            "<R a/>",
            "<R a=\"1\" a=\"2\"/>",
            "<R>a & b</R>",
            "<R>&nbsp;</R>",
            "<R a=\"b/>",
            "<1/>",
            "<R><Say></R></Say>",
            "<?xml <R/>",
        ] {
            assert!(fault(bad).is_some(), "{bad}");
        }
    }

    #[test]
    fn empty_attributes_go() {
        assert_eq!(
            without_empty_attributes("<Say voice=\"\" language=\"en\" x:y=\"\">a = \"b\"</Say>"),
            "<Say language=\"en\">a = \"b\"</Say>"
        );
    }
}
