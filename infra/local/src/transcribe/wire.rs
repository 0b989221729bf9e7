//! What goes over the pipes of Whisper's process: frames in, lines out (see `py/hearing/serve.py`).

use bytes::{BufMut, Bytes, BytesMut};
use serde::Deserialize;
use serde_json::json;

use super::engine::Told;
use super::request::{Language, Request};
use super::result::{Heard, Stability, Word, Writing};

/// A line of `serve.py`.
#[derive(Debug, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub enum Line {
    /// It has loaded its model.
    Ready {
        /// Name and version.
        engine: String,
        /// Which.
        model: String,
        /// Those it knows.
        languages: Vec<String>,
    },
    /// So far.
    Partial(Utterance),
    /// For good.
    Final(Utterance),
    /// Everything heard has been told.
    End {
        /// Of which.
        stream: u32,
    },
    /// No more comes.
    Broken {
        /// Of which.
        stream: u32,
        /// Why.
        why: String,
    },
}

/// What is understood of one utterance.
#[derive(Debug, Deserialize)]
pub struct Utterance {
    /// Of which.
    pub stream: u32,
    utterance: u32,
    stable: usize,
    language: String,
    words: Vec<(String, f64, f64, f64, String)>,
}

impl Utterance {
    /// As the writer of results takes it; `options` are the codes to choose from, where the language was to be found out.
    pub fn heard(self, partial: bool, options: Option<&[String]>) -> Told {
        let word = |(text, start, end, confidence, mark)| Word { text, start, end, confidence, mark };
        let writing = Writing::Sentences { stable: self.stable };
        let language = options.and_then(|all| all.iter().find(|code| of_whisper(code) == self.language)).cloned();
        let words = self.words.into_iter().map(word).collect();
        Told::Heard(Heard { utterance: self.utterance, partial, words, writing, language })
    }
}

/// What a stream wishes, as `serve.py` reads it.
pub fn wishes(request: &Request) -> serde_json::Value {
    let margin = request.stability.map(Stability::margin);
    match &request.language {
        Language::Given(code) => json!({ "language": of_whisper(code), "margin": margin }),
        Language::OneOf { codes, each } => {
            let options: Vec<&str> = codes.iter().map(|code| of_whisper(code)).collect();
            json!({ "language": null, "margin": margin, "options": options, "each": each })
        }
    }
}

/// `es-US` → `es`; Javanese has an older code there.
pub fn of_whisper(code: &str) -> &str {
    match code.split('-').next() {
        Some("jv") => "jw",
        Some(language) => language,
        None => code,
    }
}

/// A frame of `serve.py`.
pub fn frame(kind: u8, stream: u32, body: &[u8]) -> Bytes {
    let mut bytes = BytesMut::with_capacity(9 + body.len());
    bytes.put_u8(kind);
    bytes.put_u32_le(stream);
    bytes.put_u32_le(u32::try_from(body.len()).unwrap_or(u32::MAX));
    bytes.put_slice(body);
    bytes.freeze()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_is_a_kind_a_stream_and_a_length_before_its_body() {
        assert_eq!(&frame(b'A', 258, &[7, 8])[..], [b'A', 2, 1, 0, 0, 2, 0, 0, 0, 7, 8]);
    }

    #[test]
    fn a_code_of_the_service_becomes_one_of_the_model() {
        assert_eq!(["en-US", "zh-HK", "jv-ID"].map(of_whisper), ["en", "zh", "jw"]);
    }

    #[test]
    fn what_the_process_tells_comes_with_marks_and_the_code_that_was_asked_for() {
        let line = r#"{"event":"partial","stream":3,"utterance":1,"stable":1,"language":"es","words":[["Hola",0.1,0.4,0.9,","],["a",0.4,0.5,0.8,""]]}"#;
        let Ok(Line::Partial(utterance)) = serde_json::from_str(line) else { panic!("no partial") };
        let Told::Heard(heard) = utterance.heard(true, Some(&["en-US".to_owned(), "es-US".to_owned()])) else {
            panic!("not heard")
        };
        assert_eq!((heard.language.as_deref(), heard.words[0].mark.as_str()), (Some("es-US"), ","));
        assert_eq!(heard.writing, Writing::Sentences { stable: 1 });
    }
}
