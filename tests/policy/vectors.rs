//! The published examples of Regulation F and our own boundary cases (`tests/data/regf-vectors.yaml`), put to the federal
//! pack. Each tests the named rule; other law is left out, as the file says. Those about words are put to the templates, the
//! one about a reply to the understanding of replies.

use crate::support::{at, shipped};
use crate::vector_world::{Vector, vectors, world};
use dunwell::app::opt_out_notice;
use dunwell::domain::decision::{Decision, Disclosure, Finding, Outcome};
use dunwell::domain::fault::{Fault, SourceFile};
use dunwell::domain::request::ContactRequest;
use dunwell::domain::statement::{DecisionQuery, PermitQuery};
use dunwell::domain::time::Span;
use dunwell::policy::Policy;
use dunwell::template::catalogue::Catalogue;
use serde_json::json;
use std::path::Path;

/// Which of our rules must have barred what a vector's rule bars.
const BARRED_BY: &[(&str, &[&str])] = &[
    ("regf.14b", &["us.fed.regf.seven-in-seven", "us.fed.regf.after-conversation"]),
    ("regf.6b1.hours", &["us.fed.regf.inconvenient-time"]),
    ("regf.6b1.location", &["us.fed.regf.inconvenient-time"]),
    ("regf.6b1", &["us.fed.regf.stated-inconvenient-time"]),
    ("regf.6b4", &["us.fed.regf.inconvenient-time"]),
    ("regf.6b2", &["us.fed.regf.attorney"]),
    ("regf.6b3", &["us.fed.regf.workplace"]),
    ("regf.6c", &["us.fed.regf.cease"]),
    ("regf.26b", &["us.fed.regf.time-barred-suit"]),
    ("regf.38b", &["us.fed.regf.overshadowing"]),
    ("regf.38", &["us.fed.regf.dispute"]),
    ("regf.14h", &["us.fed.regf.opt-out"]),
    ("regf.6d3", &["us.fed.regf.known-disclosure"]),
    ("regf.6d4", &["us.fed.regf.electronic-consent"]),
    ("regf.6d5.no", &["us.fed.regf.text-consent"]),
    ("regf.6d5i", &["us.fed.tcpa.reassigned-number"]),
    ("regf.6e.nonconforming", &["us.fed.regf.opt-out", "us.fed.regf.reply-pending"]),
];

/// Which of our rules raises what a vector flags.
const RAISED_BY: &[(&str, &str)] = &[
    ("review_rapid_succession", "us.fed.regf.rapid-succession"),
    ("review_aggregate_pattern", "us.fed.regf.all-debts-together"),
];

/// Flags that are not about the contact, and one that is about what was said in a conversation, which nobody reports: of that
/// vector the outcome is compared alone.
const OTHER_FLAGS: &[&str] = &["mark_disputed", "review_prior_statements"];

#[test]
fn the_federal_pack_decides_the_vectors_as_published() {
    let shipped = shipped();
    let mut wrong = Vec::new();
    for vector in vectors() {
        let id = vector.text("id").to_owned();
        let found = match vector.text("rule") {
            "regf.2j.required" => script(&vector),
            "regf.6e.methods_bad" | "regf.6e.methods_ok" | "regf.6e.no_fee" => {
                let decided = (vector.text("expected") == "allow").then(|| differences(&shipped, &vector));
                decided.into_iter().flatten().chain(notice(&vector)).collect()
            }
            "regf.22f4.social" => no_such_channel(&vector),
            "regf.34b5.period" | "regf.34b5.knowledge" => period(&shipped, &vector),
            _ => differences(&shipped, &vector),
        };
        wrong.extend(found.into_iter().map(|difference| format!("{id}: {difference}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(vectors().len(), 102);
}

fn differences(shipped: &Policy, vector: &Vector) -> Vec<String> {
    let tested = vector.text("rule").to_owned();
    let decision = world(vector).decide(&vector.law(shipped));
    let expected = vector.outcome();
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
    differences.extend(flags(vector, &decision));
    differences
}

/// What a vector flags is raised for review.
fn flags(vector: &Vector, decision: &Decision) -> Vec<String> {
    let raised = |id: &str| decision.reviews.iter().any(|review| review.rule == id);
    let mut missing = Vec::new();
    if vector.text("expected") == "review" && !raised("us.fed.regf.many-messages") {
        missing.push("no review of many messages is raised".to_owned());
    }
    for flag in vector.list("flags").iter().filter(|flag| !OTHER_FLAGS.contains(&flag.as_str())) {
        match RAISED_BY.iter().find(|(name, _)| name == flag) {
            Some((_, id)) if raised(id) => {}
            Some((_, id)) => missing.push(format!("{flag} is not raised by {id}")),
            None => missing.push(format!("unknown flag {flag}")),
        }
    }
    missing
}

/// The validation period as the review of a call on the day after the notice tells it.
fn period(shipped: &Policy, vector: &Vector) -> Vec<String> {
    let mut world = world(vector);
    world.at = world.at.plus(Span::days(1));
    let decision = world.decide(shipped);
    let review = decision.reviews.iter().find(|review| review.rule == "us.fed.regf.validation-period");
    let Some(review) = review else { return vec!["the validation period raises no review".to_owned()] };
    let told =
        |review: &Finding, name: &str| review.facts.get(name).and_then(|day| day.as_str()).map(str::to_owned);
    let expected =
        [("last_day", vector.text("expected")), ("assumed_received_on", vector.text("assumed_receipt"))];
    let wrong = expected.into_iter().filter(|(name, day)| told(review, name).as_deref() != Some(day));
    wrong.map(|(name, day)| format!("{name} should be {day}, not {:?}", told(review, name))).collect()
}

/// A voicemail's script in the place of the shipped one: valid where the templates load with it.
fn script(vector: &Vector) -> Vec<String> {
    const SCRIPT: &str = "messages/limited-content/en/voice.txt.hbs";
    let attempt = Vector(vector.0["attempt"].clone());
    let words = |slot: &String| match slot.as_str() {
        "salutation" => "Hello.",
        "neutral_business_name" => "This is {{collector.neutral_name}}.",
        "request_reply" => "Please call back.",
        "person_name" => "Ask for {{variables.ask_for}}.",
        "phone" => "The number is {{phone collector.phone}}.",
        "datetime" => "It is {{date today}}.",
        "suggested_times" => "Any time between nine and five suits.",
        "any_representative" => "Any of our representatives can help you.",
        "state_required_disclosure" => "This is an attempt to collect a debt.",
        other => panic!("slot {other}"),
    };
    let script: Vec<&str> = attempt.list("slots").iter().map(words).collect();
    let mut files = templates();
    let shipped = files.iter_mut().find(|file| file.path == SCRIPT).expect(SCRIPT);
    shipped.text = script.join("\n");
    let loaded = Catalogue::load(&files);
    let about_it = |faults: &[Fault]| faults.iter().all(|fault| fault.file == SCRIPT);
    match (vector.text("expected"), loaded) {
        ("valid", Ok(_)) => Vec::new(),
        ("valid", Err(faults)) => faults.iter().map(ToString::to_string).collect(),
        ("invalid", Err(faults)) if about_it(&faults) => Vec::new(),
        (expected, loaded) => vec![format!("expected {expected}, not {:?}", loaded.err())],
    }
}

/// A notice of how to stop in the place of the shipped one: allowed where nothing is wrong with it.
fn notice(vector: &Vector) -> Vec<String> {
    let attempt = Vector(vector.0["attempt"].clone());
    let method = match attempt.text("opt_out_method") {
        "hyperlink" if attempt.list("opt_out_requires") == ["ssn_last4"] => {
            "To stop, open {{unsubscribe_url}} and enter the last four digits of your Social Security number."
        }
        "reply_stop" => "Reply STOP to opt out.",
        "hyperlink" => "To stop, open {{unsubscribe_url}}",
        "postal_mail" => "To stop these messages, write to {{collector.address}}.",
        "telephone" => "To stop these messages, call {{phone collector.phone}}.",
        "website_without_link" => "To stop these messages, visit our website and find your preferences.",
        other => panic!("method {other}"),
    };
    let replaced = format!("disclosures/opt-out-notice/en.{}.", attempt.text("channel"));
    let mut files = templates();
    assert_eq!(opt_out_notice::faults(&files), Vec::new(), "the shipped ones");
    let ours = files.iter_mut().filter(|file| file.path.starts_with(&replaced));
    ours.for_each(|file| file.text = method.to_owned());
    let found = opt_out_notice::faults(&files);
    match (vector.text("expected"), found.is_empty()) {
        ("allow", true) => Vec::new(),
        ("block", false) if found.iter().all(|fault| fault.file.starts_with(&replaced)) => Vec::new(),
        (expected, _) => vec![format!("expected {expected} of the notice, not {found:?}")],
    }
}

/// What would go out over a medium that there is none of is refused at every door.
fn no_such_channel(vector: &Vector) -> Vec<String> {
    let attempt = Vector(vector.0["attempt"].clone());
    let asked = |channel: &str| {
        let question = json!({"debtor_id": "D-1", "account_ids": [], "channel": channel});
        let request = json!({"request_id": "r", "debtor_id": "D-1", "account_ids": [], "channels": [channel], "template": "t"});
        [
            serde_json::from_value::<DecisionQuery>(question.clone()).is_ok(),
            serde_json::from_value::<PermitQuery>(question).is_ok(),
            serde_json::from_value::<ContactRequest>(request).is_ok(),
        ]
    };
    assert_eq!(asked("sms"), [true; 3], "the questions are whole but for the channel");
    let taken = asked(attempt.text("channel"));
    (taken != [false; 3])
        .then(|| format!("taken by decisions, permits, requests: {taken:?}"))
        .into_iter()
        .collect()
}

fn templates() -> Vec<SourceFile> {
    fn read(folder: &Path, root: &Path, files: &mut Vec<SourceFile>) {
        for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                read(&path, root, files);
            } else {
                let name = path.strip_prefix(root).expect("below").to_str().expect("UTF-8").to_owned();
                files.push(SourceFile { path: name, text: std::fs::read_to_string(&path).expect("text") });
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
    let mut files = Vec::new();
    read(&root, &root, &mut files);
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
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
