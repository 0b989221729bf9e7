"""The controller's own time: a cold start, a stream record, and a sweep of 10,000 sessions; its memory; and the simulation's pace."""
import json
import re

from bench import shown, spread, table

ORDER = 60
TITLE = "controller: cold start, record to RunTask, a sweep of 10,000 sessions with its memory; simulated sessions per second"
MINUTES = 4
STARTS, SWEEPS, SIMULATIONS = 60, 3, 3
SESSIONS = 10_000
LINES = {
    "process start → first poll": "process start → first poll for an event",
    "record → RunTask, first": "stream record → RunTask, first of a process",
    "record → RunTask, warm": "stream record → RunTask, warm",
}
SCENARIOS = {
    "complete": "10,000 live sessions, none due: rows, tasks and the Sessions table read and compared",
    "due": "the same, and each of them looked at",
}


def build(bench):
    bench.cargo("-p", "controller", "--bins", "--example", "own_time", "--example", "sweep_time")
    bench.cargo("-p", "proof", "--bin", "soak")


def run(bench):
    controller = bench.binary("controller")
    starts, sessions = (3, 200) if bench.quick else (STARTS, SESSIONS)
    bench.progress(f"{starts} starts")
    with bench.alone():
        own = read_own(bench.output(bench.binary("examples/own_time"), controller, starts))
        bench.progress(f"sweeps of {sessions} sessions")
        printed = bench.output(bench.binary("examples/sweep_time"), controller, sessions, 1 if bench.quick else SWEEPS)
    sweeps = read_sweeps([json.loads(line) for line in printed.splitlines() if line.startswith("{")])
    simulated = []
    for _ in bench.runs(SIMULATIONS):
        simulated.append(simulation(bench))
    paces = {name: spread(run[name] for run in simulated) for name in ("sessions_per_s", "hours_per_s")}
    return {"starts": starts, "own": own, "sessions": sessions, "sweeps": sweeps, "simulation": {**paces, "sessions": simulated[0]["sessions"]}}


def read_own(printed):
    found = {}
    for line in printed.splitlines():
        name, numbers = re.split(r"\s{2,}median", line, maxsplit=1)
        median, p5, p95, most = (float(n) for n in re.findall(r"[\d.]+(?= ms|,| \()", numbers.replace("p5 ", "").replace("p95 ", ""))[:4])
        found[name] = {"median_ms": median, "p5_ms": p5, "p95_ms": p95, "most_ms": most}
    return found


def read_sweeps(runs):
    found = {}
    for scenario in SCENARIOS:
        of = [run for run in runs if run["scenario"] == scenario]
        for run in of:
            looked = run["sessions"] if scenario == "due" else 0
            if run["swept"]["looked"] != looked or run["swept"]["failed"] or run["swept"]["cutShort"]:
                raise ValueError(f"the sweep did something else: {run['swept']}, {run['calls']}")
        found[scenario] = {key: spread((run[key] for run in of), 0) for key in ("wall_ms", "cpu_ms", "peak_kib")}
        found[scenario]["calls"] = of[0]["calls"]
    return found


def simulation(bench):
    """The controller's real handler through seeds of accidents, with capabilities in memory."""
    printed = bench.output(bench.binary("soak"), "--runs", 2 if bench.quick else 20)
    hours, sessions, seconds = re.findall(r"in all (\d+) session-hours of (\d+) sessions in ([\d.]+) s", printed)[-1]
    return {"sessions": int(sessions), "sessions_per_s": int(sessions) / float(seconds), "hours_per_s": int(hours) / float(seconds)}


def tables(results):
    own = [
        [text, f"{o['median_ms']:.1f} ms", f"{o['p5_ms']:.1f}", f"{o['p95_ms']:.1f}", f"{o['most_ms']:.1f}"]
        for name, text in LINES.items() for o in [results["own"][name]]
    ]  # fmt: skip
    sweeps = []
    for scenario, text in SCENARIOS.items():
        s = results["sweeps"][scenario]
        peak = {key: value / 1_024 if key != "runs" else value for key, value in s["peak_kib"].items()}
        seconds = [{key: value / 1_000 if key != "runs" else value for key, value in s[which].items()} for which in ("wall_ms", "cpu_ms")]
        sweeps.append([text, shown(seconds[0], 2), shown(seconds[1], 2), shown(peak), f"{sum(s['calls'].values()):,}"])
    pace = results["simulation"]
    simulated = [[f"{pace['sessions']:,}", shown(pace["sessions_per_s"], 0), shown(pace["hours_per_s"], 0)]]
    return {
        "controller": table([f"{results['starts']} processes", "median", "p5", "p95", "most"], own),
        "controller-sweep": table(["", "time, s", "processor time, s", "peak memory, MiB", "calls of AWS"], sweeps),
        "controller-simulation": table(["simulated sessions in a run", "sessions per second", "session-hours per second"], simulated),
    }
