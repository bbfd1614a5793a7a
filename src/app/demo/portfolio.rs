//! The demo's portfolio: three hundred people who do not exist, and the contact requests that are posted about them.
//!
//! Everything follows from a person's number, so that the demo tells the same story every time. Telephone numbers are from
//! the range that is set aside for fiction (555-0100 to 555-0199), addresses end in `example.com`.

use crate::app::demo::place::{HOMES, Home};
use crate::domain::channel::{Channel, Direction, Priority, Purpose};
use crate::domain::consent::{
    ConsentForm, ConsentScope, GivenTo, HoldKind, InconvenientTime, MinuteOfDay, OptOutChannel, Preferences,
    Weekday,
};
use crate::domain::contact::ContactResult;
use crate::domain::contact_point::{LineType, PointKind};
use crate::domain::debtor::{
    Account, AccountStatus, CollectorRole, ContactPoint, DebtType, DebtorFile, Location, Name,
};
use crate::domain::money::Money;
use crate::domain::request::{ChannelChoice, ContactRequest};
use crate::domain::statement::{ConsentStatement, ContactEvent, HoldStatement, OptOutStatement};
use crate::domain::time::{Span, Timestamp};

/// How many people there are.
pub const PEOPLE: u16 = 300;
/// How many of them a contact is asked for.
pub const REQUESTS: u16 = 40;
/// What the contact requests have in common.
pub const CAMPAIGN: &str = "demo";

/// What is particular about a person, and what the law makes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Situation {
    /// Nothing: consents are in place.
    Plain,
    /// Never consented to texts or email.
    NoConsent,
    /// Texted STOP; email is still open.
    Stopped,
    /// Was called seven times within the last seven days.
    SevenCalls,
    /// Was called six times within the last seven days: one call is left.
    SixCalls,
    /// Talked with us on the telephone three days ago.
    Spoke,
    /// Told us in writing to cease.
    Ceased,
    /// Has an attorney.
    Represented,
    /// Is bankrupt.
    Bankrupt,
    /// Disputes the debt.
    Disputed,
    /// Told us that Tuesdays are inconvenient.
    BadTuesdays,
    /// Lives in one time zone and has a telephone number of another.
    TwoZones,
    /// Has paid.
    Paid,
    /// Owes jointly with the person before.
    Joint,
    /// Left neither a place nor a telephone number.
    Nowhere,
    /// Has a number that is not in service.
    BadNumber,
    /// Has a number at which the provider's answer gets lost.
    LostAnswer,
}

/// The situations in turn; the plain one is the most common, as in life.
const SITUATIONS: &[Situation] = &[
    Situation::Plain,
    Situation::Plain,
    Situation::Plain,
    Situation::Stopped,
    Situation::Plain,
    Situation::SevenCalls,
    Situation::Joint,
    Situation::Plain,
    Situation::BadTuesdays,
    Situation::Plain,
    Situation::Ceased,
    Situation::TwoZones,
    Situation::Plain,
    Situation::NoConsent,
    Situation::Plain,
    Situation::Spoke,
    Situation::Plain,
    Situation::Disputed,
    Situation::SixCalls,
    Situation::Plain,
    Situation::Represented,
    Situation::Plain,
    Situation::Paid,
    Situation::Plain,
    Situation::Bankrupt,
    Situation::BadNumber,
    Situation::Nowhere,
    Situation::LostAnswer,
];

const CREDITORS: &[(&str, DebtType)] = &[
    ("First Bank", DebtType::CreditCard),
    ("Harbor Credit Union", DebtType::Consumer),
    ("Riverside Clinic", DebtType::Medical),
    ("Northwind Power", DebtType::Utility),
];

/// Everything on file about one person.
pub struct Person {
    /// Upstream's name for the person, `demo-017`.
    pub debtor_id: String,
    /// What a reader calls the person, `Sample 017`.
    pub title: String,
    /// Where the person lives.
    pub home: Home,
    /// What is particular.
    pub situation: Situation,
    /// The file.
    pub file: DebtorFile,
    /// Consents.
    pub consents: Vec<ConsentStatement>,
    /// Opt-outs.
    pub opt_outs: Vec<OptOutStatement>,
    /// Holds.
    pub holds: Vec<(HoldKind, HoldStatement)>,
    /// Preferences, if any were stated.
    pub preferences: Option<Preferences>,
    /// Contacts that somebody else made before.
    pub contacts: Vec<ContactEvent>,
}

impl Person {
    /// Whether the file says where the person is.
    pub fn is_located(&self) -> bool {
        self.situation != Situation::Nowhere
    }
}

/// All people, as they are on file at an instant.
pub fn people(now: Timestamp) -> Vec<Person> {
    (1..=PEOPLE).map(|number| person(number, now)).collect()
}

/// The contact requests, one for each of the first people.
pub fn requests(people: &[Person], now: Timestamp) -> Vec<ContactRequest> {
    people
        .iter()
        .take(usize::from(REQUESTS))
        .enumerate()
        .map(|(index, person)| request(index, person, now))
        .collect()
}

fn person(number: u16, now: Timestamp) -> Person {
    let index = usize::from(number - 1);
    let situation = SITUATIONS[index % SITUATIONS.len()];
    let home = HOMES[index % HOMES.len()];
    let person = Person {
        debtor_id: format!("demo-{number:03}"),
        title: format!("Sample {number:03}"),
        home,
        situation,
        file: file(number, situation, home),
        consents: Vec::new(),
        opt_outs: Vec::new(),
        holds: Vec::new(),
        preferences: None,
        contacts: Vec::new(),
    };
    with_past(person, now)
}

fn file(number: u16, situation: Situation, home: Home) -> DebtorFile {
    let index = usize::from(number - 1);
    let located = situation != Situation::Nowhere;
    let location = Location {
        postal_code: Some(home.postal_code.to_owned()),
        region: Some(home.region.to_owned()),
        locality: Some(home.locality.to_owned()),
        country: Some("US".to_owned()),
    };
    let mut points = Vec::new();
    if located {
        points.push(point(PointKind::Phone, phone(number, situation, home), Some(LineType::Mobile)));
    }
    points.push(point(PointKind::Email, email(number), None));
    points.push(point(PointKind::Portal, format!("sample-{number:03}"), None));
    DebtorFile {
        name: Some(Name { given: Some("Sample".to_owned()), family: Some(format!("{number:03}")) }),
        date_of_birth: None,
        language: Some(if index % 4 == 3 { "es" } else { "en" }.to_owned()),
        locations: if located { vec![location] } else { Vec::new() },
        time_zone: None,
        contact_points: points,
        accounts: vec![account(number, situation)],
    }
}

fn point(kind: PointKind, value: String, line_type: Option<LineType>) -> ContactPoint {
    ContactPoint {
        kind,
        value,
        line_type,
        workplace: false,
        employer_provided: false,
        reassignment_check: None,
        creditor_notice: None,
    }
}

fn phone(number: u16, situation: Situation, home: Home) -> String {
    let index = usize::from(number - 1);
    let (area_code, line) = match situation {
        // A number of the other coast than most of these homes; nobody's home has this area code.
        Situation::TwoZones => ("310", 10 + index / SITUATIONS.len()),
        // The sandbox provider refuses numbers that end in 0101, and loses its answer to those in 0102.
        Situation::BadNumber => (home.area_code, 1),
        Situation::LostAnswer => (home.area_code, 2),
        _ => (home.area_code, 10 + index / HOMES.len()),
    };
    format!("+1{area_code}55501{line:02}")
}

fn email(number: u16) -> String {
    format!("sample-{number:03}@example.com")
}

fn account(number: u16, situation: Situation) -> Account {
    let (creditor, debt_type) = CREDITORS[usize::from(number) % CREDITORS.len()];
    // The person before owes the same account.
    let owner = if situation == Situation::Joint { number - 1 } else { number };
    let cents = 4_500 + u64::from(owner) * 7_919 % 180_000;
    let amount = format!("{}.{:02}", cents / 100, cents % 100);
    Account {
        account_id: format!("demo-A-{owner:03}"),
        creditor: Some(creditor.to_owned()),
        creditor_region: None,
        reference: Some(format!("xxxx{:04}", 1_000 + owner)),
        balance: Money::parse(&amount, "USD").ok(),
        collector_role: Some(CollectorRole::ThirdParty),
        debt_type: Some(debt_type),
        validation_notice_sent_on: Some(jiff::civil::date(2026, 8, 3)),
        time_barred: Some(false),
        status: Some(if situation == Situation::Paid { AccountStatus::Paid } else { AccountStatus::Open }),
        payment_url: Some(format!("https://pay.example/demo-A-{owner:03}")),
        servicing_account: None,
    }
}

/// Adds what happened before.
fn with_past(mut person: Person, now: Timestamp) -> Person {
    if person.situation != Situation::NoConsent {
        person.consents = consents(now);
    }
    match person.situation {
        Situation::Plain | Situation::NoConsent | Situation::TwoZones => {}
        Situation::Paid | Situation::Joint | Situation::Nowhere => {}
        Situation::BadNumber | Situation::LostAnswer => {}
        Situation::Stopped => person.opt_outs.push(OptOutStatement {
            channel: OptOutChannel::Sms,
            contact_point: None,
            account_ids: Vec::new(),
            received_at: now.minus(Span::days(12)),
            source: "reply by text".to_owned(),
            text: Some("STOP".to_owned()),
        }),
        Situation::SevenCalls => calls(&mut person, 7, ContactResult::NoAnswer, now),
        Situation::SixCalls => calls(&mut person, 6, ContactResult::NoAnswer, now),
        Situation::Spoke => {
            let days_ago = now.minus(Span::days(3));
            let event = call(&person, 1, ContactResult::Conversation, days_ago);
            person.contacts.push(event);
        }
        Situation::Ceased => hold(&mut person, HoldKind::Cease, "letter received", now),
        Situation::Represented => {
            hold(&mut person, HoldKind::Attorney, "Sample & Partners, example.com", now)
        }
        Situation::Bankrupt => hold(&mut person, HoldKind::Bankruptcy, "chapter 7 petition", now),
        Situation::Disputed => hold(&mut person, HoldKind::Dispute, "says it was paid in June", now),
        Situation::BadTuesdays => person.preferences = Some(no_tuesdays()),
    }
    person
}

fn consents(now: Timestamp) -> Vec<ConsentStatement> {
    let consent = |channel, scope| ConsentStatement {
        channel,
        contact_point: None,
        account_ids: Vec::new(),
        scope,
        granted_at: now.minus(Span::days(90)),
        expires_at: None,
        given_to: Some(GivenTo::Collector),
        form: Some(ConsentForm::Written),
        source: "signed with the repayment plan".to_owned(),
        evidence: None,
    };
    vec![
        consent(Channel::Sms, ConsentScope::Automated),
        consent(Channel::Sms, ConsentScope::Electronic),
        consent(Channel::Email, ConsentScope::Electronic),
        consent(Channel::Voice, ConsentScope::Automated),
    ]
}

fn calls(person: &mut Person, count: u8, result: ContactResult, now: Timestamp) {
    for number in 1..=count {
        // The last six days, at most two a day, all of them in the afternoon of anywhere in the country.
        let ago = Span::hours(24 * i64::from(number.div_ceil(2)) - 5 + i64::from(number % 2));
        let event = call(person, number, result, now.minus(ago));
        person.contacts.push(event);
    }
}

fn call(person: &Person, number: u8, result: ContactResult, at: Timestamp) -> ContactEvent {
    ContactEvent {
        event_id: format!("{}-call-{number}", person.debtor_id),
        debtor_id: person.debtor_id.clone(),
        account_ids: person.file.accounts.iter().map(|account| account.account_id.clone()).collect(),
        channel: Channel::Voice,
        direction: Direction::Outbound,
        contact_point: None,
        party: None,
        purpose: Some(Purpose::Collection),
        occurred_at: at,
        result,
    }
}

fn hold(person: &mut Person, kind: HoldKind, detail: &str, now: Timestamp) {
    let statement = HoldStatement {
        since: now.minus(Span::days(20)),
        account_ids: Vec::new(),
        detail: Some(detail.to_owned()),
    };
    person.holds.push((kind, statement));
}

fn no_tuesdays() -> Preferences {
    let time = |hour: u16| MinuteOfDay::new(hour * 60).unwrap_or_else(|| unreachable!("an hour of the day"));
    Preferences {
        inconvenient: vec![InconvenientTime {
            channels: Vec::new(),
            days: vec![Weekday::Tue],
            from: time(8),
            places: Vec::new(),
            since: None,
            to: time(18),
        }],
        language: None,
        preferred_channel: None,
    }
}

/// Which channels are asked for: those that show what is particular about the person.
fn channels(index: usize, situation: Situation) -> Vec<Channel> {
    match situation {
        Situation::SevenCalls | Situation::SixCalls | Situation::Spoke | Situation::Joint => {
            vec![Channel::Voice]
        }
        Situation::Stopped => vec![Channel::Sms, Channel::Email],
        Situation::Nowhere => vec![Channel::Email],
        Situation::NoConsent | Situation::TwoZones | Situation::BadTuesdays => vec![Channel::Sms],
        Situation::BadNumber | Situation::LostAnswer => vec![Channel::Sms],
        Situation::Ceased | Situation::Represented | Situation::Bankrupt | Situation::Disputed => {
            vec![Channel::Sms, Channel::Email]
        }
        Situation::Plain | Situation::Paid => match index % 5 {
            0 => vec![Channel::Sms, Channel::Email],
            1 => vec![Channel::Email],
            2 => vec![Channel::Sms],
            3 => vec![Channel::Voice],
            _ => vec![Channel::Portal],
        },
    }
}

fn request(index: usize, person: &Person, now: Timestamp) -> ContactRequest {
    let mut variables = serde_json::Map::new();
    variables.insert("due_date".to_owned(), "2026-12-15".into());
    ContactRequest {
        request_id: format!("demo-request-{:03}", index + 1),
        debtor_id: person.debtor_id.clone(),
        account_ids: person.file.accounts.iter().map(|account| account.account_id.clone()).collect(),
        channels: channels(index, person.situation).into_iter().map(ChannelChoice::Named).collect(),
        contact_point: None,
        purpose: Some(Purpose::Collection),
        template: "payment-reminder".to_owned(),
        variables,
        not_before: None,
        expires_at: Some(now.plus(Span::days(5))),
        priority: Some(Priority::Normal),
        campaign: Some(CAMPAIGN.to_owned()),
        fallback_after: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::contact_point::PointValue;
    use std::collections::BTreeSet;

    fn now() -> Timestamp {
        "2026-12-01T15:59:55Z".parse().expect("an instant")
    }

    #[test]
    fn the_portfolio_is_the_same_every_time_and_plainly_made_up() {
        let (first, second) = (people(now()), people(now()));
        assert_eq!(first.len(), usize::from(PEOPLE));
        for (one, other) in first.iter().zip(&second) {
            assert!(one.file == other.file && one.debtor_id == other.debtor_id);
            for point in &one.file.contact_points {
                PointValue::parse(point.kind, &point.value).expect("well formed");
                let made_up = match point.kind {
                    PointKind::Phone => point.value[5..].starts_with("55501"),
                    PointKind::Email => point.value.ends_with("@example.com"),
                    PointKind::Portal => point.value.starts_with("sample-"),
                };
                assert!(made_up, "{}", one.title);
            }
            assert!(one.title.starts_with("Sample "));
        }
    }

    #[test]
    fn no_two_people_share_an_address() {
        let mut seen = BTreeSet::new();
        for person in people(now()) {
            for point in person.file.contact_points {
                assert!(seen.insert(point.value), "{}", person.title);
            }
        }
    }

    #[test]
    fn every_situation_is_asked_about_and_accounts_are_shared() {
        let people = people(now());
        let requests = requests(&people, now());
        assert_eq!(requests.len(), usize::from(REQUESTS));
        let asked: Vec<Situation> =
            people.iter().take(requests.len()).map(|person| person.situation).collect();
        for situation in SITUATIONS {
            assert!(asked.contains(situation), "{situation:?}");
        }
        let accounts: Vec<&str> = people.iter().map(|p| p.file.accounts[0].account_id.as_str()).collect();
        let distinct: BTreeSet<&str> = accounts.iter().copied().collect();
        assert!(distinct.len() < accounts.len(), "some accounts are joint");
    }

    #[test]
    fn nothing_on_file_lies_in_the_future() {
        for person in people(now()) {
            assert!(person.consents.iter().all(|consent| consent.granted_at < now()));
            assert!(person.opt_outs.iter().all(|stop| stop.received_at < now()));
            assert!(person.holds.iter().all(|(_, hold)| hold.since < now()));
            assert!(person.contacts.iter().all(|event| event.occurred_at < now()), "{}", person.title);
        }
    }
}
