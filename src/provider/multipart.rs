//! Reading `multipart/form-data` (RFC 7578), as vendors post incoming mail.

/// How many parts are read.
const PARTS: usize = 200;

/// Name and text of every part, in order; files as far as they are text. Nothing where the body is not what its type says.
pub fn parts(content_type: &str, body: &[u8]) -> Vec<(String, String)> {
    let Some(boundary) = parameter(content_type, "boundary") else { return Vec::new() };
    let text = String::from_utf8_lossy(body);
    let fence = format!("--{boundary}");
    let mut out = Vec::new();
    for part in text.split(fence.as_str()).skip(1).take(PARTS) {
        if part.starts_with("--") {
            break;
        }
        let part = part.strip_prefix("\r\n").or_else(|| part.strip_prefix('\n')).unwrap_or(part);
        let Some((head, content)) = part.split_once("\r\n\r\n").or_else(|| part.split_once("\n\n")) else {
            continue;
        };
        let content = content.strip_suffix("\r\n").or_else(|| content.strip_suffix('\n')).unwrap_or(content);
        let name = head.lines().find_map(|line| {
            let (header, value) = line.split_once(':')?;
            header.trim().eq_ignore_ascii_case("content-disposition").then(|| parameter(value, "name"))?
        });
        if let Some(name) = name {
            out.push((name, content.to_owned()));
        }
    }
    out
}

/// A parameter of a header's value: `a; name="b"`.
fn parameter(value: &str, wanted: &str) -> Option<String> {
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
        let found = parts("multipart/form-data; boundary=\"xYz\"", body.as_bytes());
        assert_eq!(
            found,
            [
                ("from".to_owned(), "Sample 017 <a@example.com>".to_owned()),
                ("file".to_owned(), "line 1\r\n\r\nline 2".to_owned())
            ]
        );
        assert!(parts("multipart/form-data", body.as_bytes()).is_empty());
        assert!(parts("multipart/form-data; boundary=other", body.as_bytes()).is_empty());
        assert!(parts("multipart/form-data; boundary=x", b"--x\r\nnothing").is_empty());
    }
}
