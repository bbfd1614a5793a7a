//! The published examples of Regulation F and our own boundary cases (`tests/data/regf-vectors.yaml`), put to the federal
//! pack. Each tests the named rule; other law is left out, as the file says.

use crate::support::{World, account, at, consent, contact, days, owed, point, reach, shipped};
use dunwell::domain::channel::{Channel, Direction, Party, Purpose};
use dunwell::domain::consent::{
    ConsentScope, Hold, HoldKind, InconvenientTime, OptOut, OptOutChannel, Place, Weekday,
};
use dunwell::domain::contact::ContactResult;
use dunwell::domain::contact_point::{LineType, PointKind, ReassignmentCheck, ReassignmentResult};
use dunwell::domain::debtor::DebtType;
use dunwell::domain::decision::{Disclosure, Outcome};
use dunwell::domain::time::Timestamp;
use dunwell::policy::Policy;
use serde_yaml_ng::Value;

/// What these rules do not cover yet, and why.
const NOT_COVERED: &[(&str, &str)] = &[
    ("regf.14b2i-2.i.rapid-succession", "flags for review are not raised"),
    ("regf.14b2i-2.iii.prior-stop-statement", "flags for review are not raised"),
    ("regf.14a-1.i.text-flood", "flags for review are not raised"),
    ("regf.6b4.consent-tainted", "in which contact a consent was taken is not known"),
    ("regf.6d4i.A.consumer-used-address", "an address is used with recorded consent only, which is stricter"),
    ("regf.6d4i.A.opted-out", "the address's use by the debtor is no basis here"),
    ("regf.6d4ii.notice-35-days-complete", "creditor's notices are not kept"),
    ("regf.6d4ii.period-still-open", "creditor's notices are not kept"),
    ("regf.6d4ii.notice-missing-element", "creditor's notices are not kept"),
    ("regf.6d4iii.two-back", "the chain of collectors is not kept"),
    ("regf.6d5i.text-within-60", "a number is used with recorded consent only, which is stricter"),
    ("regf.6d5i.text-older-db-check", "a number is used with recorded consent only, which is stricter"),
    ("regf.6d3.known-disclosure", "disclosures to third parties are not recorded"),
    ("regf.6e-1.reply-stop", "a check of templates"),
    ("regf.6e-1.email-reply-stop", "a check of templates"),
    ("regf.6e-1.mail-only", "a check of templates"),
    ("regf.6e-1.phone-only", "a check of templates"),
    ("regf.6e-1.website-no-link", "a check of templates"),
    ("regf.6e.requires-extra-data", "a check of templates"),
    ("regf.6e.nonconforming-words", "the understanding of replies"),
    ("regf.14h2i.confirmation-with-extra", "a check of templates"),
    ("regf.22f4.public-post", "no social media"),
    ("regf.2j.minimal", "a check of call scripts"),
    ("regf.2j.with-optional", "a check of call scripts"),
    ("regf.2j.no-person", "a check of call scripts"),
    ("regf.2j.state-text", "a check of call scripts"),
    ("regf.2j.cut-off", "a check of call scripts"),
    ("regf.26b.threat", "a check of templates"),
    ("regf.34b5.thanksgiving", "the validation period"),
    ("regf.34b5.plain-week", "the validation period"),
    ("regf.34b5-2.returned-and-resent", "the validation period"),
    ("regf.38b.overshadow", "a check of templates"),
];

/// Which of our rules must have barred what a vector's rule bars.
const BARRED_BY: &[(&str, &[&str])] = &[
    ("regf.14b", &["us.fed.regf.seven-in-seven", "us.fed.regf.after-conversation"]),
    ("regf.6b1.hours", &["us.fed.regf.inconvenient-time"]),
    ("regf.6b1.location", &["us.fed.regf.inconvenient-time"]),
    ("regf.6b1", &["us.fed.regf.stated-inconvenient-time"]),
    ("regf.6b2", &["us.fed.regf.attorney"]),
    ("regf.6b3", &["us.fed.regf.workplace"]),
    ("regf.6c", &["us.fed.regf.cease"]),
    ("regf.38", &["us.fed.regf.dispute"]),
    ("regf.14h", &["us.fed.regf.opt-out"]),
    ("regf.6d5.no", &["us.fed.regf.electronic-consent"]),
    ("regf.6d5i", &["us.fed.tcpa.reassigned-number"]),
];

struct Vector(Value);

impl Vector {
    fn text(&self, key: &str) -> &str {
        self.0[key].as_str().unwrap_or_default()
    }

    fn facts(&self) -> Vec<Vector> {
        self.0["facts"]
            .as_sequence()
            .map(|facts| facts.iter().cloned().map(Vector).collect())
            .unwrap_or_default()
    }

    fn at(&self) -> Timestamp {
        at(self.text("at"))
    }

    fn list(&self, key: &str) -> Vec<String> {
        let items = self.0[key].as_sequence().map(Vec::as_slice).unwrap_or_default();
        items.iter().filter_map(Value::as_str).map(str::to_owned).collect()
    }
}

fn vectors() -> Vec<Vector> {
    let text = include_str!("../data/regf-vectors.yaml");
    let file: Value = serde_yaml_ng::from_str(text).expect("yaml");
    file["vectors"].as_sequence().expect("vectors").iter().cloned().map(Vector).collect()
}

#[test]
fn the_federal_pack_decides_the_vectors_as_published() {
    let shipped = shipped();
    let (mut covered, mut wrong) = (0, Vec::new());
    for vector in vectors() {
        let id = vector.text("id").to_owned();
        if NOT_COVERED.iter().any(|(not, _)| *not == id) {
            continue;
        }
        covered += 1;
        wrong.extend(
            differences(&shipped, &vector).into_iter().map(|difference| format!("{id}: {difference}")),
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // May only grow: what is covered once stays covered.
    assert_eq!((covered, NOT_COVERED.len(), vectors().len()), (70, 32, 102));
}

#[test]
fn what_is_not_covered_is_named() {
    let ids: Vec<String> = vectors().iter().map(|vector| vector.text("id").to_owned()).collect();
    let unknown: Vec<&str> =
        NOT_COVERED.iter().map(|(id, _)| *id).filter(|id| !ids.iter().any(|known| known == id)).collect();
    assert_eq!(unknown, Vec::<&str>::new());
    assert!(NOT_COVERED.iter().all(|(_, why)| !why.is_empty()));
}

fn differences(shipped: &Policy, vector: &Vector) -> Vec<String> {
    let tested = vector.text("rule").to_owned();
    let consents_matter = tested.starts_with("regf.6d");
    let policy = shipped.only(|rule| {
        rule.file == "us-federal/reg-f.toml" && (consents_matter || !rule.id.ends_with("electronic-consent"))
            || (tested.starts_with("regf.6d5i.") && rule.id.ends_with("reassigned-number"))
    });
    let world = world(vector);
    let decision = world.decide(&policy);
    let expected = match vector.text("expected") {
        "allow" | "presumed_compliant" | "valid" | "invalid" => Outcome::Allow,
        "defer" | "presumed_violation" => Outcome::Defer,
        "block" => Outcome::Block,
        other => return vec![format!("unknown expectation {other}")],
    };
    let mut differences = Vec::new();
    if decision.outcome != expected {
        let reasons: Vec<&str> = decision.findings.iter().map(|finding| finding.reason.as_str()).collect();
        differences.push(format!("expected {expected}, not {}: {}", decision.outcome, reasons.join("; ")));
    }
    if let Some(until) = vector.0["defer_until"].as_str()
        && decision.permitted_from != Some(at(until))
    {
        differences.push(format!("expected from {until}, not {:?}", decision.permitted_from));
    }
    if expected != Outcome::Allow {
        let by = BARRED_BY
            .iter()
            .find(|(prefix, _)| tested.starts_with(prefix))
            .map_or([].as_slice(), |(_, by)| by);
        if !decision.findings.iter().any(|finding| by.contains(&finding.rule.as_str())) {
            let found: Vec<&str> = decision.findings.iter().map(|finding| finding.rule.as_str()).collect();
            differences.push(format!("barred by {}, not by one of {}", found.join(", "), by.join(", ")));
        }
    }
    differences.extend(disclosures(vector, &decision.disclosures));
    differences
}

/// A message is valid if it carries the notice that is due.
fn disclosures(vector: &Vector, due: &[Disclosure]) -> Option<String> {
    let valid = match vector.text("expected") {
        "valid" => true,
        "invalid" => false,
        _ => return None,
    };
    let carried = Vector(vector.0["attempt"].clone()).list("disclosures");
    let missing = due.contains(&Disclosure::MiniMirandaInitial) && !carried.contains(&"initial".to_owned())
        || due.contains(&Disclosure::MiniMirandaSubsequent) && !carried.contains(&"subsequent".to_owned());
    (missing == valid).then(|| format!("carries {carried:?}, due are {due:?}"))
}

/// The state that a vector's facts leave behind, and the contact that it asks about.
fn world(vector: &Vector) -> World {
    let attempt = Vector(vector.0["attempt"].clone());
    let mut world = World::new(attempt.at(), &[vector.text("tz")]);
    world.channel = channel(attempt.text("channel"));
    world.purpose = purpose(&attempt);
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
            let sent = at(fact.text("at")).to_jiff().to_zoned(jiff::tz::TimeZone::UTC).date();
            world.debtor.accounts.iter_mut().for_each(|owed| owed.validation_notice_sent_on = Some(sent));
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
        checked_on: fact.at().plus(days(0)).to_jiff().to_zoned(jiff::tz::TimeZone::UTC).date(),
        result: ReassignmentResult::from_word(fact.text("answer")).expect("answer"),
        since: fact.text("since").parse().expect("date"),
    };
    with_point(world, fact, |outline| outline.reassignment_check = Some(check));
}
