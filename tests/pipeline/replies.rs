//! What replies say, measured on three sets: one that the word files were made with; one that says of each reply only whether
//! it is a stop, and was made to mislead; and one that was written before the words, shares none with them and is only measured.

use dunwell::domain::channel::Channel;
use dunwell::domain::intent::Intent;
use dunwell::domain::money::Currency;
use dunwell::domain::time::Date;
use dunwell::reply::{Reader, Reading, Said};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// One line of a set: what it says, its language, and its words.
pub struct Line {
    pub labels: Vec<String>,
    pub language: &'static str,
    pub text: String,
}

impl Line {
    /// Whether it has a label.
    pub fn says(&self, wanted: &str) -> bool {
        self.labels.iter().any(|label| label == wanted)
    }
}

/// The lines of a set, in both languages.
pub fn lines(name: &str) -> Vec<Line> {
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
    read_by(Reader::shipped(), text, language)
}

fn read_by(reader: &Reader, text: &str, language: &str) -> Reading {
    reader.read(&Said {
        text,
        channel: Channel::Sms,
        language: Some(language),
        today: Date::constant(2026, 11, 25),
        currency: Some(Currency::parse("USD").expect("a currency")),
    })
}

/// Whether it ends contact by the medium that it came by: "no letters, texts are fine" does not.
fn stops(reading: &Reading) -> bool {
    reading.stop.as_ref().is_some_and(|stop| stop.here || stop.everything)
}

/// What is done about a reply, in one word.
fn outcome(reading: &Reading) -> &'static str {
    let bars = reading.found.iter().find(|found| found.intent.is_restrictive());
    match (stops(reading), bars, reading.doubt) {
        (true, ..) => "stop",
        (false, _, Some(_)) => "held",
        (false, Some(found), None) => found.intent.as_str(),
        (false, None, None) => reading.found.first().map_or("other", |found| found.intent.as_str()),
    }
}

/// The intent that a label names, if it names one.
fn intent(label: &str) -> Option<Intent> {
    match label {
        "callback" => Some(Intent::CallBack),
        other => Intent::from_word(other),
    }
}

/// What became of the replies of a set.
#[derive(Default)]
pub struct Score {
    pub stops: usize,
    pub honoured: usize,
    held: usize,
    /// Stops that went by as harmless.
    pub lost: Vec<String>,
    unhonoured: Vec<String>,
    pub others: usize,
    /// Others that wait for a person.
    others_held: usize,
    /// Taken for a stop, and none.
    pub wrong: Vec<String>,
    /// Taken for a wrong number or a death, and neither.
    finals: Vec<String>,
    /// Surely something else, and held all the same.
    pub frozen: Vec<String>,
    pub understood: usize,
    /// Of each intent how often it was found, missed, and found too much.
    pub intents: BTreeMap<&'static str, [usize; 3]>,
    confusion: BTreeMap<(String, &'static str), usize>,
    misses: Vec<String>,
}

fn measure(lines: &[Line]) -> Score {
    let mut score = Score::default();
    lines.iter().for_each(|line| score.add(line, Reader::shipped()));
    score
}

impl Score {
    /// Reads one reply, and counts what became of it.
    pub fn add(&mut self, line: &Line, reader: &Reader) {
        let score = self;
        let reading = read_by(reader, &line.text, line.language);
        let label = |wanted: &str| line.labels.iter().any(|label| label == wanted);
        let meant_stop = label("stop") || label("cease");
        let done = outcome(&reading);
        *score.confusion.entry((line.labels[0].clone(), done)).or_default() += 1;
        if meant_stop {
            score.stops += 1;
            score.honoured += usize::from(reading.stop.is_some());
            if reading.stop.is_none() {
                score.unhonoured.push(line.text.clone());
                if reading.doubt.is_some() {
                    score.held += 1;
                } else {
                    score.lost.push(line.text.clone());
                }
            }
        } else {
            score.others += 1;
            score.others_held += usize::from(reading.doubt.is_some());
            let ends = [Intent::WrongNumber, Intent::Deceased].into_iter();
            if stops(&reading) {
                score.wrong.push(line.text.clone());
            } else if ends.into_iter().any(|intent| reading.says(intent) && !label(intent.as_str())) {
                score.finals.push(line.text.clone());
            }
            let understandable = !(label("hold") || label("not_stop") || label("complaint"));
            score.understood += usize::from(understandable);
            if understandable && reading.doubt.is_some() {
                score.frozen.push(line.text.clone());
            }
        }
        let wanted: BTreeSet<Intent> = line.labels.iter().filter_map(|label| intent(label)).collect();
        if label("hold") || label("not_stop") || label("other") {
            return;
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
}

/// A part in hundredths of the whole.
pub fn percent(part: usize, whole: usize) -> f64 {
    100.0 * part as f64 / whole.max(1) as f64
}

/// Prints the figures of a set, and who was taken for what.
pub fn print(name: &str, score: &Score) {
    let mut text = format!("\n== replies, {name}\n");
    let _ = writeln!(
        text,
        "stop: {} of {} honoured ({:.2} %), {} held, {} lost; wrongly honoured {} of {} ({:.2} %), wrongly final {}; others held {} ({:.2} %), \
         false freezes {} of {} ({:.2} %)",
        score.honoured,
        score.stops,
        percent(score.honoured, score.stops),
        score.held,
        score.lost.len(),
        score.wrong.len(),
        score.others,
        percent(score.wrong.len(), score.others),
        score.finals.len(),
        score.others_held,
        percent(score.others_held, score.others),
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

/// Everything that a set shows of its mistakes.
fn mistakes(score: &Score) -> String {
    let lists = [
        ("not honoured", &score.unhonoured),
        ("lost", &score.lost),
        ("wrongly honoured", &score.wrong),
        ("falsely frozen", &score.frozen),
        ("", &score.misses),
    ];
    let lines =
        lists.iter().flat_map(|(what, list)| list.iter().map(move |line| format!("{what}: {line}\n")));
    lines.collect()
}

#[test]
fn the_set_that_the_words_were_made_with() {
    let score = measure(&lines("tuning"));
    print("tuning", &score);
    let mistakes = mistakes(&score);
    assert_eq!((score.honoured, score.lost.len()), (score.stops, 0), "{mistakes}");
    assert!(score.finals.len() <= 3, "{:?}", score.finals);
    assert!(percent(score.wrong.len(), score.others) <= 0.5, "{mistakes}");
    assert!(percent(score.frozen.len(), score.understood) <= 1.5, "{mistakes}");
    for (intent, [both, missed, extra]) in
        score.intents.iter().filter(|(_, [both, missed, _])| both + missed > 0)
    {
        assert!(percent(*both, both + missed) >= 95.0, "{intent}: {mistakes}");
        assert!(percent(*both, both + extra) >= 85.0, "{intent}: {mistakes}");
    }
}

/// Replies written to mislead: nearly every line has a twin that means the contrary.
#[test]
fn the_set_of_stops_and_what_looks_like_them() {
    let score = measure(&lines("stops"));
    print("stops", &score);
    let misleads =
        |score: &Score| format!("{:#?}\n{:#?}\n{:#?}", score.unhonoured, score.wrong, score.finals);
    assert!(score.stops >= 1_500 && score.others >= 1_000);
    assert!(percent(score.honoured, score.stops) >= 99.5, "{}", misleads(&score));
    assert!(percent(score.wrong.len() + score.finals.len(), score.others) <= 1.0, "{}", misleads(&score));
}

/// Only sums are printed: whoever reads the lines that fail would tune by them.
#[test]
fn the_set_kept_apart() {
    let score = measure(&lines("held-out"));
    print("held out", &score);
    assert!(
        score.stops >= 250 && score.others >= 300 && lines("held-out").len() + lines("tuning").len() > 1_000
    );
    assert!(percent(score.honoured, score.stops) >= 99.0, "stops honoured");
    assert_eq!(score.lost.len(), 0, "a stop went by as harmless");
    assert!(percent(score.wrong.len(), score.others) <= 1.0, "wrongly honoured");
    assert!(percent(score.frozen.len(), score.understood) <= 4.5, "false freezes");
    for (intent, floor) in [
        ("attorney", 95.0),
        ("bankruptcy", 95.0),
        ("call_back", 90.0),
        ("cease", 95.0),
        ("deceased", 95.0),
        ("dispute", 95.0),
        ("hardship", 90.0),
        ("promise", 90.0),
        ("refusal", 90.0),
        ("wrong_number", 90.0),
    ] {
        let [both, missed, _] = score.intents[intent];
        assert!(percent(both, both + missed) >= floor, "{intent}: {both} of {}", both + missed);
    }
}

/// Written by people who had seen neither the words nor the other sets. What the words were before it came honoured 439 of its
/// 460 stops, and 20 of its 460 others wrongly; the weights have learnt from it since.
#[test]
fn the_set_written_blind() {
    let score = measure(&lines("blind"));
    print("blind", &score);
    assert!(score.stops >= 440 && score.others >= 440);
    assert!(percent(score.honoured, score.stops) >= 99.0, "stops honoured");
    assert!(score.lost.len() <= 1, "stops that went by as harmless: {}", score.lost.len());
    assert!(percent(score.wrong.len() + score.finals.len(), score.others) <= 1.5, "wrongly honoured");
}

/// Likewise, later: 345 of 350 stops honoured and 15 of 350 others wrongly when it came, 347 and 9 once the two bounds of
/// `src/reply/opinion.rs` were set by its sums; the weights have learnt from it since.
#[test]
fn the_second_set_written_blind() {
    let score = measure(&lines("second"));
    print("second", &score);
    assert!(score.stops >= 340 && score.others >= 340);
    assert!(percent(score.honoured, score.stops) >= 99.0, "stops honoured");
    assert_eq!(score.lost.len(), 0, "a stop went by as harmless");
    assert!(percent(score.wrong.len() + score.finals.len(), score.others) <= 1.5, "wrongly honoured");
}

/// Wilder than the others by design: 334 of 395 stops honoured and 11 of 505 others wrongly when it came. The weights have learnt
/// from it since, and from `broad`, which was written to teach them.
#[test]
fn the_third_set_written_blind() {
    let score = measure(&lines("third"));
    print("third", &score);
    assert!(score.stops >= 360 && score.others >= 460);
    assert!(percent(score.honoured, score.stops) >= 96.0, "stops honoured");
    assert_eq!(score.lost.len(), 0, "a stop went by as harmless");
    assert!(percent(score.wrong.len() + score.finals.len(), score.others) <= 1.5, "wrongly honoured");
}

/// Nothing was learnt from these. When they came, 208 of 209 stops were honoured; since the weights know `third` and `broad`,
/// all of them are. Sums alone chose the bounds.
#[test]
fn the_fourth_set_written_blind() {
    let score = measure(&lines("fourth"));
    print("fourth", &score);
    assert!(score.stops >= 200 && score.others >= 240);
    assert!(percent(score.honoured, score.stops) >= 99.0, "stops honoured");
    assert_eq!(score.lost.len(), 0, "a stop went by as harmless");
    assert!(percent(score.wrong.len() + score.finals.len(), score.others) <= 2.0, "wrongly honoured");
    assert!(percent(score.frozen.len(), score.understood) <= 20.0, "false freezes");
}

/// No phrase stands in both sets; the few that others had written too were taken out of theirs.
#[test]
fn the_sets_share_no_long_phrase() {
    let plain = |line: &Line| -> String {
        line.text.to_lowercase().chars().filter(|c| c.is_alphanumeric() || *c == ' ').collect()
    };
    let tuned = ["tuning", "stops", "blind", "second", "third", "broad"].map(lines);
    let tuned: BTreeSet<String> = tuned.iter().flatten().map(plain).collect();
    let apart = ["held-out", "fourth"].map(lines);
    let shared: Vec<String> = apart.iter().flatten().map(plain).filter(|text| tuned.contains(text)).collect();
    // "stop", "ok" and their like belong in both; a sentence does not.
    let long: Vec<&String> = shared.iter().filter(|text| text.split_whitespace().count() > 5).collect();
    assert!(long.is_empty(), "{long:?}");
}

/// What people write around what they mean.
const AROUND: &[(&str, &str)] = &[
    ("", "."),
    ("", "!!!"),
    ("", " \u{1f64f}"),
    ("Hi. ", ""),
    ("Good morning. ", " Thank you."),
    ("I got your message. ", ""),
    ("Hello, this is Sample. ", " Have a nice day."),
    ("I am driving. ", ""),
    ("My son has been ill since March. ", " God bless"),
    ("Buenos d\u{ed}as. ", " Gracias."),
    ("OMG ", ""),
    ("", "\n\nSample Debtor\n12 Elm St"),
];

/// A stop is a stop whatever stands around it, in thousands of replies; and what is none becomes none by its surroundings.
#[test]
fn what_stands_around_changes_nothing() {
    let (mut read_in_all, mut lost, mut wrong) = (0, Vec::new(), Vec::new());
    let twins = lines("stops").into_iter().step_by(11);
    for line in lines("tuning").into_iter().chain(twins) {
        let meant = line.labels.iter().any(|label| label == "stop" || label == "cease");
        let around = AROUND.iter().map(|(before, after)| format!("{before}{}{after}", line.text));
        for text in around.chain([line.text.to_uppercase()]) {
            read_in_all += 1;
            let reading = read(&text, line.language);
            match (meant, stops(&reading)) {
                (true, false) => lost.push((reading.doubt.is_some(), text)),
                (false, true) => wrong.push(text),
                (true, true) | (false, false) => {}
            }
        }
    }
    println!("read {read_in_all}; not honoured {}, wrongly honoured {}", lost.len(), wrong.len());
    assert!(read_in_all > 8_000);
    let harmless: Vec<&String> = lost.iter().filter(|(held, _)| !held).map(|(_, text)| text).collect();
    assert!(harmless.is_empty(), "stops that went by: {harmless:#?}");
    assert!(percent(lost.len(), read_in_all) < 0.5, "{:#?}", lost.iter().take(40).collect::<Vec<_>>());
    assert!(percent(wrong.len(), read_in_all) < 0.5, "{:#?}", wrong.iter().take(40).collect::<Vec<_>>());
}
