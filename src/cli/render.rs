//! `dunwell render`: a message as a debtor would get it.

use crate::app::engines;
use crate::cli::{Render, print};
use crate::config::{Config, Refused};
use crate::domain::message::Content;
use crate::template::catalogue::Catalogue;
use crate::template::sample::Sample;
use std::fmt::Write;
use std::process::ExitCode;

/// Renders a template from one of its samples.
pub fn run(config: &Config, wanted: &Render) -> anyhow::Result<ExitCode> {
    let templates = engines::templates(config).map_err(Refused)?;
    let sample = sample(&templates, wanted)?;
    let context = sample.context();
    let rendered = templates.render(&wanted.template, wanted.channel, Some(&wanted.language), &context)?;
    let mut text = format!(
        "template     {}\nsample       {} ({})\nlanguage     {}\n",
        rendered.template_version, sample.name, sample.summary, rendered.language
    );
    let disclosures: Vec<&str> = context.disclosures.iter().map(|disclosure| disclosure.as_str()).collect();
    let carried = if disclosures.is_empty() { "none".to_owned() } else { disclosures.join(", ") };
    // Writing to a string does not fail.
    let _ok = writeln!(text, "disclosures  {carried}");
    let _ok = match &rendered.content {
        Content::Email { subject, text: plain, html } => {
            let _ok = writeln!(text, "subject      {subject}\n\n{plain}");
            html.as_ref().map_or(Ok(()), |html| writeln!(text, "\n--- HTML ---\n{html}"))
        }
        Content::Sms { text: words, segments } => {
            writeln!(text, "segments     {segments} ({} characters)\n\n{words}", words.chars().count())
        }
        Content::Voice { script, plan: _ } => writeln!(text, "\n{script}"),
        Content::Portal { subject, html } => writeln!(text, "subject      {subject}\n\n{html}"),
    };
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn sample<'t>(templates: &'t Catalogue, wanted: &Render) -> anyhow::Result<&'t Sample> {
    let name = &wanted.template;
    if !templates.templates().any(|template| template == name) {
        let known: Vec<&str> = templates.templates().collect();
        anyhow::bail!("there is no template `{name}`; there are {}", known.join(", "));
    }
    let mut samples = templates.samples().iter().filter(|sample| sample.template == *name);
    let found = match &wanted.sample {
        Some(asked) => samples.find(|sample| sample.name == *asked),
        None => samples.next(),
    };
    found.ok_or_else(|| {
        let of_template = templates.samples().iter().filter(|sample| sample.template == *name);
        let known: Vec<&str> = of_template.map(|sample| sample.name.as_str()).collect();
        anyhow::anyhow!("template `{name}` has no such sample; it has {}", known.join(", "))
    })
}
