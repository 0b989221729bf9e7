"""What a number cannot be read without: the machine, how busy it was, and which state of the sources was measured."""
import os
import pathlib
import subprocess
import time

from bench import ROOT


def processor():
    """The model, as the kernel names it."""
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return " ".join(line.partition(":")[2].split())
    return os.uname().machine


def system():
    """`Debian GNU/Linux 12 (bookworm)`."""
    try:
        lines = pathlib.Path("/etc/os-release").read_text().splitlines()
    except OSError:
        return os.uname().sysname
    named = dict(line.partition("=")[::2] for line in lines)
    return named.get("PRETTY_NAME", os.uname().sysname).strip('"')


def describe():
    """The machine."""
    return {"processor": processor(), "cores": len(os.sched_getaffinity(0)), "system": system()}


def load():
    """The load of the last minute."""
    return round(os.getloadavg()[0], 2)


def git(*arguments):
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


def commit():
    """The commit, with a plus where sources were changed since."""
    changed = git("status", "--porcelain", "--", "*.rs", "*.toml", "scripts")
    return (git("rev-parse", "--short=7", "HEAD") or "unknown") + ("+" if changed else "")


def today():
    return time.strftime("%Y-%m-%d", time.gmtime())
