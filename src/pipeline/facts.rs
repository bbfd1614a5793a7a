//! From state to the facts that policy judges by.

use crate::domain::channel::{Channel, Claim, Party, Purpose};
use crate::domain::consent::OptOut;
use crate::domain::contact::Contact;
use crate::domain::contact_point::{PointKind, PointOutline};
use crate::domain::id::{AccountKey, PointKey};
use crate::domain::state::DebtorState;
use crate::domain::time::Timestamp;
use crate::policy::Facts;
use std::borrow::Cow;

/// A contact that somebody has in mind.
#[derive(Clone, Debug)]
pub struct Intent {
    /// The accounts it is about; empty means that none is named.
    pub accounts: Vec<AccountKey>,
    /// Whether a machine makes it.
    pub automated: bool,
    /// When.
    pub at: Timestamp,
    /// Over which medium.
    pub channel: Channel,
    /// With whom.
    pub party: Party,
    /// Over which point; the best usable one, where none.
    pub point: Option<PointKey>,
    /// Why.
    pub purpose: Purpose,
    /// What its message says that law looks at.
    pub says: Vec<Claim>,
}

/// What other debtors' files say about accounts and contact points that a debtor shares with them.
#[derive(Clone, Debug, Default)]
pub struct Elsewhere {
    /// Contacts about shared accounts or over shared points, by the time they occurred.
    pub contacts: Vec<Contact>,
    /// Stops that came from shared points: they bind the point on every file.
    pub opt_outs: Vec<OptOut>,
    /// Points that a reply on another file froze.
    pub frozen: Vec<PointKey>,
}

impl Elsewhere {
    /// Takes in what another debtor's file says.
    pub fn add(&mut self, own: &DebtorState, other: &DebtorState) {
        let shares_point = |point: Option<PointKey>| point.is_some_and(|key| own.point(key).is_some());
        // What named no account was about every account of the one whose file it stands on, and about no other.
        let theirs: Vec<AccountKey> = other.outline.accounts.iter().map(|account| account.account).collect();
        let about = |contact: &'_ Contact| -> Vec<AccountKey> {
            if contact.accounts.is_empty() { theirs.clone() } else { contact.accounts.clone() }
        };
        let shared = |key: &AccountKey| own.outline.accounts.iter().any(|account| account.account == *key);
        let joint = theirs.iter().any(shared);
        let shares_account =
            |contact: &Contact| (joint && contact.accounts.is_empty()) || contact.accounts.iter().any(shared);
        self.contacts.extend(
            other
                .contacts
                .iter()
                .filter(|contact| shares_account(contact) || shares_point(contact.point))
                .map(|contact| Contact { accounts: about(contact), ..contact.clone() }),
        );
        self.opt_outs.extend(other.opt_outs.iter().filter(|stop| shares_point(stop.point)).map(|stop| {
            // On another's file the stop is the number's own: it is about the point, not about the accounts named there.
            OptOut { accounts: Vec::new(), ..stop.clone() }
        }));
        self.frozen.extend(other.frozen.iter().map(|(_, point)| *point).filter(|p| own.point(*p).is_some()));
    }

    /// Puts the contacts in the order that policy expects.
    pub fn sort(&mut self) {
        self.contacts.sort_by_key(|contact| contact.occurred_at);
    }
}

/// A debtor as policy sees it: what is on its file and what stands elsewhere.
pub struct Subject<'a> {
    state: &'a DebtorState,
    elsewhere: Vec<&'a Contact>,
    opt_outs: Cow<'a, [OptOut]>,
    frozen: Vec<PointKey>,
    disclosed: Vec<(PointKey, Timestamp)>,
}

impl<'a> Subject<'a> {
    /// Joins the two.
    pub fn new(state: &'a DebtorState, elsewhere: &'a Elsewhere) -> Self {
        let opt_outs = if elsewhere.opt_outs.is_empty() {
            Cow::Borrowed(state.opt_outs.as_slice())
        } else {
            Cow::Owned(state.opt_outs.iter().chain(&elsewhere.opt_outs).cloned().collect())
        };
        let frozen = state.frozen.iter().map(|(_, point)| *point).chain(elsewhere.frozen.iter().copied());
        let disclosed = elsewhere.contacts.iter().filter_map(Contact::discloses);
        let disclosed = state.disclosed.iter().copied().chain(disclosed);
        Self {
            state,
            elsewhere: elsewhere.contacts.iter().collect(),
            opt_outs,
            frozen: frozen.collect(),
            disclosed: disclosed.collect(),
        }
    }

    /// The debtor's own state.
    pub fn state(&self) -> &'a DebtorState {
        self.state
    }

    /// The points that a channel could use, in upstream's order, usable or not.
    pub fn points(&self, channel: Channel) -> impl Iterator<Item = &'a PointOutline> + use<'a> {
        let kind = PointKind::of(channel);
        self.state.outline.points.iter().filter(move |point| Some(point.kind) == kind)
    }

    /// The points that must not be used on a channel.
    pub fn invalid(&self, channel: Channel) -> Vec<PointKey> {
        let bars = |on: Option<Channel>| on.is_none_or(|on| on == channel);
        self.state.invalid_points.iter().filter(|i| bars(i.channel)).map(|i| i.point).collect()
    }

    /// Everything that a rule may look at, for one intent over one point.
    pub fn facts<'b>(
        &'b self,
        intent: &'b Intent,
        point: Option<&'b PointOutline>,
        invalid: &'b [PointKey],
    ) -> Facts<'b> {
        Facts {
            at: intent.at,
            channel: intent.channel,
            purpose: intent.purpose,
            says: &intent.says,
            party: intent.party,
            automated: intent.automated,
            accounts: &intent.accounts,
            point,
            debtor: &self.state.outline,
            consents: &self.state.consents,
            opt_outs: &self.opt_outs,
            holds: &self.state.holds,
            preferences: &self.state.preferences,
            contacts: &self.state.contacts,
            elsewhere: &self.elsewhere,
            disclosed_points: &self.disclosed,
            invalid_points: invalid,
            frozen_points: &self.frozen,
        }
    }
}
