//! Which texts fit the alphabet of GSM phones (3GPP TS 23.038, section 6.2.1); a vendor may have to be told of the others.

/// The default alphabet and its extension table.
const ALPHABET: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿\
                        abcdefghijklmnopqrstuvwxyzäöñüà\u{c}^{}\\[~]|€";

/// Whether every character of a text has its place there.
pub fn fits(text: &str) -> bool {
    text.chars().all(|c| matches!(c, ' '..='Z' | 'a'..='z') || ALPHABET.contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spanish_fits_but_for_its_accents() {
        assert!(fits("Hola, señor & co: ¿qué? {50} €\r\n"));
        for other in ["Pagaré mañana ✓", "así", "`", "día", "ç"] {
            assert_eq!(fits(other), other == "Pagaré", "{other}");
        }
    }
}
