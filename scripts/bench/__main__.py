"""Runs the benchmarks, keeps what they measured, and writes it into docs/benchmarks.md.

    python3 scripts/bench                       all of them, one after another, then tables and plots
    python3 scripts/bench ingest policies       these only
    python3 scripts/bench --list                what there is, and how long each takes
    python3 scripts/bench --render              tables and plots again from docs/bench/*.json, without measuring
    python3 scripts/bench --check               are tables and plots what the files say? (part of `make test`)
    python3 scripts/bench --quick hearing       the harness itself, with the development build, in seconds; keeps nothing

A bench is a file of scripts/bench/benches; how to write one says scripts/bench/bench.py. What it measures is kept as docs/bench/NAME.json with
the machine, the load and the commands. One whose ruler is not there is SKIPPED, says why, and leaves the old result.
"""
import argparse
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import documents  # noqa: E402 (the path comes first)
import plots  # noqa: E402
import running  # noqa: E402


def arguments():
    parser = argparse.ArgumentParser(
        prog="scripts/bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", help="benches to run; none: all")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--render", action="store_true")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--install", action="store_true", help="may install system packages that a ruler needs, where it can (root)")
    parser.add_argument("--build-only", action="store_true", help="compile what the benches need, and measure nothing")
    parser.add_argument("--no-build", action="store_true", help="everything is compiled already")
    parser.add_argument("--draw", action="store_true", help=argparse.SUPPRESS)  # within the environment that has matplotlib
    return parser.parse_args()


def show(benches):
    for name, bench in benches.items():
        print(f"{name:12} about {bench.MINUTES:2} min  {bench.TITLE}")
    return 0


def render(benches):
    for change in documents.render(benches):
        print(f"bench: {change}")
    return plots.render()


def check(benches):
    faults = documents.faults(benches) + plots.faults(benches)
    for fault in faults:
        print(f"bench: {fault}")
    if not faults:
        print("bench: every table and plot is what docs/bench/*.json says")
    return 1 if faults else 0


def main():
    options = arguments()
    benches = running.discover()
    unknown = [name for name in options.names if name not in benches]
    if unknown:
        print(f"bench: there is no {', '.join(unknown)}; there are: {', '.join(benches)}", file=sys.stderr)
        return 2
    if options.list:
        return show(benches)
    if options.draw:
        return plots.draw(benches)
    if options.check:
        return check(benches)
    if options.render:
        return render(benches)
    chosen = {name: bench for name, bench in benches.items() if not options.names or name in options.names}
    failed = running.run(chosen, options)
    if not (options.quick or options.build_only):
        failed |= render(benches)
    return failed


if __name__ == "__main__":
    sys.exit(main())
