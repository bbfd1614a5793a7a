//! Which way a message goes: the channels open to a request, in order, and the provider that carries it.
//!
//! A request goes to the first of its channel's providers that may have it and works. Where that one surely reached nobody,
//! for reasons of its own, the request is decided anew and goes to the next: clock, caps and consent are asked again, and no
//! more than one attempt of a request ever stands. Once each has had its turn they begin again, after a pause. A provider whose
//! answer was lost is never followed by another.

use crate::coordination::breaker::{Admission, Standing};
use crate::domain::attempt::AttemptStatus;
use crate::domain::channel::{Channel, Direction};
use crate::domain::contact::{Contact, ContactResult};
use crate::domain::contact_point::PointKind;
use crate::domain::debtor::CollectorRole;
use crate::domain::event::Pause;
use crate::domain::id::RequestId;
use crate::domain::outcome::FailureClass;
use crate::domain::request::ChannelChoice;
use crate::domain::routing::{Because, Choice, NotUsed, PassedOver};
use crate::domain::state::{AttemptState, DebtorState, RequestState};
use crate::domain::time::{Span, Timestamp};
use crate::pipeline::carriers::Carrier;
use crate::pipeline::{Desk, schedule};
use std::cmp::Reverse;
use std::sync::Arc;

/// A request that waits for a provider is looked at again after this at the earliest …
const AT_LEAST: Span = Span::seconds(1);
/// … and those that wait together within this of each other, or within as long as they waited.
const SPREAD: Span = Span::seconds(30);

/// A request at the moment at which its way is chosen.
#[derive(Clone, Copy)]
pub struct Crossroads<'a> {
    /// Words and providers.
    pub desk: &'a Desk,
    /// The kill switches in force.
    pub pauses: &'a [Pause],
    /// The debtor.
    pub state: &'a DebtorState,
    /// The request.
    pub request: &'a RequestState,
    /// The moment.
    pub now: Timestamp,
}

/// The provider of a channel for a request.
pub enum Way {
    /// This one.
    Over {
        /// It.
        carrier: Arc<Carrier>,
        /// Those that may be tried if it surely reaches nobody.
        others: Vec<String>,
        /// Those further up, and why not they.
        passed_over: Vec<NotUsed>,
    },
    /// None works before that moment.
    Later(Timestamp, Vec<NotUsed>),
    /// None may have it.
    Nobody(Vec<NotUsed>),
}

impl Crossroads<'_> {
    /// The channels still open to the request, in the order to try them; and where the order is the gateway's own choice, why
    /// it is that.
    ///
    /// A channel all of whose providers are paused or barred gives way to one with a provider, and so does one that brought
    /// nothing for as long as the request waits for a channel; unless no other is left, so that the answer says why.
    pub fn channels(&self) -> (Vec<Channel>, Vec<Choice>) {
        let (mut order, mut choices) = (Vec::new(), Vec::new());
        for choice in &self.request.order.channels {
            match choice {
                ChannelChoice::Named(channel) => order.push(*channel),
                ChannelChoice::Auto => {
                    choices = self.own_choice();
                    order.extend(choices.iter().map(|choice| choice.channel));
                }
            }
        }
        order.retain(|channel| self.desk.carriers.has(*channel) && !self.request.tried.contains(channel));
        choices.retain(|choice| order.contains(&choice.channel));
        if order.len() > 1 {
            retain_if_any(&mut order, |channel| {
                self.desk.carriers.of(channel).any(|carrier| self.bar(carrier).is_none())
            });
            retain_if_any(&mut order, |channel| !self.gave_way(channel));
        }
        (order, choices)
    }

    /// What the debtor prefers, then what has worked, the newest first, then the usual order; of these what the template and
    /// the debtor's file have.
    fn own_choice(&self) -> Vec<Choice> {
        let preferred = self.state.preferences.preferred_channel;
        let offered = self.desk.templates.combinations(&self.request.order.template);
        let on_file = |channel: Channel| {
            let kind = PointKind::of(channel);
            self.state.outline.points.iter().any(|point| Some(point.kind) == kind)
        };
        let mut choices: Vec<Choice> = [Channel::Sms, Channel::Email, Channel::Portal, Channel::Voice]
            .into_iter()
            .filter(|channel| offered.iter().any(|(_, offered)| offered == channel) && on_file(*channel))
            .map(|channel| {
                let worked = self.state.contacts.iter().rev().find_map(|contact| worked(contact, channel));
                match worked {
                    _ if preferred == Some(channel) => {
                        Choice { because: Because::Preferred, channel, since: None }
                    }
                    Some((because, since)) => Choice { because, channel, since: Some(since) },
                    None => Choice { because: Because::UsualOrder, channel, since: None },
                }
            })
            .collect();
        choices.sort_by_key(|choice| (choice.because != Because::Preferred, Reverse(choice.since)));
        choices
    }

    /// Whether a channel has brought nothing for as long as the request waits for one.
    fn gave_way(&self, channel: Channel) -> bool {
        let since = schedule::fruitless_since(self.request, &self.state.attempts, channel);
        let patience = self.request.order.fallback_after;
        since.zip(patience).is_some_and(|(since, patience)| self.now >= since.plus(patience))
    }

    /// The provider of a channel that the request goes to next.
    pub fn way(&self, channel: Channel) -> Way {
        let mut passed_over = Vec::new();
        let mut able: Vec<&Arc<Carrier>> = Vec::new();
        for carrier in self.desk.carriers.of(channel) {
            match self.bar(carrier) {
                Some((reason, until)) => passed_over.push(not_used(carrier, reason, until)),
                None => able.push(carrier),
            }
        }
        if able.is_empty() {
            return Way::Nobody(passed_over);
        }
        // Of a round that has begun those that have not had their turn; where none of them is left, a new round.
        if let Some(last) = self.gave_way_last(channel) {
            let (left, done): (Vec<_>, Vec<_>) =
                able.iter().copied().partition(|carrier| last.others.contains(&carrier.name));
            if !left.is_empty() {
                passed_over.extend(done.iter().map(|c| not_used(c, PassedOver::NeverLeft, None)));
                able = left;
            }
        }
        let (mut reluctant, mut until): (Option<&Arc<Carrier>>, Option<Timestamp>) = (None, None);
        for carrier in &able {
            match carrier.admit(self.now) {
                Admission::Go => {
                    return Way::Over {
                        carrier: Arc::clone(carrier),
                        others: self.others(&able, carrier),
                        passed_over,
                    };
                }
                Admission::RatherNot => {
                    reluctant = reluctant.or(Some(carrier));
                    passed_over.push(not_used(carrier, PassedOver::Returning, None));
                }
                Admission::No(moment) => {
                    until = Some(until.map_or(moment, |earlier| earlier.min(moment)));
                    let reason = match carrier.standing(self.now) {
                        Standing::Resting(_) => PassedOver::Resting,
                        Standing::InService
                        | Standing::OutOfService(_)
                        | Standing::Probing
                        | Standing::Returning(_) => PassedOver::OutOfService,
                    };
                    passed_over.push(not_used(carrier, reason, Some(moment)));
                }
            }
        }
        if let Some(carrier) = reluctant {
            passed_over.retain(|passed| passed.provider != carrier.name);
            let others = self.others(&able, carrier);
            return Way::Over { carrier: Arc::clone(carrier), others, passed_over };
        }
        Way::Later(until.unwrap_or(self.now), passed_over)
    }

    /// When a request that waits for a provider is looked at again: not all of them at once, and where another channel stands
    /// behind this one, when its turn comes.
    pub fn again_at(&self, id: RequestId, channel: Channel, until: Timestamp, may_turn: bool) -> Timestamp {
        let earliest = until.max(self.now.plus(AT_LEAST));
        let spread = earliest.since(self.now).as_millis().min(SPREAD.as_millis());
        let [.., high, low] = *id.as_bytes();
        let part = i64::from(u16::from_be_bytes([high, low]));
        let moment = earliest.plus(Span::millis(spread * part / i64::from(u16::MAX)));
        let since =
            schedule::fruitless_since(self.request, &self.state.attempts, channel).unwrap_or(self.now);
        let turn =
            self.request.order.fallback_after.filter(|_| may_turn).map(|patience| since.plus(patience));
        turn.filter(|turn| *turn > self.now).map_or(moment, |turn| moment.min(turn))
    }

    /// Those of the round that may be tried if this one surely reaches nobody.
    fn others(&self, able: &[&Arc<Carrier>], chosen: &Arc<Carrier>) -> Vec<String> {
        able.iter()
            .filter(|carrier| !Arc::ptr_eq(carrier, chosen))
            .filter(|carrier| match carrier.outlook(self.now) {
                Admission::Go | Admission::RatherNot => true,
                Admission::No(_) => false,
            })
            .map(|carrier| carrier.name.clone())
            .collect()
    }

    /// The attempt that went before on this channel, if it left its place to another provider.
    fn gave_way_last(&self, channel: Channel) -> Option<&AttemptState> {
        let last = self.request.attempts.last().and_then(|id| self.state.attempts.get(id))?;
        (last.channel == channel && last.gives_way()).then_some(last)
    }

    /// Why a provider may not have this request, whether or not it works.
    fn bar(&self, carrier: &Carrier) -> Option<(PassedOver, Option<Timestamp>)> {
        if let Some(pause) = self.pauses.iter().find(|pause| carrier.is_paused(pause, self.now)) {
            return Some((PassedOver::Paused, pause.until));
        }
        if !carrier.third_party_collections() && self.collects_for_others() {
            return Some((PassedOver::ThirdPartyDebt, None));
        }
        let refused =
            self.request.attempts.iter().filter_map(|id| self.state.attempts.get(id)).any(|attempt| {
                attempt.channel == carrier.channel
                    && attempt.provider == carrier.name
                    && attempt.status == AttemptStatus::Failed
                    && attempt.failure.as_ref().is_some_and(|failure| failure.class == FailureClass::Refused)
            });
        refused.then_some((PassedOver::Refused, None))
    }

    /// Whether a debt in question is collected for others. A bought debt is one too: the vendors' rules do not tell them apart.
    fn collects_for_others(&self) -> bool {
        let asked = &self.request.order.accounts;
        let accounts = &self.state.outline.accounts;
        let in_question =
            accounts.iter().filter(|account| asked.is_empty() || asked.contains(&account.account));
        in_question.map(|account| account.collector_role).any(|role| match role {
            CollectorRole::ThirdParty | CollectorRole::DebtBuyer => true,
            CollectorRole::FirstParty | CollectorRole::Servicer => false,
        })
    }
}

/// What a contact says for its channel, and since when.
fn worked(contact: &Contact, channel: Channel) -> Option<(Because, Timestamp)> {
    if contact.channel != channel {
        return None;
    }
    let because = match (contact.result, contact.direction) {
        (ContactResult::Conversation, _) => Because::Conversation,
        (ContactResult::Delivered, Direction::Inbound) => Because::Replied,
        (ContactResult::Delivered, Direction::Outbound) => Because::Delivered,
        (
            ContactResult::NoAnswer
            | ContactResult::Busy
            | ContactResult::Voicemail
            | ContactResult::LimitedContentMessage
            | ContactResult::NotConnected
            | ContactResult::WrongNumber
            | ContactResult::Sent
            | ContactResult::Bounced
            | ContactResult::Failed,
            _,
        ) => return None,
    };
    Some((because, contact.occurred_at))
}

fn not_used(carrier: &Carrier, reason: PassedOver, until: Option<Timestamp>) -> NotUsed {
    NotUsed { provider: carrier.name.clone(), reason, until }
}

/// Keeps what `keep` says, unless that is nothing.
fn retain_if_any(order: &mut Vec<Channel>, keep: impl Fn(Channel) -> bool) {
    if order.iter().any(|channel| keep(*channel)) {
        order.retain(|channel| keep(*channel));
    }
}
