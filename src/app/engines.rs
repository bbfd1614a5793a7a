//! The four engines, loaded from the folders that the configuration names.

use crate::app::opt_out_notice;
use crate::cadence::{FiledPlan, Plans};
use crate::callflow::{Flow, Flows};
use crate::channel::webhook::{Receiver, SigningKey};
use crate::config::document::Place;
use crate::config::environment::Environment;
use crate::config::{Config, Refused, folder};
use crate::domain::channel::Channel;
use crate::domain::fault::{Fault, SourceFile};
use crate::domain::request::ChannelChoice;
use crate::pipeline::calls::Voice;
use crate::pipeline::webhooks::Webhook;
use crate::policy::Policy;
use crate::provider;
use crate::provider::manifest::Manifest;
use crate::provider::settings::{Given, Settings};
use crate::template;
use crate::template::manifest::Carries;
use secrecy::ExposeSecret;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A provider that a channel names, with everything it needs.
pub struct Provider {
    /// The channel.
    pub channel: Channel,
    /// The vendor's name, as the channel names it.
    pub name: String,
    /// The vendor.
    pub manifest: Arc<Manifest>,
    /// What it is spoken to with.
    pub settings: Settings,
}

/// Everything that a gateway works with.
pub struct Engines {
    /// The law.
    pub policy: Policy,
    /// The words.
    pub templates: template::catalogue::Catalogue,
    /// Who carries what, in the order to try.
    pub providers: Vec<Provider>,
    /// Whom we tell what happened.
    pub webhooks: Vec<Webhook>,
    /// What calls are made of.
    pub voice: Voice,
    /// The plans of cadences.
    pub plans: Plans,
}

/// Loads everything.
///
/// # Errors
/// Every fault of every engine at once.
pub fn load(config: &Config, environment: &Environment) -> Result<Engines, Vec<Fault>> {
    let policy = policy(config);
    let templates = templates(config);
    let providers = vendors(config).and_then(|vendors| providers(config, &vendors, environment));
    let webhooks = webhooks(config, environment);
    let voice = match (&templates, &providers) {
        (Ok(templates), Ok(providers)) => voice(config, templates, providers),
        _ => flows(config).map(|_| Voice::default()),
    };
    let plans = plans(config, templates.as_ref().ok());
    match (policy, templates, providers, webhooks, voice, plans) {
        (Ok((policy, _)), Ok(templates), Ok(providers), Ok(webhooks), Ok(voice), Ok(plans)) => {
            Ok(Engines { policy, templates, providers, webhooks, voice, plans })
        }
        (policy, templates, providers, webhooks, voice, plans) => {
            let faults =
                [policy.err(), templates.err(), providers.err(), webhooks.err(), voice.err(), plans.err()];
            Err(faults.into_iter().flatten().flatten().collect())
        }
    }
}

/// Whom we tell what happened, with what each notice is signed with.
///
/// # Errors
/// Every secret that cannot be had, or that nothing can be signed with.
pub fn webhooks(config: &Config, environment: &Environment) -> Result<Vec<Webhook>, Vec<Fault>> {
    let (mut webhooks, mut faults) = (Vec::new(), Vec::new());
    for table in &config.webhooks {
        let mut keys = Vec::new();
        match table.fetch(config, environment) {
            Ok(secrets) => {
                for secret in secrets {
                    match SigningKey::read(&secret.value) {
                        Ok(key) => keys.push(key),
                        Err(why) => {
                            faults.push(config.fault(&secret.place, format!("[[webhooks]] secret {why}")));
                        }
                    }
                }
            }
            Err(found) => faults.extend(found),
        }
        let (url, allow_private, timeout) = (table.url.clone(), table.allow_private, table.timeout);
        let receiver = Receiver { url, keys, allow_private, timeout };
        webhooks.push(Webhook { name: table.name.clone(), receiver, events: table.events.clone() });
    }
    if faults.is_empty() { Ok(webhooks) } else { Err(faults) }
}

/// The law in force, and the files it was read from.
///
/// # Errors
/// Every fault, its file named from the working directory.
pub fn policy(config: &Config) -> Result<(Policy, Vec<SourceFile>), Vec<Fault>> {
    let dir = &config.policy.dir;
    let files = folder::read(dir)?;
    let (there, missing): (Vec<_>, Vec<_>) = config.policy.packs.iter().partition(|pack| {
        let head = format!("{}/pack.toml", pack.value);
        files.iter().any(|file| file.path == head)
    });
    let mut faults: Vec<Fault> = missing
        .iter()
        .map(|pack| {
            let message =
                format!("[policy] packs names `{}`, but {} has no such pack", pack.value, dir.display());
            config.fault(&pack.place, message)
        })
        .collect();
    let packs: Vec<String> = there.iter().map(|pack| pack.value.clone()).collect();
    match Policy::load(&files, &packs) {
        Ok(policy) => {
            if faults.is_empty() && !policy.heeds_refusals() {
                let message = "[policy] packs: none of them heeds opt-outs and holds; add us-federal, or a pack of your own with rules of these kinds";
                faults.push(Fault::of(&dir.display().to_string(), message));
            }
            if faults.is_empty() { Ok((policy, files)) } else { Err(faults) }
        }
        Err(found) => {
            faults.extend(folder::located(dir, found));
            Err(faults)
        }
    }
}

/// The words of every message.
///
/// # Errors
/// Every fault, its file named from the working directory.
pub fn templates(config: &Config) -> Result<template::catalogue::Catalogue, Vec<Fault>> {
    let files = folder::read(&config.templates)?;
    let mut faults = opt_out_notice::faults(&files);
    let loaded = template::catalogue::Catalogue::load(&files).map_err(|more| faults.extend(more));
    match loaded {
        Ok(loaded) if faults.is_empty() => Ok(loaded),
        Ok(_) | Err(()) => Err(folder::located(&config.templates, faults)),
    }
}

/// Every plan; none where there is no folder of them. What its messages say can only be asked of templates that are sound.
///
/// # Errors
/// Every fault, its file named from the working directory: of its form, and every template that a step names and that is not
/// there, or has no words for its channels.
pub fn plans(
    config: &Config,
    templates: Option<&template::catalogue::Catalogue>,
) -> Result<Plans, Vec<Fault>> {
    let dir = &config.plans;
    if !dir.is_dir() {
        return Ok(Plans::default());
    }
    let located = |faults| folder::located(dir, faults);
    let plans = Plans::load(&folder::read(dir)?, config.expire_after).map_err(located)?;
    let faults: Vec<Fault> = templates
        .iter()
        .flat_map(|templates| plans.all().flat_map(|plan| wordless(plan, templates)))
        .collect();
    if faults.is_empty() { Ok(plans) } else { Err(located(faults)) }
}

/// The steps of a plan whose message no template has.
fn wordless(filed: &FiledPlan, templates: &template::catalogue::Catalogue) -> Vec<Fault> {
    let mut faults = Vec::new();
    let lines = filed.template_lines.iter().zip(&filed.channel_lines);
    for (index, (step, (template_line, channel_line))) in filed.plan.steps.iter().zip(lines).enumerate() {
        let (number, template) = (index + 1, &step.template);
        let Some(manifest) = templates.manifest(template) else {
            let known: Vec<&str> = templates.templates().collect();
            let message =
                format!("step {number}: there is no template `{template}`; there are {}", known.join(", "));
            faults.push(Fault::at(&filed.file, *template_line, message));
            continue;
        };
        for choice in &step.channels {
            if let ChannelChoice::Named(channel) = choice
                && !manifest.channels.contains(channel)
            {
                let message = format!("step {number}: template `{template}` has no words for {channel}");
                faults.push(Fault::at(&filed.file, *channel_line, message));
            }
        }
    }
    faults
}

/// Every call flow; none where there is no folder of them.
///
/// # Errors
/// Every fault, its file named from the working directory.
pub fn flows(config: &Config) -> Result<Flows, Vec<Fault>> {
    let dir = &config.voice.dir;
    if !dir.is_dir() {
        return Ok(Flows::default());
    }
    Flows::load(&folder::read(dir)?).map_err(|faults| folder::located(dir, faults))
}

/// What calls are made of: the flow that the configuration names, if a provider asks what to say on a call.
///
/// # Errors
/// Every fault of every flow; there is no such flow; what it says to an answering machine is no limited-content message.
pub fn voice(
    config: &Config,
    templates: &template::catalogue::Catalogue,
    providers: &[Provider],
) -> Result<Voice, Vec<Fault>> {
    let flows = flows(config)?;
    let choice = &config.voice;
    let faults = heard_by_machines(config, &flows, templates);
    if !faults.is_empty() {
        return Err(faults);
    }
    let flow = flows.get(&choice.flow.value);
    let asks = providers.iter().find(|provider| provider.manifest.dialect.is_some());
    if let (None, Some(provider)) = (flow, asks) {
        let known: Vec<&str> = flows.all().map(|flow| flow.name.as_str()).collect();
        let dir = choice.dir.display();
        let message = format!(
            "[voice] flow: {} asks what to say on a call, but {dir} has no flow `{}`; there are {}",
            provider.name,
            choice.flow.value,
            known.join(", ")
        );
        return Err(vec![config.fault(&choice.flow.place, message)]);
    }
    Ok(Voice {
        flow: flow.cloned(),
        agents: choice.agents.clone(),
        payments: choice.payments.clone(),
        ask_for: choice.ask_for.clone(),
        recorded: choice.record,
    })
}

/// Flows whose machines would hear something else than a limited-content message.
pub fn heard_by_machines(
    config: &Config,
    flows: &Flows,
    templates: &template::catalogue::Catalogue,
) -> Vec<Fault> {
    let wrong = flows.all().filter(|flow| {
        let manifest = templates.manifest(&flow.machine().template);
        !manifest.is_some_and(|manifest| manifest.disclosures == Carries::LimitedContent)
    });
    let fault = |flow: &Flow| {
        let file = config.voice.dir.join(format!("{}.toml", flow.name)).display().to_string();
        let template = &flow.machine().template;
        let message = format!(
            "[machine] template: `{template}` is no template that carries limited content alone (12 CFR 1006.2(j))"
        );
        Fault { line: Some(flow.head.machine_line), ..Fault::of(&file, message) }
    };
    wrong.map(fault).collect()
}

/// Every vendor that there is a manifest of.
///
/// # Errors
/// Every fault, its file named from the working directory.
pub fn vendors(config: &Config) -> Result<provider::catalogue::Catalogue, Vec<Fault>> {
    let files = folder::read(&config.manifests)?;
    provider::catalogue::Catalogue::load(&files).map_err(|faults| folder::located(&config.manifests, faults))
}

/// The providers that the channels name, in their order, with their settings checked and their secrets fetched.
///
/// # Errors
/// Every vendor without a manifest, every setting that is wrong or missing, every secret that cannot be had.
pub fn providers(
    config: &Config,
    vendors: &provider::catalogue::Catalogue,
    environment: &Environment,
) -> Result<Vec<Provider>, Vec<Fault>> {
    let (mut providers, mut faults) = (Vec::new(), Vec::new());
    for (channel, names) in &config.channels {
        for name in names {
            let Some(manifest) = vendors.get(*channel, &name.value) else {
                faults.push(config.fault(&name.place, unknown(config, vendors, *channel, &name.value)));
                continue;
            };
            match settings(config, manifest, *channel, &name.value, environment) {
                Ok(settings) => providers.push(Provider {
                    channel: *channel,
                    name: name.value.clone(),
                    manifest: Arc::clone(manifest),
                    settings,
                }),
                Err(found) => faults.extend(found),
            }
        }
    }
    if faults.is_empty() { Ok(providers) } else { Err(faults) }
}

fn unknown(
    config: &Config,
    vendors: &provider::catalogue::Catalogue,
    channel: Channel,
    name: &str,
) -> String {
    let of_channel = vendors.vendors().filter(|vendor| vendor.manifest.channel() == channel);
    let known: Vec<&str> = of_channel.map(|vendor| vendor.manifest.id()).collect();
    let dir = config.manifests.display();
    format!("[channels.{channel}] names `{name}`, but {dir}/{channel} has only {}", known.join(", "))
}

fn settings(
    config: &Config,
    manifest: &Manifest,
    channel: Channel,
    name: &str,
    environment: &Environment,
) -> Result<Settings, Vec<Fault>> {
    let fetched = config.provider(channel, name, environment).map_err(|Refused(faults)| faults)?;
    let table = format!("[providers.{channel}.{name}]");
    let given: BTreeMap<String, Given> = fetched
        .iter()
        .map(|(key, setting)| {
            let line = match &setting.place {
                Place::Line(line) => Some(*line),
                Place::Named(_) => None,
            };
            (key.clone(), Given { value: setting.value.expose_secret().to_owned(), line })
        })
        .collect();
    let place = config.provider_table(channel, name).map(|table| table.place.clone());
    manifest.settings(&given, &table).map_err(|faults| {
        let locate = |fault: Fault| locate(config, &fault, &table, place.as_ref());
        faults.into_iter().map(locate).collect()
    })
}

/// A fault of a table as a fault of the file; what is missing stands at the table's head.
fn locate(config: &Config, fault: &Fault, table: &str, head: Option<&Place>) -> Fault {
    let message = format!("{table} {}", fault.message);
    match (fault.line, head) {
        (Some(line), _) => Fault::at(&config.file, line, message),
        (None, Some(place)) => config.fault(place, message),
        (None, None) => Fault::of(&config.file, message),
    }
}
