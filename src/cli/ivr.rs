//! `dunwell ivr walk`: a call flow, walked offline at the keyboard.

use crate::app::engines;
use crate::callflow::step::step;
use crate::callflow::{Ability, Flow, Flows, Heard, Step};
use crate::cli::{Walk, print};
use crate::config::{Config, Refused};
use crate::domain::call::{AnsweredBy, CallOp, CallPhase, CallPlace, CallPlan, CallPosition, Detection};
use crate::domain::channel::Channel;
use crate::domain::fault::SourceFile;
use crate::domain::time::Clock;
use crate::pipeline::calls::{self, Voice};
use crate::provider::manifest::Manifest;
use crate::provider::settings::Settings;
use crate::reply::{Reader, Said};
use std::fmt::Write;
use std::io::BufRead;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

/// A made-up attempt.
const ATTEMPT: &str = "att_0198c0de000070008000000000000017";
/// A walk with more turns than this is a loop, not a conversation.
const MOST_TURNS: usize = 200;

/// Walks a flow.
pub fn run(config: &Config, wanted: &Walk) -> anyhow::Result<ExitCode> {
    let plan =
        sample_plan(config, &wanted.flow, &wanted.template, wanted.sample.as_deref(), &wanted.language)?;
    let vendor =
        wanted.dialect.as_ref().map(|(channel, name)| dialect(config, *channel, name)).transpose()?;
    let ability = Ability { detection: Detection::AtAnswer, next: true, record: true };
    print(&format!("flow         {}\nlanguage     {}\n", plan.flow, plan.language))?;
    let mut at = CallPosition::answered(ATTEMPT.parse()?, plan.language.clone());
    let mut heard = Heard { answered_by: Some(wanted.answered_by), ..Heard::default() };
    let mut lines = std::io::stdin().lock().lines();
    for _ in 0..MOST_TURNS {
        let Step { ops, effects } = step(&plan, &at, &heard, ability);
        let mut text = String::new();
        for effect in effects {
            let _ok = writeln!(text, "recorded     {effect:?}");
        }
        for op in &ops {
            describe(op, &mut text);
        }
        if let Some(manifest) = &vendor {
            let placed = ops.iter().cloned().map(|op| op.placed(|_| sample_place()));
            let placed: Vec<CallOp> = placed.collect();
            if let Some(written) = manifest.document(&placed, &Settings::default()) {
                let _ok = writeln!(text, "document     {}", written.body);
            }
        }
        print(&text)?;
        let Some(next) = ops.iter().find_map(asks) else {
            print("the call is over\n")?;
            return Ok(ExitCode::SUCCESS);
        };
        at = next.clone();
        heard = match at.phase {
            // Nobody answers there: the machine goes on by itself.
            CallPhase::Limited => Heard::default(),
            CallPhase::Answered
            | CallPhase::Holding
            | CallPhase::Greeting
            | CallPhase::Node
            | CallPhase::Transferred => {
                print("> ")?;
                match lines.next().transpose()? {
                    Some(line) => understood(line.trim(), at.phase),
                    None => {
                        print("\nthe person hung up\n")?;
                        return Ok(ExitCode::SUCCESS);
                    }
                }
            }
        };
    }
    anyhow::bail!("the call went round for {MOST_TURNS} turns")
}

/// What a line of the keyboard stands for.
fn understood(line: &str, phase: CallPhase) -> Heard {
    if phase == CallPhase::Transferred {
        return Heard { transferred: Some(line == "yes"), ..Heard::default() };
    }
    if matches!(phase, CallPhase::Holding | CallPhase::Greeting)
        && let Some(who) = AnsweredBy::from_word(line)
    {
        return Heard { answered_by: Some(who), ..Heard::default() };
    }
    let Some(words) = line.strip_prefix("say ") else {
        return Heard { keys: line.to_owned(), ..Heard::default() };
    };
    let today = crate::app::clock::MachineClock.now().utc_date();
    let said = Said { text: words, channel: Channel::Voice, language: None, today, currency: None };
    match calls::meaning(&Reader::shipped().read(&said)) {
        Some(meant) => Heard { meant: Some(meant), ..Heard::default() },
        None => Heard { keys: "?".to_owned(), ..Heard::default() },
    }
}

fn asks(op: &CallOp<CallPosition>) -> Option<&CallPosition> {
    match op {
        CallOp::Ask { next, .. }
        | CallOp::Hold { next, .. }
        | CallOp::Transfer { next, .. }
        | CallOp::Next(next) => Some(next),
        CallOp::Say(_) | CallOp::Record | CallOp::HangUp => None,
    }
}

/// One thing that the machine does, for a person to read.
fn describe<P>(op: &CallOp<P>, text: &mut String) {
    // Writing to a string does not fail.
    let _ok = match op {
        CallOp::Say(speech) => writeln!(text, "says         [{}] {}", speech.language, speech.text),
        CallOp::Ask { speech, wait_seconds, .. } => {
            writeln!(text, "asks         [{}] {} ({wait_seconds} s)", speech.language, speech.text)
        }
        CallOp::Hold { seconds, .. } => writeln!(text, "waits        {seconds} s"),
        CallOp::Transfer { to, wait_seconds, .. } => {
            writeln!(text, "connects     to {to} ({wait_seconds} s)")
        }
        CallOp::Record => writeln!(text, "records      from here on"),
        CallOp::Next(_) => writeln!(text, "goes on"),
        CallOp::HangUp => writeln!(text, "hangs up"),
    };
}

/// A place as a vendor would be told it.
fn sample_place() -> CallPlace {
    CallPlace {
        url: "https://gw.example.com/callbacks/voice/vendor/voice/STATE".to_owned(),
        state: "STATE".to_owned(),
    }
}

/// The plan of a call to nobody: a flow of the configuration or of a file, with a template's sample.
fn sample_plan(
    config: &Config,
    flow: &str,
    template: &str,
    sample: Option<&str>,
    language: &str,
) -> anyhow::Result<CallPlan> {
    let voice = Voice {
        flow: Some(find(config, flow)?),
        agents: config.voice.agents.clone(),
        payments: config.voice.payments.clone(),
        ask_for: config.voice.ask_for.clone(),
        recorded: config.voice.record,
    };
    let templates = engines::templates(config).map_err(Refused)?;
    let mut samples = templates.samples().iter().filter(|known| known.template == template);
    let found = match sample {
        Some(name) => samples.find(|known| known.name == name),
        None => samples.next(),
    };
    let found =
        found.ok_or_else(|| anyhow::anyhow!("template `{template}` has no such sample, or is not there"))?;
    let plan = calls::plan(&templates, &voice, template, &found.context(), Some(language));
    plan.map_err(|why| anyhow::anyhow!("{why}"))
}

fn find(config: &Config, name: &str) -> anyhow::Result<Flow> {
    if name.ends_with(".toml") {
        let text = std::fs::read_to_string(name).map_err(|error| anyhow::anyhow!("{name}: {error}"))?;
        let file = SourceFile { path: name.to_owned(), text };
        return Ok(Flow::read(&file).map_err(Refused)?);
    }
    let flows: Flows = engines::flows(config).map_err(Refused)?;
    let known: Vec<&str> = flows.all().map(|flow| flow.name.as_str()).collect();
    flows.get(name).cloned().ok_or_else(|| {
        let dir = config.voice.dir.display();
        anyhow::anyhow!("{dir} has no flow `{name}`; there are {}", known.join(", "))
    })
}

fn dialect(config: &Config, channel: Channel, name: &str) -> anyhow::Result<Arc<Manifest>> {
    let vendors = engines::vendors(config).map_err(Refused)?;
    let manifest = vendors.get(channel, name).filter(|manifest| manifest.dialect.is_some()).cloned();
    manifest.ok_or_else(|| {
        let folder = config.manifests.join(channel.as_str()).join(name);
        anyhow::anyhow!("{} is no vendor with a [dialect]", Path::new(&folder).display())
    })
}
