//! Citation: 12 CFR 1006.6(d)(1), 1006.14(a); house rule: a contact goes only where it can reach the debtor.

use crate::domain::channel::Channel;
use crate::domain::contact_point::{LineType, PointKind};
use crate::domain::time::Timestamp;
use crate::policy::case::{Case, FAR};
use crate::policy::explain::Words;
use crate::policy::rule::{Ask, Say};
use serde::Deserialize;

/// A point that cannot be used.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::policy) struct UsablePoint {
    /// What makes it so.
    pub bars: Vec<Trouble>,
}

/// What can be wrong with a contact point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::policy) enum Trouble {
    /// None is on file that the channel could use.
    Missing,
    /// It was found not to reach the debtor.
    Invalid,
    /// A reply from it waits until a person has understood it.
    Frozen,
    /// A text to a line that cannot show one.
    Landline,
    /// A written message to it is known to have reached somebody else (12 CFR 1006.6(d)(3)(ii)).
    Disclosed,
    /// Provided by the debtor's employer.
    Employer,
    /// At the debtor's place of work, or provided by the employer.
    Workplace,
    /// A visit, wherever to.
    Visit,
}

impl UsablePoint {
    pub fn fault(&self) -> Option<String> {
        self.bars
            .is_empty()
            .then(|| "`bars` names at least one of missing, invalid, frozen, landline, disclosed, employer, workplace, visit".to_owned())
    }

    fn trouble(&self, case: &Case, at: Timestamp) -> Option<Trouble> {
        let facts = case.facts;
        let kind = PointKind::of(facts.channel);
        let found = |trouble: &Trouble| match (*trouble, facts.point) {
            (Trouble::Visit, _) => facts.channel == Channel::Visit,
            (Trouble::Missing, point) => kind.is_some() && point.map(|point| point.kind) != kind,
            (_, None) => false,
            (Trouble::Invalid, Some(point)) => facts.invalid_points.contains(&point.point),
            (Trouble::Frozen, Some(point)) => facts.frozen_points.contains(&point.point),
            (Trouble::Landline, Some(point)) => {
                facts.channel == Channel::Sms && point.line_type == LineType::Landline
            }
            (Trouble::Employer, Some(point)) => point.employer_provided,
            (Trouble::Workplace, Some(point)) => point.workplace || point.employer_provided,
            (Trouble::Disclosed, Some(_)) => {
                matches!(facts.channel, Channel::Email | Channel::Sms)
                    && case.disclosed_at().is_some_and(|disclosed| disclosed <= at)
            }
        };
        self.bars.iter().copied().find(found)
    }

    pub fn say(&self, ask: &Ask, at: Timestamp) -> Say {
        match self.trouble(ask.case, at) {
            None if self.bars.contains(&Trouble::Disclosed) => {
                Say::Permit { until: ask.case.disclosed_at().filter(|later| *later > at).unwrap_or(FAR) }
            }
            None => Say::ALWAYS,
            Some(trouble) => Say::Bar { until: None, liftable: trouble == Trouble::Frozen },
        }
    }

    pub fn explain(&self, ask: &Ask, at: Timestamp) -> Words {
        let channel = ask.case.facts.channel;
        let trouble = self.trouble(ask.case, at);
        let words = Words::plain(match trouble {
            None => "nothing is known against the contact point".to_owned(),
            Some(Trouble::Missing) => format!("no contact point on file can be used for {channel}"),
            Some(Trouble::Invalid) => "the contact point was found not to reach the debtor".to_owned(),
            Some(Trouble::Frozen) => "a reply from this contact point waits to be understood".to_owned(),
            Some(Trouble::Disclosed) => {
                "a message to this contact point is known to have reached somebody else".to_owned()
            }
            Some(Trouble::Employer) => "the address is provided by the debtor's employer".to_owned(),
            Some(Trouble::Workplace) => "the contact point reaches the debtor's employer".to_owned(),
            Some(Trouble::Visit) => "the debtor is not visited".to_owned(),
            Some(Trouble::Landline) => "the number is a landline, which shows no texts".to_owned(),
        });
        let disclosed = ask.case.disclosed_at().filter(|_| trouble == Some(Trouble::Disclosed));
        disclosed.into_iter().fold(words, |words, on| words.dated("disclosed_at", on, at))
    }
}
