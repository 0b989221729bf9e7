//! A new revision of a segment never takes back a stable word, whatever the recogniser says.

use crate::hearing::Word;

/// The stable words, then what the recogniser says of the time after them; and how many are stable now.
pub(crate) fn merge(stable: &[Word], heard: Vec<Word>) -> (Vec<Word>, usize) {
    let agrees =
        heard.len() >= stable.len() && stable.iter().zip(&heard).all(|(a, b)| a.text == b.text && a.mark == b.mark);
    let tail: Vec<Word> = if agrees {
        heard.into_iter().skip(stable.len()).collect()
    } else {
        let end_ms = stable.last().map_or(0, |w| w.end_ms);
        heard.into_iter().filter(|w| w.middle_ms() > end_ms).collect()
    };
    let mut words = stable.to_vec();
    for word in tail {
        if !word.mark || words.last().is_some_and(|last| !last.mark) {
            words.push(word);
        }
    }
    let more = words[stable.len()..].iter().take_while(|w| w.stable).count();
    (words, stable.len() + more)
}

#[cfg(test)]
mod tests {
    use super::super::tests::words;
    use super::*;

    fn text(words: &[Word]) -> String {
        words.iter().map(|w| w.text.as_str()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn an_agreeing_revision_is_taken_as_it_is() {
        let (merged, stable) = merge(&words("let us", 0, 2), words("let us pray", 0, 3));
        assert_eq!((text(&merged).as_str(), stable), ("let us pray", 3));
    }

    #[test]
    fn a_recogniser_that_changes_its_mind_is_heard_only_after_the_stable_words() {
        let (merged, stable) = merge(&words("let us", 0, 2), words("lettuce is pray together", 0, 1));
        assert_eq!((text(&merged).as_str(), stable), ("let us pray together", 2));
    }
}
