//! How loud the audio is, and a simple judgement whether it is speech: it is loud, and stands out of the noise.
//!
//! That judgement is quick and costs nothing, and is wrong about soft speakers and loud noise. So it serves where either mistake is small, and
//! whoever uses it says why; whether a stream is open is not decided by it (`gate.rs`).

use super::SAMPLES_PER_MS;
use std::cell::Cell;
use std::collections::VecDeque;

/// Levels are kept for so long: longer than any segment.
const KEPT_MS: u64 = 120_000;
/// Quieter than this is never speech, dBFS.
const SPEECH_LEAST_DBFS: f64 = -55.0;
/// Speech stands out of the noise by so much, dB.
const SPEECH_ABOVE_NOISE_DB: f64 = 9.0;
/// The noise floor is followed upwards so slowly, dB per second.
const NOISE_RISE_DB_PER_S: f64 = 3.0;
/// What is louder than this is a sound, dBFS: one bit of sixteen that flickers is not.
const SOUND_DBFS: f64 = -88.0;
/// A sound goes on over gaps of so long, ms.
const SOUND_GAP_MS: u64 = 1_000;
/// What is usual of late is that of so long, ms.
const USUAL_MS: u64 = 30_000;
/// A pause is quieter than what is usual by this factor of energy: 18 dB.
const PAUSE_BELOW: f64 = 63.0;
/// Below this the level of digital silence is not told apart, dBFS.
const FLOOR_DBFS: f64 = -96.0;

#[derive(Debug, Clone, Copy)]
struct Level {
    start_ms: u64,
    end_ms: u64,
    mean_square: f64,
    speech: bool,
    /// Of all speech so far, this frame's included, ms: what lies between two frames is a difference.
    spoken_ms: u64,
}

impl Level {
    /// Of all speech before it, ms.
    fn spoken_before_ms(&self) -> u64 {
        self.spoken_ms - if self.speech { self.end_ms - self.start_ms } else { 0 }
    }
}

/// Levels of the last two minutes, frame by frame.
#[derive(Debug)]
pub(crate) struct Levels {
    frames: VecDeque<Level>,
    noise_dbfs: f64,
    speech_end_ms: u64,
    /// The end of the last sound, speech or not.
    sound_end_ms: Option<u64>,
    end_ms: u64,
    /// What is usual of late, once somebody has asked since the last frame: it is asked for several times between two frames, and sorts 1,500.
    usual_mean_square: Cell<Option<f64>>,
}

impl Default for Levels {
    fn default() -> Self {
        Self {
            frames: VecDeque::new(),
            noise_dbfs: SPEECH_LEAST_DBFS,
            speech_end_ms: 0,
            sound_end_ms: None,
            end_ms: 0,
            usual_mean_square: Cell::new(None),
        }
    }
}

impl Levels {
    /// Measures a frame; true when it is speech.
    pub(crate) fn take(&mut self, start_ms: u64, pcm: &[i16]) -> bool {
        if pcm.is_empty() {
            return false;
        }
        let length_ms = pcm.len() as u64 / SAMPLES_PER_MS;
        let mean_square = mean_square(pcm);
        let dbfs = to_dbfs(mean_square);
        #[expect(clippy::cast_precision_loss, reason = "a frame's length is small")]
        let rise = NOISE_RISE_DB_PER_S * length_ms as f64 / 1_000.0;
        let least = SPEECH_LEAST_DBFS - SPEECH_ABOVE_NOISE_DB;
        self.noise_dbfs = if dbfs < self.noise_dbfs { dbfs.max(least) } else { (self.noise_dbfs + rise).min(dbfs) };
        let speech = dbfs > SPEECH_LEAST_DBFS.max(self.noise_dbfs + SPEECH_ABOVE_NOISE_DB);
        self.end_ms = start_ms + length_ms;
        if speech {
            self.speech_end_ms = self.end_ms;
        }
        if dbfs > SOUND_DBFS {
            self.sound_end_ms = Some(self.end_ms);
        }
        let spoken_ms = self.spoken_ms() + if speech { length_ms } else { 0 };
        self.frames.push_back(Level { start_ms, end_ms: self.end_ms, mean_square, speech, spoken_ms });
        self.usual_mean_square.set(None);
        while self.frames.front().is_some_and(|f| f.end_ms + KEPT_MS < self.end_ms) {
            self.frames.pop_front();
        }
        speech
    }

    /// Somebody has understood words up to this moment, so it was speech, however quiet.
    pub(crate) fn understood(&mut self, end_ms: u64) {
        self.speech_end_ms = self.speech_end_ms.max(end_ms.min(self.end_ms));
    }

    /// The end of the audio in media time, ms.
    pub(crate) fn end_ms(&self) -> u64 {
        self.end_ms
    }

    /// Whether there is a sound, speech or not.
    pub(crate) fn sounds(&self) -> bool {
        self.sound_end_ms.is_some_and(|end| self.end_ms - end < SOUND_GAP_MS)
    }

    /// Milliseconds of media time since the last speech.
    pub(crate) fn silent_for_ms(&self) -> u64 {
        self.end_ms.saturating_sub(self.speech_end_ms)
    }

    /// The pause around this moment: the end of the last sound before it, 0 when none is known, and the begin of the next one, the end of the
    /// audio when there is none. A speaker may be too soft to be called speech: a pause is only what is far below what was heard of late.
    pub(crate) fn pause_around_ms(&self, at_ms: u64) -> (u64, u64) {
        let far_below = self.usual_mean_square() / PAUSE_BELOW;
        let sounds = |f: &&Level| f.speech || f.mean_square >= far_below;
        let before = self.frames.range(..self.frames.partition_point(|f| f.start_ms < at_ms)).rev().find(sounds);
        let next = self.frames.range(self.frames.partition_point(|f| f.end_ms <= at_ms)..).find(sounds);
        (before.map_or(0, |f| f.end_ms.min(at_ms)), next.map_or(self.end_ms, |f| f.start_ms))
    }

    /// What nine frames in ten of the last half minute do not exceed; a clap does not raise it.
    fn usual_mean_square(&self) -> f64 {
        let usual = self.usual_mean_square.get().unwrap_or_else(|| self.find_usual());
        self.usual_mean_square.set(Some(usual));
        usual
    }

    fn find_usual(&self) -> f64 {
        let recent = self.frames.iter().rev().take_while(|f| f.end_ms + USUAL_MS > self.end_ms);
        let mut squares: Vec<f64> = recent.map(|f| f.mean_square).collect();
        let nth = squares.len() * 9 / 10;
        if nth >= squares.len() {
            return 0.0;
        }
        *squares.select_nth_unstable_by(nth, f64::total_cmp).1
    }

    /// The least and the most loudness of any stretch of this length in the last so many milliseconds, dBFS.
    pub(crate) fn loudness_range(&self, last_ms: u64, window_ms: u64) -> Option<(f64, f64)> {
        let recent = || self.frames.iter().rev().take_while(|f| f.end_ms + last_ms > self.end_ms);
        let (mut within, mut sum, mut range) = (VecDeque::new(), 0.0, None::<(f64, f64)>);
        for frame in recent() {
            let length_ms = frame.end_ms - frame.start_ms;
            #[expect(clippy::cast_precision_loss, reason = "a frame's length is small")]
            let energy = frame.mean_square * length_ms as f64;
            within.push_back((length_ms, energy));
            sum += energy;
            let mut whole_ms: u64 = within.iter().map(|(ms, _)| ms).sum();
            while let Some((ms, energy)) = within.front().copied().filter(|(ms, _)| whole_ms - ms >= window_ms) {
                within.pop_front();
                (sum, whole_ms) = (sum - energy, whole_ms - ms);
            }
            if whole_ms >= window_ms {
                #[expect(clippy::cast_precision_loss, reason = "seconds in ms are small")]
                let dbfs = to_dbfs(sum / whole_ms as f64);
                let (least, most) = range.unwrap_or((dbfs, dbfs));
                range = Some((least.min(dbfs), most.max(dbfs)));
            }
        }
        range
    }

    /// Milliseconds of speech in the last so many of audio.
    pub(crate) fn speech_within_ms(&self, last_ms: u64) -> u64 {
        let recent = self.frames.partition_point(|f| f.end_ms + last_ms <= self.end_ms);
        self.frames.get(recent).map_or(0, |first| self.spoken_ms() - first.spoken_before_ms())
    }

    /// Milliseconds of all speech so far.
    fn spoken_ms(&self) -> u64 {
        self.frames.back().map_or(0, |f| f.spoken_ms)
    }

    /// Root mean square of the speech between two moments, dB re full scale; `None` when there is none.
    pub(crate) fn speech_dbfs(&self, start_ms: u64, end_ms: u64) -> Option<f64> {
        let within = self.frames.iter().filter(|f| f.speech && f.end_ms > start_ms && f.start_ms < end_ms);
        let (sum, count) = within.fold((0.0, 0.0), |(sum, count), f| (sum + f.mean_square, count + 1.0));
        (count > 0.0).then(|| to_dbfs(sum / count))
    }
}

/// Mean square with full scale 1.
fn mean_square(pcm: &[i16]) -> f64 {
    let sum: i64 = pcm.iter().map(|s| i64::from(i32::from(*s) * i32::from(*s))).sum();
    #[expect(clippy::cast_precision_loss, reason = "a frame is short: its sum of squares is exact in an f64")]
    let mean = sum as f64 / pcm.len() as f64;
    mean / (32_768.0 * 32_768.0)
}

fn to_dbfs(mean_square: f64) -> f64 {
    if mean_square <= 0.0 { FLOOR_DBFS } else { (10.0 * mean_square.log10()).max(FLOOR_DBFS) }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A tone at 440 Hz whose peak is this share of full scale.
    pub(crate) fn tone(ms: u64, peak: f64) -> Vec<i16> {
        (0..ms * SAMPLES_PER_MS)
            .map(|n| {
                let phase = n as f64 * 440.0 * std::f64::consts::TAU / 16_000.0;
                (phase.sin() * peak * 32_767.0) as i16
            })
            .collect()
    }

    #[test]
    fn a_full_scale_sine_is_minus_three_dbfs() {
        let mut levels = Levels::default();
        levels.take(0, &tone(100, 1.0));
        let dbfs = levels.speech_dbfs(0, 100).unwrap();
        assert!((dbfs + 3.01).abs() < 0.05, "{dbfs}");
    }

    #[test]
    fn silence_and_steady_noise_are_not_speech() {
        let mut levels = Levels::default();
        assert!(!levels.take(0, &[0; 320]));
        let speech = (1..1_000).filter(|n| levels.take(n * 20, &tone(20, 0.01))).count();
        assert!(speech < 250, "the noise floor is learnt: {speech}");
        assert!(levels.take(20_000, &tone(20, 0.3)));
        assert_eq!(levels.silent_for_ms(), 0);
    }

    #[test]
    fn loudness_is_that_of_the_speech_not_of_the_pauses_in_it() {
        let mut levels = Levels::default();
        for n in 0..50 {
            levels.take(n * 20, &if n % 2 == 0 { vec![0; 320] } else { tone(20, 0.5) });
        }
        let dbfs = levels.speech_dbfs(0, 1_000).unwrap();
        assert!((dbfs + 9.03).abs() < 0.2, "{dbfs}");
    }

    #[test]
    fn a_pause_is_far_below_what_was_heard_of_late_however_soft_the_speaker_is() {
        let mut levels = Levels::default();
        let frame = |amplitude: i16| vec![amplitude; 320];
        // Half a second of a soft voice (-60 dBFS), a pause of as long (-84 dBFS), and again; once somebody claps.
        for (nth, start_ms) in (0..20_000).step_by(20).enumerate() {
            let speaks = (nth / 25) % 2 == 0;
            let pcm = frame(if nth == 500 {
                20_000
            } else if speaks {
                33
            } else {
                2
            });
            levels.take(start_ms, &pcm);
        }
        assert_eq!(levels.pause_around_ms(750), (500, 1_000));
        assert_eq!(levels.pause_around_ms(1_250), (1_250, 1_240), "no pause");
        let (before, next) = levels.pause_around_ms(19_990);
        assert_eq!((before, next), (19_500, 20_000), "it goes on");
    }
}
