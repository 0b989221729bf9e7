"""A talk of five minutes in a whole session with real processes, scored by the rulers of simultaneous translation."""
import json
import math
import pathlib
import re
import shutil

from bench import ROOT, Failed, Skip, table

ORDER = 35
TITLE = "captions: lag, flicker and quality of a talk of five minutes, by simulstream and OmniSTEval, with the local stand-ins"
MINUTES = 8

FOLDER, SCORES = "target/tmp/captions", "target/tmp/captions/scores"
# The reference of each listener: by hand, or what was said. Who listens in Spanish does so as each may choose.
REFERENCES = {
    "es": "samples/talk.es.txt", "es:stable": "samples/talk.es.txt", "es:fast": "samples/talk.es.txt",
    "en": "samples/talk.txt", "en:stable": "samples/talk.txt",
}  # fmt: skip
# How the rulers put tokens together: words with blanks, as the logs say.
TOKENS = "detokenizer_type: simuleval\nlatency_unit: word\n"
SENTENCES_WHEN_QUICK = 4


def build(bench):
    # Before anything is compiled: it takes a quarter of an hour.
    if not shutil.which("flite"):
        if not bench.install:
            raise Skip("flite speaks the talk: apt-get install flite")
        bench.output("apt-get", "install", "--yes", "--no-install-recommends", "flite")
    bench.cargo("-p", "worker", "-p", "controller", "-p", "sessionctl", "-p", "local-stack")


def run(bench):
    python = bench.environment("scoring", "scoring.txt", "--no-deps")
    texts = {file: text(file, bench.quick) for file in sorted({"samples/talk.txt", *REFERENCES.values()})}
    talk = texts["samples/talk.txt"]
    bench.progress("flite speaks the talk")
    seconds = float(bench.output("python3", "scripts/bench/session/talk.py", talk, FOLDER))
    bench.progress(f"a session of {seconds:.0f} s")
    rehearse = [bench.binary("sessionctl"), "rehearse", "--audio", f"{FOLDER}/talk.wav", "--script", talk, "--listeners", ",".join(REFERENCES)]
    stack = [bench.binary("local-stack"), "run", "--keep-logs", f"{FOLDER}/logs", "--"]
    with bench.alone():
        # A check that failed is told with the measure, which stands all the same.
        card = carded(bench.output(*stack, *rehearse, "--log", FOLDER, "--json", accept=(0, 1)))
    bench.progress("the rulers")
    return {
        "seconds": seconds,
        "sentences": (ROOT / talk).read_text().count("\n"),
        "failed": [f"{check['what']}: {check['failure']}" for check in card["checks"] if check["failure"]],
        "translator": card["note"] or "What translated is not known",
        "word_error_rate_percent": card["wordErrorRatePercent"],
        "listeners": {listener: score(bench, python, listener, texts[file], report(card, listener)) for listener, file in REFERENCES.items()},
    }


def carded(printed):
    """The card, whatever else was printed around it."""
    if "{\n" not in printed:
        raise Failed(f"the rehearsal printed no card: {printed[-200:]}")
    return json.loads(printed[printed.index("{\n") : printed.rindex("}") + 1])


def text(file, quick):
    """The file itself, or its first sentences."""
    if not quick:
        return file
    short = ROOT / FOLDER / f"quick-{file.rsplit('/', 1)[1]}"
    short.parent.mkdir(parents=True, exist_ok=True)
    short.write_text("".join((ROOT / file).read_text().splitlines(keepends=True)[:SENTENCES_WHEN_QUICK]))
    return str(short.relative_to(ROOT))


def report(card, listener):
    return next(report for report in card["listeners"] if report["listener"] == listener)


def score(bench, python, listener, reference, report):
    """One log, by three rulers, in seconds."""
    name, language = listener.replace(":", "-"), listener.partition(":")[0]
    log, config, segments = f"{FOLDER}/{name}.jsonl", f"{FOLDER}/tokens.yaml", f"{FOLDER}/talk.yaml"
    (ROOT / config).write_text(TOKENS)

    def tool(name, *arguments):
        return bench.output(pathlib.Path(python).with_name(name), *arguments)

    flicker = tool("simulstream_stats", "--eval-config", config, "--log-file", log)
    laal = tool(
        "simulstream_score_latency", "--scorer", "stream_laal", "--eval-config", config, "--log-file", log,
        "--reference", reference, "--audio-definition", segments,
    )  # fmt: skip
    tool(
        "omnisteval", "longform", "--speech_segmentation", segments, "--ref_sentences_file", reference, "--hypothesis_file", log,
        "--hypothesis_format", "simulstream", "--simulstream_config_file", config, "--lang", language, "--word_level",
        "--output_folder", f"{SCORES}/{name}",
    )  # fmt: skip
    scores = dict(line.split("\t") for line in (ROOT / SCORES / name / "scores.tsv").read_text().splitlines()[1:])
    lag = float(scores["LongYAAL (CA)"]) / 1_000
    if math.isnan(lag):
        raise Failed(f"OmniSTEval found no word of {listener} that came while its sentence was spoken: is the machine too slow?")
    return {
        "long_yaal_s": round(lag, 2),
        "stream_laal_s": round(found(r"computational_aware_latency=(-?[\d.]+)", laal), 2),
        "normalized_erasure": round(found(r'"normalized_erasure": \{.*?"value": ([\d.]+)', flicker), 3),
        "bleu": round(float(scores["BLEU"]), 1),
        "first_words_p50_ms": report["firstWordsP50Ms"],
        "first_words_p95_ms": report["firstWordsP95Ms"],
        "final_p50_ms": report["lagP50Ms"],
        "final_p95_ms": report["lagP95Ms"],
        "partials": report["partials"],
        "finals": report["finals"],
    }


def found(pattern, printed):
    match = re.search(pattern, printed, re.DOTALL)
    if not match:
        raise Failed(f"the ruler did not say {pattern}: {printed[:200]}")
    return float(match.group(1))


def tables(results):
    rows = [
        [
            listener, f"{s['long_yaal_s']:.2f}", f"{s['stream_laal_s']:.2f}", f"{s['normalized_erasure']:.3f}", f"{s['bleu']:.1f}",
            f"{seconds(s['first_words_p50_ms'])} / {seconds(s['first_words_p95_ms'])}", f"{seconds(s['final_p50_ms'])} / {seconds(s['final_p95_ms'])}",
            s["partials"], s["finals"],
        ]
        for listener, s in results["listeners"].items()
    ]  # fmt: skip
    head = [
        "listener", "LongYAAL (CA), s", "StreamLAAL (CA), s", "normalised erasure", "BLEU", "first words p50 / p95, s", "finals p50 / p95, s", "partials", "finals",
    ]  # fmt: skip
    failed = f" The rehearsal failed: {'; '.join(results['failed'])}." if results["failed"] else ""
    facts = f"{results['sentences']} sentences in {results['seconds']:.0f} s; {results['word_error_rate_percent']:.1f} % of the words were recognised wrong. {results['translator']}.{failed}"
    return {"captions": f"{table(head, rows)}\n\n{facts}"}


def seconds(ms):
    return "-" if ms is None else f"{ms / 1_000:.1f}"
