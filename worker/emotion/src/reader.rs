//! From frames to readings: a second of speech, or a segment.

use crate::agc::AgcWatch;
use crate::arousal::{Circumstances, arousal, distance};
use crate::baseline::{Baseline, LEVEL, PITCH, RATE};
use crate::frame::{History, KEPT};
use crate::hops::HOP_MS;
use crate::labels::{self, Deviation, Labels};
use crate::result::{Flags, Reading};
use crate::summary::{LOOK_BACK, Summary};
use crate::words::Words;
use schemas::voice::{Category, Pitch, Rate, Volume};

/// Frames per second.
const SECOND: u64 = 100;
/// Rate and range are taken over the last three seconds: one alone holds four syllables.
const TRAIL: u64 = 300;
/// Speech below which a reading is short, ms.
const SHORT_MS: u64 = 400;
/// Speech below which a second is not worth a reading, ms.
const LEAST_SPEECH_MS: u64 = 100;
/// Below this ratio nothing is said but the facts, dB.
const LOW_SNR_DB: f64 = 5.0;
/// Share of clipped samples that is worth a flag.
const CLIPPED_SHARE: f64 = 0.01;
/// A live rate by words looks so far back, ms.
const WORDS_BACK_MS: u64 = 10_000;

/// What is known of the speaker.
#[derive(Debug)]
pub(crate) struct Reader {
    baseline: Baseline,
    agc: AgcWatch,
    /// Reported by the speaker's side.
    pub(crate) agc_on: bool,
    live: Labels,
    segments: Labels,
    scratch: Vec<f32>,
    /// Distance and speech of a segment's seconds.
    distances: Vec<(f64, u64)>,
    /// The last two seconds of speech, the older first: where each ended, its distance and its speech.
    last: [Option<(u64, f64, u64)>; 2],
}

/// The numbers behind a reading.
struct Measured {
    summary: Summary,
    distance: f64,
    /// The distance that the word is decided by.
    worded: f64,
}

impl Reader {
    pub(crate) fn new(agc_on: bool) -> Self {
        Self {
            baseline: Baseline::new(),
            agc: AgcWatch::new(),
            agc_on,
            live: Labels::default(),
            segments: Labels::default(),
            scratch: Vec::with_capacity(KEPT),
            distances: Vec::with_capacity(KEPT / SECOND as usize + 1),
            last: [None; 2],
        }
    }

    /// The second that ends before this frame, from which the speaker's usual voice is learnt too.
    pub(crate) fn second(&mut self, history: &History, words: &Words, from: u64, snr: Option<f64>) -> Option<Reading> {
        let to = from + SECOND;
        let summary = self.live_summary(history, from, to);
        if summary.speech_ms < LEAST_SPEECH_MS {
            return None;
        }
        self.agc.take(summary.level, summary.speech_ms);
        let distance = distance(&summary, &self.baseline, self.is_agc());
        let wpm = words.per_minute((to * HOP_MS).saturating_sub(WORDS_BACK_MS), to * HOP_MS);
        let mut labels = self.live;
        let worded = self.over_three_seconds(from, distance, summary.speech_ms);
        self.last = [self.last[1], Some((to, distance, summary.speech_ms))];
        let measured = Measured { summary, distance, worded };
        let reading = self.reading(&mut labels, &measured, (from, to), wpm, snr);
        self.live = labels;
        if !reading.flags.low_snr {
            self.baseline.learn(&summary, distance);
        }
        Some(reading)
    }

    /// A segment: its facts as a whole, its distance as the median of its seconds, each as heavy as it holds speech.
    pub(crate) fn segment(&mut self, history: &History, words: &Words, ms: (u64, u64), snr: Option<f64>) -> Reading {
        let (from, to) = (ms.0 / HOP_MS, ms.1.div_ceil(HOP_MS));
        let before = history.between(from.saturating_sub(LOOK_BACK), from);
        let summary = Summary::of(history.between(from, to), before, &mut self.scratch);
        let distance = self.median_distance(history, from, to);
        let wpm = words.per_minute(ms.0, ms.1);
        let mut labels = self.segments;
        let measured = Measured { summary, distance, worded: distance };
        let reading = self.reading(&mut labels, &measured, (from, to), wpm, snr);
        self.segments = labels;
        Reading { start_ms: ms.0, end_ms: ms.1, ..reading }
    }

    /// The distance of this second together with the two before it, each as heavy as it holds speech, unless that was long ago. A sentence
    /// begins high and ends low and soft: one second of it is not a manner of speaking, unless it is very far from usual.
    fn over_three_seconds(&self, from: u64, distance: f64, speech_ms: u64) -> f64 {
        let near = self.last.iter().flatten().filter(|(end, _, _)| from.saturating_sub(*end) <= TRAIL);
        let of =
            |(sum, weights): (f64, f64), (distance, ms): (f64, u64)| (sum + distance * ms as f64, weights + ms as f64);
        let seconds = near.map(|(_, distance, ms)| (*distance, *ms)).chain([(distance, speech_ms)]);
        let (sum, weights) = seconds.fold((0.0, 0.0), of);
        sum / weights.max(1.0)
    }

    fn live_summary(&mut self, history: &History, from: u64, to: u64) -> Summary {
        let mut of = |from: u64, to: u64| {
            let before = history.between(from.saturating_sub(LOOK_BACK), from);
            Summary::of(history.between(from, to), before, &mut self.scratch)
        };
        let trail = of(to.saturating_sub(TRAIL), to);
        Summary { range: trail.range, rate: trail.rate, ..of(from, to) }
    }

    fn median_distance(&mut self, history: &History, from: u64, to: u64) -> f64 {
        self.distances.clear();
        // Only what is kept can be looked at, however long the segment.
        let first = from.max(to.saturating_sub(KEPT as u64));
        for begin in (first..to).step_by(SECOND as usize) {
            let summary = self.live_summary(history, begin, (begin + SECOND).min(to));
            if summary.speech_ms >= LEAST_SPEECH_MS {
                self.distances.push((distance(&summary, &self.baseline, self.is_agc()), summary.speech_ms));
            }
        }
        self.distances.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let half = self.distances.iter().map(|(_, ms)| ms).sum::<u64>().div_ceil(2);
        let mut sum = 0;
        let middle = self.distances.iter().find(|(_, ms)| {
            sum += ms;
            sum >= half
        });
        middle.map_or(0.0, |(distance, _)| *distance)
    }

    fn is_agc(&self) -> bool {
        self.agc_on || self.agc.is_suspected()
    }

    fn reading(
        &self,
        labels: &mut Labels,
        measured: &Measured,
        frames: (u64, u64),
        wpm: Option<f64>,
        snr_db: Option<f64>,
    ) -> Reading {
        let of = &measured.summary;
        let flags = self.flags(of, snr_db);
        let clear = of.speech_ms >= SHORT_MS && !flags.low_snr;
        let heard = of.speech_ms > 0;
        let whisper = heard && labels.whisper(of.voiced_share, clear);
        // Until the usual voice is known, everything is drawn towards "usual".
        let maturity = if heard { self.baseline.maturity() } else { 0.0 };
        let distance = measured.distance * maturity;
        let now = Circumstances { agc: flags.agc_suspected, snr_db };
        let arousal = heard.then(|| arousal(of, distance, &self.baseline, now));
        let confidence = arousal.map_or(0.0, |a| a.confidence);
        let reliable = clear && !flags.baseline_warming;
        let (category, category_confidence) =
            labels.category(Deviation { distance: measured.worded * maturity, confidence, reliable }, whisper);
        Reading {
            start_ms: frames.0 * HOP_MS,
            end_ms: frames.1 * HOP_MS,
            speech_ms: of.speech_ms,
            arousal,
            category: if heard { category } else { Category::Neutral },
            category_confidence,
            intensity: arousal.map_or(0.0, |a| (2.0 * (a.value - 0.5).abs()).min(1.0)),
            volume: heard.then(|| self.volume(labels, of.level, whisper)),
            rate: self.rate(of, wpm),
            pitch: self.pitch(of),
            lufs: of.lufs,
            flags,
        }
    }

    fn flags(&self, of: &Summary, snr_db: Option<f64>) -> Flags {
        Flags {
            baseline_warming: !self.baseline.is_ready(),
            agc_suspected: self.is_agc(),
            low_snr: snr_db.is_some_and(|snr| snr < LOW_SNR_DB),
            short: of.speech_ms < SHORT_MS,
            clipped: of.clipped_share > CLIPPED_SHARE,
        }
    }

    fn volume(&self, labels: &mut Labels, dbfs: f64, whisper: bool) -> Volume {
        let relative_db = self.baseline.usual(LEVEL).map_or(0.0, |usual| dbfs - usual);
        Volume { level: labels.volume(relative_db, whisper), dbfs, relative_db }
    }

    fn rate(&self, of: &Summary, wpm: Option<f64>) -> Option<Rate> {
        let ratio = of.rate.zip(self.baseline.usual(RATE)).map(|(rate, usual)| rate / usual);
        let (classification, basis) = labels::rate(wpm, ratio)?;
        Some(Rate { classification, basis, wpm, syllables_per_second: of.rate })
    }

    fn pitch(&self, of: &Summary) -> Option<Pitch> {
        let median = of.pitch?;
        Some(Pitch {
            hz: (median / 12.0).exp2(),
            relative_semitones: self.baseline.usual(PITCH).map_or(0.0, |usual| median - usual),
            range_semitones: of.range.unwrap_or(0.0),
        })
    }
}
