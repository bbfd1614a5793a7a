//! To whom and to what a rule applies.

use crate::domain::channel::{Channel, Claim, Party, Purpose};
use crate::domain::contact_point::{LineType, PointKind, PointOutline};
use crate::domain::debtor::{AccountOutline, CollectorRole, DebtType, DebtorOutline, LocationOutline};
use crate::domain::region::country_of;
use crate::policy::case::Case;
use serde::Deserialize;

/// The scope of a rule. An empty list does not narrow it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::policy) struct Applies {
    /// For whom the debt is collected.
    #[serde(default)]
    pub collector_role: Vec<CollectorRole>,
    /// What the debt is.
    #[serde(default)]
    pub debt_type: Vec<DebtType>,
    /// What the debt is not.
    #[serde(default)]
    pub debt_type_not: Vec<DebtType>,
    /// Over which media.
    #[serde(default)]
    pub channels: Vec<Channel>,
    /// For which purposes.
    #[serde(default)]
    pub purposes: Vec<Purpose>,
    /// For which purposes not.
    #[serde(default)]
    pub purposes_not: Vec<Purpose>,
    /// To messages that say one of these.
    #[serde(default)]
    pub says: Vec<Claim>,
    /// Meant for whom.
    #[serde(default)]
    pub parties: Vec<Party>,
    /// Meant for whom not.
    #[serde(default)]
    pub parties_not: Vec<Party>,
    /// Made by a machine, or not.
    #[serde(default)]
    pub automated: Option<bool>,
    /// To a number of which kinds of line.
    #[serde(default)]
    pub line_types: Vec<LineType>,
    /// To the place of work, or not.
    #[serde(default)]
    pub workplace: Option<bool>,
    /// Where the debtor lives or may be, the number that is called belongs, or the creditor sits: regions (`US-MA`) or
    /// countries (`GB`). Without it a region's rule holds in that region, a country's for every debtor of a collector in
    /// that country.
    #[serde(default)]
    pub regions: Vec<String>,
    /// By which ties to the place it holds; by any, where empty.
    #[serde(default)]
    pub ties: Vec<Tie>,
    /// In which cities of the regions, as `data/cities.csv` names them.
    #[serde(default)]
    pub localities: Vec<String>,
}

/// What ties a contact to a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::policy) enum Tie {
    /// The debtor lives or may be there.
    Residence,
    /// The number that is called belongs there.
    Number,
    /// The creditor sits there.
    Creditor,
}

impl Tie {
    const ALL: &'static [Self] = &[Self::Residence, Self::Number, Self::Creditor];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Residence => "residence",
            Self::Number => "number",
            Self::Creditor => "creditor",
        }
    }
}

fn admits<T: PartialEq>(list: &[T], value: &T) -> bool {
    list.is_empty() || list.contains(value)
}

impl Applies {
    /// Whether the rule has anything to do with a case.
    pub fn to(&self, case: &Case) -> bool {
        let facts = case.facts;
        admits(&self.channels, &facts.channel)
            && admits(&self.purposes, &facts.purpose)
            && !self.purposes_not.contains(&facts.purpose)
            && (self.says.is_empty() || self.says.iter().any(|claim| facts.says.contains(claim)))
            && admits(&self.parties, &facts.party)
            && !self.parties_not.contains(&facts.party)
            && self.automated.is_none_or(|automated| automated == facts.automated)
            && self
                .workplace
                .is_none_or(|workplace| workplace == facts.point.is_some_and(|point| point.workplace))
            && (self.line_types.is_empty()
                || facts.point.is_some_and(|point| self.line_types.contains(&point.line_type)))
            && (self.regions.is_empty() || Tie::ALL.iter().any(|tie| self.tied(case, *tie)))
            && self.to_any_account(case)
    }

    /// Whether the rule has anything to do with a debtor, whatever the contact.
    pub fn to_debtor(&self, debtor: &DebtorOutline) -> bool {
        let numbers = debtor.points.iter().flat_map(|point| &point.regions);
        let creditors = debtor.accounts.iter().filter_map(|account| account.creditor_region.as_ref());
        let mut by_number = numbers.filter(|_| admits(&self.ties, &Tie::Number));
        let mut by_creditor = creditors.filter(|_| admits(&self.ties, &Tie::Creditor));
        let mut by_residence = debtor.locations.iter().filter(|_| admits(&self.ties, &Tie::Residence));
        let nowhere = debtor.locations.is_empty();
        self.regions.is_empty()
            || by_residence.any(|location| self.covers(location))
            || by_number.any(|region| self.names(region) || (nowhere && self.regions.contains(region)))
            || by_creditor.any(|region| self.names(region))
    }

    /// Whether a contact over a point could fall under the rule.
    pub fn to_point(&self, point: &PointOutline) -> bool {
        let over = |channel: &Channel| PointKind::of(*channel) == Some(point.kind);
        (self.channels.is_empty() || self.channels.iter().any(over))
            && admits(&self.line_types, &point.line_type)
            && self.workplace.is_none_or(|workplace| workplace == point.workplace)
    }

    /// What ties a case to the place whose law this is; nothing where it holds everywhere.
    pub fn ties(&self, case: &Case) -> Vec<&'static str> {
        let ties = Tie::ALL.iter().filter(|tie| !self.regions.is_empty() && self.tied(case, **tie));
        ties.map(|tie| tie.as_str()).collect()
    }

    fn tied(&self, case: &Case, tie: Tie) -> bool {
        admits(&self.ties, &tie) && self.reached(case, tie)
    }

    fn reached(&self, case: &Case, tie: Tie) -> bool {
        match tie {
            Tie::Residence => case.facts.debtor.locations.iter().any(|location| self.covers(location)),
            Tie::Number => {
                let nowhere = case.facts.debtor.locations.is_empty();
                let mut regions = case.facts.point.into_iter().flat_map(|point| &point.regions);
                regions.any(|region| self.names(region) || (nowhere && self.regions.contains(region)))
            }
            Tie::Creditor => case
                .accounts
                .iter()
                .filter_map(|account| account.creditor_region.as_ref())
                .any(|region| self.names(region)),
        }
    }

    /// Whether a region that is known without its localities is meant.
    fn names(&self, region: &String) -> bool {
        self.localities.is_empty()
            && self.regions.iter().any(|name| name == region || name == country_of(region))
    }

    fn covers(&self, location: &LocationOutline) -> bool {
        let here =
            |region: &String| location.region.as_deref() == Some(region) || location.country == *region;
        // A place of the region of which no more is known may lie in the city: when in doubt, its law holds.
        let city = || {
            location.locality.as_deref().is_none_or(|name| self.localities.iter().any(|city| city == name))
        };
        self.regions.iter().any(here) && (self.localities.is_empty() || city())
    }

    /// Whether any account of the case is of the right sort. What is not known of an account does not exempt it.
    pub fn to_any_account(&self, case: &Case) -> bool {
        case.accounts.is_empty()
            || case.names_unknown_account()
            || case.accounts.iter().any(|account| self.to_account(account))
    }

    /// Whether an account is of the right sort.
    pub fn to_account(&self, account: &AccountOutline) -> bool {
        admits(&self.collector_role, &account.collector_role)
            && admits(&self.debt_type, &account.debt_type)
            && !self.debt_type_not.contains(&account.debt_type)
    }
}
