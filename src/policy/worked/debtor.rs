//! The made-up debtor of a worked case.

use super::key;
use crate::domain::city::city_of;
use crate::domain::contact_point::{CreditorNotice, LineType, PointKind, PointOutline, ReassignmentCheck};
use crate::domain::debtor::{
    AccountOutline, AccountStatus, CollectorRole, DebtType, DebtorOutline, LocationOutline,
};
use crate::domain::id::{AccountKey, DebtKey, PointKey};
use crate::domain::region::country_of;
use crate::domain::time::Date;
use crate::domain::zone::zones_of_region;
use serde::Deserialize;

/// Where the debtor of a case is, what is owed and where the debtor can be reached.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct WorkedDebtor {
    region: Option<String>,
    country: Option<String>,
    postal_code: Option<String>,
    locality: Option<String>,
    /// The zones of the place; those of the region, else New York, where absent.
    zones: Option<Vec<String>>,
    stated_zone: Option<String>,
    accounts: Vec<WorkedAccount>,
    points: Vec<WorkedPoint>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WorkedAccount {
    id: String,
    #[serde(default)]
    role: Option<CollectorRole>,
    #[serde(default)]
    debt_type: Option<DebtType>,
    #[serde(default)]
    status: Option<AccountStatus>,
    #[serde(default)]
    servicing_account: Option<String>,
    #[serde(default)]
    time_barred: bool,
    /// Nobody knows whether it is.
    #[serde(default)]
    age_unknown: bool,
    #[serde(default)]
    creditor_region: Option<String>,
    #[serde(default)]
    validation_notice_sent_on: Option<toml::value::Datetime>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WorkedPoint {
    name: String,
    kind: PointKind,
    #[serde(default)]
    line_type: Option<LineType>,
    #[serde(default)]
    workplace: bool,
    #[serde(default)]
    employer_provided: bool,
    #[serde(default)]
    zones: Vec<String>,
    #[serde(default)]
    reassignment_check: Option<ReassignmentCheck>,
    #[serde(default)]
    creditor_notice: Option<CreditorNotice>,
    /// The regions of its area code.
    #[serde(default)]
    regions: Vec<String>,
}

impl WorkedDebtor {
    pub(super) fn outline(&self) -> DebtorOutline {
        let country = self.country.clone();
        let country = country.unwrap_or_else(|| self.region.as_deref().map_or("US", country_of).to_owned());
        let zones = self.zones.clone().unwrap_or_else(|| match &self.region {
            Some(region) => zones_of_region(region),
            None => vec!["America/New_York".to_owned()],
        });
        let city = city_of(self.region.as_deref(), self.postal_code.as_deref(), self.locality.as_deref());
        let location = LocationOutline {
            country,
            locality: city.map(str::to_owned),
            region: self.region.clone(),
            zones,
        };
        let default = [WorkedAccount::named("A")];
        let accounts = if self.accounts.is_empty() { default.as_slice() } else { &self.accounts };
        let usual = usual_points();
        let points = if self.points.is_empty() { &usual } else { &self.points };
        DebtorOutline {
            accounts: accounts.iter().map(WorkedAccount::outline).collect(),
            language: None,
            locations: vec![location],
            number_checks: Vec::new(),
            points: points.iter().map(WorkedPoint::outline).collect(),
            stated_zone: self.stated_zone.clone(),
        }
    }
}

impl WorkedAccount {
    fn named(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            role: None,
            debt_type: None,
            status: None,
            servicing_account: None,
            time_barred: false,
            age_unknown: false,
            creditor_region: None,
            validation_notice_sent_on: None,
        }
    }

    fn outline(&self) -> AccountOutline {
        let sent: Option<Date> =
            self.validation_notice_sent_on.as_ref().and_then(|date| date.to_string().parse().ok());
        AccountOutline {
            account: AccountKey(key(&self.id)),
            collector_role: self.role.unwrap_or(CollectorRole::ThirdParty),
            creditor: None,
            creditor_region: self.creditor_region.clone(),
            debt: DebtKey(key(self.servicing_account.as_ref().unwrap_or(&self.id))),
            debt_type: self.debt_type.unwrap_or(DebtType::Consumer),
            status: self.status.unwrap_or(AccountStatus::Open),
            time_barred: (!self.age_unknown).then_some(self.time_barred),
            validation_notice_sent_on: sent,
        }
    }
}

impl WorkedPoint {
    fn outline(&self) -> PointOutline {
        PointOutline {
            creditor_notice: self.creditor_notice.clone(),
            employer_provided: self.employer_provided,
            kind: self.kind,
            line_type: self.line_type.unwrap_or(LineType::Unknown),
            point: PointKey(key(&self.name)),
            reassignment_check: self.reassignment_check.clone(),
            regions: self.regions.clone(),
            workplace: self.workplace,
            zones: self.zones.clone(),
        }
    }
}

/// The points of a debtor of whom a case says nothing else.
fn usual_points() -> Vec<WorkedPoint> {
    let point = |name: &str, kind, line_type, workplace, employer_provided| WorkedPoint {
        name: name.to_owned(),
        kind,
        line_type,
        workplace,
        employer_provided,
        zones: Vec::new(),
        reassignment_check: None,
        creditor_notice: None,
        regions: Vec::new(),
    };
    vec![
        point("mobile", PointKind::Phone, Some(LineType::Mobile), false, false),
        point("other-mobile", PointKind::Phone, Some(LineType::Mobile), false, false),
        point("landline", PointKind::Phone, Some(LineType::Landline), false, false),
        point("work", PointKind::Phone, Some(LineType::Landline), true, false),
        point("email", PointKind::Email, None, false, false),
        point("other-email", PointKind::Email, None, false, false),
        point("work-email", PointKind::Email, None, false, true),
        point("portal", PointKind::Portal, None, false, false),
    ]
}
