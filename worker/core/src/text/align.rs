//! How far a newer revision of a result repeats what was told of it.
//!
//! The service promises that a stable word's content stands; it does not promise its times, how it is cut into items ("can not",
//! "cannot"), or where its marks are, and now and then it breaks the promise. So what was told is found again by its letters, item by
//! item; times decide only where letters do not.

use super::written::marks_end;
use crate::hearing::Item;

/// A letter more or less weighs as much as a word's end that is this far away, ms.
const LETTER_MS: u64 = 150;
/// Two texts that differ are compared letter by letter up to this product of their lengths; beyond it their items are counted.
const MOST_CELLS: usize = 2_000_000;
/// An item that begins with what was told goes on with another word when it ends so much later, ms: less than a short word takes.
const ANOTHER_WORD_MS: u64 = 100;

/// What was told of a result, in the words of its last revision.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Told {
    letters: Vec<char>,
    /// Items, for texts that are too long to be compared.
    items: usize,
    end_ms: u64,
    /// What was heard behind it, and not told for good.
    next: Vec<char>,
}

/// Where the new begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rest {
    /// The first item that was not told.
    pub(crate) from: usize,
    /// So many bytes of that item were told all the same.
    pub(crate) bytes: usize,
}

impl Told {
    /// These words were told.
    pub(crate) fn of(items: &[Item]) -> Self {
        let spelled = Spelled::of(items);
        let end_ms = items.last().map_or(0, |word| word.end_ms);
        Self { letters: spelled.letters, items: items.len(), end_ms, next: Vec::new() }
    }

    /// The same, when these words were heard behind it and may still change.
    pub(crate) fn before(self, next: &[Item]) -> Self {
        Self { next: Spelled::of(next).letters, ..self }
    }

    /// The end of the last word.
    pub(crate) fn end_ms(&self) -> u64 {
        self.end_ms
    }

    /// Whether both are the same, spelled as they may be.
    pub(crate) fn says_the_same(&self, other: &Self) -> bool {
        !self.letters.is_empty() && self.letters == other.letters
    }

    /// What of it these words, which begin somewhere within it, say again: all of it, or from any letter on that leaves `least` of the last ones; all of it
    /// where they say something else.
    pub(crate) fn heard_by(self, items: &[Item], least: usize) -> Self {
        let heard = Spelled::of(items).letters;
        let least = least.clamp(1, self.letters.len().max(1));
        let begins =
            (0..=self.letters.len().saturating_sub(least)).find(|from| heard.starts_with(&self.letters[*from..]));
        Self { letters: self.letters[begins.unwrap_or(0)..].to_vec(), ..self }
    }

    /// Letters.
    pub(crate) fn len(&self) -> usize {
        self.letters.len()
    }

    /// Whether these words begin with it, or it begins with all that they say so far.
    pub(crate) fn begins(&self, items: &[Item]) -> bool {
        let heard = Spelled::of(items).letters;
        let both = heard.len().min(self.letters.len());
        both > 0 && heard[..both] == self.letters[..both]
    }

    /// What of it these words begin with, from a letter on that is one of its first so many.
    pub(crate) fn heard_from_within(self, first: usize, items: &[Item]) -> Option<Self> {
        let heard = Spelled::of(items).letters;
        let from = (1..first).find(|from| heard.starts_with(&self.letters[*from..]))?;
        Some(Self { letters: self.letters[from..].to_vec(), ..self })
    }

    /// How many of these words, whose times are not known, are the last ones that were told.
    pub(crate) fn last_of(&self, items: &[Item]) -> Option<usize> {
        let ends = |count: &usize| self.letters.ends_with(&Spelled::of(&items[..*count]).letters);
        (1..=items.len())
            .filter(|count| !items[count - 1].mark)
            .take_while(|count| *count <= self.letters.len())
            .filter(ends)
            .last()
    }

    /// Whether this revision ends within what was told.
    pub(crate) fn is_longer_than(&self, items: &[Item]) -> bool {
        Spelled::of(items).letters.len() < self.letters.len()
    }

    /// Where what is new in this revision begins, the marks of the last word that was told included; behind its end when nothing is.
    pub(crate) fn rest(&self, items: &[Item]) -> Rest {
        let spelled = Spelled::of(items);
        let same = self.letters.iter().zip(&spelled.letters).take_while(|(told, heard)| told == heard).count();
        if same == self.letters.len() {
            self.within(same, &spelled, items)
        } else if same == spelled.letters.len() {
            Rest { from: items.len(), bytes: 0 }
        } else {
            Rest { from: self.nearest(same, &spelled, items), bytes: 0 }
        }
    }

    /// All letters are there again, and end here.
    fn within(&self, end: usize, spelled: &Spelled, items: &[Item]) -> Rest {
        let Some(last) = end.checked_sub(1).map(|at| spelled.places[at]) else { return Rest { from: 0, bytes: 0 } };
        let Some(next) = spelled.places.get(end).filter(|next| next.item == last.item) else {
            return Rest { from: last.item + 1, bytes: 0 };
        };
        let letters = spelled.places.iter().filter(|place| place.item == next.item).count();
        let told = spelled.places[..end].iter().filter(|place| place.item == next.item).count();
        // What had been heard behind it is another word, whatever the times are.
        let more = &spelled.letters[end..end + letters - told];
        let later = told * 2 <= letters && items[next.item].end_ms > self.end_ms + ANOTHER_WORD_MS;
        let goes_on = later || self.next.starts_with(more);
        // A mark that stands on the last letter is of it, although it may be a letter of its own to Unicode.
        let bytes = marks_end(&items[next.item].text, last.end);
        let goes_on = goes_on && bytes < items[next.item].text.len();
        if goes_on { Rest { from: next.item, bytes } } else { Rest { from: next.item + 1, bytes: 0 } }
    }

    /// The letters differ: the end of the item up to which they differ least, and that ends at the same time best.
    fn nearest(&self, same: usize, spelled: &Spelled, items: &[Item]) -> usize {
        let (told, heard) = (&self.letters[same..], &spelled.letters[same..]);
        if told.len() * heard.len() > MOST_CELLS {
            return self.items.min(items.len());
        }
        let distances = distances(told, heard);
        let cost = |count: usize| {
            let letters = spelled.places.iter().take_while(|place| place.item < count).count();
            // Within what is the same, all that was told behind it is missing.
            let missing = self.letters.len() - letters.min(self.letters.len());
            let differ = letters.checked_sub(same).map_or(Some(&missing), |at| distances.get(at))?;
            let end_ms = count.checked_sub(1).map_or_else(|| items[0].start_ms.min(self.end_ms), |n| items[n].end_ms);
            Some(*differ as u64 * LETTER_MS + end_ms.abs_diff(self.end_ms))
        };
        let ends = (0..=items.len()).filter(|count| count.checked_sub(1).is_none_or(|last| !items[last].mark));
        ends.filter_map(|count| Some((cost(count)?, count))).min().map_or(0, |(_, count)| count)
    }
}

/// The letters of some words, without case and marks, and where each is.
struct Spelled {
    letters: Vec<char>,
    places: Vec<Place>,
}

/// A letter's item, and the byte after it in the item.
#[derive(Clone, Copy)]
struct Place {
    item: usize,
    end: usize,
}

impl Spelled {
    fn of(items: &[Item]) -> Self {
        let mut spelled = Self { letters: Vec::new(), places: Vec::new() };
        for (item, word) in items.iter().enumerate().filter(|(_, word)| !word.mark) {
            // A word that is no letters at all is still something.
            let bare = !word.text.chars().any(char::is_alphanumeric);
            for (at, letter) in word.text.char_indices().filter(|(_, letter)| bare || letter.is_alphanumeric()) {
                let place = Place { item, end: at + letter.len_utf8() };
                for small in letter.to_lowercase() {
                    spelled.letters.push(small);
                    spelled.places.push(place);
                }
            }
        }
        spelled
    }
}

/// How far these letters are from each beginning of those (Levenshtein).
fn distances(told: &[char], heard: &[char]) -> Vec<usize> {
    let mut row: Vec<usize> = (0..=heard.len()).collect();
    for (n, letter) in told.iter().enumerate() {
        let mut before = std::mem::replace(&mut row[0], n + 1);
        for (m, other) in heard.iter().enumerate() {
            let here = (before + usize::from(letter != other)).min(row[m] + 1).min(row[m + 1] + 1);
            before = std::mem::replace(&mut row[m + 1], here);
        }
    }
    row
}

#[cfg(test)]
mod tests {
    use super::super::tests::items;
    use super::*;

    /// The words that are new in this revision.
    fn rest(told: &str, heard: &str) -> String {
        rest_of(&Told::of(&items(told, 0, 0)), &items(heard, 0, 0))
    }

    fn rest_of(told: &Told, heard: &[Item]) -> String {
        let Rest { from, bytes } = told.rest(heard);
        let texts = heard[from..].iter().enumerate().map(|(n, w)| if n == 0 { &w.text[bytes..] } else { &w.text });
        texts.filter(|text| *text != ",").collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn what_was_told_is_found_again_however_it_is_cut_and_marked() {
        let table = [
            ("let us", "let us pray", "pray"),
            ("let us", "Let us, pray", "pray"),
            ("we can not go", "we cannot go home", "home"),
            ("we cannot go", "we can not go home", "home"),
            ("amen amen", "amen amen amen", "amen"),
            ("let us pray", "let us", ""),
            ("", "let us", "let us"),
            ("let us", "", ""),
            ("50 %", "50 % more", "more"),
        ];
        for (told, heard, expected) in table {
            assert_eq!(rest(told, heard), expected, "{told} | {heard}");
        }
    }

    #[test]
    fn a_word_that_is_contradicted_costs_neither_itself_nor_its_neighbours() {
        let table = [
            ("let us", "lettuce is pray together", "pray together"),
            ("w1 w2 w3", "w1 x2 w3 w4", "w4"),
            ("the first word", "a first word is", "is"),
            ("we went there", "we want their now", "now"),
        ];
        for (told, heard, expected) in table {
            assert_eq!(rest(told, heard), expected, "{told} | {heard}");
        }
    }

    #[test]
    fn times_that_move_decide_nothing_where_letters_do() {
        let told = Told::of(&items("so let us", 0, 0));
        for shift in [0, 60, 150, 900] {
            assert_eq!(rest_of(&told, &items("so let us pray", shift, 0)), "pray", "{shift}");
        }
    }

    #[test]
    fn an_item_that_goes_on_with_another_word_gives_what_is_new_of_it() {
        let mut merged = items("we cannot go", 0, 0);
        let told = Told::of(&items("we can", 0, 0));
        assert_eq!(rest_of(&told, &merged), "go", "the same word, spelled otherwise");
        merged[1].end_ms = 1_100;
        assert_eq!(rest_of(&told, &merged), "not go", "two words in one item");
    }

    #[test]
    fn an_item_that_goes_on_with_the_word_that_had_been_heard_next_gives_it_whatever_its_time_is() {
        let told = Told::of(&items("we can", 0, 0)).before(&items("not go", 800, 0));
        assert_eq!(rest_of(&told, &items("we cannot go", 0, 0)), "not go");
        let told = Told::of(&items("we can", 0, 0)).before(&items("see", 800, 0));
        assert_eq!(rest_of(&told, &items("we cannot go", 0, 0)), "go");
    }

    #[test]
    fn no_character_that_a_person_sees_is_cut_where_what_is_new_begins() {
        let rest = |told: &str, merged: &str| {
            let mut heard = items(merged, 0, 0);
            heard[0].end_ms = 1_100;
            rest_of(&Told::of(&items(told, 0, 0)), &heard)
        };
        // "e" with an accent of its own; a Thai letter with its vowel and tone; Hindi ones with a vowel, and with what joins it to the next one.
        assert_eq!(rest("cafe", "cafe\u{301}latte"), "latte");
        assert_eq!(rest("ท", "ที่นั่น"), "นั่น");
        assert_eq!(rest("क", "किताब"), "ताब");
        assert_eq!(rest("नम", "नम\u{94d}स्कार"), "स्कार");
    }

    #[test]
    fn of_what_was_told_that_is_left_which_words_that_begin_within_it_say_again() {
        let left = |told: &str, heard: &str, least: usize| {
            let told = Told::of(&items(told, 0, 0)).heard_by(&items(heard, 0, 0), least);
            told.letters.iter().collect::<String>()
        };
        assert_eq!(left("let us pray", "let us pray and", 4), "letuspray");
        assert_eq!(left("let us pray", "us pray and", 4), "uspray");
        assert_eq!(left("letus pray", "us pray and", 4), "uspray", "two words in one item");
        assert_eq!(left("let us pray", "ray and", 4), "letuspray", "less than the last word");
        assert_eq!(left("let us pray", "and then", 4), "letuspray");
        assert_eq!(left("", "and then", 0), "");
    }

    #[test]
    fn texts_too_long_to_be_compared_are_counted() {
        let long = |word: &str| items(&format!("{word} {}", "word ".repeat(1_200)), 0, 0);
        let told = Told::of(&long("one")[..900]);
        assert_eq!(told.rest(&long("two")), Rest { from: 900, bytes: 0 });
    }
}
