//! What a case expects of a centre: units in hexadecimal digits, as another program wrote them.

use crate::domain::message::Outgoing;
use crate::domain::outcome::Outcome;
use crate::provider::callback::CallbackEvent;
use crate::provider::smpp::pdu::{Body, Pdu};
use crate::provider::smpp::plan::Plan;

/// Where the units of a message are not those expected; they are counted from 1.
pub(in crate::provider) fn differences(plan: &Plan, message: &Outgoing, expected: &[String]) -> Vec<String> {
    let Some(parts) = plan.submits(message) else {
        return vec!["SMPP carries text messages of 255 parts at most".to_owned()];
    };
    let units: Vec<Pdu> =
        (1..).zip(parts).map(|(at, part)| Pdu::new(at, Body::Submit(Box::new(part)))).collect();
    let mut wrong = Vec::new();
    if units.len() != expected.len() {
        wrong.push(format!("there are {} PDUs, not the {} expected", units.len(), expected.len()));
    }
    for (at, (unit, expected)) in (1..).zip(units.iter().zip(expected)) {
        let expected: String = expected.split_whitespace().collect();
        if hex::encode(unit.write()) != expected.to_ascii_lowercase() {
            let theirs = bytes(&expected).ok().and_then(|bytes| Pdu::read(&bytes).ok());
            let theirs = theirs.map_or("unreadable".to_owned(), |unit| unit.shown());
            wrong.push(format!("PDU {at} is\n{}\nexpected\n{theirs}", unit.shown()));
        }
    }
    wrong
}

/// What an answer, in hexadecimal digits, means.
///
/// # Errors
/// It is no unit; in words.
pub(in crate::provider) fn outcome(plan: &Plan, answer: &str) -> Result<Outcome, String> {
    let unit = Pdu::read(&bytes(answer)?).map_err(|error| error.to_string())?;
    Ok(plan.outcome(&unit))
}

/// What a unit that a centre hands over, in hexadecimal digits, says.
///
/// # Errors
/// It is no `deliver_sm`, or says nothing of any message; in words.
pub fn heard(plan: &Plan, written: &str) -> Result<CallbackEvent, String> {
    let unit = Pdu::read(&bytes(written)?).map_err(|error| error.to_string())?;
    let Body::Deliver(message) = &unit.body else {
        return Err(format!("a {} says nothing of any message: give a deliver_sm", unit.body.name()));
    };
    plan.hear(message).ok_or_else(|| "the receipt does not say which message it is about".to_owned())
}

fn bytes(written: &str) -> Result<Vec<u8>, String> {
    let digits: String = written.split_whitespace().collect();
    hex::decode(digits).map_err(|_| "a PDU is written in hexadecimal digits, two an octet".to_owned())
}
