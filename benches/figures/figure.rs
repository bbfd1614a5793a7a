//! A figure: what is measured, against what, and how good is good enough.

/// Which way a figure should go.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Sense {
    /// More is better.
    AtLeast,
    /// Less is better.
    AtMost,
}

/// A figure's definition.
pub struct Goal {
    /// What is measured.
    pub name: &'static str,
    /// What it is measured against; empty where the value itself is judged.
    pub against: &'static str,
    /// The unit of both values.
    pub unit: &'static str,
    /// Which way is better.
    pub sense: Sense,
    /// The floor, of the ratio or of the value itself.
    pub floor: f64,
    /// The aim, likewise.
    pub aim: f64,
}

/// The figures, in the order of the table.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Name {
    Intake32,
    Intake128,
    Batch,
    Dispatch,
    Cpu,
    Barrier,
    Decision,
    Start,
    Memory,
    Restart,
    Scrub,
}

impl Name {
    /// Every figure, in the order of the table.
    pub const ALL: [Self; 11] = [
        Self::Intake32,
        Self::Intake128,
        Self::Batch,
        Self::Dispatch,
        Self::Cpu,
        Self::Barrier,
        Self::Decision,
        Self::Start,
        Self::Memory,
        Self::Restart,
        Self::Scrub,
    ];

    /// Its definition.
    pub const fn goal(self) -> Goal {
        use Sense::{AtLeast, AtMost};
        let noop = "axum no-op, same generator";
        match self {
            Self::Intake32 => {
                goal("single POST, durable; 32 connections", noop, "req/s", AtLeast, 0.33, 0.50)
            }
            Self::Intake128 => {
                goal("single POST, durable; 128 connections", noop, "req/s", AtLeast, 0.33, 0.50)
            }
            Self::Batch => goal(
                "NDJSON batch, durable",
                "SQLite FULL, 1,000 rows a transaction",
                "rows/s",
                AtLeast,
                0.25,
                0.45,
            ),
            Self::Dispatch => goal(
                "end to end over an HTTP vendor; 32 connections",
                noop,
                "messages/s",
                AtLeast,
                0.16,
                0.28,
            ),
            Self::Cpu => {
                goal("own CPU a dispatched message", "axum no-op's a request", "us", AtMost, 8.0, 5.0)
            }
            Self::Barrier => {
                goal("a STOP durable and answered amid 1,000 texts/s, p99", "", "ms", AtMost, 200.0, 100.0)
            }
            Self::Decision => goal("decision, 1,000 past contacts, p99", "", "us", AtMost, 200.0, 20.0),
            Self::Start => goal("start to first accepted request", "", "s", AtMost, 2.0, 1.0),
            Self::Memory => goal(
                "memory for each million debtors",
                "bare hash map, 44-byte values",
                "MiB",
                AtMost,
                2.0,
                1.2,
            ),
            Self::Scrub => goal("scrub of a list, by rows", "", "rows/s", AtLeast, 2_000.0, 10_000.0),
            Self::Restart => goal("kill -9 under full load, to first accept", "", "s", AtMost, 2.0, 0.5),
        }
    }
}

const fn goal(
    name: &'static str,
    against: &'static str,
    unit: &'static str,
    sense: Sense,
    floor: f64,
    aim: f64,
) -> Goal {
    Goal { name, against, unit, sense, floor, aim }
}

/// A figure as measured, a value a round.
#[derive(Default)]
pub struct Figure {
    /// Ours.
    pub ours: Vec<f64>,
    /// The reference's, of the same rounds; empty where there is none.
    pub reference: Vec<f64>,
    /// What else is worth knowing.
    pub notes: Vec<String>,
    /// Why it is not judged, if it is not.
    pub not_judged: Option<String>,
}

/// All figures, and what should never have happened.
#[derive(Default)]
pub struct Figures {
    measured: Vec<(Name, Figure)>,
    /// Lost or repeated messages and the like.
    pub faults: Vec<String>,
}

impl Figures {
    /// The figure to add to.
    pub fn of(&mut self, name: Name) -> &mut Figure {
        let at = match self.measured.iter().position(|(known, _)| *known == name) {
            Some(at) => at,
            None => {
                self.measured.push((name, Figure::default()));
                self.measured.len() - 1
            }
        };
        &mut self.measured[at].1
    }

    /// The figure, if it was measured.
    pub fn get(&self, name: Name) -> Option<&Figure> {
        self.measured.iter().find(|(known, _)| *known == name).map(|(_, figure)| figure)
    }

    /// Adds a round's values, and says them as they come.
    pub fn add(&mut self, name: Name, ours: f64, reference: Option<f64>, note: String) {
        let goal = name.goal();
        let beside = reference.map_or(String::new(), |value| format!(" / {value:.1} = {:.3}", ours / value));
        eprintln!("  {}: {ours:.3} {}{beside}  ({note})", goal.name, goal.unit);
        let figure = self.of(name);
        figure.ours.push(ours);
        figure.reference.extend(reference);
        figure.notes.push(note);
    }
}

/// What a figure comes to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    BelowFloor,
    FloorMet,
    AimMet,
}

impl Figure {
    /// The value that is judged: the median of the rounds' ratios, or of the values where there is no reference.
    pub fn judged(&self) -> f64 {
        if self.reference.is_empty() {
            return median(&self.ours);
        }
        median(
            &self
                .ours
                .iter()
                .zip(&self.reference)
                .map(|(ours, reference)| ours / reference)
                .collect::<Vec<_>>(),
        )
    }

    /// How it stands to its floor and aim.
    pub fn verdict(&self, goal: &Goal) -> Verdict {
        let value = self.judged();
        let reaches = |bound: f64| match goal.sense {
            Sense::AtLeast => value >= bound,
            Sense::AtMost => value <= bound,
        };
        match (reaches(goal.floor), reaches(goal.aim)) {
            (_, true) => Verdict::AimMet,
            (true, false) => Verdict::FloorMet,
            (false, false) => Verdict::BelowFloor,
        }
    }
}

impl Verdict {
    /// In words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::BelowFloor => "below floor",
            Self::FloorMet => "floor met",
            Self::AimMet => "aim met",
        }
    }
}

/// The middle value (not a number where there is none).
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        odd if odd % 2 == 1 => sorted[odd / 2],
        even => f64::midpoint(sorted[even / 2 - 1], sorted[even / 2]),
    }
}
