//! Worked cases: scenarios in plain words beside each pack's file, proof that the file says what it means.
//!
//! `reg-f.cases.toml` is put to the rules of `reg-f.toml` alone. The debtor of a case lives where the case says, owes on
//! accounts of made-up names and can be reached at points of made-up names.

mod debtor;
mod expected;

use crate::domain::channel::{Channel, Claim, Direction, Party, Purpose};
use crate::domain::consent::{
    Consent, ConsentForm, ConsentScope, GivenTo, Hold, HoldKind, InconvenientTime, OptOut, OptOutChannel,
    Preferences,
};
use crate::domain::contact::{Contact, ContactResult, ContactSource};
use crate::domain::decision::Decision;
use crate::domain::fault::{Fault, SourceFile};
use crate::domain::id::{AccountKey, PointKey, Pseudonym};
use crate::domain::time::{Span, Timestamp};
use crate::policy::evaluate::evaluate;
use crate::policy::facts::Facts;
use crate::policy::pack::Policy;
use debtor::WorkedDebtor;
use expected::Expected;
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
    /// The debtor's mobile number, mailbox or login where absent; `none` for no point.
    #[serde(default)]
    point: Option<String>,
    #[serde(default)]
    purpose: Option<Purpose>,
    /// What the message says that law looks at.
    #[serde(default)]
    claims: Vec<Claim>,
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
    /// Whether the consents that texts, emails and automated calls need are on file since 2020.
    #[serde(default)]
    consented: bool,
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
    form: Option<ConsentForm>,
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
    let decision = worked.decide(policy);
    let line = Fault::line_of(&file.text, case.span().start);
    for difference in worked.expect.differences(&decision) {
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
    fn decide(&self, policy: &Policy) -> Decision {
        let debtor = self.debtor.outline();
        let about = accounts(self.about.as_deref().unwrap_or(&["A".to_owned()]));
        let named =
            self.point.as_deref().or_else(|| usual_point(self.channel)).map(|name| PointKey(key(name)));
        let (own, other): (Vec<_>, Vec<_>) = self.contacts.iter().partition(|contact| !contact.elsewhere);
        let (own, other) = (made(own), made(other));
        let mut consents: Vec<Consent> = self.consents.iter().map(WorkedConsent::given).collect();
        if self.consented {
            consents.extend(every_consent());
        }
        let opt_outs: Vec<OptOut> = self.opt_outs.iter().map(WorkedOptOut::stop).collect();
        let holds: Vec<Hold> = self.holds.iter().map(WorkedHold::placed).collect();
        let keys = |names: &[String]| names.iter().map(|name| PointKey(key(name))).collect::<Vec<_>>();
        let facts = Facts {
            at: self.at,
            channel: self.channel,
            purpose: self.purpose.unwrap_or(Purpose::Collection),
            says: &self.claims,
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
            disclosed_points: &own.iter().chain(&other).filter_map(Contact::discloses).collect::<Vec<_>>(),
            invalid_points: &keys(&self.invalid),
            frozen_points: &keys(&self.frozen),
        };
        evaluate(policy, &facts, self.deadline, false)
    }
}

/// The point that a case means where it names none.
fn usual_point(channel: Channel) -> Option<&'static str> {
    match channel {
        Channel::Sms | Channel::Voice => Some("mobile"),
        Channel::Email => Some("email"),
        Channel::Portal => Some("portal"),
        Channel::Letter | Channel::Visit => None,
    }
}

fn every_consent() -> Vec<Consent> {
    let pairs = [
        (ConsentScope::Automated, Channel::Sms),
        (ConsentScope::Automated, Channel::Voice),
        (ConsentScope::Electronic, Channel::Sms),
        (ConsentScope::Electronic, Channel::Email),
    ];
    let given = |(scope, channel)| Consent {
        accounts: Vec::new(),
        channel,
        expires_at: None,
        form: None,
        given_to: GivenTo::Collector,
        granted_at: Timestamp::from_millis(1_577_836_800_000),
        point: None,
        scope,
    };
    pairs.into_iter().map(given).collect()
}

fn made(worked: Vec<&WorkedContact>) -> Vec<Contact> {
    let mut contacts: Vec<Contact> = worked.into_iter().flat_map(WorkedContact::contacts).collect();
    contacts.sort_by_key(|contact| contact.occurred_at);
    contacts
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
            form: self.form,
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
