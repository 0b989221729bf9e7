"""The analysis of the voice beside Praat, librosa and openSMILE: what it costs, and how exact the pitch is, in one run."""
import json
import re
import tempfile

from bench import shown, spread, table

ORDER = 50
TITLE = "voice: processor time and error of the pitch, beside Praat, librosa's pYIN and openSMILE"
MINUTES = 6
RUNS = 3
SAMPLE = "samples/welcome.wav"
RULERS = "scripts/bench/peers/voice_rulers.py"
SIGNALS = ["test", "--locked", "--quiet", "-p", "worker-emotion", "--lib"]
TEST = "the_signals_of_known_pitch_are_written_for_other_rulers"


def build(bench):
    bench.cargo("-p", "worker-emotion", "--example", "cost")
    if bench.builds:
        bench.output("cargo", *SIGNALS, "--no-run")


def run(bench):
    python = bench.environment("rulers", "rulers.txt")
    costs = {"ours": []}
    for _ in bench.runs(RUNS):
        with bench.alone():
            printed = bench.output(bench.binary("examples/cost"), SAMPLE, 10)
            costs["ours"].append(float(re.search(r"per minute of audio: ([\d.]+) ms", printed).group(1)))
            told = json.loads(bench.output(python, RULERS, "cost", SAMPLE))
        for name, cost in told["found"].items():
            costs.setdefault(name, []).append(cost)
        bench.progress(", ".join(f"{name} {runs[-1]:.0f} ms" for name, runs in costs.items()))
    bench.progress("pitch against the truth, four conditions")
    with tempfile.TemporaryDirectory() as folder:
        bench.output("cargo", *SIGNALS, "--", "--ignored", TEST, env={"BENCH_SIGNALS": folder})
        pitch = json.loads(bench.output(python, RULERS, "pitch", folder))["found"]
    bench.commands = [command.replace(folder, "FOLDER") for command in bench.commands]
    return {"versions": told["versions"], "cost_ms": {name: spread(runs) for name, runs in costs.items()}, "pitch": pitch}


COSTS = {
    "ours": "ours: pitch, level, loudness, rate, voice activity, echo, noise, words",
    "praat": "{praat}: pitch and intensity",
    "opensmile": "{opensmile}: the 88 functionals of eGeMAPS",
    "pyin": "{pyin}: pYIN alone",
}
CONDITIONS = {"clean": "clean", "moving": "formants that move", "noise10": "noise 10 dB below", "noise5": "noise 5 dB below"}
PITCHES = {"ours": "ours", "praat": "Praat", "pyin": "pYIN", "opensmile": "openSMILE"}


def tables(results):
    costs = results["cost_ms"]
    rows = [
        [text.format(**results["versions"]), shown(costs[name], 0), f"{costs[name]['median'] / costs['ours']['median']:.1f}"]
        for name, text in COSTS.items()
    ]
    errors = [[CONDITIONS[condition], *(error(found[name]) for name in PITCHES)] for condition, found in results["pitch"].items()]
    return {
        "voice": table(["", "processor time per minute of audio, ms", "to ours"], rows),
        "voice-pitch": table(["gross errors · median, 95th percentile · voicing wrong", *PITCHES.values()], errors),
    }


def error(e):
    return f"{e['gross_percent']:.2f} % · {e['median_cents']:.1f}, {e['p95_cents']:.1f} c · {e['voicing_percent']:.1f} %"


def plots(results, plt):
    """Cost on a logarithmic axis, and the median error for each condition."""
    from plots import OURS, THEIRS, THIRD

    figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 2.6), layout="constrained")
    names = ["pyin", "opensmile", "praat", "ours"]
    values = [results["cost_ms"][name]["median"] for name in names]
    bars = left.barh([PITCHES[name] for name in names], values, color=[OURS if name == "ours" else THEIRS for name in names])
    left.bar_label(bars, [f"{value:,.0f}" for value in values], padding=3)
    left.set_xscale("log")
    left.set_xlim(10, max(values) * 3)
    left.set_title("processor time per minute of audio, ms (logarithmic)", fontsize=9)
    colours = {"ours": OURS, "praat": THIRD, "pyin": THEIRS, "opensmile": "#c9d2da"}
    width = 0.2
    for n, (name, colour) in enumerate(colours.items()):
        medians = [results["pitch"][condition][name]["median_cents"] for condition in CONDITIONS]
        bars = right.bar([at + (n - 1.5) * width for at in range(len(CONDITIONS))], medians, width, label=PITCHES[name], color=colour)
        right.bar_label(bars, [f"{value:.1f}" for value in medians], fontsize=7, padding=1)
    right.set_xticks(range(len(CONDITIONS)), ["clean", "formants\nthat move", "noise\n10 dB below", "noise\n5 dB below"], fontsize=8)
    right.set_title("error of the pitch, median, cents (100 = a semitone)", fontsize=9)
    right.legend(fontsize=7, ncols=4, frameon=False, loc="upper left")
    right.set_ylim(0, right.get_ylim()[1] * 1.25)
    return {"voice": figure}
