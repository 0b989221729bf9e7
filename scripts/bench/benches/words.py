"""What a network that loses packets costs in words: from a seed, through the worker's receive path, to a real recogniser."""
import json
import statistics

from bench import table

ORDER = 50
TITLE = "words: 0 to 20 % loss, alone and in bursts of three, through jitter buffer and decoder: words that the recogniser gets wrong"
MINUTES = 15
SEEDS = 4


def build(bench):
    bench.cargo("-p", "worker", "--example", "loss_words")


def run(bench):
    python = ".local/venv/bin/python"
    return json.loads(bench.output(bench.binary("examples/loss_words"), python, 1 if bench.quick else SEEDS, timeout=7_200))


def rows_of(results):
    """The runs of each network, by (RED, burst, loss)."""
    rows = {}
    for run in results["runs"]:
        rows.setdefault((not run["red"], run["burst"], run["loss"]), []).append(run)
    return rows


def name(row):
    plain, burst, loss = row
    if not loss:
        return "no loss"
    return f"{loss:.0%}".replace("%", " %") + ("" if burst == 1 else f" in bursts of {burst}") + (", FEC alone" if plain else ", RED and FEC")


def span(values, digits=0):
    low, high, middle = min(values), max(values), statistics.median(values)
    return f"{middle:.{digits}f}" if low == high else f"{middle:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def tables(results):
    script, whole = results["words"]["script"], results["words"]["withoutLoss"]
    rows = []
    for row, runs in rows_of(results).items():
        wrong, changed = [run["wrong"] for run in runs], [run["changed"] for run in runs]
        rows.append([
            name(row), len(runs), span([100 * run["dropped"] / run["packets"] for run in runs], 1), span([100 * run["madeUpMs"] / results["speechMs"] for run in runs], 2),
            span(changed), f"{100 * statistics.mean(changed) / whole:.1f} %", span(wrong), f"{100 * statistics.mean(wrong) / script:.1f} %",
        ])  # fmt: skip
    head = ["network", "seeds", "packets lost, %", "audio made up, %", "words changed by the loss", "mean", f"words wrong of the {script} of the script", "mean"]
    return {"words": table(head, rows)}


def plots(results, plt):
    """Words changed against loss; a dot for each seed, a line through the means."""
    from plots import OURS, THIRD

    whole = results["words"]["withoutLoss"]
    figure, axes = plt.subplots(1, 2, figsize=(8, 3.2), sharey=True, layout="constrained")
    for axis, (burst, title) in zip(axes, ((1, "packets lost by chance"), (3, "lost in bursts of three"))):
        for plain, colour, label in ((False, OURS, "RED and FEC"), (True, THIRD, "FEC alone")):
            shift = 0.25 if plain else -0.25
            line = [(0.0, 0.0)]
            for (row_plain, row_burst, loss), runs in sorted(rows_of(results).items()):
                if loss and (row_plain, row_burst) == (plain, burst):
                    shares = [100 * run["changed"] / whole for run in runs]
                    axis.plot([100 * loss + shift] * len(shares), shares, ".", color=colour, alpha=0.6)
                    line.append((100 * loss + shift, statistics.mean(shares)))
            axis.plot(*zip(*line), color=colour, label=label)
        axis.set_title(title)
        axis.set_xlabel("packets lost, %")
        axis.set_xticks([0, 5, 10, 20])
    axes[0].set_ylabel("words changed, %")
    axes[0].legend(frameon=False)
    return {"words": figure}
