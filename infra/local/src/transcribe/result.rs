//! From what the recogniser understands to the JSON that Transcribe sends.

use serde_json::{Value, json};

/// A word and when it was said, in seconds since the stream began.
#[derive(Debug, Clone, PartialEq)]
pub struct Word {
    /// Lower case, as the recogniser writes it.
    pub text: String,
    /// Seconds.
    pub start: f64,
    /// Seconds.
    pub end: f64,
    /// 0…1.
    pub confidence: f64,
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
}

/// Writes the results of one stream.
#[derive(Debug, Default)]
pub struct Teller {
    stabilise: bool,
    utterance: Option<u32>,
    result_id: String,
    last: Vec<String>,
    stable: usize,
}

impl Teller {
    /// `stabilise`: whether items carry `Stable`.
    pub fn new(stabilise: bool) -> Self {
        Self { stabilise, ..Self::default() }
    }

    /// The body of a `TranscriptEvent`; `new_id` names a result that was not told of before.
    pub fn tell(&mut self, heard: &Heard, new_id: impl FnOnce() -> String) -> Value {
        if self.utterance != Some(heard.utterance) {
            self.utterance = Some(heard.utterance);
            self.result_id = new_id();
            self.last.clear();
            self.stable = 0;
        }
        self.agree(&heard.words);
        let stable = if heard.partial { self.stable } else { heard.words.len() };
        let texts: Vec<String> =
            heard.words.iter().enumerate().map(|(at, word)| written(&word.text, at == 0)).collect();
        let mut items: Vec<Value> = heard
            .words
            .iter()
            .zip(&texts)
            .enumerate()
            .map(|(at, (word, text))| self.item(word, text, heard.partial, at < stable))
            .collect();
        let end = heard.words.last().map_or(0.0, |word| word.end);
        let mut transcript = texts.join(" ");
        if !heard.partial {
            transcript.push('.');
            let stop = json!({ "Content": ".", "StartTime": ms(end), "EndTime": ms(end), "Type": "punctuation",
                "VocabularyFilterMatch": false });
            items.push(self.with_stable(stop, true));
        }
        json!({ "Transcript": { "Results": [{
            "Alternatives": [{ "Items": items, "Transcript": transcript }],
            "StartTime": ms(heard.words.first().map_or(0.0, |word| word.start)),
            "EndTime": ms(end),
            "IsPartial": heard.partial,
            "ResultId": self.result_id,
        }]}})
    }

    /// Stable is the beginning on which this guess and the one before agree.
    fn agree(&mut self, words: &[Word]) {
        self.stable = words.iter().zip(&self.last).take_while(|(word, last)| word.text == **last).count();
        self.last = words.iter().map(|word| word.text.clone()).collect();
    }

    fn item(&self, word: &Word, text: &str, partial: bool, stable: bool) -> Value {
        let mut item = json!({ "Content": text, "StartTime": ms(word.start), "EndTime": ms(word.end),
            "Type": "pronunciation", "VocabularyFilterMatch": false });
        if !partial {
            item["Confidence"] = json!(word.confidence);
        }
        self.with_stable(item, stable)
    }

    fn with_stable(&self, mut item: Value, stable: bool) -> Value {
        if self.stabilise {
            item["Stable"] = json!(stable);
        }
        item
    }
}

/// Seconds with the precision of a millisecond.
fn ms(seconds: f64) -> f64 {
    (seconds * 1_000.0).round() / 1_000.0
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

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(utterance: u32, partial: bool, text: &str) -> Heard {
        let word = |(at, text): (usize, &str)| {
            let at = f64::from(u32::try_from(at).unwrap());
            Word { text: text.into(), start: at, end: at + 0.500_4, confidence: 0.9 }
        };
        Heard { utterance, partial, words: text.split(' ').enumerate().map(word).collect() }
    }

    fn result(body: &Value) -> &Value {
        &body["Transcript"]["Results"][0]
    }

    #[test]
    fn a_result_keeps_its_id_from_the_first_guess_to_the_last() {
        let mut teller = Teller::new(false);
        let mut ids = ["one", "two"].into_iter();
        let mut tell = |heard: Heard| {
            let body = teller.tell(&heard, || ids.next().unwrap().to_owned());
            result(&body)["ResultId"].as_str().unwrap().to_owned()
        };
        assert_eq!(tell(heard(1, true, "good")), "one");
        assert_eq!(tell(heard(1, false, "good morning")), "one");
        assert_eq!(tell(heard(2, true, "and")), "two");
    }

    #[test]
    fn only_what_two_guesses_agree_on_is_stable() {
        let mut teller = Teller::new(true);
        teller.tell(&heard(1, true, "good more"), || "x".into());
        let body = teller.tell(&heard(1, true, "good morning all"), || "x".into());
        let items = result(&body)["Alternatives"][0]["Items"].as_array().unwrap();
        let stable: Vec<bool> = items.iter().map(|item| item["Stable"].as_bool().unwrap()).collect();
        assert_eq!(stable, [true, false, false]);
    }

    #[test]
    fn nothing_is_said_of_stability_unless_it_was_asked_for() {
        let body = Teller::new(false).tell(&heard(1, true, "good"), || "x".into());
        assert!(result(&body)["Alternatives"][0]["Items"][0].get("Stable").is_none());
    }

    #[test]
    fn a_final_is_a_sentence_with_its_full_stop_as_an_item() {
        let body = Teller::new(true).tell(&heard(1, false, "now i see"), || "x".into());
        let result = result(&body);
        assert_eq!(result["Alternatives"][0]["Transcript"], "Now I see.");
        assert_eq!(result["IsPartial"], false);
        assert_eq!(result["EndTime"], 2.5);
        let items = result["Alternatives"][0]["Items"].as_array().unwrap();
        assert_eq!(items.len(), 4);
        assert_eq!((&items[3]["Content"], &items[3]["Type"]), (&json!("."), &json!("punctuation")));
        assert!(items.iter().all(|item| item["Stable"] == true));
    }
}
