//! Whether everything that was said was delivered, and once: sentence by sentence, whatever the recogniser makes of single words.
//!
//! The words that came are aligned with the words of the script at the least cost. A sentence is there when half of its words
//! are; what came beyond the script, in one piece as long as half of the shortest sentence, came twice (or from nowhere).

/// Something that was not delivered as it was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Flaw {
    /// Most of this sentence never came.
    Lost(String),
    /// These words came beyond what was said.
    Doubled(String),
}

/// What is wrong with the words that came.
///
/// A sentence of the script is a line, or ends at a full stop.
#[must_use]
pub fn flaws(script: &str, came: &str) -> Vec<Flaw> {
    let sentences: Vec<Vec<String>> =
        script.split(['.', '!', '?', '\n']).map(words).filter(|sentence| !sentence.is_empty()).collect();
    let shortest = sentences.iter().map(Vec::len).min().unwrap_or(0);
    let (said, came) = (sentences.concat(), words(came));
    let heard = align(&said, &came);
    let mut flaws = Vec::new();
    let mut begin = 0;
    for sentence in &sentences {
        let found = (begin..begin + sentence.len()).filter(|n| heard.iter().any(|(at, _)| at == n)).count();
        if found * 2 < sentence.len() {
            flaws.push(Flaw::Lost(sentence.join(" ")));
        }
        begin += sentence.len();
    }
    flaws.extend(beyond(&came, &heard, said.len(), (shortest / 2).max(2)).into_iter().map(Flaw::Doubled));
    flaws
}

/// Lower case, without marks.
fn words(text: &str) -> Vec<String> {
    let bare =
        |word: &str| word.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect::<String>();
    text.split_whitespace().map(bare).filter(|word| !word.is_empty()).collect()
}

/// Between two words that are in both, what came beyond the words that were said there; only pieces of at least so many words.
fn beyond(came: &[String], heard: &[(usize, usize)], said: usize, least: usize) -> Vec<String> {
    let ends = heard.iter().copied().chain([(said, came.len())]);
    let mut pieces = Vec::new();
    let (mut said_to, mut came_to) = (0, 0);
    for (at, here) in ends {
        let (missing, extra) = (at - said_to, here - came_to);
        if extra >= missing + least {
            pieces.push(came[came_to..here].join(" "));
        }
        (said_to, came_to) = (at + 1, here + 1);
    }
    pieces
}

/// The words that are in both, as pairs of their places, in order: the longest common subsequence.
fn align(said: &[String], came: &[String]) -> Vec<(usize, usize)> {
    let mut longest = vec![vec![0_u32; came.len() + 1]; said.len() + 1];
    for i in (0..said.len()).rev() {
        for j in (0..came.len()).rev() {
            longest[i][j] =
                if said[i] == came[j] { longest[i + 1][j + 1] + 1 } else { longest[i + 1][j].max(longest[i][j + 1]) };
        }
    }
    let (mut pairs, mut i, mut j) = (Vec::new(), 0, 0);
    while i < said.len() && j < came.len() {
        if said[i] == came[j] && longest[i][j] == longest[i + 1][j + 1] + 1 {
            pairs.push((i, j));
            (i, j) = (i + 1, j + 1);
        } else if longest[i + 1][j] >= longest[i][j + 1] {
            i += 1;
        } else {
            j += 1;
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCRIPT: &str = include_str!("../../samples/welcome.txt");

    fn lines() -> Vec<&'static str> {
        SCRIPT.lines().collect()
    }

    #[test]
    fn the_script_itself_has_no_flaw_and_nor_has_one_with_a_recognisers_errors() {
        assert_eq!(flaws(SCRIPT, SCRIPT), []);
        let errors = SCRIPT
            .replace("telephone", "tell a phone")
            .replace("everyone and", "every one in")
            .replace("countries", "country is")
            .replace("wonderful day", "one full day")
            .replace("immediately", "");
        assert_eq!(flaws(SCRIPT, &errors), []);
    }

    #[test]
    fn every_lost_sentence_is_named() {
        for n in 0..lines().len() {
            let mut came = lines();
            let lost = came.remove(n);
            let found = flaws(SCRIPT, &came.join(" "));
            assert_eq!(found, [Flaw::Lost(words(lost).join(" "))]);
        }
    }

    #[test]
    fn every_doubled_sentence_is_noticed_wherever_it_comes_again() {
        for n in 0..lines().len() {
            for later in n + 1..=lines().len() {
                let mut came = lines();
                came.insert(later, lines()[n]);
                let found = flaws(SCRIPT, &came.join(" "));
                assert!(found.iter().any(|flaw| matches!(flaw, Flaw::Doubled(_))), "{n} again at {later}: {found:?}");
            }
        }
    }

    #[test]
    fn half_a_sentence_that_comes_again_is_noticed() {
        for (n, line) in lines().into_iter().enumerate() {
            let half = line.split(' ').take(line.split(' ').count() / 2 + 1).collect::<Vec<_>>().join(" ");
            let mut came = lines();
            came.insert(n, &half);
            assert!(!flaws(SCRIPT, &came.join(" ")).is_empty(), "{half}");
        }
    }

    #[test]
    fn a_sentence_that_is_lost_while_another_comes_twice_is_noticed() {
        let mut came = lines();
        came[4] = lines()[2];
        let found = flaws(SCRIPT, &came.join(" "));
        assert!(found.contains(&Flaw::Lost(words(lines()[4]).join(" "))), "{found:?}");
    }

    #[test]
    fn the_first_words_of_a_sentence_may_be_missed_where_the_last_ones_are_not() {
        let came = SCRIPT.replace("Last year we were", "was her were");
        assert_eq!(flaws(SCRIPT, &came), []);
    }
}
