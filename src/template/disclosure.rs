//! The words of each disclosure in a language, for each place where they may have to stand.

use crate::domain::decision::Disclosure;
use crate::domain::fault::{Fault, SourceFile};
use crate::template::compile::{Body, Partials, Setting, compile};
use crate::template::context::BuiltIn;
use crate::template::engine::Form;
use std::collections::BTreeMap;

/// A place that disclosures are put into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Slot {
    /// The HTML part of an email.
    EmailHtml,
    /// The plain part of an email.
    EmailText,
    /// A portal entry.
    Portal,
    /// A text message.
    Sms,
    /// What a voice says.
    Voice,
}

impl Slot {
    /// Every one.
    pub const ALL: [Self; 5] = [Self::EmailHtml, Self::EmailText, Self::Portal, Self::Sms, Self::Voice];

    /// The ending of its files: `en.sms.txt.hbs` holds a wording for text messages, `en.hbs` the one for all
    /// places.
    pub const fn ending(self) -> &'static str {
        match self {
            Self::EmailHtml => "email.html",
            Self::EmailText => "email.txt",
            Self::Portal => "portal.html",
            Self::Sms => "sms.txt",
            Self::Voice => "voice.txt",
        }
    }

    /// Its form.
    pub const fn form(self) -> Form {
        match self {
            Self::EmailHtml | Self::Portal => Form::Html,
            Self::EmailText | Self::Sms => Form::Text,
            Self::Voice => Form::Voice,
        }
    }

    /// What stands before and after each disclosure, and between two.
    pub const fn frame(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::EmailHtml => ("<p style=\"margin:0 0 12px\">", "</p>", "\n"),
            Self::EmailText => ("", "", "\n\n"),
            Self::Portal => ("<p class=\"disclosure\">", "</p>", "\n"),
            Self::Sms | Self::Voice => ("", "", " "),
        }
    }
}

/// The disclosures of a language.
pub struct Notices(BTreeMap<(Disclosure, Slot), Body>);

/// Where a disclosure's files lie.
pub fn folder(disclosure: Disclosure) -> String {
    format!("disclosures/{disclosure}")
}

impl Notices {
    /// Compiles those of a language from the files under `disclosures/`; a fault for every one that is not
    /// there.
    pub fn read(
        language: &str,
        files: &BTreeMap<&str, &SourceFile>,
        partials: &Partials,
        faults: &mut Vec<Fault>,
    ) -> Self {
        let none = BTreeMap::new();
        let mut all = BTreeMap::new();
        for &disclosure in Disclosure::ALL {
            let setting = |slot: Slot, form| Setting {
                form,
                language,
                one_line: slot.form() != Form::Html && slot != Slot::EmailText,
                partials,
                permits: permits(disclosure),
                slot: false,
                variables: &none,
            };
            let folder = folder(disclosure);
            let common = format!("{folder}/{language}.hbs");
            for slot in Slot::ALL {
                let own = format!("{folder}/{language}.{}.hbs", slot.ending());
                let body = match (files.get(own.as_str()), files.get(common.as_str())) {
                    (Some(file), _) => compile(file, setting(slot, slot.form()), faults),
                    (None, Some(file)) if slot.form() == Form::Html => {
                        compile(file, setting(slot, Form::Text), faults).map(Body::into_html)
                    }
                    (None, Some(file)) => compile(file, setting(slot, slot.form()), faults),
                    (None, None) => {
                        let what = format!("there is neither {own} nor {common}");
                        faults.push(Fault::of(&folder, what));
                        None
                    }
                };
                all.extend(body.map(|body| ((disclosure, slot), body)));
            }
        }
        Self(all)
    }

    /// The words of a disclosure in a place.
    pub fn words(&self, disclosure: Disclosure, slot: Slot) -> Option<&Body> {
        self.0.get(&(disclosure, slot))
    }
}

/// What a disclosure may speak of: us and how to reach us, never the debtor or the debt.
fn permits(disclosure: Disclosure) -> fn(BuiltIn) -> bool {
    fn us(one: BuiltIn) -> bool {
        matches!(
            one,
            BuiltIn::CollectorAddress
                | BuiltIn::CollectorName
                | BuiltIn::CollectorPhone
                | BuiltIn::PortalUrl
                | BuiltIn::UnsubscribeUrl
        )
    }
    fn licence(one: BuiltIn) -> bool {
        us(one) || matches!(one, BuiltIn::LicencesNumber | BuiltIn::LicencesRegion)
    }
    match disclosure {
        Disclosure::Licence => licence,
        Disclosure::MiniMirandaInitial
        | Disclosure::MiniMirandaSubsequent
        | Disclosure::OptOutNotice
        | Disclosure::TimeBarred => us,
    }
}
