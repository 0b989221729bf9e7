"""Tests of what is reckoned: `python3 scripts/bench/session/test_reckon.py`."""
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from reckon import finals, gap  # noqa: E402

SCRIPT = "One two three four. Five, six seven eight! Nine ten eleven twelve."


def said(generation, cursor, text="", segment=None):
    return {"generation": generation, "cursor": cursor, "segmentId": segment or f"{generation}-{cursor}", "text": text}


class Tests(unittest.TestCase):
    def test_words_between_the_workers_are_counted(self):
        got = [said(1, 1, "one two three four"), said(2, 1, "eight nine ten eleven twelve")]
        self.assertEqual(gap(SCRIPT, got, 1), {"words_in_no_final": 3, "words_told_twice": 0})

    def test_nothing_between_them_is_no_gap(self):
        got = [said(1, 1, "one two three four"), said(2, 1, "five six seven eight")]
        self.assertEqual(gap(SCRIPT, got, 1), {"words_in_no_final": 0, "words_told_twice": 0})

    def test_words_that_the_next_worker_says_again_are_seen(self):
        got = [said(1, 1, "one two three four"), said(2, 1, "three four five six seven eight")]
        self.assertEqual(gap(SCRIPT, got, 1)["words_told_twice"], 2)

    def test_a_word_misheard_at_the_edge_counts_with_the_gap(self):
        got = [said(1, 1, "one two three four"), said(2, 1, "wait nine ten eleven twelve")]
        self.assertEqual(gap(SCRIPT, got, 1)["words_in_no_final"], 4)

    def test_a_word_misheard_in_the_middle_costs_nothing(self):
        got = [said(1, 1, "one too three four"), said(2, 1, "seven ate nine ten eleven twelve")]
        self.assertEqual(gap(SCRIPT, got, 1)["words_in_no_final"], 2)

    def test_a_missing_number_is_a_lost_final(self):
        got = [said(1, 1), said(1, 3), said(2, 1)]
        self.assertEqual(finals([got, got]), {"finals": 6, "finals_lost": 2, "finals_at_one_listener_only": 0, "finals_doubled": 0})

    def test_a_segment_that_comes_again_is_doubled(self):
        got = [said(1, 1), said(1, 1), said(2, 1)]
        self.assertEqual(finals([got, got[1:]])["finals_doubled"], 1)

    def test_a_final_that_only_one_got_before_the_kill_is_told(self):
        found = finals([[said(1, 1), said(1, 2), said(2, 1)], [said(1, 1), said(2, 1)]])
        self.assertEqual((found["finals_lost"], found["finals_at_one_listener_only"]), (0, 1))


if __name__ == "__main__":
    unittest.main()
