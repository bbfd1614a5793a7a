//! From bytes to text where a vendor does not write UTF-8: what it names, or else what old mailers and handsets write.

use std::borrow::Cow;

/// The text of these bytes. What is sound UTF-8 is read so, whatever its label says; otherwise as labelled, and without a
/// label that we know as windows-1252, of which ISO 8859-1 is a part (WHATWG Encoding, section 4.2).
pub fn decode<'b>(bytes: &'b [u8], label: Option<&str>) -> Cow<'b, str> {
    let label = label.map(|label| label.trim().trim_matches('"').to_ascii_lowercase()).unwrap_or_default();
    match label.as_str() {
        "utf-16" | "utf-16be" | "ucs-2" | "iso-10646-ucs-2" => {
            return utf16(bytes, u16::from_be_bytes).into();
        }
        "utf-16le" => return utf16(bytes, u16::from_le_bytes).into(),
        _ => {}
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Cow::Borrowed(text);
    }
    let one: fn(u8) -> char = if label == "iso-8859-15" || label == "latin9" { latin9 } else { windows };
    bytes.iter().map(|byte| one(*byte)).collect::<String>().into()
}

/// Whether anything would be read otherwise by this label than without one.
pub fn tells(label: &str) -> bool {
    let label = label.trim().trim_matches('"').to_ascii_lowercase();
    ["utf-16", "ucs-2", "iso-10646", "iso-8859-15", "latin9"].iter().any(|known| label.starts_with(known))
}

/// A byte order mark at the beginning decides, whatever was said (RFC 2781, section 4.3).
fn utf16(bytes: &[u8], order: fn([u8; 2]) -> u16) -> String {
    let (order, bytes): (fn([u8; 2]) -> u16, _) = match bytes {
        [0xfe, 0xff, rest @ ..] => (u16::from_be_bytes, rest),
        [0xff, 0xfe, rest @ ..] => (u16::from_le_bytes, rest),
        whole => (order, whole),
    };
    let units = bytes.chunks_exact(2).map(|pair| order([pair[0], pair[1]]));
    char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

fn windows(byte: u8) -> char {
    const UPPER: [char; 32] = [
        '€', '\u{81}', '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', '\u{8d}', 'Ž', '\u{8f}',
        '\u{90}', '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', '\u{9d}', 'ž', 'Ÿ',
    ];
    match byte {
        0x80..=0x9f => UPPER[usize::from(byte - 0x80)],
        other => char::from(other),
    }
}

fn latin9(byte: u8) -> char {
    match byte {
        0xa4 => '€',
        0xa6 => 'Š',
        0xa8 => 'š',
        0xb4 => 'Ž',
        0xb8 => 'ž',
        0xbc => 'Œ',
        0xbd => 'œ',
        0xbe => 'Ÿ',
        other => char::from(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_survive_every_usual_writing() {
        let utf16 =
            |order: fn(u16) -> [u8; 2]| -> Vec<u8> { "año €".encode_utf16().flat_map(order).collect() };
        let marked: Vec<u8> = [0xff, 0xfe].into_iter().chain(utf16(u16::to_le_bytes)).collect();
        for (bytes, label, text) in [
            ("año €".as_bytes().to_vec(), None, "año €"),
            ("año €".as_bytes().to_vec(), Some("iso-8859-1"), "año €"),
            (b"a\xf1o \x80".to_vec(), None, "año €"),
            (b"a\xf1o \x80".to_vec(), Some("us-ascii"), "año €"),
            (b"a\xf1o \xa4".to_vec(), Some("ISO-8859-15"), "año €"),
            (utf16(u16::to_be_bytes), Some("UTF-16BE"), "año €"),
            (utf16(u16::to_le_bytes), Some("utf-16le"), "año €"),
            (marked, Some("\"utf-16\""), "año €"),
        ] {
            assert_eq!(decode(&bytes, label), text, "{label:?}");
            let same = decode(&bytes, None) == decode(&bytes, label);
            assert!(same || label.is_some_and(tells), "{label:?}");
        }
    }
}
