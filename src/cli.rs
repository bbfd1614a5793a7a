//! Floor 6, the command line: what can be asked of the program, and how it answers.
//!
//! A command prints its result on standard output and what went wrong on standard error. Exit codes: 0 done, 1 refused or
//! found wrong, 2 not understood.

mod backup;
mod check;
mod folio;
mod import;
mod ivr;
mod keys;
mod progress;
mod provider;
mod render;
mod scrub;
mod simulate;
mod table;
mod verify;

use crate::app;
use crate::config::environment::Environment;
use crate::config::{Config, DEFAULT_DATA, DEFAULT_FILE};
use crate::domain::call::AnsweredBy;
use crate::domain::channel::Channel;
use crate::domain::time::Timestamp;
use crate::provider::callback::CallbackKind;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;

/// The program's arguments.
#[derive(Debug, Parser)]
#[command(
    name = "dunwell",
    version,
    about = "Omnichannel contact gateway for debt collection: decides whether a contact is lawful now, makes it, and \
             proves it.",
    after_help = "Start with `dunwell demo`.",
    propagate_version = true
)]
pub struct Cli {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    command: Command,
}

/// Where the configuration and the data are.
#[derive(Clone, Debug, Args)]
struct Place {
    /// The configuration file [default: config/dunwell.toml]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The folder for keys and files [default: data; of the demo: data/demo]
    #[arg(long, global = true, value_name = "DIR")]
    data: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the main job on a sample portfolio: decisions and dispatches as they happen, on providers that only pretend
    ///
    /// Makes a fresh store, puts three hundred people on file who do not exist, posts contact requests about some of them,
    /// shows each decision with its reason and citation, and then keeps serving. Sends nothing to anybody.
    Demo(Demo),
    /// Serve the HTTP API and send what is lawful
    Serve(Serve),
    /// Validate the configuration, the law, the templates, the providers and the call flows; every fault with file and line
    ///
    /// Exits with 1 if there is any. `check law` also lists the rules that nobody has verified yet.
    Check(Check),
    /// Create, list or revoke API keys; works while `serve` runs
    #[command(subcommand)]
    Keys(Keys),
    /// Show a message as a debtor would get it, from sample data
    Render(Render),
    /// Load what was before from CSV or NDJSON: debtors, consents, stops, holds, contacts made elsewhere, contact requests
    ///
    /// Rows that are refused go to a file with the reason, the others load; importing a file again changes nothing. Nothing is
    /// sent from here: contact requests are decided by the next `serve`, which must not run meanwhile.
    Import(Import),
    /// Ask about every row of a call or send list; the same list comes out with the answers
    ///
    /// The columns debtor_id, channel, account_ids, contact_point, party, purpose, automated and at are read, all others are
    /// handed on; outcome, permitted_from, permitted_until, rule, citation and reason are added. A row that cannot be asked
    /// about has the outcome `error` and says why. Nothing is recorded; works while `serve` runs.
    Scrub(Scrub),
    /// Ask another policy directory about every recorded decision, and report those that would differ
    ///
    /// Each with both explanations, and a count by the rule that makes the difference. Works while `serve` runs. Exits with 1
    /// if a decision does not come out as recorded although it was taken under the very policy that is asked.
    Simulate(Simulate),
    /// Work on a vendor's manifest
    #[command(subcommand)]
    Provider(Provider),
    /// Work on a call flow
    #[command(subcommand)]
    Ivr(Ivr),
    /// Check that nothing in the history was altered, reordered or left out; works while `serve` runs
    ///
    /// Exits with 1 and names the first fault.
    Verify(Verify),
    /// Copy the store while it runs
    Backup(Backup),
    /// Put a copy of the store back, where none is
    Restore(Restore),
    /// Print the OpenAPI 3.1 document that /openapi.json serves
    Openapi,
}

#[derive(Debug, Args)]
struct Demo {
    /// The port to serve on afterwards
    #[arg(long, value_name = "PORT", conflicts_with = "listen")]
    port: Option<u16>,
    /// The address to serve on afterwards
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Take the machine's clock; otherwise it is a Tuesday morning in December 2026, so that every run tells one story
    #[arg(long)]
    real_clock: bool,
    /// End after the account instead of serving
    #[arg(long)]
    once: bool,
}

#[derive(Debug, Args)]
struct Serve {
    /// The address to listen on, instead of the configuration's
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
}

#[derive(Debug, Args)]
struct Check {
    /// What to check
    #[arg(value_enum, default_value_t = What::All)]
    what: What,
}

/// What `check` looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum What {
    /// The configuration file and what overrides it.
    Config,
    /// The policy packs and their worked cases.
    Policy,
    /// The same, and which rules are not yet verified.
    Law,
    /// The templates, with every sample in every language.
    Templates,
    /// The provider manifests, their cases, and the settings they are given.
    Providers,
    /// The call flows.
    Flows,
    /// Everything.
    All,
}

#[derive(Debug, Subcommand)]
enum Keys {
    /// Make a key and print it, once
    Create {
        /// What it may do
        #[arg(long, value_parser = ["upstream", "compliance", "operator", "admin"])]
        role: String,
        /// Whose it is, for those who read the list
        #[arg(long)]
        name: String,
    },
    /// List the keys, without the keys themselves
    List,
    /// Revoke a key; takes effect at once, while `serve` runs too
    Revoke {
        /// Its id, as `list` shows it
        id: String,
    },
}

#[derive(Debug, Args)]
struct Render {
    /// The template's name, such as payment-reminder
    template: String,
    /// The channel: email, sms, voice or portal
    #[arg(long, value_name = "C", value_parser = channel)]
    channel: Channel,
    /// The language, such as en or es
    #[arg(long, value_name = "L")]
    language: String,
    /// The sample data to take; the template's first if none is named
    #[arg(long, value_name = "NAME")]
    sample: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Ivr {
    /// Walk a call flow at the keyboard: nothing is called, nothing is recorded
    ///
    /// Each line that you type is what the person on the line does: keys (`1`), nothing (silence), or words (`say stop
    /// calling me`). Where the call is handed on, `yes` is somebody who takes it. The end of the input hangs up.
    Walk(Walk),
}

#[derive(Debug, Args)]
struct Walk {
    /// The flow's name, such as standard, or its file
    #[arg(value_name = "FLOW")]
    flow: String,
    /// The template whose message it says
    #[arg(long, default_value = "payment-reminder")]
    template: String,
    /// The sample data to take; the template's first if none is named
    #[arg(long, value_name = "NAME")]
    sample: Option<String>,
    /// The debtor's language
    #[arg(long, value_name = "L", default_value = "en")]
    language: String,
    /// Who or what takes the call: human, machine, machine_greeting or unsure
    #[arg(long, value_name = "WHO", default_value = "human", value_parser = answered_by)]
    answered_by: AnsweredBy,
    /// Also show each document in this vendor's dialect, such as voice/twilio
    #[arg(long, value_name = "VENDOR", value_parser = vendor)]
    dialect: Option<(Channel, String)>,
}

#[derive(Debug, Subcommand)]
enum Provider {
    /// Show the request that a manifest makes, send it to a given address, or read a callback from a file
    ///
    /// Without more than the vendor's name it shows a made-up message as it would be sent, secrets blotted out. What is
    /// needed and not configured is made up too.
    Try(Box<Attempt>),
}

#[derive(Debug, Args)]
struct Attempt {
    /// The vendor, such as sms/twilio
    #[arg(value_name = "CHANNEL/VENDOR", value_parser = vendor)]
    vendor: (Channel, String),
    /// To whom the message is written
    #[arg(long, value_name = "ADDRESS")]
    to: Option<String>,
    /// What it says
    #[arg(long)]
    text: Option<String>,
    /// Its subject, for email
    #[arg(long)]
    subject: Option<String>,
    /// Its language
    #[arg(long, value_name = "L", default_value = "en")]
    language: String,
    /// A setting of the vendor; may be given several times
    #[arg(long, value_name = "NAME=VALUE")]
    set: Vec<String>,
    /// Take settings, message and time from this case
    #[arg(long, value_name = "NAME")]
    case: Option<String>,
    /// Send the request to this scheme, host and port instead of the vendor's, and say what the answer means
    #[arg(long, value_name = "URL", conflicts_with = "callback", value_parser = web_address)]
    to_url: Option<url::Url>,
    /// Read a callback from this file, as it came over the wire, and say what is understood of it
    #[arg(long, value_name = "FILE")]
    callback: Option<PathBuf>,
    /// Which callback it is, where its path does not say: status, inbound or voice
    #[arg(long, requires = "callback", value_parser = callback_kind)]
    kind: Option<CallbackKind>,
    /// The certificate that the callback names, in PEM, since nothing is fetched here
    #[arg(long, value_name = "FILE", requires = "callback")]
    certificate: Option<PathBuf>,
    /// The time to judge at, such as 2026-11-22T13:00:00Z, instead of now
    #[arg(long, value_name = "TIME", value_parser = instant)]
    at: Option<Timestamp>,
}

impl Attempt {
    fn vendor(&self) -> (Channel, &str) {
        (self.vendor.0, &self.vendor.1)
    }
}

#[derive(Debug, Args)]
struct Import {
    /// What the rows are
    #[arg(value_enum)]
    kind: import::Kind,
    /// The file: CSV with a head, or NDJSON
    file: PathBuf,
    /// How it is written [default: told by its name, or by its first character]
    #[arg(long, value_enum, value_name = "FORM")]
    format: Option<table::Form>,
    /// Where rejected rows go [default: beside the file, as NAME.rejected.csv]
    #[arg(long, value_name = "FILE")]
    rejected: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Scrub {
    /// The list: CSV with a head, or NDJSON
    file: PathBuf,
    /// Where the answers go [default: standard output]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// How the list is written [default: told by its name, or by its first character]
    #[arg(long, value_enum, value_name = "FORM")]
    format: Option<table::Form>,
    /// The channel of rows that name none
    #[arg(long, value_name = "C", value_parser = any_channel)]
    channel: Option<Channel>,
    /// The moment asked about by rows that name none, such as 2026-12-01T15:00:00Z [default: now]
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
}

#[derive(Debug, Args)]
struct Simulate {
    /// The policy directory to ask
    #[arg(long, value_name = "DIR")]
    policy: PathBuf,
    /// The packs to take from it [default: those of the configuration]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    packs: Vec<String>,
    /// Write the differences to a table instead of the screen
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Verify {
    /// Walk the whole history: every chain and every leaf hash
    #[arg(long, required = true)]
    log: bool,
}

#[derive(Debug, Args)]
struct Backup {
    /// The file to copy the history to; it must not exist
    history: PathBuf,
    /// The file to copy the wrapped keys to; keep it apart, and 30 days at most, so that erasing holds in it too
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Restore {
    /// The copy of the history
    history: PathBuf,
    /// The copy of the wrapped keys; without it the keys that are there stay
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,
}

fn channel(word: &str) -> Result<Channel, String> {
    let channel = Channel::from_word(word).filter(|channel| channel.is_dispatched());
    channel.ok_or_else(|| {
        let words: Vec<&str> = Channel::DISPATCHED.iter().map(|channel| channel.as_str()).collect();
        format!("expected one of {}", words.join(", "))
    })
}

fn any_channel(word: &str) -> Result<Channel, String> {
    Channel::from_word(word).ok_or_else(|| {
        let words: Vec<&str> = Channel::ALL.iter().map(|channel| channel.as_str()).collect();
        format!("expected one of {}", words.join(", "))
    })
}

fn vendor(text: &str) -> Result<(Channel, String), String> {
    let (medium, name) = text.split_once('/').ok_or("expected CHANNEL/VENDOR, such as sms/twilio")?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if name.is_empty() || name.starts_with('.') || !name.chars().all(plain) {
        return Err("expected the name of a folder after the stroke, such as sms/twilio".to_owned());
    }
    Ok((channel(medium)?, name.to_owned()))
}

fn web_address(text: &str) -> Result<url::Url, String> {
    let url = url::Url::parse(text)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https" | "smpp") && url.has_host());
    url.ok_or_else(|| "expected an address such as http://127.0.0.1:4010".to_owned())
}

fn callback_kind(word: &str) -> Result<CallbackKind, String> {
    CallbackKind::from_word(word).ok_or_else(|| "expected status, inbound or voice".to_owned())
}

fn answered_by(word: &str) -> Result<AnsweredBy, String> {
    AnsweredBy::from_word(word).ok_or_else(|| {
        let words: Vec<&str> = AnsweredBy::ALL.iter().map(|who| who.as_str()).collect();
        format!("expected one of {}", words.join(", "))
    })
}

fn instant(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|_| "expected a time such as 2026-11-22T13:00:00Z".to_owned())
}

/// Does what the arguments ask for; what goes wrong is printed, each cause on its line.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    match obey(&cli) {
        Ok(code) => code,
        Err(error) => {
            complain(&error);
            ExitCode::FAILURE
        }
    }
}

fn obey(cli: &Cli) -> anyhow::Result<ExitCode> {
    let environment = Environment::of_process();
    match &cli.command {
        Command::Demo(demo) => run_demo(cli, demo, environment),
        Command::Serve(serve) => {
            let mut environment = environment;
            if let Some(listen) = serve.listen {
                environment.set("--listen", &["server", "listen"], listen.to_string());
            }
            app::serve(&cli.file(), &cli.data(), &environment)?;
            Ok(ExitCode::SUCCESS)
        }
        Command::Check(check) => check::run(&cli.file(), &cli.data(), &environment, check.what),
        Command::Keys(keys) => keys::run(&cli.config(&environment)?, &environment, keys),
        Command::Render(render) => render::run(&cli.config(&environment)?, render),
        Command::Import(import) => import::run(&cli.config(&environment)?, &environment, import),
        Command::Scrub(scrub) => scrub::run(&cli.config(&environment)?, &environment, scrub),
        Command::Simulate(simulate) => simulate::run(cli.config(&environment)?, &environment, simulate),
        Command::Provider(Provider::Try(attempt)) => {
            provider::run(&cli.config(&environment)?, &environment, attempt)
        }
        Command::Ivr(Ivr::Walk(walk)) => ivr::run(&cli.config(&environment)?, walk),
        Command::Verify(Verify { log: _ }) => verify::run(&cli.config(&environment)?),
        Command::Backup(backup) => backup::back_up(&cli.config(&environment)?, &environment, backup),
        Command::Restore(restore) => backup::restore(&cli.config(&environment)?, &environment, restore),
        Command::Openapi => {
            print(&format!("{}\n", app::openapi()?))?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn run_demo(cli: &Cli, demo: &Demo, environment: Environment) -> anyhow::Result<ExitCode> {
    if cli.place.config.is_some() {
        anyhow::bail!("the demo brings its own configuration; use `dunwell serve --config FILE` for yours");
    }
    let options = app::demo::Options {
        data: cli.place.data.clone(),
        listen: demo.listen.or_else(|| Some(SocketAddr::from((Ipv4Addr::LOCALHOST, demo.port?)))),
        real_clock: demo.real_clock,
        once: demo.once,
    };
    app::demo::run(&options, environment)?;
    Ok(ExitCode::SUCCESS)
}

impl Cli {
    fn file(&self) -> PathBuf {
        self.place.config.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_FILE))
    }

    fn data(&self) -> PathBuf {
        self.place.data.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_DATA))
    }

    fn config(&self, environment: &Environment) -> anyhow::Result<Config> {
        Ok(Config::load(&self.file(), &self.data(), environment)?)
    }
}

/// Prints a result; a reader that has gone away (`dunwell openapi | head`) is no failure.
fn print(text: &str) -> anyhow::Result<()> {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Prints an error and its causes.
fn complain(error: &anyhow::Error) {
    let mut shown: Vec<String> = Vec::new();
    for cause in error.chain() {
        let text = cause.to_string();
        // An error that repeats its cause in its own words says nothing new.
        if !shown.iter().any(|earlier| earlier.contains(&text)) {
            shown.push(text);
        }
    }
    for (depth, text) in shown.iter().enumerate() {
        eprintln!("{}{text}", if depth == 0 { "" } else { "  because: " });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_arguments_are_well_defined() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_takes_the_configuration_before_and_after_it() {
        for arguments in [
            ["dunwell", "keys", "--config", "a.toml", "--data", "d", "list"],
            ["dunwell", "keys", "list", "--config", "a.toml", "--data", "d"],
            ["dunwell", "--config", "a.toml", "--data", "d", "keys", "list"],
        ] {
            let cli = Cli::try_parse_from(arguments).expect("understood");
            assert_eq!(cli.file(), PathBuf::from("a.toml"));
            assert_eq!(cli.data(), PathBuf::from("d"));
        }
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for arguments in [
            vec!["dunwell"],
            vec!["dunwell", "simulate"],
            vec!["dunwell", "keys", "create", "--role", "king", "--name", "x"],
            vec!["dunwell", "render", "payment-reminder", "--channel", "letter", "--language", "en"],
            vec!["dunwell", "serve", "--listen", "nowhere"],
            vec!["dunwell", "verify"],
        ] {
            assert!(Cli::try_parse_from(&arguments).is_err(), "{arguments:?}");
        }
    }
}
