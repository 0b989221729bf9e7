"""Hours of a session in seconds: what is held at its end, and whether media time keeps to the speaker's clock. Tests of the worker, whose figures are read."""
import re

from bench import Failed, table

ORDER = 70
TITLE = "hours: two hours of a session and four of RTP, compressed: live bytes, and drift of media time"
MINUTES = 3

# The tests that print what they saw; they run in every `make test` too, with the development build, because debug assertions are worth having.
TESTS = {"growth": "holds_no_more", "four_hours": "four_hours_of_speech"}
HELD = re.compile(r"^(.+): most held in each ten minutes, KiB: \[([\d, ]+)\]$", re.MULTILINE)
FOUND = re.compile(r"(\w+): (-?[\d.]+)")


def command(test):
    return ["cargo", "test", "--locked", "--quiet", "-p", "worker", "--test", test]


def build(bench):
    if bench.builds:
        for test in TESTS:
            bench.output(*command(test), "--no-run")


def run(bench):
    growth = bench.output(*command("growth"), "--", "--nocapture", TESTS["growth"], timeout=3_600)
    # The harness of the tests prints its dots in the same lines.
    held = {name.lstrip(". "): [int(kib) for kib in kibs.split(",")] for name, kibs in HELD.findall(growth)}
    if len(held) != 2:
        raise Failed(f"two lines were expected of growth, not {len(held)}")
    clock = bench.output(*command("four_hours"), "--", "--nocapture", TESTS["four_hours"], timeout=3_600)
    line = next((line for line in clock.splitlines() if "looks" in line), None)
    if line is None:
        raise Failed("four_hours printed nothing")
    return {"held_kib": held, "clock": {name: float(value) for name, value in FOUND.findall(line)}}


def tables(results):
    tens = len(next(iter(results["held_kib"].values())))
    rows = [[name, *kibs] for name, kibs in results["held_kib"].items()]
    found = results["clock"]
    clock = [
        ["comparisons", f"{found['looks']:,.0f}"],
        ["packets lost", f"{found['lost']:,.0f}"],
        ["media time away from the RTP clock of its stream, ms at most", f"{found['apart_ms']:.1f}"],
        ["media time at the end away from what was said over all streams, ms", f"{abs(found['behind_wall_ms']):.0f}"],
    ]
    return {"hours": table(["most held in ten minutes, KiB", *[10 * (n + 1) for n in range(tens)]], rows), "hours-clock": table(["", ""], clock)}


def plots(results, plt):
    """Live bytes over the two hours."""
    from plots import OURS, THIRD

    figure, axis = plt.subplots(figsize=(7.5, 2.8), layout="constrained")
    for (name, kibs), colour in zip(results["held_kib"].items(), (OURS, THIRD)):
        minutes = [10 * (n + 1) for n in range(len(kibs))]
        axis.plot(minutes, kibs, color=colour, marker="o", markersize=4)
        axis.annotate(name, (minutes[-1], kibs[-1]), xytext=(0, 8), textcoords="offset points", ha="right", color=colour)
    axis.set_ylim(0, max(max(kibs) for kibs in results["held_kib"].values()) * 1.25)
    axis.set_title("live bytes, most in each ten minutes, KiB")
    axis.set_xlabel("minutes of the session")
    return {"hours": figure}
