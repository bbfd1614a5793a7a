//! Plainly made-up people, and zones of the world where it is a given hour now.

use super::http::Client;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// One zone without daylight saving for every offset from -11 to +12.
const ZONES: [&str; 24] = [
    "Pacific/Pago_Pago",
    "Pacific/Honolulu",
    "Pacific/Gambier",
    "Pacific/Pitcairn",
    "America/Phoenix",
    "America/Costa_Rica",
    "America/Panama",
    "America/Puerto_Rico",
    "America/Argentina/Buenos_Aires",
    "America/Noronha",
    "Atlantic/Cape_Verde",
    "Africa/Abidjan",
    "Africa/Lagos",
    "Africa/Johannesburg",
    "Africa/Nairobi",
    "Asia/Dubai",
    "Asia/Karachi",
    "Asia/Dhaka",
    "Asia/Bangkok",
    "Asia/Singapore",
    "Asia/Tokyo",
    "Australia/Brisbane",
    "Pacific/Guadalcanal",
    "Pacific/Tarawa",
];
/// Enough for nine hundred numbers of the range kept for fiction.
const AREA_CODES: [u32; 10] = [212, 213, 303, 305, 312, 404, 415, 602, 617, 713];

/// Now, in whole milliseconds as the gateway keeps time.
pub fn now() -> Timestamp {
    Timestamp::from_millisecond(Timestamp::now().as_millisecond()).expect("a time")
}

pub fn days_ago(days: i64) -> Timestamp {
    now() - SignedDuration::from_hours(24 * days)
}

/// The start of the present hour, moved by some hours.
pub fn hour(offset: i64) -> Timestamp {
    let seconds = now().as_second();
    Timestamp::from_second(seconds - seconds.rem_euclid(3600) + 3600 * offset).expect("a time")
}

/// Runs a test to which it matters which hour it is: once more if the hour struck meanwhile.
pub fn in_one_hour(test: impl Fn()) {
    let began = hour(0);
    match catch_unwind(AssertUnwindSafe(&test)) {
        Ok(()) => {}
        Err(_) if hour(0) != began => test(),
        Err(failure) => resume_unwind(failure),
    }
}

/// An instant out of an answer.
#[track_caller]
pub fn instant(value: &Value) -> Timestamp {
    value.as_str().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("not an instant: {value}"))
}

/// A zone where the clocks show this hour now, whatever the minute.
pub fn zone_at(local_hour: i64) -> &'static str {
    let utc_hour = now().as_second().div_euclid(3600).rem_euclid(24);
    let ahead = (local_hour - utc_hour + 11).rem_euclid(24);
    ZONES[usize::try_from(ahead).expect("below 24")]
}

/// It is about noon there: every channel may be used.
pub fn noon() -> &'static str {
    zone_at(12)
}

/// It is about two in the morning there.
pub fn night() -> &'static str {
    zone_at(2)
}

/// Sample person number so-and-so, with one of everything.
#[derive(Clone)]
pub struct Person {
    pub id: String,
    pub phone: String,
    pub email: String,
    pub portal: String,
    pub account: String,
}

pub fn person(number: usize) -> Person {
    // Numbers that end in 0101 to 0109 choose a failure of the sandbox.
    let area = AREA_CODES[number / 90 % AREA_CODES.len()];
    Person {
        id: format!("D-{number}"),
        phone: format!("+1{area}55501{}", 10 + number % 90),
        email: format!("sample.{number}@example.com"),
        portal: format!("sample-{number}"),
        account: format!("A-{number}"),
    }
}

impl Person {
    /// What upstream puts for this person, who lives by the clocks of this zone.
    pub fn file(&self, zone: &str) -> Value {
        json!({
            "name": {"given": "Sample", "family": self.id},
            "language": "en",
            "locations": [{"postal_code": "33101", "region": "US-FL", "locality": "Miami", "country": "US"}],
            "time_zone": zone,
            "contact_points": [
                {"kind": "phone", "value": self.phone, "line_type": "mobile"},
                {"kind": "email", "value": self.email},
                {"kind": "portal", "value": self.portal},
            ],
            "accounts": [{
                "account_id": self.account, "creditor": "First Bank", "reference": "xxxx1234",
                "balance": {"amount": "482.13", "currency": "USD"},
                "collector_role": "third_party", "debt_type": "consumer",
                "validation_notice_sent_on": days_ago(90).to_string()[..10],
                "time_barred": false, "status": "open", "payment_url": "https://pay.example/a",
            }],
        })
    }

    pub fn path(&self) -> String {
        format!("/v1/debtors/{}", self.id)
    }

    /// Enters this person, without any consent.
    #[track_caller]
    pub fn enter_bare(&self, client: &Client, zone: &str) {
        client.put(&self.path(), &self.file(zone)).ok();
    }

    /// Enters this person with every consent that texts, emails and automated calls need.
    #[track_caller]
    pub fn enter(&self, client: &Client, zone: &str) {
        self.enter_for(client, zone, &["sms", "email", "voice"]);
    }

    /// Enters this person with every consent that these channels need.
    #[track_caller]
    pub fn enter_for(&self, client: &Client, zone: &str, channels: &[&str]) {
        self.enter_bare(client, zone);
        let needed =
            [("sms", "automated"), ("sms", "electronic"), ("email", "electronic"), ("voice", "automated")];
        for (channel, scope) in needed.into_iter().filter(|(channel, _)| channels.contains(channel)) {
            client.post(&format!("{}/consents", self.path()), &self.consent(channel, scope)).ok();
        }
    }

    pub fn consent(&self, channel: &str, scope: &str) -> Value {
        json!({"channel": channel, "scope": scope, "granted_at": days_ago(60).to_string(), "source": "a form"})
    }

    /// A question about a contact now.
    pub fn query(&self, channel: &str) -> Value {
        json!({"debtor_id": self.id, "account_ids": [self.account], "channel": channel})
    }

    /// A request for a reminder by these channels.
    pub fn request(&self, request_id: &str, channels: &[&str]) -> Value {
        json!({
            "request_id": request_id, "debtor_id": self.id, "account_ids": [self.account], "channels": channels,
            "purpose": "collection", "template": "payment-reminder", "variables": {"due_date": "2031-03-07"},
        })
    }

    /// A call made elsewhere.
    pub fn call(&self, event_id: &str, occurred_at: Timestamp, result: &str) -> Value {
        json!({
            "event_id": event_id, "debtor_id": self.id, "account_ids": [self.account], "channel": "voice",
            "direction": "outbound", "contact_point": self.phone, "occurred_at": occurred_at.to_string(),
            "result": result,
        })
    }
}

/// Posts a question, and gives the decision.
#[track_caller]
pub fn decide(client: &Client, query: &Value) -> Value {
    client.post("/v1/decisions", query).expect(200)
}

/// Whether a finding with this effect cites this law.
pub fn cites(decision: &Value, effect: &str, citation: &str) -> bool {
    let findings = decision["findings"].as_array().expect("findings");
    findings
        .iter()
        .any(|f| f["effect"] == effect && f["citation"].as_str().is_some_and(|c| c.contains(citation)))
}

/// A query with one more member.
pub fn with(mut value: Value, member: &str, content: impl Into<Value>) -> Value {
    value[member] = content.into();
    value
}
