//! Captions and translations.

use crate::world::{Talk, World, config, language, prompt_translator};
use worker_core::EngineConfig;
use worker_core::config::PartialPolicy;
use worker_core::input::{StreamEnd, TranslateFailure};

#[test]
fn language_without_listeners_is_not_translated() {
    let mut world = World::new(Talk::long(4));
    world.listener("ann", "en");
    world.listener("eva", "es");
    world.at(10_000, |w| w.seats.get_mut("eva").unwrap().listed = false);
    world.run_until(30_000);
    assert!(!world.asked.is_empty());
    assert!(world.asked.iter().all(|(at, to, _)| to.as_str() == "es" && *at < 18_000));
}

#[test]
fn partials_come_at_most_five_times_a_second_and_the_final_at_once() {
    let mut world = World::new(Talk::long(4));
    world.listener("ann", "en");
    world.run_until(25_000);
    let captions = world.seat("ann").captions();
    let partials: Vec<_> = captions.iter().filter(|c| !c.is_final).collect();
    assert!(partials.len() > 20);
    for pair in partials.windows(2).filter(|p| p[0].segment_id == p[1].segment_id) {
        assert!(pair[1].timestamp.since(pair[0].timestamp) >= 200);
    }
}

#[test]
fn a_fickle_recogniser_never_changes_a_stable_word_and_erasure_tells_the_rest() {
    let mut world = World::new(Talk::long(6));
    world.recogniser.fickle = true;
    world.listener("ann", "en");
    world.at(9_100, |w| w.recogniser.cut(StreamEnd::Clean, w.now));
    world.run_until(35_000);
    world.check_contract();
    assert_eq!(world.seat("ann").text(), world.speaker.talk.text());
    let erasure = world.writes.last().unwrap().1.status.languages[&language("en")].erasure.unwrap();
    assert!(erasure > 0.1, "{erasure}");
}

fn partial_translations(policy: PartialPolicy) -> usize {
    let mut world = World::with(EngineConfig { partials: policy, ..config() }, Talk::long(4));
    world.listener("eva", "es");
    world.run_until(25_000);
    world.check_contract();
    assert_eq!(world.seat("eva").finals().len(), 4, "finals always");
    let partial = |text: &str| text.split(' ').count() < 8;
    let asked: Vec<u64> = world.asked.iter().filter(|(_, _, text)| partial(text)).map(|(at, _, _)| *at).collect();
    assert!(asked.windows(2).all(|pair| pair[1] - pair[0] >= 700), "{asked:?}");
    world.seat("eva").captions().iter().filter(|c| !c.is_final).count()
}

#[test]
fn the_policy_says_which_partials_are_translated() {
    assert_eq!(partial_translations(PartialPolicy::Finals), 0);
    assert_eq!(partial_translations(PartialPolicy::Sentences), 0, "nothing that was said has a mark");
    assert_eq!(partial_translations(PartialPolicy::Clauses), 0, "and all of it is short");
    assert!(partial_translations(PartialPolicy::Live) >= 8);
}

#[test]
fn a_failed_translation_is_tried_again_and_a_lost_one_is_the_original_marked_as_such() {
    let mut world = World::with(EngineConfig { partials: PartialPolicy::Finals, ..config() }, Talk::long(6));
    world.translate = |text, to, now| match now {
        0..6_000 => (100, Err(TranslateFailure::Throttled)),
        6_000..12_000 => (100, Err(TranslateFailure::Unavailable("503".into()))),
        _ => prompt_translator(text, to, now),
    };
    world.listener("eva", "es");
    world.run_until(40_000);
    world.check_contract();
    let finals = world.seat("eva").finals();
    assert_eq!(finals.len(), 6);
    assert!(finals[0].degraded && !finals[0].translated && finals[0].text.starts_with("w0x0"));
    assert!(!finals[5].degraded && finals[5].translated && finals[5].text.starts_with("es:w5x0"));
    assert_eq!(finals[5].source_text.as_deref(), Some("w5x0 w5x1 w5x2 w5x3 w5x4 w5x5 w5x6 w5x7"));
}

#[test]
fn lag_is_from_the_spoken_word_to_the_post() {
    let mut world = World::new(Talk::long(6));
    world.listener("ann", "en");
    world.run_until(35_000);
    // 600 ms of silence end a segment, up to 100 ms chunk, 200 ms recogniser; the world's audio arrives as it is spoken.
    for caption in world.seat("ann").finals() {
        assert!((800..=960).contains(&caption.lag_ms), "{}", caption.lag_ms);
    }
    let status = &world.writes.last().unwrap().1.status.languages[&language("en")];
    assert!(status.lag_p50_ms.unwrap() < status.lag_p95_ms.unwrap());
    assert_eq!(status.last_cursor, 6);
}

#[test]
fn a_clause_is_translated_once_when_its_words_are_stable() {
    let talk = Talk::of(&["when we come to the river, we will pray, and then we will sing together again."]);
    let mut world = World::with(EngineConfig { partials: PartialPolicy::Clauses, ..config() }, talk);
    world.listener("eva", "es");
    world.run_until(15_000);
    world.check_contract();
    let asked: Vec<&str> = world.asked.iter().map(|(_, _, text)| text.as_str()).collect();
    assert_eq!(asked[..2], ["when we come to the river,", "we will pray,"]);
    assert_eq!(asked[2..], ["and then we will sing together again."], "the rest, with the final");
    let shown = world.seat("eva").captions();
    assert_eq!(shown[1].text, "es:when es:we es:come es:to es:the es:river, es:we es:will es:pray,");
    let erasure = world.writes.last().unwrap().1.status.languages[&language("es")].erasure;
    assert_eq!(erasure, Some(0.0));
}

/// The translated partials of one sentence that a session without settings of its own shows, with the lag of the first words: from
/// the first spoken to the first read.
fn by_default(sentence: &str) -> (Vec<String>, u64, u64) {
    let mut world = World::new(Talk::of(&[sentence]));
    world.listener("eva", "es");
    world.run_until(20_000);
    world.check_contract();
    let sentence_ms = world.speaker.talk.end_ms() - world.speaker.talk.words[0].start_ms;
    let captions = world.seat("eva").captions();
    let first = captions[0];
    let partials = captions.iter().filter(|c| !c.is_final).map(|c| c.text.clone()).collect();
    (partials, first.end_ms + first.lag_ms - first.start_ms, sentence_ms)
}

#[test]
fn by_default_the_first_clause_is_read_in_translation_while_the_sentence_is_still_being_spoken() {
    let (partials, waited_ms, sentence_ms) =
        by_default("when we come to the river, we will pray, and then we sing again.");
    assert_eq!(partials[0], "es:when es:we es:come es:to es:the es:river,");
    // Six words of 400 ms, two more until they are stable, and the ways of the results and the translation.
    assert!(waited_ms <= 4_500 && waited_ms < sentence_ms, "{waited_ms} of {sentence_ms}");
}

#[test]
fn by_default_a_question_is_read_in_translation_before_its_answer_is_over() {
    let (partials, _, _) = by_default("do you know the way? it is not far from the old town and the river.");
    assert_eq!(partials[0], "es:do es:you es:know es:the es:way?");
}

#[test]
fn speech_without_marks_is_read_in_translation_while_it_goes_on_and_nothing_of_it_is_taken_back() {
    let words: Vec<String> = (0..24).map(|n| format!("w{n}")).collect();
    let run = |policy: PartialPolicy| {
        let mut world = World::with(EngineConfig { partials: policy, ..config() }, Talk::of(&[&words.join(" ")]));
        world.recogniser.fickle = true;
        world.listener("eva", "es");
        world.run_until(20_000);
        world.check_contract();
        world
    };
    let world = run(PartialPolicy::Clauses);
    let eva = world.seat("eva");
    let partials: Vec<&str> = eva.captions().iter().filter(|c| !c.is_final).map(|c| c.text.as_str()).collect();
    assert_eq!(partials[0], "es:w0 es:w1 es:w2 es:w3 es:w4 es:w5 es:w6");
    assert_eq!((partials.len(), eva.erasure(), eva.text().split(' ').count()), (2, 0.0, 24));
    let asked: usize = world.asked.iter().map(|(_, _, text)| text.split(' ').count()).sum();
    assert_eq!(asked, 24, "each word is paid for once");
    assert!(run(PartialPolicy::Sentences).seat("eva").captions().iter().all(|c| c.is_final));
}

#[test]
fn who_comes_in_the_middle_of_a_sentence_reads_its_first_clause_with_the_next_one() {
    let talk = Talk::of(&["when we come to the river, we will pray, and then we will sing together again."]);
    let mut world = World::with(config(), talk);
    world.listener("eva", "es");
    world.at(4_600, |w| {
        w.listener("ugo", "it");
    });
    world.run_until(15_000);
    world.check_contract();
    assert_eq!(
        world.seat("ugo").captions()[0].text,
        "it:when it:we it:come it:to it:the it:river, it:we it:will it:pray,"
    );
}

#[test]
fn while_translate_throttles_commits_are_whole_sentences() {
    let sentence = "when we come to the river, we will pray, and then we will sing.";
    let mut world = World::new(Talk::of(&[sentence, sentence]));
    world.translate = |text, to, now| match now {
        0..5_000 => (50, Err(TranslateFailure::Throttled)),
        _ => prompt_translator(text, to, now),
    };
    world.listener("eva", "es");
    world.run_until(20_000);
    world.check_contract();
    let clause = |text: &str| text == "we will pray,";
    let throttled: Vec<_> = world.asked.iter().filter(|(at, _, text)| *at < 9_000 && clause(text)).collect();
    assert!(throttled.is_empty(), "{:?}", world.asked);
    assert!(
        world.asked.iter().any(|(_, _, text)| clause(text)),
        "and clauses again when that is over: {:?}",
        world.asked
    );
    assert!(world.seat("eva").finals().iter().all(|c| c.translated));
}

#[test]
fn what_a_partial_has_brought_is_the_finals_too_and_paid_for_once() {
    let talk = Talk::of(&["we come, all of us. we pray. then we sing together again."]);
    let mut world = World::with(EngineConfig { partials: PartialPolicy::Clauses, ..config() }, talk);
    world.listener("eva", "es");
    world.run_until(15_000);
    world.check_contract();
    let asked: Vec<&str> = world.asked.iter().map(|(_, _, text)| text.as_str()).collect();
    assert_eq!(asked, ["we come,", "all of us.", "we pray.", "then we sing together again."]);
    let status = &world.writes.last().unwrap().1.status.languages[&language("es")];
    assert_eq!(status.erasure, Some(0.0));
    let texts = world.seat("eva").text();
    assert_eq!(texts.split(' ').count(), 12);
}

#[test]
fn sentences_that_no_partial_has_brought_are_translated_in_one_call() {
    let talk = Talk::of(&["we come, all of us. we pray. then we sing together again."]);
    let mut world = World::with(EngineConfig { partials: PartialPolicy::Finals, ..config() }, talk);
    world.listener("eva", "es");
    world.run_until(15_000);
    assert_eq!(world.asked.len(), 1);
    assert_eq!(world.asked[0].2, "we come, all of us. we pray. then we sing together again.");
}

#[test]
fn live_partials_hold_their_last_words_back() {
    let mut world = World::with(EngineConfig { partials: PartialPolicy::Live, ..config() }, Talk::long(2));
    world.listener("eva", "es");
    world.run_until(15_000);
    for caption in world.seat("eva").captions().iter().filter(|c| !c.is_final) {
        let (said, shown) = (caption.source_text.clone().unwrap(), caption.text.clone());
        assert_eq!(shown.split(' ').count() + 3, said.split(' ').count());
    }
}

#[test]
fn the_same_sentence_is_paid_for_once_per_language() {
    let mut world = World::new(Talk::of(&["amen to that", "let us pray", "amen to that", "amen to that"]));
    world.listener("eva", "es");
    world.listener("cat", "ca");
    world.run_until(20_000);
    world.check_contract();
    assert_eq!(world.seat("eva").finals().len(), 4);
    assert_eq!(world.asked.len(), 4, "{:?}", world.asked);
}

#[test]
fn a_budget_gives_up_partials_first_and_finals_last_and_says_so() {
    let run = |most: u64| {
        let mut config = EngineConfig { partials: PartialPolicy::Live, ..config() };
        config.translate_characters_per_minute = most;
        let mut world = World::with(config, Talk::long(40));
        world.listener("eva", "es");
        world.run_until(180_000);
        world.check_contract();
        let mut minute = 0;
        for (at, _, _) in &world.asked {
            let within = world.asked.iter().filter(|(t, _, _)| (*at..at + 60_000).contains(t));
            minute = minute.max(within.map(|(_, _, text)| text.chars().count() as u64).sum());
        }
        let degraded = world.seat("eva").finals().iter().filter(|c| c.degraded).count();
        let rungs: std::collections::BTreeSet<_> = world.writes.iter().map(|(_, w)| w.status.rung).collect();
        (minute, degraded, rungs)
    };
    use schemas::worker::Rung;
    let (spent, degraded, rungs) = run(1_500);
    assert!(spent <= 1_500 && degraded == 0, "{spent} {degraded}");
    assert!(rungs.contains(&Rung::FinalsOnly) && !rungs.contains(&Rung::OriginalOnly));
    let (spent, degraded, rungs) = run(300);
    assert!(spent <= 300 && degraded > 0, "{spent} {degraded}");
    assert!(rungs.contains(&Rung::OriginalOnly));
}

#[test]
fn continuous_speech_brings_finals_all_along() {
    let mut talk = Talk::long(12);
    for (n, word) in talk.words.iter_mut().enumerate() {
        (word.start_ms, word.end_ms) = (500 + n as u64 * 400, 800 + n as u64 * 400);
    }
    let mut world = World::new(talk);
    world.listener("ann", "en");
    world.run_until(50_000);
    world.check_contract();
    assert_eq!(world.seat("ann").text(), world.speaker.talk.text());
    let finals = world.seat("ann").finals();
    assert!(finals.len() >= 3, "{}", finals.len());
    for caption in finals {
        assert!(caption.end_ms - caption.start_ms <= 15_000);
    }
}

#[test]
fn a_language_that_translate_does_not_know_is_marked_as_such_and_touches_no_other() {
    let mut world = World::with(EngineConfig { partials: PartialPolicy::Finals, ..config() }, Talk::long(6));
    world.translate = |text, to, now| match to.as_str() {
        "eu" => (100, Err(TranslateFailure::UnsupportedPair)),
        _ => prompt_translator(text, to, now),
    };
    world.listener("ane", "eu");
    world.listener("eva", "es");
    world.run_until(40_000);
    world.check_contract();
    let finals = world.seat("ane").finals();
    assert_eq!(finals.len(), 6);
    assert!(finals.iter().all(|c| c.degraded && !c.translated && c.text.starts_with('w')), "the original, marked");
    assert!(world.seat("eva").finals().iter().all(|c| c.translated));
    assert_eq!(
        world.asked.iter().filter(|(_, to, _)| to.as_str() == "eu").count(),
        1,
        "asked once, not for every sentence"
    );
    let status = &world.writes.last().unwrap().1.status;
    assert_eq!(status.rung, schemas::worker::Rung::Full, "one language is no outage");
    assert_eq!(status.notes, ["Translate does not translate from en to eu"]);
}

#[test]
fn a_terminology_that_does_not_exist_costs_no_translation_and_is_told_in_the_row() {
    let mut world = World::with(
        EngineConfig { translation_options: worker_core::config::CarriedOptions::All, ..config() },
        Talk::long(4),
    );
    world.terminology_is_unknown = true;
    world.listener("eva", "es");
    world.listener("cat", "ca");
    world.run_until(30_000);
    world.check_contract();
    for name in ["eva", "cat"] {
        assert_eq!(world.seat(name).finals().len(), 4);
        assert!(world.seat(name).finals().iter().all(|c| c.translated));
    }
    let notes = &world.writes.last().unwrap().1.status.notes;
    assert!(notes.len() == 1 && notes[0].contains("terminology"), "{notes:?}");
}
