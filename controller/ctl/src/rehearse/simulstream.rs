//! What a listener read and when, as a log that the field's rulers take (`simulstream`, `omnisteval`): one JSON document a line.
//!
//! ```text
//! {"id":0,"metadata":{"wav_name":"talk.wav", …}}
//! {"id":0,"total_audio_processed":12.4,"computation_time":0.0,"generated_tokens":["Buenos","días."],"deleted_tokens":[]}
//! ```
//!
//! *Flow*: captions with their arrival → what the listener shows after each, as `Page` keeps it → what was taken from its end and put there.
//! *Guarantees*: `deleted_tokens` are always the tail of what stands; applying the lines one after another gives exactly what the listener
//! shows at the end; times rise. *Assumptions*: what is taken from the middle is paid as taken and written again from there on. A live system
//! is measured by the wall alone, so `total_audio_processed` is the time from the first word played to the arrival at the listener's socket,
//! and `computation_time` is 0. A token is a word; in a language written without spaces, a character.

use super::record::{ListenerLog, Recording};
use schemas::ids::{Language, Timestamp};
use schemas::message::Caption;
use serde::Serialize;
use std::collections::BTreeMap;

/// The first line.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Head<'a> {
    id: u8,
    metadata: Metadata<'a>,
}

/// Where the log comes from; the rulers read the name of the recording alone.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Metadata<'a> {
    wav_name: &'a str,
    session: &'a str,
    listener: &'a str,
    source_language: &'a str,
    target_language: &'a str,
    latency_unit: Unit,
}

/// What a token is; the rulers are told the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Unit {
    Word,
    Char,
}

/// What one caption changed.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Increment {
    id: u8,
    total_audio_processed: f64,
    computation_time: f64,
    generated_tokens: Vec<String>,
    deleted_tokens: Vec<String>,
}

/// What a listener sees: the finals, and behind them what is being said. The same rules as `schemas/front-end/listener.ts`.
#[derive(Debug, Default)]
struct Page {
    finals: Vec<Caption>,
    partials: Vec<Caption>,
}

impl Page {
    fn take(&mut self, caption: &Caption) {
        if let Some(known) = self.finals.iter_mut().find(|known| known.segment_id == caption.segment_id) {
            if caption.is_final && caption.revision > known.revision {
                *known = caption.clone();
            }
            return;
        }
        self.partials.retain(|partial| partial.generation >= caption.generation);
        let open = self.partials.iter().position(|partial| partial.segment_id == caption.segment_id);
        match (caption.is_final, open) {
            (false, Some(index)) => self.partials[index] = caption.clone(),
            (false, None) => self.partials.push(caption.clone()),
            (true, open) => {
                open.map(|index| self.partials.remove(index));
                self.finals.push(caption.clone());
                self.finals.sort_by_key(|known| (known.generation, known.cursor));
            }
        }
    }

    fn tokens(&self, unit: Unit) -> Vec<String> {
        self.finals.iter().chain(&self.partials).flat_map(|caption| unit.tokens(&caption.text)).collect()
    }
}

impl Unit {
    fn of(language: &Language) -> Self {
        if language.is_spaced() { Self::Word } else { Self::Char }
    }

    fn tokens(self, text: &str) -> Vec<String> {
        match self {
            Self::Word => text.split_whitespace().map(str::to_owned).collect(),
            Self::Char => text.chars().filter(|letter| !letter.is_whitespace()).map(String::from).collect(),
        }
    }
}

/// The log of one listener; `wav` names the recording that was played. Empty before the speech began.
#[must_use]
pub fn log(listener: &ListenerLog, r: &Recording, wav: &str) -> String {
    let Some(began) = r.speech_began else { return String::new() };
    let language = &listener.plan.language;
    let unit = Unit::of(language);
    let metadata = Metadata {
        wav_name: wav,
        session: r.session.as_str(),
        listener: &listener.plan.label(),
        source_language: r.source.as_str(),
        target_language: language.as_str(),
        latency_unit: unit,
    };
    let head = serde_json::to_string(&Head { id: 0, metadata });
    let lines =
        increments(&listener.captions, began, unit).into_iter().map(|increment| serde_json::to_string(&increment));
    // A text and a number can always be written.
    [head].into_iter().chain(lines).flatten().map(|line| line + "\n").collect()
}

fn increments(captions: &[(Timestamp, Caption)], began: Timestamp, unit: Unit) -> Vec<Increment> {
    let (mut page, mut standing, mut increments) = (Page::default(), Vec::new(), Vec::new());
    let mut last_ms = 0;
    for (at, caption) in captions {
        page.take(caption);
        let now = page.tokens(unit);
        let kept = standing.iter().zip(&now).take_while(|(old, new)| old == new).count();
        if kept < standing.len() || kept < now.len() {
            last_ms = at.since(began).max(last_ms);
            increments.push(Increment {
                id: 0,
                total_audio_processed: last_ms as f64 / 1_000.0,
                computation_time: 0.0,
                generated_tokens: now[kept..].to_vec(),
                deleted_tokens: standing[kept..].to_vec(),
            });
            standing = now;
        }
    }
    increments
}

/// The names of the files, listener by listener: as on the command line, a second one of the same name numbered.
#[must_use]
pub fn names(listeners: &[ListenerLog]) -> Vec<String> {
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    let mut name = |listener: &ListenerLog| {
        // A colon is no part of a file's name everywhere.
        let label = listener.plan.label().replace(':', "-");
        let count = counts.entry(label.clone()).or_insert(0);
        *count += 1;
        let number = if *count == 1 { String::new() } else { format!("-{count}") };
        format!("{label}{number}.jsonl")
    };
    listeners.iter().map(&mut name).collect()
}

#[cfg(test)]
mod tests {
    use super::super::record::samples::{caption, recording, said};
    use super::super::record::{Event, SpeakerEvent};
    use super::*;
    use proptest::prelude::*;
    use schemas::ids::Generation;

    fn text(segment: u64, cursor: u64, is_final: bool, text: &str) -> Caption {
        Caption { text: text.into(), ..caption("es", segment, cursor, is_final) }
    }

    fn lines(r: &Recording) -> Vec<serde_json::Value> {
        let log = log(&r.listeners[0], r, "talk.wav");
        log.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn talk(listener: &str, captions: &[(i64, Caption)]) -> Recording {
        let mut r = recording(&[listener]);
        r.take(Timestamp(1_000), Event::Speaker(SpeakerEvent::SpeechBegan));
        for (at, caption) in captions {
            r.take(Timestamp(*at), said(0, caption.clone()));
        }
        r
    }

    #[test]
    fn the_first_line_names_the_recording_and_the_rest_what_came_and_went() {
        let r = talk(
            "es",
            &[
                (2_500, text(1, 1, false, "Buenos días,")),
                (3_000, text(1, 1, false, "Buenos días,")),
                (4_250, text(1, 1, true, "Buenos días a todos.")),
            ],
        );
        let lines = lines(&r);
        assert_eq!(lines.len(), 3, "a caption that changes nothing has no line");
        assert_eq!(lines[0]["metadata"]["wav_name"], "talk.wav");
        assert_eq!(lines[0]["metadata"]["latency_unit"], "word");
        let expected = serde_json::json!({
            "id": 0, "total_audio_processed": 1.5, "computation_time": 0.0, "generated_tokens": ["Buenos", "días,"], "deleted_tokens": [],
        });
        assert_eq!(lines[1], expected);
        assert_eq!(lines[2]["deleted_tokens"], serde_json::json!(["días,"]));
        assert_eq!(lines[2]["generated_tokens"], serde_json::json!(["días", "a", "todos."]));
        assert_eq!(lines[2]["total_audio_processed"], 3.25);
    }

    #[test]
    fn what_changes_before_the_end_is_taken_away_from_there_on() {
        let r = talk(
            "es",
            &[(2_000, text(1, 1, false, "uno")), (2_100, text(2, 2, false, "dos")), (2_200, text(1, 1, true, "Uno."))],
        );
        let last = &lines(&r)[3];
        assert_eq!(last["deleted_tokens"], serde_json::json!(["uno", "dos"]));
        assert_eq!(last["generated_tokens"], serde_json::json!(["Uno.", "dos"]));
    }

    #[test]
    fn a_translation_that_comes_after_its_original_is_paid_as_taken_back_and_written_anew() {
        let original = Caption { degraded: true, ..text(1, 1, true, "Good day") };
        let revised = Caption { revised: true, revision: 10, ..text(1, 1, true, "Buenos días") };
        let last = &lines(&talk("es", &[(2_000, original), (5_000, revised.clone()), (6_000, revised)]))[2..];
        assert_eq!(last.len(), 1);
        assert_eq!(last[0]["deleted_tokens"], serde_json::json!(["Good", "day"]));
        assert_eq!(last[0]["generated_tokens"], serde_json::json!(["Buenos", "días"]));
    }

    #[test]
    fn a_language_without_spaces_is_counted_in_characters() {
        let mut japanese = text(1, 1, true, "今日 は。");
        japanese.language = Language::try_new("ja").unwrap();
        let lines = lines(&talk("ja", &[(2_000, japanese)]));
        assert_eq!(lines[0]["metadata"]["latency_unit"], "char");
        assert_eq!(lines[1]["generated_tokens"], serde_json::json!(["今", "日", "は", "。"]));
    }

    #[test]
    fn what_a_worker_that_died_had_begun_is_taken_away() {
        let mut next = text(9, 1, false, "nuevo");
        next.generation = Generation(2);
        let lines = lines(&talk("es", &[(2_000, text(1, 1, false, "viejo")), (3_000, next)]));
        assert_eq!(lines[2]["deleted_tokens"], serde_json::json!(["viejo"]));
    }

    #[test]
    fn without_a_speech_there_is_no_log() {
        assert_eq!(log(&recording(&["es"]).listeners[0], &recording(&["es"]), "talk.wav"), "");
    }

    #[test]
    fn each_listener_has_a_file_of_their_own() {
        let r = recording(&["es", "es@12", "es", "en", "es:stable"]);
        let expected = ["es.jsonl", "es@12.jsonl", "es-2.jsonl", "en.jsonl", "es-stable.jsonl"];
        assert_eq!(names(&r.listeners), expected);
    }

    /// Captions as they may come: partials and finals of a few segments, of two workers, in any order, said again, out of turn.
    fn any_captions() -> impl Strategy<Value = Vec<(i64, Caption)>> {
        let one = (1u64..5, 1u64..3, any::<bool>(), "[abc]{0,3}( [abc]{1,2}){0,4}", 0i64..3_000);
        proptest::collection::vec(one, 0..25).prop_map(|all| {
            let mut at = 1_000;
            let caption = |(segment, generation, is_final, said, later): (u64, u64, bool, String, i64)| {
                at += later - 300;
                let mut caption = text(segment, segment, is_final, &said);
                caption.generation = Generation(generation);
                (at, caption)
            };
            all.into_iter().map(caption).collect()
        })
    }

    proptest! {
        #[test]
        fn replaying_the_log_gives_what_the_listener_shows_and_only_tails_are_deleted(captions in any_captions()) {
            let r = talk("es", &captions);
            let mut standing: Vec<String> = Vec::new();
            let mut last = 0.0;
            for line in lines(&r).into_iter().skip(1) {
                let tokens = |key: &str| -> Vec<String> { serde_json::from_value(line[key].clone()).unwrap() };
                let (deleted, generated) = (tokens("deleted_tokens"), tokens("generated_tokens"));
                prop_assert!(standing.ends_with(&deleted), "{standing:?} does not end with {deleted:?}");
                prop_assert!(!deleted.is_empty() || !generated.is_empty());
                standing.truncate(standing.len() - deleted.len());
                standing.extend(generated);
                let at = line["total_audio_processed"].as_f64().unwrap();
                prop_assert!(at >= last);
                last = at;
            }
            let mut page = Page::default();
            captions.iter().for_each(|(_, caption)| page.take(caption));
            prop_assert_eq!(standing, page.tokens(Unit::Word));
        }
    }
}
