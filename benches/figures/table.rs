//! The table: aligned on a terminal, and as Markdown.

use crate::figure::{Figure, Figures, Goal, Name, Sense, median};

const HEAD: [&str; 7] = ["figure", "ours", "reference", "ratio", "floor", "aim", "verdict"];

type Row = [String; 7];

fn rows(figures: &Figures) -> Vec<Row> {
    Name::ALL.into_iter().filter_map(|name| Some(row(&name.goal(), figures.get(name)?))).collect()
}

fn row(goal: &Goal, figure: &Figure) -> Row {
    let bare = figure.reference.is_empty();
    let bound = |value: f64| {
        let sign = if goal.sense == Sense::AtLeast { "≥" } else { "≤" };
        if bare { format!("{sign} {value} {}", goal.unit) } else { format!("{sign} {value}") }
    };
    let verdict = figure.not_judged.clone().unwrap_or_else(|| figure.verdict(goal).words().to_owned());
    [
        goal.name.to_owned(),
        spread(&figure.ours, goal.unit),
        if bare {
            "–".to_owned()
        } else {
            format!("{}, {}", spread(&figure.reference, goal.unit), goal.against)
        },
        if bare { "–".to_owned() } else { format!("{:.2}", figure.judged()) },
        bound(goal.floor),
        bound(goal.aim),
        verdict,
    ]
}

/// The median, and the least and most where there are several.
fn spread(values: &[f64], unit: &str) -> String {
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    match values.len() {
        1 => format!("{} {unit}", plain(values[0])),
        _ => format!("{} ({}–{}) {unit}", plain(median(values)), plain(least), plain(most)),
    }
}

/// As many digits as mean something, thousands set apart.
fn plain(value: f64) -> String {
    if value.abs() < 10.0 {
        return format!("{value:.3}");
    }
    if value.abs() < 1_000.0 {
        return format!("{value:.1}");
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// For a terminal.
pub fn text(figures: &Figures) -> String {
    let mut rows = rows(figures);
    rows.insert(0, HEAD.map(str::to_owned));
    let widths: Vec<usize> = (0..HEAD.len())
        .map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0))
        .collect();
    let mut out = String::new();
    for row in &rows {
        for (cell, width) in row.iter().zip(&widths) {
            out += &format!("{cell:<width$}  ");
        }
        out.truncate(out.trim_end().len());
        out.push('\n');
    }
    out
}

/// As Markdown, with the machine's facts above and the notes below.
pub fn markdown(figures: &Figures, facts: &[String]) -> String {
    let mut out = String::new();
    for fact in facts {
        out += &format!("- {fact}\n");
    }
    out += &format!("\n| {} |\n|{}\n", HEAD.join(" | "), " --- |".repeat(HEAD.len()));
    for row in rows(figures) {
        out += &format!("| {} |\n", row.join(" | "));
    }
    out += &format!("\n{}", notes(figures));
    out
}

/// What else each figure's last round said, and the faults.
pub fn notes(figures: &Figures) -> String {
    let mut out = String::new();
    for name in Name::ALL {
        if let Some(note) = figures.get(name).and_then(|figure| figure.notes.last()) {
            out += &format!("- {}: {note}\n", name.goal().name);
        }
    }
    for fault in &figures.faults {
        out += &format!("- FAULT: {fault}\n");
    }
    out
}
