//! Results as Transcribe writes them in a `TranscriptEvent`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What one event brings: none, one or several results.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Event {
    /// In the order in which they are to be read.
    pub results: Vec<TranscriptResult>,
}

/// One telling of a segment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct TranscriptResult {
    /// The same through all partials and the final of a segment.
    pub result_id: String,
    /// Seconds since the stream began.
    pub start_time: f64,
    /// Seconds.
    pub end_time: f64,
    /// Whether more of it will come.
    pub is_partial: bool,
    /// Streaming brings one.
    pub alternatives: Vec<Alternative>,
    /// What the service says beside that.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// The text, and what it is made of.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Alternative {
    /// As it is written.
    pub transcript: String,
    /// Words and marks; an alternative may come without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<Vec<Item>>,
}

/// A word or a mark.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Item {
    /// As it is written.
    pub content: String,
    /// Word or mark.
    #[serde(rename = "Type")]
    pub kind: ItemType,
    /// Seconds since the stream began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_time: Option<f64>,
    /// Seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_time: Option<f64>,
    /// Whether the content stands; only with stabilisation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stable: Option<bool>,
    /// What the service says beside that.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// What an item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ItemType {
    /// A word.
    Pronunciation,
    /// A mark, which joins the word before it.
    Punctuation,
}

impl TranscriptResult {
    /// The items of its first alternative.
    #[must_use]
    pub fn items(&self) -> &[Item] {
        self.alternatives.first().and_then(|first| first.items.as_deref()).unwrap_or_default()
    }

    /// The text of its first alternative.
    #[must_use]
    pub fn transcript(&self) -> &str {
        self.alternatives.first().map_or("", |first| &first.transcript)
    }
}

impl Item {
    /// A word, with its times in ms.
    #[must_use]
    pub fn word(content: &str, start_ms: u64, end_ms: u64, stable: bool) -> Self {
        Self {
            content: content.to_owned(),
            kind: ItemType::Pronunciation,
            start_time: Some(seconds(start_ms)),
            end_time: Some(seconds(end_ms)),
            stable: Some(stable),
            more: Map::new(),
        }
    }

    /// A mark, at the end of the word before it.
    #[must_use]
    pub fn mark(content: &str, at_ms: u64, stable: bool) -> Self {
        Self { kind: ItemType::Punctuation, ..Self::word(content, at_ms, at_ms, stable) }
    }

    /// Whether it is a word.
    #[must_use]
    pub fn is_word(&self) -> bool {
        self.kind == ItemType::Pronunciation
    }
}

/// Seconds, as the service writes them.
#[must_use]
pub fn seconds(ms: u64) -> f64 {
    ms as f64 / 1_000.0
}

/// The same back.
#[must_use]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "never below 0, and a stream lasts hours")]
pub fn ms(seconds: f64) -> u64 {
    (seconds.max(0.0) * 1_000.0).round() as u64
}

/// The items as they are written: no space before a mark, and none where a script without spaces stands at either side.
#[must_use]
pub fn transcript(items: &[Item]) -> String {
    let mut text = String::new();
    for item in items {
        if item.is_word() && spaced(text.chars().next_back(), item.content.chars().next()) {
            text.push(' ');
        }
        text.push_str(&item.content);
    }
    text
}

fn spaced(before: Option<char>, after: Option<char>) -> bool {
    before.zip(after).is_some_and(|(before, after)| !is_unspaced(before) && !is_unspaced(after))
}

/// Han, kana and their marks, Thai, Lao, Burmese, Khmer.
fn is_unspaced(letter: char) -> bool {
    matches!(u32::from(letter), 0x0e00..=0x0eff | 0x1000..=0x109f | 0x1780..=0x17ff | 0x3000..=0x30ff | 0x3400..=0x9fff | 0xff00..=0xffef)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(words: &[&str]) -> String {
        let item = |word: &&str| match *word {
            "," | "." | "。" => Item::mark(word, 0, false),
            _ => Item::word(word, 0, 0, false),
        };
        transcript(&words.iter().map(item).collect::<Vec<_>>())
    }

    #[test]
    fn neighbours_decide_whether_a_space_stands_between_words() {
        assert_eq!(written(&["let", "us", ",", "pray", "."]), "let us, pray.");
        assert_eq!(written(&["我们", "用", "Amazon", "Web", "Services", "。"]), "我们用Amazon Web Services。");
        assert_eq!(written(&["machine", "learning", "を", "使う"]), "machine learningを使う");
    }

    #[test]
    fn a_result_is_written_as_the_service_writes_it_and_what_is_not_known_here_stays() {
        let text = r#"{"ResultId":"r","StartTime":0.5,"EndTime":1.0,"IsPartial":true,"Alternatives":[{"Transcript":"Amen","Items":[{"Content":"Amen","Type":"pronunciation","StartTime":0.5,"EndTime":1.0,"Stable":false,"VocabularyFilterMatch":false}]}],"ChannelId":"ch_0"}"#;
        let read: TranscriptResult = serde_json::from_str(text).unwrap();
        let (before, after): (Value, Value) =
            (serde_json::from_str(text).unwrap(), serde_json::to_value(&read).unwrap());
        assert_eq!(before, after);
    }
}
