//! Recordings through the worker's own analysis, as a session would hear them: 20 ms at a time, one speaker after the other.
//!
//! *The same as in the worker*: the analysis itself with its baseline, pushed frame by frame and asked for each recording as for a caption's
//! segment; which utterances a model is given, and how much of them. *Not the same*: the sound has not been through Opus and a network;
//! between recordings nothing is heard, where a microphone would hear the room; there is no transcript, so that rates are counted in
//! syllables; and a model is waited for, however long it takes.

use super::corpus::Recording;
use crate::rehearse::wav;
use std::collections::BTreeMap;
use std::path::Path;
use worker_emotion::{Affect, Analyzer, Config, Event, Origin, Reading};
use worker_model::{LONGEST_MS, Model};

/// The worker's rate, Hz.
const RATE: u32 = 16_000;
/// Samples per millisecond at it.
const PER_MS: usize = 16;
/// One push, samples.
const FRAME: usize = 320;
/// Between two recordings, ms: nothing is measured there, as with a gap in the network.
const GAP_MS: u64 = 1_000;

/// Whether the speaker's usual voice is learnt from one recording to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Baseline {
    /// As in a session: a speaker's recordings follow each other.
    Live,
    /// Every recording is a stranger's.
    None,
}

/// How recordings are heard.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Setting {
    /// The microphone is taken to level the loudness.
    pub agc: bool,
    /// White noise is added at this ratio to the recording, dB.
    pub noise_snr: Option<f64>,
    /// See [`Baseline`].
    pub baseline: Baseline,
    /// Draws the order and the noise.
    pub seed: u64,
}

/// What came of the recordings.
#[derive(Debug, Default)]
pub struct Heard {
    /// The reading of each that could be played.
    pub readings: Vec<(Recording, Reading)>,
    /// Those that could not, and why.
    pub unread: Vec<String>,
    /// What the model says of each that it was given.
    pub judged: Vec<(Recording, Affect)>,
    /// Recordings at which the model failed, and how.
    pub failed: Vec<String>,
    /// Audio in all, ms.
    pub audio_ms: u64,
}

impl Heard {
    /// Gives the model what the worker would: no utterance that is too short or too noisy, and of a long one the end.
    fn ask(&mut self, model: &mut Model, recording: &Recording, reading: &Reading, pcm: &[i16]) {
        if reading.flags.short || reading.flags.low_snr {
            return;
        }
        let longest = usize::try_from(LONGEST_MS).unwrap_or(usize::MAX).saturating_mul(PER_MS);
        match model.judge(&pcm[pcm.len().saturating_sub(longest)..]) {
            Ok(affect) => self.judged.push((recording.clone(), affect)),
            Err(error) => self.failed.push(format!("{}: {error}", recording.path.display())),
        }
    }
}

/// Plays all of them: the speakers in an order drawn by the seed, and so are the recordings of each.
#[must_use]
pub fn listen(recordings: &[Recording], setting: &Setting, mut model: Option<&mut Model>) -> Heard {
    let mut random = fastrand::Rng::with_seed(setting.seed);
    let mut speakers: BTreeMap<&str, Vec<&Recording>> = BTreeMap::new();
    for recording in recordings {
        speakers.entry(&recording.label.speaker).or_default().push(recording);
    }
    let mut speakers: Vec<_> = speakers.into_values().collect();
    random.shuffle(&mut speakers);
    let mut heard = Heard::default();
    for mut of_one in speakers {
        random.shuffle(&mut of_one);
        let mut stream = Stream::new(setting.agc);
        for recording in of_one {
            if setting.baseline == Baseline::None {
                stream = Stream::new(setting.agc);
            }
            match load(&recording.path, setting.noise_snr, &mut random) {
                Err(why) => heard.unread.push(why),
                Ok(pcm) => {
                    heard.audio_ms += (pcm.len() / PER_MS) as u64;
                    let Some(reading) = stream.play(&pcm) else { continue };
                    if let Some(model) = &mut model {
                        heard.ask(model, recording, &reading, &pcm);
                    }
                    heard.readings.push((recording.clone(), reading));
                }
            }
        }
    }
    heard
}

fn load(path: &Path, noise_snr: Option<f64>, random: &mut fastrand::Rng) -> Result<Vec<i16>, String> {
    let mut pcm = wav::load_at(path, RATE).map_err(|e| e.to_string())?;
    if let Some(db) = noise_snr {
        add_noise(&mut pcm, db, random);
    }
    Ok(pcm)
}

/// White noise at this ratio of the recording's power to its own, dB.
fn add_noise(pcm: &mut [i16], snr_db: f64, random: &mut fastrand::Rng) {
    #[expect(clippy::cast_precision_loss, reason = "a number of samples")]
    let power = pcm.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / pcm.len().max(1) as f64;
    // Evenly spread over ±a has the power a²/3.
    let most = (3.0 * power / 10_f64.powf(snr_db / 10.0)).sqrt();
    for sample in pcm {
        let noisy = f64::from(*sample) + most * (2.0 * random.f64() - 1.0);
        #[expect(clippy::cast_possible_truncation, reason = "clamped")]
        let clamped = noisy.clamp(-32_768.0, 32_767.0) as i16;
        *sample = clamped;
    }
}

/// One speaker's analysis.
struct Stream {
    analyzer: Analyzer,
    end_ms: u64,
    segment: u64,
}

impl Stream {
    fn new(agc_on: bool) -> Self {
        Self { analyzer: Analyzer::new(Config { agc_on }), end_ms: 0, segment: 0 }
    }

    /// Plays one recording as a segment; gives its reading.
    fn play(&mut self, pcm: &[i16]) -> Option<Reading> {
        let begin_ms = self.end_ms;
        let mut reading = None;
        let mut at_ms = begin_ms;
        for frame in pcm.chunks(FRAME) {
            self.analyzer.push(at_ms, frame, Origin::Received);
            at_ms += (frame.len() / PER_MS) as u64;
            self.poll(&mut reading);
        }
        self.segment += 1;
        self.analyzer.segment(self.segment, begin_ms, at_ms);
        let gap = vec![0; usize::try_from(GAP_MS).unwrap_or(0) * PER_MS];
        for (n, frame) in (0_u64..).zip(gap.chunks(FRAME)) {
            self.analyzer.push(at_ms + n * 20, frame, Origin::Filled);
            self.poll(&mut reading);
        }
        self.end_ms = at_ms + GAP_MS;
        reading
    }

    fn poll(&mut self, reading: &mut Option<Reading>) {
        while let Some(event) = self.analyzer.poll() {
            match event {
                Event::Segment { id, reading: of_segment } if id == self.segment => *reading = Some(of_segment),
                Event::Segment { .. } | Event::Second(_) | Event::Quality(_) => {}
            }
        }
    }
}
