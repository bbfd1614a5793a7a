//! The configuration as an operator meets it: the shipped file, what overrides it, and every fault with its line.

use dunwell::config::environment::Environment;
use dunwell::config::secret::SecretSource;
use dunwell::config::{Config, Refused, SHIPPED};
use dunwell::domain::channel::Channel;
use dunwell::domain::debtor::{CollectorRole, DebtType};
use dunwell::domain::time::{Entropy, Span};
use secrecy::ExposeSecret;
use std::path::Path;

const SMALL: &str = r#"
[store]
url = "sqlite:data/dunwell.db"
[policy]
dir = "config/policy"
packs = ["us-federal"]
[templates]
dir = "templates"
"#;

fn read(text: &str, variables: &[(&str, &str)]) -> Result<Config, Refused> {
    Config::read("dunwell.toml", text, Path::new("data"), &Environment::of(variables))
}

#[track_caller]
fn faults(text: &str, variables: &[(&str, &str)]) -> Vec<String> {
    let Refused(faults) = read(text, variables).expect_err("refused");
    faults.iter().map(ToString::to_string).collect()
}

/// A text with one more table.
fn with(table: &str) -> String {
    format!("{SMALL}{table}")
}

#[test]
fn the_shipped_file_is_valid_and_sends_nothing() {
    let config = read(SHIPPED, &[]).expect("valid");
    assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.public_url.as_str(), "http://127.0.0.1:8080/");
    assert_eq!(config.store, Path::new("data/dunwell.db"));
    assert_eq!(config.expire_after, Span::days(7));
    assert_eq!(config.collector.role, Some(CollectorRole::ThirdParty));
    assert_eq!(config.collector.debt_type, Some(DebtType::Consumer));
    assert_eq!(config.channels.len(), Channel::DISPATCHED.len());
    for (channel, providers) in &config.channels {
        let harmless = if *channel == Channel::Portal { "inbox" } else { "sandbox" };
        assert!(providers.len() == 1 && providers[0].value == harmless, "{channel}");
    }
    assert!(config.providers.is_empty() && config.webhooks.is_empty() && config.warnings.is_empty());
}

/// What is commented out in the shipped file is valid too, once the marks are taken away.
#[test]
fn the_commented_blocks_of_the_shipped_file_are_valid() {
    let mut tables = String::new();
    let mut inside = false;
    for line in SHIPPED.lines() {
        let bare = line.strip_prefix("# ").unwrap_or(line);
        inside = line.starts_with("# [") || (inside && line.starts_with("# "));
        tables.push_str(if inside { bare } else { line });
        tables.push('\n');
    }
    let config = read(&tables, &[]).expect("valid");
    assert_eq!(config.providers.len(), 3);
    assert_eq!(config.webhooks.len(), 1);
    let warned: Vec<String> = config.warnings.iter().map(ToString::to_string).collect();
    assert!(
        warned.iter().any(|warning| warning.contains("[providers.sms.twilio] is not used")),
        "{warned:?}"
    );
}

#[test]
fn three_tables_are_enough_and_the_rest_has_defaults() {
    let config = read(SMALL, &[]).expect("valid");
    assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.manifests, Path::new("providers"));
    assert!(config.channels.is_empty(), "channels without providers are off");
    match &config.master_key.value {
        SecretSource::File(path) => assert_eq!(path, Path::new("data/master.key")),
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_fault_is_named_at_once_with_its_line() {
    let text = r#"
[server]
listen = "nowhere"
lisen = "127.0.0.1:80"
[store]
url = 7
[policy]
dir = "config/policy"
packs = []
[collector]
role = "fourth_party"
phone = "0800"
[requests]
expire_after = "P1M"
[channels.telegram]
providers = ["x"]
[colector]
name = "x"
"#;
    let faults = faults(text, &[]);
    for wanted in [
        "dunwell.toml: has no table [templates], which is required",
        "dunwell.toml:3: [server] listen is not an address and a port",
        "dunwell.toml:4: [server] has no key `lisen`; it has listen, public_url",
        "dunwell.toml:6: [store] url is a whole number, but must be text",
        "dunwell.toml:9: [policy] packs is empty",
        "dunwell.toml:11: [collector] role must be one of third_party, first_party, servicer, debt_buyer",
        "dunwell.toml:12: [collector] phone is not an E.164 telephone number",
        "dunwell.toml:14: [requests] expire_after is not an ISO 8601 duration",
        "dunwell.toml:15: [channels.telegram] is no channel that we send over",
        "dunwell.toml:17: the configuration has no key `colector`",
    ] {
        assert!(
            faults.iter().any(|fault| fault.starts_with(wanted)),
            "{wanted}\nnot in\n{}",
            faults.join("\n")
        );
    }
    assert_eq!(faults.len(), 10, "{}", faults.join("\n"));
}

#[test]
fn what_is_no_toml_is_named_with_its_line() {
    let faults = faults(&with("[server\nlisten = \"127.0.0.1:80\"\n"), &[]);
    assert!(faults.iter().any(|fault| fault.starts_with("dunwell.toml:9: ")), "{faults:?}");
}

#[test]
fn stores_that_do_not_work_yet_are_refused_by_name_and_show_no_password() {
    for (url, wanted) in [
        ("postgres://u:S3CRET@db/x", "[store] url is postgres://, which this version does not have yet"),
        ("postgresql://u:S3CRET@db/x", "[store] url is postgresql://, which this version does not have yet"),
        ("redis://:S3CRET@cache", "[store] url is redis://, which is not a store"),
        ("mysql://u:S3CRET@db/x", "[store] url is not the URL of a SQLite file"),
        ("sqlite::memory:", "[store] url would lose what was accepted"),
        ("sqlite:", "[store] url names no file"),
        ("", "[store] url is empty"),
    ] {
        let faults = faults(SMALL, &[("DUNWELL__STORE__URL", url)]);
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert!(faults[0].starts_with(&format!("DUNWELL__STORE__URL: {wanted}")), "{faults:?}");
        assert!(!faults[0].contains("S3CRET"), "{faults:?}");
    }
    let faults = faults(&with("[redis]\nurl = \"redis://:S3CRET@cache\"\n"), &[]);
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(
        faults[0].starts_with("dunwell.toml:10: [redis] url is redis://, which this version does not"),
        "{faults:?}"
    );
    assert!(!faults[0].contains("S3CRET"), "{faults:?}");
}

#[test]
fn a_variable_overrides_a_key_and_the_key_decides_its_type() {
    let config = read(
        &with("[channels.sms]\nproviders = [\"twilio\"]\n[providers.sms.twilio]\nauth_token = \"from the file\"\n"),
        &[
            ("DUNWELL__STORE__URL", "sqlite:/elsewhere/x.db"),
            ("DUNWELL__POLICY__PACKS", r#"["us-federal", "us-states"]"#),
            ("DUNWELL__PROVIDERS__SMS__TWILIO__AUTH_TOKEN", "0123"),
            ("DUNWELL__PROVIDERS__SMS__TWILIO__RATE_PER_SECOND", "7"),
            ("DUNWELL__COLLECTOR__LICENCES__US_CA", "12345-99"),
            ("DUNWELL__COLLECTOR__NAME", "true"),
            ("DUNWELL__WEBHOOKS", r#"[{ url = "https://collections.example/hooks", secret = "x" }]"#),
            ("HOME", "/root"),
        ],
    )
    .expect("valid");
    assert_eq!(config.store, Path::new("/elsewhere/x.db"));
    assert_eq!(
        config.policy.packs.iter().map(|pack| pack.value.as_str()).collect::<Vec<_>>(),
        ["us-federal", "us-states"]
    );
    assert_eq!(config.collector.name.as_deref(), Some("true"), "the key takes text");
    assert_eq!(config.collector.licences.get("US-CA").map(String::as_str), Some("12345-99"));
    assert_eq!(config.webhooks.len(), 1);
    let settings = config.provider(Channel::Sms, "twilio", &Environment::default()).expect("fetched");
    assert_eq!(settings["auth_token"].value.expose_secret(), "0123", "a secret of digits stays text");
    assert_eq!(settings["rate_per_second"].value.expose_secret(), "7");
}

#[test]
fn a_variable_reaches_a_key_that_is_written_with_a_dash() {
    let config = read(
        &with("[channels.email]\nproviders = [\"amazon-ses\"]\n"),
        &[("DUNWELL__PROVIDERS__EMAIL__AMAZON_SES__REGION", "us-east-1")],
    )
    .expect("valid");
    let settings = config.provider(Channel::Email, "amazon-ses", &Environment::default()).expect("fetched");
    assert_eq!(settings["region"].value.expose_secret(), "us-east-1");
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
}

#[test]
fn a_variable_that_sets_no_key_is_a_fault_of_that_name() {
    for (name, value, wanted) in [
        ("DUNWELL__STORE__PATH", "x", "[store] has no key `path`"),
        ("DUNWELL__SHOP__URL", "x", "the configuration has no key `shop`"),
        ("DUNWELL__STORE__URL__DEEP", "x", "`url` is text, which has no keys"),
        ("DUNWELL__POLICY__PACKS", "us-federal", "[policy] packs is text that is no TOML array"),
        ("DUNWELL__", "x", "names no key"),
        ("DUNWELL_BOOTSTRAP_KEY", "too short", "must have 16 or more printable ASCII characters"),
    ] {
        let faults = faults(SMALL, &[(name, value)]);
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert!(faults[0].starts_with(&format!("{name}: {wanted}")), "{faults:?}");
    }
}

#[test]
fn an_option_is_stronger_than_a_variable() {
    let mut environment = Environment::of(&[("DUNWELL__SERVER__LISTEN", "127.0.0.1:1")]);
    environment.set("--listen", &["server", "listen"], "127.0.0.1:2");
    let config = Config::read("dunwell.toml", SMALL, Path::new("data"), &environment).expect("valid");
    assert_eq!(config.listen.port(), 2);
    environment.set("--listen", &["server", "listen"], "two");
    let Refused(faults) =
        Config::read("dunwell.toml", SMALL, Path::new("data"), &environment).expect_err("refused");
    assert!(faults[0].to_string().starts_with("--listen: [server] listen is not an address"), "{faults:?}");
}

#[test]
fn secrets_come_from_text_variable_or_file_only_when_asked_for() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("token");
    std::fs::write(&path, "from-the-file\r\n").expect("written");
    let table = format!(
        "[channels.sms]\nproviders = [\"twilio\"]\n[providers.sms.twilio]\na = \"S3CRET\"\nb = {{ env = \"B\" }}\n\
         c = {{ file = \"{}\" }}\n",
        path.display()
    );
    let config = read(&with(&table), &[]).expect("valid although B is not set");
    assert!(!format!("{config:?}").contains("S3CRET"), "Debug shows no secret");
    let settings = config
        .provider(Channel::Sms, "twilio", &Environment::of(&[("B", "from the variable")]))
        .expect("fetched");
    let values: Vec<&str> = settings.values().map(|setting| setting.value.expose_secret()).collect();
    assert_eq!(values, ["S3CRET", "from the variable", "from-the-file"]);

    std::fs::remove_file(&path).expect("removed");
    let Refused(faults) =
        config.provider(Channel::Sms, "twilio", &Environment::default()).expect_err("refused");
    let text: Vec<String> = faults.iter().map(ToString::to_string).collect();
    assert_eq!(text.len(), 2, "{text:?}");
    assert_eq!(
        text[0],
        "dunwell.toml:13: [providers.sms.twilio] b cannot be had: the environment variable B is not set"
    );
    assert!(
        text[1].starts_with("dunwell.toml:14: [providers.sms.twilio] c cannot be had: cannot read the file")
    );
}

#[test]
fn a_secret_must_be_text_a_variable_or_a_file() {
    for bad in ["{ env = 1 }", "{ vault = \"x\" }", "{}", "{ env = \"A\", file = \"B\" }", "[\"x\"]", "1.5"] {
        let faults = faults(&with(&format!("[keys]\nmaster = {bad}\n")), &[]);
        assert_eq!(faults.len(), 1, "{bad}: {faults:?}");
        assert!(faults[0].starts_with("dunwell.toml:10: [keys] master is not a secret"), "{bad}: {faults:?}");
    }
}

struct Sevens;
impl Entropy for Sevens {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(7);
    }
}

#[test]
fn the_master_key_is_made_once_and_never_behind_a_store_that_is_there() {
    let dir = tempfile::tempdir().expect("a directory");
    let data = dir.path().join("data");
    let environment = Environment::of(&[]);
    let mut options = environment.clone();
    options.set("--store", &["store", "url"], format!("sqlite:{}", data.join("x.db").display()));
    let config = Config::read("dunwell.toml", SMALL, &data, &options).expect("valid");
    let key = config.master_key(&environment, &Sevens).expect("made");
    assert_eq!(*key, [7; 32]);
    let path = data.join("master.key");
    assert_eq!(std::fs::read_to_string(&path).expect("there"), format!("{}\n", "07".repeat(32)));

    std::fs::write(&path, format!("{}\n", "0a".repeat(32))).expect("written");
    assert_eq!(*config.master_key(&environment, &Sevens).expect("read"), [10; 32], "an old key is kept");
    std::fs::write(&path, "not a key").expect("written");
    let error = config.master_key(&environment, &Sevens).expect_err("malformed").to_string();
    assert_eq!(error, "[keys] master is not 64 hexadecimal digits");

    std::fs::write(data.join("x.db"), "").expect("written");
    std::fs::remove_file(&path).expect("removed");
    let error = config.master_key(&environment, &Sevens).expect_err("lost").to_string();
    assert!(error.contains("put the file back"), "{error}");
}

#[cfg(unix)]
#[test]
fn the_master_key_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().expect("a directory");
    let config = Config::read("dunwell.toml", SMALL, dir.path(), &{
        let mut options = Environment::default();
        options.set("--store", &["store", "url"], format!("sqlite:{}/x.db", dir.path().display()));
        options
    })
    .expect("valid");
    config.master_key(&Environment::default(), &Sevens).expect("made");
    let path = dir.path().join("master.key");
    let mode = std::fs::metadata(&path).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).expect("changed");
    let error = config.master_key(&Environment::default(), &Sevens).expect_err("exposed").to_string();
    assert!(error.contains("chmod 600"), "{error}");
}

#[test]
fn a_folder_is_read_whole_and_every_unreadable_file_is_named() {
    use dunwell::config::folder;
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::create_dir_all(dir.path().join("b/c")).expect("made");
    std::fs::write(dir.path().join("b/c/two.toml"), "2").expect("written");
    std::fs::write(dir.path().join("a.toml"), "1").expect("written");
    std::fs::write(dir.path().join(".hidden"), "x").expect("written");
    let files = folder::read(dir.path()).expect("read");
    let paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
    assert_eq!(paths, ["a.toml", "b/c/two.toml"]);
    std::fs::write(dir.path().join("b/latin"), [0xe9]).expect("written");
    let faults = folder::read(dir.path()).expect_err("refused");
    assert_eq!(faults.len(), 1);
    assert!(faults[0].to_string().contains("b/latin: cannot be read"), "{faults:?}");
    let missing = folder::read(&dir.path().join("nowhere")).expect_err("refused");
    assert!(missing[0].to_string().contains("nowhere: cannot be read"), "{missing:?}");
}
