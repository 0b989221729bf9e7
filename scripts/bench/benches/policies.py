"""The policies for partials on the same talks: how soon words come, how often they change, and what they cost."""
from bench import table

ORDER = 40
TITLE = "policies: lag, erasure and bill of each policy for partials, on three talks in virtual time"
MINUTES = 2

# The block of the page, the talk, and after how many sentences the speaker pauses.
TALKS = {
    "policies": ("samples/clauses.txt", 1),
    "policies-run-on": ("samples/clauses.txt", 3),
    "policies-plain": ("samples/welcome.txt", 1),
}
HEAD = ["policy", "first words p50, ms", "finals p50 / p95, ms", "captions", "erasure", "characters billed per spoken"]


def build(bench):
    bench.cargo("-p", "worker-core", "--example", "policies")


def run(bench):
    results = {}
    for block, (talk, sentences) in TALKS.items():
        bench.progress(f"{talk}, a pause after every {sentences}. sentence")
        results[block] = read(bench.output(bench.binary("examples/policies"), talk, sentences))
    return results


def read(printed):
    """The rows of the example's own table."""
    lines = [[cell.strip() for cell in line.strip("|\n ").split("|")] for line in printed.splitlines()]
    rows = []
    for policy, first, finals, captions, erasure, billed in lines[2:]:
        p50, p95 = finals.split(" / ")
        rows.append({
            "policy": policy, "first_p50_ms": int(first), "final_p50_ms": int(p50), "final_p95_ms": int(p95),
            "captions": int(captions), "erasure": float(erasure), "billed": float(billed),
        })  # fmt: skip
    return rows


def tables(results):
    return {
        block: table(HEAD, [
            [r["policy"], r["first_p50_ms"], f"{r['final_p50_ms']} / {r['final_p95_ms']}", r["captions"], f"{r['erasure']:.2f}", f"{r['billed']:.2f}"]
            for r in rows
        ])
        for block, rows in results.items()
    }  # fmt: skip


def plots(results, plt):
    """Three panels with the policies below each other: the first talk."""
    from plots import OURS, THEIRS

    rows = results["policies"][::-1]
    names = [row["policy"] for row in rows]
    panels = [
        ("first words after, s", [row["first_p50_ms"] / 1_000 for row in rows], "{:.1f}"),
        ("erasure", [row["erasure"] for row in rows], "{:.2f}"),
        ("characters billed per spoken", [row["billed"] for row in rows], "{:.2f}"),
    ]
    figure, axes = plt.subplots(1, 3, figsize=(9.5, 2.4), sharey=True, layout="constrained")
    for axis, (title, values, form) in zip(axes, panels):
        bars = axis.barh(names, values, color=[OURS if name == "clauses" else THEIRS for name in names])
        axis.bar_label(bars, [form.format(value) for value in values], padding=3)
        axis.set_title(title, fontsize=9)
        axis.set_xlim(0, max(values) * 1.18)
        axis.tick_params(left=False)
    figure.supxlabel("`clauses` is the default".replace("`", ""), fontsize=8, x=0.99, ha="right")
    return {"policies": figure}
