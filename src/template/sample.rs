//! Samples: made-up debtors, accounts and variables with which messages are shown, checked and tested.

use crate::domain::debtor::{Account, Name};
use crate::domain::decision::Disclosure;
use crate::domain::fault::{Fault, SourceFile};
use crate::domain::time::Date;
use crate::template::context::{Collector, Context};
use crate::template::manifest::fault_of;
use crate::template::variable::json_of;
use serde::Deserialize;
use serde_json::{Map, Value};

/// A sample of a message.
#[derive(Clone)]
pub struct Sample {
    /// Its file.
    pub file: String,
    /// Its name: the file's, without ending.
    pub name: String,
    /// What it shows.
    pub summary: String,
    /// The template it belongs to.
    pub template: String,
    accounts: Vec<Account>,
    collector: Collector,
    debtor: Name,
    disclosures: Vec<Disclosure>,
    licence_regions: Vec<String>,
    portal_url: Option<String>,
    today: Date,
    unsubscribe_url: Option<String>,
    variables: Map<String, Value>,
}

/// A sample as written. What a sample leaves out comes from `sample.toml`; an empty list or text takes it
/// away.
#[derive(Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in crate::template) struct Written {
    accounts: Option<Vec<Account>>,
    collector: Option<Collector>,
    debtor: Option<Name>,
    disclosures: Option<Vec<Disclosure>>,
    licence_regions: Option<Vec<String>>,
    portal_url: Option<String>,
    summary: Option<String>,
    today: Option<Date>,
    unsubscribe_url: Option<String>,
    variables: Option<toml::Table>,
}

impl Written {
    /// Reads a file.
    pub fn read(file: &SourceFile, faults: &mut Vec<Fault>) -> Option<Self> {
        toml::from_str(&file.text).map_err(|error| faults.push(fault_of(file, &error))).ok()
    }

    /// The sample of a template, completed from the common one.
    pub fn complete(
        self,
        template: &str,
        file: &SourceFile,
        common: &Self,
        faults: &mut Vec<Fault>,
    ) -> Option<Sample> {
        let stem = file.path.rsplit('/').next().unwrap_or_default().trim_end_matches(".toml");
        let Some(today) = self.today.or(common.today) else {
            faults.push(Fault::of(&file.path, "`today` is given neither here nor in sample.toml"));
            return None;
        };
        let some = |own: Option<String>, common: &Option<String>| {
            own.or_else(|| common.clone()).filter(|text| !text.is_empty())
        };
        let variables = self.variables.or_else(|| common.variables.clone()).unwrap_or_default();
        Some(Sample {
            file: file.path.clone(),
            name: stem.to_owned(),
            summary: self.summary.unwrap_or_default(),
            template: template.to_owned(),
            accounts: self.accounts.or_else(|| common.accounts.clone()).unwrap_or_default(),
            collector: self.collector.or_else(|| common.collector.clone()).unwrap_or_default(),
            debtor: self.debtor.or_else(|| common.debtor.clone()).unwrap_or_default(),
            disclosures: self.disclosures.or_else(|| common.disclosures.clone()).unwrap_or_default(),
            licence_regions: self
                .licence_regions
                .or_else(|| common.licence_regions.clone())
                .unwrap_or_default(),
            portal_url: some(self.portal_url, &common.portal_url),
            today,
            unsubscribe_url: some(self.unsubscribe_url, &common.unsubscribe_url),
            variables: variables.iter().map(|(key, value)| (key.clone(), json_of(value))).collect(),
        })
    }
}

impl Sample {
    /// The context it describes.
    pub fn context(&self) -> Context<'_> {
        Context {
            accounts: self.accounts.iter().collect(),
            collector: &self.collector,
            disclosures: &self.disclosures,
            licence_regions: &self.licence_regions,
            name: Some(&self.debtor),
            portal_url: self.portal_url.as_deref(),
            today: self.today,
            unsubscribe_url: self.unsubscribe_url.as_deref(),
            variables: &self.variables,
        }
    }
}
