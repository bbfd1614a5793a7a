//! The files of a `templates/` folder, put in order: which is what, which is missing, which belongs nowhere.

use crate::domain::channel::Channel;
use crate::domain::decision::Disclosure;
use crate::domain::fault::{Fault, SourceFile};
use crate::template::compile::{Partials, Setting, compile};
use crate::template::context::BuiltIn;
use crate::template::disclosure::{Notices, Slot};
use crate::template::engine::Engine;
use crate::template::format::Language;
use crate::template::lint::{claims, limited};
use crate::template::manifest::{Carries, Manifest, fault_of};
use crate::template::message::{LEAVES, Leaf, Message, Tongue, Words};
use crate::template::mjml;
use crate::template::sample::{Sample, Written};
use aws_lc_rs::digest::{Context as Digest, SHA256};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// What a catalogue says of itself, `catalogue.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    default_language: String,
}

/// The files by their paths.
pub struct Shelf<'a> {
    files: BTreeMap<&'a str, &'a SourceFile>,
}

impl<'a> Shelf<'a> {
    /// Takes the files; a fault for each that has no place in the layout.
    pub fn sort(files: &'a [SourceFile], faults: &mut Vec<Fault>) -> Self {
        let mut sorted = BTreeMap::new();
        for file in files.iter().filter(|file| !file.path.ends_with(".md")) {
            match stranger(&file.path) {
                Some(message) => faults.push(Fault::of(&file.path, message)),
                None => {
                    sorted.insert(file.path.as_str(), file);
                }
            }
        }
        Self { files: sorted }
    }

    /// `sha256:…` over names and texts, each with its length before it.
    pub fn digest(&self) -> String {
        let mut digest = Digest::new(&SHA256);
        for (path, file) in &self.files {
            for part in [path.as_bytes(), file.text.as_bytes()] {
                digest.update(&(part.len() as u64).to_be_bytes());
                digest.update(part);
            }
        }
        format!("sha256:{}", hex::encode(digest.finish()))
    }

    /// The language that every message has, `en` where `catalogue.toml` names no other.
    pub fn default_language(&self, faults: &mut Vec<Fault>) -> String {
        let settings = self.files.get("catalogue.toml").and_then(|file| {
            toml::from_str::<Settings>(&file.text).map_err(|error| faults.push(fault_of(file, &error))).ok()
        });
        settings.map_or_else(|| "en".to_owned(), |settings| settings.default_language)
    }

    /// The partials.
    pub fn partials(&self, faults: &mut Vec<Fault>) -> Partials {
        Partials::read(self.under("partials/"), faults)
    }

    /// The names of the messages.
    pub fn messages(&self) -> BTreeSet<&'a str> {
        self.under("messages/").filter_map(|file| file.path.split('/').nth(1)).collect()
    }

    /// What all samples share.
    pub fn common_sample(&self, faults: &mut Vec<Fault>) -> Written {
        self.files.get("sample.toml").and_then(|file| Written::read(file, faults)).unwrap_or_default()
    }

    /// The samples of a message.
    pub fn samples(&self, name: &str, common: &Written, faults: &mut Vec<Fault>) -> Vec<Sample> {
        let folder = format!("messages/{name}/samples/");
        let read = |file: &SourceFile| Written::read(file, faults)?.complete(name, file, common, faults);
        self.under(&folder).filter_map(read).collect()
    }

    /// Every language that a message has words in.
    fn languages(&self) -> BTreeSet<&'a str> {
        let words = self.under("messages/").filter(|file| file.path.ends_with(".hbs"));
        words.filter_map(|file| file.path.split('/').nth(2)).collect()
    }

    /// What all messages of each language share.
    pub fn tongues(&self, partials: &Partials, faults: &mut Vec<Fault>) -> BTreeMap<String, Tongue> {
        let mut tongues = BTreeMap::new();
        for tag in self.languages() {
            let Some(language) = Language::of(tag) else {
                let what =
                    format!("no conventions for dates and money are known for `{tag}`; there are en and es");
                faults.extend(self.words_in(tag).map(|file| Fault::of(&file.path, what.clone())));
                continue;
            };
            let notices = Notices::read(tag, &self.files, partials, faults);
            tongues.insert(tag.to_owned(), Tongue { engine: Engine::new(language), notices });
        }
        tongues
    }

    fn words_in(&self, tag: &str) -> impl Iterator<Item = &'a SourceFile> {
        self.under("messages/").filter(move |file| file.path.split('/').nth(2) == Some(tag))
    }

    /// A message with all its words.
    pub fn message(
        &self,
        name: &str,
        default_language: &str,
        partials: &Partials,
        faults: &mut Vec<Fault>,
    ) -> Option<Message> {
        let path = format!("messages/{name}/template.toml");
        let Some(file) = self.files.get(path.as_str()) else {
            faults.push(Fault::of(&path, "is missing"));
            return None;
        };
        let manifest = Manifest::read(file, faults)?;
        let folder = format!("messages/{name}/");
        let words = self.under(&folder).filter(|file| file.path.ends_with(".hbs"));
        let mut tags: BTreeSet<&str> = words.filter_map(|file| file.path.split('/').nth(2)).collect();
        tags.insert(default_language);
        let mut languages = BTreeMap::new();
        for tag in tags {
            let folder = format!("{folder}{tag}/");
            languages.insert(tag.to_owned(), self.words(&folder, tag, &manifest, partials, faults));
        }
        let version = format!("{name}@{}", manifest.version);
        Some(Message { languages, manifest, version })
    }

    fn words(
        &self,
        folder: &str,
        language: &str,
        manifest: &Manifest,
        partials: &Partials,
        faults: &mut Vec<Fault>,
    ) -> Vec<(Channel, Words)> {
        let mut bodies: BTreeMap<Channel, BTreeMap<&str, _>> = BTreeMap::new();
        for leaf in LEAVES {
            let Some(file) = self.leaf(folder, leaf, manifest, faults) else { continue };
            let setting = Setting {
                form: leaf.form,
                language,
                one_line: leaf.one_line,
                partials,
                permits: permits(manifest.disclosures),
                slot: leaf.slot && manifest.disclosures == Carries::Disclosures,
                variables: &manifest.variables,
            };
            if let Some(body) = compile(file, setting, faults) {
                if manifest.disclosures == Carries::LimitedContent {
                    limited::lint(file, &body, manifest, faults);
                }
                claims::lint(file, manifest, faults);
                for file in self.included(file, language) {
                    claims::lint(file, manifest, faults);
                }
                bodies.entry(leaf.channel).or_default().insert(leaf.ending, body);
            }
        }
        let channels = manifest.channels.iter().copied();
        channels
            .filter_map(|channel| Some((channel, Words::from_bodies(channel, bodies.remove(&channel)?)?)))
            .collect()
    }

    /// A file of a message's words, if it is there and is offered; a fault where only one of the two holds.
    fn leaf(
        &self,
        folder: &str,
        leaf: Leaf,
        manifest: &Manifest,
        faults: &mut Vec<Fault>,
    ) -> Option<&'a SourceFile> {
        let path = format!("{folder}{}.hbs", leaf.ending);
        match (self.files.get(path.as_str()), manifest.channels.contains(&leaf.channel)) {
            (Some(file), true) => return Some(file),
            (Some(_), false) => {
                let what = format!("{} is not among the channels of template.toml", leaf.channel);
                faults.push(Fault::of(&path, what));
            }
            (None, true) if !leaf.optional => {
                faults.push(Fault::of(&path, format!("is missing: template.toml offers {}", leaf.channel)));
            }
            (None, _) => {}
        }
        None
    }

    /// Every partial that a file includes, and those that they do.
    fn included(&self, file: &SourceFile, language: &str) -> Vec<&'a SourceFile> {
        let (mut found, mut names): (Vec<&'a SourceFile>, Vec<&str>) =
            (Vec::new(), names_included(&file.text));
        while let Some(name) = names.pop() {
            let named = |file: &&SourceFile| {
                let path = file.path.strip_prefix("partials/").unwrap_or_default();
                let path =
                    path.strip_prefix(language).and_then(|path| path.strip_prefix('/')).unwrap_or(path);
                path.strip_prefix(name).is_some_and(|kind| kind.starts_with('.'))
            };
            for partial in self.under("partials/").filter(named) {
                if !found.iter().any(|known| known.path == partial.path) {
                    found.push(partial);
                    names.extend(names_included(&partial.text));
                }
            }
        }
        found
    }

    fn under(&self, folder: &str) -> impl Iterator<Item = &'a SourceFile> {
        let folder = folder.to_owned();
        self.files.values().copied().filter(move |file| file.path.starts_with(&folder))
    }
}

/// The names in `{{> name}}`.
fn names_included(text: &str) -> Vec<&str> {
    let begins =
        text.split("{{").skip(1).filter_map(|rest| rest.trim_start_matches(['~', '#']).strip_prefix('>'));
    begins
        .filter_map(|rest| rest.trim_start().split(|c: char| c.is_whitespace() || c == '}').next())
        .collect()
}

/// What a message may speak of.
fn permits(carries: Carries) -> fn(BuiltIn) -> bool {
    match carries {
        Carries::Disclosures | Carries::OnlyItsWords => {
            |one| !matches!(one, BuiltIn::LicencesNumber | BuiltIn::LicencesRegion)
        }
        Carries::LimitedContent => limited::permits,
    }
}

/// Why a path has no place in the layout; none if it has one.
fn stranger(path: &str) -> Option<&'static str> {
    const NOWHERE: &str = "has no place in the layout of the templates folder; its README shows it";
    if path.ends_with("/email.html.hbs") {
        return Some(
            "email is written in MJML, as email.mjml.hbs; the README of the templates folder shows how",
        );
    }
    let tag = |tag: &str| !tag.is_empty() && tag.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    let leaf = |name: &str| LEAVES.iter().any(|leaf| name.strip_suffix(".hbs") == Some(leaf.ending));
    let partial =
        |name: &str| [".html.hbs", mjml::ENDING, ".txt.hbs"].iter().any(|ending| name.ends_with(ending));
    let known = match path.split('/').collect::<Vec<_>>().as_slice() {
        ["catalogue.toml" | "sample.toml"] | ["messages", _, "template.toml"] => true,
        ["messages", _, "samples", name] => name.ends_with(".toml"),
        ["messages", _, language, name] => tag(language) && leaf(name),
        ["disclosures", id, name] => {
            let words = name.strip_suffix(".hbs").map(|stem| stem.split_once('.').unwrap_or((stem, "")));
            let slot =
                |ending: &str| ending.is_empty() || Slot::ALL.iter().any(|slot| slot.ending() == ending);
            Disclosure::from_word(id).is_some()
                && words.is_some_and(|(language, ending)| tag(language) && slot(ending))
        }
        ["partials", name] => partial(name),
        ["partials", language, name] => tag(language) && partial(name),
        _ => false,
    };
    (!known).then_some(NOWHERE)
}
