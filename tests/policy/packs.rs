//! The shipped packs load, say what their worked cases say, and refuse what is wrong with them.

use crate::support::{load, made_up, rule, shipped, shipped_files};
use dunwell::policy::Policy;

#[test]
fn every_worked_case_comes_out_as_it_says() {
    let files = shipped_files();
    let report = load(&files, &["us-federal", "us-states"]).run_cases(&files);
    let faults: Vec<String> = report.faults.iter().map(ToString::to_string).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(report.run >= 100, "only {} worked cases", report.run);
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
    let duties = ["mini-miranda", "debt-collector", "notice", "time-barred", "licence-number"];
    let unnamed: Vec<String> = shipped()
        .rules()
        .iter()
        .map(|rule| rule.id.clone())
        .filter(|id| !duties.iter().any(|duty| id.ends_with(duty)))
        .filter(|id| !cases.contains(&format!("rule = \"{id}\"")))
        .collect();
    assert_eq!(unnamed, Vec::<String>::new());
    for notice in
        ["mini-miranda-initial", "mini-miranda-subsequent", "opt-out-notice", "time-barred", "licence"]
    {
        assert!(cases.contains(&format!("\"{notice}\"")), "{notice}");
    }
}
