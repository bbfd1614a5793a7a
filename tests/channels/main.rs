//! Transports against peers that nobody here wrote: Prism with Twilio's own specification, Postfix's smtp-sink,
//! nodemailer's smtp-server, a short message centre on the npm package smpp. A missing peer fails the test and says how to install it.

#![expect(clippy::disallowed_methods, reason = "these tests run against the real clock")]

#[path = "../it/support/centre.rs"]
mod centre;
mod connections;
mod email;
mod http;
mod inside;
mod oauth;
#[path = "../support/patience.rs"]
mod patience;
mod peer;
#[path = "../support/ports.rs"]
mod ports;
mod smpp;
mod vendors;

use dunwell::channel::Transport;
use dunwell::domain::channel::Channel;
use dunwell::domain::contact_point::{PointKind, PointValue};
use dunwell::domain::fault::SourceFile;
use dunwell::domain::message::{Content, Outgoing};
use dunwell::domain::outcome::{FailureCause, FailureClass, Outcome};
use dunwell::domain::time::{Clock, Timestamp};
use dunwell::provider::catalogue::Catalogue;
use dunwell::provider::manifest::Manifest;
use dunwell::provider::settings::Given;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A clock that stands still.
struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_795_352_400_000) // 2026-11-22T13:00:00Z
    }
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn source(path: &str) -> SourceFile {
    let text = std::fs::read_to_string(root().join("providers").join(path)).expect(path);
    SourceFile { path: path.to_owned(), text }
}

/// A manifest as shipped, with its cases.
fn catalogue(folder: &str) -> Catalogue {
    let mut files = vec![source(&format!("{folder}/manifest.toml"))];
    if let Ok(cases) = std::fs::read_dir(root().join("providers").join(folder).join("cases")) {
        for entry in cases {
            let path = entry.expect("case").path();
            let name = Path::new(folder).join("cases").join(path.file_name().expect("name"));
            files.push(source(&name.to_string_lossy()));
        }
    }
    Catalogue::load(&files).unwrap_or_else(|faults| panic!("{faults:#?}"))
}

fn manifest(channel: Channel, vendor: &str) -> Arc<Manifest> {
    let folder = format!("{channel}/{vendor}");
    Arc::clone(catalogue(&folder).get(channel, vendor).expect("manifest"))
}

fn open(manifest: &Arc<Manifest>, settings: &[(&str, &str)]) -> Transport {
    let given: BTreeMap<String, Given> =
        settings.iter().map(|(name, value)| ((*name).to_owned(), Given::from(*value))).collect();
    let settings = manifest.settings(&given, "test").unwrap_or_else(|faults| panic!("{faults:#?}"));
    Transport::open(manifest, settings, Arc::new(Still)).expect("transport")
}

fn sms(to: &str, text: &str) -> Outgoing {
    Outgoing {
        attempt: "att_0198c0de000070008000000000000017".parse().expect("id"),
        to: PointValue::parse(PointKind::Phone, to).expect("phone"),
        language: "en".to_owned(),
        content: Content::Sms { text: text.to_owned(), segments: 1 },
        unsubscribe_url: None,
        status_callback_url: Some("https://gw.example.com/callbacks/sms/twilio/status".to_owned()),
        call: None,
    }
}

fn mail(subject: &str, text: &str) -> Outgoing {
    Outgoing {
        attempt: "att_0198c0de000070008000000000000017".parse().expect("id"),
        to: PointValue::parse(PointKind::Email, "sample017@example.com").expect("address"),
        language: "es".to_owned(),
        content: Content::Email {
            subject: subject.to_owned(),
            text: text.to_owned(),
            html: Some(format!("<p>{text}</p>")),
        },
        unsubscribe_url: Some("https://gw.example.com/u/t0ken".to_owned()),
        status_callback_url: None,
        call: None,
    }
}

/// The class, cause and code of a failure.
fn failure(outcome: Outcome) -> (FailureClass, FailureCause, String) {
    match outcome {
        Outcome::Failed(failure) => (failure.class, failure.cause, failure.code),
        Outcome::Accepted { provider_ref } => panic!("accepted: {provider_ref:?}"),
    }
}
