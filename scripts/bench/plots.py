"""Plots of the results, docs/bench/NAME.svg: the same data gives the same file, and each says of which data it was made."""
import hashlib
import json
import re
import sys

import documents
from bench import RESULTS, Bench, Failed, Skip

MADE_OF = re.compile(r"<!-- made of ([0-9a-f]{64}) -->")
# The project's colours: ours, and the others'.
OURS, THEIRS, THIRD, PALE = "#2f6db5", "#9aa5b1", "#d08a2e", "#dfe6ee"
STYLE = {
    "svg.hashsalt": "session-translation",
    "figure.facecolor": "white",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "font.size": 9,
    "font.family": "DejaVu Sans",
}


def digest(document):
    return hashlib.sha256(json.dumps(document["results"], sort_keys=True).encode()).hexdigest()


def drawn(benches):
    """The benches that have results and plots."""
    found = ((name, bench, documents.read(name)) for name, bench in benches.items() if hasattr(bench, "plots"))
    return [(name, bench, document) for name, bench, document in found if document is not None]


def draw(benches):
    """Draws them all; needs matplotlib."""
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    plt.rcParams.update(STYLE)
    for _, bench, document in drawn(benches):
        for name, figure in bench.plots(document["results"], plt).items():
            target = RESULTS / f"{name}.svg"
            figure.savefig(target, format="svg", bbox_inches="tight", metadata={"Date": None, "Creator": None})
            plt.close(figure)
            lines = [line.rstrip() for line in target.read_text().splitlines()]
            target.write_text("\n".join([*lines, f"<!-- made of {digest(document)} -->", ""]))
    return 0


def render():
    """Draws in the environment that has matplotlib, which is made when it is not there."""
    bench = Bench("plots")
    try:
        bench.output(bench.environment("bench", "requirements.txt"), "scripts/bench", "--draw")
    except (Skip, Failed) as problem:
        print(f"bench: NOT DRAWN, the plots are the old ones: {problem}", file=sys.stderr)
        return 1
    print("bench: plots drawn in docs/bench")
    return 0


def faults(benches):
    """What plots are not of the results, and which results have none. The file that a plot is in tells its data; nothing is drawn."""
    wanted = {digest(document): name for name, _, document in drawn(benches)}
    made = {}
    for plot in sorted(RESULTS.glob("*.svg")):
        found = MADE_OF.search(plot.read_text())
        made[plot.name] = found.group(1) if found else None
    old = [f"docs/bench/{plot} was drawn of other data: run `make bench-render`" for plot, data in made.items() if data not in wanted]
    none = [f"nothing is drawn of {name}: run `make bench-render`" for data, name in wanted.items() if data not in made.values()]
    page = documents.PAGE.read_text()
    unseen = [f"docs/benchmarks.md does not show docs/bench/{plot}" for plot in made if f"(bench/{plot})" not in page]
    return old + none + unseen
