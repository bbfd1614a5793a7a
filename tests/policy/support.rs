//! What the tests share: the shipped packs, and a debtor who owes and can be reached.

use dunwell::domain::channel::{Channel, Claim, Direction, Party, Purpose};
use dunwell::domain::consent::{Consent, ConsentScope, GivenTo, Hold, OptOut, Preferences};
use dunwell::domain::contact::{Contact, ContactResult, ContactSource};
use dunwell::domain::contact_point::{LineType, PointKind, PointOutline};
use dunwell::domain::debtor::{
    AccountOutline, AccountStatus, CollectorRole, DebtType, DebtorOutline, LocationOutline,
};
use dunwell::domain::decision::Decision;
use dunwell::domain::fault::SourceFile;
use dunwell::domain::id::{AccountKey, DebtKey, PointKey, Pseudonym};
use dunwell::domain::time::{Span, Timestamp};
use dunwell::policy::{Facts, Policy, evaluate};
use std::path::Path;

/// Every file under `config/policy`.
pub fn shipped_files() -> Vec<SourceFile> {
    let mut files = Vec::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/policy");
    for pack in
        std::fs::read_dir(&root).expect("config/policy").flatten().filter(|entry| entry.path().is_dir())
    {
        for file in std::fs::read_dir(pack.path()).expect("pack").flatten() {
            let name = format!("{}/{}", pack.file_name().display(), file.file_name().display());
            files.push(SourceFile {
                path: name,
                text: std::fs::read_to_string(file.path()).expect("pack file"),
            });
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

/// The packs as shipped.
pub fn shipped() -> Policy {
    load(&shipped_files(), &["us-federal", "us-states"])
}

/// Loads packs that must have no fault.
pub fn load(files: &[SourceFile], packs: &[&str]) -> Policy {
    let packs: Vec<String> = packs.iter().map(|pack| (*pack).to_owned()).collect();
    match Policy::load(files, &packs) {
        Ok(policy) => policy,
        Err(faults) => {
            panic!("{}", faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
        }
    }
}

/// A pack of one file with these rules.
pub fn made_up(rules: &str) -> Vec<SourceFile> {
    let file = |path: &str, text: &str| SourceFile { path: path.to_owned(), text: text.to_owned() };
    vec![
        file("made-up/pack.toml", "[pack]\ntitle = \"Made up\"\nversion = 1\n"),
        file("made-up/rules.toml", rules),
    ]
}

/// The text of one rule of a kind.
pub fn rule(id: &str, kind: &str, applies: &str, row: &str) -> String {
    format!(
        "[[rule]]\nid = \"{id}\"\nkind = \"{kind}\"\ncitation = \"none, made up\"\nsource = \"none\"\njurisdiction = \"US\"\n\
         verified = false\nreviewed = false\napplies = {{ {applies} }}\n[[rule.effective]]\nfrom = 1990-01-01\n{row}\n\n"
    )
}

pub fn at(text: &str) -> Timestamp {
    text.parse().expect(text)
}

fn key(name: &str) -> Pseudonym {
    let mut bytes = [0; 16];
    for (index, byte) in name.bytes().enumerate() {
        bytes[index % 16] ^= byte.wrapping_mul(u8::try_from(index / 16 + 1).expect("short name"));
    }
    Pseudonym::from_bytes(bytes)
}

pub fn account(name: &str) -> AccountKey {
    AccountKey(key(name))
}

pub fn point(name: &str) -> PointKey {
    PointKey(key(name))
}

/// Everything that a decision borrows.
#[derive(Clone, Debug)]
pub struct World {
    pub at: Timestamp,
    pub channel: Channel,
    pub purpose: Purpose,
    pub says: Vec<Claim>,
    pub party: Party,
    pub automated: bool,
    pub accounts: Vec<AccountKey>,
    pub point: Option<PointKey>,
    pub debtor: DebtorOutline,
    pub consents: Vec<Consent>,
    pub opt_outs: Vec<OptOut>,
    pub holds: Vec<Hold>,
    pub preferences: Preferences,
    pub contacts: Vec<Contact>,
    /// On other people's files, about shared accounts or over shared points.
    pub elsewhere: Vec<Contact>,
    pub invalid: Vec<PointKey>,
    pub frozen: Vec<PointKey>,
    pub deadline: Option<Timestamp>,
}

impl World {
    /// A debtor in these zones with one account, `card-1`, a mobile number and a mailbox, asked about by telephone.
    pub fn new(at: Timestamp, zones: &[&str]) -> Self {
        let location = LocationOutline {
            country: "US".to_owned(),
            locality: None,
            region: None,
            zones: zones.iter().map(|zone| (*zone).to_owned()).collect(),
        };
        let debtor = DebtorOutline {
            accounts: vec![owed("card-1", None)],
            language: None,
            locations: vec![location],
            number_checks: Vec::new(),
            points: vec![reach("mobile", PointKind::Phone), reach("email", PointKind::Email)],
            stated_zone: None,
        };
        Self {
            at,
            channel: Channel::Voice,
            purpose: Purpose::Collection,
            says: Vec::new(),
            party: Party::Debtor,
            automated: false,
            accounts: vec![account("card-1")],
            point: Some(point("mobile")),
            debtor,
            consents: Vec::new(),
            opt_outs: Vec::new(),
            holds: Vec::new(),
            preferences: Preferences::default(),
            contacts: Vec::new(),
            elsewhere: Vec::new(),
            invalid: Vec::new(),
            frozen: Vec::new(),
            deadline: None,
        }
    }

    pub fn with_facts<T>(&self, run: impl FnOnce(&Facts) -> T) -> T {
        let all = self.contacts.iter().chain(&self.elsewhere);
        let disclosed: Vec<_> = all.filter_map(Contact::discloses).collect();
        run(&Facts {
            at: self.at,
            channel: self.channel,
            purpose: self.purpose,
            says: &self.says,
            party: self.party,
            automated: self.automated,
            accounts: &self.accounts,
            point: self.debtor.points.iter().find(|outline| Some(outline.point) == self.point),
            debtor: &self.debtor,
            consents: &self.consents,
            opt_outs: &self.opt_outs,
            holds: &self.holds,
            preferences: &self.preferences,
            contacts: &self.contacts,
            elsewhere: &self.elsewhere.iter().collect::<Vec<_>>(),
            disclosed_points: &disclosed,
            invalid_points: &self.invalid,
            frozen_points: &self.frozen,
        })
    }

    pub fn decide(&self, policy: &Policy) -> Decision {
        self.with_facts(|facts| evaluate(policy, facts, self.deadline, false))
    }

    /// The consents that texts, emails and automated calls need.
    pub fn consented(mut self) -> Self {
        let pairs = [
            (ConsentScope::Automated, Channel::Sms),
            (ConsentScope::Automated, Channel::Voice),
            (ConsentScope::Electronic, Channel::Sms),
            (ConsentScope::Electronic, Channel::Email),
        ];
        self.consents
            .extend(pairs.map(|(scope, channel)| consent(scope, channel, at("2020-01-01T00:00:00Z"))));
        self
    }

    /// Records a contact at its place in time.
    pub fn record(&mut self, contact: Contact) {
        let index = self.contacts.partition_point(|other| other.occurred_at <= contact.occurred_at);
        self.contacts.insert(index, contact);
    }
}

pub fn owed(name: &str, servicing_account: Option<&str>) -> AccountOutline {
    AccountOutline {
        account: account(name),
        collector_role: CollectorRole::ThirdParty,
        creditor: None,
        creditor_region: None,
        debt: DebtKey(key(servicing_account.unwrap_or(name))),
        debt_type: DebtType::Consumer,
        status: AccountStatus::Open,
        time_barred: Some(false),
        validation_notice_sent_on: None,
    }
}

pub fn reach(name: &str, kind: PointKind) -> PointOutline {
    PointOutline {
        creditor_notice: None,
        employer_provided: false,
        kind,
        line_type: if kind == PointKind::Phone { LineType::Mobile } else { LineType::Unknown },
        point: point(name),
        reassignment_check: None,
        regions: Vec::new(),
        workplace: false,
        zones: Vec::new(),
    }
}

pub fn consent(scope: ConsentScope, channel: Channel, granted_at: Timestamp) -> Consent {
    Consent {
        accounts: Vec::new(),
        channel,
        expires_at: None,
        form: None,
        given_to: GivenTo::Collector,
        granted_at,
        point: None,
        scope,
    }
}

pub fn contact(occurred_at: Timestamp, channel: Channel, result: ContactResult) -> Contact {
    Contact {
        accounts: vec![account("card-1")],
        automated: false,
        channel,
        direction: Direction::Outbound,
        occurred_at,
        party: Party::Debtor,
        point: None,
        purpose: Purpose::Collection,
        result,
        source: ContactSource::Reported(key("event")),
    }
}

pub fn days(count: i64) -> Span {
    Span::days(count)
}
