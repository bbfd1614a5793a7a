//! The debtors that the load is about, each plainly made up and known by a number.
//!
//! Their phones are in exchange 555. Those of the first area codes are Ohio's, so that federal law alone applies to a text;
//! and every debtor has stated a time zone in which it is about noon, so that every call window is open.

use crate::clock;
use crate::stencil::Stencil;
use crate::wire::find;
use std::net::SocketAddr;

/// Subscriber numbers in one area code's exchange 555.
const LINES: u64 = 10_000;

/// Area codes; the first thirteen are Ohio's.
const CODES: [u16; 102] = [
    216, 220, 234, 330, 380, 419, 440, 513, 567, 614, 740, 937, 326, 201, 202, 203, 205, 206, 207, 208, 209,
    210, 212, 213, 214, 215, 217, 218, 219, 224, 225, 228, 229, 231, 239, 240, 248, 251, 252, 253, 254, 256,
    260, 262, 267, 269, 270, 276, 281, 301, 302, 303, 304, 305, 307, 308, 309, 310, 312, 313, 314, 315, 316,
    317, 318, 319, 320, 321, 323, 325, 331, 334, 336, 337, 339, 347, 351, 352, 360, 361, 386, 401, 402, 404,
    405, 406, 407, 408, 409, 410, 412, 413, 414, 415, 417, 423, 424, 425, 430, 432, 434, 435,
];

/// Debtors with a phone in Ohio.
pub const OHIO: u64 = 13 * LINES;

/// The phone of a debtor, E.164.
pub fn phone(debtor: u64) -> String {
    let code = CODES[(debtor / LINES) as usize % CODES.len()];
    format!("+1{code}555{:04}", debtor % LINES)
}

/// The debtor whose phone this is, if it is one of ours (ten digits, without the country).
pub fn debtor_of(national: &[u8]) -> Option<u64> {
    let number: u64 = std::str::from_utf8(national.get(..10)?).ok()?.parse().ok()?;
    let (code, exchange, line) = (number / 10_000_000, number / LINES % 1_000, number % LINES);
    let place = CODES.iter().position(|known| u64::from(*known) == code)?;
    (exchange == 555).then_some(place as u64 * LINES + line)
}

/// What upstream writes about debtors, and how its requests look; with the key that it writes with.
#[derive(Clone)]
pub struct Upstream {
    /// Where the gateway listens.
    pub address: SocketAddr,
    /// The API key.
    pub key: String,
    /// The time zone that every debtor has stated.
    pub zone: &'static str,
    /// Sets this run's identifiers apart from those of earlier runs on the same store.
    pub run: i64,
}

impl Upstream {
    /// Puts a debtor on file (the debtor's number).
    pub fn put_debtor(&self, debtor: u64, into: &mut Vec<u8>) {
        let body = format!(
            r#"{{"name":{{"given":"Sample","family":"Debtor {debtor}"}},"date_of_birth":"1984-02-11","language":"en",
"locations":[{{"postal_code":"43215","region":"US-OH","locality":"Columbus","country":"US"}}],"time_zone":"{zone}",
"contact_points":[{{"kind":"phone","value":"{phone}","line_type":"mobile","reassignment_check":{{"checked_on":"{checked}",
"since":"{since}","result":"no"}}}},{{"kind":"email","value":"sample-{debtor}@example.com"}}],
"accounts":[{{"account_id":"BA-{debtor:07}","creditor":"First Bank","reference":"xxxx1234",
"balance":{{"amount":"482.13","currency":"USD"}},"collector_role":"third_party","debt_type":"consumer",
"validation_notice_sent_on":"{validated}","time_barred":false,"status":"open",
"payment_url":"https://pay.example.com/BA-{debtor:07}"}}]}}"#,
            zone = self.zone,
            phone = phone(debtor),
            checked = clock::date_in_days(-5),
            since = clock::date_in_days(-20),
            validated = clock::date_in_days(-90),
        );
        self.write("PUT", &format!("/v1/debtors/B-{debtor:07}"), &body, into);
    }

    /// Records the debtor's consent to texts: `automated` and `electronic` are what a text needs.
    pub fn consent(&self, debtor: u64, scope: &str, into: &mut Vec<u8>) {
        let body = format!(
            r#"{{"channel":"sms","contact_point":"{}","scope":"{scope}","granted_at":"{}","given_to":"collector",
"form":"written","source":"sample agreement"}}"#,
            phone(debtor),
            clock::in_days(-10),
        );
        self.write("POST", &format!("/v1/debtors/B-{debtor:07}/consents"), &body, into);
    }

    /// The request for one text; `later`: not before a month from now, so that it is accepted and waits.
    pub fn request(&self, label: &str, later: bool) -> Stencil {
        Stencil::json(
            "POST",
            "/v1/contact-requests",
            self.address,
            &self.key,
            &self.request_body(label, later),
        )
    }

    /// The body of that request, with its slots.
    pub fn request_body(&self, label: &str, later: bool) -> String {
        let not_before = if later { format!("\"{}\"", clock::in_days(30)) } else { "null".to_owned() };
        format!(
            r###"{{"request_id":"bench-{run}-{label}-##########","debtor_id":"B-@@@@@@@","account_ids":["BA-@@@@@@@"],"channels":["sms"],"contact_point":null,"purpose":"collection","template":"payment-reminder","variables":{{"due_date":"{due}"}},"not_before":{not_before},"expires_at":"{expires}","priority":"normal","campaign":"bench-{run}-{label}"}}"###,
            run = self.run,
            due = clock::date_in_days(20),
            expires = clock::in_days(60),
        )
    }

    /// A contact made elsewhere, as one line of NDJSON.
    pub fn contact_event(&self, debtor: u64, ordinal: u64) -> String {
        // One a week and outside every window that is still open, so that no cap is near.
        let days_ago = 20 + 7 * i64::try_from(ordinal).unwrap_or(0);
        format!(
            r#"{{"event_id":"BE-{debtor:07}-{ordinal}","debtor_id":"B-{debtor:07}","account_ids":["BA-{debtor:07}"],"channel":"voice","direction":"outbound","contact_point":"{}","occurred_at":"{}","result":"no_answer"}}"#,
            phone(debtor),
            clock::in_days(-days_ago),
        )
    }

    /// The question whether a debtor may be sent a text, as a line of NDJSON with its slots.
    pub fn question(&self) -> Stencil {
        Stencil::new(concat!(
            r#"{"debtor_id":"B-@@@@@@@","account_ids":["BA-@@@@@@@"],"channel":"sms","purpose":"collection"}"#,
            "\n"
        ))
    }

    fn write(&self, method: &str, path: &str, body: &str, into: &mut Vec<u8>) {
        let head =
            crate::stencil::head(method, path, self.address, &self.key, "application/json", body.len());
        into.extend_from_slice(head.as_bytes());
        into.extend_from_slice(body.as_bytes());
    }
}

/// The debtor that a form-encoded text is for: `To=%2B1…` or `To=+1…`, first or behind another field.
pub fn addressee(form: &[u8]) -> Option<u64> {
    let value = match form.strip_prefix(b"To=") {
        Some(value) => value,
        None => &form[find(form, b"&To=")? + 4..],
    };
    let national = value.strip_prefix(b"%2B1").or_else(|| value.strip_prefix(b"+1"))?;
    debtor_of(national)
}
