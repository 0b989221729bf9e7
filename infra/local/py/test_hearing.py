"""The recogniser for people, without its model: `python -m unittest discover infra/local/py`. Numpy is all it needs."""

import os
import sys
import unittest

sys.path.insert(0, os.path.dirname(__file__))

import numpy as np

from hearing import agree, trust
from hearing.ear import Ear, PAUSE
from hearing.mel import Mel
from hearing.voice import CHUNK, STEP, Voice
from hearing.words import Word, behind, group, timed, token_spans


class Found:
    def __init__(self, words, cost=0.1):
        self.words, self.cost = words, cost


def said(text, start=0.0, each=0.4):
    """Words of a text with marks, one after another."""
    words = []
    for n, word in enumerate(text.split()):
        bare = word.rstrip(".,?!")
        words.append(Word(bare, start + n * each, start + (n + 1) * each, 0.9, word[len(bare) :], [bare], [word[len(bare) :]] if word != bare else []))
    return words


def texts(words):
    return " ".join(word.text + word.mark for word in words)


class Script:
    """A model that understands a word each 0.4 s of audio behind the first 0.5 s, in the order of a text."""

    def __init__(self, text, begin=0.5, guess=None, cost=0.1):
        self.words, self.guess, self.cost, self.asked = said(text, begin), guess, cost, []
        self.ear = None

    def __call__(self, samples, _language, prefix):
        start = self.ear.begin_time()
        end = start + len(samples) / 16_000
        words = [Word(w.text, w.start - start, w.end - start, w.confidence, w.mark, w.ids, w.mark_ids) for w in self.words if start - 0.2 <= w.start and w.end <= end]
        self.asked.append(list(prefix))
        if self.guess and words and words[-1].end > end - start - 0.4:
            words[-1].text = f"{self.guess}{len(self.asked)}"
        return Found(words, self.cost)


def listen(model, speech, seconds, margin=0.6, late=False):
    """What is told of so many seconds, in which `speech` are the times of speech."""
    told = []
    ear = Ear(model, lambda event, utterance, words, stable: told.append((event, utterance, texts(words), stable, ear.now())), "en", margin)
    model.ear = ear
    for n in range(int(seconds / STEP)):
        at = n * STEP
        ear.hear(np.zeros(CHUNK, np.int16), 0.9 if any(start <= at < end for start, end in speech) else 0.0, late)
    ear.stop()
    return told


class Words(unittest.TestCase):
    VOCABULARY = dict(enumerate([" Good", " morn", "ing", ",", " all", ".", " 28", "8", " \"", "no", "\"", " ..."]))

    def group(self, *ids):
        return group(list(ids), lambda some: "".join(self.VOCABULARY[n] for n in some))

    def test_tokens_become_words_with_the_marks_behind_them(self):
        self.assertEqual([(word, mark) for word, _, mark, _ in self.group(0, 1, 2, 3, 4, 5)], [("Good", ""), ("morning", ","), ("all", ".")])

    def test_a_mark_within_a_word_is_none(self):
        self.assertEqual([word for word, _, _, _ in self.group(6, 5, 7)], ["28.8"])

    def test_quotation_marks_are_not_said(self):
        self.assertEqual([word for word, _, _, _ in self.group(0, 8, 9, 10) if word], ["Good", "no"])

    def test_a_word_has_the_times_of_its_own_tokens_and_not_of_its_mark(self):
        spans = token_spans([(0, 5), (1, 20), (2, 30), (3, 40), (4, 60), (5, 80)], 6, 2.0)
        words = timed(self.group(0, 1, 2, 3, 4, 5), spans, [0.9] * 6)
        self.assertEqual([(word.start, word.end) for word in words], [(0.1, 0.4), (0.4, 0.8), (1.2, 1.6)])

    def test_half_a_letter_waits_for_its_other_half(self):
        pieces = {(1,): "\ufffd", (1, 2): " é"}
        self.assertEqual(group([1, 2], lambda ids: pieces[tuple(ids)])[0][:2], ("é", [1, 2]))

    def test_without_spaces_each_piece_is_a_word_but_a_latin_name_stays_whole(self):
        pieces = ["我们", "用", " Amazon", " Serv", "ices", "吧", "。"]
        told = group(range(7), lambda ids: "".join(pieces[n] for n in ids), spaced=False)
        self.assertEqual([word for word, _, _, _ in told], ["我们", "用", "Amazon", "Services", "吧"])
        self.assertEqual(told[-1][2], "。")


    def test_what_is_written_on_to_a_known_word_is_a_word_of_its_own(self):
        known = said("dial 1")
        rest, _ = behind([*said("dial"), Word("1-234", 0.4, 1.2, 0.9, "", ["1", "-234"]), *said("now", 1.2)], known)
        self.assertEqual(texts(rest), "234 now")
        rest, same = behind(said("dial 1, now"), known)
        self.assertEqual((texts(rest), same.mark), ("now", ","))


class Trust(unittest.TestCase):
    def test_a_circle_is_found_where_it_begins_again(self):
        self.assertEqual(trust.loop("you have all you have all you have all".split()), 3)
        self.assertEqual(trust.loop("so no no no no".split()), 2)

    def test_what_people_repeat_is_no_circle(self):
        self.assertIsNone(trust.loop("press one for this press two for that very very very good".split()))

    def test_a_guess_in_what_is_no_speech_is_not_believed_and_a_sure_word_is(self):
        self.assertTrue(trust.guessing(-1.2, 0.8))
        self.assertFalse(trust.guessing(-0.3, 0.9))
        self.assertFalse(trust.guessing(-1.2, 0.1))

    def test_words_at_the_end_that_nobody_spoke_go(self):
        voice = lambda start, _end: 0.9 if start < 0.65 else 0.0
        self.assertEqual(texts(trust.heard(said("good morning thank you"), voice)), "good morning")

    def test_words_faster_than_anybody_speaks_were_made_up(self):
        words = said("good morning") + said("thank you for watching", 0.8, each=0.02)
        self.assertEqual(texts(trust.possible(words)), "good morning")
        self.assertEqual(texts(trust.possible(said("a bit of it", each=0.12))), "a bit of it")

    def test_no_more_tokens_than_a_person_can_say(self):
        self.assertEqual(trust.cap(2.0), 22)


class Agreement(unittest.TestCase):
    def test_agreed_is_what_two_decodes_have_in_common_whatever_their_capitals(self):
        self.assertEqual(agree.common(said("Good morning all"), said("good morning every one")), 2)

    def test_settled_is_what_is_agreed_on_and_old_enough(self):
        self.assertEqual(agree.settled(said("a b c d"), 3, 1.6, 0.6), 2)

    def test_a_long_utterance_is_cut_behind_a_sentence(self):
        self.assertEqual(agree.cut(said("one two. three four five"), 4, 1, 8.0), 2)

    def test_then_behind_a_clause_and_at_last_behind_any_word_that_is_sure(self):
        words = said("one two, three four five")
        self.assertIsNone(agree.cut(words, 4, 1, 8.0))
        self.assertEqual(agree.cut(words, 4, 1, 10.0), 2)
        self.assertEqual(agree.cut(said("one two three four five"), 4, 1, 11.5), 4)

    def test_stable_words_stay_together(self):
        self.assertIsNone(agree.cut(said("one two. three four five"), 4, 3, 8.0))


class Silence(unittest.TestCase):
    def test_a_click_is_no_onset_and_a_syllable_is(self):
        voice = Voice()
        for chance in (0.9, 0.0, 0.9, 0.0, 0.0):
            voice.read(chance)
            self.assertFalse(voice.onset())
        for _ in range(4):
            voice.read(0.9)
        self.assertTrue(voice.onset())

    def test_between_the_thresholds_it_is_what_it_was(self):
        voice = Voice()
        voice.read(0.4)
        self.assertFalse(voice.speaking)
        for chance in (0.6, 0.4):
            voice.read(chance)
        self.assertTrue(voice.speaking)


class Ears(unittest.TestCase):
    def test_an_utterance_ends_at_a_pause_with_every_word_once(self):
        told = listen(Script("Good morning all. And"), [(0.5, 1.7)], 4.0)
        finals = [(utterance, text) for event, utterance, text, _, _ in told if event == "final"]
        self.assertEqual(finals, [(1, "Good morning all.")])
        self.assertLess(told[-1][4], 1.7 + PAUSE + 0.2)

    def test_the_last_decode_is_the_one_in_the_pause(self):
        model = Script("Good morning all.")
        told = listen(model, [(0.5, 1.7)], 4.0)
        self.assertEqual([event for event, *_ in told][-2:], ["partial", "final"])
        self.assertEqual(told[-2][2], told[-1][2])

    def test_stable_words_never_change_whatever_the_newest_word_is_taken_for(self):
        told = listen(Script("one two three four five six seven eight.", guess="hm"), [(0.5, 3.7)], 6.0)
        stable = []
        for _, _, text, count, _ in told:
            words = text.replace(".", "").split()
            self.assertEqual(words[: len(stable)], stable)
            stable = words[:count]
        self.assertGreater(max(count for event, _, _, count, _ in told if event == "partial"), 3)

    def test_what_is_stable_is_given_to_the_model_as_known(self):
        model = Script("one, two three four five six seven eight.")
        listen(model, [(0.5, 3.7)], 6.0)
        self.assertEqual(max(model.asked, key=len)[:3], ["one", ",", "two"])

    def test_who_asks_for_no_stable_words_gets_none(self):
        told = listen(Script("one two three four five six."), [(0.5, 2.9)], 5.0, margin=None)
        self.assertTrue(all(count == 0 for event, _, _, count, _ in told if event == "partial"))

    def test_without_a_pause_finals_come_after_twelve_seconds_and_no_word_is_lost_or_doubled(self):
        text = " ".join(f"w{n}" for n in range(75))
        told = listen(Script(text), [(0.5, 30.5)], 33.0)
        finals = [(text, at) for event, _, text, _, at in told if event == "final"]
        self.assertEqual(" ".join(final for final, _ in finals), text)
        begun = 0.0
        for _, at in finals:
            self.assertLess(at - begun, 12.5)
            begun = at - 2.0

    def test_who_is_late_gets_finals_alone_and_every_word(self):
        text = " ".join(f"w{n}" for n in range(50))
        told = listen(Script(text), [(0.5, 20.5)], 23.0, late=True)
        self.assertEqual({event for event, *_ in told}, {"final"})
        self.assertEqual(" ".join(final for _, _, final, _, _ in told), text)

    def test_noise_in_which_the_model_finds_nothing_is_told_of_with_nothing(self):
        self.assertEqual(listen(Script(""), [(0.5, 25.0)], 27.0), [])

    def test_a_stream_that_stops_within_speech_tells_its_last_words(self):
        self.assertEqual(listen(Script("one two three"), [(0.5, 9.0)], 1.8)[-1][2], "one two three")

    def test_decodes_that_are_dear_come_less_often(self):
        text = "one two three four five six seven eight nine ten"
        cheap, dear = Script(text), Script(text, cost=0.6)
        for model in (cheap, dear):
            listen(model, [(0.5, 4.5)], 6.0)
        self.assertLess(len(dear.asked), len(cheap.asked) * 0.6)


class Sound(unittest.TestCase):
    def test_a_tone_is_seen_in_its_own_band_alone(self):
        tone = (8_000 * np.sin(2 * np.pi * 1_000 * np.arange(16_000) / 16_000)).astype(np.int16)
        picture = Mel(80).of(tone, 2.0)
        self.assertEqual(picture.shape, (1, 80, 200))
        loudest = picture[0, :, 50].argmax()
        # 1000 Hz is 15 of Slaney's 45.2 mels.
        self.assertAlmostEqual(loudest, 80 * 15 / 45.2, delta=1.5)
        self.assertLess(picture[0, 60, 50], picture[0, loudest, 50] - 1)


if __name__ == "__main__":
    unittest.main()
