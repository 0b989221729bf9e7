"""Finds the benches and runs them, one after another."""
import importlib
import pathlib
import sys
import time
import traceback

import documents
import machine
from bench import Bench, Failed, Skip

BENCHES = pathlib.Path(__file__).resolve().parent / "benches"


def discover():
    """Every bench, by its name, in the order of the run."""
    names = [file.stem for file in BENCHES.glob("*.py") if not file.stem.startswith("_")]
    modules = {name: importlib.import_module(f"benches.{name}") for name in names}
    return dict(sorted(modules.items(), key=lambda item: (item[1].ORDER, item[0])))


def measure(name, module, options):
    """Runs it; returns what is to be kept."""
    bench = Bench(name, quick=options.quick, install=options.install, build=not options.no_build)
    module.build(bench)
    if options.build_only:
        return None
    bench.commands = []
    before, begin = machine.load(), time.monotonic()
    results = module.run(bench)
    return {
        "bench": name,
        "date": machine.today(),
        "commit": machine.commit(),
        "machine": machine.describe(),
        "load": {"before": before, "after": machine.load()},
        "seconds": round(time.monotonic() - begin),
        "commands": bench.commands,
        "results": results,
    }


def one(name, module, options):
    """Runs it and keeps what it found; `None`, or why not."""
    try:
        document = measure(name, module, options)
    except Skip as skip:
        print(f"      SKIPPED {name}, the old result stays: {skip}")
        return "SKIPPED"
    except (Failed, OSError, ValueError, KeyError, IndexError) as failed:
        traceback.print_exc(limit=-3)
        print(f"      FAILED {name}, the old result stays: {failed}")
        return "FAILED"
    if document and options.quick:
        # What it would write is made, so that a quick run tries all of the path but keeps nothing.
        assert name in module.tables(document["results"])
    elif document:
        documents.write(document)
    return None


def run(chosen, options):
    """Runs these; 1 when one failed. One that is skipped is not a failure."""
    begin, ends = time.monotonic(), {}
    for number, (name, module) in enumerate(chosen.items(), 1):
        print(f"[{number}/{len(chosen)}] {name}: {module.TITLE} (about {module.MINUTES} min; {time.monotonic() - begin:.0f} s so far)", flush=True)
        started = time.monotonic()
        ends[name] = one(name, module, options)
        print(f"      {time.monotonic() - started:6.1f} s  {ends[name] or 'done'}", flush=True)
    done = [name for name, end in ends.items() if end is None]
    print(f"bench: {len(done)} of {len(chosen)} done in {time.monotonic() - begin:.0f} s" + "".join(f"; {end}: {name}" for name, end in ends.items() if end))
    sys.stdout.flush()
    return int("FAILED" in ends.values())
