//! All words of an installation, read, judged and compiled at once.

use crate::domain::channel::{Channel, Purpose};
use crate::domain::decision::Disclosure;
use crate::domain::fault::{Fault, SourceFile};
use crate::template::manifest::{Carries, Manifest};
use crate::template::message::{Message, Tongue, Words};
use crate::template::render::RenderError;
use crate::template::sample::Sample;
use crate::template::shelf::Shelf;
use crate::template::variable;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The words of an installation.
pub struct Catalogue {
    default_language: String,
    digest: String,
    messages: BTreeMap<String, Message>,
    samples: Vec<Sample>,
    tongues: BTreeMap<String, Tongue>,
}

impl Catalogue {
    /// Reads the files of a `templates/` folder; all that is wrong with them, in order, if anything is.
    pub fn load(files: &[SourceFile]) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let shelf = Shelf::sort(files, &mut faults);
        let default_language = shelf.default_language(&mut faults);
        let partials = shelf.partials(&mut faults);
        let common = shelf.common_sample(&mut faults);
        let (mut messages, mut samples) = (BTreeMap::new(), Vec::new());
        for name in shelf.messages() {
            let message = shelf.message(name, &default_language, &partials, &mut faults);
            messages.extend(message.map(|message| (name.to_owned(), message)));
            samples.extend(shelf.samples(name, &common, &mut faults));
        }
        if messages.is_empty() && faults.is_empty() {
            faults.push(Fault::of("messages", "there is no message"));
        }
        let tongues = shelf.tongues(&partials, &mut faults);
        faults.sort();
        faults.dedup();
        let digest = shelf.digest();
        let catalogue = Self { default_language, digest, messages, samples, tongues };
        if faults.is_empty() { Ok(catalogue) } else { Err(faults) }
    }

    /// `sha256:…` over every file, its name and its text.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The templates' names.
    pub fn templates(&self) -> impl Iterator<Item = &str> {
        self.messages.keys().map(String::as_str)
    }

    /// A template's manifest.
    pub fn manifest(&self, template: &str) -> Option<&Manifest> {
        self.messages.get(template).map(|message| &message.manifest)
    }

    /// Why a template's messages are sent.
    pub fn purpose(&self, template: &str) -> Option<Purpose> {
        self.manifest(template).map(|manifest| manifest.purpose)
    }

    /// The languages that a template has words in.
    pub fn languages(&self, template: &str) -> impl Iterator<Item = &str> {
        self.messages
            .get(template)
            .into_iter()
            .flat_map(|message| message.languages.keys().map(String::as_str))
    }

    /// All samples, by template and name.
    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }

    /// What intake must refuse: JSON pointers into the request, and what is wrong there. Empty if nothing is.
    pub fn check(
        &self,
        template: &str,
        channels: &[Channel],
        language: Option<&str>,
        variables: &Map<String, Value>,
    ) -> Vec<(String, String)> {
        let Ok(message) = self.message(template) else {
            return vec![("/template".to_owned(), "is not a template of this installation".to_owned())];
        };
        let offered = |channel: &Channel| self.words(message, *channel, language).is_some();
        let refused = channels.iter().enumerate().filter(|(_, channel)| !offered(channel));
        let refused = refused.map(|(index, channel)| {
            (format!("/channels/{index}"), format!("template `{template}` has no words for {channel}"))
        });
        refused.chain(variable::check(&message.manifest.variables, variables)).collect()
    }

    pub(in crate::template) fn message(&self, template: &str) -> Result<&Message, RenderError> {
        let unknown = || RenderError::UnknownTemplate { template: template.to_owned() };
        self.messages.get(template).ok_or_else(unknown)
    }

    /// The words for a channel in the language asked for or the nearest to it.
    pub(in crate::template) fn words<'a>(
        &'a self,
        message: &'a Message,
        channel: Channel,
        language: Option<&str>,
    ) -> Option<(&'a str, &'a Tongue, &'a Words)> {
        let mut wanted = language.unwrap_or(&self.default_language);
        loop {
            let found = message.languages.iter().find(|(tag, _)| tag.eq_ignore_ascii_case(wanted));
            if let Some((tag, words)) = found {
                let words = words.iter().find(|(offered, _)| *offered == channel)?;
                return Some((tag, self.tongues.get(tag)?, &words.1));
            }
            wanted = match wanted.rsplit_once('-') {
                Some((general, _)) => general,
                None if wanted.eq_ignore_ascii_case(&self.default_language) => return None,
                None => &self.default_language,
            };
        }
    }

    /// Renders every sample of every template in every channel and language, bare and with every disclosure; what fails.
    pub fn check_samples(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        for (name, message) in &self.messages {
            if !self.samples.iter().any(|sample| sample.template == *name) {
                faults.push(Fault::of(&format!("messages/{name}"), "has no sample"));
            }
            for sample in self.samples.iter().filter(|sample| sample.template == *name) {
                let demanded: &[&[Disclosure]] = match message.manifest.disclosures {
                    Carries::Disclosures => &[&[], Disclosure::ALL],
                    Carries::OnlyItsWords | Carries::LimitedContent => &[&[]],
                };
                for (language, channel) in self.combinations(name) {
                    for &disclosures in demanded {
                        let mut context = sample.context();
                        context.disclosures =
                            if disclosures.is_empty() { context.disclosures } else { disclosures };
                        if let Err(error) = self.render(name, channel, Some(language), &context) {
                            faults.push(Fault::of(&sample.file, format!("{channel}, {language}: {error}")));
                        }
                    }
                }
            }
        }
        faults.sort();
        faults.dedup();
        faults
    }

    /// Every language and channel of a template.
    pub fn combinations(&self, template: &str) -> Vec<(&str, Channel)> {
        let message = self.messages.get(template);
        let languages = message.into_iter().flat_map(|message| &message.languages);
        languages
            .flat_map(|(language, words)| words.iter().map(|(channel, _)| (language.as_str(), *channel)))
            .collect()
    }
}
