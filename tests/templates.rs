//! The shipped words: every message in every channel and language, as a debtor would get it.

#[path = "templates/letters.rs"]
mod letters;

use dunwell::domain::channel::Channel;
use dunwell::domain::debtor::{Account, Name};
use dunwell::domain::decision::Disclosure;
use dunwell::domain::fault::SourceFile;
use dunwell::domain::message::Content;
use dunwell::template::catalogue::Catalogue;
use dunwell::template::context::{Collector, Context};
use dunwell::template::manifest::Carries;
use dunwell::template::render::RenderError;
use dunwell::template::sample::Sample;
use dunwell::template::segment::{self, Encoding};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;

/// The right-to-left override.
const OVERRIDE: char = '\u{202e}';
static CATALOGUE: OnceLock<Catalogue> = OnceLock::new();

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

fn sample<'a>(catalogue: &'a Catalogue, template: &str, name: &str) -> &'a Sample {
    let mut samples = catalogue.samples().iter();
    samples.find(|sample| sample.template == template && sample.name == name).expect("it is shipped")
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
        Content::Voice { script, plan: _ } => format!("{script}\n"),
        Content::Portal { subject, html } => format!("Title: {subject}\n\n{html}\n"),
    }
}

/// The parts of a message into which disclosures go.
fn parts(content: &Content) -> Vec<&str> {
    match content {
        Content::Email { text, html, .. } => std::iter::once(text.as_str()).chain(html.as_deref()).collect(),
        Content::Sms { text, .. } => vec![text],
        Content::Voice { script, plan: _ } => vec![script],
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

/// Words by which a disclosure is known in a language and a part.
fn mark(disclosure: Disclosure, channel: Channel, language: &str) -> &'static str {
    let spanish = language == "es";
    match (disclosure, channel) {
        (Disclosure::MiniMirandaInitial, _) if spanish => "que intenta cobrar una deuda. Tod",
        (Disclosure::MiniMirandaInitial, _) => "attempt to collect a debt by a debt collector.",
        (Disclosure::MiniMirandaSubsequent, Channel::Voice) if spanish => {
            "Esta llamada es de un cobrador de deudas."
        }
        (Disclosure::MiniMirandaSubsequent, Channel::Voice) => "This call is from a debt collector.",
        (Disclosure::MiniMirandaSubsequent, _) if spanish => "Este mensaje es de un cobrador de deudas.",
        (Disclosure::MiniMirandaSubsequent, _) => "This message is from a debt collector.",
        (Disclosure::OptOutNotice, Channel::Sms) if spanish => "Responda STOP para no recibir mensajes.",
        (Disclosure::OptOutNotice, Channel::Sms) => "Reply STOP to opt out.",
        (Disclosure::OptOutNotice, Channel::Voice) if spanish => {
            "oprima 9 ahora, o llame al 6 1 4, 5 5 5, 0 1 0 0"
        }
        (Disclosure::OptOutNotice, Channel::Voice) => "press 9 now, or call 6 1 4, 5 5 5, 0 1 0 0",
        (Disclosure::OptOutNotice, _) => "https://gateway.example/u/sample",
        (Disclosure::TimeBarred, _) if spanish => "La ley limita el plazo",
        (Disclosure::TimeBarred, _) => "The law limits how long you can be sued on a debt.",
        (Disclosure::Licence, _) => "12345-99",
    }
}

#[test]
fn every_disclosure_is_in_every_part_that_must_carry_it_and_only_then() {
    let catalogue = catalogue();
    let mut seen = 0;
    for sample in catalogue.samples() {
        let carries = catalogue.manifest(&sample.template).expect("it has one").disclosures;
        for (language, channel) in catalogue.combinations(&sample.template) {
            for &disclosure in Disclosure::ALL {
                let render = |disclosures: &[Disclosure]| {
                    let mut context = sample.context();
                    context.disclosures = disclosures;
                    catalogue
                        .render(&sample.template, channel, Some(language), &context)
                        .map(|done| done.content)
                };
                let mark = mark(disclosure, channel, language);
                let name = format!("{} {channel} {language} {disclosure}", sample.file);
                let without = render(&[]).expect(&name);
                assert!(parts(&without).iter().all(|part| !part.contains(mark)), "{name}");
                match (carries, render(&[disclosure])) {
                    (Carries::Disclosures, Ok(with)) => {
                        assert!(parts(&with).iter().all(|part| part.contains(mark)), "{name}");
                        seen += parts(&with).len();
                    }
                    (
                        Carries::OnlyItsWords | Carries::LimitedContent,
                        Err(RenderError::MayNotCarry { .. }),
                    ) => {}
                    (_, Ok(_)) => panic!("{name}: carries what it may not"),
                    (_, Err(error)) => panic!("{name}: {error}"),
                }
            }
        }
    }
    // Five samples in five parts and one in three, two languages, five disclosures.
    assert_eq!(seen, 280);
}

#[test]
fn text_messages_keep_to_the_gsm_alphabet() {
    let catalogue = catalogue();
    for sample in catalogue.samples() {
        for (language, channel) in catalogue.combinations(&sample.template) {
            let rendered = catalogue.render(&sample.template, channel, Some(language), &sample.context());
            if let Content::Sms { text, segments } = rendered.expect("renders").content {
                let counted = segment::count(&text);
                assert_eq!((counted.encoding, counted.forced_by), (Encoding::Gsm7, None), "{text}");
                assert_eq!(counted.segments, segments);
            }
        }
    }
    assert_eq!(catalogue.advice(), []);
}

#[test]
fn a_language_falls_back_from_the_particular_to_the_general_to_the_default() {
    let catalogue = catalogue();
    let sample = sample(&catalogue, "payment-reminder", "one-account");
    for (asked, given) in [
        (Some("es-MX"), "es"),
        (Some("ES"), "es"),
        (Some("es-419-x-informal"), "es"),
        (Some("en-GB"), "en"),
        (Some("zh-Hant-TW"), "en"),
        (None, "en"),
    ] {
        let rendered =
            catalogue.render("payment-reminder", Channel::Sms, asked, &sample.context()).expect("renders");
        assert_eq!(rendered.language, given, "{asked:?}");
        assert_eq!(rendered.template_version, "payment-reminder@2");
    }
}

#[test]
fn what_a_message_must_carry_and_lacks_refuses_it() {
    let catalogue = catalogue();
    let sample = sample(&catalogue, "payment-reminder", "one-account");
    let collector = sample.context().collector.clone();
    let base = || sample.context();
    let pointer = |channel, context: Context<'_>| {
        let rendered = catalogue.render("payment-reminder", channel, None, &context);
        rendered.err().map_or_else(|| "rendered".to_owned(), |error| error.pointer().to_owned())
    };
    let nobody = Collector { name: None, ..collector.clone() };
    let silent = Collector { phone: None, ..collector.clone() };
    let misdialled = Collector { phone: Some("555-0100".to_owned()), ..collector.clone() };
    let unlicensed = Collector { licences: BTreeMap::new(), ..collector.clone() };
    let texas = ["US-TX".to_owned()];
    let licence = || Context { disclosures: &[Disclosure::Licence], ..base() };
    let none = Map::new();
    assert_eq!(pointer(Channel::Sms, base()), "rendered");
    assert_eq!(pointer(Channel::Sms, Context { collector: &nobody, ..base() }), "/collector/name");
    assert_eq!(pointer(Channel::Voice, Context { collector: &silent, ..base() }), "/collector/phone");
    assert_eq!(pointer(Channel::Voice, Context { collector: &misdialled, ..base() }), "/collector/phone");
    assert_eq!(pointer(Channel::Email, Context { unsubscribe_url: None, ..base() }), "/unsubscribe_url");
    assert_eq!(pointer(Channel::Sms, licence()), "rendered");
    assert_eq!(
        pointer(Channel::Sms, Context { collector: &unlicensed, ..licence() }),
        "/collector/licences/US-CA"
    );
    assert_eq!(
        pointer(Channel::Sms, Context { licence_regions: &texas, ..licence() }),
        "/collector/licences/US-TX"
    );
    assert_eq!(pointer(Channel::Sms, Context { licence_regions: &[], ..licence() }), "/locations");
    assert_eq!(pointer(Channel::Sms, Context { variables: &none, ..base() }), "/variables/due_date");
}

#[test]
fn a_validation_notice_needs_its_facts() {
    let catalogue = catalogue();
    let sample = sample(&catalogue, "validation-notice", "bare");
    let account = sample.context().accounts[0].clone();
    let unpriced = Account { balance: None, ..account.clone() };
    let unsafe_link = Account { payment_url: Some("javascript:alert(1)".to_owned()), ..account.clone() };
    let due = json!({"due_date": "2026-12-01"});
    let due = due.as_object().expect("an object");
    let pointer = |accounts, template| {
        let mut context = Context { accounts, ..sample.context() };
        if template == "payment-reminder" {
            context.variables = due;
        }
        let rendered = catalogue.render(template, Channel::Portal, None, &context);
        rendered.err().map(|error| error.pointer().to_owned())
    };
    assert_eq!(pointer(vec![&account], "validation-notice"), None);
    assert_eq!(pointer(vec![&unpriced], "validation-notice").as_deref(), Some("/accounts/0/balance"));
    assert_eq!(pointer(vec![&account, &account], "validation-notice").as_deref(), Some("/account_ids"));
    assert_eq!(pointer(vec![], "validation-notice").as_deref(), Some("/account_ids"));
    let link = pointer(vec![&account, &unsafe_link], "payment-reminder");
    assert_eq!(link.as_deref(), Some("/accounts/1/payment_url"));
}

#[test]
fn intake_is_told_everything_that_is_wrong_with_a_request() {
    let catalogue = catalogue();
    let check = |template, channels: &[Channel], variables: Value| {
        let variables = variables.as_object().expect("an object").clone();
        let found = catalogue.check(template, channels, Some("es-MX"), &variables);
        found.into_iter().map(|(pointer, _)| pointer).collect::<Vec<_>>()
    };
    let all = Channel::DISPATCHED;
    assert!(check("payment-reminder", all, json!({"due_date": "2026-12-01"})).is_empty());
    assert!(check("validation-notice", all, json!({})).is_empty());
    assert_eq!(check("payment-remainder", all, json!({})), ["/template"]);
    assert_eq!(check("payment-reminder", all, json!({})), ["/variables/due_date"]);
    assert_eq!(check("payment-reminder", all, json!({"due_date": null})), ["/variables/due_date"]);
    assert_eq!(
        check("payment-reminder", all, json!({"due_date": "soon", "x": 1})),
        ["/variables/due_date", "/variables/x"]
    );
    assert_eq!(check("opt-out-confirmation", &[Channel::Sms, Channel::Voice], json!({})), ["/channels/1"]);
    assert_eq!(
        check("payment-reminder", &[Channel::Letter], json!({"due_date": "2026-12-01"})),
        ["/channels/0"]
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever stands on file, it adds no tag to the HTML, no line to the text, and nothing that handlebars
    /// acts on.
    #[test]
    fn values_stay_values(value in "\\PC{0,40}|[<>&\"'{}!#/=]{1,20}|[a\\n\\r\\t\u{202e}]{1,10}") {
        let catalogue = CATALOGUE.get_or_init(catalogue);
        let sample = sample(catalogue, "payment-reminder", "one-account");
        let first = sample.context().accounts[0].clone();
        let account = |creditor: &str| Account { creditor: Some(creditor.to_owned()), ..first.clone() };
        let name = |family: &str| Name { given: None, family: Some(family.to_owned()) };
        let (plain_name, plain_account) = (name("Sample"), account("Sample"));
        let (wild_name, wild_account) = (name(&format!("x{value}")), account(&format!("x{value}")));
        for channel in [Channel::Email, Channel::Portal, Channel::Sms, Channel::Voice] {
            let render = |name, account| {
                let mut context = sample.context();
                context.name = Some(name);
                context.accounts = vec![account];
                catalogue.render("payment-reminder", channel, None, &context)
            };
            let plain = render(&plain_name, &plain_account).expect("renders").content;
            let wild = render(&wild_name, &wild_account).expect("renders").content;
            for (plain, wild) in parts(&plain).iter().zip(parts(&wild)) {
                prop_assert_eq!(plain.lines().count(), wild.lines().count());
                if plain.contains("<p>") {
                    let marks = |text: &str| text.matches(['<', '>', '"']).count();
                    prop_assert_eq!(marks(plain), marks(wild));
                } else {
                    prop_assert_eq!(wild.find(OVERRIDE), None);
                }
            }
        }
    }
}

#[test]
fn the_digest_is_of_the_words() {
    let mut files = shipped();
    let load = |files: &[SourceFile]| Catalogue::load(files).expect("loads").digest().to_owned();
    let before = load(&files);
    assert!(before.starts_with("sha256:") && before.len() == 71);
    files.reverse();
    assert_eq!(load(&files), before, "the order of reading does not matter");
    let changed = files.iter_mut().find(|file| file.path.ends_with("en/sms.txt.hbs")).expect("there is one");
    changed.text.push(' ');
    assert_ne!(load(&files), before);
}
