//! Before a recogniser that does one thing wrong, and nothing else, no word is lost or doubled: in one stream, and in streams
//! that are cut and replayed.

use super::check;
use crate::world::hostile_session::HostileSession;
use hostile_recogniser::spelled::ENGLISH;
use hostile_recogniser::{Misbehaviour, Switches};

/// Sessions before it, each with so many cuts.
fn sessions(switches: Switches, cuts: u64) {
    for seed in 1..=24 {
        check(HostileSession::random(ENGLISH, switches, seed, 40_000, cuts));
    }
}

/// It does this often.
fn only(what: Misbehaviour) -> Switches {
    Switches::off().with(what, 0.4)
}

fn real_time() -> Switches {
    let mut switches = Switches::off();
    switches.real_time = true;
    switches
}

mod one_stream {
    use super::*;

    #[test]
    fn a_recogniser_that_retimes_words() {
        sessions(only(Misbehaviour::Retime), 0);
    }

    #[test]
    fn a_recogniser_that_takes_unstable_words_back() {
        sessions(only(Misbehaviour::Shrink), 0);
    }

    #[test]
    fn a_recogniser_that_leaves_stable_words_out_of_a_partial() {
        sessions(only(Misbehaviour::ShrinkStable), 0);
    }

    #[test]
    fn a_recogniser_that_merges_words() {
        sessions(only(Misbehaviour::Merge), 0);
    }

    #[test]
    fn a_recogniser_that_splits_words() {
        sessions(only(Misbehaviour::Split), 0);
    }

    #[test]
    fn a_recogniser_that_moves_marks() {
        sessions(only(Misbehaviour::MovePunctuation), 0);
    }

    #[test]
    fn a_recogniser_that_revises_unstable_words() {
        sessions(only(Misbehaviour::Revise), 0);
    }

    #[test]
    fn a_recogniser_that_contradicts_stable_words() {
        sessions(only(Misbehaviour::Contradict), 0);
    }

    #[test]
    fn a_recogniser_that_tells_finals_three_seconds_late() {
        sessions(only(Misbehaviour::LateFinal), 0);
    }

    #[test]
    fn a_recogniser_that_repeats_results() {
        sessions(only(Misbehaviour::Repeat), 0);
    }

    #[test]
    fn a_recogniser_that_tells_the_next_segment_before_a_final() {
        sessions(only(Misbehaviour::Reorder), 0);
    }

    #[test]
    fn a_recogniser_that_tells_the_next_final_before_a_final() {
        sessions(only(Misbehaviour::Overtake), 0);
    }

    #[test]
    fn a_recogniser_that_uses_ids_again() {
        sessions(only(Misbehaviour::ReturningId), 0);
    }

    #[test]
    fn a_recogniser_that_tells_several_results_at_once() {
        sessions(only(Misbehaviour::Several), 0);
    }

    #[test]
    fn a_recogniser_that_tells_nothing_now_and_then() {
        sessions(only(Misbehaviour::EmptyEvent), 0);
    }

    #[test]
    fn a_recogniser_that_leaves_items_out() {
        sessions(only(Misbehaviour::Itemless), 0);
    }

    #[test]
    fn a_recogniser_that_leaves_times_out() {
        sessions(only(Misbehaviour::Timeless), 0);
    }

    #[test]
    fn a_recogniser_that_tells_empty_finals() {
        sessions(only(Misbehaviour::EmptyFinal), 0);
    }

    #[test]
    fn a_recogniser_that_takes_noise_for_segments() {
        sessions(only(Misbehaviour::Noise), 0);
    }

    #[test]
    fn a_recogniser_that_tells_finals_without_partials() {
        sessions(only(Misbehaviour::Unannounced), 0);
    }

    #[test]
    fn a_recogniser_that_contradicts_and_retimes_words() {
        sessions(only(Misbehaviour::Contradict).with(Misbehaviour::Retime, 1.0), 0);
    }
}

mod cut_streams {
    use super::*;

    #[test]
    fn a_recogniser_that_retimes_words() {
        sessions(only(Misbehaviour::Retime), 3);
    }

    #[test]
    fn a_recogniser_that_takes_unstable_words_back() {
        sessions(only(Misbehaviour::Shrink), 3);
    }

    #[test]
    fn a_recogniser_that_leaves_stable_words_out_of_a_partial() {
        sessions(only(Misbehaviour::ShrinkStable), 3);
    }

    #[test]
    fn a_recogniser_that_merges_words() {
        sessions(only(Misbehaviour::Merge), 3);
    }

    #[test]
    fn a_recogniser_that_splits_words() {
        sessions(only(Misbehaviour::Split), 3);
    }

    #[test]
    fn a_recogniser_that_moves_marks() {
        sessions(only(Misbehaviour::MovePunctuation), 3);
    }

    #[test]
    fn a_recogniser_that_revises_unstable_words() {
        sessions(only(Misbehaviour::Revise), 3);
    }

    #[test]
    fn a_recogniser_that_contradicts_stable_words() {
        sessions(only(Misbehaviour::Contradict), 3);
    }

    #[test]
    fn a_recogniser_that_tells_finals_three_seconds_late() {
        sessions(only(Misbehaviour::LateFinal), 3);
    }

    #[test]
    fn a_recogniser_that_repeats_results() {
        sessions(only(Misbehaviour::Repeat), 3);
    }

    #[test]
    fn a_recogniser_that_tells_the_next_segment_before_a_final() {
        sessions(only(Misbehaviour::Reorder), 3);
    }

    #[test]
    fn a_recogniser_that_tells_the_next_final_before_a_final() {
        sessions(only(Misbehaviour::Overtake), 3);
    }

    #[test]
    fn a_recogniser_that_uses_ids_again() {
        sessions(only(Misbehaviour::ReturningId), 3);
    }

    #[test]
    fn a_recogniser_that_tells_several_results_at_once() {
        sessions(only(Misbehaviour::Several), 3);
    }

    #[test]
    fn a_recogniser_that_tells_nothing_now_and_then() {
        sessions(only(Misbehaviour::EmptyEvent), 3);
    }

    #[test]
    fn a_recogniser_that_leaves_items_out() {
        sessions(only(Misbehaviour::Itemless), 3);
    }

    #[test]
    fn a_recogniser_that_leaves_times_out() {
        sessions(only(Misbehaviour::Timeless), 3);
    }

    #[test]
    fn a_recogniser_that_tells_empty_finals() {
        sessions(only(Misbehaviour::EmptyFinal), 3);
    }

    #[test]
    fn a_recogniser_that_takes_noise_for_segments() {
        sessions(only(Misbehaviour::Noise), 3);
    }

    #[test]
    fn a_recogniser_that_tells_finals_without_partials() {
        sessions(only(Misbehaviour::Unannounced), 3);
    }

    #[test]
    fn a_recogniser_that_contradicts_and_retimes_words() {
        sessions(only(Misbehaviour::Contradict).with(Misbehaviour::Retime, 1.0), 3);
    }

    #[test]
    fn a_recogniser_that_takes_a_replay_at_real_time() {
        for seed in 1..=6 {
            check(HostileSession::random(ENGLISH, real_time(), seed, 60_000, 1));
        }
    }

    #[test]
    fn the_lag_of_a_cut_is_made_up_in_the_next_pauses_when_a_replay_is_taken_at_real_time() {
        let sentences = vec![(8, 1_000); 16];
        check(HostileSession { sentences, cuts: vec![9_000], ..HostileSession::new(real_time()) });
    }
}
