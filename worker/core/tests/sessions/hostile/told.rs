//! Single mistakes, with the fewest results that show them: a recogniser that says what a test says, 300 ms apart.

use crate::world::{Talk, World, talk::Spoken};
use hostile_recogniser::wire::seconds;
use worker_core::input::{Input, StreamEnd, StreamId, TranscribeEvent, TranscriptItem, TranscriptResult};

struct Desk {
    world: World,
    stream: StreamId,
    /// Where the stream begins in media time, ms: what is told is in media time.
    begin_ms: u64,
}

/// Words of 300 ms each with 100 ms between them, a mark where the text has one; the first `stable` items stable.
fn words(text: &str, from_ms: u64, stable: usize) -> Vec<TranscriptItem> {
    let mut items = Vec::new();
    for (nth, token) in text.split_whitespace().enumerate() {
        let bare = token.trim_end_matches([',', '.']);
        let start_ms = from_ms + nth as u64 * 400;
        items.push(word(bare, start_ms, start_ms + 300));
        if bare.len() < token.len() {
            items.push(TranscriptItem {
                punctuation: true,
                ..word(&token[bare.len()..], start_ms + 300, start_ms + 300)
            });
        }
    }
    items.iter_mut().take(stable).for_each(|item| item.stable = true);
    items
}

fn word(text: &str, start_ms: u64, end_ms: u64) -> TranscriptItem {
    let (start, end) = (seconds(start_ms), seconds(end_ms));
    TranscriptItem { content: text.into(), punctuation: false, start, end, stable: false }
}

/// The same items, their first or last ones so many ms later or earlier.
fn moved(mut items: Vec<TranscriptItem>, at: usize, ms: i32) -> Vec<TranscriptItem> {
    items[at].start += f64::from(ms) / 1_000.0;
    items[at].end += f64::from(ms) / 1_000.0;
    items
}

impl Desk {
    fn new() -> Self {
        // Somebody speaks all the time, and only the test says what.
        let word = Spoken { text: "unheard".into(), start_ms: 0, end_ms: 60_000 };
        let mut world = World::new(Talk { words: vec![word], ..Talk::default() });
        world.recogniser.mute = Some((0, u64::MAX));
        world.listener("ann", "en");
        world.run_until(2_000);
        assert_eq!(world.recogniser.opened.len(), 1);
        Self { world, stream: StreamId(1), begin_ms: 0 }
    }

    /// The stream is cut, and the next one replays what no final covers.
    fn cut(&mut self) -> &mut Self {
        let now = self.world.now;
        self.world.recogniser.cut(StreamEnd::Clean, now);
        self.world.push(0, Input::Tick);
        self.wait(500);
        self.stream = StreamId(self.stream.0 + 1);
        let opening = format!("stream {} from ", self.stream.0);
        let begin = self.world.facts.iter().find_map(|(_, fact)| fact.detail.strip_prefix(&opening));
        self.begin_ms = begin.and_then(|text| text.split(' ').next()?.parse().ok()).unwrap();
        self
    }

    /// A word of which the stream has heard the rest.
    fn rest(&self, text: &str, start_ms: u64, end_ms: u64) -> TranscriptItem {
        word(text, start_ms.max(self.begin_ms), end_ms)
    }

    fn tell(&mut self, id: &str, is_partial: bool, mut items: Vec<TranscriptItem>) -> &mut Self {
        for item in &mut items {
            (item.start, item.end) = (item.start - seconds(self.begin_ms), item.end - seconds(self.begin_ms));
        }
        let ends = items.iter().map(|item| item.end);
        let (start, end) = (items.first().map_or(0.0, |first| first.start), ends.fold(0.0, f64::max));
        let result = TranscriptResult {
            result_id: id.into(),
            start,
            end,
            is_partial,
            language: None,
            transcript: String::new(),
            items,
        };
        self.world.push(0, Input::Transcribe(self.stream, TranscribeEvent::Result(result)));
        self.wait(300)
    }

    fn partial(&mut self, id: &str, items: Vec<TranscriptItem>) -> &mut Self {
        self.tell(id, true, items)
    }

    fn last(&mut self, id: &str, items: Vec<TranscriptItem>) -> &mut Self {
        self.tell(id, false, items)
    }

    fn wait(&mut self, ms: u64) -> &mut Self {
        let until = self.world.now + ms;
        self.world.run_until(until);
        self
    }

    fn finals(&self) -> Vec<&str> {
        self.world.check_contract();
        self.world.seat("ann").finals().iter().map(|caption| caption.text.as_str()).collect()
    }
}

#[test]
fn a_first_word_that_is_retimed_by_50_ms_stays_in_its_final() {
    let mut desk = Desk::new();
    desk.last("a", vec![word("Lord", 0, 300)]);
    let said = vec![word("I", 300, 360), word("come", 360, 660)];
    desk.partial("b", said.clone()).last("b", moved(said, 0, -50));
    assert_eq!(desk.finals(), ["Lord", "I come"]);
}

/// A sentence of `words` that is long enough to be cut where it ends, and what is said after it.
fn long(rest: &str) -> String {
    format!("{}end. {rest}", "word ".repeat(24))
}

#[test]
fn a_last_word_that_is_retimed_after_the_cut_is_not_doubled() {
    let mut desk = Desk::new();
    desk.partial("a", words(&long("and so on"), 0, 26));
    assert_eq!(desk.finals().len(), 1, "cut at the end of the sentence");
    // "end" and its mark are items 24 and 25.
    let again = moved(moved(words(&long("and so on"), 0, 0), 24, 151), 25, 151);
    desk.last("a", again);
    assert_eq!(desk.finals()[1], "and so on");
}

#[test]
fn a_word_after_the_cut_that_is_retimed_earlier_is_not_lost() {
    let mut desk = Desk::new();
    let mut items = words(&long(""), 0, 26);
    items.extend([word("I", 9_900, 9_960), word("come", 10_000, 10_300), word("now", 10_400, 10_700)]);
    desk.partial("a", items.clone());
    desk.last("a", moved(items, 26, -60));
    assert_eq!(desk.finals()[1], "I come now");
}

#[test]
fn a_partial_with_fewer_items_than_were_stable_takes_nothing_back() {
    let mut desk = Desk::new();
    desk.partial("a", words("let us pray together", 0, 3)).partial("a", words("let", 0, 1));
    desk.last("a", words("let us pray together.", 0, 5));
    assert_eq!(desk.finals(), ["let us pray together."]);
}

#[test]
fn words_that_are_merged_after_the_cut_are_neither_lost_nor_doubled() {
    let mut desk = Desk::new();
    desk.partial("a", words(&long("I can not see"), 0, 26));
    let mut items = words(&long("I"), 0, 26);
    items.extend([word("cannot", 10_400, 11_100), word("see", 11_200, 11_500)]);
    desk.last("a", items);
    assert_eq!(desk.finals()[1], "I cannot see");
}

#[test]
fn a_stable_word_that_is_retimed_where_another_is_contradicted_is_not_doubled() {
    let mut desk = Desk::new();
    let said = vec![word("let", 0, 200), word("us", 250, 350), word("pray", 500, 800)];
    let stable = said.iter().cloned().map(|item| TranscriptItem { stable: true, ..item });
    desk.partial("a", stable.take(2).chain(said[2..].to_vec()).collect());
    let mut last = moved(said, 1, 60);
    last[0].content = "bet".into();
    desk.last("a", last);
    assert_eq!(desk.finals()[0].split(' ').count(), 3, "{:?}", desk.finals());
}

#[test]
fn two_results_that_are_told_in_turns_both_become_final_in_their_order() {
    let mut desk = Desk::new();
    desk.partial("a", words("let us", 0, 1)).partial("b", words("and then", 2_000, 0));
    desk.last("a", words("let us pray", 0, 0)).last("b", words("and then we sing", 2_000, 0));
    assert_eq!(desk.finals(), ["let us pray", "and then we sing"]);
}

#[test]
fn a_final_that_is_overtaken_by_the_next_one_loses_no_word() {
    let mut desk = Desk::new();
    desk.partial("a", words("let us", 0, 1)).partial("b", words("and then", 2_000, 0));
    desk.last("b", words("and then we sing", 2_000, 0)).last("a", words("let us pray", 0, 0));
    assert_eq!(desk.finals(), ["let us pray", "and then we sing"]);
}

#[test]
fn a_segment_that_is_told_when_the_next_one_has_begun_stands_before_it() {
    let mut desk = Desk::new();
    desk.partial("b", words("and then", 2_000, 0))
        .last("a", words("amen.", 0, 0))
        .last("b", words("and then we sing.", 2_000, 0));
    assert_eq!(desk.finals(), ["amen.", "and then we sing."]);
}

#[test]
fn an_id_that_returns_with_later_words_is_another_segment() {
    let mut desk = Desk::new();
    desk.last("a", words("let us pray.", 0, 0)).last("a", words("second sentence.", 9_000, 0));
    assert_eq!(desk.finals(), ["let us pray.", "second sentence."]);
}

#[test]
fn an_id_that_returns_with_the_same_words_said_again_is_another_segment() {
    let mut desk = Desk::new();
    desk.last("a", words("amen.", 0, 0)).last("a", words("amen.", 900, 0));
    assert_eq!(desk.finals(), ["amen.", "amen."]);
}

#[test]
fn a_final_that_comes_again_later_is_one() {
    let mut desk = Desk::new();
    desk.last("a", words("amen.", 0, 0)).partial("b", words("and then", 900, 0)).last("a", words("amen.", 0, 0));
    desk.last("b", words("and then we sing.", 900, 0));
    assert_eq!(desk.finals(), ["amen.", "and then we sing."]);
}

#[test]
fn items_without_times_stand_where_their_neighbours_do() {
    let mut desk = Desk::new();
    desk.last("a", words("let us pray.", 0, 0));
    let mut items = words("and then we sing.", 2_000, 0);
    for item in [0, 2] {
        (items[item].start, items[item].end) = (0.0, 0.0);
    }
    desk.last("b", items);
    assert_eq!(desk.finals(), ["let us pray.", "and then we sing."]);
}

#[test]
fn a_final_without_items_keeps_what_was_stable() {
    let mut desk = Desk::new();
    desk.partial("a", words("let us pray.", 0, 4)).last("a", Vec::new());
    desk.last("noise", Vec::new()).last("b", words("and then we sing.", 2_000, 0));
    assert_eq!(desk.finals(), ["let us pray.", "and then we sing."]);
}

#[test]
fn a_partial_without_items_takes_nothing_back() {
    let mut desk = Desk::new();
    desk.partial("a", words("let us", 0, 1)).partial("a", Vec::new()).last("a", words("let us pray.", 0, 0));
    assert_eq!(desk.finals(), ["let us pray."]);
}

#[test]
fn the_rest_of_a_last_word_that_was_told_as_shorter_is_not_heard_again_after_a_cut() {
    let mut desk = Desk::new();
    desk.last("a", vec![word("let", 0, 300), word("us", 400, 700), word("pray", 800, 950)]).cut();
    let rest = vec![desk.rest("pray", 800, 1_100), word("and", 1_200, 1_500), word("sing", 1_600, 1_900)];
    desk.last("a", rest);
    assert_eq!(desk.finals(), ["let us pray", "and sing"]);
}

#[test]
fn a_replay_that_merges_a_stable_word_with_the_next_one_neither_loses_nor_doubles_one() {
    let mut desk = Desk::new();
    let mut said = vec![word("I", 0, 200), word("can", 300, 600), word("not", 650, 900)];
    said.iter_mut().take(2).for_each(|item| item.stable = true);
    desk.partial("a", said).cut();
    desk.last("a", vec![word("I", 0, 200), word("cannot", 300, 900), word("see", 1_000, 1_300)]);
    assert_eq!(desk.finals().concat().replace(' ', ""), "Icannotsee", "{:?}", desk.finals());
}

#[test]
fn a_replay_that_retimes_words_beside_a_stable_one_that_it_contradicts_neither_loses_nor_doubles_one() {
    let mut desk = Desk::new();
    let mut said = vec![word("let", 0, 200), word("us", 220, 400), word("all", 420, 600)];
    said.iter_mut().take(2).for_each(|item| item.stable = true);
    desk.partial("a", said).cut();
    desk.last("a", vec![word("bet", 0, 200), word("us", 360, 540), word("all", 560, 740), word("pray", 760, 940)]);
    assert_eq!(desk.finals(), ["let us all pray"]);
}

#[test]
fn a_word_that_was_told_as_ending_long_before_it_did_is_found_again_in_a_replay_that_begins_within_it() {
    let mut desk = Desk::new();
    // "us" goes on until 1,150 ms; the replay begins half a second before the last word's end.
    desk.last("a", vec![word("let", 0, 300), word("us", 500, 800), word("pray", 1_250, 1_440)]).cut();
    desk.last("a", vec![word("us", 940, 1_150), word("pray", 1_250, 1_370), word("and", 1_500, 1_800)]);
    assert_eq!(desk.finals(), ["let us pray", "and"]);
}
