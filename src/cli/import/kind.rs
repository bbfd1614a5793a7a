//! What can be imported, and how a row of it is read: strictly, as the API reads its bodies.

use crate::cli::import::answers::{self, Query};
use crate::domain::consent::HoldKind;
use crate::http::body;
use crate::pipeline::load::Item;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// What the rows of a file are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// Debtors: the body of `PUT /v1/debtors/{debtor_id}`, and `debtor_id`.
    Debtors,
    /// Consents: the body of `POST /v1/debtors/{debtor_id}/consents`, and `debtor_id`.
    Consents,
    /// Stops: the body of `POST /v1/debtors/{debtor_id}/opt-outs`, and `debtor_id`.
    OptOuts,
    /// Holds: the body of `PUT /v1/debtors/{debtor_id}/holds/{kind}`, and `debtor_id` and `kind`.
    Holds,
    /// Contacts made elsewhere: the body of `POST /v1/contact-events`.
    #[value(alias = "contact_events", alias = "events")]
    ContactEvents,
    /// Contact requests: the body of `POST /v1/contact-requests`.
    #[value(alias = "contact_requests", alias = "requests")]
    ContactRequests,
    /// What a reassigned-numbers database answered: for `rnd import`.
    #[value(skip)]
    Answers(Query),
}

impl Kind {
    /// What a row's members say, or what is wrong with them.
    pub fn item(self, mut members: Map<String, Value>) -> Result<Item, String> {
        match self {
            Self::Debtors => {
                let id = word(&mut members, "debtor_id")?;
                Ok(Item::Debtor(id, Box::new(read(members)?)))
            }
            Self::Consents => Ok(Item::Consent(word(&mut members, "debtor_id")?, read(members)?)),
            Self::OptOuts => Ok(Item::OptOut(word(&mut members, "debtor_id")?, read(members)?)),
            Self::Holds => {
                let id = word(&mut members, "debtor_id")?;
                let kind = word(&mut members, "kind")?;
                let kind = HoldKind::from_word(&kind).ok_or_else(|| {
                    let known: Vec<&str> = HoldKind::ALL.iter().map(|kind| kind.as_str()).collect();
                    format!("/kind: expected one of {}", known.join(", "))
                })?;
                Ok(Item::Hold(id, kind, read(members)?))
            }
            Self::ContactEvents => Ok(Item::Contact(read(members)?)),
            Self::ContactRequests => Ok(Item::Request(Box::new(read(members)?))),
            Self::Answers(query) => answers::item(query, &members),
        }
    }
}

fn word(members: &mut Map<String, Value>, name: &str) -> Result<String, String> {
    match members.remove(name) {
        Some(Value::String(word)) => Ok(word),
        Some(_) => Err(format!("/{name}: expected a string")),
        None => Err(format!("/{name}: is required")),
    }
}

fn read<T: DeserializeOwned>(members: Map<String, Value>) -> Result<T, String> {
    body::parse(Value::from(members).to_string().as_bytes()).map_err(|problem| problem.in_words())
}
