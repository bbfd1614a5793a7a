//! All words of an installation, read, judged and compiled at once.

use crate::domain::channel::{Channel, Claim, Purpose};
use crate::domain::fault::{Fault, SourceFile};
use crate::template::manifest::Manifest;
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

    /// What a template's messages say that law looks at.
    pub fn says(&self, template: &str) -> &[Claim] {
        self.manifest(template).map_or(&[], |manifest| &manifest.says)
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

    /// Every language and channel of a template.
    pub fn combinations(&self, template: &str) -> Vec<(&str, Channel)> {
        let message = self.messages.get(template);
        let languages = message.into_iter().flat_map(|message| &message.languages);
        languages
            .flat_map(|(language, words)| words.iter().map(|(channel, _)| (language.as_str(), *channel)))
            .collect()
    }
}

impl std::fmt::Debug for Catalogue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Catalogue").field("digest", &self.digest).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::decision::Disclosure;
    use crate::template::context::{Collector, Context};
    use serde_json::json;

    const MANIFEST: &str = r#"summary = "a test"
purpose = "collection"
channels = ["email", "sms"]
version = 1
reviewed = false
[variables.due_date]
type = "date"
required = true
example = "2026-12-01"
meaning = "when"
[variables.note]
type = "text"
example = "a note"
meaning = "what else"
"#;

    /// A sound catalogue of one message, with these files put in or, where empty, taken out.
    fn files(changes: &[(&str, &str)]) -> Vec<SourceFile> {
        let mut all: BTreeMap<String, String> = Disclosure::ALL
            .iter()
            .map(|disclosure| (format!("disclosures/{disclosure}/en.hbs"), format!("[{disclosure}]\n")))
            .collect();
        for (path, text) in [
            ("messages/m/template.toml", MANIFEST),
            ("messages/m/samples/s.toml", "today = \"2026-11-23\"\n[variables]\ndue_date = \"2026-12-01\"\n"),
            ("messages/m/en/email.subject.hbs", "Subject\n"),
            ("messages/m/en/email.txt.hbs", "Due {{date variables.due_date}}.\n"),
            ("messages/m/en/sms.txt.hbs", "Due {{date variables.due_date}}. {{disclosures}}\n"),
        ] {
            all.insert(path.to_owned(), text.to_owned());
        }
        for (path, text) in changes {
            if text.is_empty() {
                all.remove(*path);
            } else {
                all.insert((*path).to_owned(), (*text).to_owned());
            }
        }
        all.into_iter().map(|(path, text)| SourceFile { path, text }).collect()
    }

    fn faults(changes: &[(&str, &str)]) -> Vec<String> {
        match Catalogue::load(&files(changes)) {
            Ok(catalogue) => catalogue.check_samples().iter().map(ToString::to_string).collect(),
            Err(faults) => faults.iter().map(ToString::to_string).collect(),
        }
    }

    /// The only fault, which stands at this place and says this.
    #[track_caller]
    fn only(changes: &[(&str, &str)], place: &str, says: &str) {
        let found = faults(changes);
        assert_eq!(found.len(), 1, "{found:#?}");
        assert!(found[0].starts_with(&format!("{place}: ")) && found[0].contains(says), "{found:#?}");
    }

    const SMS: &str = "messages/m/en/sms.txt.hbs";
    const HTML: &str = "messages/m/en/email.mjml.hbs";

    /// A letter with these words from line 2 on.
    fn letter(words: &str) -> String {
        format!(
            "<mjml lang=\"en\"><mj-head><mj-title>T</mj-title><mj-preview>P</mj-preview></mj-head><mj-body><mj-section>\
             <mj-column><mj-text>\n{words}\n</mj-text></mj-column></mj-section></mj-body></mjml>"
        )
    }

    #[test]
    fn the_fixture_is_sound() {
        assert_eq!(faults(&[]), Vec::<String>::new());
    }

    #[test]
    fn paths_must_be_declared_everywhere() {
        for text in [
            "ok\n{{variables.due_dat}}",
            "ok\n{{#if variables.due_dat}}x{{/if}}",
            "ok\n{{#unless nothing}}x{{/unless}}",
            "ok\n{{date nothing}}",
            "ok\n{{#each nothing}}x{{/each}}",
            "ok\n{{debtor.name.first}}",
            "ok\n{{this}}",
            "ok\n{{@root.debtor.name}}",
            "ok\n{{../debtor.name}}",
            "ok\n{{#each accounts}}{{debtor.name}}{{/each}}",
            "ok\n{{licences}}",
            "ok\n{{#if @last}}x{{/if}}",
            "ok\n{{#if debtor.name}}{{else}}{{nothing}}{{/if}}",
        ] {
            only(&[(SMS, text)], "messages/m/en/sms.txt.hbs:2", "neither a declared variable nor supplied");
        }
        let scoped = "{{#each accounts}}{{creditor}}{{../debtor.name}}{{#if @last}}.{{/if}}{{/each}}";
        assert_eq!(Catalogue::load(&files(&[(SMS, scoped)])).err(), None);
    }

    #[test]
    fn what_is_not_allowed_is_named_with_its_line() {
        let table = [
            ("a\nb\n{{{debtor.name}}}", "3", "unescaped"),
            ("{{&debtor.name}}", "1", "unescaped"),
            ("\n{{upper debtor.name}}", "2", "unknown helper `upper`"),
            ("{{lookup accounts 0}}", "1", "unknown helper `lookup`"),
            ("{{date variables.due_date format=\"x\"}}", "1", "takes one path"),
            ("{{date \"2026-12-01\"}}", "1", "takes one path"),
            ("{{money (lookup accounts 0)}}", "1", "takes one path"),
            ("{{money variables.due_date}}", "1", "`money` needs an amount"),
            ("{{variables.due_date}}", "1", "write {{date variables.due_date}}"),
            ("{{collector.phone}}", "1", "write {{phone collector.phone}}"),
            ("{{several_accounts}}", "1", "for conditions only"),
            ("{{debtor}}", "1", "no single value"),
            ("{{#if account}}x{{/if}}", "1", "no single value"),
            ("{{#each debtor}}x{{/each}}", "1", "is not a list"),
            ("{{#with debtor}}{{name}}{{/with}}", "1", "unknown block `with`"),
            ("{{#each accounts as |a|}}x{{/each}}", "1", "takes one path"),
            ("{{#repeat debtor.name}}x{{/repeat}}", "1", "unknown block `repeat`"),
            ("\n{{variables.note}}", "2", "is optional"),
            ("{{#unless variables.note}}{{variables.note}}{{/unless}}", "1", "is optional"),
            ("{{#if debtor.name}}\n{{disclosures}}\n{{/if}}", "2", "outside conditions"),
            ("{{disclosures}}\n{{disclosures}}", "2", "stands twice"),
            ("{{> nowhere}}", "1", "no partial `nowhere`"),
            ("{{#> base}}x{{/base}}", "1", "not allowed"),
            ("{{#*inline \"x\"}}x{{/inline}}", "1", "not allowed"),
        ];
        for (text, line, says) in table {
            only(&[(SMS, text)], &format!("{SMS}:{line}"), says);
        }
        only(
            &[("messages/m/en/email.subject.hbs", "{{disclosures}}")],
            "messages/m/en/email.subject.hbs:1",
            "no place",
        );
        let broken = faults(&[(SMS, "a\n{{#if debtor.name}}\n")]);
        assert!(broken[0].starts_with("messages/m/en/sms.txt.hbs:"), "{broken:?}");
    }

    #[test]
    fn html_has_rules_of_its_own() {
        let table = [
            ("<p title={{debtor.name}}>", "quoted attribute"),
            ("<a href=\"{{debtor.name}}\">", "type url"),
            ("<a href=\"https://x.example/{{portal_url}}\">", "type url"),
            ("<style>{{debtor.name}}</style>", "style sheet"),
            ("<script>x</script>", "<script> is not allowed"),
            ("<p>x</b>", "`</b>` stands where `<p>` is open"),
            ("<mj-button color=\"{{debtor.name}}\">", "no value may stand in `color` of MJML"),
        ];
        for (text, says) in table {
            only(&[(HTML, &letter(text))], &format!("{HTML}:2"), says);
        }
        only(&[(HTML, "<p>x</p>")], &format!("{HTML}:1"), "a letter is one <mjml>");
        only(
            &[("messages/m/en/email.html.hbs", "<p>x</p>")],
            "messages/m/en/email.html.hbs",
            "email.mjml.hbs",
        );
        let link = letter("<a href=\"{{portal_url}}\">online</a>");
        only(
            &[(HTML, &link)],
            "messages/m/samples/s.toml",
            "email, en: /portal_url is missing: set `public_url`",
        );
    }

    #[test]
    fn partials_may_not_go_in_circles() {
        let a = ("partials/a.txt.hbs", "a\n{{> b}}");
        let b = ("partials/en/b.txt.hbs", "\n\nb {{> a}}");
        only(&[(SMS, "{{> a}}"), a, b], "partials/en/b.txt.hbs:3", "includes itself");
        only(
            &[(SMS, "{{> a}}"), ("partials/a.txt.hbs", "x\n{{nothing}}")],
            "partials/a.txt.hbs:2",
            "neither",
        );
        assert_eq!(
            faults(&[(SMS, "{{> a}} {{disclosures}}"), ("partials/a.txt.hbs", "x")]),
            Vec::<String>::new()
        );
    }

    #[test]
    fn manifests_samples_and_folders_are_judged() {
        let changed = |from: &str, to: &str| MANIFEST.replace(from, to);
        const TOML: &str = "messages/m/template.toml";
        only(&[(TOML, &changed("version", "verison"))], "messages/m/template.toml:4", "verison");
        only(
            &[(TOML, &changed("\"2026-12-01\"", "\"soon\""))],
            "messages/m/template.toml:6",
            "is not a date",
        );
        only(&[(TOML, &changed("\"sms\"", "\"visit\""))], "messages/m/template.toml:3", "must name");
        only(&[(SMS, "")], SMS, "is missing");
        only(&[("messages/m/en/voice.txt.hbs", "x")], "messages/m/en/voice.txt.hbs", "voice is not among");
        only(&[("messages/m/en/fax.hbs", "x")], "messages/m/en/fax.hbs", "no place in the layout");
        only(&[("disclosures/unknown/en.hbs", "x")], "disclosures/unknown/en.hbs", "no place in the layout");
        only(&[("messages/m/samples/s.toml", "today = 5\n")], "messages/m/samples/s.toml:1", "date");
        only(
            &[("messages/m/samples/s.toml", "today = \"2026-11-23\"\nmoon = 1")],
            "messages/m/samples/s.toml:2",
            "moon",
        );
        only(&[("messages/m/samples/s.toml", "")], "messages/m", "has no sample");
        only(&[("catalogue.toml", "default_language = \"en\"\ndebug = true")], "catalogue.toml:2", "debug");
        let missing = faults(&[("disclosures/licence/en.hbs", "")]);
        assert_eq!(missing.len(), 5, "{missing:?}");
        let foreign = faults(&[("messages/m/fr/sms.txt.hbs", "Bonjour")]);
        assert!(foreign.iter().any(|fault| fault.contains("no conventions")), "{foreign:?}");
    }

    #[test]
    fn all_faults_come_at_once_and_in_order() {
        let found = faults(&[
            (SMS, "{{nothing}}\n{{{debtor.name}}}"),
            (HTML, "{{> nowhere}}"),
            ("partials/a.txt.hbs", "{{#if}"),
            ("stray.txt", "x"),
        ]);
        let places: Vec<_> = found.iter().map(|fault| fault.split(": ").next().unwrap_or_default()).collect();
        assert_eq!(
            places,
            [
                "messages/m/en/email.mjml.hbs:1",
                "messages/m/en/sms.txt.hbs:1",
                "messages/m/en/sms.txt.hbs:2",
                "partials/a.txt.hbs:1",
                "stray.txt"
            ]
        );
    }

    fn rendered(
        changes: &[(&str, &str)],
        channel: Channel,
        disclosures: &[Disclosure],
    ) -> Result<String, RenderError> {
        let catalogue = Catalogue::load(&files(changes)).unwrap_or_else(|faults| panic!("{faults:#?}"));
        let variables = json!({"due_date": "2026-12-01"});
        let collector = Collector::default();
        let context = Context {
            accounts: Vec::new(),
            collector: &collector,
            disclosures,
            licence_regions: &[],
            name: None,
            portal_url: None,
            today: "2026-11-23".parse().expect("a date"),
            unsubscribe_url: None,
            variables: variables.as_object().expect("an object"),
        };
        let content = catalogue.render("m", channel, None, &context)?.content;
        Ok(match content {
            crate::domain::message::Content::Email { text, html, .. } => html.unwrap_or(text),
            crate::domain::message::Content::Sms { text, .. } => text,
            crate::domain::message::Content::Voice { script, plan: _ } => script,
            crate::domain::message::Content::Portal { html, .. } => html,
        })
    }

    #[test]
    fn disclosures_stand_in_their_slot_or_at_the_end() {
        let both = [Disclosure::MiniMirandaInitial, Disclosure::OptOutNotice];
        let slot = "One. {{disclosures}} Two.";
        assert_eq!(
            rendered(&[(SMS, slot)], Channel::Sms, &both).as_deref(),
            Ok("One. [mini-miranda-initial] [opt-out-notice] Two.")
        );
        assert_eq!(rendered(&[(SMS, slot)], Channel::Sms, &[]).as_deref(), Ok("One. Two."));
        assert_eq!(
            rendered(&[(SMS, "One.\n")], Channel::Sms, &both).as_deref(),
            Ok("One. [mini-miranda-initial] [opt-out-notice]")
        );
        assert_eq!(
            rendered(&[], Channel::Email, &both).as_deref(),
            Ok("Due December 1, 2026.\n\n[mini-miranda-initial]\n\n[opt-out-notice]\n")
        );
        let one = letter("<p>One</p>");
        let html = rendered(
            &[(HTML, &one), ("disclosures/opt-out-notice/en.hbs", "a < b & c")],
            Channel::Email,
            &both[1..],
        );
        let html = html.expect("renders");
        let (words, rest) = html.split_once("</div></td></tr>").expect("the words end in their row");
        assert!(words.ends_with("<p>One</p>\n"), "{html}");
        assert!(
            rest.contains("\n<p style=\"margin:0 0 12px\">a &lt; b &amp; c</p></div></td></tr>"),
            "{html}"
        );
    }

    #[test]
    fn output_is_bounded() {
        let long = "x".repeat(1_700);
        assert_eq!(
            rendered(&[(SMS, &long)], Channel::Sms, &[]),
            Err(RenderError::TooLong { limit: 1_600, part: "the text message" })
        );
    }

    #[test]
    fn a_limited_content_message_says_four_things_and_no_more() {
        const TOML: &str = "messages/l/template.toml";
        const VOICE: &str = "messages/l/en/voice.txt.hbs";
        let manifest = MANIFEST.replace("\"email\", \"sms\"", "\"voice\"");
        let head = manifest.split_once("[variables").map_or("", |(head, _)| head);
        let variable = "type = \"text\"\nrequired = true\nexample = \"Pat\"\nmeaning = \"who\"\n";
        let manifest = format!("{head}carries = \"limited-content\"\n[variables.ask_for]\n{variable}");
        let words =
            "This is {{collector.neutral_name}}.\nCall {{variables.ask_for}} at {{phone collector.phone}}.";
        let load = |words: &str| {
            let all = files(&[(TOML, &manifest), (VOICE, words)]);
            let faults = Catalogue::load(&all).err().unwrap_or_default();
            faults.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(load(words), Vec::<String>::new());
        for (extra, says) in [
            ("\nIt is about your debt.", "`debt…` reveals"),
            ("\nEs sobre una cuenta.", "`cuenta…` reveals"),
            ("\n{{collector.name}}", "neither"),
            ("\n{{disclosures}}", "no place"),
        ] {
            let found = load(&format!("{words}{extra}"));
            assert!(
                found[0].starts_with("messages/l/en/voice.txt.hbs:3: ") && found[0].contains(says),
                "{found:?}"
            );
        }
        let nobody = load("This is {{collector.neutral_name}}. Call {{phone collector.phone}}.");
        assert!(nobody[0].contains("ask_for"), "{nobody:?}");
        let silent = load("This is {{collector.neutral_name}}. Ask for {{variables.ask_for}}.");
        assert!(silent[0].contains("collector.phone"), "{silent:?}");
    }
}
