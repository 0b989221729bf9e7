"""Ten thousand virtual hours before a recogniser as hostile as Transcribe may be: words lost, doubled and contradicted, and lag at the end."""
import json

from bench import table

ORDER = 45
TITLE = "hostile: words lost, doubled and contradicted, and lag at the end, before hostile recognisers, in virtual time"
MINUTES = 60

HOURS = 10_000
# The preset, and its share of the hours.
PRESETS = {"hostile": 0.8, "worst": 0.2}
COUNTS = ["lost", "doubled", "contradicted", "displaced", "strange"]


def build(bench):
    bench.cargo("-p", "worker-core", "--example", "hostile")


def run(bench):
    results = {}
    for preset, share in PRESETS.items():
        hours = 2 if bench.quick else round(HOURS * share)
        bench.progress(f"{hours:,} hours before the preset {preset}")
        wish = {"switches": preset, "hours": hours, "minutes": 60, "cuts": 2, "seed": 1}
        told = bench.output(bench.binary("examples/hostile"), json.dumps(wish), timeout=14_400)
        results[preset] = json.loads(told.splitlines()[-1])
    return results


def tables(results):
    rows = [
        [
            f"`{preset}`", f"{found['hours']:,.0f}", f"{found['words']:,}", f"{found['broken']:,}", *[f"{found['counts'].get(name, 0):,}" for name in COUNTS],
            f"{found['lagBeginMs']['p50']:,} / {found['lagEndMs']['p50']:,}", f"{found['lagEndMs']['p99']:,}", f"{found['lateEnds']:,}",
        ]
        for preset, found in results.items()
    ]  # fmt: skip
    head = ["recogniser", "virtual hours", "words to listeners", "sessions that broke the contract", *COUNTS, "lag p50 at the begin / at the end, ms", "lag p99 at the end, ms", "sessions that end later than they began"]
    return {"hostile": table(head, rows)}
