//! What a relay's refusal means (RFC 5321 reply codes, RFC 3463 enhanced codes).

use crate::channel::failed;
use crate::domain::outcome::{FailureCause, FailureClass, Outcome};
use lettre::transport::smtp::Error;

/// How far the dialogue had come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::channel::email) enum Stage {
    /// Greeting, encryption, `EHLO`, `AUTH`.
    Greeting,
    /// `MAIL FROM`.
    Sender,
    /// `RCPT TO`.
    Recipient,
    /// `DATA`, before its `354`.
    Data,
    /// The message's end.
    End,
}

/// The outcome of a negative reply; none where the error is no reply but a broken connection.
pub(in crate::channel::email) fn outcome(stage: Stage, error: &Error) -> Option<Outcome> {
    let code: u16 = error.status()?.into();
    let enhanced = std::error::Error::source(error).and_then(|text| enhanced(&text.to_string()));
    Some(judged(stage, code, enhanced))
}

/// The three numbers at the start of a reply's text, where the relay writes them.
fn enhanced(text: &str) -> Option<(u16, u16, u16)> {
    let mut parts = text.split_whitespace().next()?.split('.');
    let mut next = || parts.next().filter(|part| part.len() <= 3)?.parse::<u16>().ok();
    let numbers = (next()?, next()?, next()?);
    (parts.next().is_none() && matches!(numbers.0, 4 | 5)).then_some(numbers)
}

fn judged(stage: Stage, code: u16, enhanced: Option<(u16, u16, u16)>) -> Outcome {
    let name = match enhanced {
        Some((class, subject, detail)) => format!("{code} {class}.{subject}.{detail}"),
        None => code.to_string(),
    };
    if (400..500).contains(&code) {
        // Not sent, and the relay asks to try again later.
        return failed(FailureClass::Throttled, FailureCause::Provider, name);
    }
    failed(FailureClass::Refused, cause(stage, code, enhanced), name)
}

fn cause(stage: Stage, code: u16, enhanced: Option<(u16, u16, u16)>) -> FailureCause {
    // Some relays write 5.0.0 for everything, which says no more than the plain code.
    match enhanced.filter(|(_, subject, detail)| (*subject, *detail) != (0, 0)) {
        Some((_, 1, 7 | 8)) => FailureCause::Account, // the sender's address
        Some((_, 1, _)) | Some((_, 2, 1)) => FailureCause::InvalidAddress,
        Some((_, 2, 3)) | Some((_, 3, 4)) | Some((_, 6, _)) => FailureCause::Content,
        Some((_, 7, _)) if stage == Stage::End => FailureCause::Content,
        Some((_, 7, _)) if matches!(stage, Stage::Greeting | Stage::Sender) => FailureCause::Account,
        Some(_) => FailureCause::Unspecified,
        None => match (stage, code) {
            (Stage::Greeting | Stage::Sender, _) => FailureCause::Account,
            (Stage::Recipient, 550 | 551 | 553) => FailureCause::InvalidAddress,
            (Stage::End, 552 | 554) => FailureCause::Content,
            (Stage::Recipient | Stage::Data | Stage::End, _) => FailureCause::Unspecified,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_judged_by_code_stage_and_enhanced_code() {
        use FailureCause::{Account, Content, InvalidAddress, Provider, Unspecified};
        use FailureClass::{Refused, Throttled};
        for (stage, code, text, class, cause) in [
            (Stage::Recipient, 550, "5.1.1 <a@example.com>: unknown", Refused, InvalidAddress),
            (Stage::Recipient, 550, "no such user", Refused, InvalidAddress),
            (Stage::Recipient, 550, "5.0.0 whatever", Refused, InvalidAddress),
            (Stage::Recipient, 554, "5.7.1 relay access denied", Refused, Unspecified),
            (Stage::Recipient, 552, "5.2.2 mailbox full", Refused, Unspecified),
            (Stage::Recipient, 550, "5.2.1 mailbox disabled", Refused, InvalidAddress),
            (Stage::Recipient, 451, "4.7.1 greylisted", Throttled, Provider),
            (Stage::Sender, 553, "5.1.8 sender refused", Refused, Account),
            (Stage::Greeting, 535, "5.7.8 authentication failed", Refused, Account),
            (Stage::Greeting, 421, "busy", Throttled, Provider),
            (Stage::End, 554, "5.7.1 looks like spam", Refused, Content),
            (Stage::End, 552, "5.3.4 too big", Refused, Content),
            (Stage::End, 452, "4.3.1 disk full", Throttled, Provider),
        ] {
            match judged(stage, code, enhanced(text)) {
                Outcome::Failed(failure) => {
                    assert_eq!((failure.class, failure.cause), (class, cause), "{stage:?} {code} {text}");
                    assert!(!failure.code.contains('@') && failure.code.starts_with(&code.to_string()));
                }
                Outcome::Accepted { .. } => panic!("accepted {code}"),
            }
        }
        assert_eq!(enhanced("5.1.1"), Some((5, 1, 1)));
        for none in ["", "2.0.0 ok", "5.1", "5.1.1.1 x", "5.1.1x y", "hello"] {
            assert_eq!(enhanced(none), None, "{none}");
        }
    }
}
