//! Reading `multipart/form-data` (RFC 7578), as vendors post incoming mail.

use crate::provider::charset;

/// How many parts are read.
const PARTS: usize = 200;
/// A larger file is not read, and stands there empty: what is attached to a letter is of no use here.
const LARGEST_FILE: usize = 1 << 20;

/// Name and text of every part, in order; files as far as they are text. A part's own charset counts, or else the one told.
/// Nothing where the body is not what its type says.
pub fn parts(content_type: &str, body: &[u8], told: Option<&str>) -> Vec<(String, String)> {
    let Some(boundary) = parameter(content_type, "boundary") else { return Vec::new() };
    let Ok(fence) = regex::bytes::Regex::new(&format!("--{}", regex::escape(&boundary))) else {
        return Vec::new();
    };
    let mut out = Vec::new();
    for part in fence.split(body).skip(1).take(PARTS) {
        if part.starts_with(b"--") {
            break;
        }
        let Some((head, content)) = halves(after_line(part)) else { continue };
        let head = charset::decode(head, None);
        let field = |wanted: &str| {
            let of_line = |line: &'_ str| {
                let (name, value) = line.split_once(':')?;
                name.trim().eq_ignore_ascii_case(wanted).then(|| value.to_owned())
            };
            head.lines().find_map(of_line)
        };
        let disposition = field("content-disposition").unwrap_or_default();
        if let Some(name) = parameter(&disposition, "name") {
            let file = parameter(&disposition, "filename").is_some();
            let content = if file && content.len() > LARGEST_FILE { &[] } else { content };
            let own = field("content-type").and_then(|value| parameter(&value, "charset"));
            out.push((name, charset::decode(content, own.as_deref().or(told)).into_owned()));
        }
    }
    out
}

/// What follows the line break at the beginning.
fn after_line(part: &[u8]) -> &[u8] {
    part.strip_prefix(b"\r\n").or_else(|| part.strip_prefix(b"\n")).unwrap_or(part)
}

/// A part's head and its content, without the line break that belongs to the next boundary.
fn halves(part: &[u8]) -> Option<(&[u8], &[u8])> {
    let gap = |mark: &[u8]| {
        part.windows(mark.len()).position(|window| window == mark).map(|at| (at, at + mark.len()))
    };
    let (end, start) = [gap(b"\r\n\r\n"), gap(b"\n\n")].into_iter().flatten().min()?;
    let content = &part[start..];
    let content = content.strip_suffix(b"\r\n").or_else(|| content.strip_suffix(b"\n")).unwrap_or(content);
    Some((&part[..end], content))
}

/// A parameter of a header's value: `a; name="b"`.
pub(in crate::provider) fn parameter(value: &str, wanted: &str) -> Option<String> {
    value.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let value = value.trim().trim_matches('"');
        (name.trim().eq_ignore_ascii_case(wanted) && !value.is_empty()).then(|| value.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_read_as_they_stand() {
        let body = "preamble\r\n--xYz\r\nContent-Disposition: form-data; name=\"from\"\r\n\r\nSample 017 <a@example.com>\r\n\
                    --xYz\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\nContent-Type: text/plain\
                    \r\n\r\nline 1\r\n\r\nline 2\r\n--xYz--\r\nepilogue";
        let read = |content_type: &str, body: &str| parts(content_type, body.as_bytes(), None);
        assert_eq!(
            read("multipart/form-data; boundary=\"xYz\"", body),
            [
                ("from".to_owned(), "Sample 017 <a@example.com>".to_owned()),
                ("file".to_owned(), "line 1\r\n\r\nline 2".to_owned())
            ]
        );
        assert!(read("multipart/form-data", body).is_empty());
        assert!(read("multipart/form-data; boundary=other", body).is_empty());
        assert!(read("multipart/form-data; boundary=x", "--x\r\nnothing").is_empty());
    }

    #[test]
    fn a_large_file_is_left_empty() {
        let body = |kind: &str, bytes: usize| {
            let head = format!("--x\r\nContent-Disposition: form-data; name=\"a\"{kind}\r\n\r\n");
            [head.as_bytes(), &vec![b'a'; bytes], b"\r\n--x--"].concat()
        };
        let long = |kind: &str, bytes: usize| {
            parts("multipart/form-data; boundary=x", &body(kind, bytes), None)[0].1.len()
        };
        assert_eq!(long("; filename=\"b\"", LARGEST_FILE + 1), 0);
        assert_eq!(long("; filename=\"b\"", LARGEST_FILE), LARGEST_FILE);
        assert_eq!(long("", LARGEST_FILE + 1), LARGEST_FILE + 1);
    }

    #[test]
    fn a_part_s_own_charset_counts() {
        let part = |kind: &str, text: &[u8]| {
            let head = format!("--x\r\nContent-Disposition: form-data; name=\"t\"\r\n{kind}\r\n");
            [head.as_bytes(), text, b"\r\n--x--"].concat()
        };
        for (kind, text, told) in [
            ("", &b"ma\xf1ana"[..], None),
            ("", "mañana".as_bytes(), Some("iso-8859-1")),
            ("Content-Type: text/plain; charset=iso-8859-1\r\n", &b"ma\xf1ana"[..], Some("utf-16")),
            ("Content-Type: text/plain; charset=utf-8\r\n", "mañana".as_bytes(), None),
        ] {
            let found = parts("multipart/form-data; boundary=x", &part(kind, text), told);
            assert_eq!(found, [("t".to_owned(), "mañana".to_owned())], "{kind}");
        }
    }
}
