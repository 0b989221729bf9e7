"""The worker is killed in the middle of a sentence: when listeners get the next caption, and what they miss."""
import json
import statistics

from bench import Failed, table

ORDER = 90
TITLE = "recovery: the worker gets SIGKILL in the middle of a sentence: time to the next caption, finals lost and doubled"
MINUTES = 16

RUNS, BATCH = 20, 5
LANGUAGES = {"en": "the speaker's language", "es": "translated"}
STEPS = {"run_task": "RunTask has answered", "process": "process of the next worker", "joined": "it has joined the channel", "firstAudio": "its first audio"}


def build(bench):
    bench.cargo("-p", "worker", "-p", "controller", "-p", "sessionctl", "-p", "local-stack")


def run(bench):
    """A local stack for each batch; between two of them others may measure."""
    batches = 1 if bench.quick else RUNS // BATCH
    size = 1 if bench.quick else BATCH
    runs, failed = [], []
    for number in range(batches):
        bench.progress(f"runs {number * size + 1} to {(number + 1) * size} of {batches * size}")
        stack = [bench.binary("local-stack"), "run", "--keep-logs", f"target/tmp/recover/logs-{number}", "--"]
        speaker = ["python3", "scripts/bench/session/recover.py", bench.binary("sessionctl")]
        with bench.alone():
            printed = bench.output(*stack, *speaker, size, number * size + 1, timeout=3_600)
        found = [json.loads(line) for line in printed.splitlines() if line.startswith('{"run"')]
        runs += [each for each in found if "failed" not in each]
        failed += [each for each in found if "failed" in each]
    if len(runs) + len(failed) != batches * size:
        raise Failed(f"{len(runs)} and {len(failed)} of {batches * size} runs were told")
    return {"runs": runs, "failed": failed}


def quantile(values, share):
    """The least value that so many of all do not exceed."""
    values = sorted(values)
    return values[max(0, -(-len(values) * share // 100) - 1)]


def columns(values, digits=1):
    four = (statistics.median(values), quantile(values, 5), quantile(values, 95), max(values))
    return [f"{value:.{digits}f}" for value in four]


def series(results):
    """Everything that is a time since the kill, by its name."""
    runs = results["runs"]
    found = {text: [run["steps_s"][step] for run in runs] for step, text in STEPS.items()}
    found |= {f"next caption, {text}": [run["next_caption_s"][language] for run in runs] for language, text in LANGUAGES.items()}
    return found | {f"next final, {text}": [run["next_final_s"][language] for run in runs] for language, text in LANGUAGES.items()}


def tables(results):
    runs = results["runs"]
    times = [[name, *columns(values, 2)] for name, values in series(results).items()]
    lost = [
        ["speech between the last final before and the first after, s", *columns([run["between_finals_s"] for run in runs])],
        ["words of the script that stand in no final", *columns([run["words_in_no_final"] for run in runs])],
        ["of the open sentence a partial had shown, words", *columns([run["words_of_the_open_sentence_seen"] for run in runs])],
    ]
    total = {key: sum(run[key] for run in runs) for key in ("finals", "finals_lost", "finals_at_one_listener_only", "finals_doubled", "words_told_twice", "told_the_end")}
    counted = [
        ["runs · of them without a result", f"{len(runs) + len(results['failed'])} · {len(results['failed'])}"],
        ["finals told, both listeners", total["finals"]],
        ["finals lost · doubled", f"{total['finals_lost']} · {total['finals_doubled']}"],
        ["finals that one listener got and the other did not", total["finals_at_one_listener_only"]],
        ["words told in two finals, across the change of the worker", total["words_told_twice"]],
        ["listeners told the end", f"{total['told_the_end']} of {2 * len(runs)}"],
    ]
    head = ["since the SIGKILL, s", "median", "p5", "p95", "worst"]
    return {
        "recovery": table(head, times),
        "recovery-lost": table(["", *head[1:]], lost) + "\n\n" + table([f"of {len(runs)} runs", ""], counted),
    }


def plots(results, plt):
    """A dot for each run, a stroke for the median."""
    from plots import OURS, THEIRS, THIRD

    rows = list(series(results).items())[::-1]
    figure, axis = plt.subplots(figsize=(8, 3.4), layout="constrained")
    for height, (name, values) in enumerate(rows):
        colour = OURS if "caption" in name else THIRD if "final" in name else THEIRS
        # Spread a little, so that equal ones are seen; the same each time.
        at = [height + ((n * 7) % 11 - 5) / 30 for n in range(len(values))]
        axis.plot(values, at, "o", color=colour, alpha=0.55, markersize=4, markeredgewidth=0)
        axis.plot([statistics.median(values)] * 2, [height - 0.32, height + 0.32], color=colour, linewidth=2)
    axis.set_yticks(range(len(rows)), [name for name, _ in rows])
    axis.tick_params(left=False)
    axis.set_xlim(0, None)
    axis.grid(axis="x", color="#e5e9ee")
    axis.set_axisbelow(True)
    axis.set_title("after the SIGKILL, s")
    return {"recovery": figure}
