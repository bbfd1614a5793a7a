//! The weights of the second opinion, learnt again from what they are learnt from, and judged on the part of it that was left out.
//!
//! After a change to a set other than `held-out-*.tsv`, or to what a reply shows, `DUNWELL_LEARN=1 cargo test --test pipeline weights::` writes
//! `src/reply/words/weights.tsv` anew.

use dunwell::reply::Reader;
use std::collections::{BTreeMap, BTreeSet};

/// Rounds over the set.
const ROUNDS: usize = 20;
/// How hard a weight is pulled to nothing.
const PULL: f64 = 5e-4;
/// The first step of a weight; later ones are shorter by how far it has gone (AdaGrad).
const STEP: f64 = 0.4;
/// What is shown by fewer replies is no evidence.
const SHOWN_BY: usize = 2;
/// A weight of fewer hundredths says nothing.
const LIGHTEST: i32 = 10;
/// A prime, so that replies are taken in no order of the file's.
const STRIDE: usize = 7919;

struct Example {
    stop: bool,
    shown: BTreeSet<String>,
}

/// What the two sets to learn from say of stops, a reply that nobody could decide left out.
fn examples() -> Vec<Example> {
    let mut found = Vec::new();
    for name in
        ["tuning-en", "tuning-es", "stops-en", "stops-es", "blind-en", "blind-es", "second-en", "second-es"]
    {
        let path = format!("{}/tests/data/replies/{name}.tsv", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(&path).expect("a set");
        for line in text.lines().filter(|line| !line.is_empty()) {
            let (labels, text) = line.split_once('\t').expect("labels, a tab, and the words");
            let says = |wanted: &str| labels.split(',').any(|label| label == wanted);
            if !says("hold") {
                let stop = says("stop") || says("cease");
                found.push(Example { stop, shown: Reader::shipped().shown(text) });
            }
        }
    }
    found
}

/// Logistic regression: hundredths by what is shown, `base` beside them.
fn learn(examples: &[&Example]) -> BTreeMap<String, i32> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for shown in examples.iter().flat_map(|example| &example.shown) {
        *counts.entry(shown).or_default() += 1;
    }
    let known: Vec<&str> =
        counts.into_iter().filter(|(_, count)| *count >= SHOWN_BY).map(|(shown, _)| shown).collect();
    let place: BTreeMap<&str, usize> = known.iter().enumerate().map(|(at, shown)| (*shown, at)).collect();
    let rows: Vec<(f64, Vec<usize>)> = examples
        .iter()
        .map(|example| {
            let shown = example.shown.iter().filter_map(|shown| place.get(shown.as_str()).copied());
            (f64::from(u8::from(example.stop)), shown.collect())
        })
        .collect();
    let (mut weights, mut gone, mut base) = (vec![0.0; known.len()], vec![0.01; known.len()], 0.0);
    for round in 0..ROUNDS {
        for turn in 0..rows.len() {
            let (stop, shown) = &rows[(turn * STRIDE + round * 13) % rows.len()];
            let scale = (shown.len().max(1) as f64).sqrt();
            let odds = base + shown.iter().map(|at| weights[*at]).sum::<f64>() / scale;
            let wrong = 1.0 / (1.0 + (-odds).exp()) - stop;
            base -= 0.02 * wrong;
            for at in shown {
                let slope: f64 = wrong / scale + PULL * weights[*at];
                gone[*at] += slope * slope;
                weights[*at] -= STEP * slope / f64::sqrt(gone[*at]);
            }
        }
    }
    let hundredths = |weight: f64| (weight * 100.0).round() as i32;
    let heavy = known.into_iter().zip(weights).map(|(shown, weight)| (shown.to_owned(), hundredths(weight)));
    let mut learnt: BTreeMap<String, i32> = heavy.filter(|(_, weight)| weight.abs() >= LIGHTEST).collect();
    learnt.insert("base".to_owned(), hundredths(base));
    learnt
}

fn written(weights: &BTreeMap<String, i32>) -> String {
    weights.iter().map(|(shown, weight)| format!("{shown}\t{weight}\n")).collect()
}

/// As the product weighs.
fn weigh(weights: &BTreeMap<String, i32>, shown: &BTreeSet<String>) -> f64 {
    let known: Vec<f64> = shown
        .iter()
        .filter_map(|shown| weights.get(shown))
        .map(|weight| f64::from(*weight) / 100.0)
        .collect();
    f64::from(weights["base"]) / 100.0 + known.iter().sum::<f64>() / (known.len().max(1) as f64).sqrt()
}

#[test]
fn the_weights_are_those_that_the_tuning_set_gives() {
    let examples = examples();
    let learnt = learn(&examples.iter().collect::<Vec<_>>());
    let path = format!("{}/src/reply/words/weights.tsv", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("DUNWELL_LEARN").is_some() {
        std::fs::write(&path, written(&learnt)).expect("the weights are written");
    }
    let shipped = std::fs::read_to_string(&path).expect("the weights");
    let shipped: BTreeMap<String, i32> = shipped
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .map(|(shown, weight)| (shown.to_owned(), weight.parse().expect("hundredths")))
        .collect();
    // Another processor's exponential may differ in its last digit, and a weight by what comes of that.
    let differ = |shown: &&String| {
        let of = |weights: &BTreeMap<String, i32>| weights.get(*shown).copied().unwrap_or(0);
        (of(&learnt) - of(&shipped)).abs() > LIGHTEST
    };
    let differing: Vec<&String> = learnt.keys().chain(shipped.keys()).filter(differ).take(10).collect();
    assert!(differing.is_empty(), "learn the weights again (DUNWELL_LEARN=1): {differing:?}");
}

/// Each fifth of the set, judged by what the other four teach.
#[test]
fn what_was_not_learnt_from_is_judged_too() {
    let examples = examples();
    let (mut stops, mut others, mut right, mut wrong, mut sure, mut surely_wrong) = (0, 0, 0, 0, 0, 0);
    for fold in 0..5 {
        let (kept, taught): (Vec<_>, Vec<_>) =
            examples.iter().enumerate().partition(|(at, _)| at % 5 == fold);
        let weights = learn(&taught.into_iter().map(|(_, example)| example).collect::<Vec<_>>());
        for (_, example) in kept {
            let odds = weigh(&weights, &example.shown);
            let (yes, surely) = (usize::from(odds > 0.0), usize::from(odds > 2.5));
            if example.stop {
                (stops, right, sure) = (stops + 1, right + yes, sure + surely);
            } else {
                (others, wrong, surely_wrong) = (others + 1, wrong + yes, surely_wrong + surely);
            }
        }
    }
    let percent = |part: usize, whole: usize| 100.0 * part as f64 / whole as f64;
    println!(
        "weighed alone, on what was not learnt: {right} of {stops} stops ({:.1} %), {wrong} of {others} others ({:.1} %); sure of \
         {sure} ({:.1} %) and {surely_wrong} ({:.1} %)",
        percent(right, stops),
        percent(wrong, others),
        percent(sure, stops),
        percent(surely_wrong, others),
    );
    assert!(percent(right, stops) >= 94.0 && percent(wrong, others) <= 8.5);
    assert!(percent(sure, stops) >= 75.0 && percent(surely_wrong, others) <= 1.5);
}
