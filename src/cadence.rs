//! Floor 1: plans of cadences, read from their files (`config/plans/*.toml`) and judged before anybody is enrolled. Pure: no
//! clock, no network, no history. What follows in a cadence is [`crate::domain::cadence`]'s to say, because the fold asks it.

use crate::domain::cadence::{Plan, PlanStep, StopCondition};
use crate::domain::channel::Channel;
use crate::domain::fault::{Fault, SourceFile};
use crate::domain::request::ChannelChoice;
use crate::domain::time::Span;
use aws_lc_rs::digest;
use serde::Deserialize;
use std::collections::BTreeMap;
use toml::Spanned;
use toml::de::{DeTable, DeValue, Deserializer};

/// The most steps of a plan: more is not a cadence but a siege.
const MOST_STEPS: usize = 20;
/// The shortest time between two steps.
const SHORTEST_DELAY: Span = Span::days(1);
/// The longest time between two steps, and before the first.
const LONGEST_DELAY: Span = Span::days(90);
/// How long a step is tried, at least …
const SHORTEST_TRY: Span = Span::hours(1);
/// … and at most.
const LONGEST_TRY: Span = Span::days(30);
/// How long a whole plan may take.
const LONGEST_PLAN: Span = Span::days(366);
/// The longest name of a plan, in characters.
const LONGEST_NAME: usize = 64;

/// A plan with where it stands.
#[derive(Clone, Debug)]
pub struct FiledPlan {
    /// The plan.
    pub plan: Plan,
    /// What it is for, for people.
    pub summary: String,
    /// Its file, relative to the folder.
    pub file: String,
    /// The line of each step's `template`.
    pub template_lines: Vec<usize>,
    /// The line of each step's `channels`.
    pub channel_lines: Vec<usize>,
}

/// All plans of a folder.
#[derive(Clone, Debug, Default)]
pub struct Plans {
    plans: BTreeMap<String, FiledPlan>,
}

impl Plans {
    /// Reads every `*.toml`; other files are left alone. A step that does not say how long it is tried is tried as long as
    /// its plan says, or else for `expire_after`.
    ///
    /// # Errors
    /// Every fault of every file.
    pub fn load(files: &[SourceFile], expire_after: Span) -> Result<Self, Vec<Fault>> {
        let (mut plans, mut faults) = (BTreeMap::new(), Vec::new());
        for file in files.iter().filter(|file| file.path.ends_with(".toml")) {
            match read(file, expire_after) {
                Ok(filed) => {
                    plans.insert(filed.plan.name.clone(), filed);
                }
                Err(found) => faults.extend(found),
            }
        }
        if faults.is_empty() { Ok(Self { plans }) } else { Err(faults) }
    }

    /// A plan by its name.
    pub fn get(&self, name: &str) -> Option<&FiledPlan> {
        self.plans.get(name)
    }

    /// All, by name.
    pub fn all(&self) -> impl Iterator<Item = &FiledPlan> {
        self.plans.values()
    }
}

/// A plan's file, apart from its steps.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    summary: Spanned<String>,
    stop_on: Option<Spanned<Vec<StopCondition>>>,
    expire_after: Option<Spanned<Span>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    after: Option<Spanned<Span>>,
    channels: Spanned<Vec<ChannelChoice>>,
    expire_after: Option<Spanned<Span>>,
    needs: Option<Spanned<u32>>,
    template: Spanned<String>,
}

/// Reads and judges a plan.
fn read(file: &SourceFile, expire_after: Span) -> Result<FiledPlan, Vec<Fault>> {
    let (mut table, errors) = DeTable::parse_recoverable(&file.text);
    if !errors.is_empty() {
        return Err(errors.iter().map(|error| fault(file, error)).collect());
    }
    let mut judge = Judge { file, faults: Vec::new() };
    let name = judge.name();
    let written = table.get_mut().remove("steps");
    let head = Head::deserialize(Deserializer::from(table));
    let head = head.map_err(|error| judge.faults.push(fault(file, &error))).ok();
    let steps = judge.steps(written.as_ref());
    let stop_on = head.as_ref().map(|head| judge.stop_on(head)).unwrap_or_default();
    let usual = head.as_ref().and_then(|head| head.expire_after.as_ref());
    usual.inspect(|span| judge.tries("expire_after", span));
    let usual = usual.map_or(expire_after, |span| *span.get_ref());
    let steps: Vec<(usize, PlanStep, Lines)> =
        steps.into_iter().enumerate().filter_map(|(index, step)| judge.step(index, step?, usual)).collect();
    judge.length(&steps);
    let Some(head) = head.filter(|_| judge.faults.is_empty()) else {
        judge.faults.sort();
        return Err(judge.faults);
    };
    let template_lines = steps.iter().map(|(_, _, lines)| lines.template).collect();
    let channel_lines = steps.iter().map(|(_, _, lines)| lines.channels).collect();
    let steps = steps.into_iter().map(|(_, step, _)| step).collect();
    let plan = digested(Plan { digest: String::new(), name, steps, stop_on });
    let summary = head.summary.into_inner();
    Ok(FiledPlan { plan, summary, file: file.path.clone(), template_lines, channel_lines })
}

/// The plan with its digest: SHA-256 over its canonical form, without comments and order of keys.
fn digested(plan: Plan) -> Plan {
    // A plan always has a JSON form.
    let json = serde_json::to_vec(&plan).unwrap_or_default();
    let digest = format!("sha256:{}", hex::encode(digest::digest(&digest::SHA256, &json)));
    Plan { digest, ..plan }
}

/// Where parts of a step stand.
struct Lines {
    channels: usize,
    template: usize,
}

struct Judge<'f> {
    file: &'f SourceFile,
    faults: Vec<Fault>,
}

impl Judge<'_> {
    fn line(&self, offset: usize) -> usize {
        Fault::line_of(&self.file.text, offset)
    }

    fn at<T>(&mut self, place: &Spanned<T>, message: impl Into<String>) {
        let line = self.line(place.span().start);
        self.faults.push(Fault::at(&self.file.path, line, message));
    }

    fn name(&mut self) -> String {
        let name = self.file.path.trim_end_matches(".toml");
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if name.is_empty() || name.len() > LONGEST_NAME || !name.chars().all(plain) {
            let message = format!(
                "a plan's name is that of its file, in the folder itself: up to {LONGEST_NAME} small letters, digits and dashes"
            );
            self.faults.push(Fault::of(&self.file.path, message));
        }
        name.to_owned()
    }

    /// The steps as they are written, each with what is wrong with its shape said.
    fn steps(&mut self, written: Option<&Spanned<DeValue<'_>>>) -> Vec<Option<Written>> {
        let Some(DeValue::Array(steps)) = written.map(Spanned::get_ref) else {
            self.faults.push(Fault::of(&self.file.path, "has no steps: write [[steps]], once for each"));
            return Vec::new();
        };
        if steps.is_empty() || steps.len() > MOST_STEPS {
            let message = format!("has {} steps; a plan has 1 to {MOST_STEPS}", steps.len());
            self.faults.push(Fault::of(&self.file.path, message));
        }
        let mut read = Vec::new();
        for (index, value) in steps.iter().enumerate() {
            let line = self.line(value.span().start);
            let DeValue::Table(step) = value.get_ref() else {
                let message = format!("step {}: must be a table", index + 1);
                self.faults.push(Fault::at(&self.file.path, line, message));
                continue;
            };
            let step = Spanned::new(value.span(), step.clone());
            read.push(match Written::deserialize(Deserializer::from(step)) {
                Ok(step) => Some(step),
                Err(error) => {
                    let Fault { line: at, message, .. } = fault(self.file, &error);
                    let message = format!("step {}: {message}", index + 1);
                    self.faults.push(Fault::at(&self.file.path, at.unwrap_or(line), message));
                    None
                }
            });
        }
        read
    }

    /// What ends it early: everything that can, unless the plan says what.
    fn stop_on(&mut self, head: &Head) -> Vec<StopCondition> {
        if head.summary.get_ref().trim().is_empty() {
            self.at(&head.summary, "`summary` says what the plan is for");
        }
        let Some(named) = &head.stop_on else { return StopCondition::ALL.to_vec() };
        let missing = StopCondition::BINDING.iter().filter(|condition| !named.get_ref().contains(condition));
        let missing: Vec<&str> = missing.map(|condition| condition.as_str()).collect();
        if !missing.is_empty() {
            let message = format!("`stop_on` must also name {}: they end every cadence", missing.join(", "));
            self.at(named, message);
        }
        let mut conditions = named.get_ref().clone();
        conditions.sort();
        if conditions.windows(2).any(|pair| pair[0] == pair[1]) {
            self.at(named, "`stop_on` names a condition twice");
        }
        conditions
    }

    fn step(&mut self, index: usize, written: Written, usual: Span) -> Option<(usize, PlanStep, Lines)> {
        let (before, number) = (self.faults.len(), index + 1);
        let Written { after, channels, expire_after, needs, template } = written;
        match &after {
            None if index > 0 => {
                self.at(
                    &template,
                    format!("step {number}: `after` is missing: how long after the step before"),
                );
            }
            None => {}
            Some(after) => {
                let shortest = if index == 0 { Span::seconds(0) } else { SHORTEST_DELAY };
                if !(shortest..=LONGEST_DELAY).contains(after.get_ref()) {
                    let message =
                        format!("step {number}: `after` must be from {shortest} to {LONGEST_DELAY}");
                    self.at(after, message);
                }
            }
        }
        if let Some(wrong) = wrong_channels(channels.get_ref()) {
            self.at(&channels, format!("step {number}: `channels` {wrong}"));
        }
        if template.get_ref().trim().is_empty() {
            self.at(&template, format!("step {number}: `template` is empty"));
        }
        if let Some(span) = &expire_after {
            self.tries(&format!("step {number}: `expire_after`"), span);
        }
        let earlier = |needed: u32| usize::try_from(needed).is_ok_and(|needed| (1..number).contains(&needed));
        if let Some(needed) = needs.as_ref().filter(|needed| !earlier(*needed.get_ref())) {
            self.at(needed, format!("step {number}: `needs` must name a step before it, from 1"));
        }
        let lines =
            Lines { channels: self.line(channels.span().start), template: self.line(template.span().start) };
        let step = PlanStep {
            after: after.map_or(Span::seconds(0), Spanned::into_inner),
            channels: channels.into_inner(),
            expire_after: expire_after.map_or(usual, Spanned::into_inner),
            needs: needs.map(Spanned::into_inner),
            template: template.into_inner(),
        };
        (self.faults.len() == before).then_some((index, step, lines))
    }

    fn tries(&mut self, what: &str, span: &Spanned<Span>) {
        if !(SHORTEST_TRY..=LONGEST_TRY).contains(span.get_ref()) {
            self.at(span, format!("{what} must be from {SHORTEST_TRY} to {LONGEST_TRY}"));
        }
    }

    fn length(&mut self, steps: &[(usize, PlanStep, Lines)]) {
        let longest = steps.iter().map(|(_, step, _)| step.after.as_millis() + step.expire_after.as_millis());
        if longest.sum::<i64>() > LONGEST_PLAN.as_millis() {
            let message =
                format!("may take longer than {LONGEST_PLAN}, all its steps and their tries together");
            self.faults.push(Fault::of(&self.file.path, message));
        }
    }
}

fn wrong_channels(channels: &[ChannelChoice]) -> Option<&'static str> {
    let mut named: Vec<Channel> = Vec::new();
    for choice in channels {
        match choice {
            ChannelChoice::Auto if channels.len() > 1 => return Some("must name \"auto\" alone"),
            ChannelChoice::Auto => {}
            ChannelChoice::Named(channel) if named.contains(channel) => return Some("names one twice"),
            ChannelChoice::Named(channel) => named.push(*channel),
        }
    }
    channels.is_empty().then_some("must name at least one, or \"auto\"")
}

fn fault(file: &SourceFile, error: &toml::de::Error) -> Fault {
    let message = error.message().trim().replace('\n', "; ");
    match error.span() {
        Some(span) => Fault::at(&file.path, Fault::line_of(&file.text, span.start), message),
        None => Fault::of(&file.path, message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"summary = "a reminder, and another"

[[steps]]
channels = ["email"]
template = "payment-reminder"

[[steps]]
after = "P3D"
channels = ["sms", "email"]
template = "payment-reminder"
expire_after = "P2D"
"#;

    fn file(text: &str) -> SourceFile {
        SourceFile { path: "sample.toml".to_owned(), text: text.to_owned() }
    }

    fn faults(text: &str) -> Vec<String> {
        match read(&file(text), Span::days(7)) {
            Ok(_) => Vec::new(),
            Err(faults) => faults.iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn a_plan_is_read_with_what_it_leaves_open_filled_in() {
        let filed = read(&file(GOOD), Span::days(7)).expect("sound");
        let plan = &filed.plan;
        assert_eq!((plan.name.as_str(), plan.steps.len()), ("sample", 2));
        assert_eq!((plan.steps[0].after, plan.steps[0].expire_after), (Span::seconds(0), Span::days(7)));
        assert_eq!((plan.steps[1].after, plan.steps[1].expire_after), (Span::days(3), Span::days(2)));
        assert_eq!(plan.stop_on, StopCondition::ALL);
        assert_eq!((filed.channel_lines, filed.template_lines), (vec![4, 9], vec![5, 10]));
    }

    #[test]
    fn the_digest_heeds_what_is_done_and_not_how_it_is_written() {
        let digest = |text: &str| read(&file(text), Span::days(7)).expect("sound").plan.digest;
        assert_eq!(digest(GOOD), digest(&GOOD.replace("a reminder, and another", "for people")));
        assert_eq!(digest(GOOD), digest(&format!("# a comment\n{GOOD}")));
        assert_ne!(digest(GOOD), digest(&GOOD.replace("P3D", "P4D")));
        assert_ne!(digest(GOOD), digest(&GOOD.replace("[\"email\"]", "[\"auto\"]")));
        assert_ne!(digest(GOOD), digest(&format!("{GOOD}needs = 1\n")));
    }

    #[test]
    fn every_fault_has_its_line_and_all_come_at_once() {
        let with = |from: &str, to: &str| faults(&GOOD.replace(from, to));
        assert_eq!(with("\"P3D\"", "\"PT2H\""), ["sample.toml:8: step 2: `after` must be from P1D to P90D"]);
        assert_eq!(with("\"P3D\"", "\"P91D\""), ["sample.toml:8: step 2: `after` must be from P1D to P90D"]);
        assert_eq!(
            with("\"P2D\"", "\"P31D\""),
            ["sample.toml:11: step 2: `expire_after` must be from PT1H to P30D"]
        );
        assert_eq!(
            with("[\"email\"]", "[]"),
            ["sample.toml:4: step 1: `channels` must name at least one, or \"auto\""]
        );
        assert_eq!(
            with("[\"sms\", \"email\"]", "[\"sms\", \"auto\"]"),
            ["sample.toml:9: step 2: `channels` must name \"auto\" alone"]
        );
        assert_eq!(
            with("[\"email\"]", "[\"fax\"]"),
            ["sample.toml:4: step 1: expected one of email, sms, voice, portal, auto"]
        );
        assert_eq!(
            with("after = \"P3D\"\n", ""),
            ["sample.toml:9: step 2: `after` is missing: how long after the step before"]
        );
        assert_eq!(
            faults("summary = \"none\""),
            ["sample.toml: has no steps: write [[steps]], once for each"]
        );
        let stops = format!("stop_on = [\"reply\", \"opt_out\", \"hold\"]\n{GOOD}");
        assert_eq!(
            faults(&stops),
            ["sample.toml:1: `stop_on` must also name account_closed, dispute: they end every cadence"]
        );
        let several =
            GOOD.replace("\"P3D\"", "\"PT2H\"").replace("[\"email\"]", "[]").replace("summary", "sumary");
        assert_eq!(faults(&several).len(), 3, "{:?}", faults(&several));
        for needed in ["0", "2", "3"] {
            assert_eq!(
                with("expire_after = \"P2D\"", &format!("needs = {needed}")),
                ["sample.toml:11: step 2: `needs` must name a step before it, from 1"]
            );
        }
        let many = format!(
            "{GOOD}{}",
            "[[steps]]\nafter = \"P1D\"\nchannels = [\"auto\"]\ntemplate = \"a\"\n".repeat(19)
        );
        assert!(faults(&many)[0].contains("has 21 steps; a plan has 1 to 20"), "{:?}", faults(&many));
        let long = format!(
            "{GOOD}{}",
            "[[steps]]\nafter = \"P90D\"\nchannels = [\"auto\"]\ntemplate = \"a\"\n".repeat(4)
        );
        assert_eq!(
            faults(&long),
            ["sample.toml: may take longer than P366D, all its steps and their tries together"]
        );
        let elsewhere = SourceFile { path: "more/sample.toml".to_owned(), text: GOOD.to_owned() };
        assert!(read(&elsewhere, Span::days(7)).is_err(), "its name would not be that of its file");
    }
}
