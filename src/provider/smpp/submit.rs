//! From a message to the units that carry it: alphabet, parts, addresses.

use crate::domain::message::{Content, Outgoing};
use crate::provider::gsm;
use crate::provider::smpp::pdu::{
    Address, MESSAGE_PAYLOAD, SAR_NUMBER, SAR_REFERENCE, SAR_TOTAL, ShortMessage,
};
use crate::provider::smpp::plan::{Alphabet, Long, Plan};

/// `data_coding` of UCS-2 (section 5.2.19).
pub(in crate::provider) const UCS2: u8 = 8;
/// `data_coding` of the centre's default alphabet.
pub(in crate::provider) const DEFAULT: u8 = 0;
/// `esm_class`: a header stands in front of the words (section 5.2.12).
pub(in crate::provider) const HEADER: u8 = 0x40;
/// `registered_delivery`: tell what became of it (section 5.2.17) …
const RECEIPT: u8 = 1;
/// … or only that it failed.
const RECEIPT_OF_FAILURE: u8 = 2;
/// No message has more parts: a part's number is one octet.
const MOST_PARTS: usize = 255;

impl Plan {
    /// The units of a message in their order; none where it is no text message, or longer than 255 parts.
    ///
    /// The last one asks for a receipt, by which the message is known; those before it only for one that says they failed.
    pub fn submits(&self, message: &Outgoing) -> Option<Vec<ShortMessage>> {
        let Content::Sms { text, .. } = &message.content else { return None };
        let (data_coding, words) = self.encode(text);
        let base = ShortMessage {
            service_type: self.service_type.clone(),
            source: self.from.clone(),
            destination: Address {
                ton: 1,
                npi: 1,
                value: message.to.expose().trim_start_matches('+').to_owned(),
            },
            registered_delivery: RECEIPT,
            data_coding,
            ..ShortMessage::default()
        };
        let (alone, a_part) = match (data_coding, self.long) {
            (UCS2, _) => (140, 134),
            (_, Long::Udh | Long::Sar | Long::Payload) => (160, 153),
        };
        if words.len() <= alone {
            return Some(vec![ShortMessage { short_message: words, ..base }]);
        }
        if self.long == Long::Payload {
            return Some(vec![ShortMessage { tlvs: vec![(MESSAGE_PAYLOAD, words)], ..base }]);
        }
        let gsm = data_coding == DEFAULT && self.alphabet == Alphabet::Gsm7;
        let parts = split(&words, a_part, data_coding == UCS2, gsm);
        let total = u8::try_from(parts.len()).ok().filter(|_| parts.len() <= MOST_PARTS)?;
        let reference = mark(&message.attempt.to_string());
        let part = |(number, words): (u8, &[u8])| {
            let mut part = base.clone();
            if number < total {
                part.registered_delivery = RECEIPT_OF_FAILURE;
            }
            if self.long == Long::Udh {
                part.esm_class = HEADER;
                part.short_message = vec![5, 0, 3, reference, total, number];
            } else {
                part.tlvs.push((SAR_REFERENCE, vec![0, reference]));
                part.tlvs.push((SAR_TOTAL, vec![total]));
                part.tlvs.push((SAR_NUMBER, vec![number]));
            }
            part.short_message.extend(words);
            part
        };
        Some((1..=total).zip(parts).map(part).collect())
    }

    /// The text in the centre's default alphabet where it fits, else in UCS-2: `data_coding` and octets.
    fn encode(&self, text: &str) -> (u8, Vec<u8>) {
        let narrow = match self.alphabet {
            Alphabet::Gsm7 => gsm::encode(text),
            Alphabet::Latin1 => text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect(),
            Alphabet::Ascii => text.is_ascii().then(|| text.as_bytes().to_vec()),
        };
        match narrow {
            Some(octets) => (DEFAULT, octets),
            None => (UCS2, text.encode_utf16().flat_map(u16::to_be_bytes).collect()),
        }
    }
}

/// Cuts words into parts; neither a pair of UTF-16 nor an escaped GSM character is cut in two.
fn split(words: &[u8], most: usize, wide: bool, gsm: bool) -> Vec<&[u8]> {
    let mut parts = Vec::new();
    let mut rest = words;
    while !rest.is_empty() {
        let mut end = most.min(rest.len());
        if end < rest.len() {
            let high = wide && end >= 2 && (0xd8..=0xdb).contains(&rest[end - 2]);
            if high {
                end -= 2;
            } else if gsm && rest[end - 1] == gsm::ESCAPE {
                end -= 1;
            }
        }
        let (part, after) = rest.split_at(end);
        parts.push(part);
        rest = after;
    }
    parts
}

/// One octet by which a handset knows the parts of one message.
fn mark(attempt: &str) -> u8 {
    attempt.bytes().fold(0, |mark: u8, byte| mark.wrapping_mul(31).wrapping_add(byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nothing_is_cut_in_two() {
        let words = gsm::encode(&format!("{}€ and more", "x".repeat(152))).expect("fits");
        let parts = split(&words, 153, false, true);
        assert_eq!(parts[0].len(), 152, "the euro sign goes with its escape");
        let wide: Vec<u8> =
            format!("aa{}", "😀".repeat(40)).encode_utf16().flat_map(u16::to_be_bytes).collect();
        let parts = split(&wide, 134, true, false);
        assert_eq!(parts.iter().map(|part| part.len()).collect::<Vec<_>>(), [132, 32]);
    }

    proptest! {
        #[test]
        fn parts_are_the_whole_in_order(text in "[a-z€^😀ñ]{0,600}", wide in any::<bool>()) {
            let words: Vec<u8> = if wide {
                text.encode_utf16().flat_map(u16::to_be_bytes).collect()
            } else {
                gsm::encode(&text.replace('😀', "€")).expect("fits")
            };
            let most = if wide { 134 } else { 153 };
            let parts = split(&words, most, wide, !wide);
            prop_assert!(parts.iter().all(|part| part.len() <= most && !part.is_empty()));
            prop_assert_eq!(&parts.concat(), &words);
            if wide {
                for part in parts {
                    let units: Vec<u16> = part.chunks(2).map(|two| u16::from_be_bytes([two[0], two[1]])).collect();
                    prop_assert!(String::from_utf16(&units).is_ok());
                }
            }
        }
    }
}
