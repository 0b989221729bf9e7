"""Tests of the harness: `python3 scripts/bench/test_bench.py`."""
import pathlib
import sys
import tempfile
import types
import unittest
from unittest import mock

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import bench  # noqa: E402
import documents  # noqa: E402
import plots  # noqa: E402
import running  # noqa: E402
import spoken  # noqa: E402

KEPT = {
    "bench": "example", "date": "2026-01-01", "commit": "0000000", "machine": {"processor": "P", "cores": 2, "system": "S"},
    "load": {"before": 0.1, "after": 0.2}, "seconds": 1, "commands": [], "results": {"ms": 12},
}  # fmt: skip
EXAMPLE = types.SimpleNamespace(ORDER=1, TITLE="an example", MINUTES=1, tables=lambda results: {"example": f"| {results['ms']} ms |"})
PAGE = "words\n\n<!-- bench: example -->\n<!-- /bench -->\n\nmore words\n"


class Tests(unittest.TestCase):
    def setUp(self):
        folder = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.page = folder / "benchmarks.md"
        self.page.write_text(PAGE)
        self.folder = folder / "bench"
        for name, value in (("documents.PAGE", self.page), ("documents.RESULTS", self.folder), ("plots.RESULTS", self.folder)):
            self.enterContext(mock.patch(name, value))
        documents.write(KEPT)
        self.benches = {"example": EXAMPLE}

    def test_what_was_rendered_passes_the_check_and_its_words_stay(self):
        documents.render(self.benches)
        page = self.page.read_text()
        self.assertIn("| 12 ms |", page)
        self.assertIn("2026-01-01, commit 0000000", page)
        self.assertTrue(page.startswith("words\n") and page.endswith("\nmore words\n"))
        self.assertEqual(documents.faults(self.benches), [])

    def test_a_number_that_was_edited_by_hand_is_found(self):
        documents.render(self.benches)
        self.page.write_text(self.page.read_text().replace("12 ms", "11 ms"))
        self.assertRegex(documents.faults(self.benches)[0], "table example .* is not what")

    def test_a_result_that_changed_without_rendering_is_found(self):
        documents.render(self.benches)
        documents.write({**KEPT, "results": {"ms": 13}})
        self.assertRegex(documents.faults(self.benches)[0], "table example .* is not what")

    def test_a_block_without_a_result_and_a_result_without_a_block_are_found(self):
        self.page.write_text(PAGE.replace("example", "nobody"))
        self.assertEqual(len(documents.faults(self.benches)), 2)

    def test_a_plot_of_other_data_is_found(self):
        drawing = types.SimpleNamespace(**vars(EXAMPLE), plots=lambda results, plt: {})
        plot = self.folder / "example.svg"
        self.page.write_text(PAGE + "![plot](bench/example.svg)\n")
        plot.write_text(f"<svg/>\n<!-- made of {plots.digest(KEPT)} -->\n")
        self.assertEqual(plots.faults({"example": drawing}), [])
        documents.write({**KEPT, "results": {"ms": 13}})
        self.assertEqual(len(plots.faults({"example": drawing})), 2)

    def test_a_bench_without_its_ruler_is_skipped_and_keeps_the_old_result(self):
        def run(_):
            raise bench.Skip("no ruler")

        module = types.SimpleNamespace(**vars(EXAMPLE), build=lambda _: None, run=run)
        options = types.SimpleNamespace(quick=False, install=False, no_build=False, build_only=False)
        with mock.patch("builtins.print") as said:
            self.assertEqual(running.run({"example": module}, options), 0)
        self.assertIn("SKIPPED example, the old result stays: no ruler", str(said.mock_calls))
        self.assertEqual(documents.read("example"), KEPT)

    def test_a_bench_that_fails_fails_the_run_and_keeps_the_old_result(self):
        module = types.SimpleNamespace(**vars(EXAMPLE), build=lambda _: None, run=lambda b: b.output("false"))
        options = types.SimpleNamespace(quick=False, install=False, no_build=False, build_only=False)
        with mock.patch("builtins.print"), mock.patch("traceback.print_exc"):
            self.assertEqual(running.run({"example": module}, options), 1)
        self.assertEqual(documents.read("example"), KEPT)

    def test_a_spread_is_shown_with_its_median_first(self):
        self.assertEqual(bench.shown(bench.spread([3.0, 1.0, 2.0])), "2.0 (1.0 to 3.0)")
        self.assertEqual(bench.shown(bench.spread([1234.5])), "1,234.5")

    def test_a_build_keeps_its_targets_and_takes_the_whole_workspace(self):
        run = bench.Bench("test")
        with mock.patch.object(run, "output") as output:
            run.cargo("-p", "worker", "--example", "ingest")
            run.cargo("-p", "worker", "-p", "controller")
        first, second = (call.args for call in output.call_args_list)
        self.assertEqual(first, ("cargo", "build", "--locked", "--quiet", "--release", "--workspace", "--example", "ingest"))
        self.assertEqual(second[-2:], ("--workspace", "--bins"))

    def test_every_bench_says_what_it_is(self):
        for name, module in running.discover().items():
            with self.subTest(name):
                for wanted in ("ORDER", "TITLE", "MINUTES", "build", "run", "tables"):
                    self.assertTrue(hasattr(module, wanted), wanted)

    def test_a_missed_sentence_or_dear_noise_fails_the_levels(self):
        levels = running.discover()["hearing-levels"]
        talk = {"sound": "applause", "dbfs": -70, "snrDb": 0, "pauseS": 60, "missed": 0}
        alone = {"sound": "applause", "dbfs": -70, "seconds": 3_600, "billedS": 900}
        self.assertEqual(levels.found({"talks": [talk], "alone": [alone]}), [])
        worse = levels.found({"talks": [{**talk, "missed": 1}], "alone": [{**alone, "billedS": 901}]})
        self.assertEqual(len(worse), 2)

    def test_a_number_is_one_word_however_it_is_written(self):
        self.assertEqual(spoken.words("Dial five hundred, or 8500."), spoken.words("dial 500 or eighty five hundred"))
        self.assertEqual(spoken.words("a twenty-eight point eight kilobit modem"), spoken.words("A 28.8 kilobit modem."))
        self.assertEqual(spoken.words("extension one two three four"), ["extension", "1234"])

    def test_words_wrong_are_the_least_changes(self):
        self.assertEqual(spoken.wrong("a b c d".split(), "a x c".split()), 2)

    def test_words_taken_back_are_those_behind_the_first_that_changed(self):
        self.assertEqual(spoken.taken_back([["a", "b", "c"], ["a", "x", "c", "d"], ["a", "x", "c", "d", "e"]]), 2)


if __name__ == "__main__":
    unittest.main()
