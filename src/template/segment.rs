//! How many parts a text message is billed and sent as (3GPP TS 23.038 section 6.2, 3GPP TS 23.040 section
//! 9.2.3.24.1).

/// The alphabet that a text needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// The GSM 7-bit default alphabet with its extension table: 160 septets alone, 153 a part.
    Gsm7,
    /// UCS-2 (in practice UTF-16): 70 units alone, 67 a part.
    Ucs2,
}

/// The size of a text message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segments {
    /// The alphabet.
    pub encoding: Encoding,
    /// The first character outside the GSM alphabet, which made it UCS-2.
    pub forced_by: Option<char>,
    /// How many parts; an empty text is one.
    pub segments: u16,
    /// Septets or UTF-16 code units in all.
    pub units: usize,
}

impl Encoding {
    /// How many units fit in a message of one part.
    pub const fn alone(self) -> usize {
        match self {
            Self::Gsm7 => 160,
            Self::Ucs2 => 70,
        }
    }

    /// How many units fit in each part of several: six octets go to the concatenation header.
    pub const fn a_part(self) -> usize {
        match self {
            Self::Gsm7 => 153,
            Self::Ucs2 => 67,
        }
    }
}

/// Counts the parts of a text. An escape pair or a surrogate pair is never split between two parts.
pub fn count(text: &str) -> Segments {
    // One look at the bytes suffices for what most messages are: plain letters of the GSM alphabet.
    let plain: Option<usize> = text.bytes().try_fold(0, |units, byte| match ASCII.get(usize::from(byte)) {
        None | Some(0) => None,
        Some(width) => Some(units + usize::from(*width)),
    });
    let forced_by = text.chars().find(|c| plain.is_none() && septets(*c).is_none());
    let encoding = if forced_by.is_some() { Encoding::Ucs2 } else { Encoding::Gsm7 };
    let width = |c: char| match encoding {
        Encoding::Gsm7 => septets(c).unwrap_or(1),
        Encoding::Ucs2 => c.len_utf16(),
    };
    let units = plain.unwrap_or_else(|| text.chars().map(width).sum());
    let segments = if units <= encoding.alone() {
        1
    } else if units == text.len() && plain.is_some() {
        u16::try_from(units.div_ceil(encoding.a_part())).unwrap_or(u16::MAX)
    } else {
        parts(text.chars().map(width), encoding.a_part())
    };
    Segments { encoding, forced_by, segments, units }
}

/// How many parts of a size characters of these widths fill, none of them split.
fn parts(widths: impl Iterator<Item = usize>, size: usize) -> u16 {
    let (parts, _) = widths.fold((1_u16, 0_usize), |(parts, used), width| {
        if used + width > size { (parts.saturating_add(1), width) } else { (parts, used + width) }
    });
    parts
}

/// The septets of each ASCII character; none for the few that the GSM alphabet lacks.
const ASCII: [u8; 128] = {
    let mut table = [0; 128];
    let mut byte = 0_u8;
    while byte < 128 {
        table[byte as usize] = match byte {
            b'^' | b'{' | b'}' | b'\\' | b'[' | b'~' | b']' | b'|' | 0x0c => 2,
            b'`' => 0,
            b' '..=b'~' | b'\n' | b'\r' => 1,
            _ => 0,
        };
        byte += 1;
    }
    table
};

/// How many septets a character takes in the GSM alphabet: two where it is in the extension table; none if it
/// is in neither.
pub fn septets(c: char) -> Option<usize> {
    match c {
        '\0'..='\u{7f}' => Some(usize::from(ASCII[c as usize])).filter(|width| *width > 0),
        '€' => Some(2),
        '£' | '¥' | 'è' | 'é' | 'ù' | 'ì' | 'ò' | 'Ç' | 'Ø' | 'ø' | 'Å' | 'å' => Some(1),
        'Δ' | 'Φ' | 'Γ' | 'Λ' | 'Ω' | 'Π' | 'Ψ' | 'Σ' | 'Θ' | 'Ξ' => Some(1),
        'Æ' | 'æ' | 'ß' | 'É' | '¤' | '¡' | 'Ä' | 'Ö' | 'Ñ' | 'Ü' | '§' | '¿' | 'ä' | 'ö' | 'ñ' | 'ü'
        | 'à' => Some(1),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The default alphabet of TS 23.038 table 6.2.1, row by row, without the escape.
    const DEFAULT: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?\
        ¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";

    #[test]
    fn the_alphabet_is_the_standards() {
        assert_eq!(DEFAULT.chars().count(), 127);
        assert!(DEFAULT.chars().all(|c| septets(c) == Some(1)));
        assert!("^{}\\[~]|€\u{c}".chars().all(|c| septets(c) == Some(2)));
        let all = (0..=u32::from(char::MAX)).filter_map(char::from_u32);
        assert_eq!(all.filter(|c| septets(*c).is_some()).count(), 127 + 10);
    }

    #[test]
    fn known_texts() {
        let table: &[(String, Encoding, usize, u16)] = &[
            (String::new(), Encoding::Gsm7, 0, 1),
            ("a".repeat(160), Encoding::Gsm7, 160, 1),
            ("a".repeat(161), Encoding::Gsm7, 161, 2),
            ("a".repeat(306), Encoding::Gsm7, 306, 2),
            ("a".repeat(307), Encoding::Gsm7, 307, 3),
            ("€".repeat(80), Encoding::Gsm7, 160, 1),
            ("€".repeat(81), Encoding::Gsm7, 162, 2),
            // 76 pairs fill 152 of 153 septets: the 77th does not fit in what is left.
            ("€".repeat(153), Encoding::Gsm7, 306, 3),
            ("á".repeat(70), Encoding::Ucs2, 70, 1),
            ("á".repeat(71), Encoding::Ucs2, 71, 2),
            ("😀".repeat(35), Encoding::Ucs2, 70, 1),
            // 33 pairs fill 66 of 67 units.
            ("😀".repeat(67), Encoding::Ucs2, 134, 3),
            ("it`s".to_owned(), Encoding::Ucs2, 4, 1),
            ("it’s".to_owned(), Encoding::Ucs2, 4, 1),
        ];
        for (text, encoding, units, segments) in table {
            let counted = count(text);
            assert_eq!(
                (counted.encoding, counted.units, counted.segments),
                (*encoding, *units, *segments),
                "{text}"
            );
        }
        assert_eq!(count("Adiós, señor").forced_by, Some('ó'));
    }

    proptest! {
        #[test]
        fn parts_suffice_and_none_is_spare(text in "[a-z€^áñ😀]{0,400}") {
            let counted = count(&text);
            let parts = usize::from(counted.segments);
            if counted.units > counted.encoding.alone() {
                prop_assert!(counted.units <= parts * counted.encoding.a_part());
                // At most one unit a part is lost to a pair that did not fit.
                prop_assert!(counted.units > (parts - 1) * (counted.encoding.a_part() - 1));
            } else {
                prop_assert_eq!(parts, 1);
            }
        }

        #[test]
        fn more_text_never_needs_fewer_parts(text in "[a-zé€]{0,400}", more in "[a-zé€]{0,10}") {
            let longer = text.clone() + &more;
            prop_assert!(count(&text).segments <= count(&longer).segments);
        }

        #[test]
        fn one_stranger_makes_it_ucs2(text in "[a-z ]{0,100}", stranger in "[áíóú’–中😀]") {
            prop_assert_eq!(count(&text).encoding, Encoding::Gsm7);
            let strange = text.clone() + &stranger;
            prop_assert_eq!(count(&strange).encoding, Encoding::Ucs2);
        }
    }
}
