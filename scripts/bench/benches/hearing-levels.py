"""The gate before speech at any level over any sound: sentences missed after pauses, and what a sound without speech costs."""
import json

from bench import Failed, table

ORDER = 62
TITLE = "hearing-levels: sentences missed after a pause and seconds billed, by level, sound and pause, in virtual time"
MINUTES = 4

# Seconds billed in an hour without speech, at most: a try of 15 s, begun a second early, after each minute of rest; where the sound is like a
# voice, after half a minute. Before that the stream that heard the last word closes: after 30 s, or a minute where the sound is like a voice.
MOST = {"pink noise": 900, "hum": 1_440, "applause": 900, "music": 1_440}


def build(bench):
    bench.cargo("-p", "worker-core", "--example", "hearing_levels")


def run(bench):
    results = json.loads(bench.output(bench.binary("examples/hearing_levels"), *["quick"] * bench.quick, timeout=3_600))
    faults = found(results)
    if faults:
        raise Failed("\n".join(faults))
    return results


def found(results):
    """What is worse than it may be."""
    missed = [
        f"{t['missed']} sentences missed: {t['sound']}, speech at {t['dbfs']:g} dBFS, {t['snrDb']:g} dB above it, after {t['pauseS']} s"
        for t in results["talks"]
        if t["missed"]
    ]
    dear = [
        f"{a['billedS']} s of {a['seconds']} s billed: {a['sound']} alone at {a['dbfs']:g} dBFS"
        for a in results["alone"]
        if a["seconds"] == 3_600 and a["billedS"] > MOST[a["sound"]]
    ]
    return missed + dear


def signed(number):
    return f"{number:g}".replace("-", "−")


def span(values):
    least, most = min(values), max(values)
    return f"{least:,}" if least == most else f"{least:,} to {most:,}"


def tables(results):
    talks, alone = results["talks"], results["alone"]
    sounds = list(dict.fromkeys(t["sound"] for t in talks))

    def row(label, some):
        counts = [f"{sum(t[key] for t in some):,}" for key in ("said", "heard", "firstMissed", "missed")]
        return [*label, len(some), *counts, f"{sum(t['billedS'] for t in some):,} / {sum(t['speechS'] for t in some):,}"]

    rows = [
        row([sound, signed(snr), pause], [t for t in talks if (t["sound"], t["snrDb"], t["pauseS"]) == (sound, snr, pause)])
        for sound in sounds
        for snr in sorted({t["snrDb"] for t in talks})
        for pause in sorted({t["pauseS"] for t in talks})
    ]
    head = ["sound", "speech above it, dB", "pause, s", "talks", "sentences said", "heard", "first after a pause missed", "others missed", "seconds billed / of speech"]
    levels = sorted({t["dbfs"] for t in talks})
    by_level = [row([signed(dbfs)], [t for t in talks if t["dbfs"] == dbfs]) for dbfs in levels]
    hours = [[sound, span([a["billedS"] for a in alone if a["sound"] == sound]), f"{MOST[sound]:,}"] for sound in sounds]
    return {
        "hearing-levels": table(head, rows),
        "hearing-levels-speech": table(["speech, dBFS", *head[3:]], by_level),
        "hearing-levels-alone": table(["sound without speech", "seconds billed per hour, by level", "bound"], hours),
    }
