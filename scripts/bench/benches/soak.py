"""Half an hour of a whole session in real time: what a worker holds, and whether its clocks stay together."""
import json

from bench import Failed, table

ORDER = 95
TITLE = "soak: a whole session for half an hour in real time: memory, descriptors, processor time, drift of media time"
MINUTES = 32

LENGTH = 30
# The first ten minutes fill what has a bound: a slope is of what comes after.
WARM = 10
HEAD = ["minute", "resident, KiB", "descriptors", "threads", "processor, s", "media time, s", "RTP clock behind the wall clock, ms"]


def build(bench):
    bench.cargo("-p", "worker", "-p", "controller", "-p", "sessionctl", "-p", "local-stack")


def run(bench):
    minutes = 1.5 if bench.quick else LENGTH
    printed = bench.output(
        "scripts/soak", "--minutes", minutes, "--binaries", f"target/{bench.profile}", timeout=3_600, accept=(0, 1)
    )
    samples = [json.loads(line) for line in printed.splitlines() if line.startswith("{")]
    if not samples:
        raise Failed("no sample was taken")
    lines = [line.strip() for line in printed.splitlines() if line.strip()]
    last = max(n for n, line in enumerate(lines) if line.startswith("|"))
    return {
        "minutes": minutes,
        "samples": [{name: round(value, 2) for name, value in sample.items()} for sample in samples],
        "slope_kib_per_hour": round(slope([s for s in samples if s["minute"] >= min(WARM, minutes / 2)]), 1),
        "said": lines[last + 1 :],
    }


def slope(samples):
    """Least squares through resident memory, KiB an hour."""
    if len(samples) < 2:
        return 0.0
    hours, held = [s["minute"] / 60 for s in samples], [s["rss_kib"] for s in samples]
    middle, mean = sum(hours) / len(hours), sum(held) / len(held)
    spread = sum((hour - middle) ** 2 for hour in hours)
    return sum((hour - middle) * (kib - mean) for hour, kib in zip(hours, held)) / spread


def tables(results):
    samples = results["samples"]
    fifth = [s for n, s in enumerate(samples) if n % 5 == 0 or n == len(samples) - 1]
    rows = [
        [f"{s['minute']:.0f}", f"{s['rss_kib']:.0f}", f"{s['files']:.0f}", f"{s['threads']:.0f}", f"{s['cpu_s']:.1f}", f"{s['media_s']:.1f}", f"{s['drift_ms']:.1f}"]
        for s in fifth
    ]  # fmt: skip
    steady = [s for s in samples if s["minute"] >= WARM] or samples
    drifts = [s["drift_ms"] for s in steady]
    last = samples[-1]
    facts = [
        ["memory after the first ten minutes, KiB", f"{steady[0]['rss_kib']:.0f} to {last['rss_kib']:.0f}, slope {results['slope_kib_per_hour']:.0f} an hour"],
        ["descriptors after the first ten minutes", f"{min(s['files'] for s in steady):.0f} to {max(s['files'] for s in steady):.0f}"],
        ["RTP clock behind the wall clock, ms", f"{min(drifts):.1f} to {max(drifts):.1f}; {drifts[-1]:.1f} at the end"],
        ["processor time per minute of audio, s", f"{last['cpu_s'] / (last['media_s'] / 60):.2f}"],
        ["packets lost, audio made up", f"{last['lost']:.0f}, {last['made_up_ms']:.0f} ms"],
        ["verdict of the rehearsal and of `scripts/soak`", "; ".join(results["said"])],
    ]  # fmt: skip
    return {"soak": table(["", ""], facts) + "\n\n" + table(HEAD, rows)}


def plots(results, plt):
    """Memory above, the clocks below."""
    from plots import OURS, THIRD

    samples = results["samples"]
    minutes = [s["minute"] for s in samples]
    figure, (above, below) = plt.subplots(2, 1, figsize=(7.5, 4), sharex=True, layout="constrained", height_ratios=[3, 2])
    above.plot(minutes, [s["rss_kib"] / 1_024 for s in samples], color=OURS, marker="o", markersize=3)
    above.set_ylim(0, max(s["rss_kib"] for s in samples) / 1_024 * 1.25)
    above.set_title("resident memory of the worker, MiB")
    below.plot(minutes, [s["drift_ms"] for s in samples], color=THIRD, marker="o", markersize=3)
    below.set_title("RTP clock behind the wall clock, ms")
    below.set_ylim(min(-20, *(s["drift_ms"] - 5 for s in samples)), max(20, *(s["drift_ms"] + 5 for s in samples)))
    below.set_xlabel("minutes of the session")
    return {"soak": figure}
