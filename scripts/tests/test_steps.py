"""`scripts/steps.sh`: what is skipped is neither passed nor failed, is counted, and fails where everything is required."""

import os
import pathlib
import subprocess
import unittest

SCRIPTS = pathlib.Path(__file__).resolve().parent.parent


def run(steps, *wanted, require=None):
    """Runs these lines of bash with the steps' functions; the exit code and what was printed."""
    words = " ".join(f"'{word}'" for word in wanted)
    script = f"set -euo pipefail\n. {SCRIPTS}/steps.sh\nWANTED=({words})\n{steps}\nsummary\n"
    environment = {name: value for name, value in os.environ.items() if name not in ("REQUIRE", "SKIPPED_LIST")}
    if require is not None:
        environment["REQUIRE"] = require
    done = subprocess.run(["bash", "-c", script], env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout


ONE_OF_MANY = """some() { echo 'SKIPPED: a wire, because nobody is root' >>"$SKIPPED_LIST"; }
step 'fine' true
step 'many' some"""
WHOLE = """whole() { skip 'the page' 'no browser runs'; return; }
step 'fine' true
step 'page' whole"""


class Steps(unittest.TestCase):
    def test_steps_that_pass_are_counted_and_end_with_0(self):
        code, said = run("step 'one' true\nstep 'two' true")
        self.assertEqual(code, 0, said)
        self.assertIn("\nsteps: 2 passed, 0 failed, 0 skipped\n", said)
        self.assertNotIn("SKIPPED", said)

    def test_a_skipped_step_is_a_third_result_with_its_reason(self):
        code, said = run(WHOLE)
        self.assertEqual(code, 0, said)
        self.assertIn("\nsteps: 1 passed, 0 failed, 1 skipped\n", said)
        self.assertRegex(said, r"\npage +SKIPPED ")
        self.assertIn("SKIPPED: the page, because no browser runs", said.rsplit("steps:", 1)[0])

    def test_a_test_that_is_skipped_within_a_step_is_counted_with_it(self):
        code, said = run(ONE_OF_MANY)
        self.assertEqual(code, 0, said)
        self.assertRegex(said, r"\nmany +ok, 1 SKIPPED ")
        self.assertIn("What proved nothing: 1,", said)

    def test_what_is_skipped_fails_where_everything_is_required(self):
        for steps in (WHOLE, ONE_OF_MANY, "step 'silent' exit_77\n"):
            code, said = run("exit_77() { return 77; }\n" + steps, require="all")
            self.assertEqual(code, 1, said)
            self.assertIn("REQUIRE=all: what was skipped counts as failed.", said)
        self.assertEqual(run("step 'one' true", require="all")[0], 0)

    def test_a_step_that_fails_fails_the_run_and_lets_the_others_run(self):
        code, said = run("step 'bad' false\nstep 'good' true")
        self.assertEqual(code, 1, said)
        self.assertIn("\nsteps: 1 passed, 1 failed, 0 skipped\n", said)

    def test_only_the_named_steps_run_and_a_part_only_when_it_is_named(self):
        steps = "step 'one' true\npart 'a part' true"
        self.assertIn("\nsteps: 1 passed,", run(steps)[1])
        self.assertRegex(run(steps, "part")[1], r"\na part +ok ")
        code, said = run(steps, "nothing")
        self.assertEqual((code, "No step is named like: nothing" in said), (1, True), said)

    def test_steps_beside_others_are_counted_fail_and_skip_like_the_others(self):
        lanes = WHOLE.split("\n")[0] + """
gaps() { step 'page' whole; step 'bad' false; step 'good' true; }
waiting() { step 'slow' sleep 0.2; }
beside gaps waiting"""
        code, said = run(lanes)
        self.assertEqual(code, 1, said)
        self.assertIn("\nsteps: 2 passed, 1 failed, 1 skipped\n", said)
        self.assertRegex(said, r"\npage +SKIPPED ")
        self.assertIn("SKIPPED: the page, because no browser runs", said.rsplit("steps:", 1)[0])
        code, said = run(lanes, "slow")
        self.assertEqual(code, 0, said)
        self.assertIn("\nsteps: 1 passed, 0 failed, 0 skipped\n", said)

    def test_a_shell_that_ends_beside_others_fails_the_run(self):
        code, said = run("gaps() { exit 0; }\nwaiting() { step 'slow' true; }\nbeside gaps waiting")
        self.assertEqual(code, 1, said)
        self.assertIn("steps: 1 passed, 1 failed, 0 skipped", said)


if __name__ == "__main__":
    unittest.main()
