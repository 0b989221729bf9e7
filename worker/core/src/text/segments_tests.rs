use super::super::open::SENTENCE_AFTER_MS;
use super::super::tests::items;
use super::super::written::ends_sentence;
use super::*;
use crate::hearing::Gap;
use crate::input::StreamId;
use crate::text::results;
use proptest::prelude::*;
use std::collections::BTreeSet;

/// Segments, and what they showed.
pub(super) struct Page {
    segments: Segments,
    shown: Vec<Shown>,
    /// When each of them was shown.
    at: Vec<u64>,
    now: MediaInstant,
}

impl Page {
    pub(super) fn new() -> Self {
        Self { segments: Segments::default(), shown: Vec::new(), at: Vec::new(), now: MediaInstant(0) }
    }

    pub(super) fn hear(&mut self, stream: u64, result: &str, is_final: bool, items: Vec<Item>) -> &mut Self {
        self.now = self.now.plus_ms(300);
        let heard = TimedResult {
            stream: StreamId(stream),
            result_id: result.into(),
            is_final,
            language: None,
            items,
            shared: Some(0..u64::MAX),
        };
        let english = Language::try_new("en").unwrap();
        let shown = self.segments.hear(heard, &english, self.now, &Timing::default());
        self.show(shown)
    }

    /// A final of a stream that begins where the one before it ends.
    fn hear_unshared(&mut self, stream: u64, result: &str, items: Vec<Item>) -> &mut Self {
        let (stream, result_id, english) = (StreamId(stream), result.into(), Language::try_new("en").unwrap());
        let heard = TimedResult { stream, result_id, is_final: true, language: None, items, shared: None };
        let shown = self.segments.hear(heard, &english, self.now, &Timing::default());
        self.show(shown)
    }

    fn show(&mut self, shown: Vec<Shown>) -> &mut Self {
        self.at.extend(shown.iter().map(|_| self.now.0));
        self.shown.extend(shown);
        self
    }

    /// Lets time pass, and looks whenever something is due.
    pub(super) fn wait(&mut self, ms: u64) -> &mut Self {
        let end = self.now.plus_ms(ms);
        let timing = Timing::default();
        loop {
            let due = self.segments.deadline(&timing).map(|due| due.max(self.now.plus_ms(1))).filter(|due| *due <= end);
            self.now = due.unwrap_or(end).max(self.now);
            let shown = self.segments.advance(self.now, &timing);
            self.show(shown);
            if due.is_none() {
                return self;
            }
        }
    }

    pub(super) fn finals(&self) -> Vec<(u64, String)> {
        self.shown.iter().filter(|s| s.is_final).map(|s| (s.segment, s.text())).collect()
    }
}

#[test]
fn a_final_replaces_its_segment_exactly_once() {
    let mut page = Page::new();
    page.hear(1, "a", false, items("let us", 0, 0)).hear(1, "a", true, items("let us pray.", 0, 0));
    page.hear(1, "a", true, items("let us pray.", 0, 0));
    assert_eq!(page.finals(), [(1, "let us pray.".to_owned())]);
}

#[test]
fn hours_of_one_stream_are_not_remembered_and_yet_nothing_is_shown_twice() {
    let mut page = Page::new();
    for n in 0..3_600 {
        page.hear(1, &format!("result {n}"), true, items("amen and amen", n * 4_000, 0));
    }
    assert_eq!(page.segments.results.len(), results::MOST);
    page.hear(1, "result 3599", true, items("amen and amen", 3_599 * 4_000, 0));
    page.hear(1, "result 7", true, items("amen and amen", 7 * 4_000, 0));
    assert_eq!(page.finals().len(), 3_600);
}

#[test]
fn the_same_words_said_again_are_another_segment() {
    let mut page = Page::new();
    page.hear(1, "a", true, items("amen", 0, 0)).hear(1, "b", true, items("amen", 900, 0));
    assert_eq!(page.finals().len(), 2);
}

#[test]
fn the_next_stream_continues_the_segment_that_the_last_one_left_behind() {
    let mut page = Page::new();
    page.hear(1, "a", false, items("we come to the", 0, 3));
    page.hear(2, "a", false, items("we", 0, 0));
    assert_eq!(page.shown.len(), 1, "a replay takes nothing back");
    page.hear(2, "a", true, items("we came to the river", 0, 0));
    assert_eq!(page.finals(), [(1, "we come to the river".to_owned())]);
}

#[test]
fn what_the_last_stream_left_behind_becomes_final_when_the_next_one_hears_only_later_words() {
    let mut page = Page::new();
    page.hear(1, "a", false, items("we come", 0, 0)).hear(2, "a", true, items("later", 9_000, 0));
    assert_eq!(page.finals(), [(1, "we come".to_owned()), (2, "later".to_owned())]);
}

#[test]
fn nothing_hangs_longer_than_fifteen_seconds() {
    let mut page = Page::new();
    page.hear(1, "a", false, items("we come", 0, 0)).wait(14_000);
    assert!(page.finals().is_empty());
    page.wait(1_000);
    assert_eq!(page.finals().len(), 1);
    page.hear(1, "a", true, items("we come to you", 0, 0));
    assert_eq!(page.finals()[1], (2, "to you".to_owned()), "the rest is a segment of its own");
}

#[test]
fn continuous_speech_is_cut_at_a_stable_sentence() {
    let mut page = Page::new();
    let long = format!("{} end. and on", "word ".repeat(32));
    page.hear(1, "a", false, items(&long, 0, 35));
    assert_eq!(page.finals().len(), 1);
    assert!(page.finals()[0].1.ends_with("end."));
    page.hear(1, "a", true, items(&format!("{long} it goes"), 0, 0));
    assert_eq!(page.finals()[1].1, "and on it goes");
}

/// The same words, each moved by so many ms.
fn moved(items: Vec<Item>, by_ms: impl Fn(usize) -> i64) -> Vec<Item> {
    let shift = |ms: u64, by: i64| ms.saturating_add_signed(by);
    let moved = |(n, w): (usize, Item)| {
        let by = by_ms(n);
        Item { start_ms: shift(w.start_ms, by), end_ms: shift(w.end_ms, by), ..w }
    };
    items.into_iter().enumerate().map(moved).collect()
}

/// What is left of a segment that hung after "we come to", when its final says this.
fn after_a_hang(last: Vec<Item>) -> Vec<String> {
    let mut page = Page::new();
    page.hear(1, "a", false, items("we come to", 10_000, 3)).wait(15_000).hear(1, "a", true, last);
    page.finals().into_iter().map(|(_, text)| text).collect()
}

#[test]
fn a_word_whose_time_has_moved_is_neither_lost_nor_doubled() {
    for by in [-150, -50, 50, 150, 400] {
        let last = moved(items("we come to the river", 10_000, 0), |_| by);
        assert_eq!(after_a_hang(last), ["we come to", "the river"], "moved by {by} ms");
        let only_the_last = moved(items("we come to the river", 10_000, 0), |n| if n == 2 { by } else { 0 });
        assert_eq!(after_a_hang(only_the_last), ["we come to", "the river"], "one word moved by {by} ms");
    }
}

#[test]
fn a_result_that_comes_back_with_fewer_items_takes_nothing_back_and_doubles_nothing() {
    let mut page = Page::new();
    page.hear(1, "a", false, items("we come to the river", 0, 3)).hear(1, "a", false, items("we come", 0, 2));
    page.hear(1, "a", false, items("we come to the river jordan", 0, 4)).hear(1, "a", true, items("we come to", 0, 0));
    assert_eq!(page.finals(), [(1, "we come to the".to_owned())], "what was stable stands, and no more");
}

#[test]
fn items_that_are_merged_or_split_later_are_the_same_words() {
    let mut page = Page::new();
    page.hear(1, "a", false, items("we can not go home", 0, 4)).hear(
        1,
        "a",
        true,
        items("we cannot go home now", 0, 0),
    );
    page.hear(1, "b", false, items("we cannot stay", 9_000, 2)).hear(
        1,
        "b",
        true,
        items("we can not stay here", 9_000, 0),
    );
    assert_eq!(page.finals(), [(1, "we can not go home now".to_owned()), (2, "we cannot stay here".to_owned())]);
    assert_eq!(
        after_a_hang(items("we come, to. the river", 10_000, 0)),
        ["we come to", "the river"],
        "marks that move"
    );
}

#[test]
fn a_final_that_contradicts_a_stable_word_changes_neither_it_nor_the_number_of_words() {
    let mut page = Page::new();
    page.hear(1, "a", false, items("we came to", 0, 3)).hear(1, "a", true, items("we come two the river", 0, 0));
    assert_eq!(page.finals(), [(1, "we came to the river".to_owned())]);
    assert_eq!(after_a_hang(items("he comes too the river", 10_000, 0)), ["we come to", "the river"]);
}

#[test]
fn two_results_at_once_end_in_the_order_in_which_they_were_spoken() {
    let mut page = Page::new();
    page.hear(1, "a", false, items("first of all", 0, 1)).hear(1, "b", false, items("second", 4_000, 0));
    page.hear(1, "b", true, items("second thing", 4_000, 0));
    assert!(page.finals().is_empty(), "the first is not over");
    page.hear(1, "a", true, items("first of all", 0, 0));
    let expected = [(1, "first of all".to_owned()), (2, "second thing".to_owned())];
    assert_eq!(page.finals(), expected);
    let mut page = Page::new();
    page.hear(1, "a", false, items("first of all", 0, 1)).hear(1, "b", true, items("second thing", 4_000, 0));
    page.wait(ORDER_MS);
    assert_eq!(page.finals(), expected, "and one that does not end is not waited for");
}

#[test]
fn a_result_id_that_comes_again_of_later_audio_is_another_result() {
    let mut page = Page::new();
    page.hear(1, "a", true, items("let us pray.", 0, 0)).hear(1, "a", false, items("second", 9_000, 0));
    page.hear(1, "a", true, items("second sentence.", 9_000, 0)).hear(
        1,
        "a",
        true,
        items("second sentence.", 9_000, 0),
    );
    let expected = [(1, "let us pray.".to_owned()), (2, "second sentence.".to_owned())];
    assert_eq!(page.finals(), expected);
    let mut page = Page::new();
    page.hear(1, "a", true, items("let us pray.", 0, 0)).hear(1, "a", true, items("second sentence.", 9_000, 0));
    assert_eq!(page.finals(), expected, "and without a partial result in between");
}

#[test]
fn a_final_without_items_ends_its_segment_and_takes_nothing_back() {
    let mut page = Page::new();
    page.hear(1, "a", false, items("let us pray", 0, 1)).hear(1, "a", true, Vec::new()).hear(1, "b", true, Vec::new());
    assert_eq!(page.finals(), [(1, "let us pray".to_owned())]);
}

#[test]
fn the_first_word_after_a_renewal_is_heard_although_the_last_before_it_moved_into_it() {
    let mut page = Page::new();
    page.hear(1, "a", true, moved(items("to the river", 0, 0), |n| if n == 2 { 150 } else { 0 }));
    page.hear_unshared(2, "a", items("river and over it", 1_000, 0));
    assert_eq!(page.finals()[1].1, "river and over it", "nobody else has heard that audio");
}

#[test]
fn the_last_word_before_a_replay_is_known_by_itself_when_its_time_has_moved() {
    for by in [-150, -40, 40, 150] {
        let mut page = Page::new();
        page.hear(1, "a", true, items("come to the river", 0, 0));
        page.hear(2, "a", true, moved(items("river and over it", 1_200, 0), |_| by));
        assert_eq!(page.finals()[1].1, "and over it", "moved by {by} ms");
    }
    let mut page = Page::new();
    page.hear(1, "a", true, items("amen amen", 0, 0)).hear(2, "a", true, items("amen amen amen", 400, 0));
    assert_eq!(page.finals()[1].1, "amen amen", "the one that was heard, once");
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

fn to_items(said: &Said, from_ms: u64) -> Vec<Item> {
    let mut at = from_ms;
    let mut items: Vec<Item> = Vec::new();
    for (text, mark, gap, length, stable) in &said.items {
        let text = if *mark { [",", "."][usize::from(*text) % 2].to_owned() } else { format!("w{text}") };
        let start_ms = at + gap;
        at = start_ms + length;
        items.push(Item {
            text,
            mark: *mark,
            gap: Gap::Unknown,
            start_ms,
            end_ms: at,
            guessed: false,
            stable: *stable,
        });
    }
    items
}

/// Whatever the recogniser says, in whatever order, with whatever times.
fn tell(story: &[Said]) -> Page {
    let mut page = Page::new();
    let (mut stream, mut from_ms) = (0, 0);
    for said in story {
        stream = stream.max(said.stream);
        page.wait(300).hear(stream, &format!("r{}", said.result), said.is_final, to_items(said, from_ms));
        page.wait(said.pause_ms);
        from_ms += if said.is_final { 700 } else { 0 };
    }
    let rest = page.segments.flush();
    page.show(rest);
    page
}

fn stories() -> impl Strategy<Value = Vec<Said>> {
    prop::collection::vec(said(), 1..40)
}

fn tokens(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

proptest! {
    #[test]
    fn a_word_marked_stable_never_changes(story in stories()) {
        let mut promised: std::collections::BTreeMap<u64, Vec<String>> = std::collections::BTreeMap::new();
        for shown in &tell(&story).shown {
            let tokens = tokens(&shown.text());
            let before = promised.entry(shown.segment).or_default();
            prop_assert!(tokens.starts_with(before), "{before:?} was stable, then came {tokens:?}");
            *before = tokens[..(shown.stable().words as usize).min(tokens.len())].to_vec();
        }
    }

    #[test]
    fn a_final_replaces_its_segment_exactly_once_and_nothing_follows_it(story in stories()) {
        let page = tell(&story);
        let mut finished = BTreeSet::new();
        for shown in &page.shown {
            prop_assert!(!finished.contains(&shown.segment), "segment {} goes on after its final", shown.segment);
            if shown.is_final {
                finished.insert(shown.segment);
            }
        }
        let begun: BTreeSet<u64> = page.shown.iter().map(|s| s.segment).collect();
        prop_assert_eq!(begun, finished, "every segment that was shown has its final");
    }

    #[test]
    fn finals_are_in_the_order_of_media_time(story in stories()) {
        let page = tell(&story);
        let starts: Vec<u64> = page.shown.iter().filter(|s| s.is_final).map(|s| s.start_ms).collect();
        prop_assert!(starts.is_sorted(), "{starts:?}");
    }

    #[test]
    fn a_segment_has_at_most_five_partials_a_second(story in stories()) {
        let page = tell(&story);
        let mut last: std::collections::BTreeMap<u64, u64> = std::collections::BTreeMap::new();
        for (shown, at) in page.shown.iter().zip(&page.at).filter(|(s, _)| !s.is_final) {
            if let Some(before) = last.insert(shown.segment, *at) {
                prop_assert!(at - before >= 200, "{before} {at}");
            }
        }
    }

    #[test]
    fn no_segment_hangs_longer_than_fifteen_seconds(story in stories()) {
        let page = tell(&story);
        let mut begun: std::collections::BTreeMap<u64, u64> = std::collections::BTreeMap::new();
        for (shown, at) in page.shown.iter().zip(&page.at) {
            let since = *begun.entry(shown.segment).or_insert(*at);
            // A result may come just before the deadline, and the page looks at it with the next one.
            prop_assert!(at - since <= 15_000 + 300, "segment {}: {since} to {at}", shown.segment);
        }
    }
}

#[test]
fn without_sentences_continuous_speech_is_cut_at_a_clause_and_without_clauses_at_a_word() {
    let said = |text: &str| {
        let mut page = Page::new();
        let count = text.split_whitespace().count();
        for heard in 1..=count {
            let so_far = text.split_whitespace().take(heard).collect::<Vec<_>>().join(" ");
            let count = items(&so_far, 0, 0).len();
            page.wait(100).hear(1, "a", false, items(&so_far, 0, count.saturating_sub(2)));
        }
        page.hear(1, "a", true, items(text, 0, 0));
        let whole = page.finals().iter().map(|(_, t)| t.clone()).collect::<Vec<_>>().join(" ");
        assert_eq!(whole, text, "nothing is lost or doubled by a cut");
        page.finals()
    };
    let clauses = said("one two three four five six, ".repeat(12).trim_end_matches(", "));
    assert!(clauses.len() >= 3 && clauses[0].1.ends_with(','), "{clauses:?}");
    let items = said("seven ".repeat(90).trim_end());
    assert!(items.len() >= 2, "{items:?}");
}

#[test]
fn a_very_long_final_becomes_several_that_fit_a_message_and_no_word_of_it_is_lost() {
    let texts = [
        "this is said, and so is that. ".repeat(300),
        "without any mark at all ".repeat(400),
        "नमस्ते दोस्तों, सुनिए ".repeat(200),
        "ein langer satz, der nicht endet ".repeat(300),
    ];
    for text in texts {
        let text = text.trim_end();
        let mut page = Page::new();
        page.hear(1, "a", true, items(text, 0, 0));
        let finals = page.finals();
        assert!(finals.len() > 1 && finals.iter().all(|(_, t)| t.len() <= TEXT_BYTES), "{}", finals.len());
        assert_eq!(finals.iter().map(|(_, t)| t.as_str()).collect::<Vec<_>>().join(" "), text);
        let numbers: Vec<u64> = finals.iter().map(|(number, _)| *number).collect();
        assert_eq!(numbers, (1..=finals.len() as u64).collect::<Vec<_>>());
        let marks = finals.iter().filter(|(_, t)| t.ends_with(['.', ','])).count();
        assert!(!text.contains(',') || marks + 1 >= finals.len(), "cut where a sentence or a clause ends");
    }
}

#[test]
fn a_segment_that_grows_beyond_a_message_is_cut_before_its_final_and_keeps_its_promises() {
    let text = "सुनिए दोस्तों यह बात ".repeat(150);
    let mut page = Page::new();
    let tokens: Vec<&str> = text.split_whitespace().collect();
    for heard in (20..=tokens.len()).step_by(20) {
        page.hear(1, "a", false, items(&tokens[..heard].join(" "), 0, heard - 5));
    }
    page.hear(1, "a", true, items(text.trim_end(), 0, 0));
    let finals = page.finals();
    assert!(finals.len() >= 3, "{}", finals.len());
    assert!(page.shown.iter().all(|s| s.text().len() <= TEXT_BYTES + 20 * 20), "partials fit as well");
    assert_eq!(finals.iter().map(|(_, t)| t.as_str()).collect::<Vec<_>>().join(" "), text.trim_end());
}

/// A talk without a pause: for each word its text, and whether a comma (1) or a full stop (2) follows it.
fn without_pause() -> impl Strategy<Value = Vec<(u8, u8)>> {
    let mark = prop_oneof![12 => Just(0_u8), 2 => Just(1), 1 => Just(2)];
    prop::collection::vec((0..20_u8, mark), 40..160)
}

fn write_out(said: &[(u8, u8)]) -> Vec<String> {
    said.iter().map(|(word, mark)| format!("w{word}{}", ["", ",", "."][usize::from(*mark)])).collect()
}

/// A recogniser hears it word by word, and takes back nothing but the last two.
fn hear_all(text: &[String]) -> Page {
    let mut page = Page::new();
    for heard in 1..=text.len() {
        let so_far = text[..heard].join(" ");
        let stable = items(&text[..heard.saturating_sub(2)].join(" "), 0, 0).len();
        page.wait(100).hear(1, "a", false, items(&so_far, 0, stable));
    }
    page.hear(1, "a", true, items(&text.join(" "), 0, 0));
    page
}

/// How a recogniser tells its revisions: how many of the last words it does not know yet, and by how much each word is moved.
fn looks() -> impl Strategy<Value = Vec<(usize, Vec<i64>)>> {
    prop::collection::vec((0..3_usize, prop::collection::vec(-150..=150_i64, 17)), 170)
}

proptest! {
    #[test]
    fn a_recogniser_whose_times_move_and_whose_results_shrink_loses_no_word_and_doubles_none(said in without_pause(), looks in looks()) {
        let text = write_out(&said);
        let mut page = Page::new();
        for heard in 1..=text.len() {
            let (forgets, by) = &looks[heard % looks.len()];
            let heard = heard.saturating_sub(*forgets).max(1);
            let stable = items(&text[..heard.saturating_sub(2)].join(" "), 0, 0).len();
            let revision = items(&text[..heard].join(" "), 0, stable);
            page.wait(100).hear(1, "a", false, moved(revision, |n| by[n % by.len()]));
        }
        page.hear(1, "a", true, moved(items(&text.join(" "), 0, 0), |n| looks[0].1[n % looks[0].1.len()]));
        let whole: Vec<String> = page.finals().into_iter().map(|(_, text)| text).collect();
        prop_assert_eq!(whole.join(" "), text.join(" "));
    }

    #[test]
    fn continuous_speech_is_cut_into_finals_and_loses_no_word(said in without_pause()) {
        let text = write_out(&said);
        let page = hear_all(&text);
        let whole: Vec<String> = page.finals().into_iter().map(|(_, text)| text).collect();
        prop_assert_eq!(whole.join(" "), text.join(" "));
        let longest = page.shown.iter().filter(|s| s.is_final).map(|s| s.end_ms - s.start_ms).max();
        prop_assert!(longest <= Some(15_000), "{longest:?}");
    }

    #[test]
    fn a_long_segment_ends_with_the_first_sentence_that_is_stable_then(said in without_pause()) {
        let text = write_out(&said);
        let page = hear_all(&text);
        let finals: Vec<_> = page.shown.iter().filter(|s| s.is_final).collect();
        // The last ends when the recogniser says so.
        for shown in &finals[..finals.len() - 1] {
            let (_, inner) = shown.items.split_last().unwrap();
            let late = inner.iter().find(|w| ends_sentence(w) && w.end_ms - shown.start_ms >= SENTENCE_AFTER_MS);
            prop_assert!(late.is_none(), "{late:?} in {}", shown.text());
        }
    }

    #[test]
    fn the_newest_words_are_shown_within_a_fifth_of_a_second(said in without_pause()) {
        let text = write_out(&said);
        let mut page = Page::new();
        for heard in 1..=text.len() {
            page.hear(1, "a", false, items(&text[..heard].join(" "), 0, heard.saturating_sub(2)));
            page.wait(200);
            let last = page.shown.iter().rfind(|s| !s.is_final).map(|s| s.items.last().unwrap().text.clone());
            let said = text[heard - 1].trim_end_matches(['.', ',']).to_owned();
            let mark = text[heard - 1][said.len()..].to_owned();
            prop_assert_eq!(last, Some(if mark.is_empty() { said } else { mark }));
        }
    }
}
