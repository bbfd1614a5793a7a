//! The demo: the main job on a fresh machine, on people who do not exist, over providers that only pretend.
//!
//! It speaks to the gateway as upstream would, through the same router, keys and bodies. Its clock is set to a Tuesday
//! morning shortly before eight o'clock on the Pacific coast, so that every run tells the same story and the reader sees
//! what waited for eight o'clock go out when it strikes.

mod account;
mod door;
mod folder;
mod paint;
mod place;
mod portfolio;

use crate::app::clock::{MachineClock, MachineEntropy, MovedClock, timer};
use crate::app::demo::account::Account;
use crate::app::demo::door::Door;
use crate::app::demo::folder::Folder;
use crate::app::demo::paint::{Paint, Tone};
use crate::app::demo::portfolio::Person;
use crate::app::gateway::Gateway;
use crate::app::telemetry::LogForm;
use crate::app::{engines, keyring, runtime, stop_on_signal, telemetry};
use crate::config::environment::Environment;
use crate::config::{Config, Refused, SHIPPED};
use crate::domain::time::{Clock, Span, Timestamp};
use anyhow::Context;
use futures_util::{StreamExt, TryStreamExt};
use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// The folder, unless another is named.
const DATA: &str = "data/demo";
/// Tuesday, 1 December 2026: noon is hours away everywhere, and it is winter time.
const MORNING: &str = "2026-12-01T15:50:00Z";
/// When the first contact request is posted: some seconds before eight o'clock on the Pacific coast.
const BEGIN: Span = Span::millis(9 * 60_000 + 56_500);
/// When what waited for eight o'clock has gone out.
const AFTER_EIGHT: Span = Span::millis(10 * 60_000 + 1_500);
/// Between two contact requests, for the reader's sake.
const PACE: Duration = Duration::from_millis(40);
/// How long nothing must happen until the account is closed …
const QUIET: Duration = Duration::from_millis(600);
/// … and when it is closed in any case.
const PATIENCE: Duration = Duration::from_secs(20);
/// People put on file side by side.
const ABREAST: usize = 100;
/// A question to try.
const DECISION: &str = r#"{"debtor_id": "demo-001", "account_ids": ["demo-A-001"], "channel": "sms"}"#;
/// A contact request to try.
const REQUEST: &str = r#"{"request_id": "mine-1", "debtor_id": "demo-001", "account_ids": ["demo-A-001"],
   "channels": ["sms"], "template": "payment-reminder", "variables": {"due_date": "2026-12-15"}}"#;
/// Tables of the environment that hold for the demo too; where things are kept is its own affair.
const TABLES: &[&str] = &["server", "policy", "templates", "manifests", "collector", "requests"];

/// What the caller may choose.
pub struct Options {
    /// The folder for everything that the demo writes.
    pub data: Option<PathBuf>,
    /// Where to serve.
    pub listen: Option<SocketAddr>,
    /// Whether to take the machine's clock.
    pub real_clock: bool,
    /// Whether to end after the account.
    pub once: bool,
}

/// Runs it.
///
/// # Errors
/// The folder, the port, or what the shipped configuration points to.
pub fn run(options: &Options, environment: Environment) -> anyhow::Result<()> {
    telemetry::start(LogForm::Plain, environment.get("RUST_LOG"));
    let colour = std::io::stdout().is_terminal() && environment.get("NO_COLOR").is_none();
    let data = options.data.clone().unwrap_or_else(|| PathBuf::from(DATA));
    let folder = Folder::make_fresh(&data)?;
    runtime()?.block_on(async {
        let (listener, config) = prepare(options, &data, environment.clone()).await?;
        let show = Show { options, paint: Paint { colour }, data: &data };
        show.play(listener, &config, &environment).await
    })?;
    drop(folder);
    Ok(())
}

/// Takes the port, and makes the shipped configuration the demo's.
async fn prepare(
    options: &Options,
    data: &Path,
    environment: Environment,
) -> anyhow::Result<(TcpListener, Config)> {
    let mut environment = environment.only(TABLES);
    environment.set("--data", &["store", "url"], format!("sqlite:{}", data.join("dunwell.db").display()));
    if let Some(listen) = options.listen {
        environment.set("--listen", &["server", "listen"], listen.to_string());
    }
    let wished = Config::read(crate::config::DEFAULT_FILE, SHIPPED, data, &environment)?.listen;
    let listener = match TcpListener::bind(wished).await {
        Ok(listener) => listener,
        // Unless the port was asked for, any other will do.
        Err(error) if options.listen.is_none() && error.kind() == std::io::ErrorKind::AddrInUse => {
            TcpListener::bind(SocketAddr::new(wished.ip(), 0)).await?
        }
        Err(error) => return Err(error).with_context(|| format!("cannot listen on {wished}")),
    };
    let address = listener.local_addr()?;
    environment.set("--listen", &["server", "public_url"], format!("http://{address}"));
    let config = Config::read(crate::config::DEFAULT_FILE, SHIPPED, data, &environment)?;
    Ok((listener, config))
}

struct Show<'o> {
    options: &'o Options,
    paint: Paint,
    data: &'o Path,
}

impl Show<'_> {
    async fn play(
        &self,
        listener: TcpListener,
        config: &Config,
        environment: &Environment,
    ) -> anyhow::Result<()> {
        let engines = engines::load(config, environment).map_err(Refused)?;
        let law =
            format!("{} rules of {}", engines.policy.rules().len(), engines.policy.stamp().packs.join(", "));
        let morning: Timestamp = MORNING.parse()?;
        let moved = Arc::new(MovedClock::starting_at(morning));
        let clock: Arc<dyn Clock> = if self.options.real_clock {
            Arc::new(MachineClock)
        } else {
            Arc::clone(&moved) as Arc<dyn Clock>
        };
        let entropy = Arc::new(MachineEntropy);
        let gateway = Gateway::start(config, engines, environment, Arc::clone(&clock), entropy).await?;
        let key = keyring::create(gateway.store(), "admin", "demo", clock.now(), &MachineEntropy)?;
        gateway.keyring().refresh()?;
        let door = Door::new(gateway.router(), key.text.clone());

        let address = listener.local_addr()?;
        let stop = CancellationToken::new();
        tokio::spawn(stop_on_signal(stop.clone()));
        // Providers' receipts and curious readers are answered from the first moment on.
        let serving = tokio::spawn(gateway.serve(listener, stop.clone()));
        let told = async {
            self.tell(&door, &*clock, &moved, &law).await?;
            let pages = self.pages(&door).await?;
            self.invite(&format!("http://{address}"), &key.text, pages.as_deref())
        };
        tokio::select! {
            result = told => result?,
            () = stop.cancelled() => {}
        }
        if self.options.once {
            stop.cancel();
        }
        serving.await.context("the gateway's task ended early")?
    }

    /// Puts everybody on file, posts the contact requests, and tells what comes of them.
    async fn tell(
        &self,
        door: &Door,
        clock: &dyn Clock,
        moved: &MovedClock,
        law: &str,
    ) -> anyhow::Result<()> {
        let began = timer();
        let people = portfolio::people(clock.now());
        let facts: usize = people.iter().map(facts).sum();
        let store = self.data.display();
        say(&[
            self.paint.tone(Tone::Strong, "Dunwell: may I, and if not, when; then sent, and provably so."),
            format!("The law: {law}. The store: {store}. Providers: sandboxes; nothing leaves this machine."),
        ])?;
        let load = futures_util::stream::iter(people.iter().map(|person| put_on_file(door, person)));
        load.buffer_unordered(ABREAST).try_collect::<Vec<()>>().await?;
        say(&[
            format!(
                "On file: {} people who do not exist, in {} places, with {facts} facts ({} ms).",
                people.len(),
                place::HOMES.len(),
                began.elapsed().as_millis()
            ),
            String::new(),
        ])?;
        if !self.options.real_clock {
            moved.advance_to(MORNING.parse::<Timestamp>()?.plus(BEGIN));
        }
        say(&[
            self.paint.tone(Tone::Strong, &format!("It is {}.", written(clock.now()))),
            self.paint.tone(Tone::Faint, "local time and place  who         channel outcome    why"),
        ])?;
        self.follow(door, clock, &people).await
    }

    async fn follow(&self, door: &Door, clock: &dyn Clock, people: &[Person]) -> anyhow::Result<()> {
        let mut account = Account::new(self.paint);
        let mut feed = Feed { door, after: last_leaf(door).await? };
        for (request, person) in portfolio::requests(people, clock.now()).iter().zip(people) {
            let answer = door.post("/v1/contact-requests", request).await?;
            account.asked(answer["id"].as_str().unwrap_or_default(), person);
            tokio::time::sleep(PACE).await;
            feed.tell(&mut account).await?;
        }
        let waits_until = match self.options.real_clock {
            true => clock.now(),
            false => MORNING.parse::<Timestamp>()?.plus(AFTER_EIGHT),
        };
        let (deadline, mut last_news) = (timer() + PATIENCE, timer());
        while timer() < deadline {
            if feed.tell(&mut account).await? {
                last_news = timer();
            }
            if account.is_settled() && last_news.elapsed() > QUIET && clock.now() > waits_until {
                break;
            }
            tokio::time::sleep(PACE).await;
        }
        let mut lines = vec![String::new()];
        lines.extend(account.summary());
        lines.push(String::new());
        say(&lines)
    }

    /// A link to the pages of somebody who has a message there; none where nobody has.
    async fn pages(&self, door: &Door) -> anyhow::Result<Option<String>> {
        let placed = door.get("/v1/contact-requests?channel=portal&status=sent,delivered&limit=1000").await?;
        let Some(debtor) = placed["items"][0]["debtor_id"].as_str() else { return Ok(None) };
        let path = format!("/v1/debtors/{debtor}/portal-links");
        let link = door.post(&path, &serde_json::json!({ "identified": true })).await?;
        Ok(link["url"].as_str().map(str::to_owned))
    }

    fn invite(&self, url: &str, key: &str, pages: Option<&str>) -> anyhow::Result<()> {
        if self.options.once {
            return Ok(());
        }
        let bearer = format!("-H 'Authorization: Bearer {key}'");
        say(&[
            format!("{} {url}", self.paint.tone(Tone::Strong, "Serving on")),
            format!("The API, described: {url}/docs"),
            format!(
                "The portal, as one of them sees it (the link opens once): {}",
                pages.unwrap_or("nothing there")
            ),
            format!("An API key to try it with: {key}"),
            String::new(),
            self.paint.tone(Tone::Strong, "May I text Sample 001 now?"),
            format!("curl -s {url}/v1/decisions {bearer} --json \\\n  '{DECISION}'"),
            self.paint.tone(Tone::Strong, "Then do it:"),
            format!("curl -s {url}/v1/contact-requests {bearer} --json \\\n  '{REQUEST}'"),
            self.paint.tone(Tone::Strong, "And what stands in the history now?"),
            format!("curl -s {url}/v1/debtors/demo-001/history {bearer}"),
            String::new(),
            self.paint.tone(Tone::Faint, "Ctrl-C ends it. The next run begins anew."),
        ])
    }
}

/// The history as it grows.
struct Feed<'d> {
    door: &'d Door,
    after: Option<u64>,
}

impl Feed<'_> {
    /// Tells what is new; says whether anything was.
    async fn tell(&mut self, account: &mut Account<'_>) -> anyhow::Result<bool> {
        let page = self.door.get(&events_after(self.after)).await?;
        let events = page["items"].as_array().cloned().unwrap_or_default();
        for event in &events {
            self.after = event["leaf_index"].as_u64().or(self.after);
            say(&account.hear(event))?;
        }
        Ok(!events.is_empty())
    }
}

fn events_after(leaf: Option<u64>) -> String {
    match leaf {
        Some(leaf) => format!("/v1/events?limit=1000&after={leaf}"),
        None => "/v1/events?limit=1000".to_owned(),
    }
}

/// The newest event so far.
async fn last_leaf(door: &Door) -> anyhow::Result<Option<u64>> {
    let mut last = None;
    loop {
        let page = door.get(&events_after(last)).await?;
        match page["items"].as_array().and_then(|events| events.last()) {
            Some(event) => last = event["leaf_index"].as_u64(),
            None => return Ok(last),
        }
    }
}

fn facts(person: &Person) -> usize {
    let stated = usize::from(person.preferences.is_some());
    person.consents.len() + person.opt_outs.len() + person.holds.len() + person.contacts.len() + stated
}

async fn put_on_file(door: &Door, person: &Person) -> anyhow::Result<()> {
    let path = format!("/v1/debtors/{}", person.debtor_id);
    door.put(&path, &person.file).await?;
    for consent in &person.consents {
        door.post(&format!("{path}/consents"), consent).await?;
    }
    for stop in &person.opt_outs {
        door.post(&format!("{path}/opt-outs"), stop).await?;
    }
    for (kind, hold) in &person.holds {
        door.put(&format!("{path}/holds/{kind}"), hold).await?;
    }
    if let Some(preferences) = &person.preferences {
        door.put(&format!("{path}/preferences"), preferences).await?;
    }
    for event in &person.contacts {
        door.post("/v1/contact-events", event).await?;
    }
    Ok(())
}

fn written(now: Timestamp) -> String {
    match now.to_jiff().in_tz("America/New_York") {
        Ok(local) => local.strftime("%A, %-d %B %Y, %H:%M:%S in New York").to_string(),
        Err(_) => now.to_string(),
    }
}

/// Prints lines; a reader that has gone away ends the account, not the program.
fn say(lines: &[String]) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    for line in lines {
        match writeln!(out, "{line}") {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => return Err(error.into()),
            _ => {}
        }
    }
    Ok(())
}
