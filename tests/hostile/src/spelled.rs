//! Talks whose words can be told apart wherever they are cut, joined or changed: `w3x5` is word 5 of sentence 3. What of
//! them was lost, doubled or contradicted can be read off the captions, in any script.

use crate::telling::{CONTRADICTED, REVISED, letter};
use std::collections::BTreeMap;

/// A language in which words are spelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spelling {
    /// Two letters.
    pub language: &'static str,
    /// Begins a word.
    word: char,
    /// Stands between the two numbers.
    between: char,
    zero_to_nine: [char; 10],
    /// Ends a clause, and a sentence.
    pub marks: [&'static str; 2],
}

const LATIN_DIGITS: [char; 10] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'];
const HAN_DIGITS: [char; 10] = ['零', '一', '二', '三', '四', '五', '六', '七', '八', '九'];

/// English, Russian, Arabic, Hindi, Korean; Chinese, Japanese and Thai, which are written without spaces.
pub const SPELLINGS: [Spelling; 8] = [
    Spelling { language: "en", word: 'w', between: 'x', zero_to_nine: LATIN_DIGITS, marks: [",", "."] },
    Spelling { language: "ru", word: 'н', between: 'х', zero_to_nine: LATIN_DIGITS, marks: [",", "."] },
    Spelling {
        language: "ar",
        word: 'ن',
        between: 'ب',
        zero_to_nine: ['٠', '١', '٢', '٣', '٤', '٥', '٦', '٧', '٨', '٩'],
        marks: ["،", "."],
    },
    Spelling {
        language: "hi",
        word: 'म',
        between: 'त',
        zero_to_nine: ['०', '१', '२', '३', '४', '५', '६', '७', '८', '९'],
        marks: [",", "।"],
    },
    Spelling {
        language: "ko",
        word: '말',
        between: '곳',
        zero_to_nine: ['영', '일', '이', '삼', '사', '오', '육', '칠', '팔', '구'],
        marks: [",", "."],
    },
    Spelling { language: "zh", word: '字', between: '词', zero_to_nine: HAN_DIGITS, marks: ["，", "。"] },
    Spelling { language: "ja", word: 'ま', between: 'り', zero_to_nine: HAN_DIGITS, marks: ["、", "。"] },
    Spelling {
        language: "th",
        word: 'ค',
        between: 'ม',
        zero_to_nine: ['๐', '๑', '๒', '๓', '๔', '๕', '๖', '๗', '๘', '๙'],
        marks: [",", "."],
    },
];

/// English.
pub const ENGLISH: Spelling = SPELLINGS[0];

/// Which word of which sentence.
pub type Place = (usize, usize);

/// What became of the words of a talk.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Score {
    /// Words that are not there.
    pub lost: Vec<Place>,
    /// Words that are there more than once.
    pub doubled: Vec<Place>,
    /// Words that are there as another word.
    pub changed: Vec<Place>,
    /// Words that stand before an earlier one.
    pub displaced: Vec<Place>,
    /// What is no word of the talk: a half of one, or one that was never said.
    pub strange: Vec<String>,
}

impl Score {
    /// Whether each word is there once, in its place.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.lost.is_empty() && self.doubled.is_empty() && self.displaced.is_empty() && self.strange.is_empty()
    }
}

impl Spelling {
    /// The word of this place.
    #[must_use]
    pub fn spell(&self, (sentence, word): Place) -> String {
        format!("{}{}{}{}", self.word, self.number(sentence), self.between, self.number(word))
    }

    fn number(&self, number: usize) -> String {
        number.to_string().bytes().map(|digit| self.zero_to_nine[usize::from(digit - b'0')]).collect()
    }

    /// What became of the words that were said, in the text of all finals one after another.
    #[must_use]
    pub fn score(&self, said: &[Place], text: &str) -> Score {
        let (read, strange) = self.read(text);
        let mut times: BTreeMap<Place, usize> = said.iter().map(|place| (*place, 0)).collect();
        let mut score = Score { strange, ..Score::default() };
        let mut last = None;
        for (place, as_said) in read {
            let Some(count) = times.get_mut(&place) else {
                score.strange.push(self.spell(place));
                continue;
            };
            *count += 1;
            if !as_said {
                score.changed.push(place);
            }
            if *count > 1 {
                score.doubled.push(place);
            } else if last.is_some_and(|last| place < last) {
                score.displaced.push(place);
            }
            last = last.max(Some(place));
        }
        score.lost = times.into_iter().filter(|(_, times)| *times == 0).map(|(place, _)| place).collect();
        score
    }

    /// The words of a text, whichever they were taken for.
    pub fn places(&self, text: &str) -> impl Iterator<Item = Place> {
        self.read(text).0.into_iter().map(|(place, _)| place)
    }

    /// The words of a text, whether each is as it was said, and what else is there beside spaces and marks.
    fn read(&self, text: &str) -> (Vec<(Place, bool)>, Vec<String>) {
        let letters: Vec<char> = text.chars().filter(|letter| self.counts(*letter)).collect();
        let (mut words, mut strange) = (Vec::new(), Vec::<String>::new());
        let (mut at, mut whole) = (0, true);
        while at < letters.len() {
            match self.word(&letters[at..]) {
                Some((place, as_said, len)) => {
                    words.push((place, as_said));
                    (at, whole) = (at + len, true);
                }
                None => {
                    match strange.last_mut().filter(|_| !whole) {
                        Some(rest) => rest.push(letters[at]),
                        None => strange.push(letters[at].into()),
                    }
                    (at, whole) = (at + 1, false);
                }
            }
        }
        (words, strange)
    }

    fn counts(&self, letter: char) -> bool {
        !letter.is_whitespace() && !self.marks.iter().any(|mark| mark.contains(letter))
    }

    /// The word at the begin of these letters, and how many they are.
    fn word(&self, letters: &[char]) -> Option<(Place, bool, usize)> {
        let first = *letters.first()?;
        let other = [REVISED, CONTRADICTED].into_iter().any(|by| letter(self.word, by) == Some(first));
        let (sentence, digits) = self.digits(&letters[1..])?;
        if (first != self.word && !other) || letters.get(1 + digits) != Some(&self.between) {
            return None;
        }
        let (word, more) = self.digits(&letters[2 + digits..])?;
        Some(((sentence, word), first == self.word, 2 + digits + more))
    }

    fn digits(&self, letters: &[char]) -> Option<(usize, usize)> {
        let digit = |letter: &char| self.zero_to_nine.iter().position(|digit| digit == letter);
        let found: Vec<usize> = letters.iter().map_while(digit).take(7).collect();
        (!found.is_empty()).then(|| (found.iter().fold(0, |number, digit| number * 10 + digit), found.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: [Place; 3] = [(0, 0), (0, 1), (12, 30)];

    #[test]
    fn words_are_read_in_every_script_however_they_are_joined_and_split() {
        for spelling in SPELLINGS {
            let words: Vec<String> = SAID.iter().map(|place| spelling.spell(*place)).collect();
            for between in ["", " ", spelling.marks[0]] {
                assert_eq!(spelling.score(&SAID, &words.join(between)), Score::default(), "{words:?}");
            }
            let apart: Vec<String> = words.concat().chars().map(String::from).collect();
            assert!(spelling.score(&SAID, &apart.join(" ")).is_whole());
        }
    }

    #[test]
    fn what_is_lost_doubled_changed_displaced_or_strange_is_told() {
        let score = |text: &str| ENGLISH.score(&SAID, text);
        assert_eq!(score("w0x0 w12x30").lost, [(0, 1)]);
        assert_eq!(score("w0x0 w0x1 w0x1 w12x30").doubled, [(0, 1)]);
        assert_eq!(score("w0x0 v0x1 u12x30").changed, [(0, 1), (12, 30)]);
        assert_eq!(score("w0x1 w0x0 w12x30").displaced, [(0, 0)]);
        assert_eq!(score("w0x0 w0 w0x1 w12x30 w7x7").strange, ["w0", "w7x7"]);
        assert!(!score("").is_whole());
    }

    #[test]
    fn a_word_that_is_taken_for_another_is_known_in_every_script() {
        for spelling in SPELLINGS {
            for by in [REVISED, CONTRADICTED] {
                let other = letter(spelling.word, by).unwrap();
                let word = spelling.spell((3, 4)).replacen(spelling.word, &other.to_string(), 1);
                let score = spelling.score(&[(3, 4)], &word);
                assert_eq!((score.is_whole(), score.changed.len()), (true, 1), "{word}");
            }
        }
    }
}
