//! What ends a cadence early: what an event says of the debtor's answers, of the accounts, and of contacts made elsewhere.

use crate::domain::cadence::{CadenceState, StopCondition};
use crate::domain::channel::{Direction, Party};
use crate::domain::consent::{Hold, HoldKind, covers_any};
use crate::domain::contact::{Contact, ContactResult, ContactSource};
use crate::domain::debtor::{Account, AccountStatus, DebtorFile, DebtorOutline};
use crate::domain::event::{
    DeliveryUpdate, EventBody, Inbound, PermitUse, PointInvalid, Sealed, Understanding,
};
use crate::domain::id::{AccountKey, AttemptId};
use crate::domain::intent::Intent;
use crate::domain::money::Money;
use crate::domain::outcome::FailureCause;
use crate::domain::state::DebtorState;

/// What an event says that may end a cadence, the most telling first.
pub(super) fn heard(state: &DebtorState, cadence: &CadenceState, body: &EventBody) -> Vec<StopCondition> {
    use StopCondition::{Dispute, OptOut, Promise};
    let when = |covered: &[AccountKey], condition| {
        if covers_any(covered, &cadence.accounts) { vec![condition] } else { Vec::new() }
    };
    match body {
        EventBody::InboundReceived(inbound, _) => said(inbound),
        EventBody::ConsentRevoked(stop, _) | EventBody::OptOutReceived(stop, _) => {
            when(&stop.accounts, OptOut)
        }
        EventBody::DisputeReceived(about, _) => when(&about.accounts, Dispute),
        EventBody::PromiseReceived(about, _) => when(&about.accounts, Promise),
        EventBody::HoldPlaced(hold, _) if covers_any(&hold.accounts, &cadence.accounts) => holds(hold),
        EventBody::ContactRecorded(report, _) => made_elsewhere(&report.contact, cadence),
        EventBody::PermitUsed(PermitUse { occurred_at, permit, result }, _) => {
            let reserved = counted(state, ContactSource::Permit(*permit)).cloned();
            let made =
                reserved.map(|contact| Contact { occurred_at: *occurred_at, result: *result, ..contact });
            made.map(|made| made_elsewhere(&made, cadence)).unwrap_or_default()
        }
        EventBody::DeliveryUpdated(DeliveryUpdate { attempt, result: Some(result), .. }, _) => {
            let made = counted(state, ContactSource::Attempt(*attempt)).cloned();
            let concluded = made.map(|contact| Contact { result: *result, ..contact });
            let heard = concluded.map(|concluded| contacted(&concluded, cadence)).unwrap_or_default();
            // On a call of ours only the debtor's own key makes it a conversation.
            let answered = heard.contains(&StopCondition::Conversation).then_some(StopCondition::Reply);
            heard.into_iter().chain(answered).collect()
        }
        EventBody::ContactPointInvalid(invalid, _) => refused(invalid),
        EventBody::DebtorUpdated(outline, Sealed::Open(now)) => {
            let before = state.file.as_ref().map(|file| Books { outline: &state.outline, file });
            let now = Books { outline, file: &now.file };
            before.map(|before| before.news(now, cadence)).unwrap_or_default()
        }
        EventBody::DebtorUpdated(_, Sealed::Gone)
        | EventBody::DebtorErased(..)
        | EventBody::ConsentGranted(..)
        | EventBody::PreferencesUpdated(..)
        | EventBody::HoldPlaced(..)
        | EventBody::HoldLifted(..)
        | EventBody::PermitIssued(..)
        | EventBody::PermitExpired(..)
        | EventBody::PermitReturned(..)
        | EventBody::RequestAccepted(..)
        | EventBody::RequestCancelled(..)
        | EventBody::RequestExpired(..)
        | EventBody::DecisionMade(..)
        | EventBody::AttemptStarted(..)
        | EventBody::AttemptSent(..)
        | EventBody::AttemptFailed(..)
        | EventBody::AttemptUnknown(..)
        | EventBody::AttemptAbandoned(..)
        | EventBody::DeliveryUpdated(DeliveryUpdate { result: None, .. }, _)
        | EventBody::ReplyHeld(..)
        | EventBody::ReplyReleased(..)
        | EventBody::CallbackRequested(..)
        | EventBody::PolicyChanged(..)
        | EventBody::AccessRecorded(..)
        | EventBody::PausePlaced(..)
        | EventBody::PauseLifted(..) => Vec::new(),
    }
}

/// Whether an event says that the message which a cadence's newest step needs failed after it had gone out.
pub(super) fn came_back(state: &DebtorState, cadence: &CadenceState, body: &EventBody) -> bool {
    let EventBody::DeliveryUpdated(DeliveryUpdate { attempt, cause: Some(_), .. }, _) = body else {
        return false;
    };
    let newest =
        cadence.requests.len().checked_sub(1).and_then(|place| cadence.enrolment.plan.steps.get(place));
    let needed = newest.and_then(|step| cadence.needed_by(step)).and_then(|id| state.requests.get(&id));
    let stays_out = |other: &AttemptId| {
        other != attempt && state.attempts.get(other).is_some_and(|other| other.stays_out())
    };
    needed.is_some_and(|needed| needed.attempts.contains(attempt) && !needed.attempts.iter().any(stays_out))
}

/// What a reply says: it is one, whatever else it is.
fn said(inbound: &Inbound) -> Vec<StopCondition> {
    use StopCondition::{Dispute, Hold, OptOut, Payment, Promise, Reply};
    let by_intent = |intent: &Intent| match intent {
        Intent::Stop | Intent::Cease => Some(OptOut),
        Intent::Dispute => Some(Dispute),
        Intent::Attorney | Intent::Bankruptcy | Intent::Deceased | Intent::Refusal => Some(Hold),
        Intent::AlreadyPaid => Some(Payment),
        Intent::Promise => Some(Promise),
        Intent::Help
        | Intent::Start
        | Intent::WrongNumber
        | Intent::Hardship
        | Intent::CallBack
        | Intent::Complaint
        | Intent::Inconvenient
        | Intent::Question
        | Intent::Courtesy => None,
    };
    let by_word = match inbound.understood {
        Understanding::Stop => Some(OptOut),
        Understanding::Dispute => Some(Dispute),
        Understanding::WrongNumber
        | Understanding::Help
        | Understanding::Start
        | Understanding::Other
        | Understanding::Unclear => None,
    };
    let heard: Vec<_> = by_word.into_iter().chain(inbound.intents.iter().filter_map(by_intent)).collect();
    let order = [OptOut, Dispute, Hold, Payment, Promise];
    order.into_iter().filter(|condition| heard.contains(condition)).chain([Reply]).collect()
}

/// A stop that the debtor gave to the provider, which tells us when it is asked to send.
fn refused(invalid: &PointInvalid) -> Vec<StopCondition> {
    match invalid.cause {
        FailureCause::OptedOut => vec![StopCondition::OptOut],
        FailureCause::InvalidAddress
        | FailureCause::Content
        | FailureCause::Account
        | FailureCause::Provider
        | FailureCause::Unspecified => Vec::new(),
    }
}

pub(super) fn holds(hold: &Hold) -> Vec<StopCondition> {
    match hold.kind {
        HoldKind::Retain => Vec::new(),
        HoldKind::Dispute => vec![StopCondition::Dispute, StopCondition::Hold],
        HoldKind::Cease
        | HoldKind::Attorney
        | HoldKind::Bankruptcy
        | HoldKind::Deceased
        | HoldKind::Incarcerated
        | HoldKind::Military
        | HoldKind::Litigation
        | HoldKind::RefusesToPay
        | HoldKind::BreathingSpace => vec![StopCondition::Hold],
    }
}

/// A contact that is on file, by where it comes from.
fn counted(state: &DebtorState, source: ContactSource) -> Option<&Contact> {
    state.contacts.iter().rfind(|contact| contact.source == source)
}

/// A contact made elsewhere. What was talked about before a cadence began was known when it was begun.
fn made_elsewhere(contact: &Contact, cadence: &CadenceState) -> Vec<StopCondition> {
    if contact.occurred_at < cadence.started_at { Vec::new() } else { contacted(contact, cadence) }
}

/// A contact with whoever counts as the debtor (12 CFR 1006.6(a)) or speaks for the debtor.
fn contacted(contact: &Contact, cadence: &CadenceState) -> Vec<StopCondition> {
    let speaks = match contact.party {
        Party::Debtor | Party::Spouse | Party::Attorney => true,
        Party::Creditor | Party::CreditBureau | Party::ThirdParty => false,
    };
    if !speaks || !covers_any(&contact.accounts, &cadence.accounts) {
        return Vec::new();
    }
    let talked = (contact.result == ContactResult::Conversation).then_some(StopCondition::Conversation);
    let began = (contact.direction == Direction::Inbound).then_some(StopCondition::Reply);
    talked.into_iter().chain(began).collect()
}

/// What upstream knows of a debtor's accounts, under their keys.
#[derive(Clone, Copy)]
struct Books<'a> {
    /// The accounts in upstream's order …
    outline: &'a DebtorOutline,
    /// … and with what is owed.
    file: &'a DebtorFile,
}

impl<'a> Books<'a> {
    fn accounts(self) -> impl Iterator<Item = (AccountKey, AccountStatus, &'a Account)> {
        let outlines = self.outline.accounts.iter();
        outlines.zip(&self.file.accounts).map(|(outline, account)| (outline.account, outline.status, account))
    }

    /// What newer books say of the accounts of a cadence.
    fn news(self, now: Self, cadence: &CadenceState) -> Vec<StopCondition> {
        let mut news = Vec::new();
        let open = |status: AccountStatus| status == AccountStatus::Open;
        for (key, before, known) in self.accounts().filter(|(key, ..)| cadence.is_about(*key)) {
            let Some((_, status, account)) = now.accounts().find(|(other, ..)| *other == key) else {
                news.extend(open(before).then_some(StopCondition::AccountClosed));
                continue;
            };
            if is_less(known.balance.as_ref(), account.balance.as_ref()) {
                news.push(StopCondition::Payment);
            }
            if open(before) {
                news.extend(match status {
                    AccountStatus::Open => None,
                    AccountStatus::Paid | AccountStatus::Settled => Some(StopCondition::Payment),
                    AccountStatus::Recalled | AccountStatus::Closed => Some(StopCondition::AccountClosed),
                });
            }
        }
        news.sort();
        news
    }
}

/// Whether less is owed than before; that nothing is owed counts also where it was not known how much was.
fn is_less(before: Option<&Money>, now: Option<&Money>) -> bool {
    match (before, now) {
        (Some(before), Some(now)) => before.currency() == now.currency() && now.minor() < before.minor(),
        (None, Some(now)) => now.minor() <= 0,
        (_, None) => false,
    }
}
