"""Programs that are measured from outside while they run: processor time and memory as the kernel counts them."""
import json
import os
import pathlib
import queue
import subprocess
import threading
import time

from bench import ROOT, Failed

TICKS = os.sysconf("SC_CLK_TCK")


class Program:
    """A program that talks in lines of JSON."""

    def __init__(self, bench, *command, env=None):
        command = [str(word) for word in command]
        bench.note(command)
        self.name, self.lines = command[-1], queue.Queue()
        self._log = bench.log.open("a")
        self.process = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **(env or {})}, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log
        )  # fmt: skip
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            if line.startswith("{"):
                self.lines.put(json.loads(line))

    def hear(self, key, patience=30):
        """The value of the next line that has this key."""
        deadline = time.monotonic() + patience
        while True:
            try:
                line = self.lines.get(timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                raise Failed(f"{self.name} did not say {key} within {patience} s") from None
            if key in line:
                return line

    def tell(self, **line):
        self.process.stdin.write(json.dumps(line) + "\n")
        self.process.stdin.flush()

    def cpu_ms(self):
        """Processor time of all its threads so far, also of those that ended."""
        after_name = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(after_name[11]) + int(after_name[12])) * 1_000 / TICKS

    def peak_kib(self):
        """The most that was resident."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))

    def over(self):
        """Closes its standard input, which ends it."""
        self.process.stdin.close()

    def end(self):
        """Ends it whatever happens."""
        if not self.process.stdin.closed:
            self.process.stdin.close()
        try:
            self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._log.close()
