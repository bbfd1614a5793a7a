//! A whole pipeline on a store of its own, with a clock that stands still until it is moved.

pub use crate::patience::{patiently, until};
use dunwell::cadence::Plans;
use dunwell::channel::Transport;
use dunwell::channel::fetch::Fetcher;
use dunwell::coordination::once::Once;
use dunwell::coordination::throttle::Throttles;
use dunwell::domain::channel::Channel;
use dunwell::domain::debtor::{CollectorRole, DebtType};
use dunwell::domain::event::{Actor, Event};
use dunwell::domain::fault::SourceFile;
use dunwell::domain::message::Outgoing;
use dunwell::domain::outcome::Outcome;
use dunwell::domain::request::ContactRequest;
use dunwell::domain::state::{DebtorState, RequestState};
use dunwell::domain::time::{Clock, Entropy, Span, Timestamp};
use dunwell::pipeline::carriers::{Carrier, CarrierParts, Carriers};
use dunwell::pipeline::metrics::Metrics;
use dunwell::pipeline::parking::Parking;
use dunwell::pipeline::rejoinder::Rejoinders;
use dunwell::pipeline::{Accepted, Desk, Parts, Pipeline, Refusal, Settings};
use dunwell::policy::Policy;
use dunwell::provider::catalogue::Catalogue as Vendors;
use dunwell::provider::settings::Settings as VendorSettings;
use dunwell::storage::{self, Store};
use dunwell::template::catalogue::Catalogue as Words;
use dunwell::template::context::Collector;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

/// A Wednesday, 15:00 in Miami.
pub const START: &str = "2026-11-25T20:00:00Z";

pub struct Hand(AtomicI64);

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

impl Hand {
    pub fn at(moment: &str) -> Self {
        Self(AtomicI64::new(at(moment).millis()))
    }

    pub fn pass_to(&self, moment: &str) {
        self.0.store(at(moment).millis(), Ordering::SeqCst);
    }
}

/// Splitmix64: the same bytes every time, no two alike.
pub struct Dice(AtomicU64);

impl Entropy for Dice {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let mut z = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::SeqCst);
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            chunk.copy_from_slice(&(z ^ (z >> 31)).to_le_bytes()[..chunk.len()]);
        }
    }
}

pub struct House {
    pub pipeline: Pipeline,
    pub clock: Arc<Hand>,
    pub place: Arc<tempfile::TempDir>,
}

pub fn actor() -> Actor {
    Actor::Key("test".to_owned())
}

pub fn at(text: &str) -> Timestamp {
    text.parse().expect("a timestamp")
}

fn files(folder: &str) -> Vec<SourceFile> {
    fn walk(root: &Path, here: &Path, found: &mut Vec<SourceFile>) {
        for entry in std::fs::read_dir(here).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                walk(root, &path, found);
            } else if let Ok(text) = std::fs::read_to_string(&path) {
                let path = path.strip_prefix(root).expect("below").to_string_lossy().into_owned();
                found.push(SourceFile { path, text });
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut found = Vec::new();
    walk(&root, &root, &mut found);
    found
}

/// The shipped words, read once.
fn words() -> Arc<Words> {
    static WORDS: LazyLock<Arc<Words>> =
        LazyLock::new(|| Arc::new(Words::load(&files("templates")).expect("templates")));
    WORDS.clone()
}

/// The shipped law, each file as `edit` leaves it.
pub fn law(edit: impl Fn(&str, &str) -> String) -> Policy {
    let edited = |file: SourceFile| SourceFile { text: edit(&file.path, &file.text), path: file.path };
    let files: Vec<SourceFile> = files("config/policy").into_iter().map(edited).collect();
    Policy::load(&files, &["us-federal".to_owned(), "us-states".to_owned()]).expect("packs")
}

/// A provider of a house: its channel, its name and whether debts collected for others may be sent over it. All are
/// sandboxes, but the inbox.
pub type Named<'a> = (Channel, &'a str, bool);

/// Providers of their own, that nobody attends to.
pub fn carriers(clock: &Arc<Hand>, named: &[Named<'_>]) -> Carriers {
    let vendors = Vendors::load(&files("providers")).expect("manifests");
    let throttles = Arc::new(Throttles::new([], Arc::new(|| Duration::ZERO)));
    let carrier = |&(channel, name, third_party): &Named<'_>| {
        let folder = if channel == Channel::Portal { "inbox" } else { "sandbox" };
        let manifest = vendors.get(channel, folder).expect("a manifest").clone();
        let given = [("third_party_collections".to_owned(), third_party.to_string().as_str().into())];
        let settings = || {
            VendorSettings::check(&manifest.settings, &[], &BTreeMap::from(given.clone()), "test")
                .expect("settings")
        };
        let transport = Transport::open(&manifest, settings(), clock.clone()).expect("a transport");
        Arc::new(Carrier::new(CarrierParts {
            channel,
            name: name.to_owned(),
            settings: settings(),
            manifest,
            transport,
            throttles: throttles.clone(),
            places: 64,
        }))
    };
    Carriers::new(named.iter().map(carrier).collect())
}

impl House {
    pub async fn new() -> Self {
        let place = Arc::new(tempfile::tempdir().expect("a folder"));
        Self::at(place, Arc::new(Hand(AtomicI64::new(at(START).millis())))).await
    }

    /// With these providers.
    pub async fn with(named: &[Named<'_>]) -> Self {
        let place = Arc::new(tempfile::tempdir().expect("a folder"));
        Self::open(place, Arc::new(Hand(AtomicI64::new(at(START).millis()))), named).await
    }

    /// Waits until nothing is due and nothing is on its way.
    pub async fn quiet(&self) {
        // Whatever is taken wakes the loops, which otherwise would sleep by the clock of the machine.
        self.pipeline.lift_pause(&actor(), "none").await.expect_err("there is none");
        let quiet = patiently(async || {
            let now = self.clock.now();
            let busy = self.pipeline.read(move |store| {
                let reader = store.reader()?;
                let mut due = !reader.open_attempts()?.is_empty();
                reader.open_requests(|row| due |= row.due_at.is_some_and(|at| at <= now))?;
                Ok(due)
            });
            (!busy.await.expect("readable")).then_some(())
        });
        if quiet.await.is_some() {
            return;
        }
        let now = self.clock.now();
        let standing = self.pipeline.read(move |store| {
            let (reader, mut due) = (store.reader()?, Vec::new());
            reader.open_requests(|row| {
                if row.due_at.is_some_and(|at| at <= now) {
                    due.push(row);
                }
            })?;
            Ok((due, reader.open_attempts()?))
        });
        panic!("something stays due at {now}: {:#?}", standing.await.expect("readable"));
    }

    /// Waits until nothing is at a provider, or about to be.
    pub async fn settled(&self) {
        until("the attempts to end", async || {
            let open = self.pipeline.read(|store| store.reader()?.open_attempts()).await;
            open.expect("readable").is_empty().then_some(())
        })
        .await;
    }

    /// One that answers by itself what may be answered by text.
    pub async fn answering(place: Arc<tempfile::TempDir>, clock: Arc<Hand>) -> Self {
        let by_text = BTreeSet::from([Channel::Sms]);
        let rejoinders = Rejoinders { confirmation: by_text.clone(), help: by_text };
        let carriers = carriers(&clock, &[(Channel::Sms, "sandbox", true), (Channel::Sms, "second", true)]);
        Self::build(place, clock, carriers, rejoinders).await
    }

    /// A place and a clock for a house of its own.
    pub fn ground() -> (Arc<tempfile::TempDir>, Arc<Hand>) {
        let place = Arc::new(tempfile::tempdir().expect("a folder"));
        (place, Arc::new(Hand(AtomicI64::new(at(START).millis()))))
    }

    /// A pipeline on a store that may have a history.
    pub async fn at(place: Arc<tempfile::TempDir>, clock: Arc<Hand>) -> Self {
        let usual = [
            (Channel::Sms, "sandbox", true),
            (Channel::Email, "sandbox", true),
            (Channel::Voice, "sandbox", true),
            (Channel::Portal, "inbox", true),
        ];
        Self::open(place, clock, &usual).await
    }

    pub async fn open(place: Arc<tempfile::TempDir>, clock: Arc<Hand>, named: &[Named<'_>]) -> Self {
        let carriers = carriers(&clock, named);
        Self::on(place, clock, carriers).await
    }

    /// On providers put together elsewhere.
    pub async fn on(place: Arc<tempfile::TempDir>, clock: Arc<Hand>, carriers: Carriers) -> Self {
        Self::build(place, clock, carriers, Rejoinders::default()).await
    }

    async fn build(
        place: Arc<tempfile::TempDir>,
        clock: Arc<Hand>,
        carriers: Carriers,
        rejoinders: Rejoinders,
    ) -> Self {
        let entropy: Arc<dyn Entropy> =
            Arc::new(Dice(AtomicU64::new(u64::try_from(clock.now().millis()).expect("positive"))));
        let store = Store::open(
            &storage::Settings {
                url: format!("sqlite:{}", place.path().join("dunwell.db").display()),
                data_dir: place.path().to_owned(),
                master_key: vec![7; 32].into(),
                readers: 2,
                bulk: 16,
            },
            entropy.clone(),
        )
        .expect("a store");
        let desk = Desk {
            policy: arc_swap::ArcSwap::from_pointee(law(|_, text| text.to_owned())),
            templates: words(),
            carriers,
            plans: Plans::load(&files("config/plans"), Span::days(7)).expect("plans"),
            voice: dunwell::pipeline::calls::Voice::default(),
            pauses: arc_swap::ArcSwap::from_pointee(Vec::new()),
            parking: Parking::default(),
            once: Once::default(),
            fetcher: Fetcher::new().expect("a fetcher"),
            names: store.pseudonymiser(),
            clock: clock.clone(),
            entropy,
            settings: Settings {
                collector: Collector {
                    address: Some("1 Main St, Columbus, OH 43004".to_owned()),
                    licences: BTreeMap::from([("US-CA".to_owned(), "12345-99".to_owned())]),
                    name: Some("First Recovery LLC".to_owned()),
                    neutral_name: Some("FR Services".to_owned()),
                    phone: Some("+16145550100".to_owned()),
                },
                collector_role: CollectorRole::ThirdParty,
                debt_type: DebtType::Consumer,
                expire_after: Span::days(7),
                public_url: "http://127.0.0.1:8080".to_owned(),
                rejoinders,
                roster: 1_000,
            },
        };
        let mut registry = prometheus_client::registry::Registry::default();
        let metrics = Arc::new(Metrics::register(&mut registry));
        let pipeline = Pipeline::start(Parts { store, desk: Arc::new(desk), metrics }).await.expect("starts");
        Self { pipeline, clock, place }
    }

    /// Plays a whole provider.
    pub fn direct(
        &self,
        channel: Channel,
        name: &str,
        director: impl Fn(&Outgoing) -> Option<Outcome> + Send + Sync + 'static,
    ) {
        let carrier = self.pipeline.desk().carriers.find(channel, name).expect("a provider");
        carrier.transport().sandbox().expect("a sandbox").direct(Arc::new(director));
    }

    pub async fn close(self) -> (Arc<tempfile::TempDir>, Arc<Hand>) {
        self.pipeline.shutdown(Duration::from_secs(10)).await;
        (self.place, self.clock)
    }

    pub fn move_to(&self, moment: &str) {
        self.clock.pass_to(moment);
    }

    pub fn pass(&self, span: Span) {
        self.clock.0.fetch_add(span.as_millis(), Ordering::SeqCst);
    }

    /// A debtor in Miami with a mobile number, an email address, a portal login and one account; further members as given.
    pub async fn debtor(&self, id: &str, further: Value) {
        let number = 100 + id.bytes().map(u32::from).sum::<u32>() % 100;
        let mut file = json!({
            "name": {"given": "Sample", "family": id},
            "locations": [{"postal_code": "33101"}],
            "contact_points": [
                {"kind": "phone", "value": format!("+13055550{number}"), "line_type": "mobile"},
                {"kind": "email", "value": format!("{id}@example.com")},
                {"kind": "portal", "value": id},
            ],
            "accounts": [{"account_id": format!("{id}-1"), "creditor": "First Bank",
                          "reference": "xxxx1234", "balance": {"amount": "482.13", "currency": "USD"}}],
        });
        for (name, value) in further.as_object().expect("members") {
            file[name] = value.clone();
        }
        let file = serde_json::from_value(file).expect("a file");
        self.pipeline.put_debtor(&actor(), id, file).await.expect("filed");
    }

    pub async fn consent(&self, id: &str, channel: &str, scopes: &[&str]) {
        for scope in scopes {
            let said = json!({"channel": channel, "scope": scope, "granted_at": "2026-11-01T12:00:00Z", "source": "test"});
            let said = serde_json::from_value(said).expect("a consent");
            self.pipeline.add_consent(&actor(), id, said).await.expect("consented");
        }
    }

    pub async fn opt_out(&self, id: &str, channel: &str) {
        let said = json!({"channel": channel, "received_at": self.clock.now(), "source": "test"});
        self.pipeline
            .add_opt_out(&actor(), id, serde_json::from_value(said).expect("a stop"))
            .await
            .expect("stopped");
    }

    pub fn request(&self, id: &str, debtor: &str, channels: &[&str]) -> ContactRequest {
        let said = json!({
            "request_id": id, "debtor_id": debtor, "account_ids": [format!("{debtor}-1")], "channels": channels,
            "template": "payment-reminder", "variables": {"due_date": "2026-12-01"},
        });
        serde_json::from_value(said).expect("a request")
    }

    pub async fn accept(&self, request: ContactRequest) -> Result<Accepted, Refusal> {
        self.pipeline.accept(&actor(), vec![request]).await.pop().expect("one answer")
    }

    pub async fn state(&self, debtor: &str) -> DebtorState {
        self.pipeline.debtor(debtor).await.expect("readable").expect("known")
    }

    /// Waits until a request stands as expected; panics after a while with what it stood at.
    pub async fn until(&self, debtor: &str, accepted: &Accepted, status: &str) -> RequestState {
        let stands = patiently(async || {
            let state = self.state(debtor).await;
            let request = &state.requests[&accepted.id];
            (request.status.as_str() == status).then(|| RequestState::clone(request))
        });
        if let Some(request) = stands.await {
            return request;
        }
        let request = self.state(debtor).await.requests[&accepted.id].clone();
        let decision = request.decision.map(|record| record.decision);
        panic!("it stands at {}, not {status}: {decision:?}", request.status);
    }

    pub async fn events(&self, debtor: &str) -> Vec<Event> {
        let stream = self.pipeline.stream(debtor);
        self.pipeline.read(move |store| store.reader()?.load(stream)).await.expect("readable")
    }
}
