//! What reads well and cannot be meant: a scope that holds nowhere, a count that counts nothing, a consent that nobody can give.

use crate::domain::channel::Channel;
use crate::domain::city::is_city;
use crate::domain::consent::ConsentScope;
use crate::domain::contact_point::PointKind;
use crate::domain::region::{is_country, is_region};
use crate::policy::applies::Applies;
use crate::policy::rules::{Counts, FrequencyCap, Kind, Per};

/// What is wrong with a scope by itself; `holds_in` are the regions that it holds in.
pub(super) fn of_scope(applies: &Applies, holds_in: &[String]) -> Vec<String> {
    let mut faults = Vec::new();
    let nowhere = applies.regions.iter().filter(|name| !is_country(name) && !is_region(name));
    faults.extend(
        nowhere.map(|name| format!("`{name}` is neither a country such as US nor a region such as US-MA")),
    );
    for name in applies.localities.iter().filter(|name| !is_city(name)) {
        faults.push(format!("no city `{name}` is known; those that are stand in src/domain/data/cities.csv"));
    }
    let narrowed = [("ties", !applies.ties.is_empty()), ("localities", !applies.localities.is_empty())];
    for (name, _) in narrowed.iter().filter(|(_, narrows)| *narrows && holds_in.is_empty()) {
        faults.push(format!("`{name}` narrows `regions`, and there are none"));
    }
    let cancelled = [
        ("purposes", cancels(&applies.purposes, &applies.purposes_not)),
        ("parties", cancels(&applies.parties, &applies.parties_not)),
        ("debt_type", cancels(&applies.debt_type, &applies.debt_type_not)),
    ];
    for (name, _) in cancelled.iter().filter(|(_, cancels)| *cancels) {
        faults.push(format!("`{name}` and `{name}_not` leave nothing between them"));
    }
    if applies.workplace == Some(true) && !applies.channels.is_empty() && !reaches_points(&applies.channels) {
        faults.push("`workplace` is about contact points, and these channels have none".to_owned());
    }
    faults
}

/// What is wrong with a row of a rule of this scope.
pub(super) fn of_row(applies: &Applies, kind: &Kind) -> Vec<String> {
    match kind {
        Kind::FrequencyCap(cap) => of_cap(applies, cap),
        Kind::Consent(consent) => misfit(applies, consent.scope).into_iter().collect(),
        Kind::AccountStatus(_)
        | Kind::ContactWindow(_)
        | Kind::CoolDown(_)
        | Kind::DisclosureDuty(_)
        | Kind::Hold(_)
        | Kind::InconvenientTime(_)
        | Kind::OptOut(_)
        | Kind::ReassignedNumber(_)
        | Kind::UsablePoint(_)
        | Kind::WaitingPeriod(_)
        | Kind::Workplace(_) => Vec::new(),
    }
}

fn of_cap(applies: &Applies, cap: &FrequencyCap) -> Vec<String> {
    let counts: &Counts = &cap.counts;
    let mut faults: Vec<String> =
        cap.lifted_by.and_then(|scope| misfit(applies, scope)).into_iter().collect();
    if cancels(&counts.results, &counts.results_not) {
        faults.push("`results` and `results_not` leave nothing to count".to_owned());
    }
    let (asked, counted) = (&applies.channels, &counts.channels);
    if !asked.is_empty() && !counted.is_empty() && !asked.iter().any(|channel| counted.contains(channel)) {
        faults.push("the channels that count are none of those that the rule applies to".to_owned());
    }
    if cap.per == Per::Point && !asked.is_empty() && !reaches_points(asked) {
        faults.push("`per = \"point\"` counts by contact points, and these channels have none".to_owned());
    }
    faults
}

/// The channel on which a consent of a scope means nothing, so that nobody could give it.
fn misfit(applies: &Applies, scope: ConsentScope) -> Option<String> {
    let channels = if applies.channels.is_empty() { Channel::ALL } else { &applies.channels };
    let unfit = channels.iter().find(|channel| !scope.fits(**channel))?;
    Some(format!("a consent of scope `{scope}` means nothing on {unfit}: name the rule's `channels`"))
}

fn reaches_points(channels: &[Channel]) -> bool {
    channels.iter().any(|channel| PointKind::of(*channel).is_some())
}

/// Whether a list is emptied by what is taken from it.
fn cancels<T: PartialEq>(list: &[T], not: &[T]) -> bool {
    !list.is_empty() && list.iter().all(|item| not.contains(item))
}
