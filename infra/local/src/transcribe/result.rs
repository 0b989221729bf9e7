//! From what the recogniser understands to the JSON that Transcribe sends.

use hostile_recogniser::wire::{Item, transcript};
use serde_json::{Value, json};

/// A word and when it was said, in seconds since the stream began.
#[derive(Debug, Clone, PartialEq)]
pub struct Word {
    /// As the recogniser writes it.
    pub text: String,
    /// Seconds.
    pub start: f64,
    /// Seconds.
    pub end: f64,
    /// 0…1.
    pub confidence: f64,
    /// The mark behind it; empty where there is none.
    pub mark: String,
}

/// How a recogniser writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writing {
    /// Words in lower case and nothing else: capital, full stop and the promise of stable words are made here.
    Words,
    /// Sentences with capitals and marks. The first `stable` words will not change any more, nor the marks between them.
    Sentences {
        /// So many.
        stable: usize,
    },
}

/// What a recogniser understands of one utterance, so far or for good.
#[derive(Debug, Clone, PartialEq)]
pub struct Heard {
    /// Number of the utterance within the stream.
    pub utterance: u32,
    /// Whether more may come, or change.
    pub partial: bool,
    /// At least one.
    pub words: Vec<Word>,
    /// How they are written.
    pub writing: Writing,
    /// The language, where it was to be found out.
    pub language: Option<String>,
}

/// How soon a word is called stable; after that it does not change any more, as AWS promises. Sooner is wrong more
/// often: of 336 words of flite's voices 21 (high) or 15 (medium, low) were wrong, against 15 without any promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stability {
    /// 0.5 s after the word's end on average.
    High,
    /// 0.7 s.
    Medium,
    /// 1.1 s.
    Low,
}

impl Stability {
    /// Seconds that must lie between a word's end and the newest word's, or between it and the newest sound.
    pub fn margin(self) -> f64 {
        match self {
            Self::High => 0.4,
            Self::Medium => 0.6,
            Self::Low => 1.0,
        }
    }
}

/// Writes the results of one stream.
#[derive(Debug, Default)]
pub struct Teller {
    stability: Option<Stability>,
    utterance: Option<u32>,
    result_id: String,
    last: Vec<Word>,
    stable: usize,
}

impl Teller {
    /// `stability`: whether items carry `Stable`, and how soon.
    pub fn new(stability: Option<Stability>) -> Self {
        Self { stability, ..Self::default() }
    }

    /// The body of a `TranscriptEvent`; `new_id` names a result that was not told of before.
    pub fn tell(&mut self, heard: &Heard, new_id: impl FnOnce() -> String) -> Value {
        if self.utterance != Some(heard.utterance) {
            self.utterance = Some(heard.utterance);
            self.result_id = new_id();
            self.last.clear();
            self.stable = 0;
        }
        let words = match heard.writing {
            Writing::Words => sentence(self.agree(&heard.words), heard.partial),
            Writing::Sentences { stable } => self.keep(&heard.words, stable),
        };
        let stable = if heard.partial { self.stable } else { words.len() };
        let items: Vec<Value> = (1..)
            .zip(&words)
            .flat_map(|(nth, word)| {
                // The mark behind the last stable word is open still.
                let mark = (!word.mark.is_empty()).then(|| self.mark(word, !heard.partial || nth < stable));
                [Some(self.item(word, heard.partial, nth <= stable)), mark].into_iter().flatten()
            })
            .collect();
        let mut result = json!({
            "Alternatives": [{ "Items": items, "Transcript": text_of(&words) }],
            "StartTime": ms(words.first().map_or(0.0, |word| word.start)),
            "EndTime": ms(words.last().map_or(0.0, |word| word.end)),
            "IsPartial": heard.partial,
            "ResultId": self.result_id,
        });
        if let Some(language) = &heard.language {
            result["LanguageCode"] = json!(language);
        }
        json!({ "Transcript": { "Results": [result] } })
    }

    /// What was called stable stays; the recogniser itself says what else will.
    fn keep(&mut self, heard: &[Word], stable: usize) -> Vec<Word> {
        if self.stability.is_none() {
            return heard.to_vec();
        }
        let mut words: Vec<Word> = self.last.iter().take(self.stable).cloned().collect();
        if let (Some(last), Some(now)) = (words.last_mut(), self.stable.checked_sub(1).and_then(|at| heard.get(at))) {
            last.mark.clone_from(&now.mark);
        }
        words.extend(heard.iter().skip(self.stable).cloned());
        self.stable = self.stable.max(stable.min(words.len()));
        self.last.clone_from(&words);
        words
    }

    /// What was called stable stays, whatever the recogniser thinks by now; then what two guesses agree on becomes
    /// stable, once it is old enough.
    fn agree(&mut self, heard: &[Word]) -> Vec<Word> {
        let Some(stability) = self.stability else { return heard.to_vec() };
        let mut words: Vec<Word> = self.last.iter().take(self.stable).cloned().collect();
        words.extend(behind(&words, heard).iter().cloned());
        let newest = words.last().map_or(0.0, |word| word.end);
        let agreed = words.iter().zip(&self.last).take_while(|(word, last)| word.text == last.text).count();
        let old = words.iter().take_while(|word| word.end <= newest - stability.margin()).count();
        self.stable = self.stable.max(agreed.min(old));
        self.last.clone_from(&words);
        words
    }

    fn item(&self, word: &Word, partial: bool, stable: bool) -> Value {
        let mut item = json!({ "Content": word.text, "StartTime": ms(word.start), "EndTime": ms(word.end),
            "Type": "pronunciation", "VocabularyFilterMatch": false });
        if !partial {
            item["Confidence"] = json!(word.confidence);
        }
        self.with_stable(item, stable)
    }

    fn mark(&self, word: &Word, stable: bool) -> Value {
        let mark = json!({ "Content": word.mark, "StartTime": ms(word.end), "EndTime": ms(word.end),
            "Type": "punctuation", "VocabularyFilterMatch": false });
        self.with_stable(mark, stable)
    }

    fn with_stable(&self, mut item: Value, stable: bool) -> Value {
        if self.stability.is_some() {
            item["Stable"] = json!(stable);
        }
        item
    }
}

/// What was heard behind these words. Guesses move words in time: the last of them is known by its place and its text, and by its time only where it is
/// not written so any more.
fn behind<'a>(words: &[Word], heard: &'a [Word]) -> &'a [Word] {
    let Some(last) = words.last() else { return heard };
    let place = words.len() - 1;
    let near = |n: &usize| n.abs_diff(place) <= 1 && heard[*n].text == last.text;
    let same = (0..heard.len()).filter(near).min_by_key(|n| n.abs_diff(place));
    let later = || heard.iter().position(|word| (word.start + word.end) / 2.0 >= last.end).unwrap_or(heard.len());
    &heard[same.map_or_else(later, |n| n + 1)..]
}

/// Seconds with the precision of a millisecond.
fn ms(seconds: f64) -> f64 {
    (seconds * 1_000.0).round() / 1_000.0
}

/// Bare words as a sentence is written; the full stop comes with the final.
fn sentence(mut words: Vec<Word>, partial: bool) -> Vec<Word> {
    for (at, word) in words.iter_mut().enumerate() {
        word.text = written(&word.text, at == 0);
    }
    if let Some(last) = words.last_mut().filter(|_| !partial) {
        ".".clone_into(&mut last.mark);
    }
    words
}

/// A word as it is written: the first one with a capital, and `I`.
fn written(word: &str, first: bool) -> String {
    let mut letters = word.chars();
    match letters.next() {
        Some(letter) if first || word == "i" || word.starts_with("i'") => {
            letter.to_uppercase().chain(letters).collect()
        }
        Some(_) | None => word.to_owned(),
    }
}

/// The words with their marks, spaces where their script has them.
fn text_of(words: &[Word]) -> String {
    let mark = |word: &Word| (!word.mark.is_empty()).then(|| Item::mark(&word.mark, 0, true));
    let items =
        words.iter().flat_map(|word| [Some(Item::word(&word.text, 0, 0, true)), mark(word)].into_iter().flatten());
    transcript(&items.collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(utterance: u32, partial: bool, text: &str) -> Heard {
        let word = |(at, text): (usize, &str)| {
            let at = f64::from(u32::try_from(at).unwrap());
            Word { text: text.into(), start: at, end: at + 0.500_4, confidence: 0.9, mark: String::new() }
        };
        let words = text.split(' ').enumerate().map(word).collect();
        Heard { utterance, partial, words, writing: Writing::Words, language: None }
    }

    fn result(body: &Value) -> &Value {
        &body["Transcript"]["Results"][0]
    }

    #[test]
    fn a_result_keeps_its_id_from_the_first_guess_to_the_last() {
        let mut teller = Teller::new(None);
        let mut ids = ["one", "two"].into_iter();
        let mut tell = |heard: Heard| {
            let body = teller.tell(&heard, || ids.next().unwrap().to_owned());
            result(&body)["ResultId"].as_str().unwrap().to_owned()
        };
        assert_eq!(tell(heard(1, true, "good")), "one");
        assert_eq!(tell(heard(1, false, "good morning")), "one");
        assert_eq!(tell(heard(2, true, "and")), "two");
    }

    fn stable(body: &Value) -> Vec<bool> {
        let items = result(body)["Alternatives"][0]["Items"].as_array().unwrap();
        items.iter().map(|item| item["Stable"].as_bool().unwrap()).collect()
    }

    #[test]
    fn only_what_two_guesses_agree_on_is_stable() {
        let mut teller = Teller::new(Some(Stability::High));
        teller.tell(&heard(1, true, "good more"), || "x".into());
        let body = teller.tell(&heard(1, true, "good morning all"), || "x".into());
        assert_eq!(stable(&body), [true, false, false]);
    }

    #[test]
    fn the_newest_word_is_never_stable_however_often_it_is_said() {
        let mut teller = Teller::new(Some(Stability::High));
        teller.tell(&heard(1, true, "good"), || "x".into());
        assert_eq!(stable(&teller.tell(&heard(1, true, "good"), || "x".into())), [false]);
    }

    #[test]
    fn what_was_called_stable_does_not_change_any_more() {
        let mut teller = Teller::new(Some(Stability::High));
        for guess in ["good more", "good morning all"] {
            teller.tell(&heard(1, true, guess), || "x".into());
        }
        let body = teller.tell(&heard(1, false, "could morning all"), || "x".into());
        assert_eq!(result(&body)["Alternatives"][0]["Transcript"], "Good morning all.");
    }

    #[test]
    fn a_word_that_moves_in_time_is_neither_lost_nor_doubled() {
        for moved in [-0.9, 0.6] {
            let mut teller = Teller::new(Some(Stability::High));
            for guess in ["good more", "good morning all"] {
                teller.tell(&heard(1, true, guess), || "x".into());
            }
            let mut moving = heard(1, false, "good morning all");
            for word in &mut moving.words {
                (word.start, word.end) = (word.start + moved, word.end + moved);
            }
            let body = teller.tell(&moving, || "x".into());
            assert_eq!(result(&body)["Alternatives"][0]["Transcript"], "Good morning all.", "by {moved} s");
        }
    }

    #[test]
    fn nothing_is_said_of_stability_unless_it_was_asked_for() {
        let body = Teller::new(None).tell(&heard(1, true, "good"), || "x".into());
        assert!(result(&body)["Alternatives"][0]["Items"][0].get("Stable").is_none());
    }

    #[test]
    fn a_final_is_a_sentence_with_its_full_stop_as_an_item() {
        let body = Teller::new(Some(Stability::High)).tell(&heard(1, false, "now i see"), || "x".into());
        let result = result(&body);
        assert_eq!(result["Alternatives"][0]["Transcript"], "Now I see.");
        assert_eq!(result["IsPartial"], false);
        assert_eq!(result["EndTime"], 2.5);
        let items = result["Alternatives"][0]["Items"].as_array().unwrap();
        assert_eq!(items.len(), 4);
        assert_eq!((&items[3]["Content"], &items[3]["Type"]), (&json!("."), &json!("punctuation")));
        assert!(items.iter().all(|item| item["Stable"] == true));
    }

    /// "Good, morning" with the marks where they stand, and the first `stable` words stable.
    fn sentences(partial: bool, stable: usize, text: &str) -> Heard {
        let mut heard = heard(1, partial, text);
        for word in &mut heard.words {
            let bare = word.text.trim_end_matches([',', '.', '?']).to_owned();
            word.mark = word.text.split_off(bare.len());
        }
        Heard { writing: Writing::Sentences { stable }, ..heard }
    }

    fn contents(body: &Value) -> Vec<String> {
        let items = result(body)["Alternatives"][0]["Items"].as_array().unwrap();
        items.iter().map(|item| item["Content"].as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn marks_are_items_within_partials_too_and_capitals_stay_as_they_are_written() {
        let mut teller = Teller::new(Some(Stability::High));
        let body = teller.tell(&sentences(true, 0, "so, Anna said"), || "x".into());
        assert_eq!(contents(&body), ["so", ",", "Anna", "said"]);
        assert_eq!(result(&body)["Alternatives"][0]["Transcript"], "so, Anna said");
        let items = result(&body)["Alternatives"][0]["Items"].as_array().unwrap();
        assert_eq!((&items[1]["Type"], &items[1]["StartTime"]), (&json!("punctuation"), &items[0]["EndTime"]));
        assert!(items[1].get("Confidence").is_none());
    }

    #[test]
    fn the_mark_behind_the_last_stable_word_may_still_change_and_those_before_it_do_not() {
        let mut teller = Teller::new(Some(Stability::High));
        let body = teller.tell(&sentences(true, 2, "so, Anna, said"), || "x".into());
        assert_eq!(stable(&body), [true, true, true, false, false]);
        let body = teller.tell(&sentences(true, 3, "So. Anna said it"), || "x".into());
        assert_eq!(contents(&body), ["so", ",", "Anna", "said", "it"]);
        assert_eq!(stable(&body), [true, true, true, true, false]);
    }

    #[test]
    fn a_final_of_sentences_gets_no_full_stop_that_was_not_heard() {
        let body = Teller::new(Some(Stability::High)).tell(&sentences(false, 2, "and then"), || "x".into());
        assert_eq!(result(&body)["Alternatives"][0]["Transcript"], "and then");
        assert_eq!(stable(&body), [true, true]);
    }

    #[test]
    fn a_language_that_was_found_out_is_told_and_its_words_stand_without_spaces_where_it_has_none() {
        let mut heard = sentences(true, 0, "我们 用 Amazon Web Services");
        heard.language = Some("zh-CN".into());
        let body = Teller::new(None).tell(&heard, || "x".into());
        assert_eq!(result(&body)["Alternatives"][0]["Transcript"], "我们用Amazon Web Services");
        assert_eq!(result(&body)["LanguageCode"], "zh-CN");
    }
}
