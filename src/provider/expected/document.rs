//! What a case expects of a call-control document.

use crate::domain::call::{CallOp, CallPlace, Speech};
use crate::provider::expected::json_difference;
use crate::provider::manifest::Manifest;
use crate::provider::redact;
use crate::provider::settings::Settings;
use serde::Deserialize;

/// What a call is to do, and how the vendor writes it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::provider) struct WrittenDocument {
    ops: Vec<WrittenOp>,
    /// The document; white space between tags does not matter.
    xml: Option<String>,
    /// The document.
    json: Option<toml::Value>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
enum WrittenOp {
    Say {
        text: String,
        language: String,
    },
    Ask {
        text: String,
        language: String,
        #[serde(default = "one")]
        digits: u8,
        wait_seconds: u16,
        #[serde(default)]
        listen: bool,
        next_url: String,
        #[serde(default)]
        next_state: String,
    },
    Hold {
        seconds: u16,
        language: String,
        next_url: String,
        #[serde(default)]
        next_state: String,
    },
    Transfer {
        to: String,
        wait_seconds: u16,
        next_url: String,
        #[serde(default)]
        next_state: String,
    },
    Record {},
    Next {
        next_url: String,
        #[serde(default)]
        next_state: String,
    },
    HangUp {},
}

fn one() -> u8 {
    1
}

impl From<&WrittenOp> for CallOp {
    fn from(written: &WrittenOp) -> Self {
        let place = |url: &String, state: &String| CallPlace { url: url.clone(), state: state.clone() };
        let speech =
            |text: &String, language: &String| Speech { language: language.clone(), text: text.clone() };
        match written {
            WrittenOp::Say { text, language } => Self::Say(speech(text, language)),
            WrittenOp::Ask { text, language, digits, wait_seconds, listen, next_url, next_state } => {
                Self::Ask {
                    speech: speech(text, language),
                    digits: *digits,
                    wait_seconds: *wait_seconds,
                    listen: *listen,
                    next: place(next_url, next_state),
                }
            }
            WrittenOp::Hold { seconds, language, next_url, next_state } => Self::Hold {
                seconds: *seconds,
                language: language.clone(),
                next: place(next_url, next_state),
            },
            WrittenOp::Transfer { to, wait_seconds, next_url, next_state } => Self::Transfer {
                to: to.clone(),
                wait_seconds: *wait_seconds,
                next: place(next_url, next_state),
            },
            WrittenOp::Record {} => Self::Record,
            WrittenOp::Next { next_url, next_state } => Self::Next(place(next_url, next_state)),
            WrittenOp::HangUp {} => Self::HangUp,
        }
    }
}

impl WrittenDocument {
    /// Where the document is not the one expected.
    pub(in crate::provider) fn differences(&self, manifest: &Manifest, settings: &Settings) -> Vec<String> {
        let ops: Vec<CallOp> = self.ops.iter().map(CallOp::from).collect();
        let Some(written) = manifest.document(&ops, settings) else {
            return vec!["this vendor has no [dialect]".to_owned()];
        };
        let body = written.body.as_str();
        match (&self.xml, &self.json) {
            (Some(expected), None) => {
                let (expected, found) = (plain(expected), plain(body));
                let differs = (expected != found).then(|| {
                    format!("document: expected {}, is {}", redact::quoted(&expected), redact::quoted(&found))
                });
                differs.into_iter().collect()
            }
            (None, Some(expected)) => {
                let expected = serde_json::to_value(expected).unwrap_or_default();
                match serde_json::from_str(body) {
                    Ok(found) => json_difference("", &expected, &found)
                        .map(|difference| format!("document: {difference}; it is {}", redact::quoted(body)))
                        .into_iter()
                        .collect(),
                    Err(_) => vec![format!("document: is no JSON but {}", redact::quoted(body))],
                }
            }
            _ => vec!["[document] needs `xml` or `json`, one of them".to_owned()],
        }
    }
}

/// Without white space between tags.
fn plain(xml: &str) -> String {
    let mut out = String::with_capacity(xml.len());
    for (at, piece) in xml.trim().split('>').enumerate() {
        if at > 0 {
            out.push('>');
        }
        out.push_str(if piece.trim_start().starts_with('<') { piece.trim_start() } else { piece });
    }
    out
}
