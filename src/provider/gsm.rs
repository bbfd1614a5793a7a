//! The alphabet of GSM phones (3GPP TS 23.038, section 6.2.1): which texts fit, and how they are written one septet an
//! octet, as SMPP carries them.

/// The default alphabet in the order of its codes; 0x1B leads to the extension table.
const ALPHABET: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\u{1b}ÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿\
                        abcdefghijklmnopqrstuvwxyzäöñüà";
/// The extension table (section 6.2.1.1): each of these is written behind [`ESCAPE`].
const EXTENSION: &[(u8, char)] = &[
    (0x0a, '\u{c}'),
    (0x14, '^'),
    (0x28, '{'),
    (0x29, '}'),
    (0x2f, '\\'),
    (0x3c, '['),
    (0x3d, '~'),
    (0x3e, ']'),
    (0x40, '|'),
    (0x65, '€'),
];
/// Leads to the extension table.
pub const ESCAPE: u8 = 0x1b;

/// Whether every character of a text has its place there.
pub fn fits(text: &str) -> bool {
    text.chars().all(|c| {
        matches!(c, ' '..='Z' | 'a'..='z')
            || (c != '\u{1b}' && ALPHABET.contains(c))
            || EXTENSION.iter().any(|(_, extended)| *extended == c)
    })
}

/// A text in the alphabet's codes, one an octet; none where a character has no place there.
pub fn encode(text: &str) -> Option<Vec<u8>> {
    let mut codes = Vec::with_capacity(text.len());
    for c in text.chars() {
        let plain = ALPHABET.chars().position(|known| known == c && c != '\u{1b}');
        if let Some(code) = plain.and_then(|at| u8::try_from(at).ok()) {
            codes.push(code);
        } else {
            let (code, _) = EXTENSION.iter().find(|(_, extended)| *extended == c)?;
            codes.extend([ESCAPE, *code]);
        }
    }
    Some(codes)
}

/// A text from the alphabet's codes, one an octet; what is no code is a replacement character. A code that the extension
/// table lacks is read by the default alphabet (section 6.2.1.1, note 1).
pub fn decode(codes: &[u8]) -> String {
    let plain = |code: u8| ALPHABET.chars().nth(code.into()).unwrap_or('\u{fffd}');
    let mut codes = codes.iter().copied();
    let mut text = String::new();
    while let Some(code) = codes.next() {
        if code != ESCAPE {
            text.push(plain(code));
        } else if let Some(code) = codes.next() {
            let extended = EXTENSION.iter().find(|(known, _)| *known == code);
            text.push(extended.map_or_else(|| plain(code), |(_, c)| *c));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spanish_fits_but_for_its_accents() {
        assert!(fits("Hola, señor & co: ¿qué? {50} €\r\n"));
        for other in ["Pagaré mañana ✓", "así", "`", "día", "ç", "\u{1b}"] {
            assert!(!fits(other), "{other}");
        }
        assert!(fits("Pagaré"));
    }

    #[test]
    fn what_fits_is_written_and_read_back() {
        let all: String =
            ALPHABET.chars().filter(|c| *c != '\u{1b}').chain(EXTENSION.iter().map(|(_, c)| *c)).collect();
        assert_eq!(ALPHABET.chars().count(), 128);
        let codes = encode(&all).expect("everything of it fits");
        assert_eq!((codes.len(), decode(&codes)), (127 + 20, all));
        // Codes as 3GPP TS 23.038 tabulates them.
        assert_eq!(encode("@Z¿ñ€"), Some(vec![0x00, 0x5a, 0x60, 0x7d, 0x1b, 0x65]));
        assert_eq!(encode("día"), None);
        assert_eq!(decode(&[0x1b]), "");
        assert_eq!(decode(&[0x1b, 0x41, 0xff]), "A\u{fffd}");
    }
}
