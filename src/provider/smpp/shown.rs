//! A unit for a person to read: its fields, and its bytes. Shows addresses and words, but no password.

use crate::provider::redact::HIDDEN;
use crate::provider::smpp::pdu::{
    Address, Body, MESSAGE_PAYLOAD, MESSAGE_STATE, NETWORK_ERROR_CODE, Pdu, RECEIPTED_MESSAGE_ID, SAR_NUMBER,
    SAR_REFERENCE, SAR_TOTAL, ShortMessage,
};
use std::fmt::Write;

impl Pdu {
    /// One field a line, and then the bytes, unless they hold the password.
    pub fn shown(&self) -> String {
        let mut text = format!(
            "{} (command_id {:#010x}, command_status {:#04x}, sequence_number {})\n",
            self.body.name(),
            self.body.command(),
            self.status,
            self.sequence
        );
        let mut line = |name: &str, value: &str| {
            let _ok = writeln!(text, "  {name:<22} {value}");
        };
        match &self.body {
            Body::Bind(bind) => {
                line("system_id", &bind.system_id);
                line("password", HIDDEN);
                line("system_type", &format!("{:?}", bind.system_type));
                line("interface_version", "0x34");
                return text;
            }
            Body::Submit(message) | Body::Deliver(message) => fields(message, &mut line),
            Body::SubmitAnswer(id) => line("message_id", id),
            Body::BindAnswer
            | Body::DeliverAnswer
            | Body::EnquireLink
            | Body::EnquireLinkAnswer
            | Body::Unbind
            | Body::UnbindAnswer
            | Body::GenericNack
            | Body::Other(_) => {}
        }
        for octets in self.write().chunks(32) {
            let pairs: Vec<String> = octets.iter().map(|octet| format!("{octet:02x}")).collect();
            let _ok = writeln!(text, "  {}", pairs.join(" "));
        }
        text
    }
}

fn fields(message: &ShortMessage, line: &mut impl FnMut(&str, &str)) {
    let address = |address: &Address| format!("{} (ton {}, npi {})", address.value, address.ton, address.npi);
    if !message.service_type.is_empty() {
        line("service_type", &message.service_type);
    }
    line("source_addr", &address(&message.source));
    line("destination_addr", &address(&message.destination));
    line("esm_class", &format!("{:#04x}", message.esm_class));
    line("registered_delivery", &message.registered_delivery.to_string());
    line("data_coding", &message.data_coding.to_string());
    line("sm_length", &message.short_message.len().to_string());
    for (tag, value) in &message.tlvs {
        let name = match *tag {
            MESSAGE_PAYLOAD => "message_payload".to_owned(),
            RECEIPTED_MESSAGE_ID => "receipted_message_id".to_owned(),
            MESSAGE_STATE => "message_state".to_owned(),
            NETWORK_ERROR_CODE => "network_error_code".to_owned(),
            SAR_REFERENCE => "sar_msg_ref_num".to_owned(),
            SAR_TOTAL => "sar_total_segments".to_owned(),
            SAR_NUMBER => "sar_segment_seqnum".to_owned(),
            other => format!("parameter {other:#06x}"),
        };
        line(&name, &format!("{} octets", value.len()));
    }
}
