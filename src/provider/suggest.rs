//! "Did you mean": the word that a mistyped one is nearest to.

/// ` (did you mean …?)`, or nothing where no known word is near.
pub fn nearest<W: AsRef<str>>(word: &str, known: &[W]) -> String {
    let bare = |known: &str| known.trim_end_matches(':').to_owned();
    let found = known
        .iter()
        .map(|known| bare(known.as_ref()))
        .map(|known| (distance(&word.to_lowercase(), &known.to_lowercase()), known))
        .filter(|(distance, known)| *distance * 3 <= known.len().max(word.len()).max(3))
        .min();
    found.map(|(_, known)| format!(" (did you mean `{known}`?)")).unwrap_or_default()
}

/// How many letters must be put in, left out, replaced or swapped with their neighbour (optimal string alignment).
fn distance(left: &str, right: &str) -> usize {
    let (left, right): (Vec<char>, Vec<char>) = (left.chars().collect(), right.chars().collect());
    let mut rows = vec![(0..=right.len()).collect::<Vec<usize>>()];
    for i in 1..=left.len() {
        let mut row = vec![i];
        for j in 1..=right.len() {
            let differs = usize::from(left[i - 1] != right[j - 1]);
            let mut least = (rows[i - 1][j] + 1).min(row[j - 1] + 1).min(rows[i - 1][j - 1] + differs);
            if i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[left.len()][right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_found_and_far_ones_are_not() {
        let known = ["method", "url", "headers", "repeatable", "first:"];
        for (word, found) in [
            ("metod", " (did you mean `method`?)"),
            ("mehtod", " (did you mean `method`?)"),
            ("header", " (did you mean `headers`?)"),
            ("fist", " (did you mean `first`?)"),
            ("quite_another", ""),
        ] {
            assert_eq!(nearest(word, &known), found, "{word}");
        }
        assert_eq!((distance("", "abc"), distance("abc", "abc"), distance("ab", "ba")), (3, 0, 1));
    }
}
