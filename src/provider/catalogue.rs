//! All vendors that a folder of manifests describes.

use crate::domain::channel::Channel;
use crate::domain::fault::{Fault, SourceFile};
use crate::provider::callback::CallbackKind;
use crate::provider::case::{Case, MANDATORY, OF_CALLS, OF_CENTRES, OF_POLLS, TWO_WAY};
use crate::provider::manifest::{Carrier, Manifest};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// One vendor: its manifest, and the cases that prove it.
#[derive(Clone, Debug)]
pub struct Vendor {
    /// What it is.
    pub manifest: Arc<Manifest>,
    /// Proof that it is so.
    pub cases: Vec<Case>,
}

/// Every vendor there is a manifest of.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    vendors: BTreeMap<(Channel, String), Vendor>,
}

impl Catalogue {
    /// Reads `<channel>/<vendor>/manifest.toml` and `<channel>/<vendor>/cases/*.toml`; other files are left alone.
    ///
    /// # Errors
    /// Every fault of every file, sorted by file and line.
    pub fn load(files: &[SourceFile]) -> Result<Self, Vec<Fault>> {
        let mut catalogue = Self::default();
        let mut faults = Vec::new();
        let mut cases: BTreeMap<&str, Vec<Case>> = BTreeMap::new();
        for file in files {
            match case_folder(&file.path).map(|folder| (folder, Case::read(file))) {
                Some((folder, Ok(case))) => cases.entry(folder).or_default().push(case),
                Some((_, Err(found))) => faults.extend(found),
                None => {}
            }
        }
        for file in files.iter().filter(|file| is_manifest(&file.path)) {
            match Manifest::read(file) {
                Ok(manifest) => {
                    let folder = file.path.trim_end_matches("/manifest.toml");
                    let cases = cases.remove(folder).unwrap_or_default();
                    let key = (manifest.channel(), manifest.id().to_owned());
                    catalogue.vendors.insert(key, Vendor { manifest: Arc::new(manifest), cases });
                }
                Err(found) => faults.extend(found),
            }
        }
        let known: BTreeSet<&str> =
            files.iter().filter_map(|file| file.path.strip_suffix("/manifest.toml")).collect();
        for folder in cases.keys().filter(|folder| !known.contains(*folder)) {
            faults.push(Fault::of(folder, "has cases but no manifest.toml"));
        }
        faults.sort();
        if faults.is_empty() { Ok(catalogue) } else { Err(faults) }
    }

    /// The manifest of a vendor on a channel.
    pub fn get(&self, channel: Channel, vendor: &str) -> Option<&Arc<Manifest>> {
        self.vendors.get(&(channel, vendor.to_owned())).map(|vendor| &vendor.manifest)
    }

    /// Every vendor, by channel and name.
    pub fn vendors(&self) -> impl Iterator<Item = &Vendor> {
        self.vendors.values()
    }

    /// Runs every case of every vendor; `dunwell check` prints what comes back.
    pub fn run_cases(&self) -> Vec<Fault> {
        let run = |vendor: &Vendor| -> Vec<Fault> {
            vendor.cases.iter().flat_map(|case| case.run(&vendor.manifest)).collect()
        };
        self.vendors().flat_map(run).collect()
    }
}

impl Catalogue {
    /// Vendors that are not proved yet: the cases that each should have and has not.
    pub fn unproved(&self) -> Vec<Fault> {
        let spoken =
            |vendor: &&Vendor| matches!(vendor.manifest.identity.carrier, Carrier::Http | Carrier::Smpp);
        self.vendors()
            .filter(spoken)
            .filter_map(|vendor| {
                let manifest = &vendor.manifest;
                let names: BTreeSet<&str> = vendor.cases.iter().map(|case| case.name.as_str()).collect();
                let two_way = manifest.hears(CallbackKind::Inbound).then_some(TWO_WAY);
                let called = manifest.hears(CallbackKind::Status);
                let calls = manifest.channel() == Channel::Voice;
                let of_calls = OF_CALLS.iter().copied().filter(|_| calls);
                let wanted =
                    MANDATORY.iter().copied().filter(|name| called || !name.starts_with("callback_"));
                let wanted = wanted.filter(|name| !calls || *name != "callback_delivered").chain(of_calls);
                let centre = manifest.smpp.is_some();
                let wanted = wanted.filter(|_| !centre).chain(OF_CENTRES.iter().copied().filter(|_| centre));
                let polls = OF_POLLS.iter().copied().filter(|_| manifest.poll.is_some());
                let missing: Vec<&str> =
                    wanted.chain(polls).chain(two_way).filter(|name| !names.contains(name)).collect();
                let file = format!("{}/{}/cases", manifest.channel(), manifest.id());
                (!missing.is_empty()).then(|| Fault::of(&file, format!("has no case {}", missing.join(", "))))
            })
            .collect()
    }
}

fn is_manifest(path: &str) -> bool {
    path.ends_with("/manifest.toml")
}

/// The vendor's folder, if the file is one of its cases.
fn case_folder(path: &str) -> Option<&str> {
    let (folder, file) = path.rsplit_once("/cases/")?;
    (file.ends_with(".toml") && !file.contains('/')).then_some(folder)
}
