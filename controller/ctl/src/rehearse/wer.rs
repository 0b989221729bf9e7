//! Word error rate: Levenshtein distance by words over the number of words of the script. A language that is written without spaces
//! is counted by characters, since a whole sentence would be one word there.

use schemas::ids::Language;
use serde::Serialize;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Unit {
    /// Words, where spaces part them.
    Words,
    /// Characters, where none do.
    Characters,
}

impl Unit {
    /// As the language is written.
    #[must_use]
    pub fn of(language: &Language) -> Self {
        if language.is_spaced() { Self::Words } else { Self::Characters }
    }

    /// In a line for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Words => "words",
            Self::Characters => "characters",
        }
    }

    /// What the rate is called.
    #[must_use]
    pub fn rate(self) -> &'static str {
        match self {
            Self::Words => "WER",
            Self::Characters => "CER",
        }
    }

    fn parts(self, text: &str) -> Vec<String> {
        match self {
            Self::Words => words(text),
            Self::Characters => words(text).concat().chars().map(String::from).collect(),
        }
    }
}

/// Errors of a transcript against its script.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WordErrors {
    /// What the three numbers count.
    pub unit: Unit,
    /// Words (or characters) of the script.
    pub words: usize,
    /// Words (or characters) heard.
    pub heard: usize,
    /// Substitutions, deletions and insertions together, as few as possible.
    pub errors: usize,
}

impl WordErrors {
    /// Errors per word (or character) of the script, percent; above 100 when much was made up.
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
pub fn compare(script: &str, heard: &str, unit: Unit) -> WordErrors {
    let (script, heard) = (unit.parts(script), unit.parts(heard));
    WordErrors { unit, words: script.len(), heard: heard.len(), errors: distance(&script, &heard) }
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

    fn compare(script: &str, heard: &str) -> WordErrors {
        super::compare(script, heard, Unit::Words)
    }

    #[test]
    fn a_language_without_spaces_is_counted_by_characters_wherever_spaces_stand() {
        let unit = Unit::of(&Language::try_new("ja").unwrap());
        let errors = super::compare("本日は AWS の話をします。", "本日はAWSの話をしました", unit);
        assert_eq!((errors.unit, errors.words, errors.heard, errors.errors), (Unit::Characters, 12, 13, 2));
        assert_eq!(Unit::of(&Language::try_new("en").unwrap()), Unit::Words);
    }

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
