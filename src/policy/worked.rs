//! Worked cases: scenarios in plain words beside each pack's file, proof that the file says what it means.
//!
//! `reg-f.cases.toml` is put to the rules of `reg-f.toml` alone. The debtor of a case lives where the case says, owes on
//! accounts of made-up names and can be reached at points of made-up names.

use crate::domain::channel::{Channel, Direction, Party, Purpose};
use crate::domain::consent::{
    Consent, ConsentScope, GivenTo, Hold, HoldKind, InconvenientTime, OptOut, OptOutChannel, Preferences,
};
use crate::domain::contact::{Contact, ContactResult, ContactSource};
use crate::domain::contact_point::{LineType, PointKind, PointOutline, ReassignmentCheck};
use crate::domain::debtor::{
    AccountOutline, AccountStatus, CollectorRole, DebtType, DebtorOutline, LocationOutline,
};
use crate::domain::decision::{Decision, Disclosure, Outcome};
use crate::domain::fault::{Fault, SourceFile};
use crate::domain::id::{AccountKey, DebtKey, PointKey, Pseudonym};
use crate::domain::region::country_of;
use crate::domain::time::{Date, Span, Timestamp};
use crate::domain::zone::zones_of_region;
use crate::policy::evaluate::evaluate;
use crate::policy::facts::Facts;
use crate::policy::pack::Policy;
use serde::Deserialize;
use toml::Spanned;

/// How the worked cases went.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CaseReport {
    /// How many were run.
    pub run: usize,
    /// Those that came out otherwise, and files that could not be read.
    pub faults: Vec<Fault>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseFile {
    #[serde(rename = "case")]
    cases: Vec<Spanned<Worked>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Worked {
    /// What it shows, in plain words.
    says: String,
    at: Timestamp,
    channel: Channel,
    #[serde(default)]
    point: Option<String>,
    #[serde(default)]
    purpose: Option<Purpose>,
    #[serde(default)]
    party: Option<Party>,
    #[serde(default)]
    automated: Option<bool>,
    /// The accounts named; `A` where absent.
    #[serde(default)]
    about: Option<Vec<String>>,
    #[serde(default)]
    deadline: Option<Timestamp>,
    #[serde(default)]
    debtor: WorkedDebtor,
    #[serde(default)]
    contacts: Vec<WorkedContact>,
    #[serde(default)]
    consents: Vec<WorkedConsent>,
    #[serde(default)]
    opt_outs: Vec<WorkedOptOut>,
    #[serde(default)]
    holds: Vec<WorkedHold>,
    #[serde(default)]
    inconvenient: Vec<InconvenientTime>,
    #[serde(default)]
    invalid: Vec<String>,
    #[serde(default)]
    frozen: Vec<String>,
    expect: Expected,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct WorkedDebtor {
    region: Option<String>,
    country: Option<String>,
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
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WorkedContact {
    at: Timestamp,
    /// How often, each a day later than the one before.
    #[serde(default)]
    days: Option<u16>,
    channel: Channel,
    result: ContactResult,
    #[serde(default)]
    about: Option<Vec<String>>,
    #[serde(default)]
    direction: Option<Direction>,
    #[serde(default)]
    party: Option<Party>,
    #[serde(default)]
    purpose: Option<Purpose>,
    #[serde(default)]
    point: Option<String>,
    #[serde(default)]
    automated: Option<bool>,
    /// On the file of another debtor.
    #[serde(default)]
    elsewhere: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WorkedConsent {
    scope: ConsentScope,
    channel: Channel,
    granted_at: Timestamp,
    #[serde(default)]
    expires_at: Option<Timestamp>,
    #[serde(default)]
    point: Option<String>,
    #[serde(default)]
    given_to: Option<GivenTo>,
    #[serde(default)]
    about: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WorkedOptOut {
    channel: OptOutChannel,
    received_at: Timestamp,
    #[serde(default)]
    point: Option<String>,
    #[serde(default)]
    about: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WorkedHold {
    kind: HoldKind,
    since: Timestamp,
    #[serde(default)]
    lifted_at: Option<Timestamp>,
    #[serde(default)]
    about: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    outcome: Outcome,
    /// The earliest permitted moment, for `defer`.
    #[serde(default)]
    from: Option<Timestamp>,
    /// When it stops being permitted, for `allow`.
    #[serde(default)]
    until: Option<Timestamp>,
    /// The rule whose finding stands first.
    #[serde(default)]
    rule: Option<String>,
    #[serde(default)]
    liftable: Option<bool>,
    /// The notices due, all of them.
    #[serde(default)]
    disclosures: Option<Vec<Disclosure>>,
}

impl Policy {
    /// Runs the worked cases that stand beside the loaded files.
    pub fn run_cases(&self, files: &[SourceFile]) -> CaseReport {
        let mut report = CaseReport::default();
        for file in files {
            let Some(stem) = file.path.strip_suffix(".cases.toml") else { continue };
            let beside = format!("{stem}.toml");
            let policy = self.only(|rule| rule.file == beside);
            if policy.rules().is_empty() {
                continue;
            }
            match toml::from_str::<CaseFile>(&file.text) {
                Ok(read) => read.cases.iter().for_each(|case| run(&policy, file, case, &mut report)),
                Err(error) => {
                    let line = Fault::line_of(&file.text, error.span().map_or(0, |span| span.start));
                    report.faults.push(Fault::at(&file.path, line, error.message().replace('\n', "; ")));
                }
            }
        }
        report
    }
}

fn run(policy: &Policy, file: &SourceFile, case: &Spanned<Worked>, report: &mut CaseReport) {
    report.run += 1;
    let worked = case.get_ref();
    let (decision, dues) = worked.decide(policy);
    let line = Fault::line_of(&file.text, case.span().start);
    for difference in worked.expect.differences(&decision, &dues) {
        report.faults.push(Fault::at(&file.path, line, format!("{}: {difference}", worked.says)));
    }
}

/// A key for a made-up name; worked cases need no secret.
fn key(name: &str) -> Pseudonym {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, name.as_bytes());
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(digest.as_ref()).for_each(|(byte, hashed)| *byte = *hashed);
    Pseudonym::from_bytes(bytes)
}

fn accounts(names: &[String]) -> Vec<AccountKey> {
    names.iter().map(|name| AccountKey(key(name))).collect()
}

fn point(name: Option<&String>) -> Option<PointKey> {
    name.map(|name| PointKey(key(name)))
}

impl Worked {
    fn decide(&self, policy: &Policy) -> (Decision, Vec<Disclosure>) {
        let debtor = self.debtor.outline();
        let about = accounts(self.about.as_deref().unwrap_or(&["A".to_owned()]));
        let named = self.point.as_ref().map(|name| PointKey(key(name)));
        let (own, other): (Vec<_>, Vec<_>) = self.contacts.iter().partition(|contact| !contact.elsewhere);
        let (own, other) = (made(own), made(other));
        let consents: Vec<Consent> = self.consents.iter().map(WorkedConsent::given).collect();
        let opt_outs: Vec<OptOut> = self.opt_outs.iter().map(WorkedOptOut::stop).collect();
        let holds: Vec<Hold> = self.holds.iter().map(WorkedHold::placed).collect();
        let keys = |names: &[String]| names.iter().map(|name| PointKey(key(name))).collect::<Vec<_>>();
        let facts = Facts {
            at: self.at,
            channel: self.channel,
            purpose: self.purpose.unwrap_or(Purpose::Collection),
            party: self.party.unwrap_or(Party::Debtor),
            automated: self.automated.unwrap_or(self.channel.automated_by_default()),
            accounts: &about,
            point: named.and_then(|named| debtor.points.iter().find(|point| point.point == named)),
            debtor: &debtor,
            consents: &consents,
            opt_outs: &opt_outs,
            holds: &holds,
            preferences: &Preferences { inconvenient: self.inconvenient.clone(), ..Preferences::default() },
            contacts: &own,
            elsewhere: &other.iter().collect::<Vec<_>>(),
            invalid_points: &keys(&self.invalid),
            frozen_points: &keys(&self.frozen),
        };
        let decision = evaluate(policy, &facts, self.deadline, false);
        let dues = decision.disclosures.clone();
        (decision, dues)
    }
}

fn made(worked: Vec<&WorkedContact>) -> Vec<Contact> {
    let mut contacts: Vec<Contact> = worked.into_iter().flat_map(WorkedContact::contacts).collect();
    contacts.sort_by_key(|contact| contact.occurred_at);
    contacts
}

impl WorkedDebtor {
    fn outline(&self) -> DebtorOutline {
        let country = self.country.clone();
        let country = country.unwrap_or_else(|| self.region.as_deref().map_or("US", country_of).to_owned());
        let zones = self.zones.clone().unwrap_or_else(|| match &self.region {
            Some(region) => zones_of_region(region),
            None => vec!["America/New_York".to_owned()],
        });
        let location =
            LocationOutline { country, locality: self.locality.clone(), region: self.region.clone(), zones };
        let default = [WorkedAccount::named("A")];
        let accounts = if self.accounts.is_empty() { default.as_slice() } else { &self.accounts };
        DebtorOutline {
            accounts: accounts.iter().map(WorkedAccount::outline).collect(),
            language: None,
            locations: vec![location],
            points: self.points.iter().map(WorkedPoint::outline).collect(),
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
            debt: DebtKey(key(self.servicing_account.as_ref().unwrap_or(&self.id))),
            debt_type: self.debt_type.unwrap_or(DebtType::Consumer),
            status: self.status.unwrap_or(AccountStatus::Open),
            time_barred: self.time_barred,
            validation_notice_sent_on: sent,
        }
    }
}

impl WorkedPoint {
    fn outline(&self) -> PointOutline {
        PointOutline {
            employer_provided: self.employer_provided,
            kind: self.kind,
            line_type: self.line_type.unwrap_or(LineType::Unknown),
            point: PointKey(key(&self.name)),
            reassignment_check: self.reassignment_check.clone(),
            workplace: self.workplace,
            zones: self.zones.clone(),
        }
    }
}

impl WorkedContact {
    fn contacts(&self) -> impl Iterator<Item = Contact> + '_ {
        let one = move |day: u16| Contact {
            accounts: accounts(self.about.as_deref().unwrap_or(&["A".to_owned()])),
            automated: self.automated.unwrap_or(self.channel.automated_by_default()),
            channel: self.channel,
            direction: self.direction.unwrap_or(Direction::Outbound),
            occurred_at: self.at.plus(Span::days(i64::from(day))),
            party: self.party.unwrap_or(Party::Debtor),
            point: point(self.point.as_ref()),
            purpose: self.purpose.unwrap_or(Purpose::Collection),
            result: self.result,
            source: ContactSource::Reported(key("worked case")),
        };
        (0..self.days.unwrap_or(1)).map(one)
    }
}

impl WorkedConsent {
    fn given(&self) -> Consent {
        Consent {
            accounts: accounts(&self.about),
            channel: self.channel,
            expires_at: self.expires_at,
            form: None,
            given_to: self.given_to.unwrap_or(GivenTo::Collector),
            granted_at: self.granted_at,
            point: point(self.point.as_ref()),
            scope: self.scope,
        }
    }
}

impl WorkedOptOut {
    fn stop(&self) -> OptOut {
        OptOut {
            accounts: accounts(&self.about),
            channel: self.channel,
            point: point(self.point.as_ref()),
            received_at: self.received_at,
        }
    }
}

impl WorkedHold {
    fn placed(&self) -> Hold {
        Hold {
            accounts: accounts(&self.about),
            kind: self.kind,
            lifted_at: self.lifted_at,
            since: self.since,
        }
    }
}

impl Expected {
    fn differences(&self, decision: &Decision, dues: &[Disclosure]) -> Vec<String> {
        let mut differences = Vec::new();
        if decision.outcome != self.outcome {
            let reasons: Vec<&str> =
                decision.findings.iter().map(|finding| finding.reason.as_str()).collect();
            let reasons = reasons.join("; ");
            differences.push(format!("expected {}, not {} ({reasons})", self.outcome, decision.outcome));
        }
        let shown = |at: Option<Timestamp>| at.map_or_else(|| "never".to_owned(), |at| at.to_string());
        if self.outcome == Outcome::Defer && decision.permitted_from != self.from {
            let (expected, found) = (shown(self.from), shown(decision.permitted_from));
            differences.push(format!("expected it permitted from {expected}, not {found}"));
        }
        if self.until.is_some() && decision.permitted_until != self.until {
            let (expected, found) = (shown(self.until), shown(decision.permitted_until));
            differences.push(format!("expected it permitted until {expected}, not {found}"));
        }
        let first = decision.findings.first().map(|finding| finding.rule.as_str());
        if self.rule.is_some() && first != self.rule.as_deref() {
            let (expected, found) = (self.rule.as_deref().unwrap_or_default(), first.unwrap_or("none"));
            differences.push(format!("expected the finding of {expected} first, not {found}"));
        }
        if self.liftable.is_some_and(|liftable| liftable != decision.liftable) {
            differences.push(format!("expected liftable to be {}", !decision.liftable));
        }
        if self.disclosures.as_deref().is_some_and(|expected| expected != dues) {
            let found: Vec<&str> = dues.iter().map(|due| due.as_str()).collect();
            differences.push(format!("the notices due are {}", found.join(", ")));
        }
        differences
    }
}
