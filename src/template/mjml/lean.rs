//! HTML without what no reader's program needs: each byte of it is sealed into the history with every message.

/// Elements that are never closed.
pub const VOID: [&str; 14] = [
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track",
    "wbr",
];

/// What stands for a line end that the toolkit would drop, though it parts two words.
pub const LINE_END: char = '\t';

/// The toolkit's HTML, shorter; it shows the same, also in Outlook, whose tables stay.
pub fn lean(html: &str) -> String {
    // Outlook 2003, and a mode of Internet Explorer.
    let html = without(html, "<!--[if lte mso 11]>", "<![endif]-->");
    let html = without(&html, "<!--[if !mso]><!--><meta http-equiv=\"X-UA-Compatible\"", "<!--<![endif]-->");
    let html = html
        .replace("<![endif]--><!--[if mso | IE]>", "")
        .replace(" xmlns=\"http://www.w3.org/1999/xhtml\"", "");
    let html = html.replace(
        "<meta http-equiv=\"Content-Type\" content=\"text/html; charset=UTF-8\">",
        "<meta charset=\"utf-8\">",
    );
    // Tables have a body without being told.
    let html = html.replace("<tbody>", "").replace("</tbody>", "");
    let vml = html.contains("<v:");
    let html = if vml { html } else { html.replace(" xmlns:v=\"urn:schemas-microsoft-com:vml\"", "") };
    let html = one_style(&html);
    let html = if html.contains("<img") { html } else { without_rule(&html, "img") };
    tags_and_text(&html)
}

/// Without the first rule for an element.
fn without_rule(html: &str, element: &str) -> String {
    let rule = html
        .split_once(&format!("}}{element}{{"))
        .and_then(|(before, rest)| Some((before, rest.split_once('}')?)));
    rule.map_or_else(|| html.to_owned(), |(before, (_, after))| format!("{before}}}{after}"))
}

/// Without each piece from one mark to another.
fn without(html: &str, from: &str, to: &str) -> String {
    let mut pieces = html.split(from);
    let mut out = pieces.next().unwrap_or_default().to_owned();
    pieces.for_each(|piece| out.push_str(piece.split_once(to).map_or("", |(_, rest)| rest)));
    out
}

/// All style sheets as one, where the last one stood, and without the rules that a single column has no use for.
fn one_style(html: &str) -> String {
    let (mut out, mut sheet, mut place) = (String::with_capacity(html.len()), String::new(), 0);
    let mut rest = html;
    while let Some((before, style)) = rest.split_once("<style") {
        out.push_str(before);
        let (opening, body) = style.split_once('>').unwrap_or((style, ""));
        let (rules, after) = body.split_once("</style>").unwrap_or((body, ""));
        let short = css(rules);
        if !only_full_width(&short) {
            if let Some((_, media)) = opening.split_once("media=\"") {
                sheet.push_str(&format!("@media {}{{{short}}}", media.trim_end_matches('"')));
            } else {
                sheet.push_str(&short);
            }
        }
        place = out.len();
        rest = after;
    }
    out.push_str(rest);
    if !sheet.is_empty() {
        out.insert_str(place, &format!("<style>{sheet}</style>"));
    }
    out
}

/// Whether all it says is that a column is as wide as it is anyway.
fn only_full_width(css: &str) -> bool {
    const COLUMN: &str = ".mj-column-per-100{width:100%!important;max-width:100%}";
    let inner =
        css.strip_prefix("@media only screen and (min-width:480px){").and_then(|rest| rest.strip_suffix('}'));
    inner == Some(COLUMN) || css.strip_prefix(".moz-text-html ") == Some(COLUMN)
}

/// A style sheet without comments and needless white space.
fn css(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut space = false;
    for c in without(text, "/*", "*/").chars() {
        if c.is_whitespace() {
            space = true;
            continue;
        }
        let tight = |c: char| matches!(c, '{' | '}' | ';' | ',' | '>');
        if space && !tight(c) && c != '!' && !out.is_empty() && !out.ends_with(|c| tight(c) || c == ':') {
            out.push(' ');
        }
        if c == '}' && out.ends_with(';') {
            out.pop();
        }
        out.push(c);
        space = false;
    }
    out
}

/// Each run of white space as one line end or one space; tags without what only XML needs.
fn tags_and_text(html: &str) -> String {
    let mut out = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(start) = rest.find('<') {
        let (text, tag) = rest.split_at(start);
        push_text(&mut out, text);
        let end = if tag.starts_with("<!--") { 0 } else { end_of(tag) };
        let (tag, after) = if end > 0 {
            tag.split_at(end)
        } else {
            tag.split_at(tag.find('>').map_or(tag.len(), |at| at + 1))
        };
        push_tag(&mut out, tag);
        rest = after;
    }
    push_text(&mut out, rest);
    out.trim().to_owned()
}

fn push_text(out: &mut String, text: &str) {
    let mut space = None;
    for c in text.chars() {
        if matches!(c, ' ' | '\n' | '\t' | '\r') {
            let line = c == '\n' || c == LINE_END || space == Some('\n');
            space = Some(if line { '\n' } else { ' ' });
        } else {
            out.extend(space.take());
            out.push(c);
        }
    }
    out.extend(space);
}

fn push_tag(out: &mut String, tag: &str) {
    let name = tag.trim_start_matches('<').split(|c: char| c.is_whitespace() || c == '>' || c == '/').next();
    let tag = match tag.strip_suffix(" />") {
        Some(open) if name.is_some_and(|name| VOID.contains(&name)) => format!("{open}>"),
        _ => tag.to_owned(),
    };
    match tag.split_once(" style=\"").and_then(|(before, style)| Some((before, style.split_once('"')?))) {
        Some((before, (style, after))) => {
            let all: Vec<&str> = style.split(';').filter(|one| !one.is_empty()).collect();
            // A colour that the background has anyway.
            let twice = |one: &str| {
                let colour = one.strip_prefix("background-color:");
                colour.is_some_and(|colour| {
                    all.iter().any(|one| one.strip_prefix("background:") == Some(colour))
                })
            };
            let once: Vec<&str> = all.iter().copied().filter(|one| !twice(one)).collect();
            out.extend([before, " style=\"", &once.join(";"), "\"", after]);
        }
        None => out.push_str(&tag),
    }
}

/// Where a tag ends, `>` inside quotes aside.
pub fn end_of(tag: &str) -> usize {
    let mut quote = None;
    for (at, c) in tag.char_indices() {
        match (quote, c) {
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if c == open => quote = None,
            (None, '>') => return at + 1,
            _ => {}
        }
    }
    tag.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_shows_nothing_goes() {
        let table = [
            ("<p>a  b\n\n c</p>\n\n<br /><img src=\"x\" />", "<p>a b\nc</p>\n<br><img src=\"x\">"),
            ("<p style=\"background:#fff;background-color:#fff;\">", "<p style=\"background:#fff\">"),
            ("<p style=\"background-color:#fff;\">", "<p style=\"background-color:#fff\">"),
            ("<style>a{b:c}img{d:e}p{f:g}</style>", "<style>a{b:c}p{f:g}</style>"),
            ("<style>a{b:c}img{d:e}</style><img>", "<style>a{b:c}img{d:e}</style><img>"),
            ("<b>x</b>\t<i>y</i>", "<b>x</b>\n<i>y</i>"),
            ("<td style=\"a:b;c:d;\" title=\"x  >  y;\">", "<td style=\"a:b;c:d\" title=\"x  >  y;\">"),
            (
                "<!--[if mso | IE]><a><![endif]--><!--[if mso | IE]><b><![endif]-->",
                "<!--[if mso | IE]><a><b><![endif]-->",
            ),
            ("x<!--[if lte mso 11]><style>\n.a{}</style><![endif]-->y", "xy"),
            (
                "<style type=\"text/css\">\n#o a { b: c; }\n</style>\n<style media=\"screen and (w:1px)\">.a > b , c { d : e !important }</style>",
                "<style>#o a{b:c}@media screen and (w:1px){.a>b,c{d :e!important}}</style>",
            ),
            (
                "<style>.moz-text-html .mj-column-per-100 { width:100% !important; max-width:100%; } </style>",
                "",
            ),
            (
                "<style>/* why */ @media (a: b) { .c { d: url(e) } }</style>",
                "<style>@media (a:b){.c{d:url(e)}}</style>",
            ),
        ];
        for (html, short) in table {
            assert_eq!(lean(html), short);
        }
    }
}
