use super::super::tests::words;
use super::*;
use proptest::prelude::*;

/// Segments, and what they showed.
struct Page {
    segments: Segments,
    shown: Vec<Shown>,
    now: MediaInstant,
}

impl Page {
    fn new() -> Self {
        Self { segments: Segments::default(), shown: Vec::new(), now: MediaInstant(0) }
    }

    fn hear(&mut self, stream: u64, result: &str, is_final: bool, words: Vec<Word>) -> &mut Self {
        self.now = self.now.plus_ms(300);
        let heard = Heard { stream: StreamId(stream), result_id: result.into(), is_final, words };
        let english = Language::try_new("en").unwrap();
        self.shown.extend(self.segments.hear(heard, &english, self.now, &Timing::default()));
        self
    }

    fn wait(&mut self, ms: u64) -> &mut Self {
        self.now = self.now.plus_ms(ms);
        self.shown.extend(self.segments.advance(self.now, &Timing::default()));
        self
    }

    fn finals(&self) -> Vec<(u64, String)> {
        self.shown.iter().filter(|s| s.is_final).map(|s| (s.segment, s.text())).collect()
    }
}

#[test]
fn a_final_replaces_its_segment_exactly_once() {
    let mut page = Page::new();
    page.hear(1, "a", false, words("let us", 0, 0)).hear(1, "a", true, words("let us pray.", 0, 0));
    page.hear(1, "a", true, words("let us pray.", 0, 0));
    assert_eq!(page.finals(), [(1, "let us pray.".to_owned())]);
}

#[test]
fn the_same_words_said_again_are_another_segment() {
    let mut page = Page::new();
    page.hear(1, "a", true, words("amen", 0, 0)).hear(1, "b", true, words("amen", 900, 0));
    assert_eq!(page.finals().len(), 2);
}

#[test]
fn the_next_stream_continues_the_segment_that_the_last_one_left_behind() {
    let mut page = Page::new();
    page.hear(1, "a", false, words("we come to the", 0, 3));
    page.hear(2, "a", false, words("we", 0, 0));
    assert_eq!(page.shown.len(), 1, "a replay takes nothing back");
    page.hear(2, "a", true, words("we came to the river", 0, 0));
    assert_eq!(page.finals(), [(1, "we come to the river".to_owned())]);
}

#[test]
fn what_the_last_stream_left_behind_becomes_final_when_the_next_one_hears_only_later_words() {
    let mut page = Page::new();
    page.hear(1, "a", false, words("we come", 0, 0)).hear(2, "a", true, words("later", 9_000, 0));
    assert_eq!(page.finals(), [(1, "we come".to_owned()), (2, "later".to_owned())]);
}

#[test]
fn nothing_hangs_longer_than_fifteen_seconds() {
    let mut page = Page::new();
    page.hear(1, "a", false, words("we come", 0, 0)).wait(14_000);
    assert!(page.finals().is_empty());
    page.wait(1_000);
    assert_eq!(page.finals().len(), 1);
    page.hear(1, "a", true, words("we come to you", 0, 0));
    assert_eq!(page.finals()[1], (2, "to you".to_owned()), "the rest is a segment of its own");
}

#[test]
fn continuous_speech_is_cut_at_a_stable_sentence() {
    let mut page = Page::new();
    let long = format!("{} end. and on", "word ".repeat(32));
    page.hear(1, "a", false, words(&long, 0, 35));
    assert_eq!(page.finals().len(), 1);
    assert!(page.finals()[0].1.ends_with("end."));
    page.hear(1, "a", true, words(&format!("{long} it goes"), 0, 0));
    assert_eq!(page.finals()[1].1, "and on it goes");
}

#[derive(Debug, Clone)]
struct Said {
    stream: u64,
    result: u8,
    is_final: bool,
    items: Vec<(u8, bool, u64, u64, bool)>,
    pause_ms: u64,
}

fn said() -> impl Strategy<Value = Said> {
    let item = (0..5_u8, prop::bool::weighted(0.2), 0..400_u64, 0..400_u64, prop::bool::weighted(0.6));
    (0..3_u64, 0..3_u8, prop::bool::weighted(0.2), prop::collection::vec(item, 0..8), 0..6_000_u64)
        .prop_map(|(stream, result, is_final, items, pause_ms)| Said { stream, result, is_final, items, pause_ms })
}

fn to_words(said: &Said, from_ms: u64) -> Vec<Word> {
    let mut at = from_ms;
    let mut words: Vec<Word> = Vec::new();
    for (text, mark, gap, length, stable) in &said.items {
        let text = if *mark { [",", "."][usize::from(*text) % 2].to_owned() } else { format!("w{text}") };
        let start_ms = at + gap;
        at = start_ms + length;
        words.push(Word { text, mark: *mark, start_ms, end_ms: at, stable: *stable });
    }
    words
}

proptest! {
    /// Whatever the recogniser says, in whatever order, with whatever times.
    #[test]
    fn a_word_marked_stable_never_changes(story in prop::collection::vec(said(), 1..40)) {
        let mut page = Page::new();
        let (mut stream, mut from_ms) = (0, 0);
        for said in &story {
            stream = stream.max(said.stream);
            page.hear(stream, &format!("r{}", said.result), said.is_final, to_words(said, from_ms));
            page.wait(said.pause_ms);
            from_ms += if said.is_final { 700 } else { 0 };
        }
        page.shown.extend(page.segments.flush());
        let mut promised: std::collections::BTreeMap<u64, Vec<String>> = std::collections::BTreeMap::new();
        let mut finished = BTreeSet::new();
        let mut last_start = 0;
        for shown in &page.shown {
            prop_assert!(!finished.contains(&shown.segment), "segment {} goes on after its final", shown.segment);
            let tokens: Vec<String> = shown.text().split_whitespace().map(str::to_owned).collect();
            let before = promised.entry(shown.segment).or_default();
            prop_assert!(tokens.starts_with(before), "{before:?} was stable, then came {tokens:?}");
            *before = tokens[..(shown.stable_words() as usize).min(tokens.len())].to_vec();
            if shown.is_final {
                finished.insert(shown.segment);
                prop_assert!(shown.start_ms >= last_start, "finals are in the order of media time");
                last_start = shown.start_ms;
            }
        }
        let begun: BTreeSet<u64> = page.shown.iter().map(|s| s.segment).collect();
        prop_assert_eq!(begun, finished, "every segment that was shown has its final");
    }
}
