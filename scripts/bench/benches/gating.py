"""What an hour costs with a stream always, and with one only while it is of use."""
import json

from bench import table

ORDER = 60
TITLE = "gating: seconds transcribed, characters translated and the price of an hour, with and without gating, in virtual time"
MINUTES = 1

RULES = {
    (False, False): "no gating",
    (True, False): "only while somebody listens",
    (False, True): "not in long silences",
    (True, True): "both (default)",
}


def build(bench):
    bench.cargo("-p", "worker", "--example", "gating")


def run(bench):
    return json.loads(bench.output(bench.binary("examples/gating")))


def named(results):
    return [(RULES[run["byListeners"], run["bySilence"]], run) for run in results["runs"]]


def tables(results):
    whole = results["runs"][0]["usd"]["total"]
    rows = [
        [
            name, f"{run['transcribedS']:,.0f}", f"{run['translatedCharacters']:,}", run["streams"], f"{run['wordsHeard']:,} of {run['wordsBeforeListeners']:,}",
            f"{run['usd']['transcribe']:.2f}", f"{run['usd']['translate']:.2f}", f"{run['usd']['total']:.2f}", f"{run['usd']['total'] / whole:.2f}",
        ]
        for name, run in named(results)
    ]  # fmt: skip
    head = ["stream", "seconds transcribed", "characters translated", "streams", "words heard of those said to listeners", "Transcribe, $", "Translate, $", "all, $", "to no gating"]
    return {"gating": table(head, rows)}


def plots(results, plt):
    """The hour above, the bill of each rule below."""
    from plots import OURS, PALE, THEIRS, THIRD

    figure, (hour, bill) = plt.subplots(2, 1, figsize=(7.5, 3.8), layout="constrained", height_ratios=[1, 2])
    for level, (key, colour) in enumerate((("listened", THIRD), ("speaks", OURS))):
        spans = [(s["fromMin"], s["untilMin"] - s["fromMin"]) for s in results["hour"] if s[key]]
        hour.broken_barh(spans, (level - 0.35, 0.7), color=colour)
    hour.set_yticks([0, 1], ["somebody listens", "the speaker speaks"])
    hour.set_xlim(0, 60)
    hour.set_title("the hour, minutes")
    names = [name for name, _ in named(results)][::-1]
    left = [0.0] * len(names)
    parts = (("transcribe", "Transcribe", OURS), ("translate", "Translate", THIRD), (None, "the rest", THEIRS))
    for key, label, colour in parts:
        def of(usd):
            return usd[key] if key else usd["total"] - usd["transcribe"] - usd["translate"]
        widths = [of(run["usd"]) for _, run in named(results)][::-1]
        bill.barh(names, widths, left=left, color=colour, label=label, edgecolor=PALE, linewidth=0.5)
        left = [a + b for a, b in zip(left, widths)]
    for name, total in zip(names, left):
        bill.text(total + 0.02, name, f"{total:.2f}", va="center", fontsize=9)
    bill.set_xlim(0, max(left) * 1.1)
    bill.set_title("list price of the hour, $")
    bill.legend(frameon=False, ncols=3, loc="upper left", bbox_to_anchor=(0, -0.08))
    return {"gating": figure}
