//! What the speaker says. Audio spells the words: while word `n` is spoken, every sample is `BASE + n`, so a recogniser
//! hears exactly the words whose audio it was sent, however often and in whatever order.

pub const BASE: i16 = 1_000;

#[derive(Debug, Clone)]
pub struct Spoken {
    pub text: String,
    pub start_ms: u64,
    pub end_ms: u64,
}

#[derive(Debug, Clone, Default)]
pub struct Talk {
    pub words: Vec<Spoken>,
    /// What the service writes before each word, where its own text is given.
    pub gaps: Vec<&'static str>,
    /// A voice at 16 kHz that is heard again and again, in place of audio that spells the words; where there are words, a recogniser finds
    /// them by the place of what it hears in it.
    pub voice: Option<Vec<i16>>,
    /// A voice that is heard while words are spelled: their spelling keeps the first sample of each millisecond.
    pub under: Option<Vec<i16>>,
}

impl Talk {
    /// Sentences; a word takes 300 ms with 100 ms after it, and every sentence is followed by a second of silence.
    pub fn of(sentences: &[&str]) -> Self {
        let mut talk = Self::default();
        let mut at = 500;
        for sentence in sentences {
            for word in sentence.split_whitespace() {
                talk.words.push(Spoken { text: word.into(), start_ms: at, end_ms: at + 300 });
                at += 400;
            }
            at += 1_000;
        }
        talk
    }

    /// Sentences as the service writes them, with a bar where two words meet without a space: `我们|用 Amazon Web Services。`
    pub fn written(sentences: &[&str]) -> Self {
        let gap = |separator: char| if separator == '|' { "" } else { " " };
        let begins = |sentence: &&str| {
            [" "]
                .into_iter()
                .chain(sentence.matches(['|', ' ']).map(|s| gap(s.chars().next().unwrap())))
                .collect::<Vec<_>>()
        };
        let gaps = sentences.iter().flat_map(begins).collect();
        let items: Vec<String> = sentences.iter().map(|sentence| sentence.replace('|', " ")).collect();
        Self { gaps, ..Self::of(&items.iter().map(String::as_str).collect::<Vec<_>>()) }
    }

    /// So many sentences of eight different words.
    pub fn long(sentences: usize) -> Self {
        let text: Vec<String> =
            (0..sentences).map(|s| (0..8).map(|w| format!("w{s}x{w}")).collect::<Vec<_>>().join(" ")).collect();
        Self::of(&text.iter().map(String::as_str).collect::<Vec<_>>())
    }

    pub fn text(&self) -> String {
        self.words.iter().map(|w| w.text.as_str()).collect::<Vec<_>>().join(" ")
    }

    pub fn end_ms(&self) -> u64 {
        self.words.last().map_or(0, |w| w.end_ms)
    }

    /// The audio of so many milliseconds.
    pub fn audio(&self, start_ms: u64, len_ms: u64) -> Vec<i16> {
        if let Some(voice) = &self.voice {
            return (start_ms * 16..(start_ms + len_ms) * 16).map(|n| voice[n as usize % voice.len()]).collect();
        }
        let mut pcm = vec![0; len_ms as usize * 16];
        let end_ms = start_ms + len_ms;
        let first = self.words.partition_point(|word| word.end_ms <= start_ms);
        for (nth, word) in self.words.iter().enumerate().skip(first).take_while(|(_, word)| word.start_ms < end_ms) {
            let spoken = word.start_ms.max(start_ms)..word.end_ms.min(end_ms);
            let samples = (spoken.start - start_ms) as usize * 16..(spoken.end - start_ms) as usize * 16;
            pcm[samples.clone()].fill(BASE + nth as i16);
            if let Some(voice) = &self.under {
                // The spelling keeps the first sample of each millisecond.
                let from = start_ms as usize * 16;
                let others = samples.filter(|sample| sample % 16 != 0);
                others.for_each(|sample| pcm[sample] = voice[(from + sample) % voice.len()]);
            }
        }
        pcm
    }

    /// The word of this moment as it is spelled; 0 without one.
    pub fn sample(&self, ms: u64) -> i16 {
        let index = self.words.partition_point(|w| w.end_ms <= ms);
        match self.words.get(index) {
            Some(word) if word.start_ms <= ms => BASE + index as i16,
            _ => 0,
        }
    }
}
