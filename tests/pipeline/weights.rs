//! The weights of the second opinion, learnt again from what they are learnt from, and judged on the part of it that was left out.
//!
//! After a change to a set other than `held-out-*.tsv`, or to what a reply shows, `DUNWELL_LEARN=1 cargo test --test pipeline weights::` writes
//! `src/reply/words/weights.tsv` and `harmless.tsv` anew.

use crate::learning::{Corpus, Example, LIGHTEST, Weights, weigh, written};
use crate::replies::{Score, percent, print};
use dunwell::reply::Reader;
use std::sync::LazyLock;

static CORPUS: LazyLock<Corpus> = LazyLock::new(Corpus::read);

fn refuse_others(file: &str, learnt: &Weights) {
    let path = format!("{}/src/reply/words/{file}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("DUNWELL_LEARN").is_some() {
        std::fs::write(&path, written(learnt)).expect("the weights are written");
    }
    let shipped = std::fs::read_to_string(&path).expect("the weights");
    let shipped: Weights = shipped
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .map(|(shown, weight)| (shown.to_owned(), weight.parse().expect("hundredths")))
        .collect();
    // Another processor's exponential may differ in its last digit, and a weight by what comes of that.
    let differ = |shown: &&String| {
        let of = |weights: &Weights| weights.get(*shown).copied().unwrap_or(0);
        (of(learnt) - of(&shipped)).abs() > LIGHTEST
    };
    let differing: Vec<&String> = learnt.keys().chain(shipped.keys()).filter(differ).take(10).collect();
    assert!(differing.is_empty(), "{file}: learn the weights again (DUNWELL_LEARN=1): {differing:?}");
}

#[test]
fn the_weights_are_those_that_the_sets_give() {
    let all: Vec<&Example> = CORPUS.examples.iter().collect();
    refuse_others("weights.tsv", &CORPUS.stop(&all));
    refuse_others("harmless.tsv", &CORPUS.harmless(&all));
}

/// The weights that some replies teach, and a reader that has them.
fn taught(taught: &[&Example]) -> (Weights, Reader) {
    let stop = CORPUS.stop(taught);
    let harmless = CORPUS.harmless(taught);
    let reader = Reader::with_weights(&written(&stop), &written(&harmless)).expect("weights");
    (stop, reader)
}

/// What the scale of stops says by itself.
#[derive(Default)]
struct Alone {
    stops: usize,
    others: usize,
    right: usize,
    wrong: usize,
    sure: usize,
    surely_wrong: usize,
}

impl Alone {
    fn add(&mut self, stop: bool, odds: f64) {
        let (yes, surely) = (usize::from(odds > 0.0), usize::from(odds > 2.5));
        if stop {
            (self.stops, self.right, self.sure) = (self.stops + 1, self.right + yes, self.sure + surely);
        } else {
            (self.others, self.wrong) = (self.others + 1, self.wrong + yes);
            self.surely_wrong += surely;
        }
    }
}

/// Each fifth of the sets, read by what the other four teach: the weights alone, and then the whole reading. The phrases were
/// made with the sets of tuning and stops; those that were written blind tell what to expect, and those that were written to be
/// as wild as can be tell what becomes of the worst.
#[test]
fn what_was_not_learnt_from_is_judged_too() {
    let mut alone = Alone::default();
    let (mut made_with, mut blind, mut wild) = (Score::default(), Score::default(), Score::default());
    let (decided, undecided): (Vec<&Example>, Vec<&Example>) =
        CORPUS.examples.iter().partition(|example| example.stop.is_some());
    for fold in 0..5 {
        let (kept, others): (Vec<_>, Vec<_>) = decided.iter().enumerate().partition(|(at, _)| at % 5 == fold);
        let others = others.into_iter().map(|(_, example)| *example).chain(undecided.iter().copied());
        let (stop, reader) = taught(&others.collect::<Vec<_>>());
        for (_, example) in kept {
            if let Some(meant) = example.stop {
                alone.add(meant, weigh(&stop, &CORPUS.shown(example)));
            }
            let score = match example.set {
                "blind" | "second" => &mut blind,
                "third" | "broad" => &mut wild,
                _ => &mut made_with,
            };
            score.add(&example.line, &reader);
        }
    }
    println!(
        "weighed alone, on what was not learnt: {} of {} stops ({:.1} %), {} of {} others ({:.1} %); sure of {} ({:.1} %) and {} ({:.1} %)",
        alone.right,
        alone.stops,
        percent(alone.right, alone.stops),
        alone.wrong,
        alone.others,
        percent(alone.wrong, alone.others),
        alone.sure,
        percent(alone.sure, alone.stops),
        alone.surely_wrong,
        percent(alone.surely_wrong, alone.others),
    );
    print("tuning and stops, by weights not learnt from them", &made_with);
    print("written blind, by weights not learnt from it", &blind);
    print("written to be wild, by weights not learnt from it", &wild);
    assert!(percent(alone.right, alone.stops) >= 94.0 && percent(alone.wrong, alone.others) <= 8.5);
    assert!(percent(alone.sure, alone.stops) >= 70.0 && percent(alone.surely_wrong, alone.others) <= 1.5);
    judge(&made_with, 98.5, 1.5, 0);
    judge(&blind, 97.5, 2.0, 1);
    // Of a hundred stops at their wildest some twelve wait for a person, and one or two go by.
    judge(&wild, 84.0, 6.0, 60);
    assert!(percent(blind.frozen.len(), blind.understood) <= 25.0, "false freezes");
    for (intent, recall, precision) in
        [("help", 65.0, 90.0), ("start", 80.0, 100.0), ("complaint", 90.0, 65.0), ("call_back", 75.0, 75.0)]
    {
        let [both, missed, extra] = blind.intents[intent];
        assert!(percent(both, both + missed) >= recall, "{intent}: {both} of {}", both + missed);
        assert!(percent(both, both + extra) >= precision, "{intent}: {extra} too much");
    }
}

fn judge(score: &Score, honoured: f64, wrong: f64, lost: usize) {
    assert!(percent(score.honoured, score.stops) >= honoured, "stops honoured");
    assert!(percent(score.wrong.len(), score.others) <= wrong, "{:#?}", score.wrong);
    assert!(score.lost.len() <= lost, "stops that went by as harmless: {:#?}", score.lost);
}

/// Each set that was written blind, read by what all the others teach: as people whose replies nobody has seen will be.
#[test]
fn a_whole_set_left_out_is_judged_too() {
    let mut all = Score::default();
    for set in ["blind", "second"] {
        let (kept, others): (Vec<&Example>, Vec<&Example>) =
            CORPUS.examples.iter().partition(|example| example.set == set);
        let (_, reader) = taught(&others);
        kept.into_iter().for_each(|example| all.add(&example.line, &reader));
    }
    print("written blind, by weights learnt from the other sets", &all);
    judge(&all, 97.0, 2.5, 1);
    assert!(percent(all.frozen.len(), all.understood) <= 25.0, "false freezes");
}
