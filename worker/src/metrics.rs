//! Metrics in CloudWatch's embedded format: JSON lines among the logs, once a minute and at the end.
//!
//! *Guarantees*: the dimensions are the environment, and beside it the language for what listeners of one language get; the
//! session is a property, to be searched: a metric per session would cost money and could carry no alarm. Counts are what
//! was used since the line before, so that their sum over all workers is the bill.

use schemas::ids::{SessionId, Timestamp};
use schemas::metrics::NAMESPACE;
use schemas::voice::{AudioIssue, AudioQuality, ModelStatus};
use schemas::worker::{LanguageStatus, Phase, Rung, Usage, Waiting, WorkerStatus};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Between two lines, ms.
const EVERY_MS: i64 = 60_000;

/// What was told so far.
#[derive(Debug)]
pub struct Metrics {
    environment: String,
    session: SessionId,
    told: Usage,
    warned: BTreeMap<AudioIssue, u64>,
    model: ModelStatus,
    next_at: Option<Timestamp>,
    /// The longest that the row was not written since the line before, ms.
    unwritten_ms: u64,
}

impl Metrics {
    /// Nothing was told yet.
    #[must_use]
    pub fn new(environment: String, session: SessionId) -> Self {
        Self {
            environment,
            session,
            told: Usage::default(),
            warned: BTreeMap::new(),
            model: ModelStatus::default(),
            next_at: None,
            unwritten_ms: 0,
        }
    }

    /// The lines that are due with this status, none most of the time; the row was last written so long ago.
    pub fn lines(&mut self, phase: Phase, status: &WorkerStatus, unwritten_ms: u64) -> Vec<String> {
        self.unwritten_ms = self.unwritten_ms.max(unwritten_ms);
        let now = status.heartbeat_at;
        let next = *self.next_at.get_or_insert(now.plus_ms(EVERY_MS));
        if now < next && !phase.is_final() {
            return Vec::new();
        }
        self.next_at = Some(now.plus_ms(EVERY_MS));
        let usage = self.used(status, now);
        let heard = status.languages.iter().filter(|(_, language)| language.listeners > 0);
        let languages = heard.filter_map(|(code, language)| self.heard(code.as_str(), language, now));
        let languages: Vec<String> = languages.collect();
        let quality = status.audio_quality.as_ref().map(|quality| self.quality(quality, now));
        [usage].into_iter().chain(languages).chain(quality).collect()
    }

    /// How good the speaker's audio is, and what was found wrong since the line before. Nothing of the voice itself.
    fn quality(&mut self, quality: &AudioQuality, now: Timestamp) -> String {
        let old = std::mem::replace(&mut self.warned, quality.warnings.clone());
        let since = |issue| {
            let count = |of: &BTreeMap<AudioIssue, u64>| of.get(&issue).copied().unwrap_or(0);
            Value::from(count(&quality.warnings).saturating_sub(count(&old)))
        };
        let level = |name, value: Option<f64>| Some((name, "None", Value::from(value?)));
        let values = [
            level("SignalToNoise", quality.snr_db),
            Some(("PacketLoss", "Percent", Value::from(quality.packet_loss_percent))),
            Some(("Clipping", "Percent", Value::from(quality.clipping_percent))),
            Some(("WarningsSnrLow", "Count", since(AudioIssue::SnrLow))),
            Some(("WarningsClipping", "Count", since(AudioIssue::Clipping))),
            Some(("WarningsEcho", "Count", since(AudioIssue::Echo))),
            Some(("WarningsSilence", "Count", since(AudioIssue::Silence))),
            Some(("WarningsPacketLoss", "Count", since(AudioIssue::PacketLoss))),
            Some(("WarningsJitter", "Count", since(AudioIssue::Jitter))),
        ];
        let values: Vec<_> = values.into_iter().flatten().collect();
        self.line(None, &values, now)
    }

    fn used(&mut self, status: &WorkerStatus, now: Timestamp) -> String {
        let (new, old) = (&status.usage, std::mem::replace(&mut self.told, status.usage.clone()));
        let since = |of: fn(&Usage) -> u64| Value::from(of(new).saturating_sub(of(&old)));
        let seconds = new.transcribed_ms.saturating_sub(old.transcribed_ms) / 1_000;
        // What does not fill a second comes with the next line.
        self.told.transcribed_ms = old.transcribed_ms + seconds * 1_000;
        let listeners: u32 = status.languages.values().map(|language| language.listeners).sum();
        let values = vec![
            ("TranscribedSeconds", "Seconds", Value::from(seconds)),
            ("TranscribeStreams", "Count", since(|usage| usage.transcribe_streams)),
            ("TranslatedCharacters", "Count", since(|usage| usage.translated_characters)),
            ("Translations", "Count", since(|usage| usage.translations)),
            ("Posts", "Count", since(|usage| usage.posts)),
            ("PostsFailed", "Count", since(|usage| usage.posts_failed)),
            ("Listeners", "Count", Value::from(listeners)),
            ("Degraded", "Count", Value::from(u8::from(is_degraded(status)))),
            ("LongestWait", "Milliseconds", Value::from(longest_wait(status))),
            ("RowUnwritten", "Milliseconds", Value::from(std::mem::take(&mut self.unwritten_ms))),
            ("SoundUnheard", "Milliseconds", Value::from(sound_unheard(status))),
        ];
        let model = status.voice_model.as_ref().map(|model| self.judged(model));
        let values: Vec<_> = values.into_iter().chain(model.into_iter().flatten()).collect();
        self.line(None, &values, now)
    }

    /// What became of the user's own model of the voice: how much it did, nothing of what it said.
    fn judged(&mut self, model: &ModelStatus) -> [(&'static str, &'static str, Value); 3] {
        let old = std::mem::replace(&mut self.model, model.clone());
        let count = |name, now: u64, before: u64| (name, "Count", Value::from(now.saturating_sub(before)));
        [
            count("ModelJudged", model.judged, old.judged),
            count("ModelMissed", model.skipped + model.late, old.skipped + old.late),
            count("ModelFailed", model.failed, old.failed),
        ]
    }

    fn heard(&self, code: &str, language: &LanguageStatus, now: Timestamp) -> Option<String> {
        let lag = |name, ms: Option<u64>| Some((name, "Milliseconds", Value::from(ms?)));
        let values = [
            lag("LagP50", language.lag_p50_ms),
            lag("LagP95", language.lag_p95_ms),
            language.erasure.map(|erasure| ("Erasure", "None", Value::from(erasure))),
        ];
        let values: Vec<_> = values.into_iter().flatten().collect();
        (!values.is_empty()).then(|| self.line(Some(code), &values, now))
    }

    fn line(&self, language: Option<&str>, values: &[(&str, &str, Value)], now: Timestamp) -> String {
        let names: Vec<Value> = values.iter().map(|(name, unit, _)| json!({"Name": name, "Unit": unit})).collect();
        let dimensions = match language {
            Some(_) => json!([["Environment", "Language"], ["Environment"]]),
            None => json!([["Environment"]]),
        };
        let directive = json!({"Namespace": NAMESPACE, "Dimensions": dimensions, "Metrics": names});
        let mut line = Map::new();
        line.insert("_aws".into(), json!({"Timestamp": now.0, "CloudWatchMetrics": [directive]}));
        line.insert("Environment".into(), self.environment.as_str().into());
        line.extend(language.map(|code| ("Language".to_owned(), code.into())));
        line.insert("sessionId".into(), self.session.to_string().into());
        line.extend(values.iter().map(|(name, _, value)| ((*name).to_owned(), value.clone())));
        Value::Object(line).to_string()
    }
}

/// Whether listeners get less than the whole service, or something keeps the worker from giving it.
fn is_degraded(status: &WorkerStatus) -> bool {
    status.rung != Rung::Full || status.trouble.is_some()
}

/// How long the oldest word has waited for its next stage (text, translation, delivery), ms; 0 while nothing waits.
fn longest_wait(status: &WorkerStatus) -> i64 {
    let Waiting { speech_since, transcript_since, caption_since } = &status.progress.waiting;
    let oldest = [speech_since, transcript_since, caption_since].into_iter().filter_map(|at| *at).min();
    oldest.map_or(0, |at| status.heartbeat_at.since(at).max(0))
}

/// How long a sound has gone on that no stream hears, ms; 0 while one is open, and in digital silence.
fn sound_unheard(status: &WorkerStatus) -> i64 {
    status.progress.unheard_since.map_or(0, |since| status.heartbeat_at.since(since).max(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The golden row's status, with these seconds sent, so many seconds after the first.
    fn status(transcribed_ms: u64, after_s: i64) -> WorkerStatus {
        let golden = include_str!("../../schemas/golden/worker-row.json");
        let row: schemas::worker::WorkerRow = serde_json::from_str(golden).unwrap();
        let mut status = row.worker.unwrap();
        status.usage.transcribed_ms = transcribed_ms;
        status.heartbeat_at = status.heartbeat_at.plus_ms(after_s * 1_000);
        status
    }
    fn metrics() -> Metrics {
        Metrics::new("dev".into(), SessionId::try_new("a-b-1").unwrap())
    }
    fn read(lines: &[String]) -> Vec<Value> {
        lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn once_a_minute_a_line_tells_what_was_used_since_the_one_before() {
        let mut metrics = metrics();
        let counts: Vec<usize> =
            (0..60).step_by(2).map(|s| metrics.lines(Phase::Live, &status(1_000, s), 2_000).len()).collect();
        assert!(counts.iter().all(|n| *n == 0), "{counts:?}");
        let first = read(&metrics.lines(Phase::Live, &status(60_700, 60), 2_000));
        assert_eq!(first[0]["TranscribedSeconds"], 60);
        let second = read(&metrics.lines(Phase::Live, &status(121_000, 120), 2_000));
        assert_eq!((&second[0]["TranscribedSeconds"], &second[0]["Posts"]), (&json!(61), &json!(0)), "nothing is lost");
    }

    #[test]
    fn warnings_are_counted_once_and_nothing_of_the_voice_is_told() {
        let mut metrics = metrics();
        metrics.lines(Phase::Live, &status(0, 0), 2_000);
        let first = read(&metrics.lines(Phase::Live, &status(0, 60), 2_000)).pop().unwrap();
        assert_eq!((&first["WarningsSnrLow"], &first["SignalToNoise"]), (&json!(2), &json!(17.5)));
        let second = read(&metrics.lines(Phase::Live, &status(0, 120), 2_000)).pop().unwrap();
        assert_eq!((&second["WarningsSnrLow"], &second["WarningsEcho"]), (&json!(0), &json!(0)));
        assert!(second["arousal"].is_null() && second["pitch"].is_null(), "{second}");
    }

    #[test]
    fn the_published_list_is_what_is_written() {
        let mut metrics = metrics();
        metrics.lines(Phase::Live, &status(0, 0), 2_000);
        let lines = read(&metrics.lines(Phase::Live, &status(0, 60), 2_000));
        let mut written: Vec<Value> = Vec::new();
        for metric in lines.iter().flat_map(|l| l["_aws"]["CloudWatchMetrics"][0]["Metrics"].as_array().unwrap()) {
            if !written.contains(metric) {
                written.push(metric.clone());
            }
        }
        let published: Vec<Value> =
            schemas::metrics::WORKER.iter().map(|m| json!({"Name": m.name, "Unit": m.unit})).collect();
        assert_eq!(written, published);
        for metric in schemas::metrics::WORKER {
            let line = lines.iter().find(|line| line[metric.name].is_number()).unwrap();
            assert_eq!(line["Language"].is_string(), metric.by_language, "{}", metric.name);
            let directive = &line["_aws"]["CloudWatchMetrics"][0];
            assert!(directive["Dimensions"].as_array().unwrap().contains(&json!([schemas::metrics::DIMENSION])));
        }
    }

    #[test]
    fn a_worker_that_gives_less_or_is_kept_from_more_says_so() {
        let mut status = status(0, 0);
        (status.rung, status.trouble) = (Rung::Full, None);
        assert!(!is_degraded(&status));
        status.rung = Rung::FinalsOnly;
        assert!(is_degraded(&status));
        status.rung = Rung::Full;
        status.trouble = Some(schemas::reason::Why::new(
            schemas::reason::Cause::TranscribeLimit,
            "no stream".to_owned(),
            status.heartbeat_at,
        ));
        assert!(is_degraded(&status));
    }

    #[test]
    fn the_longest_wait_is_the_oldest_words_and_none_while_nobody_speaks() {
        let mut status = status(0, 0);
        let ago = |s: i64| Some(status.heartbeat_at.plus_ms(-s * 1_000));
        let waiting = Waiting { speech_since: ago(3), transcript_since: ago(45), caption_since: None };
        status.progress.waiting = Waiting::default();
        assert_eq!(longest_wait(&status), 0);
        status.progress.waiting = waiting;
        assert_eq!(longest_wait(&status), 45_000);
    }

    #[test]
    fn a_sound_that_no_stream_hears_is_told_for_as_long_as_it_goes_on() {
        let mut status = status(0, 0);
        status.progress.unheard_since = None;
        assert_eq!(sound_unheard(&status), 0);
        status.progress.unheard_since = Some(status.heartbeat_at.plus_ms(-95_000));
        assert_eq!(sound_unheard(&status), 95_000);
    }

    #[test]
    fn the_end_is_told_at_once() {
        let mut metrics = metrics();
        assert!(metrics.lines(Phase::Live, &status(0, 0), 2_000).is_empty());
        let last = read(&metrics.lines(Phase::Stopped, &status(9_000, 2), 2_000));
        assert_eq!(last[0]["TranscribedSeconds"], 9);
    }

    #[test]
    fn the_dimensions_are_environment_and_language_and_the_session_is_a_property() {
        let mut metrics = metrics();
        metrics.lines(Phase::Live, &status(0, 0), 2_000);
        let lines = read(&metrics.lines(Phase::Live, &status(0, 60), 2_000));
        assert_eq!(lines.len(), 4, "usage, en, es, the audio");
        for line in &lines {
            let directive = &line["_aws"]["CloudWatchMetrics"][0];
            for dimension in directive["Dimensions"].as_array().unwrap().iter().flat_map(|d| d.as_array().unwrap()) {
                assert!(["Environment", "Language"].contains(&dimension.as_str().unwrap()));
                assert!(line[dimension.as_str().unwrap()].is_string());
            }
            for metric in directive["Metrics"].as_array().unwrap() {
                assert!(line[metric["Name"].as_str().unwrap()].is_number(), "{line}");
            }
            assert_eq!((&line["Environment"], &line["sessionId"]), (&json!("dev"), &json!("a-b-1")));
        }
        assert_eq!(
            (&lines[2]["Language"], &lines[2]["LagP95"], &lines[2]["Erasure"]),
            (&json!("es"), &json!(1_350), &json!(0.21))
        );
    }
}
