//! Values as the pages show them.

use crate::domain::contact_point::PointKind;
use axum::http::Uri;

/// What `?done=` says, after a form was taken.
pub fn flag(uri: &Uri) -> Option<&str> {
    uri.query()?.split('&').find_map(|pair| pair.strip_prefix("done="))
}

/// Enough of an address to know it by, and no more.
pub fn masked(kind: PointKind, value: &str) -> String {
    let chars: Vec<char> = value.chars().collect();
    match kind {
        PointKind::Phone | PointKind::Portal => {
            let end: String = chars.iter().skip(chars.len().saturating_sub(4)).collect();
            format!("••••{end}")
        }
        PointKind::Email => match value.split_once('@') {
            Some((name, domain)) => {
                let first: String = name.chars().take(1).collect();
                format!("{first}•••@{domain}")
            }
            None => "•••".to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_masked() {
        assert_eq!(masked(PointKind::Phone, "+13055550123"), "••••0123");
        assert_eq!(masked(PointKind::Email, "sample@example.com"), "s•••@example.com");
        assert_eq!(masked(PointKind::Email, "ñandú@example.com"), "ñ•••@example.com");
    }

    #[test]
    fn only_done_is_read_from_the_address() {
        let read = |text: &str| flag(&text.parse::<Uri>().expect("an address")).map(str::to_owned);
        assert_eq!(read("/portal/write?done=stop").as_deref(), Some("stop"));
        assert_eq!(read("/portal/write?undone=stop"), None);
        assert_eq!(read("/portal/write"), None);
    }
}
