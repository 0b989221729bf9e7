"""`scripts/prebuilt` against a server on loopback: what is as it says is installed, and nothing else."""

import hashlib
import http.server
import importlib.machinery
import importlib.util
import io
import os
import pathlib
import subprocess
import sys
import tarfile
import tempfile
import threading
import unittest

PREBUILT = pathlib.Path(__file__).resolve().parent.parent / "prebuilt"
loader = importlib.machinery.SourceFileLoader("prebuilt", str(PREBUILT))
prebuilt = importlib.util.module_from_spec(importlib.util.spec_from_loader("prebuilt", loader))
dont_write, sys.dont_write_bytecode = sys.dont_write_bytecode, True
loader.exec_module(prebuilt)
sys.dont_write_bytecode = dont_write


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def packed(commit, programs=prebuilt.PROGRAMS):
    """An archive as the release workflow makes it."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as tar:
        for name, text in [*((name, f"#!/bin/sh\necho {name}\n") for name in programs), (prebuilt.COMMIT, f"{commit}\n"), ("../outside", "no")]:
            member = tarfile.TarInfo(name)
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    return file.getvalue()


class Prebuilt(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.offered, self.folder = pathlib.Path(scratch.name, "offered"), pathlib.Path(scratch.name, "got")
        self.offered.mkdir()
        handler = lambda *arguments: Quiet(*arguments, directory=str(self.offered))  # noqa: E731
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.base = f"http://127.0.0.1:{server.server_port}"
        # A checkout of its own, so that its sources are those of its commit.
        self.checkout = pathlib.Path(scratch.name, "checkout")
        self.checkout.mkdir()
        (self.checkout / "main.rs").write_text("fn main() {}\n")
        (self.checkout / "scripts").mkdir()
        (self.checkout / "scripts/prebuilt").write_text(PREBUILT.read_text())
        self.git("init", "--quiet")
        self.git("add", ".")
        self.git("-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "--quiet", "--message", "one")
        self.commit = self.git("rev-parse", "HEAD").strip()

    def git(self, *arguments):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        return subprocess.run(["git", *arguments], cwd=self.checkout, env=environment, capture_output=True, text=True, check=True).stdout

    def offer(self, data, sums=None):
        (self.offered / prebuilt.archive()).write_bytes(data)
        (self.offered / prebuilt.SUMS).write_text(sums or f"{hashlib.sha256(data).hexdigest()}  {prebuilt.archive()}\n")

    def bring(self, base=None):
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "PREBUILT"))}
        if base != "":
            environment["PREBUILT_FROM"] = base or self.base
        command = [sys.executable, str(self.checkout / "scripts/prebuilt"), str(self.folder)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    def refused(self, *words, base=None):
        code, said = self.bring(base)
        self.assertEqual(code, 1, said)
        for word in (*words, "the same command without PREBUILT=1"):
            self.assertIn(word, said)
        self.assertFalse((self.folder / "stamp").exists())

    def test_what_is_as_it_says_is_installed_once_and_runs(self):
        self.offer(packed(self.commit))
        code, said = self.bring()
        self.assertEqual(code, 0, said)
        for name in prebuilt.PROGRAMS:
            self.assertEqual(subprocess.run([self.folder / name], capture_output=True, text=True, check=True).stdout, f"{name}\n")
        self.assertFalse((self.folder.parent / "outside").exists(), "nothing is unpacked but what is known")
        (self.offered / prebuilt.archive()).unlink()
        self.assertEqual(self.bring()[0], 0, "they are there already")

    def test_an_archive_that_was_changed_is_not_unpacked(self):
        data = packed(self.commit)
        self.offer(data[:-20] + bytes(20), f"{hashlib.sha256(data).hexdigest()}  {prebuilt.archive()}\n")
        self.refused("is not what SHA256SUMS says", "It is not unpacked")
        self.assertFalse(self.folder.exists())

    def test_a_release_without_programs_for_this_machine_says_so(self):
        self.offer(packed(self.commit), f"{'0' * 64}  session-translation-pdp11-linux.tar.gz\n")
        self.refused("there are no programs for this machine")

    def test_a_release_that_is_not_there_says_what_was_asked_for(self):
        self.refused(f"{self.base}/SHA256SUMS answers 404")
        self.refused("http://127.0.0.1:1/SHA256SUMS cannot be had", base="http://127.0.0.1:1")

    def test_an_archive_that_lacks_a_program_is_refused(self):
        self.offer(packed(self.commit, prebuilt.PROGRAMS[:3]))
        self.refused("sessionctl")

    def test_programs_of_other_sources_are_refused(self):
        self.offer(packed("1" * 40))
        self.refused("which this checkout does not have")
        self.offer(packed(self.commit))
        (self.checkout / "main.rs").write_text("fn main() { todo!() }\n")
        self.refused("the sources here are others")

    def test_a_checkout_without_a_release_says_what_to_do(self):
        self.refused("PREBUILT_FROM=ADDRESS", base="")
        self.git("remote", "add", "origin", "git@github.com:somebody/something.git")
        self.refused("no tag v…", base="")


if __name__ == "__main__":
    unittest.main()
