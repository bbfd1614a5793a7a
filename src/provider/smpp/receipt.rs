//! What a centre hands over: receipts (SMPP 3.4, appendix B), and what people write.

use crate::domain::contact_point::{PointKind, PointValue};
use crate::domain::outcome::FailureCause;
use crate::provider::callback::{CallbackEvent, Delivery, DeliveryStatus, Inbound};
use crate::provider::letter::Letter;
use crate::provider::smpp::pdu::{
    Address, MESSAGE_PAYLOAD, MESSAGE_STATE, NETWORK_ERROR_CODE, RECEIPTED_MESSAGE_ID, ShortMessage,
};
use crate::provider::smpp::plan::{Alphabet, Plan};
use crate::provider::smpp::submit::{DEFAULT, HEADER, UCS2};
use crate::provider::{gsm, redact};

/// `esm_class` of a receipt, and of one that is not the last word (section 5.2.12).
const RECEIPTS: [u8; 2] = [0x04, 0x20];
/// The bits of `esm_class` that say what a message is.
const KIND: u8 = 0x3c;
/// `message_state` in the words of the text form (section 5.2.28, appendix B).
const STATES: [&str; 8] =
    ["ENROUTE", "DELIVRD", "EXPIRED", "DELETED", "UNDELIV", "ACCEPTD", "UNKNOWN", "REJECTD"];

impl Plan {
    /// What a `deliver_sm` says; none where it is a receipt that does not say of what.
    ///
    /// The dates of a receipt bear no zone, so they are not read.
    pub fn hear(&self, message: &ShortMessage) -> Option<CallbackEvent> {
        if RECEIPTS.contains(&(message.esm_class & KIND)) || tells_a_state(message) {
            self.receipt(message).map(CallbackEvent::Delivery)
        } else {
            Some(self.inbound(message))
        }
    }

    fn receipt(&self, message: &ShortMessage) -> Option<Delivery> {
        let text = String::from_utf8_lossy(words(message)).into_owned();
        let by_tlv = message.tlv(RECEIPTED_MESSAGE_ID).map(|id| {
            let id = String::from_utf8_lossy(id).into_owned();
            id.trim_end_matches('\0').to_owned()
        });
        let reference = by_tlv.filter(|id| !id.is_empty()).or_else(|| field(&text, "id"))?;
        let reference = self.receipted.canonical(&reference);
        if reference.is_empty() || reference.len() > 200 {
            return None;
        }
        let state = message.tlv(MESSAGE_STATE).and_then(|state| state.first());
        let state = state.and_then(|state| STATES.get(usize::from(*state).checked_sub(1)?));
        let word = state.map(|state| (*state).to_owned()).or_else(|| field(&text, "stat"));
        let word = word.unwrap_or_default().to_ascii_uppercase();
        let spec = self.spec()?;
        let status = spec.receipt.statuses.get(&word).copied().unwrap_or(DeliveryStatus::Unrecognised);
        let code = field(&text, "err").or_else(|| network_error(message));
        let code = code.filter(|code| code.bytes().any(|byte| byte != b'0'));
        let known = |code: &String| {
            let mut rules = spec.receipt.codes.iter();
            let rule = rules.find(|rule| rule.codes.iter().any(|known| redact::names(known, code)));
            rule.map(|rule| rule.cause)
        };
        let cause = code.as_ref().and_then(known).unwrap_or(FailureCause::Unspecified);
        // Where the word is not known, it is the word that must be read by somebody.
        let code = if status == DeliveryStatus::Unrecognised { Some(word) } else { code };
        Some(Delivery {
            provider_ref: Some(reference),
            attempt: None,
            status,
            code: code.map(|code| redact::code(&code)),
            cause,
            at: None,
        })
    }

    fn inbound(&self, message: &ShortMessage) -> CallbackEvent {
        CallbackEvent::Inbound(Inbound {
            provider_ref: None,
            from: self.address(&message.source),
            to: self.address(&message.destination),
            text: self.text(message),
            keyword: None,
            at: None,
            letter: Letter::default(),
        })
    }

    /// A number with its plus sign, as far as the centre or the settings say which country it is of. What is no number stays as
    /// it is written.
    fn address(&self, address: &Address) -> String {
        let value = address.value.as_str();
        let (ton, digits) = value.strip_prefix('+').map_or((address.ton, value), |digits| (1, digits));
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return value.to_owned();
        }
        let home = self.home.as_deref().map(|home| home.trim_start_matches('+'));
        // Some centres leave in front what is dialled for a country, whatever type they give the number.
        let from_home = if home == Some("1") { "011" } else { "00" };
        let dialled = digits.strip_prefix("00").or_else(|| digits.strip_prefix(from_home));
        match (dialled, ton, home) {
            (Some(whole), ..) => format!("+{whole}"),
            (None, 1, _) => format!("+{digits}"),
            (None, 0 | 2, Some(home)) if digits.len() > 6 => with_country(digits, home),
            (None, ..) => value.to_owned(),
        }
    }

    fn text(&self, message: &ShortMessage) -> String {
        let words = words(message);
        match (alphabet(message.data_coding), self.alphabet) {
            (UCS2, _) => {
                let units = words.chunks_exact(2).map(|two| u16::from_be_bytes([two[0], two[1]]));
                char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
            }
            (DEFAULT, Alphabet::Gsm7) => gsm::decode(words),
            (3, _) | (DEFAULT, Alphabet::Latin1) => words.iter().copied().map(char::from).collect(),
            _ => String::from_utf8_lossy(words).into_owned(),
        }
    }
}

/// Whether it is a receipt although its `esm_class` does not say so. That it names a message is not enough: some centres put on a
/// handset's words which message they answer.
fn tells_a_state(message: &ShortMessage) -> bool {
    message.tlv(RECEIPTED_MESSAGE_ID).is_some()
        && (message.tlv(MESSAGE_STATE).is_some()
            || field(&String::from_utf8_lossy(words(message)), "stat").is_some())
}

/// A `data_coding` without the class that says where a handset shows it (3GPP TS 23.038, section 4).
fn alphabet(data_coding: u8) -> u8 {
    match data_coding {
        0x10..=0x13 | 0xf0..=0xf3 => DEFAULT,
        0x18..=0x1b => UCS2,
        other => other,
    }
}

/// A number that may bear its country or not: one of home where that is a number there, else one with its country. Many centres
/// hand over whole numbers of an unknown type, and a stranger's number would answer for them.
fn with_country(digits: &str, home: &str) -> String {
    let here = format!("+{home}{}", digits.trim_start_matches('0'));
    let whole = format!("+{digits}");
    let read = |value: &str| PointValue::parse(PointKind::Phone, value).ok();
    let in_plan = |value: &str| read(value).is_some_and(|number| number.is_in_plan());
    let is_here = in_plan(&here) || (read(&here).is_some() && !in_plan(&whole));
    if is_here { here } else { whole }
}

/// The words without a header in front.
fn words(message: &ShortMessage) -> &[u8] {
    let payload = message.tlv(MESSAGE_PAYLOAD).filter(|_| message.short_message.is_empty());
    let words = payload.unwrap_or(&message.short_message);
    if message.esm_class & HEADER == 0 {
        return words;
    }
    let header = words.first().map_or(0, |length| usize::from(*length) + 1);
    words.get(header..).unwrap_or_default()
}

/// A field of the text form, `id:…`, in any case; what stands behind `text:` is the message's own words and no field.
fn field(text: &str, name: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    let end = lower.find("text:").unwrap_or(text.len());
    let (lower, text) = (&lower[..end], &text[..end]);
    let mark = format!("{name}:");
    let begins = |at: &usize| *at == 0 || lower.as_bytes()[at - 1].is_ascii_whitespace();
    let at = lower.match_indices(&mark).map(|(at, _)| at).find(begins)?;
    let value = text[at + mark.len()..].split_ascii_whitespace().next()?;
    // `id: sub:001`: the field is empty, and what follows is another.
    (!value.contains(':') || name == "id").then(|| value.to_owned())
}

/// `network_error_code`: the kind of network, and its code.
fn network_error(message: &ShortMessage) -> Option<String> {
    let [_, high, low] = message.tlv(NETWORK_ERROR_CODE)?.try_into().ok()?;
    Some(u16::from_be_bytes([high, low]).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fault::SourceFile;
    use crate::provider::manifest::Manifest;
    use std::sync::Arc;

    fn plan(home: &str) -> Plan {
        let text = include_str!("../../../providers/sms/smpp/manifest.toml").to_owned();
        let file = SourceFile { path: "sms/smpp/manifest.toml".to_owned(), text };
        let manifest = Arc::new(Manifest::read(&file).expect("a manifest"));
        let given = [
            ("host", "127.0.0.1"),
            ("tls", "none"),
            ("system_id", "gw"),
            ("password", "pw"),
            ("from", "+15005550006"),
            ("home", home),
        ];
        let given = given.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
        Plan::new(&manifest, &manifest.settings(&given, "test").expect("settings")).expect("a plan")
    }

    #[test]
    fn a_sender_is_the_same_however_the_centre_writes_it() {
        let (american, british) = ("+13055550117", "+442079460123");
        for (home, ton, value, number) in [
            ("+1", 1, "13055550117", american),
            ("+1", 1, "+13055550117", american),
            ("+1", 1, "0013055550117", american),
            ("+1", 1, "01113055550117", american),
            ("+1", 0, "+13055550117", american),
            ("+1", 0, "13055550117", american),
            ("+1", 0, "3055550117", american),
            ("+1", 2, "3055550117", american),
            ("+1", 2, "13055550117", american),
            ("+1", 0, "0013055550117", american),
            ("+1", 0, "01113055550117", american),
            ("+1", 0, "442079460123", british),
            ("+1", 0, "00442079460123", british),
            ("+1", 0, "011442079460123", british),
            ("+44", 0, "13055550117", american),
            ("+44", 0, "0013055550117", american),
            ("+44", 0, "442079460123", british),
            ("+44", 0, "02079460123", british),
            ("+44", 2, "2079460123", british),
            // What `011` dials from America is a town in Britain.
            ("+44", 0, "01134960123", "+441134960123"),
            // A number that no plan knows yet is still one of home, and what is no number stays what it is.
            ("+1", 0, "2995550117", "+12995550117"),
            ("+1", 0, "24273", "24273"),
            ("+1", 5, "SAMPLE", "SAMPLE"),
            ("+1", 0, "", ""),
        ] {
            let address = Address { ton, npi: 1, value: value.to_owned() };
            assert_eq!(plan(home).address(&address), number, "{home}: {ton} {value}");
        }
    }

    #[test]
    fn a_receipt_says_what_became_of_a_message() {
        let plan = plan("+1");
        let message = |esm_class, words: &str, more: &[(u16, &[u8])]| {
            let mut tlvs = vec![(RECEIPTED_MESSAGE_ID, b"m1\0".to_vec())];
            tlvs.extend(more.iter().map(|(tag, value)| (*tag, value.to_vec())));
            let short_message = words.as_bytes().to_vec();
            ShortMessage { esm_class, short_message, tlvs, ..ShortMessage::default() }
        };
        // Of nothing that became of a message it is the handset's own words, whatever they answer.
        for words in ["STOP", "", "text:stat:DELIVRD", "thermostat:broken"] {
            let heard = plan.hear(&message(0, words, &[]));
            assert!(
                matches!(&heard, Some(CallbackEvent::Inbound(said)) if said.text == words),
                "{words}: {heard:?}"
            );
        }
        for receipt in [
            message(0, "", &[(MESSAGE_STATE, &[2])]),
            message(0, "id:m1 stat:DELIVRD err:000", &[]),
            message(4, "stat:DELIVRD", &[]),
        ] {
            let heard = plan.hear(&receipt);
            let Some(CallbackEvent::Delivery(delivery)) = &heard else { panic!("no receipt: {heard:?}") };
            assert_eq!(delivery.provider_ref.as_deref(), Some("m1"));
            assert_eq!(delivery.status, DeliveryStatus::Delivered);
        }
    }

    #[test]
    fn words_are_read_by_their_alphabet_whatever_their_class() {
        let plan = plan("+1");
        let ucs2: Vec<u8> = "¡Alto!".encode_utf16().flat_map(u16::to_be_bytes).collect();
        let gsm = b"\x40Alto!".to_vec();
        for (data_coding, words) in [
            (0x08, &ucs2),
            (0x18, &ucs2),
            (0x1b, &ucs2),
            (0x00, &gsm),
            (0x10, &gsm),
            (0x13, &gsm),
            (0xf1, &gsm),
        ] {
            let message =
                ShortMessage { data_coding, short_message: words.clone(), ..ShortMessage::default() };
            assert_eq!(plan.text(&message), "¡Alto!", "{data_coding:#x}");
        }
    }

    #[test]
    fn fields_are_found_wherever_they_stand() {
        let whole = "id:m1 sub:001 dlvrd:001 submit date:2609211333 done date:2609211334 stat:DELIVRD err:000 Text:id:no";
        for (name, value) in [("id", "m1"), ("stat", "DELIVRD"), ("err", "000"), ("sub", "001")] {
            assert_eq!(field(whole, name).as_deref(), Some(value), "{name}");
        }
        assert_eq!(field("id:msg-1 stat:DELIVRD", "stat").as_deref(), Some("DELIVRD"));
        assert_eq!(field("ID:1 STAT:UNDELIV ERR:5", "err").as_deref(), Some("5"));
        for (text, name) in [("", "id"), ("Text: stat:DELIVRD", "stat"), ("id:", "id"), ("paid:x", "id")] {
            assert_eq!(field(text, name), None, "{text}");
        }
        assert_eq!(field("id:1 stat: err:000", "stat"), None);
    }
}
