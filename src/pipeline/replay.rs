//! The history asked again: every recorded decision taken anew from what was known then, under this policy or another.
//!
//! One writer records everything in one order, so what was known at a decision is what stands at lower leaves: the debtor's
//! own events up to `as_of_seq`, those of everybody who shares an account or a contact point, and the pauses. What the
//! configuration knew stands in the decision itself: the channels that were open, and a refusal because nobody could carry
//! the message or because it could not be written. Under the policy that decided, the answer must therefore be the very same.
//!
//! # Decisions
//! - 2026-11-23: a decision taken before its debtor was erased is answered [`Verdict::Erased`], although the clear parts would
//!   often give it again: what was said to a person who has been erased is nobody's to ask. Rejected: answering where it can be
//!   answered, which would tell apart what should look alike.
//! - 2026-11-23: debtors are replayed one after the other, each with those who share something with it, so that memory does not
//!   grow with the log. Rejected: one walk over the log with every debtor's state at hand.

use crate::domain::channel::Channel;
use crate::domain::decision::{Decision, Outcome};
use crate::domain::event::{DecisionRecord, Event, EventBody, Pause, PermitGrant, Stream};
use crate::domain::id::{DebtorKey, PermitId, Pseudonymiser, RequestId};
use crate::domain::request::ChannelChoice;
use crate::domain::state::{DebtorState, RequestState};
use crate::domain::zone;
use crate::pipeline::decide::{self, Circumstances, NO_MESSAGE, NO_PROVIDER, PROVIDERS_DOWN, Terms};
use crate::pipeline::facts::{Elsewhere, Intent, Subject};
use crate::policy::Policy;
use crate::storage::{HistoryFilter, Reader, StorageError};
use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};

/// Events that carry a decision.
const DECISIONS: [&str; 2] = ["decision.made", "permit.issued"];
/// Leaves read at a time.
const PAGE: usize = 1_000;

/// What a decision was made for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum For {
    /// A contact request, with upstream's identifier unless that is gone.
    Request(RequestId, Option<String>),
    /// A permit.
    Permit(PermitId),
}

/// How a decision comes out the second time.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// To the last word the same.
    Same,
    /// The same answer for other reasons, or in other words.
    Reasons(Box<Decision>),
    /// Another answer.
    Answer(Box<Decision>),
    /// The debtor was erased, before or since.
    Erased,
}

/// A recorded decision taken again.
#[derive(Clone, Debug)]
pub struct Replayed {
    /// Where it stands in the log.
    pub leaf: u64,
    /// Where it stands in the debtor's chain.
    pub seq: u64,
    /// Whom it is about.
    pub debtor: DebtorKey,
    /// Upstream's identifier of the debtor, unless that is gone.
    pub debtor_id: Option<String>,
    /// What it was made for.
    pub subject: For,
    /// What was recorded.
    pub recorded: DecisionRecord,
    /// Whether it was taken under the very policy and time-zone rules that it is replayed under.
    pub same_law: bool,
    /// How it comes out now.
    pub verdict: Verdict,
}

/// A history, up to where it stood when the replay began, and the policy to ask.
pub struct Replay<'a> {
    reader: &'a Reader,
    names: &'a dyn Pseudonymiser,
    policy: &'a Policy,
    /// Behind the last leaf that is looked at.
    end: u64,
    /// The pauses in force from each leaf on.
    pauses: Vec<(u64, Vec<Pause>)>,
}

impl<'a> Replay<'a> {
    /// Fixes the end, so that what is recorded meanwhile changes nothing.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn new(
        reader: &'a Reader,
        names: &'a dyn Pseudonymiser,
        policy: &'a Policy,
    ) -> Result<Self, StorageError> {
        let end = reader.log_size()?;
        let mut replay = Self { reader, names, policy, end, pauses: Vec::new() };
        replay.pauses = pauses(&replay.events(Stream::Installation)?);
        Ok(replay)
    }

    /// How many leaves are looked at.
    pub fn leaves(&self) -> u64 {
        self.end
    }

    /// Takes every decision again, debtor by debtor in the order of their first one; `passed` hears now and then up to which
    /// leaf there is nothing new.
    ///
    /// # Errors
    /// The store cannot be read, or whatever `each` says.
    pub fn run<E: From<StorageError>>(
        &self,
        mut each: impl FnMut(Replayed) -> Result<(), E>,
        mut passed: impl FnMut(u64),
    ) -> Result<(), E> {
        let types = DECISIONS.map(str::to_owned).to_vec();
        let mut filter = HistoryFilter { types, limit: PAGE, ..HistoryFilter::default() };
        let mut seen: HashSet<DebtorKey> = HashSet::new();
        loop {
            let page = self.reader.history_page(&filter)?;
            for row in page.items.iter().take_while(|row| row.leaf < self.end) {
                if let Stream::Debtor(debtor) = row.stream
                    && seen.insert(debtor)
                {
                    self.debtor(debtor, &mut each)?;
                }
                passed(row.leaf);
            }
            match page.next {
                Some(next) if next + 1 < self.end => filter.after = Some(next),
                Some(_) | None => return Ok(()),
            }
        }
    }

    /// Takes every decision about one debtor again, in order.
    ///
    /// # Errors
    /// The store cannot be read, or whatever `each` says.
    pub fn debtor<E: From<StorageError>>(
        &self,
        debtor: DebtorKey,
        each: &mut impl FnMut(Replayed) -> Result<(), E>,
    ) -> Result<(), E> {
        let own = self.events(Stream::Debtor(debtor))?;
        let erased = own.iter().rfind(|(_, event)| matches!(event.body, EventBody::DebtorErased(..)));
        let erased = erased.map_or(0, |(leaf, _)| *leaf);
        let mut family = Family::new(self.relatives(debtor, &own)?);
        let mut state = DebtorState::default();
        for (place, (leaf, event)) in own.iter().enumerate() {
            if let Some((recorded, subject, grant)) = decided(&state, event) {
                let verdict = if *leaf < erased || !state.is_on_file() {
                    Verdict::Erased
                } else {
                    let then = self.known(&own[..place], &state, recorded, *leaf, &mut family);
                    verdict(&recorded.decision, self.again(&then, recorded, grant))
                };
                each(Replayed {
                    leaf: *leaf,
                    seq: event.seq,
                    debtor,
                    debtor_id: state.debtor_id.clone(),
                    subject,
                    recorded: recorded.clone(),
                    same_law: recorded.policy.digest == self.policy.digest()
                        && recorded.tzdb == zone::tzdb_version(),
                    verdict,
                })?;
            }
            state.apply(event.clone());
        }
        Ok(())
    }

    /// What was known when a decision was taken: everything before it, or up to the event that it names.
    fn known<'s>(
        &'s self,
        before: &[(u64, Event)],
        state: &'s DebtorState,
        recorded: &DecisionRecord,
        leaf: u64,
        family: &mut Family,
    ) -> Known<'s> {
        let (state, leaf) = if recorded.as_of_seq == state.seq {
            (Cow::Borrowed(state), leaf)
        } else {
            let folded = before.partition_point(|(_, event)| event.seq <= recorded.as_of_seq);
            let state = DebtorState::fold(before[..folded].iter().map(|(_, event)| event.clone()));
            (Cow::Owned(state), before.get(folded).map_or(leaf, |(leaf, _)| *leaf))
        };
        let place = self.pauses.partition_point(|(from, _)| *from < leaf);
        let pauses = place.checked_sub(1).map_or(&[][..], |last| &self.pauses[last].1);
        Known { elsewhere: family.elsewhere(&state, leaf), state, pauses }
    }

    /// The decision taken again.
    fn again(&self, then: &Known<'_>, recorded: &DecisionRecord, grant: Option<Grant<'_>>) -> Decision {
        let here = Circumstances { names: self.names, pauses: then.pauses };
        let subject = Subject::new(&then.state, &then.elsewhere);
        let at = recorded.decision.at;
        if let Some((grant, named)) = grant {
            let contact = &grant.contact;
            let intent = Intent {
                accounts: contact.accounts.clone(),
                automated: contact.automated,
                at,
                channel: contact.channel,
                party: contact.party,
                point: contact.point.filter(|_| named),
                purpose: contact.purpose,
                says: grant.says.clone(),
            };
            return decide::decide(here, self.policy, &subject, &intent, Terms::default());
        }
        let Some(request) = recorded.request.and_then(|id| then.state.requests.get(&id)) else {
            return recorded.decision.clone();
        };
        let channels = recorded.channels.clone().unwrap_or_else(|| untried(request));
        let law = decide::decide_request(here, self.policy, &subject, request, &channels, at);
        // Whether anybody could carry it, and whether its message could be written, was no matter of law.
        let house = [NO_PROVIDER, PROVIDERS_DOWN, NO_MESSAGE];
        let house = recorded.decision.findings.iter().any(|finding| house.contains(&finding.rule.as_str()));
        if house && law.outcome == Outcome::Allow && law.channel == recorded.decision.channel {
            return recorded.decision.clone();
        }
        law
    }

    /// A stream's events below the end, each with its leaf.
    fn events(&self, stream: Stream) -> Result<Vec<(u64, Event)>, StorageError> {
        let mut events = Vec::new();
        loop {
            let after = events.last().map_or(0, |(_, event): &(u64, Event)| event.seq);
            let rows = self.reader.events_of(stream, after, PAGE)?;
            let full = rows.len() >= PAGE;
            for row in rows {
                if row.leaf >= self.end {
                    return Ok(events);
                }
                let event = row.event().ok_or(StorageError::Unreadable { leaf: row.leaf })?;
                events.push((row.leaf, event));
            }
            if !full {
                return Ok(events);
            }
        }
    }

    /// The events of everybody who ever shared an account or a contact point with a debtor.
    fn relatives(
        &self,
        debtor: DebtorKey,
        own: &[(u64, Event)],
    ) -> Result<Vec<Vec<(u64, Event)>>, StorageError> {
        let (mut points, mut accounts) = (BTreeSet::new(), BTreeSet::new());
        for (_, event) in own {
            if let EventBody::DebtorUpdated(outline, _) = &event.body {
                points.extend(outline.points.iter().map(|point| point.point));
                accounts.extend(outline.accounts.iter().map(|account| account.account));
            }
        }
        let mut relatives = BTreeSet::new();
        for point in points {
            relatives.extend(self.reader.streams_with_point(point)?);
        }
        for account in accounts {
            relatives.extend(self.reader.streams_with_account(account)?);
        }
        relatives.remove(&debtor);
        relatives.into_iter().map(|relative| self.events(Stream::Debtor(relative))).collect()
    }
}

/// A permit, and whether the point was named by whoever asked for it.
type Grant<'e> = (&'e PermitGrant, bool);

/// What a decision was taken on.
struct Known<'a> {
    state: Cow<'a, DebtorState>,
    elsewhere: Elsewhere,
    pauses: &'a [Pause],
}

/// Everybody who shares something with a debtor, folded as far as the replay has come.
struct Family {
    members: Vec<Member>,
}

struct Member {
    /// What is not folded yet.
    ahead: std::iter::Peekable<std::vec::IntoIter<(u64, Event)>>,
    state: DebtorState,
}

impl Family {
    fn new(members: Vec<Vec<(u64, Event)>>) -> Self {
        let fresh = |events: Vec<(u64, Event)>| Member {
            ahead: events.into_iter().peekable(),
            state: DebtorState::default(),
        };
        Self { members: members.into_iter().map(fresh).collect() }
    }

    /// What their files said before a leaf.
    fn elsewhere(&mut self, own: &DebtorState, leaf: u64) -> Elsewhere {
        let mut elsewhere = Elsewhere::default();
        for Member { ahead, state } in &mut self.members {
            while let Some((_, event)) = ahead.next_if(|(at, _)| *at < leaf) {
                state.apply(event);
            }
            elsewhere.add(own, state);
        }
        elsewhere.sort();
        elsewhere
    }
}

/// The decision that an event carries, what it was made for, and of a permit the grant with whether its point was named.
fn decided<'e>(
    state: &DebtorState,
    event: &'e Event,
) -> Option<(&'e DecisionRecord, For, Option<Grant<'e>>)> {
    if let EventBody::DecisionMade(record, _) = &event.body {
        let request = record.request?;
        let said = state.requests.get(&request).and_then(|request| request.secret.open());
        return Some((record, For::Request(request, said.map(|said| said.request_id.clone())), None));
    }
    let EventBody::PermitIssued(grant, secret) = &event.body else { return None };
    let named = secret.open().is_some_and(|said| said.contact_point.is_some());
    Some((&grant.decision, For::Permit(grant.permit), Some((grant, named))))
}

fn verdict(recorded: &Decision, again: Decision) -> Verdict {
    if again == *recorded {
        return Verdict::Same;
    }
    let reasons_aside = Decision { findings: recorded.findings.clone(), ..again.clone() };
    if reasons_aside == *recorded {
        Verdict::Reasons(Box::new(again))
    } else {
        Verdict::Answer(Box::new(again))
    }
}

/// The channels of a request whose decision does not say which were open: those that it names and has not tried.
fn untried(request: &RequestState) -> Vec<Channel> {
    let named = request.order.channels.iter().filter_map(|choice| match choice {
        ChannelChoice::Named(channel) => Some(*channel),
        ChannelChoice::Auto => None,
    });
    named.filter(|channel| !request.tried.contains(channel)).collect()
}

/// The pauses in force from each leaf on that changed them.
fn pauses(installation: &[(u64, Event)]) -> Vec<(u64, Vec<Pause>)> {
    let mut spans: Vec<(u64, Vec<Pause>)> = Vec::new();
    let mut now: Vec<Pause> = Vec::new();
    for (leaf, event) in installation {
        if let EventBody::PausePlaced(pause, _) = &event.body {
            now.retain(|known| known.name != pause.name);
            now.push(pause.clone());
            now.sort_by(|a, b| a.name.cmp(&b.name));
        } else if let EventBody::PauseLifted(end, _) = &event.body {
            now.retain(|known| known.name != end.name);
        } else {
            continue;
        }
        spans.push((*leaf, now.clone()));
    }
    spans
}
