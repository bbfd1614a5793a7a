//! Which types of notice a receiver wants: names, and patterns in which `*` stands for anything.

/// Whether one of the patterns fits a type.
pub fn wants(patterns: &[String], type_name: &str) -> bool {
    patterns.iter().any(|pattern| fits(pattern, type_name))
}

/// Whether a pattern fits a text.
pub fn fits(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((head, tail)) => match text.strip_prefix(head) {
            None => false,
            Some(rest) => {
                rest.char_indices().map(|(at, _)| at).chain([rest.len()]).any(|at| fits(tail, &rest[at..]))
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, text, good) in [
            ("*", "contact_request.sent", true),
            ("contact_request.*", "contact_request.sent", true),
            ("contact_request.*", "consent.granted", false),
            ("*.received", "opt_out.received", true),
            ("*.received", "hold.placed", false),
            ("hold.placed", "hold.placed", true),
            ("hold.placed", "hold.place", false),
            ("hold.*ed", "hold.lifted", true),
            ("", "hold.lifted", false),
        ] {
            assert_eq!(fits(pattern, text), good, "{pattern} {text}");
        }
    }
}
