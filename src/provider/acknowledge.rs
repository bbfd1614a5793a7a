//! What a vendor is answered, and the handshakes with which some vendors begin.

use crate::provider::extract::{Condition, Document, Extract, Pattern};
use crate::provider::placeholder::Template;
use crate::provider::reading;
use serde::Deserialize;

/// What the vendor is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acknowledgement {
    /// HTTP status.
    pub status: u16,
    /// The type of the body, if there is one.
    pub content_type: Option<String>,
    /// The body.
    pub body: String,
}

/// How a manifest writes it; the body may name what came (`{query:challenge}`).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    status: u16,
    content_type: Option<String>,
    body: Option<Template>,
}

impl Answer {
    /// The answer to this callback.
    pub(in crate::provider) fn to(
        &self,
        method: &str,
        url: &str,
        document: &Document<'_>,
    ) -> Acknowledgement {
        let body = self.body.as_ref().and_then(|body| {
            let named =
                |name: &str| reading::named(name, method, url, document).unwrap_or_default().into_bytes();
            body.render_bytes(|name| Some(named(name)))
        });
        let body = body.map(|body| String::from_utf8_lossy(&body).into_owned()).unwrap_or_default();
        Acknowledgement { status: self.status, content_type: self.content_type.clone(), body }
    }

    /// What is wrong with it, in words.
    pub(in crate::provider) fn faults(&self) -> Option<String> {
        let good = (200..300).contains(&self.status);
        (!good).then(|| "`acknowledge.status` must be one of success: 200 to 299".to_owned())
    }
}

/// An address to be called once.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Visit {
    /// Where it stands in the callback.
    url: Extract,
    /// The hosts that are called, as patterns on the whole name.
    hosts: Vec<Pattern>,
}

/// A callback that is no event: a vendor makes sure that we are there.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Handshake {
    /// All must hold.
    when: Vec<Condition>,
    /// An address that the vendor wants to see called.
    visit: Option<Visit>,
    /// What the vendor is answered, if not as always.
    acknowledge: Option<Answer>,
}

impl Handshake {
    /// Whether a callback is one.
    pub(in crate::provider) fn is(&self, document: &Document<'_>) -> bool {
        self.when.iter().all(|condition| condition.holds(document))
    }

    /// The address to call, if its host is one that we call.
    pub(in crate::provider) fn visit(&self, document: &Document<'_>) -> Option<String> {
        let visit = self.visit.as_ref()?;
        visit.url.read(document).filter(|address| reading::allowed(address, &visit.hosts))
    }

    /// Its own answer.
    pub(in crate::provider) fn answer(&self) -> Option<&Answer> {
        self.acknowledge.as_ref()
    }

    /// What is wrong with it, in words.
    pub(in crate::provider) fn faults(&self) -> Vec<String> {
        let mut faults: Vec<String> =
            self.acknowledge.as_ref().and_then(Answer::faults).into_iter().collect();
        if self.when.is_empty() {
            faults.push("a handshake needs `when`: everything would be one".to_owned());
        }
        if let Some(visit) = &self.visit
            && !visit.hosts.iter().all(|host| host.as_str().starts_with('^') && host.as_str().ends_with('$'))
        {
            let message = "`visit.hosts` are patterns on the whole name: begin with `^`, end with `$`";
            faults.push(message.to_owned());
        }
        faults
    }
}
