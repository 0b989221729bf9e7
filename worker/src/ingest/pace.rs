//! Fragments come whole, one to twenty seconds of speech at once; recogniser and captions want it as it was spoken.
//!
//! A frame is given out when the one before it has been spoken. What comes too late moves everything after it back, so the delay grows to that
//! of the slowest fragment and no further; what has piled up after a break is given out at twice the speed.

use std::collections::VecDeque;
use worker_core::input::{AudioFrame, AudioKind};
use worker_core::time::MediaInstant;

const SAMPLES_PER_MS: u64 = 16;
/// So much of what waits is left when the next fragment comes, ms; more is caught up with.
const RESERVE_MS: u64 = 500;
/// The least that waited over so long a time is more than is needed, ms.
const WINDOW_MS: u64 = 10_000;

/// Frames that wait for their moment.
#[derive(Debug)]
pub struct Pace {
    waiting: VecDeque<AudioFrame>,
    waiting_samples: u64,
    next_at: MediaInstant,
    /// Sixteenths of a millisecond of `next_at`: a frame need not last whole milliseconds.
    remainder: u64,
    /// The least that waited in this window, samples.
    least: u64,
    window_ends: MediaInstant,
    /// So many samples are given out at twice the speed.
    hurry: u64,
    /// So many samples of a pause of the producer have passed already, while nothing was there to be given out.
    passed: u64,
    /// Nothing waits any more.
    released: bool,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            waiting: VecDeque::new(),
            waiting_samples: 0,
            next_at: MediaInstant(0),
            remainder: 0,
            least: u64::MAX,
            window_ends: MediaInstant(0),
            hurry: 0,
            passed: 0,
            released: false,
        }
    }
}

impl Pace {
    /// A frame came.
    pub fn push(&mut self, frame: AudioFrame, now: MediaInstant) {
        if self.waiting.is_empty() {
            self.passed = now.since(self.next_at).saturating_mul(SAMPLES_PER_MS);
            self.next_at = self.next_at.max(now);
            self.least = 0;
        }
        self.waiting_samples += cost(&frame);
        self.waiting.push_back(frame);
    }

    /// The session ends: what waits is given out at once, and what still comes as well.
    pub fn release(&mut self) {
        self.released = true;
    }

    /// The frame whose moment has come.
    pub fn poll(&mut self, now: MediaInstant) -> Option<AudioFrame> {
        if self.deadline()? > now {
            return None;
        }
        let frame = self.waiting.pop_front()?;
        let samples = cost(&frame);
        self.waiting_samples -= samples;
        self.look(now);
        let samples = samples - self.waited_for(&frame, samples);
        let spent = self.remainder + if self.hurry > 0 { samples.div_ceil(2) } else { samples };
        self.hurry = self.hurry.saturating_sub(samples);
        self.next_at = self.next_at.plus_ms(spent / SAMPLES_PER_MS);
        self.remainder = spent % SAMPLES_PER_MS;
        Some(frame)
    }

    /// When the next frame's moment comes.
    #[must_use]
    pub fn deadline(&self) -> Option<MediaInstant> {
        (!self.waiting.is_empty()).then_some(if self.released { MediaInstant(0) } else { self.next_at })
    }

    /// What waits, ms.
    #[must_use]
    pub fn waiting_ms(&self) -> u64 {
        self.waiting_samples / SAMPLES_PER_MS
    }

    /// So much of this frame has passed already: of a pause as much as was waited for its end, of sound nothing.
    fn waited_for(&mut self, frame: &AudioFrame, samples: u64) -> u64 {
        let passed = match frame.kind {
            AudioKind::Filled => self.passed.min(samples),
            AudioKind::Decoded | AudioKind::Concealed => {
                self.passed = 0;
                0
            }
        };
        self.passed -= passed;
        passed
    }

    fn look(&mut self, now: MediaInstant) {
        self.least = self.least.min(self.waiting_samples);
        if now < self.window_ends {
            return;
        }
        let surplus = self.least.saturating_sub(RESERVE_MS * SAMPLES_PER_MS);
        if self.least != u64::MAX && self.window_ends > MediaInstant(0) {
            self.hurry = surplus;
        }
        (self.least, self.window_ends) = (u64::MAX, now.plus_ms(WINDOW_MS));
    }
}

/// How long a frame takes, samples. A whole second of silence in which the producer paused has passed by itself; of a shorter one counts what
/// [`Pace::waited_for`] does not know to have passed.
fn cost(frame: &AudioFrame) -> u64 {
    let samples = frame.pcm.len() as u64;
    match frame.kind {
        AudioKind::Filled if samples >= 1_000 * SAMPLES_PER_MS => 0,
        AudioKind::Decoded | AudioKind::Concealed | AudioKind::Filled => samples,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(n: u64) -> AudioFrame {
        AudioFrame { start_ms: n * 20, pcm: vec![0; 320], kind: AudioKind::Decoded }
    }

    /// Fragments of 2 s that come at these moments; when each frame was given out.
    fn play(arrivals: &[u64], until: u64) -> Vec<u64> {
        let (mut pace, mut given) = (Pace::default(), Vec::new());
        for now in 0..until {
            for (n, _) in arrivals.iter().enumerate().filter(|(_, at)| **at == now) {
                (0..100).for_each(|i| pace.push(frame(n as u64 * 100 + i), MediaInstant(now)));
            }
            while pace.poll(MediaInstant(now)).is_some() {
                given.push(now);
            }
        }
        given
    }

    #[test]
    fn at_the_end_of_the_session_nothing_that_was_said_is_kept_back() {
        let mut pace = Pace::default();
        (0..100).for_each(|n| pace.push(frame(n), MediaInstant(5)));
        assert_eq!(pace.poll(MediaInstant(5)).map(|frame| frame.start_ms), Some(0));
        pace.release();
        assert_eq!(std::iter::from_fn(|| pace.poll(MediaInstant(6))).count(), 99);
    }

    #[test]
    fn a_burst_of_two_seconds_is_heard_over_two_seconds() {
        let given = play(&[0, 2_000, 4_000], 6_000);
        assert_eq!(given.len(), 300);
        assert!(given.windows(2).all(|pair| pair[1] - pair[0] == 20), "without a break between fragments");
    }

    #[test]
    fn a_late_fragment_costs_one_pause_and_later_ones_as_late_cost_none() {
        let given = play(&[0, 2_300, 4_000, 6_300, 8_000], 11_000);
        let pauses: Vec<u64> = given.windows(2).map(|pair| pair[1] - pair[0]).filter(|gap| *gap > 20).collect();
        assert_eq!(pauses, [320]);
    }

    /// Fragments of 2 s, each with a pause of the producer of so many ms before it, that come when they are complete; how long after its sound
    /// was made each frame was given out.
    fn delays(pauses: &[u64]) -> Vec<u64> {
        let (mut pace, mut delays, mut media) = (Pace::default(), Vec::new(), 0);
        let mut fragments = pauses.iter().map(|pause| {
            let fragment = (media, *pause, media + pause + 2_000);
            media = fragment.2;
            fragment
        });
        let mut next = fragments.next();
        for now in 0..u64::MAX {
            if let Some((from, pause, _)) = next.filter(|(_, _, complete)| *complete == now) {
                if pause > 0 {
                    let silence = vec![0; usize::try_from(pause * SAMPLES_PER_MS).unwrap()];
                    pace.push(AudioFrame { start_ms: from, pcm: silence, kind: AudioKind::Filled }, MediaInstant(now));
                }
                let frames = (0..100).map(|n| AudioFrame { start_ms: from + pause + n * 20, ..frame(0) });
                frames.for_each(|frame| pace.push(frame, MediaInstant(now)));
                next = fragments.next();
            }
            while let Some(given) = pace.poll(MediaInstant(now)) {
                if given.kind == AudioKind::Decoded {
                    delays.push(now - given.start_ms);
                }
            }
            if next.is_none() && pace.deadline().is_none() {
                return delays;
            }
        }
        delays
    }

    #[test]
    fn pauses_of_the_producer_that_are_shorter_than_a_second_delay_nothing() {
        let of = |pause| delays(&[0, pause, pause, pause, pause, 0]);
        for pause in [100, 400, 700, 999] {
            assert!(of(pause).iter().all(|delay| *delay == 2_000), "{pause}: {:?}", of(pause));
        }
    }

    #[test]
    fn what_piled_up_after_a_break_is_caught_up_with() {
        let mut arrivals = vec![0; 10];
        arrivals.extend((1..60).map(|n| n * 2_000));
        let given = play(&arrivals, 120_000);
        let left = 6_900 - given.len();
        assert!(left * 20 <= 600, "{left} frames are left: only the reserve");
    }
}
