//! Word error rate: word-level Levenshtein distance over the number of words of the script.

use serde::Serialize;

/// Errors of a transcript against its script.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WordErrors {
    /// Words of the script.
    pub words: usize,
    /// Words heard.
    pub heard: usize,
    /// Substitutions, deletions and insertions together, as few as possible.
    pub errors: usize,
}

impl WordErrors {
    /// Errors per word of the script, percent; above 100 when much was made up.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "counts of words")]
    pub fn percent(&self) -> f64 {
        100.0 * self.errors as f64 / self.words.max(1) as f64
    }
}

/// Lower case, without punctuation. An apostrophe inside a word belongs to it and falls away; a hyphen parts words.
#[must_use]
pub fn words(text: &str) -> Vec<String> {
    let plain: String = text
        .to_lowercase()
        .chars()
        .filter(|c| !matches!(c, '\'' | '’'))
        .map(|c| if c.is_alphanumeric() { c } else { ' ' })
        .collect();
    plain.split_whitespace().map(str::to_owned).collect()
}

/// Compares what was heard with the script.
#[must_use]
pub fn compare(script: &str, heard: &str) -> WordErrors {
    let (script, heard) = (words(script), words(heard));
    WordErrors { words: script.len(), heard: heard.len(), errors: distance(&script, &heard) }
}

/// Levenshtein distance with one row of memory.
fn distance(a: &[String], b: &[String]) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn case_and_punctuation_are_no_errors() {
        assert_eq!(compare("Good evening, everybody. Don't go!", "good evening everybody don’t go").errors, 0);
    }

    #[test]
    fn a_wrong_a_missing_and_an_added_word_are_one_error_each() {
        assert_eq!(compare("one two three four", "one too three four").errors, 1);
        assert_eq!(compare("one two three four", "one three four").errors, 1);
        assert_eq!(compare("one two three four", "one two and three four").errors, 1);
    }

    #[test]
    fn silence_against_a_script_is_all_errors() {
        let errors = compare("one two", "");
        assert_eq!((errors.errors, errors.percent() as u32), (2, 100));
    }

    #[test]
    fn an_empty_script_does_not_divide_by_zero() {
        assert!(compare("", "noise").percent().is_finite());
    }

    proptest! {
        #[test]
        fn the_distance_is_a_metric(a in "[ab ]{0,12}", b in "[ab ]{0,12}", c in "[ab ]{0,12}") {
            let d = |x: &str, y: &str| compare(x, y).errors;
            prop_assert_eq!(d(&a, &a), 0);
            prop_assert_eq!(d(&a, &b), d(&b, &a));
            prop_assert!(d(&a, &c) <= d(&a, &b) + d(&b, &c));
            prop_assert!(d(&a, &b) <= words(&a).len().max(words(&b).len()));
        }
    }
}
