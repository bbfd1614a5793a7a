//! The state that a published vector describes, as upstream would have reported it.

use crate::support::{World, account, at, consent, contact, owed, point, reach};
use dunwell::domain::channel::{Channel, Claim, Direction, Party, Purpose};
use dunwell::domain::consent::{
    ConsentScope, GivenTo, Hold, HoldKind, InconvenientTime, OptOut, OptOutChannel, Place, Weekday,
};
use dunwell::domain::contact::ContactResult;
use dunwell::domain::contact_point::{
    CreditorNotice, LineType, NoticeElement, PointKind, ReassignmentCheck, ReassignmentResult,
};
use dunwell::domain::debtor::DebtType;
use dunwell::domain::decision::Outcome;
use dunwell::domain::event::Understanding;
use dunwell::domain::time::Timestamp;
use dunwell::policy::Policy;
use dunwell::reply::{Reader, Said};
use serde_yaml_ng::Value;

/// One vector, or one of its facts.
pub struct Vector(pub Value);

impl Vector {
    pub fn text(&self, key: &str) -> &str {
        self.0[key].as_str().unwrap_or_default()
    }

    pub fn facts(&self) -> Vec<Vector> {
        self.0["facts"]
            .as_sequence()
            .map(|facts| facts.iter().cloned().map(Vector).collect())
            .unwrap_or_default()
    }

    pub fn at(&self) -> Timestamp {
        at(self.text("at"))
    }

    /// What the vector tests: the federal rules, those of consent and of the database of reassigned numbers only where it is
    /// about them.
    pub fn law(&self, shipped: &Policy) -> Policy {
        let tested = self.text("rule");
        let consents_matter = tested.starts_with("regf.6d");
        shipped.only(|rule| {
            let of_consent =
                ["us.fed.regf.electronic-consent", "us.fed.regf.text-consent"].contains(&rule.id.as_str());
            rule.file == "us-federal/reg-f.toml" && (consents_matter || !of_consent)
                || rule.file == "us-federal/harassment.toml"
                || (tested.starts_with("regf.6d5i.") && rule.id.ends_with("reassigned-number"))
        })
    }

    /// The answer that it expects.
    pub fn outcome(&self) -> Outcome {
        match self.text("expected") {
            "allow" | "presumed_compliant" | "valid" | "invalid" | "review" => Outcome::Allow,
            "defer" | "presumed_violation" => Outcome::Defer,
            "block" => Outcome::Block,
            other => panic!("expectation {other}"),
        }
    }

    pub fn list(&self, key: &str) -> Vec<String> {
        let items = self.0[key].as_sequence().map(Vec::as_slice).unwrap_or_default();
        items.iter().filter_map(Value::as_str).map(str::to_owned).collect()
    }
}

/// Every published vector.
pub fn vectors() -> Vec<Vector> {
    let text = include_str!("../data/regf-vectors.yaml");
    let file: Value = serde_yaml_ng::from_str(text).expect("yaml");
    file["vectors"].as_sequence().expect("vectors").iter().cloned().map(Vector).collect()
}

/// The state that a vector's facts leave behind, and the contact that it asks about.
pub fn world(vector: &Vector) -> World {
    let attempt = Vector(vector.0["attempt"].clone());
    // What is computed is asked about at the last of its facts.
    let asked =
        if attempt.0["at"].is_null() { vector.facts().last().expect("a fact").at() } else { attempt.at() };
    let mut world = World::new(asked, &[vector.text("tz")]);
    world.channel =
        if attempt.text("channel").is_empty() { Channel::Voice } else { channel(attempt.text("channel")) };
    world.purpose = purpose(&attempt);
    world.says = match attempt.text("template") {
        "mentions_suit" => vec![Claim::LegalAction],
        "pay_within_10_days" => vec![Claim::Deadline],
        _ => Vec::new(),
    };
    world.party = party(attempt.text("person"));
    world.accounts = attempt.list("debts").iter().map(|name| account(name)).collect();
    world.point = match world.channel {
        Channel::Letter => None,
        Channel::Email => Some(point("email")),
        _ => Some(point("mobile")),
    };
    let mut names = attempt.list("debts");
    for fact in vector.facts() {
        names.extend(fact.list("debts"));
        if let Some(address) = fact.0["address"].as_str().or(fact.0["to"].as_str()) {
            add_point(&mut world, address);
        }
    }
    names.sort();
    names.dedup();
    world.debtor.accounts = names.iter().map(|name| debt(vector, name)).collect();
    if let Some(to) = attempt.0["to"].as_str().filter(|_| world.channel != Channel::Letter) {
        add_point(&mut world, to);
        world.point = Some(point(to));
    }
    if attempt.text("opt_out_method") == "reply_stop" {
        // The reply that the message invites is understood as the stop it is.
        assert_eq!(understand("stop", world.at), Understanding::Stop);
    }
    if !vector.text("rule").starts_with("regf.6d") {
        world = world.consented();
    }
    for fact in vector.facts() {
        apply(&mut world, &fact);
    }
    world
}

fn debt(vector: &Vector, name: &str) -> dunwell::domain::debtor::AccountOutline {
    let attributes = &vector.0["debt_attributes"][name];
    let mut outline = owed(name, attributes["servicing_account"].as_str());
    if attributes["kind"].as_str() == Some("student") {
        outline.debt_type = DebtType::Student;
    }
    outline
}

fn add_point(world: &mut World, name: &str) {
    if world.debtor.points.iter().any(|outline| outline.point == point(name)) {
        return;
    }
    let is_email = name.contains("email") || name.starts_with('e') || name.starts_with("w1");
    let mut outline = reach(name, if is_email { PointKind::Email } else { PointKind::Phone });
    if name == "home_landline" {
        outline.line_type = LineType::Landline;
    }
    world.debtor.points.push(outline);
}

fn channel(name: &str) -> Channel {
    match name {
        "call" => Channel::Voice,
        "sms" => Channel::Sms,
        "email" => Channel::Email,
        "letter" => Channel::Letter,
        other => panic!("channel {other}"),
    }
}

fn party(name: &str) -> Party {
    match name {
        "consumer" | "" => Party::Debtor,
        "consumer-attorney" => Party::Attorney,
        "sibling" => Party::ThirdParty,
        other => panic!("person {other}"),
    }
}

fn purpose(attempt: &Vector) -> Purpose {
    if attempt.0["in_reply_to_consumer"].as_bool() == Some(true) {
        return Purpose::ConsumerRequested;
    }
    match (attempt.text("template"), attempt.text("purpose")) {
        ("payment_confirmation", _) => Purpose::PaymentReceipt,
        ("opt_out_confirmation_only", _) => Purpose::OptOutConfirmation,
        (_, "may_invoke_remedy" | "will_invoke_remedy" | "legally_required_written_notice") => {
            Purpose::RequiredNotice
        }
        _ => Purpose::Collection,
    }
}

/// Applies a fact as upstream would report it.
fn apply(world: &mut World, fact: &Vector) {
    match fact.text("type") {
        "call_placed" | "ringless_voicemail" => called(world, fact),
        "call_inbound" => came_in(world, fact, Channel::Voice, ContactResult::NoAnswer),
        "conversation" => talked(world, fact),
        "email_inbound" => came_in(world, fact, Channel::Email, ContactResult::Delivered),
        "sms_sent" => {
            let mut sent = contact(fact.at(), Channel::Sms, ContactResult::Delivered);
            sent.accounts = fact.list("debts").iter().map(|name| account(name)).collect();
            world.record(sent);
        }
        "sms_inbound" if fact.text("intent") == "opt_out" => said(world, fact),
        "creditor_used_email" => basis(world, fact, GivenTo::Creditor),
        "creditor_email_notice_sent" => noticed(world, fact),
        // Only the collector immediately before us can be named.
        "prior_collector_used_email" if fact.text("order") == "immediately_prior" => {
            basis(world, fact, GivenTo::PriorCollector)
        }
        "prior_collector_used_email" | "prior_collector_placed" | "letter_returned" => {}
        "third_party_disclosure_learned" => {
            let mut reached = contact(fact.at(), Channel::Email, ContactResult::Delivered);
            reached.direction = Direction::Inbound;
            reached.party = Party::ThirdParty;
            reached.point = fact.0["address"].as_str().map(point);
            world.record(reached);
        }
        "sms_inbound" => came_in(world, fact, Channel::Sms, ContactResult::Delivered),
        "portal_payment" => came_in(world, fact, Channel::Portal, ContactResult::Delivered),
        "letter_sent" => {
            let mut sent = contact(fact.at(), Channel::Letter, ContactResult::Sent);
            sent.accounts = fact.list("debts").iter().map(|name| account(name)).collect();
            world.record(sent);
        }
        "wrong_party" => wrong_number(world, fact),
        "consent_given" => consented(world, fact),
        "designation_time" => inconvenient(world, &fact.0, Vec::new()),
        "designation_place" => nowhere(world, fact),
        "debt_placed" => {
            for note in fact.0["creditor_notes"].as_sequence().into_iter().flatten() {
                inconvenient(world, &note["inconvenient"], Vec::new());
            }
        }
        "location_evidence" => located(world, fact),
        "medium_refusal" | "opt_out" => stopped(world, fact),
        "attorney_notice" => held(world, fact, HoldKind::Attorney),
        "attorney_nonresponse" => lifted(world, fact, HoldKind::Attorney),
        "cease_notice_received" => held(world, fact, HoldKind::Cease),
        "dispute_received" if fact.0["written"].as_bool() == Some(true) => {
            held(world, fact, HoldKind::Dispute)
        }
        "verification_sent" => lifted(world, fact, HoldKind::Dispute),
        "validation_notice_sent" => {
            let sent = fact.at().utc_date();
            world.debtor.accounts.iter_mut().for_each(|owed| owed.validation_notice_sent_on = Some(sent));
        }
        "debt_flag" => {
            let old = fact.0["time_barred"].as_bool() == Some(true);
            world.debtor.accounts.iter_mut().for_each(|owed| owed.time_barred = Some(old));
        }
        "employer_prohibits" => with_point(world, fact, |outline| outline.workplace = true),
        "address_known_employer_provided" => {
            with_point(world, fact, |outline| outline.employer_provided = true)
        }
        "rnd_checked" => checked(world, fact),
        // An oral dispute is no hold, and a letter on its way to us is not here yet.
        "dispute_received" | "cease_notice_mailed_by_consumer" => {}
        other => panic!("fact {other}"),
    }
}

fn called(world: &mut World, fact: &Vector) {
    if fact.text("actor") == "other-collector" {
        return;
    }
    let result = match (fact.text("outcome"), fact.text("script")) {
        ("voicemail_left", "limited_content") => ContactResult::LimitedContentMessage,
        ("voicemail_left", _) | ("", _) => ContactResult::Voicemail,
        ("busy", _) => ContactResult::Busy,
        ("no_answer" | "voicemail_full" | "recording" | "answered", _) => ContactResult::NoAnswer,
        (other, _) => panic!("outcome {other}"),
    };
    let mut call = contact(fact.at(), Channel::Voice, result);
    call.accounts = fact.list("debts").iter().map(|name| account(name)).collect();
    call.party = party(fact.text("person"));
    call.point = fact.0["to"].as_str().map(point);
    world.record(call);
}

fn came_in(world: &mut World, fact: &Vector, channel: Channel, result: ContactResult) {
    let mut contact = contact(fact.at(), channel, result);
    contact.accounts = fact.list("debts").iter().map(|name| account(name)).collect();
    contact.direction = Direction::Inbound;
    contact.point = fact.0["address"].as_str().map(point);
    world.record(contact);
}

/// What a text says, as far as it bears on contacting the number again.
fn understand(text: &str, at: Timestamp) -> Understanding {
    let said = Said { text, channel: Channel::Sms, language: None, today: at.utc_date(), currency: None };
    let reading = Reader::shipped().read(&said);
    match (reading.stop, reading.doubt) {
        (Some(_), _) => Understanding::Stop,
        (None, Some(_)) => Understanding::Unclear,
        (None, None) => Understanding::Other,
    }
}

/// A text in the debtor's own words: a stop, or frozen until a person has read it.
fn said(world: &mut World, fact: &Vector) {
    match understand(fact.text("text"), fact.at()) {
        Understanding::Stop => world.opt_outs.push(OptOut {
            accounts: Vec::new(),
            channel: OptOutChannel::Sms,
            point: fact.0["address"].as_str().map(point),
            received_at: fact.at(),
        }),
        Understanding::Unclear => world.frozen.push(point(fact.text("address"))),
        understood => panic!("{understood:?}"),
    }
}

/// Whose basis it was before ours.
fn basis(world: &mut World, fact: &Vector, given_to: GivenTo) {
    let mut given = consent(ConsentScope::Electronic, Channel::Email, fact.at());
    given.given_to = given_to;
    given.point = fact.0["address"].as_str().map(point);
    world.consents.push(given);
}

fn noticed(world: &mut World, fact: &Vector) {
    let element = |name: &String| NoticeElement::from_word(name).expect("an element");
    let notice = CreditorNotice {
        opt_out_until: fact.text("opt_out_deadline").parse().expect("a date"),
        sent_on: fact.at().utc_date(),
        states: fact.list("elements").iter().map(element).collect(),
    };
    with_point(world, fact, |outline| outline.creditor_notice = Some(notice));
}

/// A conversation is what became of the call placed or received at that moment, if there is one.
fn talked(world: &mut World, fact: &Vector) {
    let accounts: Vec<_> = fact.list("debts").iter().map(|name| account(name)).collect();
    let same = world.contacts.iter_mut().find(|contact| contact.occurred_at == fact.at());
    match same {
        Some(call) => {
            call.result = ContactResult::Conversation;
            call.accounts = accounts;
        }
        None => {
            let mut talk = contact(fact.at(), Channel::Voice, ContactResult::Conversation);
            talk.accounts = accounts;
            talk.direction = Direction::Inbound;
            world.record(talk);
        }
    }
}

fn wrong_number(world: &mut World, fact: &Vector) {
    let number = point(fact.text("address"));
    let last = world.contacts.iter_mut().rev().find(|contact| contact.point == Some(number));
    last.expect("a call to the number").result = ContactResult::WrongNumber;
    world.invalid.push(number);
}

fn consented(world: &mut World, fact: &Vector) {
    let (scope, channel) = match fact.text("consent") {
        "extra_calls" => (ConsentScope::ExcessCalls, Channel::Voice),
        "inconvenient_time_reply" => (ConsentScope::Time, channel(fact.text("medium"))),
        "inconvenient_time" => (ConsentScope::Time, Channel::Voice),
        "text_debt" => (ConsentScope::Electronic, Channel::Sms),
        other => panic!("consent {other}"),
    };
    let mut given = consent(scope, channel, fact.at());
    given.point = fact.0["address"].as_str().map(point);
    world.consents.push(given);
}

fn inconvenient(world: &mut World, stated: &Value, places: Vec<Place>) {
    let days = stated["weekdays"].as_sequence().expect("weekdays");
    let day = |day: &Value| day.as_str().and_then(Weekday::from_word).expect("weekday");
    let minute = |key: &str| stated[key].as_str().expect(key).parse().expect(key);
    world.preferences.inconvenient.push(InconvenientTime {
        channels: Vec::new(),
        days: days.iter().map(day).collect(),
        from: minute("from"),
        places,
        since: None,
        to: minute("to"),
    });
}

fn nowhere(world: &mut World, fact: &Vector) {
    let place = Place::from_word(fact.text("place")).expect("place");
    world.preferences.inconvenient.push(InconvenientTime {
        channels: Vec::new(),
        days: Weekday::ALL.to_vec(),
        from: "00:00".parse().expect("time"),
        places: vec![place],
        since: Some(fact.at()),
        to: "24:00".parse().expect("time"),
    });
}

fn located(world: &mut World, fact: &Vector) {
    let zone = fact.text("zone").to_owned();
    match fact.text("kind") {
        "consumer_statement" => world.debtor.stated_zone = Some(zone),
        _ if world.debtor.locations[0].zones.contains(&zone) => {}
        _ => world.debtor.locations[0].zones.push(zone),
    }
}

fn stopped(world: &mut World, fact: &Vector) {
    let channel = match fact.text("medium") {
        "call" => OptOutChannel::Voice,
        "email" => OptOutChannel::Email,
        "sms" => OptOutChannel::Sms,
        "" if fact.text("address").starts_with('e') => OptOutChannel::Email,
        "letter" => OptOutChannel::All,
        other => panic!("medium {other}"),
    };
    world.opt_outs.push(OptOut {
        accounts: Vec::new(),
        channel,
        point: fact.0["address"].as_str().map(point),
        received_at: fact.at(),
    });
}

fn held(world: &mut World, fact: &Vector, kind: HoldKind) {
    let accounts = fact.list("debts").iter().map(|name| account(name)).collect();
    world.holds.push(Hold { accounts, kind, lifted_at: None, since: fact.at() });
}

fn lifted(world: &mut World, fact: &Vector, kind: HoldKind) {
    let lifted = world.holds.iter_mut().find(|hold| hold.kind == kind).expect("a hold");
    lifted.lifted_at = Some(fact.at());
}

fn with_point(
    world: &mut World,
    fact: &Vector,
    change: impl FnOnce(&mut dunwell::domain::contact_point::PointOutline),
) {
    let key = point(fact.text("address"));
    change(world.debtor.points.iter_mut().find(|outline| outline.point == key).expect("a point"));
}

fn checked(world: &mut World, fact: &Vector) {
    let check = ReassignmentCheck {
        checked_on: fact.at().utc_date(),
        result: ReassignmentResult::from_word(fact.text("answer")).expect("answer"),
        since: fact.text("since").parse().expect("date"),
        source: None,
    };
    with_point(world, fact, |outline| outline.reassignment_check = Some(check));
}
