"""A final to 500 listeners in five languages beside the bare clients, and the worker's own time in each stage."""
import json
import re

from bench import table

ORDER = 30
TITLE = "fan-out to 500 listeners beside the bare HTTP client, and the worker's own time in each stage"
MINUTES = 2


def build(bench):
    bench.cargo("-p", "worker", "--example", "fan_out")


def run(bench):
    sentences = 5 if bench.quick else 300
    bench.progress(f"{sentences} sentences")
    with bench.alone():
        printed = bench.output(bench.binary("examples/fan_out"), sentences)
    all_us = json.loads(printed[printed.rindex("{\"us\"") :])["us"]
    rows = [[cell.strip() for cell in line.strip("| ").split("|")] for line in printed.splitlines() if line.startswith("|")]
    clients = [{"name": r[0], "p50_ms": float(r[1]), "p99_ms": float(r[2]), "ratio": float(r[3])} for r in rows if len(r) == 4 and r[1][0].isdigit()]
    stages = [{"name": r[0], "p50_us": int(r[1]), "p99_us": int(r[2])} for r in rows if len(r) == 3 and r[1].isdigit()]
    size = int(re.search(r"posts of (\d+) bytes", printed).group(1))
    return {"sentences": sentences, "bytes": size, "clients": clients, "stages": stages, "quantiles_ms": {name: quantiles(us) for name, us in all_us.items()}}


def quantiles(us):
    """Every second percentile, ms: what the plot needs of the distribution."""
    us = sorted(us)
    return [round(us[min(len(us) - 1, len(us) * percent // 100)] / 1_000, 2) for percent in range(0, 101, 2)]


def tables(results):
    head = [f"500 posts of {results['bytes']} bytes, 100 in flight; {results['sentences']} sentences", "p50, ms", "p99, ms", "p50 to the bare client"]
    rows = [[c["name"], f"{c['p50_ms']:.1f}", f"{c['p99_ms']:.1f}", f"{c['ratio']:.2f}"] for c in results["clients"]]
    stages = [[s["name"], s["p50_us"], s["p99_us"]] for s in results["stages"]]
    return {"fanout": table(head, rows), "fanout-stages": table(["the worker's own time in each stage", "p50, µs", "p99, µs"], stages)}


def plots(results, plt):
    from plots import OURS, THEIRS, THIRD

    figure, axis = plt.subplots(figsize=(7, 2.8), layout="constrained")
    names = {"bare": ("bare HTTP client", THEIRS), "sdk": ("the SDK's gateway client alone", THIRD), "worker": ("the worker: final → last post", OURS)}
    percents = list(range(0, 101, 2))
    for key, (name, colour) in names.items():
        axis.plot(results["quantiles_ms"][key], percents, color=colour, label=name, linewidth=2)
    axis.set_xlim(left=0, right=1.15 * max(values[-2] for values in results["quantiles_ms"].values()))
    axis.set_ylim(0, 100)
    axis.set_xlabel("ms until the last of 500 posts is answered")
    axis.set_ylabel("% of the sentences")
    axis.legend(frameon=False, loc="lower right")
    return {"fanout": figure}
