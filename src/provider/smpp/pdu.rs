//! Protocol data units as they stand on the wire (SMPP 3.4, chapters 4 and 5). Reads with patience: a parameter that is cut
//! off or longer than it may be is taken as far as it goes; only what cannot be taken apart at all is unreadable.

use crate::provider::redact::{HIDDEN, Length};
use std::fmt;

/// The longest unit that is read, in octets: a message payload of 64 KiB with everything around it.
pub const LONGEST: usize = 70_000;
/// Octets of a unit before its body.
pub const HEAD: usize = 16;

/// `message_payload`: the words, where `short_message` has no room for them (section 5.3.2.32).
pub const MESSAGE_PAYLOAD: u16 = 0x0424;
/// `receipted_message_id` (section 5.3.2.12).
pub const RECEIPTED_MESSAGE_ID: u16 = 0x001e;
/// `message_state` (section 5.3.2.35).
pub const MESSAGE_STATE: u16 = 0x0427;
/// `network_error_code` (section 5.3.2.31).
pub const NETWORK_ERROR_CODE: u16 = 0x0423;
/// `sar_msg_ref_num` (section 5.3.2.22).
pub const SAR_REFERENCE: u16 = 0x020c;
/// `sar_total_segments` (section 5.3.2.23).
pub const SAR_TOTAL: u16 = 0x020e;
/// `sar_segment_seqnum` (section 5.3.2.24).
pub const SAR_NUMBER: u16 = 0x020f;

/// No error (section 5.1.3).
pub const OK: u32 = 0;
/// Invalid command identifier.
pub const INVALID_COMMAND: u32 = 0x03;
/// The receiver cannot take it now: the centre tries again.
pub const TRY_AGAIN: u32 = 0x64;
/// The receiver will never take it.
pub const REJECTED: u32 = 0x66;

/// The unit's bytes are not what SMPP says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the PDU ends within its {0}")]
pub struct Unreadable(pub &'static str);

/// One unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pdu {
    /// What came of a request (section 5.1.3); 0 in requests.
    pub status: u32,
    /// By which an answer finds its request.
    pub sequence: u32,
    /// What it is.
    pub body: Body,
}

/// What a unit says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// `bind_transceiver`: who we are.
    Bind(Box<Bind>),
    /// Its answer.
    BindAnswer,
    /// `submit_sm`: a message to a handset.
    Submit(Box<ShortMessage>),
    /// Its answer, with the centre's identifier of the message; empty where it was not taken.
    SubmitAnswer(String),
    /// `deliver_sm`: a message from a handset, or a receipt.
    Deliver(Box<ShortMessage>),
    /// Its answer.
    DeliverAnswer,
    /// `enquire_link`: is anybody there?
    EnquireLink,
    /// Its answer.
    EnquireLinkAnswer,
    /// `unbind`: taking leave.
    Unbind,
    /// Its answer.
    UnbindAnswer,
    /// `generic_nack`: a request was not understood.
    GenericNack,
    /// Anything else, by its command identifier.
    Other(u32),
}

/// Who we are (section 4.1.5). `Debug` shows no password.
#[derive(Clone, PartialEq, Eq)]
pub struct Bind {
    /// Our name at the centre.
    pub system_id: String,
    /// Our password there.
    pub password: String,
    /// What sort of system we are, where the centre wants to know.
    pub system_type: String,
}

impl fmt::Debug for Bind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bind({HIDDEN})")
    }
}

/// An address with its type and plan of numbers (sections 5.2.5 and 5.2.6).
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Address {
    /// Type of number: 0 unknown, 1 international, 2 national, 3 network, 5 letters.
    pub ton: u8,
    /// Plan of numbers: 0 unknown, 1 telephone (E.164).
    pub npi: u8,
    /// The number or name, without a plus sign.
    pub value: String,
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({}, {}, {HIDDEN})", self.ton, self.npi)
    }
}

/// A message on its way to or from a handset: `submit_sm` and `deliver_sm` have the same parts (sections 4.4.1 and 4.6.1).
/// `Debug` shows neither addresses nor words.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ShortMessage {
    /// Usually empty.
    pub service_type: String,
    /// From whom.
    pub source: Address,
    /// To whom.
    pub destination: Address,
    /// What sort of message it is (section 5.2.12).
    pub esm_class: u8,
    /// Which receipts are wanted (section 5.2.17).
    pub registered_delivery: u8,
    /// The alphabet (section 5.2.19).
    pub data_coding: u8,
    /// The words, 254 octets at most.
    pub short_message: Vec<u8>,
    /// Optional parameters, by tag.
    pub tlvs: Vec<(u16, Vec<u8>)>,
}

impl fmt::Debug for ShortMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShortMessage")
            .field("esm_class", &self.esm_class)
            .field("data_coding", &self.data_coding)
            .field("short_message", &Length(self.short_message.len()))
            .finish_non_exhaustive()
    }
}

impl ShortMessage {
    /// An optional parameter's value.
    pub fn tlv(&self, tag: u16) -> Option<&[u8]> {
        self.tlvs.iter().find(|(known, _)| *known == tag).map(|(_, value)| value.as_slice())
    }

    fn write(&self, out: &mut Vec<u8>) {
        text(out, &self.service_type, 5);
        for address in [&self.source, &self.destination] {
            out.extend([address.ton, address.npi]);
            text(out, &address.value, 20);
        }
        // protocol_id, priority_flag, schedule_delivery_time and validity_period: the centre's own.
        out.extend([self.esm_class, 0, 0, 0, 0]);
        // Nothing is replaced, and no message of the centre's is sent instead of ours.
        out.extend([self.registered_delivery, 0, self.data_coding, 0]);
        let words = &self.short_message[..self.short_message.len().min(254)];
        out.push(u8::try_from(words.len()).unwrap_or(254));
        out.extend(words);
        for (tag, value) in &self.tlvs {
            out.extend(tag.to_be_bytes());
            let value = &value[..value.len().min(usize::from(u16::MAX))];
            out.extend(u16::try_from(value.len()).unwrap_or(u16::MAX).to_be_bytes());
            out.extend(value);
        }
    }

    fn read(rest: &mut Rest<'_>) -> Result<Self, Unreadable> {
        let service_type = rest.text("service_type")?;
        let source = rest.address("source_addr")?;
        let destination = rest.address("destination_addr")?;
        let esm_class = rest.octet("esm_class")?;
        rest.octet("protocol_id")?;
        rest.octet("priority_flag")?;
        rest.text("schedule_delivery_time")?;
        rest.text("validity_period")?;
        let registered_delivery = rest.octet("registered_delivery")?;
        rest.octet("replace_if_present_flag")?;
        let data_coding = rest.octet("data_coding")?;
        rest.octet("sm_default_msg_id")?;
        let length = rest.octet("sm_length")?;
        let short_message = rest.up_to(length.into()).to_vec();
        let tlvs = std::iter::from_fn(|| rest.tlv()).collect();
        Ok(Self {
            service_type,
            source,
            destination,
            esm_class,
            registered_delivery,
            data_coding,
            short_message,
            tlvs,
        })
    }
}

impl Body {
    /// The command's identifier (section 5.1.2.1).
    pub fn command(&self) -> u32 {
        match self {
            Self::GenericNack => 0x8000_0000,
            Self::Submit(_) => 0x0000_0004,
            Self::SubmitAnswer(_) => 0x8000_0004,
            Self::Deliver(_) => 0x0000_0005,
            Self::DeliverAnswer => 0x8000_0005,
            Self::Unbind => 0x0000_0006,
            Self::UnbindAnswer => 0x8000_0006,
            Self::Bind(_) => 0x0000_0009,
            Self::BindAnswer => 0x8000_0009,
            Self::EnquireLink => 0x0000_0015,
            Self::EnquireLinkAnswer => 0x8000_0015,
            Self::Other(command) => *command,
        }
    }

    /// Whether it answers a request of ours.
    pub fn is_answer(&self) -> bool {
        self.command() & 0x8000_0000 != 0
    }

    /// The command's name in the specification.
    pub fn name(&self) -> &'static str {
        match self {
            Self::GenericNack => "generic_nack",
            Self::Submit(_) => "submit_sm",
            Self::SubmitAnswer(_) => "submit_sm_resp",
            Self::Deliver(_) => "deliver_sm",
            Self::DeliverAnswer => "deliver_sm_resp",
            Self::Unbind => "unbind",
            Self::UnbindAnswer => "unbind_resp",
            Self::Bind(_) => "bind_transceiver",
            Self::BindAnswer => "bind_transceiver_resp",
            Self::EnquireLink => "enquire_link",
            Self::EnquireLinkAnswer => "enquire_link_resp",
            Self::Other(_) => "other",
        }
    }
}

impl Pdu {
    /// A request, or an answer that says all is well.
    pub fn new(sequence: u32, body: Body) -> Self {
        Self { status: OK, sequence, body }
    }

    /// The unit as it stands on the wire.
    pub fn write(&self) -> Vec<u8> {
        let mut out = vec![0; 4];
        for word in [self.body.command(), self.status, self.sequence] {
            out.extend(word.to_be_bytes());
        }
        match &self.body {
            Body::Bind(bind) => {
                // The specification has 15 and 8 octets; centres that give longer ones out want them whole.
                text(&mut out, &bind.system_id, 63);
                text(&mut out, &bind.password, 63);
                text(&mut out, &bind.system_type, 12);
                // Version 3.4; no address range of our own: the centre knows what is ours.
                out.extend([0x34, 0, 0, 0]);
            }
            Body::Submit(message) | Body::Deliver(message) => message.write(&mut out),
            Body::SubmitAnswer(reference) => text(&mut out, reference, 64),
            // system_id and message_id, both empty.
            Body::BindAnswer | Body::DeliverAnswer => out.push(0),
            Body::EnquireLink
            | Body::EnquireLinkAnswer
            | Body::Unbind
            | Body::UnbindAnswer
            | Body::GenericNack
            | Body::Other(_) => {}
        }
        let length = u32::try_from(out.len()).unwrap_or(u32::MAX);
        out[..4].copy_from_slice(&length.to_be_bytes());
        out
    }

    /// Reads a whole unit, its length included.
    ///
    /// # Errors
    /// Where it ends too early.
    pub fn read(bytes: &[u8]) -> Result<Self, Unreadable> {
        let mut rest = Rest(bytes);
        rest.word("command_length")?;
        let command = rest.word("command_id")?;
        let status = rest.word("command_status")?;
        let sequence = rest.word("sequence_number")?;
        let body = match command {
            0x8000_0000 => Body::GenericNack,
            0x0000_0004 => Body::Submit(Box::new(ShortMessage::read(&mut rest)?)),
            0x8000_0004 => Body::SubmitAnswer(rest.text("message_id").unwrap_or_default()),
            0x0000_0005 => Body::Deliver(Box::new(ShortMessage::read(&mut rest)?)),
            0x8000_0005 => Body::DeliverAnswer,
            0x0000_0006 => Body::Unbind,
            0x8000_0006 => Body::UnbindAnswer,
            0x0000_0009 => Body::Bind(Box::new(Bind {
                system_id: rest.text("system_id")?,
                password: rest.text("password")?,
                system_type: rest.text("system_type")?,
            })),
            0x8000_0009 => Body::BindAnswer,
            0x0000_0015 => Body::EnquireLink,
            0x8000_0015 => Body::EnquireLinkAnswer,
            other => Body::Other(other),
        };
        Ok(Self { status, sequence, body })
    }
}

/// What stands at the head of a unit, even where its body cannot be read: command and sequence number.
pub fn head(bytes: &[u8]) -> Option<(u32, u32)> {
    let word = |at: usize| bytes.get(at..at + 4)?.try_into().ok().map(u32::from_be_bytes);
    Some((word(4)?, word(12)?))
}

/// A text with its NUL; what is longer than `most` is cut, and control characters have no place in it.
fn text(out: &mut Vec<u8>, text: &str, most: usize) {
    out.extend(text.bytes().filter(|byte| (b' '..=b'~').contains(byte)).take(most));
    out.push(0);
}

/// What is still to be read.
struct Rest<'b>(&'b [u8]);

impl<'b> Rest<'b> {
    fn up_to(&mut self, count: usize) -> &'b [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }

    fn octet(&mut self, what: &'static str) -> Result<u8, Unreadable> {
        self.up_to(1).first().copied().ok_or(Unreadable(what))
    }

    fn word(&mut self, what: &'static str) -> Result<u32, Unreadable> {
        self.up_to(4).try_into().map(u32::from_be_bytes).map_err(|_| Unreadable(what))
    }

    fn text(&mut self, what: &'static str) -> Result<String, Unreadable> {
        let end = self.0.iter().position(|byte| *byte == 0).ok_or(Unreadable(what))?;
        let text = String::from_utf8_lossy(self.up_to(end)).into_owned();
        self.up_to(1);
        Ok(text)
    }

    fn address(&mut self, what: &'static str) -> Result<Address, Unreadable> {
        Ok(Address { ton: self.octet(what)?, npi: self.octet(what)?, value: self.text(what)? })
    }

    /// The next optional parameter; one that is cut off is taken as far as it goes.
    fn tlv(&mut self) -> Option<(u16, Vec<u8>)> {
        let [a, b, c, d] = self.up_to(4).try_into().ok()?;
        let length = u16::from_be_bytes([c, d]);
        Some((u16::from_be_bytes([a, b]), self.up_to(length.into()).to_vec()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message() -> ShortMessage {
        ShortMessage {
            source: Address { ton: 5, npi: 0, value: "FRServices".to_owned() },
            destination: Address { ton: 1, npi: 1, value: "13055550117".to_owned() },
            esm_class: 0x40,
            registered_delivery: 1,
            data_coding: 8,
            short_message: vec![5, 0, 3, 7, 2, 1, 0, 65],
            tlvs: vec![(RECEIPTED_MESSAGE_ID, b"m1\0".to_vec())],
            ..ShortMessage::default()
        }
    }

    fn bodies() -> Vec<Body> {
        let bind = Bind { system_id: "gw".to_owned(), password: "pw".to_owned(), system_type: String::new() };
        vec![
            Body::Bind(Box::new(bind)),
            Body::BindAnswer,
            Body::Submit(Box::new(message())),
            Body::SubmitAnswer("m00000001".to_owned()),
            Body::Deliver(Box::new(message())),
            Body::DeliverAnswer,
            Body::EnquireLink,
            Body::EnquireLinkAnswer,
            Body::Unbind,
            Body::UnbindAnswer,
            Body::GenericNack,
            Body::Other(0x0000_0102),
        ]
    }

    #[test]
    fn every_unit_is_read_as_it_was_written() {
        for (sequence, body) in (1..).zip(bodies()) {
            let pdu = Pdu { status: 0x58, sequence, body };
            let bytes = pdu.write();
            assert_eq!(bytes.len(), u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize);
            assert_eq!(Pdu::read(&bytes), Ok(pdu.clone()));
            assert_eq!(head(&bytes), Some((pdu.body.command(), sequence)));
        }
    }

    #[test]
    fn what_is_not_quite_right_is_read_all_the_same() {
        let mut sloppy = message();
        // An identifier without its NUL.
        sloppy.tlvs = vec![(RECEIPTED_MESSAGE_ID, b"m1".to_vec())];
        let mut bytes = Pdu::new(7, Body::Deliver(Box::new(sloppy.clone()))).write();
        assert_eq!(Pdu::read(&bytes).expect("readable").body, Body::Deliver(Box::new(sloppy)));
        // A parameter that is cut off.
        bytes.extend([0x04, 0x27, 0x00, 0x09, 2]);
        let Ok(Pdu { body: Body::Deliver(read), .. }) = Pdu::read(&bytes) else { panic!("unreadable") };
        assert_eq!(read.tlv(MESSAGE_STATE), Some([2].as_slice()));
        // An answer without a body, as it may come with an error.
        let refused = [0, 0, 0, 16, 0x80, 0, 0, 4, 0, 0, 0, 0x58, 0, 0, 0, 9];
        let read = Pdu::read(&refused).expect("readable");
        assert_eq!(read, Pdu { status: 0x58, sequence: 9, body: Body::SubmitAnswer(String::new()) });
        assert_eq!(Pdu::read(&bytes[..30]), Err(Unreadable("destination_addr")));
    }

    #[test]
    fn nothing_personal_is_shown() {
        let shown = format!("{:?}", bodies());
        assert!(!shown.contains("pw") && !shown.contains("13055550117"), "{shown}");
    }

    proptest! {
        #[test]
        fn no_bytes_are_too_strange(bytes in proptest::collection::vec(any::<u8>(), 0..200), command in 0_u8..10) {
            let mut bytes = bytes;
            if bytes.len() > 8 {
                bytes[4..8].copy_from_slice(&[0, 0, 0, command]);
            }
            let _read = Pdu::read(&bytes);
        }
    }
}
