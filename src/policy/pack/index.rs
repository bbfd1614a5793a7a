//! Which rules a case could concern at all, found without looking at the others: by channel and by place.

use crate::domain::channel::Channel;
use crate::domain::region::country_of;
use crate::policy::case::Case;
use crate::policy::rule::Rule;
use std::collections::BTreeMap;

/// For each channel the places of its rules in the policy, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    shelves: Vec<Shelf>,
}

#[derive(Clone, Debug, Default)]
struct Shelf {
    everywhere: Vec<usize>,
    by_place: BTreeMap<String, Vec<usize>>,
}

impl Index {
    pub(super) fn of(rules: &[Rule]) -> Self {
        Self { shelves: Channel::ALL.iter().map(|channel| Shelf::of(rules, *channel)).collect() }
    }

    /// The places of the rules that the case's channel and places admit, in order, each once.
    pub(super) fn candidates(&self, case: &Case) -> Vec<usize> {
        let place = Channel::ALL.iter().position(|channel| *channel == case.facts.channel);
        let Some(shelf) = place.and_then(|place| self.shelves.get(place)) else { return Vec::new() };
        let mut found = Vec::with_capacity(shelf.everywhere.len() + 16);
        found.extend_from_slice(&shelf.everywhere);
        let mut add = |name: &str| found.extend(shelf.by_place.get(name).into_iter().flatten());
        let facts = case.facts;
        for location in &facts.debtor.locations {
            add(&location.country);
            location.region.as_deref().into_iter().for_each(&mut add);
        }
        let of_point = facts.point.into_iter().flat_map(|point| &point.regions);
        let of_creditors = case.accounts.iter().filter_map(|account| account.creditor_region.as_ref());
        for region in of_point.chain(of_creditors) {
            add(region);
            add(country_of(region));
        }
        if found.len() > shelf.everywhere.len() {
            found.sort_unstable();
            found.dedup();
        }
        found
    }
}

impl Shelf {
    fn of(rules: &[Rule], channel: Channel) -> Self {
        let mut shelf = Self::default();
        for (place, rule) in rules.iter().enumerate() {
            if !rule.applies.channels.is_empty() && !rule.applies.channels.contains(&channel) {
                continue;
            }
            if rule.applies.regions.is_empty() {
                shelf.everywhere.push(place);
            }
            for region in &rule.applies.regions {
                shelf.by_place.entry(region.clone()).or_default().push(place);
            }
        }
        shelf
    }
}
