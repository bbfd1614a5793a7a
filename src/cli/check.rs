//! `dunwell check`: everything that people write, and what is wrong with it.

use crate::app::engines::{self, Provider};
use crate::cli::{What, print};
use crate::config::environment::Environment;
use crate::config::{Config, folder};
use crate::domain::fault::Fault;
use crate::domain::request::ChannelChoice;
use crate::pipeline::webhooks::Webhook;
use crate::policy::Policy;
use std::fmt::Write;
use std::path::Path;
use std::process::ExitCode;

/// What was found.
#[derive(Default)]
struct Findings {
    faults: Vec<Fault>,
    warnings: Vec<Fault>,
    /// A line for each thing that is in order.
    sound: Vec<String>,
    /// What else was asked for.
    listing: String,
}

/// Checks, prints and says whether all is well.
pub fn run(file: &Path, data: &Path, environment: &Environment, what: What) -> anyhow::Result<ExitCode> {
    let (config, faults) = Config::survey(file, data, environment);
    let mut findings = Findings { faults, ..Findings::default() };
    // Without it nobody knows where the rest is.
    if let Some(config) = config {
        look(&config, environment, what, &mut findings);
    }
    report(findings)
}

fn look(config: &Config, environment: &Environment, what: What, findings: &mut Findings) {
    let all = what == What::All;
    findings.warnings.extend(config.warnings.iter().cloned());
    if all || what == What::Config {
        findings.sound.push(format!("{}: sound", config.file));
        look_at_webhooks(config, environment, findings);
    }
    if all || matches!(what, What::Policy | What::Law) {
        look_at_policy(config, what == What::Law, findings);
    }
    if all || what == What::Templates {
        look_at_templates(config, findings);
    }
    if all || what == What::Providers {
        look_at_providers(config, environment, findings);
    }
    if all || what == What::Flows {
        look_at_flows(config, findings);
    }
    if all || what == What::Plans {
        look_at_plans(config, findings);
    }
}

fn look_at_webhooks(config: &Config, environment: &Environment, findings: &mut Findings) {
    match engines::webhooks(config, environment) {
        Ok(webhooks) => {
            let sound = |webhook: &Webhook| format!("{}: webhook {}", config.file, webhook.name);
            findings.sound.extend(webhooks.iter().map(sound));
        }
        Err(faults) => findings.faults.extend(faults),
    }
}

fn look_at_policy(config: &Config, list: bool, findings: &mut Findings) {
    let (policy, files) = match engines::policy(config) {
        Ok(loaded) => loaded,
        Err(faults) => return findings.faults.extend(faults),
    };
    let report = policy.run_cases(&files);
    let dir = config.policy.dir.display();
    findings.sound.push(format!(
        "{dir}: {} rules of {}, {} worked cases",
        policy.rules().len(),
        policy.stamp().packs.join(", "),
        report.run
    ));
    findings.faults.extend(folder::located(&config.policy.dir, report.faults));
    if list {
        findings.listing = unverified(&policy, config);
    }
}

/// The rules that nobody has compared with the text of the law yet, or that counsel has not signed off.
fn unverified(policy: &Policy, config: &Config) -> String {
    let mut listing = String::new();
    for (rule, relief) in policy.rules().iter().flat_map(|rule| rule.overrides.iter().map(move |r| (rule, r)))
    {
        let _ok = writeln!(
            listing,
            "\n{}:{}: {} sets {} aside from {} to {}, approved by {} ({})",
            config.policy.dir.join(&relief.file).display(),
            relief.line,
            relief.id,
            rule.id,
            relief.from,
            relief.to,
            relief.approver,
            relief.citation
        );
    }
    let mut open: Vec<_> =
        policy.rules().iter().filter(|rule| !rule.status.verified || !rule.status.reviewed).collect();
    open.sort_by_key(|rule| (&rule.file, rule.line));
    // Writing to a string does not fail.
    let _ok = writeln!(
        listing,
        "\n{} of {} rules are not yet verified against the text of the law, or not yet reviewed by counsel:",
        open.len(),
        policy.rules().len()
    );
    for rule in open {
        let lacks = match (rule.status.verified, rule.status.reviewed) {
            (false, false) => "not verified, not reviewed",
            (false, true) => "not verified",
            (true, _) => "not reviewed",
        };
        let file = config.policy.dir.join(&rule.file);
        let place = format!("{}:{}", file.display(), rule.line);
        let _ok = writeln!(listing, "{place}: {} ({}): {lacks}", rule.id, rule.citation);
    }
    for calendar in policy.calendars().iter().filter(|calendar| !calendar.verified) {
        let file = config.policy.dir.join(&calendar.file);
        let place = format!("{}:{}", file.display(), calendar.line);
        let _ok = writeln!(
            listing,
            "{place}: calendar {} ({}): its days are unverified",
            calendar.name, calendar.citation
        );
    }
    listing
}

fn look_at_templates(config: &Config, findings: &mut Findings) {
    match engines::templates(config) {
        Ok(templates) => {
            let dir = &config.templates;
            findings.sound.push(format!(
                "{}: {} templates, {} samples in every language",
                dir.display(),
                templates.templates().count(),
                templates.samples().len()
            ));
            findings.faults.extend(folder::located(dir, templates.check_samples()));
        }
        Err(faults) => findings.faults.extend(faults),
    }
}

fn look_at_providers(config: &Config, environment: &Environment, findings: &mut Findings) {
    let vendors = match engines::vendors(config) {
        Ok(vendors) => vendors,
        Err(faults) => return findings.faults.extend(faults),
    };
    let cases: usize = vendors.vendors().map(|vendor| vendor.cases.len()).sum();
    let count = vendors.vendors().count();
    findings.sound.push(format!("{}: {count} providers, {cases} cases", config.manifests.display()));
    findings.faults.extend(folder::located(&config.manifests, vendors.run_cases()));
    findings.warnings.extend(folder::located(&config.manifests, vendors.unproved()));
    findings.warnings.extend(folder::located(&config.manifests, vendors.doubts()));
    match engines::providers(config, &vendors, environment) {
        Ok(providers) => findings.warnings.extend(refusing(config, &providers)),
        Err(faults) => findings.faults.extend(faults),
    }
}

/// Providers that would carry debts collected for others against their own rules.
fn refusing(config: &Config, providers: &[Provider]) -> Vec<Fault> {
    let named = |provider: &Provider| {
        let names = config.channels.get(&provider.channel).into_iter().flatten();
        names.filter(|name| name.value == provider.name).map(|name| name.place.clone()).next()
    };
    let asked = providers.iter().filter(|provider| provider.settings.third_party_collections());
    asked
        .filter_map(|provider| {
            let (terms, place) = (provider.manifest.terms.as_ref()?, named(provider)?);
            let (channel, name) = (provider.channel, &provider.name);
            let message = format!(
                "{channel}/{name}: {} ({}). Debts that are collected for others go elsewhere if \
                 [providers.{channel}.{name}] says third_party_collections = false",
                terms.third_party_collections.trim_end_matches('.'),
                terms.source
            );
            Some(config.fault(&place, message))
        })
        .collect()
}

fn look_at_flows(config: &Config, findings: &mut Findings) {
    let dir = &config.voice.dir;
    let flows = match engines::flows(config) {
        Ok(flows) => flows,
        Err(faults) => return findings.faults.extend(faults),
    };
    let count = flows.all().count();
    let nodes: usize = flows.all().map(|flow| flow.nodes.len()).sum();
    findings.sound.push(format!("{}: {count} call flows, {nodes} nodes", dir.display()));
    // Whether they fit the templates can only be asked of templates that are sound.
    if let Ok(templates) = engines::templates(config) {
        findings.faults.extend(engines::heard_by_machines(config, &flows, &templates));
    }
    if count > 0 && flows.get(&config.voice.flow.value).is_none() {
        let message = format!(
            "[voice] flow names `{}`, but {} has no such flow",
            config.voice.flow.value,
            dir.display()
        );
        findings.faults.push(config.fault(&config.voice.flow.place, message));
    }
}

fn look_at_plans(config: &Config, findings: &mut Findings) {
    let templates = engines::templates(config).ok();
    let plans = match engines::plans(config, templates.as_ref()) {
        Ok(plans) => plans,
        Err(faults) => return findings.faults.extend(faults),
    };
    let steps: usize = plans.all().map(|filed| filed.plan.steps.len()).sum();
    findings.sound.push(format!("{}: {} plans, {steps} steps", config.plans.display(), plans.all().count()));
    for filed in plans.all() {
        for (index, step) in filed.plan.steps.iter().enumerate() {
            for choice in &step.channels {
                if let ChannelChoice::Named(channel) = choice
                    && !config.channels.contains_key(channel)
                {
                    let file = config.plans.join(&filed.file).display().to_string();
                    let message = format!(
                        "step {}: [channels.{channel}] has no providers, so that no cadence can be begun by this plan",
                        index + 1
                    );
                    findings.warnings.push(Fault::at(&file, filed.channel_lines[index], message));
                }
            }
        }
    }
}

fn report(findings: Findings) -> anyhow::Result<ExitCode> {
    let Findings { mut faults, warnings, sound, listing } = findings;
    faults.sort();
    faults.dedup();
    let mut text = String::new();
    for fault in &faults {
        text.push_str(&format!("{fault}\n"));
    }
    for warning in &warnings {
        text.push_str(&format!("{warning} (a warning)\n"));
    }
    if faults.is_empty() {
        for line in sound {
            text.push_str(&format!("{line}\n"));
        }
        text.push_str(&listing);
        print(&text)?;
        return Ok(ExitCode::SUCCESS);
    }
    text.push_str(&listing);
    text.push_str(&format!(
        "{} found\n",
        if faults.len() == 1 { "1 fault".to_owned() } else { format!("{} faults", faults.len()) }
    ));
    print(&text)?;
    Ok(ExitCode::FAILURE)
}
