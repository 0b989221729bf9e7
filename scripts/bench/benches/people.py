"""The analysis of the voice on people: recordings that packages ship, beside Praat, pyloudnorm and the syllables of their texts, and what they would be told."""
import json
import pathlib
import shutil
import tempfile

from bench import LOCAL, ROOT, Failed, Skip, table

ORDER = 51
TITLE = "people: pitch, level, rate, speech, words and warnings on fourteen voices that packages ship, and the same voices spoilt"
MINUTES = 6
MAKE = "scripts/bench/peers/people_voices.py"
RULERS = "scripts/bench/peers/people_rulers.py"
TESTS = ["test", "--locked", "--quiet", "-p", "worker-core", "-p", "worker-emotion", "--lib"]
FRAMED = ("clean", "noise10", "room", "gsm")
LICENCES = {
    **{f"asterisk-core-sounds-{language}-g722": "CC-BY-SA-3.0" for language in ("en", "es", "fr")},
    **{f"asterisk-core-sounds-{language}-g722": "CC-BY-3.0" for language in ("it", "ru")},
    **{f"asterisk-core-sounds-{language}": "CC-BY-SA-3.0" for language in ("en", "es", "fr", "it", "ru")},
    "asterisk-prompt-es-co": "GPL-2",
    "asterisk-prompt-fr-armelle": "BSD-3-Clause",
    "asterisk-prompt-it-menardi-wav": "CC-BY-SA-3.0-IT",
    "codec2-examples": "LGPL-2.1",
    "fillets-ng-data": "GPL-2",
    "fillets-ng-data-cs": "GPL-2",
    "fillets-ng-data-nl": "GPL-2",
    "pocketsphinx-testdata": "BSD-2-Clause",
}


def build(bench):
    if bench.builds:
        bench.output("cargo", *TESTS, "--no-run", timeout=7_200)


def fetched(bench):
    """The packages, unpacked under .local/people-sounds without being installed, and the version of each."""
    folder, versions = LOCAL / "people-sounds", {}
    folder.mkdir(exist_ok=True)
    for tool in ("apt-get", "dpkg-deb", "espeak-ng"):
        if shutil.which(tool) is None:
            raise Skip(f"{tool} is missing; on Debian: apt-get install apt dpkg espeak-ng")
    for package in LICENCES:
        into = folder / package
        if not (into / "version").exists():
            with tempfile.TemporaryDirectory() as down:
                try:
                    bench.output("sh", "-c", 'cd "$1" && apt-get download "$2"', "sh", down, package)
                except Failed as failed:
                    raise Skip(f"the package {package} could not be fetched (after `apt-get update`?): {failed}") from failed
                file = next(pathlib.Path(down).glob("*.deb"))
                bench.output("dpkg-deb", "-x", file, into)
                (into / "version").write_text(bench.output("dpkg-deb", "-f", file, "Version").strip())
        versions[package] = (into / "version").read_text()
    bench.commands = ["apt-get download PACKAGE && dpkg-deb -x FILE .local/people-sounds/PACKAGE"]
    return folder.relative_to(ROOT), versions


def run(bench):
    python = bench.environment("people", "people.txt")
    packages, versions = fetched(bench)
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as framed:
        bench.progress("fourteen sessions in fourteen conditions")
        some = ["fr-armelle", "en-librivox"] if bench.quick else []
        bench.output(python, MAKE, packages, folder, *some, timeout=7_200)
        bench.progress("what they would be told")
        bench.output("cargo", *TESTS, "--", "--ignored", "what_people_would_be_told", env={"BENCH_PEOPLE": folder}, timeout=7_200)
        for wav in pathlib.Path(folder).glob("*.wav"):
            if wav.stem.rsplit("-", 1)[1] in FRAMED:
                (pathlib.Path(framed) / wav.name).symlink_to(wav)
        bench.output("cargo", *TESTS, "--", "--ignored", "the_frames_of_people", env={"BENCH_PEOPLE": framed}, timeout=7_200)
        bench.progress("Praat and pyloudnorm on the same")
        found = json.loads(bench.output(python, RULERS, folder, framed, timeout=7_200))
    bench.commands = [command.replace(folder, "SESSIONS").replace(framed, "FRAMES") for command in bench.commands]
    return {"packages": {package: {"version": versions[package], "licence": licence} for package, licence in LICENCES.items()}, "speakers": found}


def tables(results):
    speakers = results["speakers"]
    return {
        "people": measured(speakers),
        "people-spoilt": spoilt(speakers),
        "people-words": words(speakers),
        "people-warned": warned(speakers),
    }


def measured(speakers):
    rows = []
    for name, of in speakers.items():
        clean = of["conditions"]["clean"]
        p, s, rate = clean["pitch"], clean["speech"], clean.get("syllables")
        rows.append([
            f"{name} ({of['how']}, {of['half']})", of["seconds"],
            f"{p['gross_percent']:.2f} · {p['octave_percent']:.2f} %", f"{p['median_cents']:.1f}, {p['p95_cents']:.0f} c",
            f"{p['voiced_found_percent']:.1f} · {p['voiced_extra_percent']:.1f} %",
            f"{s['voice_missed_percent']:.1f} · {shown(s['pause_alarms_percent'])} %",
            f"{clean['level']['mean_db']:+.1f} · {clean['loudness']['mean_db']:+.1f} dB",
            f"{rate['error_percent']:.0f} · {rate['bias_percent']:+.0f} %" if rate else "no text",
        ])  # fmt: skip
    head = ["speaker", "s", "gross · octave errors", "pitch: median, 95th", "voiced found · extra", "voice missed · alarms in pauses", "level · loudness", "syllables: median error · bias"]
    return table(head, rows)


def shown(value):
    return "–" if value is None else f"{value:.1f}"


def spoilt(speakers):
    rows = []
    for condition, text in (("clean", "as recorded"), ("noise10", "pink noise 10 dB below"), ("room", "a room that fades in 0.5 s"), ("gsm", "telephone, GSM full rate")):
        of = [speaker["conditions"][condition] for speaker in speakers.values()]
        middle = lambda part, key: sorted(o[part][key] for o in of)[len(of) // 2]  # noqa: E731
        worst = lambda part, key: max(o[part][key] for o in of)  # noqa: E731
        rows.append([
            text, f"{middle('pitch', 'gross_percent'):.2f} (to {worst('pitch', 'gross_percent'):.2f}) %", f"{middle('pitch', 'median_cents'):.1f} c",
            f"{middle('pitch', 'voiced_found_percent'):.1f} %", f"{middle('speech', 'voice_missed_percent'):.1f} (to {worst('speech', 'voice_missed_percent'):.1f}) %",
            f"{middle('speech', 'pause_alarms_percent'):.1f} (to {worst('speech', 'pause_alarms_percent'):.1f}) %",
        ])  # fmt: skip
    return table(["all against Praat on the clean sound; the speaker in the middle (the worst)", "gross errors", "pitch, median", "voiced found", "voice missed", "alarms in pauses"], rows)


def other(of, kind):
    """How many are called something but neutral, of how many."""
    return sum(n for word, n in of[kind].items() if word != "neutral"), sum(of[kind].values())


def words(speakers):
    rows = []
    for name, of in speakers.items():
        conditions = of["conditions"]
        cell = lambda condition, kind: "{} of {}".format(*other(conditions[condition], kind))  # noqa: E731
        rows.append([
            f"{name} ({of['how']}, {of['half']})", cell("clean", "live"), cell("clean", "sentences"), cell("opus", "live"), cell("gsm", "live"),
            *(found(conditions, manner) for manner in ("raised", "lowered")), f"{conditions['clean']['whispers']} of {conditions['clean']['seconds']}",
        ])  # fmt: skip
    for text, hows, half in GROUPS:
        of = [s["conditions"] for s in speakers.values() if s["how"] in hows and s["half"] == half]
        rows.append([f"**{text}**", *(share(of, *what) for what in (("clean", "live"), ("clean", "sentences"), ("opus", "live"), ("gsm", "live"))), "", "", ""])
    head = ["not called neutral", "seconds", "sentences", "seconds, Opus", "seconds, GSM", "raised voice found: seconds · sentences", "lowered voice found", "whispers"]
    return table(head, rows)


READERS = ("studio", "telephone", "radio", "audiobook")
GROUPS = (
    ("readers whose thresholds were set by", READERS, "tune"), ("readers held out", READERS, "held"),
    ("actors, looked at", ("actor",), "tune"), ("actors, held out", ("actor",), "held"),
)  # fmt: skip


def share(conditions, condition, kind):
    counts = [other(of[condition], kind) for of in conditions]
    return f"{100 * sum(o for o, _ in counts) / max(1, sum(n for _, n in counts)):.1f} %"


def found(conditions, manner):
    if manner not in conditions:
        return "too short"
    told = conditions[manner]["manner"]
    return " · ".join(f"{hit} of {all_}" for hit, all_ in (told["live"], told["sentences"]))


CONDITIONS = {
    "clean": "as recorded", "quiet": "40 dB below full scale", "silent": "60 dB below full scale", "clipped": "speech at −3 dBFS, so its peaks are cut",
    "noise30": "pink noise 30 dB below", "noise15": "15 dB below", "noise10": "10 dB below", "echo10": "an echo of −10 dB after 200 ms",
    "echo25": "an echo of −25 dB after 120 ms", "room": "a room that fades in 0.5 s", "mulaw": "telephone, µ-law", "gsm": "telephone, GSM", "opus": "Opus, 24 kbit/s",
    "agc": "hard gain control",
}  # fmt: skip


def warned(speakers):
    issues = ("snr_low", "clipping", "echo", "silence")
    rows = []
    for condition, text in CONDITIONS.items():
        of = [speaker["conditions"][condition] for speaker in speakers.values()]
        rows.append([text, *(sum(issue in o["warned"] for o in of) for issue in issues), sum(o["flags"]["agc_suspected"] > 0 for o in of)])
    return table([f"of {len(speakers)} speakers, warned of", *issues, "gain control suspected"], rows)
