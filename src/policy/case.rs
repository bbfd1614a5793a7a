//! A case: the facts, prepared once for an evaluation so that every rule finds what it needs without looking for it.

use crate::domain::channel::{Channel, Direction, Party, Purpose};
use crate::domain::consent::{Consent, ConsentScope, GivenTo, OptOut, covers_all, covers_any};
use crate::domain::contact::{Contact, ContactResult};
use crate::domain::debtor::AccountOutline;
use crate::domain::id::{AccountKey, DebtKey, PointKey};
use crate::domain::time::{Span, Timestamp};
use crate::domain::zone::Zone;
use crate::policy::facts::{Facts, zones_in_play};
use std::cell::OnceCell;

/// No change before this: never.
pub(in crate::policy) const FAR: Timestamp = Timestamp::from_millis(i64::MAX);

/// The facts and what follows from them for every rule.
pub(in crate::policy) struct Case<'a> {
    pub facts: &'a Facts<'a>,
    /// The zones in play; where none is known, the two ends of the earth, which bracket every other.
    pub zones: Vec<Zone>,
    /// Whether any zone is known.
    pub located: bool,
    /// The accounts on file that the contact is about; all of them where none was named.
    pub accounts: Vec<&'a AccountOutline>,
    /// Whether any consent to more calls is on file.
    has_excess_consent: bool,
    /// The debtor's own written messages over the medium and point asked about, looked for once.
    written_to_us: OnceCell<Vec<usize>>,
}

/// What a cap counts by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::policy) enum Unit {
    /// A particular debt, with all the accounts that belong to it.
    Debt(DebtKey),
    /// One account.
    Account(AccountKey),
    /// One contact point, on whoever's file.
    Point(PointKey),
    /// The debtor, whatever the contact was about.
    Debtor,
}

impl<'a> Case<'a> {
    pub fn new(facts: &'a Facts<'a>) -> Self {
        let mut zones = zones_in_play(facts.debtor);
        let located = !zones.is_empty();
        if !located {
            zones.extend(Zone::ends_of_the_earth().into_iter().flatten());
        }
        let accounts = facts.debtor.accounts.iter();
        let accounts = accounts
            .filter(|outline| facts.accounts.is_empty() || facts.accounts.contains(&outline.account))
            .collect();
        let has_excess_consent =
            facts.consents.iter().any(|consent| consent.scope == ConsentScope::ExcessCalls);
        Self { facts, zones, located, accounts, has_excess_consent, written_to_us: OnceCell::new() }
    }

    /// The debtor's own messages over the medium and exact point asked about, the oldest first.
    pub fn written_to_us(&self) -> impl Iterator<Item = &'a Contact> {
        let contacts = self.facts.contacts;
        let places = self.written_to_us.get_or_init(|| {
            let (channel, point) = (self.facts.channel, self.point());
            let from_there = |(_, contact): &(usize, &Contact)| {
                contact.direction == Direction::Inbound
                    && contact.channel == channel
                    && contact.party == Party::Debtor
                    && point.is_some()
                    && contact.point == point
            };
            contacts.iter().enumerate().filter(from_there).map(|(place, _)| place).collect()
        });
        places.iter().filter_map(|place| contacts.get(*place))
    }

    /// When a text or email over the point asked about first reached somebody else.
    pub fn disclosed_at(&self) -> Option<Timestamp> {
        let point = self.point()?;
        let here = self.facts.disclosed_points.iter().filter(|(disclosed, _)| *disclosed == point);
        here.map(|(_, at)| *at).min()
    }

    /// Whether the contact names an account that is not on file.
    pub fn names_unknown_account(&self) -> bool {
        let known = |key: &AccountKey| self.accounts.iter().any(|outline| outline.account == *key);
        !self.facts.accounts.iter().all(known)
    }

    /// The keyed hash of the contact point, if there is one.
    pub fn point(&self) -> Option<PointKey> {
        self.facts.point.map(|outline| outline.point)
    }

    /// The first instant of the window of `days` local calendar days that ends with the day of `at`: of all candidate
    /// zones the one that reaches back furthest.
    pub fn window_start(&self, at: Timestamp, days: i64) -> Timestamp {
        let start = |zone: &Zone| zone.start_of_day(zone.local(at).day - days + 1);
        self.zones.iter().map(start).min().unwrap_or(at)
    }

    /// When `since` has left a window of `days` local calendar days, its own being the first: in every candidate zone.
    pub fn window_end(&self, since: Timestamp, days: i64) -> Timestamp {
        let end = |zone: &Zone| zone.start_of_day(zone.local(since).day + days);
        self.zones.iter().map(end).max().unwrap_or(FAR)
    }

    /// Contacts until and at an instant, the newest first, with whether they are the debtor's own.
    pub fn newest_first(&self, at: Timestamp) -> NewestFirst<'a> {
        let own = self.facts.contacts;
        let elsewhere = self.facts.elsewhere;
        let own = own.get(..own.partition_point(|contact| contact.occurred_at <= at)).unwrap_or_default();
        let elsewhere = elsewhere
            .get(..elsewhere.partition_point(|contact| contact.occurred_at <= at))
            .unwrap_or_default();
        NewestFirst { own, elsewhere }
    }

    /// The first contact after an instant, ours or elsewhere: a count may change then.
    pub fn next_contact(&self, at: Timestamp) -> Timestamp {
        let own = self.facts.contacts;
        let own =
            own.get(own.partition_point(|contact| contact.occurred_at <= at)).map(|next| next.occurred_at);
        let elsewhere = self.facts.elsewhere;
        let elsewhere = elsewhere
            .get(elsewhere.partition_point(|contact| contact.occurred_at <= at))
            .map(|next| next.occurred_at);
        own.unwrap_or(FAR).min(elsewhere.unwrap_or(FAR))
    }

    /// Whether a contact counts for a unit. One that named no account counts for every account of its own debtor, and for
    /// none on another's file.
    pub fn counts_for(&self, contact: &Contact, own: bool, unit: Unit) -> bool {
        let about_all = own && contact.accounts.is_empty();
        match unit {
            Unit::Debt(debt) => {
                about_all
                    || self
                        .facts
                        .debtor
                        .accounts
                        .iter()
                        .any(|outline| outline.debt == debt && contact.accounts.contains(&outline.account))
            }
            Unit::Account(account) => about_all || contact.accounts.contains(&account),
            Unit::Point(point) => contact.point == Some(point),
            Unit::Debtor => own,
        }
    }

    /// Until when a direct prior consent to more calls holds at an instant for a unit and a point, if one does.
    ///
    /// It lasts seven consecutive days, the day it was received being the first, and ends with the next conversation
    /// about the debt or with its revocation (12 CFR 1006.14(b)(3)(i), comment 14(b)(3)(i)-2).
    pub fn excess_consent(&self, unit: Unit, point: Option<PointKey>, at: Timestamp) -> Option<Timestamp> {
        if !self.has_excess_consent {
            return None;
        }
        let live = |consent: &&Consent| {
            consent.scope == ConsentScope::ExcessCalls
                && consent.channel == Channel::Voice
                && consent.given_to == GivenTo::Collector
                && consent.in_force(at)
                && consent.point.is_none_or(|covered| point == Some(covered))
                && self.consent_covers(consent, unit)
        };
        let ends =
            self.facts.consents.iter().filter(live).map(|consent| self.excess_end(consent, unit, point));
        ends.filter(|end| at < *end).max()
    }

    fn consent_covers(&self, consent: &Consent, unit: Unit) -> bool {
        consent.accounts.is_empty()
            || match unit {
                Unit::Debt(debt) => {
                    let of_debt = |outline: &&AccountOutline| outline.debt == debt;
                    let mut accounts = self.facts.debtor.accounts.iter().filter(of_debt);
                    accounts.any(|outline| consent.accounts.contains(&outline.account))
                }
                Unit::Account(account) => consent.accounts.contains(&account),
                Unit::Point(_) | Unit::Debtor => false,
            }
    }

    fn excess_end(&self, consent: &Consent, unit: Unit, point: Option<PointKey>) -> Timestamp {
        let granted = consent.granted_at;
        let in_every_zone = |zone: &Zone| zone.start_of_day(zone.local(granted).day + 7);
        let week = self.zones.iter().map(in_every_zone).min().unwrap_or(granted);
        let own = self.facts.contacts;
        let after =
            own.get(own.partition_point(|contact| contact.occurred_at <= granted)..).unwrap_or_default();
        let talk = after
            .iter()
            .find(|contact| is_talk(contact) && self.counts_for(contact, true, unit))
            // The call in which they talked was itself consented to; the next one is not.
            .map_or(FAR, |contact| contact.occurred_at.plus(Span::millis(1)));
        let stop = self
            .facts
            .opt_outs
            .iter()
            .filter(|stop| stop.received_at > granted && stop.channel.covers(Channel::Voice))
            .filter(|stop| stop.point.is_none_or(|stopped| point == Some(stopped)))
            .map(|stop| stop.received_at)
            .min();
        week.min(talk).min(stop.unwrap_or(FAR)).min(consent.expires_at.unwrap_or(FAR))
    }

    /// Until when a consent of a scope for the medium and point asked about holds at an instant, if one does.
    pub fn consented(&self, scope: ConsentScope, at: Timestamp) -> Option<Timestamp> {
        let (channel, point) = (self.facts.channel, self.point());
        let live = self.facts.consents.iter().filter(|consent| {
            consent.scope == scope
                && consent.channel == channel
                && consent.granted_at <= at
                && consent.point.is_none_or(|covered| point == Some(covered))
                && covers_all(&consent.accounts, self.facts.accounts)
        });
        let end = |consent: &Consent| {
            let stops = self.facts.opt_outs.iter().filter(|stop| {
                stop.received_at >= consent.granted_at
                    && stop.channel.covers(channel)
                    && stop.point.is_none_or(|stopped| point == Some(stopped))
                    && covers_any(&stop.accounts, self.facts.accounts)
            });
            let stop = stops.map(|stop| stop.received_at).min().unwrap_or(FAR);
            consent.expires_at.unwrap_or(FAR).min(stop)
        };
        live.map(end).filter(|end| at < *end).max()
    }

    /// Whether the contact answers the debtor, who began one over the same medium and point within a span before `at`,
    /// and is the only answer (comment 6(b)(1)-2; 12 CFR 1006.14(h)(2)). Gives until when it does.
    pub fn answers_debtor(&self, at: Timestamp, within: Span) -> Option<Timestamp> {
        match self.facts.purpose {
            Purpose::OptOutConfirmation => self.confirms_stop(at, within),
            Purpose::ConsumerRequested
            | Purpose::PaymentReceipt
            | Purpose::Collection
            | Purpose::ValidationNotice
            | Purpose::RequiredNotice => self.answers_since(at, within, Timestamp::from_millis(i64::MIN)),
        }
    }

    /// Whether the contact is the only answer to one that the debtor began within a span before `at` and after a moment,
    /// such as that of a refusal. Gives until when it is.
    pub fn answers_since(&self, at: Timestamp, within: Span, since: Timestamp) -> Option<Timestamp> {
        match self.facts.purpose {
            Purpose::ConsumerRequested | Purpose::PaymentReceipt => {
                let newest = self.newest_here(at).next()?;
                let answers = newest.direction == Direction::Inbound
                    && newest.occurred_at > since
                    && at < newest.occurred_at.plus(within);
                answers.then(|| newest.occurred_at.plus(within).min(self.next_contact(at)))
            }
            Purpose::OptOutConfirmation
            | Purpose::Collection
            | Purpose::ValidationNotice
            | Purpose::RequiredNotice => None,
        }
    }

    /// The first moment after `at` from which the contact may be an answer although it is none now: facts may be dated later.
    pub fn next_answerable(&self, at: Timestamp) -> Timestamp {
        match self.facts.purpose {
            Purpose::ConsumerRequested | Purpose::PaymentReceipt => self.next_contact(at),
            Purpose::OptOutConfirmation => {
                let stops = self.facts.opt_outs.iter().map(|stop| stop.received_at);
                stops.filter(|received| *received > at).min().unwrap_or(FAR)
            }
            Purpose::Collection | Purpose::ValidationNotice | Purpose::RequiredNotice => FAR,
        }
    }

    /// Whether the contact is the one confirmation of a stop that was received within a span before `at`
    /// (12 CFR 1006.14(h)(2)(i), 47 CFR 64.1200(a)(12)). Gives until when it is.
    pub fn confirms_stop(&self, at: Timestamp, within: Span) -> Option<Timestamp> {
        let recent = |stop: &&OptOut| stop.received_at <= at && at < stop.received_at.plus(within);
        let here = |stop: &&OptOut| {
            stop.channel.covers(self.facts.channel)
                && stop.point.is_none_or(|stopped| self.point() == Some(stopped))
        };
        let received =
            self.facts.opt_outs.iter().filter(recent).filter(here).map(|stop| stop.received_at).max()?;
        let mut since = self.newest_here(at).take_while(|contact| contact.occurred_at >= received);
        let answered = since.any(|contact| contact.direction == Direction::Outbound);
        (!answered).then(|| received.plus(within).min(self.next_contact(at)))
    }

    /// The debtor's own contacts over the medium and point asked about, until and at an instant, the newest first.
    fn newest_here(&self, at: Timestamp) -> impl Iterator<Item = &'a Contact> {
        let (channel, point) = (self.facts.channel, self.point());
        self.newest_first(at)
            .filter(|(_, own)| *own)
            .map(|(contact, _)| contact)
            .filter(move |contact| contact.channel == channel)
            .filter(move |contact| contact.point.is_none() || contact.point == point)
    }
}

/// A live exchange on the telephone, whoever called.
pub(in crate::policy) fn is_talk(contact: &Contact) -> bool {
    contact.channel == Channel::Voice && contact.result == ContactResult::Conversation
}

/// Two sorted lists of contacts, merged from the newest to the oldest.
#[derive(Clone)]
pub(in crate::policy) struct NewestFirst<'a> {
    own: &'a [Contact],
    elsewhere: &'a [&'a Contact],
}

impl<'a> Iterator for NewestFirst<'a> {
    type Item = (&'a Contact, bool);

    fn next(&mut self) -> Option<Self::Item> {
        let from_own = match (self.own.last(), self.elsewhere.last()) {
            (Some(own), Some(elsewhere)) => own.occurred_at >= elsewhere.occurred_at,
            (own, _) => own.is_some(),
        };
        if from_own {
            let (last, rest) = self.own.split_last()?;
            self.own = rest;
            Some((last, true))
        } else {
            let (last, rest) = self.elsewhere.split_last()?;
            self.elsewhere = rest;
            Some((*last, false))
        }
    }
}
