//! Composition: packs in any order and any grouping, a house pack that can only tighten, and overrides that say who, why and
//! until when.

use crate::naive_worlds::history;
use crate::support::{World, at, load, made_up, rule, shipped, shipped_files};
use dunwell::domain::decision::{Decision, Outcome};
use dunwell::domain::fault::SourceFile;
use dunwell::domain::time::Timestamp;
use dunwell::policy::{ExpiredPermits, Policy, page};

/// How many random histories each property is put to.
const HISTORIES: u64 = 400;

fn each_history(mut check: impl FnMut(u64, &World)) {
    for number in 0..HISTORIES {
        let (world, _) = history(1_000_000 + number);
        check(number, &world);
    }
}

/// The files of the states' pack dealt out to packs of these names.
fn dealt(names: &[&str]) -> Vec<SourceFile> {
    let mut files = shipped_files();
    let states: Vec<SourceFile> = files
        .iter()
        .filter(|file| file.path.starts_with("us-states/") && !file.path.ends_with("pack.toml"))
        .cloned()
        .collect();
    for (index, file) in states.into_iter().enumerate() {
        let name = names[index % names.len()];
        files.push(SourceFile { path: file.path.replace("us-states", name), text: file.text });
    }
    for name in names {
        let text = "[pack]\ntitle = \"A share\"\nversion = 1\n".to_owned();
        files.push(SourceFile { path: format!("{name}/pack.toml"), text });
    }
    files
}

#[test]
fn the_order_and_the_grouping_of_packs_do_not_matter() {
    let whole = shipped();
    let turned = load(&shipped_files(), &["us-states", "us-federal"]);
    let files = dealt(&["one", "two", "three"]);
    let grouped = load(&files, &["three", "us-federal", "one", "two"]);
    assert_eq!(whole.rules().len(), grouped.rules().len());
    each_history(|number, world| {
        let decision = world.decide(&whole);
        assert_eq!(decision, world.decide(&turned), "history {number}");
        assert_eq!(decision, world.decide(&grouped), "history {number}");
    });
}

#[test]
fn the_same_law_twice_is_the_same_law() {
    let mut files = shipped_files();
    for file in shipped_files().into_iter().filter(|file| file.path.starts_with("us-states/")) {
        let text = file.text.replace("id = \"us.", "id = \"again.us.");
        files.push(SourceFile { path: file.path.replace("us-states", "again"), text });
    }
    let (once, twice) = (shipped(), load(&files, &["us-federal", "us-states", "again"]));
    assert!(twice.rules().len() > once.rules().len() + 20);
    let told = |decision: &Decision| {
        (
            decision.outcome,
            decision.permitted_from,
            decision.permitted_until,
            decision.liftable,
            decision.disclosures.clone(),
        )
    };
    each_history(|number, world| {
        assert_eq!(told(&world.decide(&once)), told(&world.decide(&twice)), "history {number}");
    });
}

#[test]
fn a_house_pack_tightens_and_never_loosens() {
    let (law, house) = (shipped(), load(&shipped_files(), &["us-federal", "us-states", "house"]));
    let end = |until: Option<Timestamp>| until.unwrap_or(Timestamp::from_millis(i64::MAX));
    let mut tightened = 0;
    each_history(|number, world| {
        let (before, after) = (world.decide(&law), world.decide(&house));
        assert!(before.outcome <= after.outcome, "history {number}");
        if let (Some(earlier), Some(later)) = (before.permitted_from, after.permitted_from) {
            assert!(earlier <= later, "history {number}");
        }
        if after.outcome == Outcome::Allow {
            assert!(end(after.permitted_until) <= end(before.permitted_until), "history {number}");
        }
        tightened +=
            usize::from(before.outcome < after.outcome || before.permitted_from != after.permitted_from);
    });
    assert!(tightened > 10, "the house pack changed {tightened} decisions");
}

#[test]
fn a_house_pack_cannot_take_the_place_of_a_rule_of_law() {
    let mut files = shipped_files();
    let looser =
        rule("us.fed.regf.inconvenient-time", "contact_window", "", "opens = \"05:00\"\ncloses = \"23:00\"");
    files.push(SourceFile { path: "house/looser.toml".to_owned(), text: looser });
    let packs = ["us-federal", "house"].map(str::to_owned);
    let faults = Policy::load(&files, &packs).err().unwrap_or_default();
    let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
    assert!(faults.iter().any(|fault| fault.contains("also stands in")), "{faults:?}");
}

const WINDOW: &str = "opens = \"08:00\"\ncloses = \"21:00\"";

fn with_override(text: &str) -> Result<Policy, Vec<String>> {
    let rules = rule("window", "contact_window", "channels = [\"voice\"]", WINDOW)
        + &rule("stop", "opt_out", "", "")
        + text;
    Policy::load(&made_up(&rules), &["made-up".to_owned()])
        .map_err(|faults| faults.iter().map(ToString::to_string).collect())
}

const OVERRIDE: &str = "[[override]]\nid = \"house.late-calls\"\nrule = \"window\"\ncitation = \"opinion of counsel of 2026-05-20\"\n\
     approver = \"Sample 017, compliance\"\nreason = \"debtors of this portfolio work nights\"\nfrom = 2026-06-01\nto = 2026-06-30\n";

#[test]
fn an_override_lets_pass_what_its_rule_bars_for_its_time_and_says_so() {
    let policy = with_override(OVERRIDE).expect("sound");
    let ask = |moment: &str| World::new(at(moment), &["America/New_York"]).decide(&policy);
    // In its time.
    let decision = ask("2026-06-10T22:00:00-04:00");
    assert_eq!(
        (decision.outcome, decision.permitted_until),
        (Outcome::Allow, Some(at("2026-07-01T00:00:00-04:00")))
    );
    insta::assert_json_snapshot!(decision.reviews, @r#"
    [
      {
        "citation": "opinion of counsel of 2026-05-20",
        "effect": "allow",
        "facts": {
          "from": "2026-06-01",
          "overrides": "window",
          "to": "2026-06-30"
        },
        "reason": "rule window would bar this contact and is set aside until 2026-06-30: debtors of this portfolio work nights",
        "rule": "house.late-calls",
        "until": null
      }
    ]
    "#);
    // Where the rule permits anyway nothing is set aside.
    assert!(ask("2026-06-10T12:00:00-04:00").reviews.is_empty());
    // The day before it holds, and the day after: the rule.
    let decision = ask("2026-05-31T22:00:00-04:00");
    assert_eq!(
        (decision.outcome, decision.permitted_from),
        (Outcome::Defer, Some(at("2026-06-01T00:00:00-04:00")))
    );
    let decision = ask("2026-07-01T00:00:00-04:00");
    assert_eq!(
        (decision.outcome, decision.permitted_from),
        (Outcome::Defer, Some(at("2026-07-01T08:00:00-04:00")))
    );
    assert!(decision.reviews.is_empty());
}

#[test]
fn in_two_zones_an_override_holds_only_where_its_dates_hold_in_both() {
    let policy = with_override(OVERRIDE).expect("sound");
    let zones = ["America/New_York", "America/Los_Angeles"];
    let ask = |moment: &str| World::new(at(moment), &zones).decide(&policy).outcome;
    assert_eq!(ask("2026-06-01T00:30:00-04:00"), Outcome::Defer);
    assert_eq!(ask("2026-06-01T00:00:00-07:00"), Outcome::Allow);
    assert_eq!(ask("2026-06-30T23:59:59-04:00"), Outcome::Allow);
    assert_eq!(ask("2026-07-01T00:00:00-04:00"), Outcome::Defer);
}

#[test]
fn an_override_names_its_rule_its_grounds_its_approver_and_its_end() {
    let faults = |from: &str, to: &str| {
        with_override(&OVERRIDE.replace(from, to)).err().unwrap_or_default().join("\n")
    };
    for (from, to, says) in [
        ("to = 2026-06-30\n", "", "none is for ever"),
        ("to = 2026-06-30", "to = 2026-05-30", "ends before it begins"),
        ("Sample 017, compliance", " ", "needs a citation, an approver and a reason"),
        ("opinion of counsel of 2026-05-20", "", "needs a citation, an approver and a reason"),
        ("approver = \"Sample 017, compliance\"\n", "", "missing field `approver`"),
        ("rule = \"window\"", "rule = \"door\"", "there is no rule door"),
        ("rule = \"window\"", "rule = \"stop\"", "keeps a debtor's stop, which nobody here can lift"),
    ] {
        assert!(faults(from, to).contains(says), "{from} -> {to}: {}", faults(from, to));
    }
}

#[test]
fn a_finding_says_whose_law_it_is_and_why_it_applies() {
    let policy = shipped();
    let mut world = World::new(at("2026-04-03T07:00:00-04:00"), &["America/New_York"]);
    world.debtor.locations[0].region = Some("US-OH".to_owned());
    world.debtor.points[0].regions = vec!["US-NH".to_owned()];
    let decision = world.decide(&policy);
    let finding =
        decision.findings.iter().find(|finding| finding.rule == "us.nh.hours").expect("the number's law");
    assert_eq!(finding.facts["jurisdiction"], "US-NH");
    assert_eq!(finding.facts["applies_by"], serde_json::json!(["number"]));
    world.debtor.points[0].regions.clear();
    world.debtor.accounts[0].creditor_region = Some("US-NH".to_owned());
    let decision = world.decide(&policy);
    let finding =
        decision.findings.iter().find(|finding| finding.rule == "us.nh.hours").expect("the creditor's law");
    assert_eq!(finding.facts["applies_by"], serde_json::json!(["creditor"]));
}

#[test]
fn the_page_of_the_law_has_every_rule_and_every_case() {
    let packs = ["us-federal", "us-states", "uk", "ca-on", "au", "house"];
    let policy = load(&shipped_files(), &packs);
    let html = page(&policy);
    let escaped = |text: &str| text.replace('&', "&amp;").replace('\'', "&#39;").replace('"', "&quot;");
    for rule in policy.rules() {
        assert!(html.contains(&format!("<code>{}</code>", rule.id)), "{}", rule.id);
        assert!(html.contains(&escaped(&rule.citation)), "{}", rule.citation);
    }
    assert!(policy.cases().len() > 400);
    for case in policy.cases() {
        assert!(html.contains(&escaped(&case.says)), "{}", case.says);
    }
    for told in
        ["us-federal@", "not verified against the text of the law", "From 2027-01-01 on", "Juneteenth"]
    {
        assert!(html.contains(told), "{told}");
    }
}

#[test]
fn the_strictest_pack_says_what_an_unanswered_permit_is() {
    let pack = |name: &str, says: &str| {
        let head = format!("[pack]\ntitle = \"Made up\"\nversion = 1\n{says}");
        let rules = rule(&format!("{name}.rule"), "hold", "", "holds = [\"cease\"]");
        [("pack.toml", head), ("rules.toml", rules)]
            .map(|(file, text)| SourceFile { path: format!("{name}/{file}"), text })
    };
    let files: Vec<SourceFile> = [
        pack("silent", ""),
        pack("mild", "expired_permits = \"given_back\"\n"),
        pack("strict", "expired_permits = \"used\"\n"),
    ]
    .into_iter()
    .flatten()
    .collect();
    for (packs, expected) in [
        (&["silent"][..], ExpiredPermits::Used),
        (&["mild"], ExpiredPermits::GivenBack),
        (&["silent", "mild"], ExpiredPermits::GivenBack),
        (&["mild", "strict"], ExpiredPermits::Used),
    ] {
        assert_eq!(load(&files, packs).expired_permits(), expected, "{packs:?}");
    }
}
