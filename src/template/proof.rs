//! What the samples prove: that every message can be written, and what it costs as a text message.

use crate::domain::decision::Disclosure;
use crate::domain::fault::Fault;
use crate::domain::message::Content;
use crate::template::catalogue::Catalogue;
use crate::template::manifest::Carries;
use crate::template::sample::Sample;
use crate::template::segment::{self, Encoding};

/// More parts than this are worth a word: each is billed, and some networks deliver them apart.
const MANY_PARTS: u16 = 3;

impl Catalogue {
    /// Renders every sample of every template in every channel and language, as it is, bare, and with every
    /// disclosure; a fault for each that fails.
    pub fn check_samples(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        for template in self.templates() {
            if !self.samples().iter().any(|sample| sample.template == template) {
                faults.push(Fault::of(&format!("messages/{template}"), "has no sample"));
            }
        }
        for sample in self.samples() {
            for (language, channel) in self.combinations(&sample.template) {
                for disclosures in self.demands(sample) {
                    let mut context = sample.context();
                    context.disclosures = disclosures;
                    if let Err(error) = self.render(&sample.template, channel, Some(language), &context) {
                        faults.push(Fault::of(&sample.file, format!("{channel}, {language}: {error}")));
                    }
                }
            }
        }
        faults.sort();
        faults.dedup();
        faults
    }

    /// What is lawful but dear: text messages that leave the GSM alphabet or take many parts, by their samples.
    pub fn advice(&self) -> Vec<Fault> {
        let mut advice = Vec::new();
        for sample in self.samples() {
            for (language, channel) in self.combinations(&sample.template) {
                let rendered = self.render(&sample.template, channel, Some(language), &sample.context());
                let Ok(Content::Sms { text, .. }) = rendered.map(|rendered| rendered.content) else {
                    continue;
                };
                let file = format!("messages/{}/{language}/sms.txt.hbs", sample.template);
                advice.extend(
                    dear(&text).map(|what| Fault::of(&file, format!("sample `{}`: {what}", sample.name))),
                );
            }
        }
        advice
    }

    /// The disclosures with which a sample is tried.
    fn demands<'a>(&self, sample: &'a Sample) -> Vec<&'a [Disclosure]> {
        match self.manifest(&sample.template).map(|manifest| manifest.disclosures) {
            Some(Carries::Disclosures) => vec![sample.context().disclosures, &[], Disclosure::ALL],
            Some(Carries::OnlyItsWords | Carries::LimitedContent) | None => {
                vec![sample.context().disclosures]
            }
        }
    }
}

fn dear(text: &str) -> Option<String> {
    let counted = segment::count(text);
    match (counted.encoding, counted.forced_by) {
        (Encoding::Ucs2, Some(stranger)) => Some(format!(
            "`{stranger}` is outside the GSM alphabet, so only {} characters fit into a part; it takes {}",
            Encoding::Ucs2.a_part(),
            counted.segments
        )),
        (Encoding::Gsm7 | Encoding::Ucs2, _) => {
            (counted.segments > MANY_PARTS).then(|| format!("it takes {} parts", counted.segments))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dear_texts_are_named() {
        assert_eq!(dear("Hola, señor"), None);
        assert_eq!(dear(&"x".repeat(459)), None);
        assert_eq!(dear(&"x".repeat(460)).as_deref(), Some("it takes 4 parts"));
        let accent = dear(&format!("{}ó", "x".repeat(70)));
        assert!(
            accent.is_some_and(|what| what.starts_with("`ó` is outside") && what.ends_with("it takes 2"))
        );
    }
}
