"""What a bench works with.

A bench is a module of scripts/bench/benches; its file's name is its name. It has

    ORDER = 30                      its place among the others
    TITLE = "one line"              for the list and the progress
    MINUTES = 4                     about how long it takes
    def build(bench): …             compiles what it needs: bench.cargo("-p", "worker", "--example", "ingest")
    def run(bench): …               measures, and returns what JSON can hold
    def tables(results): …          {"NAME": markdown, "NAME-more": markdown}: what goes between the markers `<!-- bench: NAME -->` and
                                    `<!-- /bench -->` of docs/benchmarks.md; the block NAME also gets the line that says when and where
    def plots(results, plt): …      not needed: {"NAME": figure}, each for docs/bench/NAME.svg

Nothing of it knows where the repository lies: every command runs in its root, and so is named by relative paths.
"""
import contextlib
import fcntl
import os
import pathlib
import shlex
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
RESULTS = ROOT / "docs" / "bench"
LOCAL = ROOT / ".local"


class Skip(Exception):
    """What the bench compares with is not there; the text says what, and how to get it."""


class Failed(Exception):
    """A command did not do what it should; the text says which, and where its output is."""


class Bench:
    """One run of one bench."""

    def __init__(self, name, quick=False, install=False, build=True, say=print):
        self.name, self.quick, self.install, self.builds = name, quick, install, build
        self.profile = "debug" if quick else "release"
        self.commands = []
        self.log = LOCAL / "bench-logs" / f"{name}.log"  # the local stack empties .local/logs
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.log.write_text("")
        self._say, self._begin = say, time.monotonic()

    def progress(self, text):
        """A line for whoever watches."""
        self._say(f"      {time.monotonic() - self._begin:6.1f} s  {text}")

    def runs(self, count):
        """Counts the runs, with progress; one in quick mode."""
        count = 1 if self.quick else count
        for run in range(1, count + 1):
            if count > 1:
                self.progress(f"run {run} of {count}")
            yield run

    @contextlib.contextmanager
    def alone(self):
        """For what is measured in real time: of all that holds this lock, one at a time. BENCH_LOCK names a file that several work trees share."""
        path = pathlib.Path(os.environ.get("BENCH_LOCK", LOCAL / "bench.lock"))
        with path.open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def cargo(self, *arguments):
        """Builds these targets; the release profile unless it is a quick run. Packages (`-p NAME`) are named for the reader: cargo gets all of
        them, because it would compile most of what they share anew for each selection, with other features."""
        if self.builds:
            named = [n for n, word in enumerate(arguments) if word == "-p"]
            targets = [word for n, word in enumerate(arguments) if n not in named and n - 1 not in named and word != "--workspace"]
            profile = [] if self.quick else ["--release"]
            self.output("cargo", "build", "--locked", "--quiet", *profile, "--workspace", *(targets or ["--bins"]), timeout=7_200)

    def binary(self, name):
        """The path of a binary (`worker`) or an example (`examples/ingest`), relative to the root."""
        return f"target/{self.profile}/{name}"

    def output(self, *command, env=None, input=None, timeout=900, accept=(0,)):
        """Runs this in the root of the repository, and returns what it printed; what it complained about is in the log."""
        command = [str(word) for word in command]
        self.note(command)
        with self.log.open("a") as log:
            log.write(f"$ {shlex.join(command)}\n")
            log.flush()
            done = subprocess.run(
                command, cwd=ROOT, env={**os.environ, **(env or {})}, input=input, text=True,
                stdout=subprocess.PIPE, stderr=log, timeout=timeout, check=False,
            )  # fmt: skip
            log.write(done.stdout)
        if done.returncode not in accept:
            raise Failed(f"{shlex.join(command)} ended with {done.returncode}; see {self.log.relative_to(ROOT)}")
        return done.stdout

    def note(self, command):
        """Keeps a command for the record, once, without paths of this machine."""
        text = shlex.join(command).replace(f"{ROOT}/", "").replace(sys.executable, "python3")
        if text not in self.commands:
            self.commands.append(text)

    def environment(self, name, requirements, *options):
        """The Python of `.local/NAME`, with these pinned packages (a file beside this one); made when it is not there. Options are pip's."""
        folder, listed = LOCAL / name, pathlib.Path(__file__).parent / requirements
        python, stamp = folder / "bin" / "python", folder / "stamp"
        wanted = f"{sys.version} {listed.read_text()}"
        if not (stamp.exists() and stamp.read_text() == wanted and python.exists()):
            self.progress(f"Python packages of {listed.relative_to(ROOT)} into {folder.relative_to(ROOT)}")
            try:
                self.output(sys.executable, "-m", "venv", "--clear", folder)
                self.output(python, "-m", "pip", "install", "--disable-pip-version-check", "--no-input", *options, "-r", listed)
            except Failed as failed:
                raise Skip(f"its Python packages could not be installed: {failed}") from failed
            stamp.write_text(wanted)
        return str(python)


def spread(values, digits=1):
    """Median, least, most and number of the runs, as it is kept."""
    values = list(values)
    return {
        "median": round(statistics.median(values), digits),
        "least": round(min(values), digits),
        "most": round(max(values), digits),
        "runs": len(values),
    }


def shown(kept, digits=1):
    """`34.3 (33.9 to 35.0)`; of a single run its figure alone."""
    text = f"{kept['median']:,.{digits}f}"
    if kept["runs"] == 1:
        return text
    return f"{text} ({kept['least']:,.{digits}f} to {kept['most']:,.{digits}f})"


def table(head, rows):
    """A table of Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines).replace("|  |", "| |")
