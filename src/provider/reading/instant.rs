//! A moment as vendors write it.

use crate::domain::time::Timestamp;

/// A vendor's time: seconds or milliseconds since 1970, RFC 3339, or a date and a time of UTC with a space between.
pub(in crate::provider) fn instant(text: &str) -> Option<Timestamp> {
    /// What is larger is not seconds: they would be of the year 5138.
    const MILLISECONDS: f64 = 1e11;
    let text = text.trim();
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    if let Some(number) = (digits(whole) && digits(part)).then(|| text.parse::<f64>().ok()).flatten() {
        let millis = if number >= MILLISECONDS { number } else { number * 1_000.0 };
        #[expect(
            clippy::cast_possible_truncation,
            reason = "saturates; what is so far off is refused as stale"
        )]
        return Some(Timestamp::from_millis(millis as i64));
    }
    text.parse().ok().or_else(|| format!("{}Z", text.replacen(' ', "T", 1)).parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_every_form_that_vendors_write() {
        let noon = Some(Timestamp::from_millis(1_789_997_600_000));
        for text in
            ["1789997600", "1789997600000", "1789997600.0", "2026-09-21T13:33:20Z", "2026-09-21 13:33:20"]
        {
            assert_eq!(instant(text), noon, "{text}");
        }
        // Digits, and at most one point between them: whatever else a number may be elsewhere, no vendor writes it so.
        for text in [
            "",
            "soon",
            "NaN",
            "inf",
            "2026-09-21",
            "1789997600e0",
            "+1789997600",
            "1789997600.",
            ".5",
            "1.2.3",
        ] {
            assert_eq!(instant(text), None, "{text}");
        }
    }
}
