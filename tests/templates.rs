//! The shipped words: every message in every channel and language, as a debtor would get it.

use dunwell::domain::channel::Channel;
use dunwell::domain::decision::Disclosure;
use dunwell::domain::fault::SourceFile;
use dunwell::domain::message::Content;
use dunwell::template::catalogue::Catalogue;
use dunwell::template::manifest::Carries;
use dunwell::template::segment::{self, Encoding};
use std::path::Path;

fn read(folder: &Path, under: &Path, files: &mut Vec<SourceFile>) {
    let mut entries: Vec<_> =
        std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            read(&path, under, files);
        } else {
            let name =
                path.strip_prefix(under).expect("under it").to_str().expect("UTF-8").replace('\\', "/");
            files.push(SourceFile { path: name, text: std::fs::read_to_string(&path).expect("UTF-8 text") });
        }
    }
}

fn shipped() -> Vec<SourceFile> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
    let mut files = Vec::new();
    read(&folder, &folder, &mut files);
    files
}

fn catalogue() -> Catalogue {
    Catalogue::load(&shipped()).unwrap_or_else(|faults| {
        panic!("{}", faults.iter().map(|fault| format!("\n{fault}")).collect::<String>())
    })
}

/// The parts of a message as a reader sees them.
fn shown(content: &Content) -> String {
    match content {
        Content::Email { subject, text, html } => {
            format!("Subject: {subject}\n\n{text}\n=== HTML\n{}\n", html.as_deref().unwrap_or("none"))
        }
        Content::Sms { text, segments } => {
            let counted = segment::count(text);
            format!("{text}\n\n({:?}, {} units, {segments} segments)\n", counted.encoding, counted.units)
        }
        Content::Voice { script } => format!("{script}\n"),
        Content::Portal { subject, html } => format!("Title: {subject}\n\n{html}\n"),
    }
}

/// The parts of a message into which disclosures go.
fn parts(content: &Content) -> Vec<&str> {
    match content {
        Content::Email { text, html, .. } => std::iter::once(text.as_str()).chain(html.as_deref()).collect(),
        Content::Sms { text, .. } => vec![text],
        Content::Voice { script } => vec![script],
        Content::Portal { html, .. } => vec![html],
    }
}

#[test]
fn every_sample_renders_everywhere() {
    let catalogue = catalogue();
    let faults = catalogue.check_samples();
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn every_message_as_sent() {
    let catalogue = catalogue();
    for sample in catalogue.samples() {
        for (language, channel) in catalogue.combinations(&sample.template) {
            let rendered = catalogue.render(&sample.template, channel, Some(language), &sample.context());
            let rendered =
                rendered.unwrap_or_else(|error| panic!("{} {channel} {language}: {error}", sample.file));
            let name = format!("{}.{}.{channel}.{language}", sample.template, sample.name);
            insta::assert_snapshot!(name, shown(&rendered.content));
        }
    }
}
