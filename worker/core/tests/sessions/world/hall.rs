//! A speaker in a hall with a sound in it, before and after a long pause: which sentences are heard, and what is paid for.
//!
//! The recogniser understands every word whose audio it is sent, whatever sounds beside it: what it is not sent is the gate's doing alone,
//! and without a pause it is sent everything.

use super::sounds::{Sound, gain, to_pcm};
use super::talk::{Spoken, Talk};
use super::{World, config};
use std::ops::Range;

const RATE: usize = 16_000;
/// The sentences of `samples/welcome.wav`, ms.
const SENTENCES: [Range<usize>; 10] = [
    470..3_530,
    4_590..7_670,
    8_670..13_230,
    14_270..18_340,
    19_430..23_110,
    24_160..27_300,
    28_370..32_470,
    33_510..37_960,
    39_020..42_970,
    43_980..46_860,
];
/// Before the pause the speaker is this loud, dBFS; after it another one may be softer.
const BEFORE_DBFS: f64 = -20.0;
/// A word that is looked for takes so long, ms.
const WORD_MS: usize = 300;
/// So much of a word is enough to understand it, ms.
const ENOUGH_MS: u64 = 150;

/// A sound that goes on from begin to end, and a pause in the talk.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    pub sound: Sound,
    /// Level of the speech after the pause (RMS of the sentences), dBFS.
    pub dbfs: f64,
    /// So much softer the sound is, dB.
    pub snr_db: f64,
    pub pause_s: usize,
}

/// What became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    pub said: usize,
    /// Sentences of which every word was heard.
    pub heard: usize,
    /// First sentences after a pause that were not.
    pub first_missed: usize,
    /// Others that were not.
    pub missed: usize,
    pub billed_s: u64,
    pub speech_s: u64,
    pub streams: usize,
}

/// Samples of a sentence.
fn sentence(n: usize) -> Vec<f64> {
    let wav = include_bytes!("../../../../../samples/welcome.wav");
    let Range { start, end } = SENTENCES[n];
    let pcm = wav[44 + start * 32..44 + end * 32].chunks_exact(2);
    pcm.map(|b| f64::from(i16::from_le_bytes([b[0], b[1]])) / 32_768.0).collect()
}

/// What is said, and when: begin of each sentence in ms, and whether it is the first after a pause.
struct Plan(Vec<(usize, usize, bool)>);

impl Plan {
    /// Three sentences, the pause, two sentences, 24 s, and five.
    fn of(pause_s: usize) -> Self {
        let (mut plan, mut at) = (Vec::new(), 500);
        for (n, sentence) in SENTENCES.iter().enumerate() {
            let pause_ms = match n {
                0 => 0,
                3 => pause_s * 1_000,
                5 => 24_000,
                _ => 1_000,
            };
            at += pause_ms;
            plan.push((n, at, pause_ms > 1_000));
            at += sentence.len();
        }
        Self(plan)
    }

    fn end_ms(&self) -> usize {
        self.0.last().map_or(0, |(n, at, _)| at + SENTENCES[*n].len())
    }
}

/// The words of a sentence, one after another.
fn words(begin_ms: usize, length_ms: usize) -> Vec<Spoken> {
    let count = length_ms / WORD_MS;
    let begin = |n: usize| (begin_ms + n * WORD_MS) as u64;
    (0..count).map(|n| Spoken { text: format!("w{}", begin(n)), start_ms: begin(n), end_ms: begin(n + 1) }).collect()
}

impl Case {
    pub fn run(self) -> Outcome {
        let plan = Plan::of(self.pause_s);
        let mut heard = self.sound.at(plan.end_ms() / 1_000 + 10, self.dbfs - self.snr_db);
        let all: Vec<f64> = (0..SENTENCES.len()).flat_map(sentence).collect();
        let (before, after) = (gain(&all, BEFORE_DBFS), gain(&all, self.dbfs));
        let mut talk = Talk::default();
        for (n, at, _) in &plan.0 {
            let gain = if *n < 3 { before } else { after };
            let from = at * RATE / 1_000;
            heard[from..].iter_mut().zip(sentence(*n)).for_each(|(x, spoken)| *x += spoken * gain);
            talk.words.extend(words(*at, SENTENCES[*n].len()));
        }
        talk.voice = Some(to_pcm(&heard));
        let world = run(talk, plan.end_ms() + 8_000);
        let understood =
            |word: &usize| world.recogniser.word_ms.get(&(*word as i16)).is_some_and(|ms| *ms >= ENOUGH_MS);
        let (mut outcome, mut word) = (Outcome::of(&world), 0);
        for (n, _, first) in &plan.0 {
            let count = SENTENCES[*n].len() / WORD_MS;
            let whole = (word..word + count).filter(understood).count() == count;
            word += count;
            outcome.said += 1;
            outcome.speech_s += (SENTENCES[*n].len() / 1_000) as u64;
            match (whole, *first) {
                (true, _) => outcome.heard += 1,
                (false, true) => outcome.first_missed += 1,
                (false, false) => outcome.missed += 1,
            }
        }
        outcome
    }
}

/// Seconds that are paid for in so many after the last word of a talk, while only this sound is heard.
pub fn bill_s(sound: Sound, dbfs: f64, seconds: usize) -> u64 {
    let mut heard = sound.at(seconds + 5, dbfs);
    let last = sentence(0);
    let loud = gain(&last, BEFORE_DBFS);
    heard.iter_mut().skip(RATE / 2).zip(&last).for_each(|(x, spoken)| *x += spoken * loud);
    let talk = Talk { words: words(500, SENTENCES[0].len()), voice: Some(to_pcm(&heard)), ..Talk::default() };
    let world = run(talk, 500 + SENTENCES[0].len() + seconds * 1_000);
    Outcome::of(&world).billed_s - 4
}

impl Outcome {
    fn of(world: &World) -> Self {
        Self {
            said: 0,
            heard: 0,
            first_missed: 0,
            missed: 0,
            billed_s: world.recogniser.heard_ms / 1_000,
            speech_s: 0,
            streams: world.recogniser.opened.len(),
        }
    }
}

/// Before one listener.
fn run(talk: Talk, end_ms: usize) -> World {
    let mut world = World::with(config(), talk);
    world.listener("ann", "en");
    world.run_until(end_ms as u64 + 1_000);
    world
}
