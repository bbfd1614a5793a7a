//! The program at the command line, as a person meets it: what each command prints, and with what it ends.

#[path = "cli/lists.rs"]
mod lists;
#[path = "cli/numbers.rs"]
mod numbers;

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// A folder with a small configuration, from which the program is started.
struct Desk {
    dir: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        let desk = Self { dir: tempfile::tempdir().expect("a directory") };
        desk.configure("");
        desk
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn configure(&self, more: &str) {
        let text = format!(
            "[store]\nurl = \"sqlite:data/dunwell.db\"\n[policy]\ndir = \"{ROOT}/config/policy\"\n\
             packs = [\"us-federal\"]\n[templates]\ndir = \"{ROOT}/templates\"\n[manifests]\ndir = \"{ROOT}/providers\"\n{more}"
        );
        fs::create_dir_all(self.path().join("config")).expect("a directory");
        fs::write(self.path().join("config/dunwell.toml"), text).expect("written");
    }

    fn run(&self, arguments: &[&str]) -> Said {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dunwell"));
        command.args(arguments).current_dir(self.path()).stdin(Stdio::null());
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("DUNWELL_")) {
            command.env_remove(name);
        }
        Said::from(command.output().expect("the program starts"))
    }
}

/// What a command said, and how it ended.
#[derive(Debug)]
struct Said {
    out: String,
    error: String,
    code: Option<i32>,
}

impl From<Output> for Said {
    fn from(output: Output) -> Self {
        Self {
            out: String::from_utf8(output.stdout).expect("text"),
            error: String::from_utf8(output.stderr).expect("text"),
            code: output.status.code(),
        }
    }
}

impl Said {
    #[track_caller]
    fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        assert_eq!(self.error, "", "nothing is complained of");
        self.out
    }

    #[track_caller]
    fn refused(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{self:?}");
        format!("{}{}", self.out, self.error)
    }
}

#[test]
fn help_names_every_command_and_what_is_unknown_is_refused() {
    let desk = Desk::new();
    let help = desk.run(&["--help"]).ok();
    for command in [
        "demo", "serve", "check", "keys", "render", "import", "scrub", "simulate", "verify", "backup",
        "restore", "openapi",
    ] {
        assert!(help.contains(&format!("\n  {command} ")), "{command} is not in\n{help}");
        let own = desk.run(&[command, "--help"]).ok();
        assert!(own.contains("--config <FILE>") && own.contains("--data <DIR>"), "{own}");
    }
    desk.run(&[]).refused(2);
    desk.run(&["dance"]).refused(2);
    desk.run(&["check", "weather"]).refused(2);
    assert!(desk.run(&["--version"]).ok().starts_with("dunwell "));
}

#[test]
fn check_says_what_is_sound_and_lists_what_is_unverified() {
    let desk = Desk::new();
    let all = desk.run(&["check"]).ok();
    for sound in ["config/dunwell.toml: sound", "rules of us-federal@", "templates: ", "providers: "] {
        assert!(all.contains(sound), "{sound} is not in\n{all}");
    }
    let law = desk.run(&["check", "law"]).ok();
    let lines =
        law.lines().filter(|line| line.contains("not reviewed") || line.contains("not verified")).count();
    let counted =
        law.lines().find_map(|line| line.split_once(" of ").filter(|_| line.contains("not yet verified")));
    let (count, _) = counted.unwrap_or_else(|| panic!("no count in\n{law}"));
    assert_eq!(count.trim().parse::<usize>().expect("a number"), lines, "a line a rule:\n{law}");
    assert!(law.contains("config/policy/us-federal/"), "{law}");
}

#[test]
fn check_finds_faults_behind_the_configuration_and_serve_refuses_all_at_once() {
    let desk = Desk::new();
    desk.configure(
        "[channels.sms]\nproviders = [\"twilio\", \"carrier-pigeon\"]\n[providers.sms.twilio]\nauth_token = { env = \"NOT_SET\" }\n\
         [collector]\nrole = \"uncle\"\n",
    );
    let faults = [
        "config/dunwell.toml:11: [channels.sms] names `carrier-pigeon`",
        "config/dunwell.toml:13: [providers.sms.twilio] auth_token cannot be had: the environment variable NOT_SET is not set",
        "config/dunwell.toml:15: [collector] role must be one of",
    ];
    for command in ["check", "serve"] {
        let said = desk.run(&[command]).refused(1);
        for fault in faults {
            assert!(said.contains(fault), "{command}: {fault}\nis not in\n{said}");
        }
    }
    assert!(!desk.path().join("data").exists(), "nothing was begun");
}

#[test]
fn settings_of_a_provider_are_checked_against_its_manifest() {
    let desk = Desk::new();
    desk.configure(
        "[channels.sms]\nproviders = [\"twilio\"]\n[providers.sms.twilio]\nauth_token = \"0123456789abcdef0123456789abcdef\"\n\
         colour = \"blue\"\n",
    );
    let said = desk.run(&["check", "providers"]).refused(1);
    assert!(said.contains("config/dunwell.toml:14: [providers.sms.twilio] setting `colour`"), "{said}");
    assert!(
        said.contains("config/dunwell.toml:12: [providers.sms.twilio] setting `account_sid` is missing"),
        "{said}"
    );
    assert!(!said.contains("0123456789abcdef"), "a secret is never shown: {said}");
}

#[test]
fn a_vendor_that_refuses_our_trade_is_warned_of() {
    let desk = Desk::new();
    let provider = "[channels.sms]\nproviders = [\"twilio\"]\n[providers.sms.twilio]\nauth_token = \"0123456789abcdef0123456789abcdef\"\n\
         account_sid = \"AC00000000000000000000000000000001\"\nfrom = \"+15005550006\"\n";
    desk.configure(provider);
    let said = desk.run(&["check", "providers"]).ok();
    let warning =
        said.lines().find(|line| line.contains("forbids SMS and MMS for third-party debt collection"));
    let warning = warning.unwrap_or_else(|| panic!("{said}"));
    assert!(
        warning.starts_with("config/dunwell.toml:11: sms/twilio") && warning.ends_with("(a warning)"),
        "{warning}"
    );
    assert!(warning.contains("twilio.com/docs/api/errors/30863"), "{warning}");
    desk.configure(&format!("{provider}third_party_collections = false\n"));
    let said = desk.run(&["check", "providers"]).ok();
    assert!(!said.contains("forbids"), "{said}");
}

#[test]
fn webhooks_are_checked_with_their_lines() {
    let desk = Desk::new();
    let good = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    desk.configure(&format!(
        "[[webhooks]]\nurl = \"https://collections.example/hooks\"\nsecret = \"{good}\"\n"
    ));
    let said = desk.run(&["check", "config"]).ok();
    assert!(said.contains("webhook collections.example-hooks"), "{said}");

    desk.configure(&format!(
        "[[webhooks]]\nname = \"a\"\nurl = \"https://10.0.0.7/hooks\"\nsecret = \"S3CRET\"\n\
         [[webhooks]]\nname = \"a\"\nurl = \"ftp://collections.example\"\nsecret = [\"{good}\", \"{good}\", \"{good}\"]\n\
         events = [\"contact_request.*\", \"contact_request.lost\"]\ntimeout = \"PT1H\"\nallow_private = \"yes\"\n\
         [[webhooks]]\nname = \"a/b\"\nurl = \"https://collections.example\"\nsecret = {{ env = \"NOT_SET\" }}\n"
    ));
    let said = desk.run(&["check", "config"]).refused(1);
    for wanted in [
        "dunwell.toml:10: [[webhooks]] url leads to a private address, so it is not told anything",
        "dunwell.toml:13: [[webhooks]] secret is not a Standard Webhooks secret: write `whsec_`",
        "dunwell.toml:15: [[webhooks]] name is another webhook's name too",
        "dunwell.toml:16: [[webhooks]] url is not a web address",
        "dunwell.toml:17: [[webhooks]] secret names more than two",
        "dunwell.toml:18: [[webhooks]] events names `contact_request.lost`, but we tell of contact_request.deferred",
        "dunwell.toml:19: [[webhooks]] timeout must be between PT1S and PT1M",
        "dunwell.toml:20: [[webhooks]] allow_private is text, but must be true or false",
        "dunwell.toml:22: [[webhooks]] name must have 1 to 100 letters",
        "dunwell.toml:24: [[webhooks]] secret cannot be had: the environment variable NOT_SET is not set",
    ] {
        assert!(said.contains(wanted), "{wanted}\n{said}");
    }
    assert!(!said.contains("S3CRET") && !said.contains(good), "a secret is never shown: {said}");
}

#[test]
fn render_shows_a_message_with_its_segments_and_disclosures() {
    let desk = Desk::new();
    for (channel, language, wanted) in [
        ("sms", "en", "segments     "),
        ("sms", "es", "cobrador de deudas"),
        ("email", "en", "subject      "),
        ("portal", "es", "subject      "),
        ("voice", "en", "disclosures  "),
    ] {
        let said =
            desk.run(&["render", "payment-reminder", "--channel", channel, "--language", language]).ok();
        assert!(said.contains(wanted), "{channel} {language}: {wanted} is not in\n{said}");
        assert!(said.contains(&format!("language     {language}")), "{said}");
    }
    let said = desk.run(&["render", "payment-remainder", "--channel", "sms", "--language", "en"]).refused(1);
    assert!(
        said.contains("there is no template `payment-remainder`; there are")
            && said.contains("payment-reminder")
    );
    let named = ["render", "payment-reminder", "--channel", "sms", "--language", "en", "--sample", "nobody"];
    assert!(desk.run(&named).refused(1).contains("it has one-account"));
}

#[test]
fn keys_are_made_shown_once_listed_and_revoked() {
    let desk = Desk::new();
    assert_eq!(desk.run(&["keys", "list"]).ok(), "no keys; make one with `dunwell keys create`\n");
    let made = desk.run(&["keys", "create", "--role", "upstream", "--name", "the CRM"]).ok();
    let key = made.split_whitespace().last().expect("the key").to_owned();
    assert!(key.len() > 40, "{made}");
    let list = desk.run(&["keys", "list"]).ok();
    assert!(list.contains("upstream") && list.contains("the CRM") && list.contains("in force"), "{list}");
    assert!(!list.contains(&key), "{list}");
    let id = list.split_whitespace().next().expect("its id").to_owned();
    desk.run(&["keys", "revoke", &id]).ok();
    assert!(desk.run(&["keys", "list"]).ok().contains("revoked"));
    assert!(desk.run(&["keys", "revoke", &id]).refused(1).contains("there is no key"));
    assert!(desk.run(&["keys", "revoke", "key_1"]).refused(1).contains("identifier"));
    assert!(desk.run(&["keys", "create", "--role", "upstream", "--name", " "]).refused(1).contains("--name"));
}

#[test]
fn a_store_is_verified_backed_up_and_restored() {
    let desk = Desk::new();
    assert!(desk.run(&["verify", "--log"]).refused(1).contains("there is no store"));
    assert!(desk.run(&["backup", "copy.db"]).refused(1).contains("there is no store"));
    desk.run(&["keys", "create", "--role", "compliance", "--name", "the officer"]).ok();
    assert!(desk.run(&["verify", "--log"]).ok().contains("whole: 0 events"));
    let copied = desk.run(&["backup", "copy.db", "--keys", "copy-keys.db"]).ok();
    assert!(copied.contains("copy.db: a copy of the history"), "{copied}");
    assert!(desk.run(&["backup", "copy.db"]).refused(1).contains("exists already"));
    assert!(
        desk.run(&["restore", "copy.db", "--keys", "copy-keys.db"]).refused(1).contains("exists already")
    );

    for entry in fs::read_dir(desk.path().join("data")).expect("a directory") {
        let path = entry.expect("an entry").path();
        if !path.ends_with("master.key") {
            fs::remove_file(path).expect("removed");
        }
    }
    desk.run(&["restore", "copy.db", "--keys", "copy-keys.db"]).ok();
    assert!(desk.run(&["keys", "list"]).ok().contains("the officer"));
    assert!(desk.run(&["verify", "--log"]).ok().contains("whole"));
}

#[test]
fn a_master_key_that_is_gone_is_said_before_anything_else_is_lost() {
    let desk = Desk::new();
    desk.run(&["keys", "create", "--role", "admin", "--name", "x"]).ok();
    fs::remove_file(desk.path().join("data/master.key")).expect("removed");
    assert!(desk.run(&["keys", "list"]).refused(1).contains("put the file back"));
    assert!(!desk.path().join("data/master.key").exists(), "no new key is made behind a store");
    assert!(desk.run(&["verify", "--log"]).ok().contains("whole"), "the chains need no key");
}

#[test]
fn the_description_is_printed_whole() {
    let desk = Desk::new();
    let document: serde_json::Value = serde_json::from_str(&desk.run(&["openapi"]).ok()).expect("JSON");
    assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.1")));
    assert!(document["paths"]["/v1/contact-requests"]["post"].is_object());
}

#[test]
fn the_demo_tells_its_account_and_keeps_to_its_folder() {
    let desk = Desk::new();
    let said = desk.run(&["demo", "--config", "x.toml"]).refused(1);
    assert!(said.contains("the demo brings its own configuration"), "{said}");
    let strange = desk.path().join("strange");
    fs::create_dir(&strange).expect("a directory");
    fs::write(strange.join("mine"), "x").expect("written");
    let said = desk.run(&["demo", "--data", "strange"]).refused(1);
    assert!(said.contains("was not made by the demo"), "{said}");

    let mut command = Command::new(env!("CARGO_BIN_EXE_dunwell"));
    command.args(["demo", "--once", "--port", "0", "--data"]).arg(desk.path().join("demo"));
    let output = command.current_dir(ROOT).stdin(Stdio::null()).output().expect("the program starts");
    let account = Said::from(output).ok();
    for wanted in
        ["Sample 001", "12 CFR 1006.6(b)(1)(i)", "40 contact requests:", "delivered", "deferred", "blocked"]
    {
        assert!(account.contains(wanted), "{wanted} is not in\n{account}");
    }
    // What waited for eight o'clock went out when it struck. On a machine that is very busy it may strike before Los Angeles is
    // asked, but in Honolulu it is two hours away.
    assert!(account.contains("Los Angeles    Sample 003  sms     sent"), "{account}");
    assert!(account.contains("Honolulu       Sample 007  voice   defer"), "{account}");
    assert!(!account.contains('\u{1b}'), "no colour but on a terminal");
}

#[test]
fn a_secret_in_the_address_of_a_callback_is_not_printed() {
    let desk = Desk::new();
    let callback = "GET /callbacks/sms/kannel/status?attempt=att_0198c0de000070008000000000000017&state=1&token=own-secret-of-0017 HTTP/1.1\n\n";
    fs::write(desk.path().join("callback.http"), callback).expect("written");
    let token = "callback_token=own-secret-of-0017";
    let tried = ["provider", "try", "sms/kannel", "--set", token, "--callback", "callback.http"];
    let said = desk.run(&tried).ok();
    assert!(said.contains("signature    holds") && said.contains("token=[redacted]"), "{said}");
    assert!(!said.contains("secret-of-0017"), "{said}");
}
