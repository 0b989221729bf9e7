use super::super::tests::{items, snapshot};
use super::*;

fn language(code: &str) -> Language {
    Language::try_new(code).unwrap()
}

/// Items with what the service's text has before each: `|` for nothing, a space for a space.
fn written(text: &str) -> String {
    let mut pieces = Vec::new();
    for piece in text.split_inclusive(['|', ' ']) {
        let gap = if piece.ends_with('|') { Gap::Nothing } else { Gap::Space };
        pieces.push((items(piece.trim_end_matches(['|', ' ']), 0, 0), gap));
    }
    let mut before = Gap::Unknown;
    let mut all = Vec::new();
    for (mut piece, gap) in pieces {
        piece[0].gap = before;
        before = gap;
        all.extend(piece);
    }
    join(&all)
}

#[test]
fn the_services_own_text_says_where_spaces_stand() {
    assert_eq!(written("我们|用 Amazon Web Services"), "我们用 Amazon Web Services");
    assert_eq!(written("AI|technology を|使う"), "AItechnology を使う");
    assert_eq!(written("วัน|นี้ เรา|มา"), "วันนี้ เรามา", "Thai has spaces between its sentences");
    assert_eq!(written("Vous venez ?"), "Vous venez ?");
}

#[test]
fn languages_without_spaces_are_written_without_them() {
    assert_eq!(snapshot("你 好.", 0, "zh").text(), "你好.");
    assert_eq!(snapshot("good day.", 0, "en").text(), "good day.");
    assert_eq!(snapshot("วัน นี้", 0, "th").text(), "วันนี้");
}

#[test]
fn words_of_another_script_keep_the_spaces_between_them() {
    assert_eq!(snapshot("machine learning を 使う", 0, "ja").text(), "machine learningを使う");
    assert_eq!(snapshot("我们 用 Amazon Web Services.", 0, "zh").text(), "我们用Amazon Web Services.");
    assert_eq!(snapshot("오늘 우리는 만났다.", 0, "ko").text(), "오늘 우리는 만났다.", "Korean puts spaces");
    assert_eq!(snapshot("नमस्ते दोस्तों.", 0, "hi").text(), "नमस्ते दोस्तों.");
}

#[test]
fn a_sentence_ends_with_the_mark_of_its_script() {
    let mark = |text: &str| Item { mark: true, text: text.into(), ..items("x", 0, 0).remove(0) };
    for end in [".", "?", "!", "…", "...", "。", "．", "？", "！", "？！", "。」", "｡", "।", "॥", "؟", "۔", "։", "።"]
    {
        assert!(ends_sentence(&mark(end)) && ends_clause(&mark(end)), "{end}");
    }
    for end in [",", "、", "，", "､", "،", "؛", ";", "；", ":", "：", "、」"] {
        assert!(!ends_sentence(&mark(end)) && ends_clause(&mark(end)), "{end}");
    }
    assert!(!ends_clause(&mark("-")) && !ends_clause(&mark("」")));
    assert!(!ends_sentence(&Item { mark: false, ..mark("Mr.") }), "a word is no mark");
}

#[test]
fn sentences_are_put_together_as_their_language_does() {
    let both = |first: &str, second: &str, code: &str| {
        let mut text = first.to_owned();
        append(&mut text, second, &language(code));
        text
    };
    assert_eq!(both("你好。", "我们来。", "zh"), "你好。我们来。");
    assert_eq!(both("Hello.", "Amazon Web Services。", "ja"), "Hello. Amazon Web Services。");
    assert_eq!(both("สวัสดี", "ขอบคุณ", "th"), "สวัสดี ขอบคุณ");
    assert_eq!(both("Hola.", "Gracias.", "es"), "Hola. Gracias.");
    assert_eq!(both("", "Gracias.", "es"), "Gracias.");
}

#[test]
fn a_word_that_is_held_back_is_as_long_as_words_of_its_script_are() {
    let kept = |text: &'static str, words: usize, code: &str| without_last(text, words, &language(code));
    assert_eq!(kept("今天我们来谈谈", 2, "zh"), "今天我");
    assert_eq!(kept("本日は晴れです", 1, "ja"), "本日は晴れ");
    assert_eq!(kept("คนไทยสงบ", 1, "th"), "คนไทย");
    assert_eq!(kept("คนไทยสงบ", 2, "th"), "คน");
    assert_eq!(kept("มี iPhone", 1, "th"), "มี");
}

/// What JavaScript's `text.slice(0, chars)` gives.
fn slice(text: &str, stable: Stable) -> String {
    let units: Vec<u16> = text.encode_utf16().take(stable.chars as usize).collect();
    String::from_utf16(&units).unwrap()
}

#[test]
fn the_stable_part_is_told_in_units_that_javascript_can_slice() {
    let told = |text: &str, stable: usize, code: &str| {
        let snapshot = snapshot(text, stable, code);
        (slice(&snapshot.text(), snapshot.stable()), snapshot.stable().words)
    };
    assert_eq!(told("good evening, friends", 3, "en"), ("good evening,".into(), 2));
    assert_eq!(told("我们 用 Amazon Web Services", 4, "zh"), ("我们用Amazon".into(), 1));
    assert_eq!(told("我们 今天 来 这里", 3, "zh"), ("我们今天".into(), 0), "no word between spaces is complete");
    assert_eq!(told("𠮷野 さん は 来る", 3, "ja"), ("𠮷野さん".into(), 0), "two units of UTF-16 are one character");
    assert_eq!(told("नमस्ते दोस्तों, सुनिए", 3, "hi"), ("नमस्ते दोस्तों,".into(), 2));
}

#[test]
fn the_stable_part_never_ends_within_a_character_that_a_person_sees() {
    for text in ["น้ำ", "कि", "👨‍👩‍👧", "e\u{301}", "🇪🇸"] {
        let all = Stable::whole(text).chars;
        for bytes in 0..=text.len() {
            let chars = Stable::within(text, bytes).chars;
            assert!(chars == 0 || (chars == all && bytes == text.len()), "{text}, {bytes}: {chars}");
        }
    }
    assert_eq!(begin_of("aน้ำ", 3), "a");
    assert_eq!(begin_of("น้ำ", 2), "น้", "unless it alone is too long");
}

proptest::proptest! {
    #[test]
    fn whatever_is_told_as_stable_can_be_sliced_and_counted(text in "[ab 今𠮷アกำิ้मे्👨\u{200d}]{0,20}", bytes in 0..60_usize) {
        let stable = Stable::within(&text, bytes);
        let part = slice(&text, stable);
        proptest::prop_assert!(text.starts_with(&part) && part.len() <= bytes);
        let words: Vec<&str> = text.split_whitespace().take(stable.words as usize).collect();
        let within: Vec<&str> = part.split_whitespace().collect();
        proptest::prop_assert!(within.starts_with(&words), "{words:?} of {within:?}");
    }

    #[test]
    fn what_is_held_back_leaves_a_begin_of_the_text(text in "[ab 今アกำิ้मे्。]{0,20}", words in 0..4_usize) {
        for code in ["zh", "th", "es"] {
            let kept = without_last(&text, words, &language(code));
            proptest::prop_assert!(text.starts_with(kept));
        }
    }
}
