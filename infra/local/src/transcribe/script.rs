//! A recogniser that says what a file says: for fault tests that need an exact sequence of results.
//!
//! ```json
//! { "streams": [ [ { "at": 0.4, "utterance": 1, "final": false, "text": "good" },
//!                  { "at": 1.0, "utterance": 1, "final": true, "text": "good morning" },
//!                  { "utterance": 2, "final": true, "text": "and good bye" } ] ] }
//! ```
//!
//! The first stream gets the first list, and so on; the last list serves all that follow. `at` is seconds of audio
//! heard; without it, a result comes when the audio has ended. `start` and `end` (seconds) may be given too.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use serde::Deserialize;
use tokio::sync::mpsc;

use super::engine::{Ears, Error, RATE, Told};
use super::result::{Heard, Word, Writing};

/// The script of all streams.
#[derive(Debug)]
pub struct Script {
    streams: Vec<Vec<Cue>>,
    opened: AtomicUsize,
}

#[derive(Debug, Deserialize)]
struct File {
    streams: Vec<Vec<Cue>>,
}

/// One result.
#[derive(Debug, Clone, Deserialize)]
struct Cue {
    at: Option<f64>,
    utterance: u32,
    #[serde(rename = "final")]
    is_final: bool,
    text: String,
    start: Option<f64>,
    end: Option<f64>,
}

impl Script {
    /// Reads it.
    pub fn read(file: &Path) -> Result<Self, Error> {
        let unusable = |why: String| Error::Script { file: file.display().to_string(), why };
        let text = std::fs::read_to_string(file).map_err(|error| unusable(error.to_string()))?;
        Self::parse(&text).map_err(unusable)
    }

    /// Reads its text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let File { streams } = serde_json::from_str(text).map_err(|error| error.to_string())?;
        match streams.is_empty() {
            true => Err("it has no streams; give it one list of results at least".to_owned()),
            false => Ok(Self { streams, opened: AtomicUsize::new(0) }),
        }
    }

    /// Ears that hear what the script says.
    pub fn open(&self) -> Ears {
        let nth = self.opened.fetch_add(1, Ordering::Relaxed).min(self.streams.len() - 1);
        let cues = self.streams[nth].clone();
        let (audio, to_hear) = mpsc::unbounded_channel();
        let (tell, told) = mpsc::unbounded_channel();
        tokio::spawn(play(cues, to_hear, tell));
        Ears { audio, told }
    }
}

async fn play(cues: Vec<Cue>, mut to_hear: mpsc::UnboundedReceiver<Bytes>, tell: mpsc::UnboundedSender<Told>) {
    let mut cues = cues.into_iter().peekable();
    let mut samples = 0_u32;
    while let Some(audio) = to_hear.recv().await {
        samples = samples.saturating_add(u32::try_from(audio.len() / 2).unwrap_or(u32::MAX));
        let heard = f64::from(samples) / f64::from(RATE);
        while let Some(cue) = cues.next_if(|cue| cue.at.is_some_and(|at| at <= heard)) {
            if tell.send(cue.told()).is_err() {
                return;
            }
        }
    }
    for cue in cues {
        if tell.send(cue.told()).is_err() {
            return;
        }
    }
}

impl Cue {
    /// The words, spread evenly.
    fn told(self) -> Told {
        let texts: Vec<&str> = self.text.split_whitespace().collect();
        let count = texts.len().max(1) as f64;
        let end = self.end.or(self.at).unwrap_or(count * 0.3);
        let start = self.start.unwrap_or((end - count * 0.3).max(0.0));
        let step = (end - start) / count;
        let word = |(nth, text): (usize, &&str)| {
            let at = start + nth as f64 * step;
            Word { text: (*text).to_owned(), start: at, end: at + step, confidence: 0.99, mark: String::new() }
        };
        let words = texts.iter().enumerate().map(word).collect();
        let partial = !self.is_final;
        Told::Heard(Heard { utterance: self.utterance, partial, words, writing: Writing::Words, language: None })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(told: Told) -> String {
        match told {
            Told::Heard(heard) => heard.words.iter().map(|word| word.text.clone()).collect::<Vec<_>>().join(" "),
            Told::Broken(why) => why,
        }
    }

    #[tokio::test]
    async fn a_result_comes_when_so_much_was_heard_and_the_rest_at_the_end() {
        let script = Script::parse(
            r#"{"streams": [[{"at": 0.1, "utterance": 1, "final": false, "text": "good"},
                             {"utterance": 1, "final": true, "text": "good morning"}]]}"#,
        )
        .unwrap();
        let mut ears = script.open();
        ears.audio.send(Bytes::from(vec![0; 3_200])).unwrap();
        assert_eq!(text(ears.told.recv().await.unwrap()), "good");
        drop(ears.audio);
        assert_eq!(text(ears.told.recv().await.unwrap()), "good morning");
        assert_eq!(ears.told.recv().await, None);
    }

    #[tokio::test]
    async fn the_second_stream_has_its_own_list_and_the_last_list_serves_the_rest() {
        let line = |text| format!(r#"[{{"utterance": 1, "final": true, "text": "{text}"}}]"#);
        let script = Script::parse(&format!(r#"{{"streams": [{}, {}]}}"#, line("one"), line("two"))).unwrap();
        for expected in ["one", "two", "two"] {
            let mut ears = script.open();
            drop(ears.audio);
            assert_eq!(text(ears.told.recv().await.unwrap()), expected);
        }
    }

    #[test]
    fn a_script_without_streams_is_refused() {
        assert!(Script::parse(r#"{"streams": []}"#).is_err());
    }
}
