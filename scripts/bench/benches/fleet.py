"""What a fleet costs in the simulation, where AWS's calls take their time and meet their limits: at 100, 1,000 and 10,000 sessions."""
import json

from bench import table

ORDER = 65
TITLE = "a fleet of 100, 1,000 and 10,000 sessions: units of DynamoDB, calls of ECS, the function's time, dollars per session-hour, start latency"
MINUTES = 3
SIZES = (100, 1_000, 10_000)
# us-east-1, USD: a write unit, a read unit, a GB-second of the function on arm64, an invocation, a request of SQS.
WRITE, READ, GB_SECOND, INVOCATION, REQUEST = 0.625e-6, 0.125e-6, 1.33334e-5, 0.20e-6, 0.40e-6
MEMORY_GB = 0.5
# A timer is sent, received and deleted.
REQUESTS_OF_A_TIMER = 3


def build(bench):
    bench.cargo("-p", "proof", "--bin", "fleet")


def run(bench):
    fleets = []
    for sessions in (20, 100) if bench.quick else SIZES:
        bench.progress(f"{sessions:,} sessions")
        fleets.append(json.loads(bench.output(bench.binary("fleet"), sessions, 20 if bench.quick else 60)))
    return {"fleets": [of_an_hour(fleet) for fleet in fleets]}


def of_an_hour(fleet):
    """The same per session-hour."""
    hours = fleet["sessionMs"] / 3_600_000
    per_hour = {name: fleet[name] / hours for name in ("readUnits", "writeUnits", "beatUnits", "ecsReads", "runTasks", "messages", "invocations", "lambdaMs", "calls")}
    dollars = {
        "heartbeats": per_hour["beatUnits"] * WRITE,
        "controller's tables": per_hour["writeUnits"] * WRITE + per_hour["readUnits"] * READ,
        "function": per_hour["lambdaMs"] / 1_000 * MEMORY_GB * GB_SECOND + per_hour["invocations"] * INVOCATION,
        "timers": per_hour["messages"] * REQUESTS_OF_A_TIMER * REQUEST,
    }
    kept = ("sessions", "minutes", "ecsReads", "ecsThrottled", "tableThrottled", "unanswered", "hottestWrite", "hottestRead", "startP50", "startP99")
    return {**{name: fleet[name] for name in kept}, "hours": round(hours, 1), "per_hour": per_hour, "dollars": dollars}


def slope(fleets, value):
    """What one session-hour more adds: the line through the smallest and the largest fleet."""
    small, large = fleets[0], fleets[-1]
    return (value(large) * large["hours"] - value(small) * small["hours"]) / (large["hours"] - small["hours"])


def tables(results):
    fleets = results["fleets"]
    rows = [
        ("write units of heartbeats", lambda f: f["per_hour"]["beatUnits"], ",.0f"),
        ("write units of the controller", lambda f: f["per_hour"]["writeUnits"], ",.1f"),
        ("read units", lambda f: f["per_hour"]["readUnits"], ",.1f"),
        ("ListTasks and DescribeTasks", lambda f: f["per_hour"]["ecsReads"], ".2f"),
        ("the function, ms", lambda f: f["per_hour"]["lambdaMs"], ",.0f"),
        ("timers", lambda f: f["per_hour"]["messages"], ".2f"),
        ("dollars", lambda f: sum(f["dollars"].values()), ".5f"),
        ("of that without heartbeats", lambda f: sum(f["dollars"].values()) - f["dollars"]["heartbeats"], ".5f"),
    ]
    costs = [[name, *(format(value(fleet), form) for fleet in fleets), format(slope(fleets, value), form)] for name, value, form in rows]
    head = ["of a session-hour, with", *(f"{fleet['sessions']:,} sessions" for fleet in fleets), "one more, by the line through them"]
    seconds = lambda ms: f"{ms / 1_000:.1f}"  # noqa: E731
    limits = [
        ["from a session's creation to its worker's first word, p50 · p99, s", *(f"{seconds(f['startP50'])} · {seconds(f['startP99'])}" for f in fleets)],
        ["ECS reads a second, of 20", *(f"{f['ecsReads'] / f['minutes'] / 60:.2f}" for f in fleets)],
        ["the most that a key of DynamoDB wrote in a second, of 1,000 units", *(f["hottestWrite"] for f in fleets)],
        ["the most that one read, of 3,000", *(f["hottestRead"] for f in fleets)],
        ["throttled by ECS · by DynamoDB", *(f"{f['ecsThrottled']} · {f['tableThrottled']}" for f in fleets)],
    ]
    return {"fleet": table(head, costs), "fleet-limits": table(["", *head[1:-1]], limits)}


def plots(results, plt):
    from plots import OURS, THEIRS, THIRD

    figure, axis = plt.subplots(figsize=(7, 2.8), layout="constrained")
    fleets = results["fleets"]
    sizes = [fleet["sessions"] for fleet in fleets]
    lines = (("read units", "readUnits", OURS), ("write units of the controller", "writeUnits", THIRD), ("ms of the function", "lambdaMs", THEIRS))
    for name, key, colour in lines:
        axis.plot(sizes, [fleet["per_hour"][key] * fleet["sessions"] for fleet in fleets], marker="o", color=colour, label=name, linewidth=2)
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.set_xlabel("sessions")
    axis.set_ylabel("an hour")
    axis.legend(frameon=False, loc="upper left")
    return {"fleet": figure}
