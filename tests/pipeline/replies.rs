//! What replies say, measured on two sets that share no phrase: one that the word files were made with, and one that was
//! written before them and is only ever measured.

use dunwell::domain::channel::Channel;
use dunwell::domain::intent::Intent;
use dunwell::domain::money::Currency;
use dunwell::domain::time::Date;
use dunwell::reply::{Reader, Reading, Said};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// One line of a set: what it says, its language, and its words.
struct Line {
    labels: Vec<String>,
    language: &'static str,
    text: String,
}

fn lines(name: &str) -> Vec<Line> {
    let mut found = Vec::new();
    for language in ["en", "es"] {
        let path = format!("{}/tests/data/replies/{name}-{language}.tsv", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(&path).expect("a set");
        for line in text.lines().filter(|line| !line.is_empty()) {
            let (labels, text) = line.split_once('\t').expect("labels, a tab, and the words");
            let labels = labels.split(',').map(str::to_owned).collect();
            found.push(Line { labels, language, text: text.to_owned() });
        }
    }
    found
}

fn read(text: &str, language: &str) -> Reading {
    Reader::shipped().read(&Said {
        text,
        channel: Channel::Sms,
        language: Some(language),
        today: Date::constant(2026, 11, 25),
        currency: Some(Currency::parse("USD").expect("a currency")),
    })
}

fn stops(reading: &Reading) -> bool {
    reading.stop.is_some()
}

/// What is done about a reply, in one word.
fn outcome(reading: &Reading) -> &'static str {
    let bars = reading.found.iter().find(|found| found.intent.is_restrictive());
    match (stops(reading), bars, reading.doubt) {
        (true, ..) => "stop",
        (false, _, Some(_)) => "held",
        (false, Some(found), None) => found.intent.as_str(),
        (false, None, None) => reading.found.first().map_or("held", |found| found.intent.as_str()),
    }
}

/// The intent that a label names, if it names one.
fn intent(label: &str) -> Option<Intent> {
    match label {
        "callback" => Some(Intent::CallBack),
        other => Intent::from_word(other),
    }
}

#[derive(Default)]
struct Score {
    stops: usize,
    honoured: usize,
    held: usize,
    /// Stops that went by as harmless.
    lost: Vec<String>,
    unhonoured: Vec<String>,
    others: usize,
    /// Taken for a stop, and none.
    wrong: Vec<String>,
    /// Surely something else, and held all the same.
    frozen: Vec<String>,
    understood: usize,
    intents: BTreeMap<&'static str, [usize; 3]>,
    confusion: BTreeMap<(String, &'static str), usize>,
    misses: Vec<String>,
}

fn measure(lines: &[Line]) -> Score {
    let mut score = Score::default();
    for line in lines {
        let reading = read(&line.text, line.language);
        let label = |wanted: &str| line.labels.iter().any(|label| label == wanted);
        let meant_stop = label("stop") || label("cease");
        let done = outcome(&reading);
        *score.confusion.entry((line.labels[0].clone(), done)).or_default() += 1;
        if meant_stop {
            score.stops += 1;
            score.honoured += usize::from(stops(&reading));
            if !stops(&reading) {
                score.unhonoured.push(line.text.clone());
                if reading.doubt.is_some() {
                    score.held += 1;
                } else {
                    score.lost.push(line.text.clone());
                }
            }
        } else {
            score.others += 1;
            if stops(&reading) {
                score.wrong.push(line.text.clone());
            }
            let understandable = !(label("hold") || label("not_stop") || label("complaint"));
            score.understood += usize::from(understandable);
            if understandable && reading.doubt.is_some() {
                score.frozen.push(line.text.clone());
            }
        }
        let wanted: BTreeSet<Intent> = line.labels.iter().filter_map(|label| intent(label)).collect();
        if label("hold") || label("not_stop") || label("other") {
            continue;
        }
        let mut found: BTreeSet<Intent> = reading.intents().into_iter().collect();
        if wanted.contains(&Intent::Cease) {
            found.remove(&Intent::Stop);
        }
        for intent in wanted.union(&found) {
            let row = score.intents.entry(intent.as_str()).or_default();
            match (wanted.contains(intent), found.contains(intent)) {
                (true, true) => row[0] += 1,
                (true, false) => {
                    row[1] += 1;
                    score.misses.push(format!("{intent} not found: {}", line.text));
                }
                (false, _) => {
                    row[2] += 1;
                    score.misses.push(format!("{intent} too much: {}", line.text));
                }
            }
        }
    }
    score
}

fn percent(part: usize, whole: usize) -> f64 {
    100.0 * part as f64 / whole.max(1) as f64
}

fn print(name: &str, score: &Score) {
    let mut text = format!("\n== replies, {name}\n");
    let _ = writeln!(
        text,
        "stop: {} of {} honoured ({:.2} %), {} held, {} lost; wrongly honoured {} of {} ({:.2} %); false freezes {} of {} ({:.2} %)",
        score.honoured,
        score.stops,
        percent(score.honoured, score.stops),
        score.held,
        score.lost.len(),
        score.wrong.len(),
        score.others,
        percent(score.wrong.len(), score.others),
        score.frozen.len(),
        score.understood,
        percent(score.frozen.len(), score.understood),
    );
    let _ = writeln!(text, "{:<14} {:>6} {:>7} {:>10}", "intent", "wanted", "recall", "precision");
    for (intent, [both, missed, extra]) in &score.intents {
        let _ = writeln!(
            text,
            "{intent:<14} {:>6} {:>7.1} {:>10.1}",
            both + missed,
            percent(*both, both + missed),
            percent(*both, both + extra)
        );
    }
    let columns: BTreeSet<&str> = score.confusion.keys().map(|(_, done)| *done).collect();
    let _ = write!(text, "{:<14}", "said \\ done");
    for column in &columns {
        let _ = write!(text, " {column:>12}");
    }
    let rows: BTreeSet<&String> = score.confusion.keys().map(|(label, _)| label).collect();
    for row in rows {
        let _ = write!(text, "\n{row:<14}");
        for column in &columns {
            let count = score.confusion.get(&(row.clone(), *column)).copied().unwrap_or(0);
            let _ = write!(text, " {:>12}", if count == 0 { ".".to_owned() } else { count.to_string() });
        }
    }
    println!("{text}\n");
}

#[test]
fn tuning() {
    let score = measure(&lines("tuning"));
    print("tuning", &score);
    for (name, list) in [
        ("UNHONOURED", &score.unhonoured),
        ("LOST", &score.lost),
        ("WRONG", &score.wrong),
        ("FROZEN", &score.frozen),
        ("MISS", &score.misses),
    ] {
        for line in list {
            println!("{name}: {line}");
        }
    }
}

/// Only sums are printed: whoever reads the lines that fail would tune by them.
#[test]
fn held_out() {
    let score = measure(&lines("held-out"));
    print("held out", &score);
}
