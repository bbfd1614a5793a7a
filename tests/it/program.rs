//! The program itself: its check, its refusal to start on bad settings, and the demonstration.

use crate::support::gateway::{Gateway, Setup, free_address};
use crate::support::http::Client;
use crate::support::sample::{noon, person};
use crate::support::{PATIENCE, Process, eventually};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Instant;

fn text(output: &std::process::Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn the_shipped_configuration_is_without_fault() {
    let output = Command::new(env!("CARGO_BIN_EXE_dunwell"))
        .arg("check")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("the program starts");
    assert!(output.status.success(), "{}", text(&output));
}

#[test]
fn check_names_every_fault_with_file_and_line_and_serve_refuses_to_start() {
    let gateway = Gateway::unstarted(Setup::default());
    let good = fs::read_to_string(gateway.config_path()).expect("readable");
    let bad = good
        .replace("listen = \"127", "listen = \"nowhere, 127")
        .replace("neutral_name", "neutral_nmae")
        .replace("role = \"third_party\"", "role = \"uncle\"")
        .replace("packs = [\"us-federal\"]", "packs = [\"us-federal\", \"atlantis\"]")
        .replace("providers = [\"sandbox\"]", "providers = [\"carrier-pigeon\"]");
    assert_ne!(good, bad);
    fs::write(gateway.config_path(), &bad).expect("written");
    let line = |needle: &str| 1 + bad.lines().position(|line| line.contains(needle)).expect("there");
    let check = gateway.tool(&["check"]);
    assert_eq!(check.status.code(), Some(1), "{}", text(&check));
    let serve = gateway.tool(&["serve"]);
    assert!(serve.status.code().is_some_and(|code| code != 0), "{}", text(&serve));
    for said in [text(&check), text(&serve)] {
        for fault in ["nowhere", "neutral_nmae", "uncle", "atlantis", "carrier-pigeon"] {
            let place = format!("dunwell.toml:{}", line(fault));
            assert!(said.contains(&place), "no fault at {place} ({fault}):\n{said}");
        }
    }
}

#[test]
fn check_names_faults_in_packs_templates_and_manifests() {
    let gateway = Gateway::unstarted(Setup::default());
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for (from, to) in [("config/policy", "policy"), ("templates", "templates"), ("providers", "providers")] {
        copy(&root.join(from), &gateway.dir().join(to));
    }
    let config = fs::read_to_string(gateway.config_path()).expect("readable");
    let here = gateway.dir().display().to_string();
    let config = config
        .replace(&format!("{}/config/policy", root.display()), &format!("{here}/policy"))
        .replace(&format!("{}/templates", root.display()), &format!("{here}/templates"))
        .replace(&format!("{}/providers", root.display()), &format!("{here}/providers"));
    fs::write(gateway.config_path(), config).expect("written");
    let check = gateway.tool(&["check"]);
    assert!(check.status.success(), "{}", text(&check));

    // A letter changed in one file of each kind.
    let spoil = |under: &str, ends: &str, find: &str, replace: &str| {
        let path = find_file(&gateway.dir().join(under), ends, find)
            .unwrap_or_else(|| panic!("no {find} under {under}"));
        let content = fs::read_to_string(&path).expect("readable");
        fs::write(&path, content.replacen(find, replace, 1)).expect("written");
        let line = 1 + content.lines().position(|line| line.contains(find)).expect("there");
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        format!("{name}:{line}")
    };
    let places = [
        spoil("policy/us-federal", ".toml", "citation", "citatoin"),
        spoil("templates", ".hbs", "{{", "{{#iff "),
        spoil("providers/sms/twilio", "manifest.toml", "deadline = \"PT", "deadline = \"in "),
    ];
    let check = gateway.tool(&["check"]);
    assert_eq!(check.status.code(), Some(1));
    for place in places {
        assert!(text(&check).contains(&place), "no fault at {place}:\n{}", text(&check));
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory");
    for entry in fs::read_dir(from).unwrap_or_else(|e| panic!("{}: {e}", from.display())) {
        let path = entry.expect("an entry").path();
        let target = to.join(path.file_name().expect("a name"));
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).expect("copied");
        }
    }
}

/// The first file, by name, that ends so and has this text.
fn find_file(under: &Path, ends: &str, content: &str) -> Option<PathBuf> {
    let mut entries: Vec<_> =
        fs::read_dir(under).expect("a directory").map(|e| e.expect("an entry").path()).collect();
    entries.sort();
    entries.into_iter().find_map(|path| {
        let name = path.to_string_lossy().into_owned();
        let fits = name.ends_with(ends) && !name.contains(".cases.");
        match path.is_dir() {
            true => find_file(&path, ends, content),
            false => {
                (fits && fs::read_to_string(&path).is_ok_and(|text| text.contains(content))).then_some(path)
            }
        }
    })
}

#[test]
fn what_does_not_work_yet_is_refused_by_name() {
    let gateway = Gateway::unstarted(Setup::default());
    for (name, value) in [
        ("DUNWELL__STORE__URL", "postgres://localhost/dunwell"),
        ("DUNWELL__REDIS__URL", "redis://localhost"),
    ] {
        let output = gateway
            .command(&["serve"])
            .env(name, value)
            .stdin(Stdio::null())
            .output()
            .expect("the program starts");
        assert!(!output.status.success(), "{value} was ignored");
        let scheme = value.split(':').next().expect("a scheme");
        assert!(text(&output).contains(scheme), "{}", text(&output));
    }
    let short = gateway
        .command(&["serve"])
        .env("DUNWELL_BOOTSTRAP_KEY", "too-short")
        .output()
        .expect("the program starts");
    assert!(!short.status.success() && text(&short).contains("DUNWELL_BOOTSTRAP_KEY"), "{}", text(&short));
    assert!(!text(&short).contains("too-short"), "a key is never printed: {}", text(&short));
}

#[test]
fn a_second_gateway_on_the_same_store_is_refused() {
    let gateway = Gateway::start();
    let mut command = gateway.command(&["serve", "--listen", &free_address().to_string()]);
    let mut second = Process(
        command.stdin(Stdio::null()).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().expect("it starts"),
    );
    let status = eventually("the second to give up", || second.0.try_wait().expect("a child"));
    assert!(!status.success());
    assert_eq!(gateway.anyone().get("/readyz").status(), 200);
}

#[test]
fn a_copy_taken_while_it_runs_can_be_put_back() {
    let gateway = Gateway::start();
    let sample = person(1);
    sample.enter(&gateway.admin(), noon());
    let (history, keys) = (gateway.dir().join("copy.db"), gateway.dir().join("copy-keys.db"));
    let files = [history.to_str().expect("a path"), "--keys", keys.to_str().expect("a path")];
    let copied = gateway.tool(&[&["backup"], &files[..]].concat());
    assert!(copied.status.success(), "{}", text(&copied));
    let again = gateway.tool(&[&["backup"], &files[..]].concat());
    assert!(!again.status.success(), "a copy is never written over");

    let mut other = Gateway::unstarted(Setup::default());
    fs::copy(gateway.data_dir().join("master.key"), other.data_dir().join("master.key")).expect("copied");
    let restored = other.tool(&[&["restore"], &files[..]].concat());
    assert!(restored.status.success(), "{}", text(&restored));
    other.run();
    assert_eq!(other.admin().get(&sample.path()).expect(200)["contact_points"][0]["value"], sample.phone);
    assert!(other.tool(&["verify", "--log"]).status.success());
    let onto = gateway.tool(&[&["restore"], &files[..]].concat());
    assert!(!onto.status.success(), "a store that is there is never replaced");
}

#[test]
fn the_demonstration_shows_decisions_and_goes_on_serving() {
    let dir = tempfile::tempdir().expect("a directory");
    let address = free_address();
    let mut command = Command::new(env!("CARGO_BIN_EXE_dunwell"));
    command.args(["demo", "--listen", &address.to_string(), "--data"]).arg(dir.path().join("data"));
    command
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut process = Process(command.spawn().expect("the program starts"));
    let (lines, said) = mpsc::channel();
    for stream in [
        Box::new(process.0.stdout.take().expect("a pipe")) as Box<dyn std::io::Read + Send>,
        Box::new(process.0.stderr.take().expect("a pipe")),
    ] {
        let lines = lines.clone();
        std::thread::spawn(move || {
            BufReader::new(stream).lines().map_while(Result::ok).try_for_each(|line| lines.send(line))
        });
    }
    let (mut printed, deadline) = (String::new(), Instant::now() + PATIENCE);
    let address_told = address.to_string();
    let complete = |printed: &str| {
        ["CFR", "sms", "email", "voice", "portal", &address_told].iter().all(|part| printed.contains(part))
    };
    while !complete(&printed) {
        let line = said.recv_timeout(deadline.saturating_duration_since(Instant::now()));
        printed += &line
            .unwrap_or_else(|_| panic!("waited for decisions with their reasons, but saw only\n{printed}"));
        printed.push('\n');
    }
    let client = Client { address, key: None };
    assert_eq!(client.get("/readyz").status(), 200);
    assert!(process.0.try_wait().expect("a child").is_none(), "it goes on serving");
}
