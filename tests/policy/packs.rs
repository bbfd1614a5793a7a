//! The shipped packs load, say what their worked cases say, and refuse what is wrong with them.

use crate::support::{
    World, account, at, consent, contact, days, load, made_up, point, rule, shipped, shipped_files,
};
use dunwell::domain::channel::Channel;
use dunwell::domain::consent::{ConsentScope, InconvenientTime, Weekday};
use dunwell::domain::contact::ContactResult;
use dunwell::domain::decision::Outcome;
use dunwell::policy::{Policy, caps, evaluate};

/// Every pack there is.
const ALL_PACKS: &[&str] = &["us-federal", "us-states", "uk", "ca-on", "au", "house"];

#[test]
fn every_worked_case_comes_out_as_it_says() {
    let files = shipped_files();
    let report = load(&files, ALL_PACKS).run_cases(&files);
    let faults: Vec<String> = report.faults.iter().map(ToString::to_string).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(report.run >= 400, "only {} worked cases", report.run);
}

#[test]
fn every_rule_is_named_by_a_worked_case() {
    let files = shipped_files();
    let cases: String = files
        .iter()
        .filter(|file| file.path.ends_with(".cases.toml"))
        .map(|file| file.text.as_str())
        .collect();
    // Duties to disclose bar nothing, so no case can name their finding first; the cases list the notices due.
    let duties = ["mini-miranda", "debt-collector", "opt-out-notice", "time-barred", "licence-number"];
    let unnamed: Vec<String> = load(&files, ALL_PACKS)
        .rules()
        .iter()
        .map(|rule| rule.id.clone())
        .filter(|id| !duties.iter().any(|duty| id.ends_with(duty)))
        .filter(|id| {
            !cases.contains(&format!("rule = \"{id}\"")) && !cases.contains(&format!("reviews = [\"{id}\""))
        })
        .collect();
    assert_eq!(unnamed, Vec::<String>::new());
    for notice in
        ["mini-miranda-initial", "mini-miranda-subsequent", "opt-out-notice", "time-barred", "licence"]
    {
        assert!(cases.contains(&format!("\"{notice}\"")), "{notice}");
    }
}

/// The faults of a made-up pack, as printed.
fn faults(rules: &str) -> Vec<String> {
    match Policy::load(&made_up(rules), &["made-up".to_owned()]) {
        Ok(_) => Vec::new(),
        Err(faults) => faults.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn every_fault_is_named_at_once_with_its_line() {
    let sound = rule("sound", "contact_window", "", "opens = \"08:00\"\ncloses = \"21:00\"");
    assert_eq!(faults(&sound), Vec::<String>::new());
    let rules = [
        rule("no-such-kind", "quiet_hours", "", "opens = \"08:00\""),
        rule("unknown-key", "contact_window", "", "opens = \"08:00\"\ncloses = \"21:00\"\ncolour = \"red\""),
        rule("unknown-scope", "hold", "weather = \"fine\"", "holds = [\"cease\"]"),
        rule("backwards", "contact_window", "", "opens = \"21:00\"\ncloses = \"08:00\""),
        rule("no-window", "frequency_cap", "", "limit = 2\nper = \"debt\"\ncounts = {}"),
        rule("sound", "hold", "", "holds = [\"retain\"]"),
        rule("sound", "hold", "", "holds = [\"cease\"]"),
        sound.replace("id = \"sound\"", "id = \"uncited\"").replace("citation = \"none, made up\"\n", ""),
        sound.replace("id = \"sound\"", "id = \"blank\"").replace("none, made up", " "),
        sound.replace("id = \"sound\"", "id = \"undated\"").replace("from = 1990-01-01\n", ""),
        sound.replace("id = \"sound\"", "id = \"elsewhere\"").replace("\"US\"", "\"Atlantis\""),
    ];
    insta::assert_snapshot!(faults(&rules.concat()).join("\n"), @r"
    made-up/rules.toml:3: unknown kind `quiet_hours`; one of account_status, consent, contact_window, cool_down, disclosure, frequency_cap, hold, inconvenient_time, opt_out, reassigned_number, usable_point, waiting_period, workplace
    made-up/rules.toml:27: unknown field `colour`, expected one of `opens`, `closes`, `days`, `hours`, `closed_on`, `zone`, `answer_within`, `consent_opens`, `consent_forms`, `taint_within`
    made-up/rules.toml:37: unknown field `weather`, expected one of `collector_role`, `debt_type`, `debt_type_not`, `channels`, `purposes`, `purposes_not`, `says`, `parties`, `parties_not`, `automated`, `line_types`, `workplace`, `regions`, `ties`, `localities`
    made-up/rules.toml:51: the window must open before it closes, not 21:00 to 08:00
    made-up/rules.toml:65: a cap has one window, of `days`, `hours`, `minutes` or `each` week or month, and not zero
    made-up/rules.toml:80: `retain` bars erasure, not contact
    made-up/rules.toml:85: rule sound also stands in made-up/rules.toml:72
    made-up/rules.toml:97: missing field `citation`
    made-up/rules.toml:113: rule blank has no citation; a rule without one is not loaded
    made-up/rules.toml:133: a row says `from` which date it holds, 2021-11-30, and may say `to` which, its last day
    made-up/rules.toml:142: `Atlantis` is neither a country such as US nor a region such as US-MA
    ");
}

/// What reads well and cannot be meant is a fault, each named once.
#[test]
fn what_cannot_be_meant_is_refused() {
    let cap = "limit = 2\ndays = 7\nper = \"debt\"\n";
    let no_rows = rule("none", "hold", "", "holds = [\"cease\"]");
    let no_rows =
        no_rows.split("[[rule.effective]]").next().expect("a head").to_owned() + "effective = []\n\n";
    let grounds = "citation = \"c\"\napprover = \"a\"\nreason = \"r\"\nfrom = 2026-01-01\nto = 2026-02-01\n";
    let relief = |more: &str| format!("[[override]]\nid = \"relief\"\nrule = \"held\"\n{grounds}{more}\n");
    let held = rule("held", "hold", "", "holds = [\"bankruptcy\"]");
    for (text, wanted) in [
        (no_rows, "has no [[rule.effective]]"),
        (
            rule("r", "hold", "regions = [\"US-NY\"], localities = [\"New York\"]", "holds = [\"cease\"]"),
            "no city `New York` is known",
        ),
        (
            rule("r", "hold", "localities = [\"new york city\"]", "holds = [\"cease\"]"),
            "`localities` narrows",
        ),
        (rule("r", "hold", "ties = [\"number\"]", "holds = [\"cease\"]"), "`ties` narrows `regions`"),
        (
            rule("r", "hold", "parties = [\"spouse\"], parties_not = [\"spouse\"]", "holds = [\"cease\"]"),
            "`parties` and `parties_not` leave nothing",
        ),
        (
            rule("r", "contact_window", "", "hours = [{ days = [], opens = \"08:00\", closes = \"21:00\" }]"),
            "names its `days`",
        ),
        (
            rule(
                "r",
                "frequency_cap",
                "",
                &format!("{cap}counts = {{ results = [\"busy\"], results_not = [\"busy\"] }}"),
            ),
            "leave nothing to count",
        ),
        (
            rule(
                "r",
                "frequency_cap",
                "channels = [\"sms\"]",
                &format!("{cap}counts = {{ channels = [\"voice\"] }}"),
            ),
            "none of those that the rule applies to",
        ),
        (
            rule(
                "r",
                "frequency_cap",
                "channels = [\"letter\"]",
                &format!("{}counts = {{}}", cap.replace("debt", "point")),
            ),
            "counts by contact points",
        ),
        (
            rule("r", "hold", "channels = [\"visit\"], workplace = true", "holds = [\"cease\"]"),
            "`workplace` is about",
        ),
        (
            rule(
                "r",
                "consent",
                "channels = [\"sms\", \"portal\"]",
                "scope = \"electronic\"\ngiven_to = [\"collector\"]",
            ),
            "`electronic` means nothing on portal",
        ),
        (held.clone() + &relief("applies = { regions = [\"Atlantis\"] }"), "`Atlantis` is neither a country"),
        (held.clone() + &relief("") + &relief(""), "override relief also stands in made-up/rules.toml"),
    ] {
        let found = faults(&text);
        assert!(found.len() == 1 && found[0].contains(wanted), "{wanted}: {found:?}");
    }
}

#[test]
fn a_file_that_is_no_toml_and_a_pack_that_is_not_there() {
    let found = faults("[[rule]]\nid = \n");
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("made-up/rules.toml:2: "), "{found:?}");
    let missing = Policy::load(&shipped_files(), &["us-federal".to_owned(), "mars".to_owned()]);
    let missing: Vec<String> = missing.err().unwrap_or_default().iter().map(ToString::to_string).collect();
    assert_eq!(missing, ["mars/pack.toml: there is no such pack: a pack is a folder with a pack.toml"]);
}

#[test]
fn rows_of_a_rule_follow_each_other() {
    let rows = |first: &str, second: &str| {
        let row = "opens = \"08:00\"\ncloses = \"21:00\"\n";
        rule("dated", "contact_window", "", &format!("{first}{row}[[rule.effective]]\n{second}{row}"))
    };
    assert_eq!(faults(&rows("to = 2025-05-15\n", "from = 2025-05-16\n")), Vec::<String>::new());
    for (first, second) in [
        ("", "from = 2025-05-16\n"),
        ("to = 2025-05-16\n", "from = 2025-05-16\n"),
        ("to = 1989-01-01\n", "from = 2025-05-16\n"),
    ] {
        assert_eq!(faults(&rows(first, second)).len(), 1, "{first}{second}");
    }
}

#[test]
fn the_digest_is_of_every_file_and_of_nothing_else() {
    let files = shipped_files();
    let policy = load(&files, &["us-federal", "us-states"]);
    assert_eq!(policy.stamp().packs, ["us-federal@3", "us-states@3"]);
    assert!(policy.digest().starts_with("sha256:") && policy.digest().len() == 71, "{}", policy.digest());
    let changed = |suffix: &str| {
        let mut files = files.clone();
        let file = files.iter_mut().find(|file| file.path.ends_with(suffix)).expect(suffix);
        file.text.push_str("\n# a remark\n");
        load(&files, &["us-federal", "us-states"]).stamp().digest
    };
    assert_ne!(changed("us-federal/reg-f.toml"), policy.digest());
    assert_eq!(changed("us-federal/reg-f.cases.toml"), policy.digest());
    let mut turned = files.clone();
    turned.reverse();
    assert_eq!(load(&turned, &["us-federal", "us-states"]).digest(), policy.digest());
}

#[test]
fn a_worked_case_that_comes_out_otherwise_is_a_fault() {
    let mut files = made_up(&rule("window", "contact_window", "", "opens = \"08:00\"\ncloses = \"21:00\""));
    let case = |outcome: &str| {
        format!(
            "\n[[case]]\nsays = \"noon\"\nat = \"2026-06-10T12:00:00-04:00\"\nchannel = \"voice\"\nexpect = {{ outcome = \"{outcome}\" }}\n"
        )
    };
    let text = case("allow") + &case("block");
    files.push(dunwell::domain::fault::SourceFile { path: "made-up/rules.cases.toml".to_owned(), text });
    let report = load(&files, &["made-up"]).run_cases(&files);
    assert_eq!(report.run, 2);
    let faults: Vec<String> = report.faults.iter().map(ToString::to_string).collect();
    assert_eq!(faults, ["made-up/rules.cases.toml:8: noon: expected block, not allow ()"]);
}

#[test]
fn the_reason_has_the_real_figures() {
    let policy = shipped();
    let mut world = World::new(at("2026-11-22T02:10:00Z"), &["America/New_York"]);
    let decision = world.decide(&policy);
    assert_eq!(decision.findings.len(), 1, "{:?}", decision.findings);
    insta::assert_json_snapshot!(decision.findings[0], @r#"
    {
      "citation": "12 CFR 1006.6(b)(1)(i)",
      "effect": "defer",
      "facts": {
        "zones": [
          "America/New_York"
        ],
        "zones_from": "addresses and numbers on file"
      },
      "reason": "it is 21:10 in America/New_York; calls are permitted from 08:00 to 21:00 there",
      "rule": "us.fed.regf.inconvenient-time",
      "until": "2026-11-22T13:00:00Z"
    }
    "#);
    world.at = at("2026-04-07T22:00:00Z");
    for day in 0..7 {
        world.record(contact(
            at("2026-04-01T14:00:00Z").plus(days(day)),
            Channel::Voice,
            ContactResult::NoAnswer,
        ));
    }
    insta::assert_json_snapshot!(world.decide(&policy).findings[0], @r#"
    {
      "citation": "12 CFR 1006.14(b)(2)(i)(A)",
      "effect": "defer",
      "facts": {
        "limit": 7,
        "oldest_at": "2026-04-01T14:00:00Z",
        "oldest_at_age_days": 6,
        "oldest_from": "reported by upstream",
        "used": 7,
        "window": "P7D"
      },
      "reason": "7 calls about this debt within 7 consecutive days are on file, the first on 2026-04-01; 7 are permitted",
      "rule": "us.fed.regf.seven-in-seven",
      "until": "2026-04-08T04:00:00Z"
    }
    "#);
}

#[test]
fn explaining_all_names_the_rules_that_permit() {
    let policy = shipped();
    let world = World::new(at("2026-11-22T17:10:00Z"), &["America/New_York"]);
    let all = world.with_facts(|facts| evaluate(&policy, facts, None, true));
    assert_eq!(all.outcome, Outcome::Allow);
    assert!(all.findings.len() > 10 && all.findings.iter().all(|finding| !finding.reason.is_empty()));
    assert!(all.findings.iter().any(|finding| finding.rule == "us.fed.regf.seven-in-seven"));
    assert!(world.decide(&policy).findings.is_empty());
}

/// A rule that permits says until when, and what it looked at says how old it is and whence it is known.
#[test]
fn explaining_all_says_until_when_and_how_old_the_facts_are() {
    let policy = shipped();
    let mut world = World::new(at("2026-11-22T17:10:00Z"), &["America/New_York"]);
    world.debtor.accounts[0].validation_notice_sent_on = Some("2026-11-20".parse().expect("a date"));
    world.debtor.points[0].workplace = true;
    world.consents.push(consent(ConsentScope::Workplace, Channel::Voice, at("2026-11-12T17:10:00Z")));
    world.record(contact(at("2026-11-10T16:00:00Z"), Channel::Voice, ContactResult::Voicemail));
    world.preferences.inconvenient.push(InconvenientTime {
        channels: Vec::new(),
        days: vec![Weekday::Mon],
        from: "09:00".parse().expect("a time"),
        places: Vec::new(),
        since: None,
        to: "10:00".parse().expect("a time"),
    });
    let all = world.with_facts(|facts| evaluate(&policy, facts, None, true));
    assert_eq!(all.outcome, Outcome::Allow, "{:?}", all.findings);
    let of = |id: &str| all.findings.iter().find(|finding| finding.rule == id).expect(id);
    assert_eq!(of("us.fed.regf.inconvenient-time").until, Some(at("2026-11-23T02:00:00Z")));
    assert_eq!(of("us.fed.regf.stated-inconvenient-time").until, Some(at("2026-11-23T14:00:00Z")));
    assert_eq!(of("us.fed.regf.seven-in-seven").until, None);
    assert_eq!(all.permitted_until, all.findings.iter().filter_map(|finding| finding.until).min());
    let age = |id: &str, name: &str| of(id).facts.get(name).and_then(serde_json::Value::as_i64);
    assert_eq!(age("us.fed.regf.workplace", "granted_at_age_days"), Some(10));
    assert_eq!(age("us.fed.regf.debt-collector", "communicated_at_age_days"), Some(12));
    assert_eq!(of("us.fed.regf.debt-collector").facts["communicated_from"], "reported by upstream");
    let review = all.reviews.iter().find(|review| review.rule == "us.fed.regf.validation-period");
    assert_eq!(review.expect("a review").facts["sent_on_age_days"], 2);
}

#[test]
fn caps_say_how_far_they_are_used_and_when_one_is_freed() {
    let policy = shipped();
    let mut world = World::new(at("2026-04-03T16:00:00Z"), &["America/New_York"]);
    world.debtor.locations[0].region = Some("US-MA".to_owned());
    world.channel = Channel::Email;
    world.record(contact(at("2026-04-01T16:00:00Z"), Channel::Voice, ContactResult::NoAnswer));
    world.record(contact(at("2026-04-02T16:00:00Z"), Channel::Voice, ContactResult::NoAnswer));
    let uses = world.with_facts(|facts| caps(&policy, facts));
    let of = |id: &str| uses.iter().find(|cap| cap.rule == id).unwrap_or_else(|| panic!("{id}: {uses:?}"));
    let week = of("us.fed.regf.seven-in-seven");
    assert_eq!((week.used, week.limit, week.window), (2, 7, days(7)));
    assert_eq!(week.frees_at, Some(at("2026-04-08T04:00:00Z")));
    assert_eq!(week.accounts, [account("card-1")]);
    let two = of("us.ma.two-in-seven");
    assert_eq!((two.used, two.limit, two.frees_at), (2, 2, Some(at("2026-04-08T04:00:00Z"))));
    assert_eq!(of("us.ma.two-in-thirty-elsewhere").used, 0);

    // A cap that counts by contact point is listed for the points that its contacts can go to.
    world.debtor.locations[0].region = Some("US-WA".to_owned());
    for (name, listed) in [("mobile", true), ("email", false)] {
        world.point = Some(point(name));
        let uses = world.with_facts(|facts| caps(&policy, facts));
        assert_eq!(uses.iter().any(|cap| cap.rule == "us.wa.two-a-day-to-a-cell"), listed, "{name}");
    }
}
