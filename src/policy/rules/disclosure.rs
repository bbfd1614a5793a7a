//! Citation: 12 CFR 1006.18(e), 1006.6(e); state law as each rule cites it: notices that a message must carry.

use crate::domain::channel::{Channel, Direction, Party};
use crate::domain::contact::{Contact, ContactResult};
use crate::domain::decision::Disclosure;
use crate::domain::time::Timestamp;
use crate::policy::case::{Case, Unit};
use crate::policy::explain::{Words, source};
use crate::policy::rule::{Ask, Say};
use serde::Deserialize;

/// A notice that a message must carry.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::policy) struct DisclosureDuty {
    /// Which.
    pub disclosure: Disclosure,
    /// When.
    pub when: When,
}

/// When a notice is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::policy) enum When {
    /// Always.
    Always,
    /// In the first communication about the debt, and in the first written one where that was oral.
    FirstCommunication,
    /// In every later one.
    LaterCommunication,
    /// About a debt that is too old to sue on.
    TimeBarred,
}

impl DisclosureDuty {
    pub fn fault(&self) -> Option<String> {
        None
    }

    /// A duty never bars a contact; what is to be said is named in the decision.
    pub fn say(&self, _ask: &Ask, _at: Timestamp) -> Say {
        Say::ALWAYS
    }

    pub fn due(&self, ask: &Ask) -> Option<Disclosure> {
        let accounts = ask.case.accounts.iter();
        let due = match self.when {
            When::Always => true,
            When::FirstCommunication => is_first(ask),
            When::LaterCommunication => !is_first(ask),
            When::TimeBarred => accounts
                .filter(|account| ask.applies.to_account(account))
                .any(|account| account.time_barred == Some(true)),
        };
        due.then_some(self.disclosure)
    }

    pub fn explain(&self, ask: &Ask, at: Timestamp) -> Words {
        let name = self.disclosure;
        let words = match self.due(ask) {
            Some(_) => Words::plain(format!("the message must carry the notice `{name}`")),
            None => Words::plain(format!("the notice `{name}` is not due")),
        };
        match self.when {
            When::FirstCommunication | When::LaterCommunication => {
                let earlier = earlier(ask.case).rev().find(|contact| is_communication(contact));
                earlier.into_iter().fold(words, |words, contact| {
                    words
                        .dated("communicated_at", contact.occurred_at, at)
                        .with("communicated_from", source(contact))
                })
            }
            When::Always | When::TimeBarred => words,
        }
    }
}

/// Whether any debt that the contact is about has not been communicated about before; in writing, if this is written.
fn is_first(ask: &Ask) -> bool {
    let case = ask.case;
    let accounts = case.accounts.iter().filter(|account| ask.applies.to_account(account));
    let written = is_written(case.facts.channel);
    if case.accounts.is_empty() {
        return !communicated(case, Unit::Debtor, written);
    }
    let mut accounts = accounts.filter(|account| account.validation_notice_sent_on.is_none());
    accounts.any(|account| !communicated(case, Unit::Account(account.account), written))
}

fn communicated(case: &Case, unit: Unit, written: bool) -> bool {
    earlier(case).any(|contact| {
        (!written || is_written(contact.channel))
            && is_communication(contact)
            && case.counts_for(contact, true, unit)
    })
}

fn earlier<'a>(case: &Case<'a>) -> impl DoubleEndedIterator<Item = &'a Contact> {
    let until = case.facts.contacts.partition_point(|contact| contact.occurred_at <= case.facts.at);
    case.facts.contacts.get(..until).unwrap_or_default().iter()
}

fn is_written(channel: Channel) -> bool {
    match channel {
        Channel::Email | Channel::Sms | Channel::Portal | Channel::Letter => true,
        Channel::Voice | Channel::Visit => false,
    }
}

/// Whether a contact conveyed something about the debt to the debtor (12 CFR 1006.2(d)): a limited-content message does
/// not, and of a call whose end is not known it is not assumed.
fn is_communication(contact: &Contact) -> bool {
    let met = matches!(contact.party, Party::Debtor | Party::Spouse);
    met && match contact.result {
        ContactResult::Conversation => true,
        ContactResult::Voicemail => contact.direction == Direction::Outbound,
        ContactResult::Sent | ContactResult::Delivered => {
            contact.direction == Direction::Outbound && is_written(contact.channel)
        }
        ContactResult::NoAnswer
        | ContactResult::Busy
        | ContactResult::LimitedContentMessage
        | ContactResult::NotConnected
        | ContactResult::WrongNumber
        | ContactResult::Bounced
        | ContactResult::Failed => false,
    }
}
