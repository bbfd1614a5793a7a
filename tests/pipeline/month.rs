//! A month of traffic under a clock that the test moves: people all over the country who share accounts and numbers, and
//! everything that can happen to them.

use crate::house::{House, actor};
use dunwell::domain::consent::HoldKind;
use dunwell::domain::id::PermitId;
use dunwell::domain::time::{Clock, Span};
use serde_json::{Value, json};

/// How long it goes on.
pub const DAYS: i64 = 30;
/// How many people.
const PEOPLE: u64 = 24;
/// Where they live: one zone, two, none of daylight saving, off the mainland, an own law, and nobody knows.
const PLACES: [&str; 9] = ["33101", "10001", "02108", "90001", "85001", "46320", "00901", "98101", ""];

pub struct Rng(pub u64);

impl Rng {
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[usize::try_from(self.below(of.len() as u64)).expect("small")]
    }
}

pub struct Month {
    pub house: House,
    rng: Rng,
    requests: u64,
    permits: Vec<PermitId>,
}

fn name(n: u64) -> String {
    format!("s{n:02}")
}

fn phone(n: u64) -> String {
    format!("+1305555{:04}", 100 + n)
}

impl Month {
    pub async fn begin(house: House, seed: u64) -> Self {
        let mut month = Self { house, rng: Rng(seed), requests: 0, permits: Vec::new() };
        for n in 0..PEOPLE {
            month.file(n).await;
            for (channel, scopes) in [("sms", &["automated", "electronic"][..]), ("email", &["electronic"])] {
                if month.rng.below(8) > 0 {
                    month.house.consent(&name(n), channel, scopes).await;
                }
            }
        }
        month
    }

    /// Puts somebody on file, or replaces the file. Every third owes an account with the next; every fourth has a second
    /// number, which somebody else has too.
    async fn file(&mut self, n: u64) {
        let place = *self.rng.pick(&PLACES);
        let mut points = vec![json!({"kind": "phone", "value": phone(n), "line_type": "mobile"})];
        if n.is_multiple_of(4) {
            points.push(json!({"kind": "phone", "value": phone(n / 2), "line_type": "landline", "workplace": n.is_multiple_of(8)}));
        }
        if !n.is_multiple_of(5) {
            points.push(json!({"kind": "email", "value": format!("{}@example.com", name(n))}));
            points.push(json!({"kind": "portal", "value": name(n)}));
        }
        points.dedup_by_key(|point| point["value"].clone());
        let mut accounts = vec![json!({"account_id": format!("{}-1", name(n)), "creditor": "First Bank",
            "reference": "xxxx1234", "balance": {"amount": "482.13", "currency": "USD"}})];
        if n % 3 < 2 {
            accounts.push(
                json!({"account_id": format!("joint-{}", n / 3), "debt_type": "medical", "creditor": "Second Bank"}),
            );
        }
        let locations = if place.is_empty() { json!([]) } else { json!([{"postal_code": place}]) };
        let further = json!({"locations": locations, "contact_points": points, "accounts": accounts});
        self.house.debtor(&name(n), further).await;
    }

    /// Lets some hours pass, with a few things happening in each stretch.
    pub async fn pass(&mut self, days: i64) {
        let end = self.house.clock.now().plus(Span::days(days));
        while self.house.clock.now() < end {
            for _ in 0..5 + self.rng.below(5) {
                let n = self.rng.below(PEOPLE);
                self.happen(n).await;
            }
            self.house.quiet().await;
            let minutes = 60 + i64::try_from(self.rng.below(480)).expect("small");
            self.house.pass(Span::minutes(minutes));
        }
    }

    async fn happen(&mut self, n: u64) {
        let id = name(n);
        // What is refused (a hold that is not there, a number that is not on file) is part of the traffic.
        match self.rng.below(100) {
            0..36 => self.ask(n).await,
            36..60 => self.permit(n).await,
            60..68 => self.report(n).await,
            68..75 => {
                let channel = *self.rng.pick(&["sms", "email", "voice"]);
                let scope = if channel == "email" { "electronic" } else { "automated" };
                self.consent(&id, channel, scope).await;
            }
            75..77 => {
                let (channel, whose) =
                    (*self.rng.pick(&["sms", "email", "voice", "all"]), self.rng.below(PEOPLE));
                let mut said =
                    json!({"channel": channel, "received_at": self.house.clock.now(), "source": "test"});
                if channel == "sms" || channel == "voice" {
                    said["contact_point"] = json!(phone(whose));
                }
                let said = serde_json::from_value(said).expect("a stop");
                let _refused = self.house.pipeline.add_opt_out(&actor(), &id, said).await;
            }
            77..81 => {
                let kind = *self.rng.pick(&[HoldKind::Dispute, HoldKind::Attorney, HoldKind::Cease]);
                let said = json!({"since": self.house.clock.now()});
                let said = serde_json::from_value(said).expect("a hold");
                let _refused = self.house.pipeline.place_hold(&actor(), &id, kind, said).await;
            }
            81..92 => {
                for kind in [HoldKind::Dispute, HoldKind::Attorney, HoldKind::Cease] {
                    let _refused = self.house.pipeline.lift_hold(&actor(), &id, kind).await;
                }
            }
            92..94 => {
                let said = json!({"inconvenient": [{"days": ["mon", "wed", "sat"], "from": "09:00", "to": "13:30"}]});
                let said = serde_json::from_value(said).expect("preferences");
                let _refused = self.house.pipeline.put_preferences(&actor(), &id, said).await;
            }
            94..97 => self.file(n).await,
            97 => {
                let mut said = json!({"reason": "test", "channel": *self.rng.pick(&["sms", "email"])});
                if self.rng.below(2) == 0 {
                    said["until"] = json!(self.house.clock.now().plus(Span::hours(9)));
                }
                let (name, said) =
                    (*self.rng.pick(&["b", "a", "c"]), serde_json::from_value(said).expect("a pause"));
                self.house.pipeline.put_pause(&actor(), name, said).await.expect("paused");
            }
            _ => {
                for name in ["a", "b", "c"] {
                    let _refused = self.house.pipeline.lift_pause(&actor(), name).await;
                }
            }
        }
    }

    async fn consent(&mut self, id: &str, channel: &str, scope: &str) {
        let said = json!({"channel": channel, "scope": scope, "granted_at": self.house.clock.now(), "source": "test"});
        let said = serde_json::from_value(said).expect("a consent");
        let _refused = self.house.pipeline.add_consent(&actor(), id, said).await;
    }

    async fn ask(&mut self, n: u64) {
        self.requests += 1;
        let channels: &[&str] = self.rng.pick::<&[&str]>(&[
            &["sms"][..],
            &["sms"],
            &["email"],
            &["sms", "email"],
            &["voice", "portal"],
            &["email", "sms", "portal"],
            &["auto"],
        ]);
        let mut said = json!({
            "request_id": format!("r-{}", self.requests), "debtor_id": name(n), "channels": channels,
            "account_ids": if self.rng.below(3) > 0 { json!([format!("{}-1", name(n))]) } else { json!([]) },
            "template": "payment-reminder", "variables": {"due_date": "2026-12-01"},
        });
        if self.rng.below(4) == 0 {
            said["not_before"] = json!(self.house.clock.now().plus(Span::hours(7)));
        }
        if self.rng.below(4) == 0 {
            said["fallback_after"] = json!("PT2H");
        }
        let _refused = self.house.accept(serde_json::from_value(said).expect("a request")).await;
    }

    async fn permit(&mut self, n: u64) {
        let channel = *self.rng.pick(&["voice", "voice", "voice", "letter", "visit"]);
        let mut said =
            json!({"debtor_id": name(n), "account_ids": [format!("{}-1", name(n))], "channel": channel});
        if channel == "voice" && self.rng.below(2) == 0 {
            said["contact_point"] = json!(phone(n));
        }
        let said = serde_json::from_value(said).expect("a question");
        if let Ok(permit) = self.house.pipeline.issue_permit(&actor(), said).await {
            self.permits.push(permit.id);
        }
        // Some are answered at once, some later, some never.
        let Some(id) = self.permits.last().copied().filter(|_| self.rng.below(3) > 0) else { return };
        self.permits.pop();
        if self.rng.below(4) == 0 {
            let _late = self.house.pipeline.return_permit(&actor(), id).await;
        } else {
            let result = *self.rng.pick(&["conversation", "no_answer", "voicemail", "busy"]);
            let said = json!({"result": result, "occurred_at": self.house.clock.now()});
            let said = serde_json::from_value(said).expect("an outcome");
            let _late = self.house.pipeline.permit_outcome(&actor(), id, said).await;
        }
    }

    /// A contact made elsewhere, today or days ago, now and then over somebody else's number.
    async fn report(&mut self, n: u64) {
        self.requests += 1;
        let hours = i64::try_from(self.rng.below(90)).expect("small");
        let whose = if self.rng.below(3) == 0 { self.rng.below(PEOPLE) } else { n };
        let said: Value = json!({
            "event_id": format!("e-{}", self.requests), "debtor_id": name(n), "channel": "voice", "direction": "outbound",
            "account_ids": [format!("{}-1", name(n))], "contact_point": phone(whose),
            "occurred_at": self.house.clock.now().minus(Span::hours(hours)),
            "result": *self.rng.pick(&["conversation", "no_answer", "voicemail"]),
        });
        let said = serde_json::from_value(said).expect("a contact");
        self.house.pipeline.record_contacts(&actor(), vec![said]).await;
    }

    pub async fn erase(&self, n: u64) {
        self.house.pipeline.erase(&actor(), &name(n)).await.expect("erased");
    }

    pub async fn load_again(&mut self, n: u64) {
        self.file(n).await;
    }
}
