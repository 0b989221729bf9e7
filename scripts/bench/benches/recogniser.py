"""Who listens in the local stack: Whisper and PocketSphinx on recordings of people, on the shipped sample and on noise, in virtual time."""
import json
import pathlib
import shutil
import statistics
import tempfile

from bench import LOCAL, Failed, Skip, table

ORDER = 45
TITLE = "recogniser: words wrong, processor time, lag and erasure of Whisper and PocketSphinx on recordings of people, and what they hear in noise"
MINUTES = 8
SHIPPED = "samples"
# A professional speaker (Allison Smith), CC-BY-SA 3.0: fetched by package, never kept here.
PACKAGES = ["asterisk-core-sounds-en", "asterisk-core-sounds-en-g722"]
LONG = ["demo-instruct", "demo-congrats", "basic-pbx-ivr-main"]
SHORT = ["demo-echotest", "demo-nogo", "vm-options", "conf-adminmenu-162"]
ENGINES = {"whisper": "Whisper tiny.en", "pocketsphinx": "PocketSphinx 5.1.1, en-us"}
SETS = {"long": "a professional, three long announcements", "short": "the same, four shorter ones", "shipped": "the shipped sample (flite)"}


def build(_bench):
    """Nothing is compiled."""


def recordings(bench, folder):
    """The packages' recordings in folders by set."""
    if not shutil.which("apt-get"):
        raise Skip("the recordings are Debian packages, and there is no apt-get here")
    python = bench.environment("recordings", "recordings.txt")
    for package in PACKAGES:
        try:
            bench.output("sh", "-c", f"cd {folder} && apt-get download -q {package} && dpkg-deb -x {package}_*.deb root")
        except Failed as failed:
            raise Skip(f"the recordings could not be fetched (apt-get update first): {failed}") from failed
    sounds = f"{folder}/root/usr/share/asterisk/sounds/en_US_f_Allison"
    listed = f"{folder}/root/usr/share/doc/asterisk-core-sounds-en/core-sounds-en.txt.gz"
    for name, files in (("long", LONG), ("short", SHORT)):
        place = pathlib.Path(folder, name)
        place.mkdir()
        bench.output(python, "scripts/bench/peers/recordings.py", sounds, listed, place, *(files[:1] if bench.quick else files))


def run(bench):
    found = {}
    python = LOCAL / "venv" / "bin" / "python"
    with tempfile.TemporaryDirectory() as folder:
        recordings(bench, folder)
        shipped = pathlib.Path(folder, "shipped")
        shipped.mkdir()
        for ending in ("wav", "txt"):
            shutil.copy(pathlib.Path(SHIPPED, f"welcome.{ending}"), shipped)
        for engine in ENGINES:
            bench.progress(ENGINES[engine])
            printed = bench.output(python, "scripts/bench/peers/recognisers.py", engine, "-", *(f"{folder}/{name}" for name in SETS), timeout=7_200)
            told = json.loads(printed.strip().splitlines()[-1])
            sets = {name: [] for name in SETS}
            for recording in told["recordings"]:
                name = "long" if recording["name"] in LONG else "short" if recording["name"] in SHORT else "shipped"
                sets[name].append(recording)
            found[engine] = {"sets": {name: summary(kept) for name, kept in sets.items()}, "noise": {kind: len(words) for kind, words in told["noise"].items()}}
    bench.commands = [command.replace(folder, "FOLDER") for command in bench.commands]
    return found


def summary(recordings):
    lags = sorted(lag for recording in recordings for lag in recording["lags"])
    total = lambda key: sum(recording[key] for recording in recordings)  # noqa: E731
    return {
        "seconds": round(total("seconds"), 1), "words": total("words"), "wrong": total("wrong"), "cpuSeconds": round(total("cpu"), 2),
        "partials": total("partials"), "finals": total("finals"), "erasure": round(total("takenBack") / max(1, total("heard")), 2),
        "stableBroken": total("broken"), "lagP50": round(statistics.median(lags), 2) if lags else None,
        "lagP95": round(lags[min(len(lags) - 1, int(0.95 * len(lags)))], 2) if lags else None,
    }  # fmt: skip


def tables(results):
    rows = []
    for name, title in SETS.items():
        for engine, kept in results.items():
            s = kept["sets"][name]
            rows.append([
                f"{title}: {s['seconds']:.0f} s, {s['words']} words", ENGINES[engine], f"{100 * s['wrong'] / s['words']:.1f} % ({s['wrong']})",
                f"{s['cpuSeconds'] / s['seconds']:.2f}", f"{s['lagP50']:.2f} · {s['lagP95']:.2f}", f"{s['erasure']:.2f}", f"{s['partials']} · {s['finals']}",
            ])  # fmt: skip
    head = ["recording", "recogniser", "words wrong", "cores", "lag of finals, p50 · p95, s", "erasure", "partials · finals"]
    engines = list(results)
    noise = [[kind, *(results[engine]["noise"][kind] for engine in engines)] for kind in results[engines[0]]["noise"]]
    return {"recogniser": table(head, rows), "recogniser-noise": table(["20 s of", *(ENGINES[engine] for engine in engines)], noise)}
