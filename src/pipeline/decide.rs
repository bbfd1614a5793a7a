//! May this contact be made now, and if not, when: policy asked for every way it could be made, and the best answer taken.

use crate::domain::channel::{Channel, Party};
use crate::domain::decision::{Decision, Finding, Outcome};
use crate::domain::event::{DecisionRecord, Pause};
use crate::domain::id::{PointKey, Pseudonymiser, RequestId};
use crate::domain::request::{ChannelChoice, RequestOrder};
use crate::domain::routing::Routing;
use crate::domain::state::{DebtorState, RequestState};
use crate::domain::time::Timestamp;
use crate::domain::zone;
use crate::pipeline::facts::{Intent, Subject};
use crate::policy::{self, Policy};
use std::cmp::Ordering;

/// What a decision rests on beside the law and the debtor's history.
#[derive(Clone, Copy)]
pub struct Circumstances<'a> {
    /// Makes keys of names.
    pub names: &'a dyn Pseudonymiser,
    /// The kill switches in force.
    pub pauses: &'a [Pause],
}

/// How a question is to be answered.
#[derive(Clone, Copy, Debug, Default)]
pub struct Terms {
    /// Nothing after this moment counts as an answer.
    pub deadline: Option<Timestamp>,
    /// Also give the findings that permit.
    pub explain_all: bool,
}

/// The rule that a request's refusal names when nobody can carry it …
pub const NO_PROVIDER: &str = "house.no-provider";
/// … and when none of them works just now …
pub const PROVIDERS_DOWN: &str = "house.providers-down";
/// … and when its message cannot be written.
pub const NO_MESSAGE: &str = "house.message";

/// The decision for one intent: over the point it names, or over the best usable one; the pauses in force lie over what the
/// law says.
pub fn decide(
    here: Circumstances<'_>,
    policy: &Policy,
    subject: &Subject<'_>,
    intent: &Intent,
    terms: Terms,
) -> Decision {
    let lawful = by_law(policy, subject, intent, terms);
    let mut pauses =
        here.pauses.iter().filter(|pause| binds(here.names, pause, subject.state(), intent)).peekable();
    if pauses.peek().is_none() {
        return lawful;
    }
    // One without an end is longer than any other; those that end leave nothing behind that could bind later.
    let longest = pauses.max_by_key(|pause| (pause.until.is_none(), pause.until));
    let Some(pause) = longest else { return lawful };
    let afterwards = pause.until.map(|at| {
        let later = Intent { at, ..intent.clone() };
        by_law(policy, subject, &later, Terms { explain_all: false, ..terms })
    });
    paused(pause, intent, lawful, afterwards, terms.deadline)
}

/// What the law says, pauses apart.
fn by_law(policy: &Policy, subject: &Subject<'_>, intent: &Intent, terms: Terms) -> Decision {
    let invalid = subject.invalid(intent.channel);
    let mut best: Option<Decision> = None;
    for point in subject.points(intent.channel).filter(|p| intent.point.is_none_or(|key| key == p.point)) {
        let facts = subject.facts(intent, Some(point), &invalid);
        let decision = policy::evaluate(policy, &facts, terms.deadline, terms.explain_all);
        if best.as_ref().is_none_or(|best| better(&decision, best) == Ordering::Less) {
            best = Some(decision);
        }
        if best.as_ref().is_some_and(|best| best.outcome == Outcome::Allow) {
            break;
        }
    }
    best.unwrap_or_else(|| {
        let facts = subject.facts(intent, None, &invalid);
        policy::evaluate(policy, &facts, terms.deadline, terms.explain_all)
    })
}

/// The earlier answer first: allow before defer before block, then the sooner; equal answers keep their order.
fn better(left: &Decision, right: &Decision) -> Ordering {
    let rank = |decision: &Decision| {
        let from = decision.permitted_from.unwrap_or(Timestamp::from_millis(i64::MAX));
        (decision.outcome, from, !decision.liftable)
    };
    rank(left).cmp(&rank(right))
}

/// The decision for a request: of the channels open to it in order the first that is lawful now, or else the one that becomes
/// so first.
pub fn decide_request(
    here: Circumstances<'_>,
    policy: &Policy,
    subject: &Subject<'_>,
    request: &RequestState,
    channels: &[Channel],
    now: Timestamp,
) -> Decision {
    // Where the first lawful moment comes after the request's end the answer says so, and the request waits for its end: a
    // consent or a lifted hold may still bring that moment forward.
    let terms = Terms::default();
    let mut best: Option<Decision> = None;
    for channel in channels {
        let intent = intent(&request.order, *channel, now);
        let decision = decide(here, policy, subject, &intent, terms);
        if decision.outcome == Outcome::Allow {
            return decision;
        }
        if best.as_ref().is_none_or(|best| better(&decision, best) == Ordering::Less) {
            best = Some(decision);
        }
    }
    best.unwrap_or_else(|| no_channel(&request.order, now))
}

/// What a request has in mind on one of its channels. Whatever the gateway itself sends is automated.
pub fn intent(order: &RequestOrder, channel: Channel, at: Timestamp) -> Intent {
    Intent {
        accounts: order.accounts.clone(),
        automated: true,
        at,
        channel,
        party: Party::Debtor,
        point: order.point,
        purpose: order.purpose,
        says: order.says.clone(),
    }
}

/// No channel is left that has a provider: a person can put one in the configuration.
fn no_channel(order: &RequestOrder, now: Timestamp) -> Decision {
    let channel = order.channels.iter().find_map(|choice| match choice {
        ChannelChoice::Named(channel) => Some(*channel),
        ChannelChoice::Auto => None,
    });
    house_block(
        channel.unwrap_or(Channel::Portal),
        now,
        NO_PROVIDER,
        "configuration [channels]",
        "no provider is configured for any channel that the request may still use".to_owned(),
        None,
        true,
    )
}

/// Lays a pause over a decision: the kill switch is in force for the next send. Where the pause ends by itself, the contact
/// becomes lawful when the law, asked for that moment, says so.
fn paused(
    pause: &Pause,
    intent: &Intent,
    lawful: Decision,
    afterwards: Option<Decision>,
    deadline: Option<Timestamp>,
) -> Decision {
    let laid = house_block(
        intent.channel,
        intent.at,
        "house.pause",
        "operator's pause",
        format!("sending is paused by \"{}\"", pause.name),
        pause.until,
        true,
    );
    let from = afterwards.as_ref().filter(|later| later.outcome != Outcome::Block);
    let from = from.and_then(|later| later.permitted_from);
    let from = from.filter(|from| deadline.is_none_or(|end| *from < end));
    // Whoever lifts the pause before its end lets go what is lawful now.
    let liftable = from.is_none() && (lawful.outcome != Outcome::Block || lawful.liftable);
    let mut findings = lawful.findings.clone();
    findings.extend(laid.findings);
    let point = afterwards.as_ref().and_then(|later| later.point).or(lawful.point);
    // What stands in the way once the pause is over had its say too.
    for finding in afterwards.into_iter().flat_map(|later| later.findings) {
        let named = |known: &Finding| known.rule == finding.rule && known.effect != Outcome::Allow;
        if !findings.iter().any(named) {
            findings.push(finding);
        }
    }
    Decision {
        findings,
        liftable,
        outcome: if from.is_some() { Outcome::Defer } else { Outcome::Block },
        permitted_from: from,
        permitted_until: None,
        point,
        ..lawful
    }
}

fn binds(names: &dyn Pseudonymiser, pause: &Pause, state: &DebtorState, intent: &Intent) -> bool {
    let in_time = pause.until.is_none_or(|until| intent.at < until);
    let on_channel = pause.channel.is_none_or(|channel| channel == intent.channel);
    let by_creditor = pause.creditor.as_ref().is_none_or(|creditor| {
        let key = names.pseudonym("creditor", creditor);
        state.outline.accounts.iter().any(|account| {
            account.creditor == Some(key)
                && (intent.accounts.is_empty() || intent.accounts.contains(&account.account))
        })
    });
    let in_region = pause.region.as_ref().is_none_or(|region| {
        state.outline.locations.iter().any(|location| location.region.as_ref() == Some(region))
    });
    // A pause of one provider leaves the others of the channel; routing sees to it.
    let whole_channel = pause.provider.is_none();
    in_time && on_channel && by_creditor && in_region && whole_channel
}

/// A decision of the house's own making.
pub fn house_block(
    channel: Channel,
    at: Timestamp,
    rule: &str,
    citation: &str,
    reason: String,
    until: Option<Timestamp>,
    liftable: bool,
) -> Decision {
    let effect = if until.is_some() { Outcome::Defer } else { Outcome::Block };
    let finding = Finding {
        citation: citation.to_owned(),
        effect,
        facts: std::collections::BTreeMap::new(),
        reason,
        rule: rule.to_owned(),
        until,
    };
    Decision {
        at,
        channel,
        disclosures: Vec::new(),
        findings: vec![finding],
        outcome: effect,
        permitted_from: until,
        permitted_until: None,
        point: None::<PointKey>,
        liftable: until.is_none() && liftable,
        reviews: Vec::new(),
    }
}

/// What a request's decision rests on beside law and history.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// The request.
    pub request: Option<RequestId>,
    /// The channels that were open to it, in order.
    pub channels: Option<Vec<Channel>>,
    /// How its way was chosen, where that is not plain.
    pub routing: Option<Routing>,
}

/// A decision as the history keeps it.
pub fn record(policy: &Policy, state: &DebtorState, asked: Asked, decision: Decision) -> DecisionRecord {
    let Asked { request, channels, routing } = asked;
    DecisionRecord {
        as_of_seq: state.seq,
        channels,
        decision,
        policy: policy.stamp(),
        request,
        routing,
        tzdb: zone::tzdb_version().to_owned(),
    }
}

/// Whether a decision says nothing that the newest recorded one did not say.
pub fn repeats(record: &DecisionRecord, earlier: Option<&DecisionRecord>) -> bool {
    let says = |record: &DecisionRecord| {
        let decision = &record.decision;
        let rules: Vec<_> = decision.findings.iter().map(|f| (f.rule.clone(), f.effect, f.until)).collect();
        (decision.outcome, decision.channel, decision.permitted_from, rules, record.policy.digest.clone())
    };
    record.decision.outcome != Outcome::Allow && earlier.is_some_and(|earlier| says(earlier) == says(record))
}
