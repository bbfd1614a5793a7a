//! Logistic regression over what replies show: one of a stop, and one of what is harmless.

use crate::replies::{Line, lines};
use dunwell::reply::Reader;
use std::collections::BTreeMap;

/// The sets to learn from.
pub const SETS: [&str; 6] = ["tuning", "stops", "blind", "second", "third", "broad"];
/// What bars nothing and needs nobody; a complaint waits for a person, and a wish to hear more is nothing to be guessed.
const HARMLESS: [&str; 6] = ["already_paid", "callback", "hardship", "help", "other", "promise"];
/// How hard a weight is pulled to nothing.
const PULL: f64 = 5e-4;
/// The first step of a weight; later ones are shorter by how far it has gone (AdaGrad).
const STEP: f64 = 0.4;
/// A weight of fewer hundredths says nothing.
pub const LIGHTEST: i32 = 10;
/// A prime, so that replies are taken in no order of the file's.
const STRIDE: usize = 7919;

/// Hundredths by what is shown, `base` beside them.
pub type Weights = BTreeMap<String, i32>;

/// One reply to learn from.
pub struct Example {
    /// Of which of the sets.
    pub set: &'static str,
    pub line: Line,
    /// Whether it is a stop; none where nobody could say.
    pub stop: Option<bool>,
    /// Whether it is harmless, where the set tells what it says and that is no stop. What nobody could decide is not.
    pub harmless: Option<bool>,
    /// What it shows, by number.
    shown: Vec<usize>,
}

/// All replies to learn from.
pub struct Corpus {
    pub examples: Vec<Example>,
    names: Vec<String>,
}

/// How something is learnt.
struct Lesson {
    rounds: usize,
    /// What is shown by fewer replies is no evidence.
    shown_by: usize,
}

const STOP: Lesson = Lesson { rounds: 20, shown_by: 3 };
const MEANT: Lesson = Lesson { rounds: 10, shown_by: 4 };

impl Corpus {
    /// The sets as shipped.
    pub fn read() -> Self {
        let mut corpus = Self { examples: Vec::new(), names: Vec::new() };
        let mut places = BTreeMap::new();
        for set in SETS {
            for line in lines(set) {
                let mut shown = Vec::new();
                for name in Reader::shipped().shown(&line.text) {
                    let next = places.len();
                    shown.push(*places.entry(name).or_insert(next));
                }
                let stops = line.says("stop") || line.says("cease");
                let stop = (!line.says("hold")).then_some(stops);
                // The set of stops tells of most replies only whether they are one.
                let told = set != "stops" && !line.says("not_stop") && !stops;
                let harmless =
                    told.then(|| line.labels.iter().all(|label| HARMLESS.contains(&label.as_str())));
                corpus.examples.push(Example { set, stop, harmless, shown, line });
            }
        }
        corpus.names = vec![String::new(); places.len()];
        for (name, place) in places {
            corpus.names[place] = name;
        }
        corpus
    }

    /// What a reply shows, by name.
    pub fn shown(&self, example: &Example) -> Vec<&str> {
        example.shown.iter().map(|at| self.names[*at].as_str()).collect()
    }

    /// The weights for a stop, learnt from some of the replies.
    pub fn stop(&self, taught: &[&Example]) -> Weights {
        let told = taught.iter().filter_map(|one| Some((one.stop?, one.shown.as_slice())));
        self.learn(&told.collect::<Vec<_>>(), &STOP)
    }

    /// The weights for being harmless, learnt from those of the replies whose set tells.
    pub fn harmless(&self, taught: &[&Example]) -> Weights {
        let told = taught.iter().filter_map(|one| Some((one.harmless?, one.shown.as_slice())));
        self.learn(&told.collect::<Vec<_>>(), &MEANT)
    }

    fn learn(&self, rows: &[(bool, &[usize])], lesson: &Lesson) -> Weights {
        let mut counts = vec![0_usize; self.names.len()];
        rows.iter().flat_map(|(_, shown)| *shown).for_each(|at| counts[*at] += 1);
        let mut places = vec![usize::MAX; self.names.len()];
        let mut known: Vec<usize> = (0..counts.len()).filter(|at| counts[*at] >= lesson.shown_by).collect();
        known.sort_by_key(|at| &self.names[*at]);
        known.iter().enumerate().for_each(|(place, at)| places[*at] = place);
        let rows: Vec<(f64, Vec<usize>)> = rows
            .iter()
            .map(|(says, shown)| {
                let mut shown: Vec<usize> =
                    shown.iter().map(|at| places[*at]).filter(|place| *place != usize::MAX).collect();
                shown.sort_unstable();
                (f64::from(u8::from(*says)), shown)
            })
            .collect();
        let (mut weights, mut gone, mut base) = (vec![0.0; known.len()], vec![0.01; known.len()], 0.0);
        for round in 0..lesson.rounds {
            for turn in 0..rows.len() {
                let (says, shown) = &rows[(turn * STRIDE + round * 13) % rows.len()];
                let scale = (shown.len().max(1) as f64).sqrt();
                let odds = base + shown.iter().map(|at| weights[*at]).sum::<f64>() / scale;
                let wrong = 1.0 / (1.0 + (-odds).exp()) - says;
                base -= 0.02 * wrong;
                for at in shown {
                    let slope: f64 = wrong / scale + PULL * weights[*at];
                    gone[*at] += slope * slope;
                    weights[*at] -= STEP * slope / f64::sqrt(gone[*at]);
                }
            }
        }
        let hundredths = |weight: f64| (weight * 100.0).round() as i32;
        let heavy =
            known.into_iter().zip(weights).map(|(at, weight)| (self.names[at].clone(), hundredths(weight)));
        let mut learnt: Weights = heavy.filter(|(_, weight)| weight.abs() >= LIGHTEST).collect();
        learnt.insert("base".to_owned(), hundredths(base));
        learnt
    }
}

/// Weights as they are shipped.
pub fn written(weights: &Weights) -> String {
    weights.iter().map(|(shown, weight)| format!("{shown}\t{weight}\n")).collect()
}

/// As the product weighs.
pub fn weigh(weights: &Weights, shown: &[&str]) -> f64 {
    let known: Vec<f64> = shown
        .iter()
        .filter_map(|shown| weights.get(*shown))
        .map(|weight| f64::from(*weight) / 100.0)
        .collect();
    f64::from(weights["base"]) / 100.0 + known.iter().sum::<f64>() / (known.len().max(1) as f64).sqrt()
}
