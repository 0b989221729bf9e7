//! The report card: what the rehearsal measured, for people and for machines.

use super::lag;
use super::record::{ListenerLog, Recording};
use super::stats::percentile;
use super::verdict::{Check, checks, understood};
use super::wer::{Unit, WordErrors, compare};
use crate::board::{self, Scene};
use crate::definitions::{Definitions, Size};
use crate::money::{Cost, cost, dollars};
use crate::store::Record;
use crate::text::{duration, mebibytes, wrap};
use crate::voice::sound;
use schemas::ids::{Language, SessionId, Timestamp};
use schemas::worker::WorkerRow;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Columns before a note.
const NOTED: usize = 13;

/// From the session row put to each step, ms; absent when the step was not reached.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StartUpTimes {
    /// RunTask answered.
    pub task_launched_ms: Option<i64>,
    /// The worker process began.
    pub worker_began_ms: Option<i64>,
    /// The worker joined the channel.
    pub joined_ms: Option<i64>,
    /// The worker got its first audio.
    pub first_audio_ms: Option<i64>,
    /// The speech began.
    pub speech_began_ms: Option<i64>,
    /// The first caption was posted.
    pub first_caption_posted_ms: Option<i64>,
    /// The first caption reached a listener.
    pub first_caption_heard_ms: Option<i64>,
    /// The same, counted from the first word.
    pub first_caption_after_speech_ms: Option<i64>,
}

/// What one listener got.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ListenerReport {
    /// As on the command line.
    pub listener: String,
    /// Finals, catch-up included.
    pub finals: usize,
    /// Partials.
    pub partials: usize,
    /// Captions sent because they came late.
    pub catch_up: usize,
    /// Finals in the speaker's language because translation failed.
    pub degraded: usize,
    /// Messages of how a segment was said; catch-up has none.
    pub emotion_segments: usize,
    /// Messages of how a second sounded.
    pub emotion_seconds: usize,
    /// Median lag of finals, ms.
    pub lag_p50_ms: Option<i64>,
    /// 95th percentile of the same.
    pub lag_p95_ms: Option<i64>,
    /// Median of the span from a segment's first word, as it was played, to the first text of it in the listener's language, ms.
    pub first_words_p50_ms: Option<i64>,
    /// 95th percentile of the same.
    pub first_words_p95_ms: Option<i64>,
    /// From the end made to `sessionEnded`, ms.
    pub told_after_ms: Option<i64>,
}

/// What the worker needed.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WorkerReport {
    /// Processor time, ms.
    pub cpu_ms: u64,
    /// Audio it received, ms.
    pub audio_ms: u64,
    /// Processor time per minute of audio, ms.
    pub cpu_ms_per_audio_minute: u64,
    /// Peak resident memory, bytes.
    pub peak_memory_bytes: u64,
    /// Messages posted.
    pub posts: u64,
    /// Posts that failed for good.
    pub posts_failed: u64,
    /// Audio really sent to Transcribe, ms.
    pub transcribed_ms: u64,
    /// Source characters sent to Translate.
    pub translated_characters: u64,
    /// Words retracted per final word, by language (normalised erasure).
    pub erasure: BTreeMap<Language, f64>,
    /// Options that were not fulfilled.
    pub notes: Vec<String>,
}

/// The card.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The session.
    pub session_id: SessionId,
    /// Whether every check passed.
    pub passed: bool,
    /// Length of the speech, ms.
    pub speech_ms: u64,
    /// The start.
    pub start_up: StartUpTimes,
    /// How lag was measured.
    pub lag_measured: &'static str,
    /// The listeners.
    pub listeners: Vec<ListenerReport>,
    /// Words against the script, when there was one; characters in a language that is written without spaces.
    pub words: Option<WordErrors>,
    /// Errors per word (or character), percent.
    pub word_error_rate_percent: Option<f64>,
    /// How the speaker sounded in the last segment, in words.
    pub voice: Option<String>,
    /// The worker, when it said anything.
    pub worker: Option<WorkerReport>,
    /// What it cost, list prices, USD.
    pub cost: Option<Cost>,
    /// What whoever started the rehearsal notes, such as what stands in for a service.
    pub note: Option<String>,
    /// What had to be true.
    pub checks: Vec<Check>,
    /// The worker's row at the end.
    pub row: Option<WorkerRow>,
}

/// What was to be understood.
#[derive(Debug, Clone, Copy)]
pub struct Script<'a> {
    /// The speech in words.
    pub text: &'a str,
    /// So many of them may be wrong, percent.
    pub max_wer: f64,
}

/// Reckons the card.
#[must_use]
pub fn report(recording: &Recording, script: Option<Script<'_>>, speech_ms: u64, now: Timestamp) -> Report {
    // Who came late has not heard all of it.
    let script = script.filter(|_| recording.listeners.iter().any(|log| log.plan.late_s.is_none()));
    let words = script.map(|script| compare(script.text, &heard(recording), Unit::of(&recording.source)));
    let mut checks = checks(recording);
    checks.extend(words.zip(script).map(|(words, script)| understood(&words, script.max_wer)));
    Report {
        session_id: recording.session.clone(),
        passed: checks.iter().all(Check::passed),
        speech_ms,
        start_up: start_up(recording),
        lag_measured: if recording.first_packet.is_some() {
            "from the moment the words were played to their arrival, by this computer's clock"
        } else {
            "as the worker states it in each caption"
        },
        listeners: recording.listeners.iter().map(|log| listener(log, recording)).collect(),
        word_error_rate_percent: words.map(|w| w.percent()),
        words,
        voice: voice(recording),
        worker: recording.row.as_ref().and_then(worker),
        cost: recording.row.as_ref().map(|row| cost(row, Size::STATED, now)),
        note: None,
        checks,
        row: recording.row.clone(),
    }
}

fn start_up(r: &Recording) -> StartUpTimes {
    let since_put = |at: Option<Timestamp>| at.map(|at| at.since(r.row_put));
    let steps = r.row.as_ref().and_then(|row| row.worker.as_ref()).map(|w| w.start_up.clone()).unwrap_or_default();
    let heard = r.listeners.iter().flat_map(|l| l.captions.iter().map(|(at, _)| *at)).min();
    StartUpTimes {
        task_launched_ms: since_put(r.row.as_ref().and_then(|row| row.task.as_ref()).map(|t| t.launched_at)),
        worker_began_ms: since_put(steps.process_at),
        joined_ms: since_put(steps.joined_at),
        first_audio_ms: since_put(steps.first_audio_at),
        speech_began_ms: since_put(r.speech_began),
        first_caption_posted_ms: since_put(steps.first_caption_at),
        first_caption_heard_ms: since_put(heard),
        first_caption_after_speech_ms: heard.zip(r.speech_began).map(|(at, began)| at.since(began)),
    }
}

fn listener(log: &ListenerLog, r: &Recording) -> ListenerReport {
    let (lags, first_words) = (lag::finals(log, r), lag::first_words(log, r));
    ListenerReport {
        listener: log.plan.label(),
        finals: log.finals().count(),
        partials: log.captions.iter().filter(|(_, c)| !c.is_final).count(),
        catch_up: log.captions.iter().filter(|(_, c)| c.catch_up).count(),
        degraded: log.untranslated(),
        emotion_segments: log.emotions.iter().filter(|e| e.segment_id.is_some()).count(),
        emotion_seconds: log.emotions.iter().filter(|e| e.segment_id.is_none()).count(),
        lag_p50_ms: percentile(&lags, 50),
        lag_p95_ms: percentile(&lags, 95),
        first_words_p50_ms: percentile(&first_words, 50),
        first_words_p95_ms: percentile(&first_words, 95),
        told_after_ms: log.ended.zip(r.end_made).map(|((at, _), made)| at.since(made)),
    }
}

/// What was understood: the finals of one who listens in the speaker's language, else the originals in another's finals.
#[must_use]
pub fn heard(r: &Recording) -> String {
    let on_time = || r.listeners.iter().filter(|l| l.plan.late_s.is_none());
    let Some(log) = on_time().find(|l| l.plan.language == r.source).or_else(|| on_time().next()) else {
        return String::new();
    };
    let mut seen = BTreeSet::new();
    let once = log.finals().filter(|(_, c)| seen.insert(c.segment_id.clone()));
    once.map(|(_, c)| c.source_text.as_ref().unwrap_or(&c.text).as_str()).collect::<Vec<_>>().join(" ")
}

fn voice(r: &Recording) -> Option<String> {
    let emotions = || r.listeners.iter().flat_map(|l| l.emotions.iter().rev());
    let parts = emotions().find(|e| e.segment_id.is_some()).map(|e| sound(&e.voice)).unwrap_or_default();
    (!parts.is_empty()).then(|| parts.join(" · "))
}

fn worker(row: &WorkerRow) -> Option<WorkerReport> {
    let w = row.worker.as_ref()?;
    Some(WorkerReport {
        cpu_ms: w.cpu_ms,
        audio_ms: w.media.media_ms,
        cpu_ms_per_audio_minute: (w.cpu_ms * 60_000).checked_div(w.media.media_ms).unwrap_or(0),
        peak_memory_bytes: w.peak_memory_bytes,
        posts: w.usage.posts,
        posts_failed: w.usage.posts_failed,
        transcribed_ms: w.usage.transcribed_ms,
        translated_characters: w.usage.translated_characters,
        erasure: w.languages.iter().filter_map(|(code, l)| Some((code.clone(), l.erasure?))).collect(),
        notes: w.notes.clone(),
    })
}

impl Report {
    /// The card for people, at most `width` columns wide.
    #[must_use]
    pub fn card(&self, width: u16, now: Timestamp) -> String {
        let mut lines = vec![String::new(), format!("Report card of {}", self.session_id), String::new()];
        self.start_lines(&mut lines);
        self.lag_lines(&mut lines);
        self.worker_lines(&mut lines);
        if let Some(note) = &self.note {
            let noted = wrap(note, usize::from(width).saturating_sub(NOTED)).into_iter().enumerate();
            lines.extend(noted.map(|(n, line)| format!("  {:<11}{line}", if n == 0 { "note" } else { "" })));
        }
        lines.push(String::new());
        if let Some(row) = &self.row {
            let definitions = Definitions::default();
            let scene = Scene { now, width, definitions: &definitions };
            lines.push(board::table(&[Record::Row(Box::new(row.clone()))], scene));
            lines.push(String::new());
        }
        self.verdict_lines(&mut lines, usize::from(width));
        lines.join("\n")
    }

    fn start_lines(&self, lines: &mut Vec<String>) {
        let s = &self.start_up;
        let step =
            |what: &str, ms: Option<i64>| format!("  {what:<30}{:>8}", ms.map_or_else(|| "never".to_owned(), duration));
        lines.push("Start, from the session row put".into());
        lines.push(step("task launched", s.task_launched_ms));
        lines.push(step("worker process began", s.worker_began_ms));
        lines.push(step("channel joined", s.joined_ms));
        lines.push(step("first audio at the worker", s.first_audio_ms));
        lines.push(step("speech began", s.speech_began_ms));
        lines.push(format!(
            "{}  ({} after the first word)",
            step("first caption at a listener", s.first_caption_heard_ms),
            s.first_caption_after_speech_ms.map_or_else(|| "never".to_owned(), duration)
        ));
    }

    fn lag_lines(&self, lines: &mut Vec<String>) {
        let shown = |ms: Option<i64>| ms.map_or_else(|| "-".to_owned(), duration);
        lines.push(String::new());
        lines.push(format!("Lag, {}", self.lag_measured));
        lines.push("of finals: of their last word; of first words: of a segment's first word to its first text".into());
        lines.push(format!("  {:<10}{:>16}{:>18}", "", "finals", "first words"));
        lines.push(format!(
            "  {:<10}{:>8}{:>8}{:>10}{:>8}{:>8}{:>10}{:>10}",
            "listener", "p50", "p95", "p50", "p95", "finals", "partials", "catch-up"
        ));
        for l in &self.listeners {
            let degraded = if l.degraded > 0 { format!("  {} not translated", l.degraded) } else { String::new() };
            lines.push(format!(
                "  {:<10}{:>8}{:>8}{:>10}{:>8}{:>8}{:>10}{:>10}{degraded}",
                l.listener,
                shown(l.lag_p50_ms),
                shown(l.lag_p95_ms),
                shown(l.first_words_p50_ms),
                shown(l.first_words_p95_ms),
                l.finals,
                l.partials,
                l.catch_up
            ));
        }
    }

    fn worker_lines(&self, lines: &mut Vec<String>) {
        lines.push(String::new());
        if let (Some(words), Some(percent)) = (&self.words, self.word_error_rate_percent) {
            lines.push(format!(
                "  {:<11}{} heard, {} in the script, {} errors: {} {percent:.1} %",
                words.unit.name(),
                words.heard,
                words.words,
                words.errors,
                words.unit.rate()
            ));
        }
        if let Some(voice) = &self.voice {
            lines.push(format!("  voice      {voice}"));
        }
        if let Some(w) = &self.worker {
            lines.push(format!("  messages   {} posted, {} failed", w.posts, w.posts_failed));
            let sent = (w.transcribed_ms / 1_000, w.translated_characters);
            lines.push(format!("  paid for   {} s transcribed, {} characters translated", sent.0, sent.1));
            let erasure: Vec<_> = w.erasure.iter().map(|(code, erasure)| format!("{code} {erasure:.2}")).collect();
            if !erasure.is_empty() {
                lines.push(format!("  erasure    {}", erasure.join(" · ")));
            }
            lines.extend(w.notes.iter().map(|note| format!("  note       {note}")));
            lines.push(format!(
                "  worker     {} ms of processor time per minute of audio, {} at most",
                w.cpu_ms_per_audio_minute,
                mebibytes(w.peak_memory_bytes)
            ));
        }
        if let Some(c) = &self.cost {
            lines.push(format!("  cost       {} at AWS list prices", dollars(c.total)));
        }
    }

    fn verdict_lines(&self, lines: &mut Vec<String>, width: usize) {
        if self.passed {
            lines.push(format!("PASSED: all {} checks", self.checks.len()));
            return;
        }
        let failed: Vec<_> = self.checks.iter().filter(|c| !c.passed()).collect();
        lines.push(format!("FAILED: {} of {} checks", failed.len(), self.checks.len()));
        for check in failed {
            let text = format!("{}: {}", check.what, check.failure.as_deref().unwrap_or_default());
            for (n, line) in wrap(&text, width.saturating_sub(4)).into_iter().enumerate() {
                lines.push(format!("{}{line}", if n == 0 { "  - " } else { "    " }));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::samples::{caption, recording, said};
    use super::super::record::{Event, SpeakerEvent};
    use super::*;
    use schemas::message::Caption;

    #[test]
    fn words_are_those_of_a_listener_in_the_speakers_language() {
        let mut r = recording(&["es", "en"]);
        r.take(Timestamp(1), said(0, caption("es", 1, 1, true)));
        r.take(Timestamp(1), said(1, caption("en", 1, 1, true)));
        r.take(Timestamp(1), said(1, caption("en", 2, 2, false)));
        assert_eq!(heard(&r), "segment 1");
    }

    #[test]
    fn without_one_the_originals_beside_a_translation_are_taken() {
        let mut r = recording(&["es"]);
        r.take(Timestamp(1), said(0, caption("es", 1, 1, true)));
        r.take(Timestamp(1), said(0, caption("es", 2, 2, true)));
        assert_eq!(heard(&r), "said 1 said 2");
    }

    #[test]
    fn lag_counts_from_the_moment_the_words_were_played() {
        let mut r = recording(&["es"]);
        r.take(Timestamp(500), Event::Speaker(SpeakerEvent::FirstPacket));
        r.take(Timestamp(2_700), said(0, caption("es", 1, 1, true)));
        let mut old = caption("es", 2, 2, true);
        old.catch_up = true;
        r.take(Timestamp(90_000), said(0, old));
        let report = report(&r, None, 1_000, Timestamp(0));
        assert_eq!(report.listeners[0].lag_p50_ms, Some(1_200), "catch-up has no lag");
        assert_eq!(report.listeners[0].first_words_p50_ms, Some(2_200), "catch-up has no first words either");
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!(json["listeners"][0]["firstWordsP95Ms"], 2_200);
        let card = report.card(100, Timestamp(0));
        let row: Vec<&str> = card.lines().find(|l| l.starts_with("  es ")).unwrap().split_whitespace().collect();
        assert_eq!(row, ["es", "1.2s", "1.2s", "2.2s", "2.2s", "2", "0", "1"]);
        assert!(report.lag_measured.contains("this computer's clock"));
    }

    #[test]
    fn the_card_of_a_failure_has_every_failed_check_on_its_own_line() {
        let report = report(&recording(&["es"]), Some(script("one two")), 1_000, Timestamp(0));
        let card = report.card(100, Timestamp(0));
        assert!(!report.passed);
        assert_eq!(card.lines().filter(|l| l.starts_with("  - ")).count(), 7, "{card}");
        assert!(card.contains("WER 100.0 %"), "{card}");
    }

    #[test]
    fn who_came_late_cannot_tell_how_much_was_understood() {
        let report = report(&recording(&["es@5"]), Some(script("one two")), 1_000, Timestamp(0));
        assert_eq!((report.words, report.word_error_rate_percent), (None, None));
        assert!(report.checks.iter().all(|check| !check.what.contains("script")));
    }

    #[test]
    fn the_card_of_a_language_without_spaces_counts_characters() {
        let mut r = recording(&["ja"]);
        r.source = Language::try_new("ja").unwrap();
        let text = "本日は晴天です".to_owned();
        r.take(Timestamp(1), said(0, Caption { text, source_text: None, ..caption("ja", 1, 1, true) }));
        let report = report(&r, Some(script("本日は晴天なり。")), 1_000, Timestamp(0));
        let card = report.card(100, Timestamp(0));
        assert!(card.contains("  characters 7 heard, 7 in the script, 2 errors: CER 28.6 %"), "{card}");
        assert!(report.checks.last().unwrap().passed(), "as one word it would be all wrong");
        assert_eq!(serde_json::to_value(&report).unwrap()["words"]["unit"], "characters");
    }

    fn script(text: &str) -> Script<'_> {
        Script { text, max_wer: 50.0 }
    }

    #[test]
    fn a_note_stands_on_the_card_and_in_the_document() {
        let note =
            "Apertium stands in for Amazon Translate (en → es ca); other languages come untranslated, marked ⟦de⟧";
        let report = Report { note: Some(note.into()), ..report(&recording(&["es"]), None, 1_000, Timestamp(0)) };
        let card = report.card(80, Timestamp(0));
        assert!(card.contains("  note       Apertium stands in for Amazon Translate"), "{card}");
        assert!(
            card.lines().filter(|line| line.starts_with("             ")).count() > 0,
            "it goes on below itself: {card}"
        );
        assert_eq!(serde_json::to_value(&report).unwrap()["note"], note);
    }

    #[test]
    fn the_card_carries_the_status_table_as_list_prints_it() {
        let mut r = recording(&["es"]);
        let row = crate::store::samples::row("a-b-001");
        r.take(Timestamp(1), Event::Row(Box::new(row.clone())));
        let now = Timestamp(crate::store::samples::T0 + 10_000);
        let card = report(&r, None, 1_000, now).card(120, now);
        let definitions = Definitions::default();
        let scene = Scene { now, width: 120, definitions: &definitions };
        assert!(card.contains(&board::table(&[Record::Row(Box::new(row))], scene)), "{card}");
        assert!(card.contains("4000 ms of processor time per minute"), "{card}");
        assert!(card.contains("s transcribed,") && card.contains("characters translated"), "{card}");
    }
}
