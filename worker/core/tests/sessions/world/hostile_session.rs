//! A whole session before a hostile recogniser, and what its listeners read of each spoken word.

use super::{Hostility, Spoken, Talk, World, config, language};
use hostile_recogniser::Switches;
use hostile_recogniser::kind::{Sentence, talk};
use hostile_recogniser::spelled::{ENGLISH, Place, Score, Spelling};
use std::collections::BTreeMap;
use worker_core::EngineConfig;
use worker_core::input::StreamEnd;

/// Silences after sentences: a breath, a pause, and one that makes up for much.
const PAUSES_MS: [u64; 6] = [300, 1_000, 1_000, 1_000, 3_000, 6_000];
/// Words that were said in so much of the begin, and of the end, are compared, ms; in a short talk, in a third of it.
const WINDOW_MS: u64 = 30_000;

/// The least lag of fewer words is that of a partial by chance.
const LEAST_WORDS: usize = 8;
/// Of a pause so much is heard all the same, and some is sent before it is known to be one, ms.
const HEARD_MS: u64 = 500;

/// What is said, and what goes wrong.
#[derive(Debug, Clone)]
pub struct HostileSession {
    pub spelling: Spelling,
    pub sentences: Vec<Sentence>,
    pub switches: Switches,
    pub seed: u64,
    /// When the stream is cut, process time.
    pub cuts: Vec<u64>,
    pub config: EngineConfig,
}

impl HostileSession {
    /// Four sentences in English, before listeners in English, Spanish and Catalan.
    pub fn new(switches: Switches) -> Self {
        Self {
            spelling: ENGLISH,
            sentences: vec![(8, 1_000); 4],
            switches,
            seed: 1,
            cuts: Vec::new(),
            config: config(),
        }
    }

    /// A talk of so long, with cuts in its first two thirds: about one in five minutes, and at least `cuts`.
    pub fn random(spelling: Spelling, switches: Switches, seed: u64, length_ms: u64, cuts: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let (mut sentences, mut said_ms) = (Vec::new(), 0);
        while said_ms < length_ms {
            let (words, pause_ms) = (rng.usize(1..=14), *rng.choice(&PAUSES_MS).unwrap_or(&1_000));
            sentences.push((words, pause_ms));
            said_ms += words as u64 * 400 + pause_ms;
        }
        let cuts = (0..cuts + said_ms / 300_000).map(|_| rng.u64(3_000..3_001 + said_ms * 2 / 3)).collect();
        Self { spelling, sentences, seed, cuts, ..Self::new(switches) }
    }

    pub fn run(self) -> Ran {
        let (words, said) = talk(&self.spelling, &self.sentences);
        let spoken = words.into_iter().map(|word| Spoken {
            text: format!("{}{}", word.text, word.mark.unwrap_or_default()),
            start_ms: word.start_ms,
            end_ms: word.end_ms,
        });
        let talk = Talk { words: spoken.collect(), ..Talk::default() };
        let end = talk.end_ms() + 12_000;
        let mut world = World::with(self.config, talk);
        world.source = language(self.spelling.language);
        world.recogniser.hostility = Some(Hostility::new(self.switches, self.seed));
        for spoken in [self.spelling.language, "es", "ca"] {
            world.listener(spoken, spoken);
        }
        for cut in self.cuts {
            world.at(cut, |w| w.recogniser.cut(StreamEnd::Fault("reset".into()), w.now));
        }
        world.at(end, World::end_session);
        world.run_until(end + 30_000);
        Ran { spelling: self.spelling, said, world }
    }
}

/// A session that is over.
pub struct Ran {
    pub spelling: Spelling,
    pub said: Vec<Place>,
    pub world: World,
}

impl Ran {
    /// What became of the words in the finals of this listener.
    pub fn score(&self, listener: &str) -> Score {
        let text = self.world.seat(listener).text().replace(&format!("{listener}:"), "");
        self.spelling.score(&self.said, &text)
    }

    /// What it says in the speaker's language, final by final.
    pub fn finals(&self) -> Vec<String> {
        self.world.seat(self.spelling.language).finals().iter().map(|caption| caption.text.clone()).collect()
    }

    /// From the end of each spoken word until a listener in the speaker's language reads it first, ms. A word that only a final
    /// brings is not counted: how late a final is told is the service's own.
    fn lags(&self) -> BTreeMap<Place, u64> {
        let begin = self.world.begin_of_audio();
        let ends: BTreeMap<Place, u64> = self
            .said
            .iter()
            .copied()
            .zip(self.world.speaker.talk.words.iter().map(|word| begin + word.end_ms))
            .collect();
        let mut lags: BTreeMap<Place, Option<u64>> = BTreeMap::new();
        for caption in self.world.seat(self.spelling.language).captions() {
            let at = caption.timestamp.0 - super::BEGIN;
            for place in self.spelling.places(&caption.text) {
                if let Some(end) = ends.get(&place) {
                    let lag = (at as u64).saturating_sub(*end);
                    lags.entry(place).or_insert((!caption.is_final).then_some(lag));
                }
            }
        }
        lags.into_iter().filter_map(|(place, lag)| Some((place, lag?))).collect()
    }

    /// Whether the pauses since the last replay began, save [`HEARD_MS`] of each, sum up to what was replayed.
    pub fn could_make_up(&self) -> bool {
        let opening = self.world.facts.iter().rfind(|(_, fact)| fact.event == "stream_opening");
        let from = |detail: &str| detail.split(" from ").nth(1)?.split(' ').next()?.parse::<u64>().ok();
        let Some((at, from)) = opening.and_then(|(at, fact)| Some((*at, from(&fact.detail)?))) else { return true };
        let begin = self.world.begin_of_audio();
        let pauses = self.world.speaker.talk.words.windows(2).filter(|pair| pair[0].end_ms >= from);
        let room: u64 = pauses.map(|pair| (pair[1].start_ms - pair[0].end_ms).saturating_sub(HEARD_MS)).sum();
        room >= at.saturating_sub(begin + from)
    }

    /// The least lag of a word at the begin, and at the end, ms: what nothing but the service's pace adds to. `None` when no
    /// partial brought one.
    pub fn lag_at_begin_and_end(&self) -> Option<(u64, u64)> {
        let lags = self.lags();
        let words = &self.world.speaker.talk.words;
        let length = self.world.speaker.talk.end_ms();
        let window = WINDOW_MS.min(length / 3);
        let least = |from: u64, until: u64| {
            let places = self.said.iter().zip(words).filter(|(_, word)| (from..until).contains(&word.start_ms));
            let lags: Vec<u64> = places.filter_map(|(place, _)| lags.get(place).copied()).collect();
            lags.iter().min().copied().filter(|_| lags.len() >= LEAST_WORDS)
        };
        least(0, window).zip(least(length - window, length))
    }
}
