//! From a debtor as upstream describes it to the outline that the law counts by; every fault in it at once.

use crate::domain::city::city_of;
use crate::domain::contact_point::{InvalidPoint, LineType, PointKind, PointOutline, PointValue};
use crate::domain::debtor::{
    Account, AccountOutline, AccountStatus, ContactPoint, DebtorFile, DebtorOutline, Location,
    LocationOutline,
};
use crate::domain::id::{AccountKey, DebtKey};
use crate::domain::region;
use crate::domain::statement::FieldFault;
use crate::domain::zone::{self, Zone};
use crate::pipeline::{Desk, naming};

/// The outline of a file, or everything that is wrong with it.
pub fn outline(desk: &Desk, file: &DebtorFile) -> Result<DebtorOutline, Vec<FieldFault>> {
    let mut faults = Vec::new();
    let outline = DebtorOutline {
        accounts: accounts(desk, &file.accounts, &mut faults),
        language: file.language.clone(),
        locations: file
            .locations
            .iter()
            .enumerate()
            .map(|(n, place)| location(n, place, &mut faults))
            .collect(),
        number_checks: Vec::new(),
        points: points(desk, &file.contact_points, &mut faults),
        stated_zone: file.time_zone.clone(),
    };
    if let Some(name) = &file.time_zone
        && Zone::parse(name).is_none()
    {
        faults.push(FieldFault::new("/time_zone", "is not an IANA time zone, such as America/New_York"));
    }
    if let Some(language) = &file.language {
        check_language(&mut faults, "/language", language);
    }
    if faults.is_empty() { Ok(outline) } else { Err(faults) }
}

/// BCP 47 as far as we use it: a language of two or three letters, with subtags.
pub fn check_language(faults: &mut Vec<FieldFault>, pointer: &str, language: &str) {
    let mut parts = language.split('-');
    let primary = parts.next().unwrap_or_default();
    let fits = (2..=3).contains(&primary.len())
        && primary.bytes().all(|byte| byte.is_ascii_alphabetic())
        && parts.all(|part| (1..=8).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_alphanumeric()));
    if !fits {
        faults.push(FieldFault::new(pointer, "is not a BCP 47 language, such as en or es-MX"));
    }
}

fn accounts(desk: &Desk, accounts: &[Account], faults: &mut Vec<FieldFault>) -> Vec<AccountOutline> {
    let mut outlines: Vec<AccountOutline> = Vec::with_capacity(accounts.len());
    for (index, account) in accounts.iter().enumerate() {
        let pointer = format!("/accounts/{index}/account_id");
        naming::check_id(faults, &pointer, &account.account_id);
        let key: AccountKey = desk.names.account(&account.account_id);
        if outlines.iter().any(|known| known.account == key) {
            faults.push(FieldFault::new(pointer, "is on the file twice"));
        }
        if let Some(url) = &account.payment_url
            && !url::Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "https" | "http"))
        {
            faults.push(FieldFault::new(
                format!("/accounts/{index}/payment_url"),
                "is not an http or https address",
            ));
        }
        if account.creditor_region.as_deref().is_some_and(|region| !region::is_region(region)) {
            let pointer = format!("/accounts/{index}/creditor_region");
            faults.push(FieldFault::new(pointer, "is not a region, such as US-MA"));
        }
        let debt = match &account.servicing_account {
            Some(servicing) => DebtKey(desk.names.pseudonym("servicing", servicing)),
            None => DebtKey(key.0),
        };
        outlines.push(AccountOutline {
            account: key,
            creditor_region: account.creditor_region.clone(),
            collector_role: account.collector_role.unwrap_or(desk.settings.collector_role),
            creditor: account.creditor.as_deref().map(|name| desk.names.pseudonym("creditor", name)),
            debt,
            debt_type: account.debt_type.unwrap_or(desk.settings.debt_type),
            status: account.status.unwrap_or(AccountStatus::Open),
            time_barred: account.time_barred,
            validation_notice_sent_on: account.validation_notice_sent_on,
        });
    }
    outlines
}

fn location(index: usize, place: &Location, faults: &mut Vec<FieldFault>) -> LocationOutline {
    let mut fault = |member: &str, detail: &str| {
        faults.push(FieldFault::new(format!("/locations/{index}/{member}"), detail));
    };
    let by_region = place.region.as_deref().map(|region| region::country_of(region).to_owned());
    let country = place.country.clone().or(by_region).unwrap_or_else(|| "US".to_owned());
    if place.country.is_some() && !region::is_country(&country) {
        fault("country", "is not an ISO 3166 country, such as US");
    }
    if let Some(region) = &place.region {
        if !region::is_region(region) {
            fault("region", "is not a region, such as US-MA");
        } else if region::country_of(region) != country {
            fault("region", "lies in another country");
        }
    }
    if let Some(code) = &place.postal_code
        && !region::is_postal_code(&country, code)
    {
        fault("postal_code", "is not a postal code of its country, such as 33101");
    }
    let by_code = place.postal_code.as_deref().and_then(|code| region::of_postal_code(&country, code));
    let zones = zone::zones_of_location(&country, place.region.as_deref(), place.postal_code.as_deref());
    let region = place.region.clone().or_else(|| by_code.map(str::to_owned));
    let city = city_of(region.as_deref(), place.postal_code.as_deref(), place.locality.as_deref());
    LocationOutline { locality: city.map(str::to_owned), region, zones, country }
}

fn points(desk: &Desk, points: &[ContactPoint], faults: &mut Vec<FieldFault>) -> Vec<PointOutline> {
    let mut outlines: Vec<PointOutline> = Vec::with_capacity(points.len());
    for (index, given) in points.iter().enumerate() {
        let pointer = format!("/contact_points/{index}/value");
        match PointValue::parse(given.kind, &given.value) {
            Err(error @ (InvalidPoint::Phone | InvalidPoint::Email | InvalidPoint::Portal)) => {
                faults.push(FieldFault::new(pointer, format!("is {error}")));
            }
            Ok(value) => {
                let key = naming::point(&*desk.names, &value);
                if outlines.iter().any(|known| known.point == key) {
                    faults.push(FieldFault::new(pointer, "is on the file twice"));
                }
                if given.creditor_notice.is_some() && given.kind != PointKind::Email {
                    let pointer = format!("/contact_points/{index}/creditor_notice");
                    faults.push(FieldFault::new(pointer, "is for email addresses only"));
                }
                outlines.push(PointOutline {
                    creditor_notice: given.creditor_notice.clone(),
                    employer_provided: given.employer_provided,
                    kind: given.kind,
                    line_type: given.line_type.unwrap_or(LineType::Unknown),
                    point: key,
                    reassignment_check: given.reassignment_check.clone(),
                    regions: match given.kind {
                        PointKind::Phone => zone::regions_of_phone(value.expose()),
                        PointKind::Email | PointKind::Portal => Vec::new(),
                    },
                    workplace: given.workplace,
                    zones: match given.kind {
                        PointKind::Phone => zone::zones_of_phone(value.expose()),
                        PointKind::Email | PointKind::Portal => Vec::new(),
                    },
                });
            }
        }
    }
    outlines
}
