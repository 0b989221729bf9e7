"""Other rulers on sessions of people (`people_voices.py`), beside what ours measured and would have told. Runs in `.local/people`.

    people_rulers.py FOLDER FRAMES             one line of JSON: for each speaker and condition, what agrees and what was told

FOLDER holds the sessions and `NAME.told` of each, FRAMES the `NAME.frames` of some (both written by ignored tests of worker-core and worker-emotion).
"""
import json
import pathlib
import sys
import wave

import numpy as np
import parselmouth
import pyloudnorm

RATE, HOP = 16_000, 160
FLOOR, CEILING = 65, 600
# Frames beside speech that are neither speech nor pause.
GUARD = 15
# Praat's intensity re 20 micropascal, of a full scale of 1.
PASCAL_DB = 93.98
# What a change of manner is to be called.
MANNERS = {"raised": "activated", "lowered": "subdued"}


def read(path):
    with wave.open(str(path)) as wav:
        return np.frombuffer(wav.readframes(wav.getnframes()), dtype="<i2").astype(np.float64) / 32_768


def praat_pitch(x):
    pitch = parselmouth.Sound(x, RATE).to_pitch_ac(time_step=0.01, pitch_floor=FLOOR, pitch_ceiling=CEILING)
    times = (np.arange(len(x) // HOP) * HOP + HOP / 2) / RATE
    return np.nan_to_num([pitch.get_value_at_time(at) for at in times])


def levels(x):
    hops = x[: len(x) // HOP * HOP].reshape(-1, HOP)
    return 10 * np.log10((hops**2).mean(axis=1) + 1e-10)


def pitch(ours, praat):
    """Ours against Praat's. An octave error is one of the gross ones, a factor of 2 or a half, give or take a sixth."""
    count = min(len(ours), len(praat))
    ours, praat = ours[:count], praat[:count]
    both = (ours > 0) & (praat > 0)
    ratio = ours[both] / praat[both]
    gross = np.abs(ratio - 1) > 0.2
    octave = gross & (np.abs(np.abs(np.log2(ratio)) - 1) < 0.25)
    cents = np.abs(1_200 * np.log2(ratio[~gross]))
    return {
        "gross_percent": round(100 * float(gross.mean()), 2),
        "octave_percent": round(100 * float(octave.mean()), 2),
        "median_cents": round(float(np.percentile(cents, 50)), 2),
        "p95_cents": round(float(np.percentile(cents, 95)), 1),
        "voiced_found_percent": round(100 * float(both.sum() / (praat > 0).sum()), 1),
        "voiced_extra_percent": round(100 * float(((ours > 0) & (praat == 0)).sum() / (ours > 0).sum()), 1),
        "frames": int(both.sum()),
    }


def speech(found, clean_pitch, clean, pauses):
    """Voice that was not taken for speech, and speech that was found in the pauses: those that were made, and those of 300 ms and more within sentences."""
    count = min(len(found), len(clean_pitch))
    level = levels(clean)[:count]
    voice = (clean_pitch[:count] > 0) & (level > np.percentile(level, 95) - 30)
    quiet = level < np.percentile(level, 95) - 40
    edges = np.flatnonzero(np.diff(np.concatenate([[False], quiet & (clean_pitch[:count] == 0), [False]]).astype(int)))
    own = [(begin, end) for begin, end in zip(edges[::2], edges[1::2]) if end - begin >= 30]
    made = [(begin // 10, end // 10) for begin, end in pauses]
    within = np.zeros(count, bool)
    for begin, end in [*made, *own]:
        within[begin + GUARD : max(begin + GUARD, end - GUARD)] = True
    return {
        "voice_missed_percent": round(100 * float((~found[:count])[voice].mean()), 2),
        "pause_alarms_percent": round(100 * float(found[:count][within].mean()), 2) if within.any() else None,
        "pause_s": round(float(within.sum()) / 100, 1),
    }


def sounding_s(sound):
    """Seconds that sound: no pause of 200 ms or more, as De Jong and Wempe cut them (25 dB below the loudest)."""
    level = sound.to_intensity(minimum_pitch=100, time_step=0.01)
    values = level.values[0]
    quiet = values < np.percentile(values, 99) - 25
    edges = np.flatnonzero(np.diff(np.concatenate([[False], quiet, [False]]).astype(int)))
    pauses = sum(end - begin for begin, end in zip(edges[::2], edges[1::2]) if end - begin >= 20 or begin == 0 or end == len(quiet))
    return (len(values) - pauses) / 100


def sentences(x, truth, about, told):
    """Level, loudness and rate of each sentence against Praat, pyloudnorm and the syllables of its text."""
    meter = pyloudnorm.Meter(RATE)
    level, loudness, rate, hertz = [], [], [], []
    answers = {number: reading for number, reading in told["segments"]}
    for number, (begin, end) in enumerate(about["sentences"]):
        voice, part = answers.get(number, {}).get("voice"), x[begin * 16 : end * 16]
        if not voice or end - begin < 800:
            continue
        sound = parselmouth.Sound(part, RATE)
        intensity = sound.to_intensity(minimum_pitch=75, time_step=0.01).values[0] - PASCAL_DB
        active = intensity[intensity >= intensity.max() - 20]
        level.append(voice["volume"]["dbfs"] - 10 * np.log10((10 ** (active / 10)).mean()))
        loudness.append(answers[number]["lufs"] - meter.integrated_loudness(part) if answers[number]["lufs"] else np.nan)
        if voice["pitch"]:
            f0 = truth[begin // 10 : end // 10]
            hertz.append(abs(12 * np.log2(voice["pitch"]["hz"] / np.median(f0[f0 > 0]))) if (f0 > 0).any() else np.nan)
        if about["syllables"] and voice["rate"]:
            rate.append((voice["rate"]["syllablesPerSecond"], about["syllables"][number] / sounding_s(sound)))
    off = lambda values: {"mean_db": round(float(np.nanmean(values)), 2), "p95_db": round(float(np.nanpercentile(np.abs(values), 95)), 2)}  # noqa: E731
    found = {"level": off(level), "loudness": off(loudness), "pitch_semitones_p95": round(float(np.nanpercentile(hertz, 95)), 2)}
    if rate:
        is_, by_text = np.array(rate).T
        found["syllables"] = {
            # The one in the middle: some texts are not what was said.
            "error_percent": round(100 * float(np.median(np.abs(is_ / by_text - 1))), 1),
            "bias_percent": round(100 * float(np.median(is_ / by_text - 1)), 1),
            "correlation": round(float(np.corrcoef(is_, by_text)[0, 1]), 2),
            "text": round(float(by_text.mean()), 2),
            "sentences": len(rate),
        }
    return found


def words(told):
    """What was said of the person, live and of sentences, once the usual voice is known; and of the audio."""
    live = [second["voice"] for second in told["seconds"] if second["voice"]]
    known = [voice for voice in live if "baseline_warming" not in voice["flags"]]
    whole = [answer["voice"] for _, answer in told["segments"] if answer["voice"]]
    whole = [voice for voice in whole if "baseline_warming" not in voice["flags"]]
    count = lambda voices, of: {word: n for word in sorted({of(v) for v in voices}) if (n := sum(of(v) == word for v in voices))}  # noqa: E731
    return {
        "live": count(known, lambda v: v["category"]),
        "sentences": count(whole, lambda v: v["category"]),
        "whispers": sum(v["volume"] is not None and v["volume"]["level"] == "whisper" for v in live),
        "volume": count([v for v in known if v["volume"]], lambda v: v["volume"]["level"]),
        "rate": count([v for v in known if v["rate"]], lambda v: v["rate"]["classification"]),
        "seconds": len(live),
        "flags": {flag: sum(flag in v["flags"] for v in live) for flag in ("agc_suspected", "low_snr", "clipped")},
        "warned": {issue: [value for _, kind, value in told["warnings"] if kind == issue] for issue in sorted({kind for _, kind, _ in told["warnings"]})},
        "snr_db": next((q[0] for q in reversed(told["qualities"]) if q[0] is not None), None),
        "snr_least_db": min((q[0] for q in told["qualities"] if q[0] is not None), default=None),
        "echo_most_db": max((q[1] for q in told["qualities"] if q[1] is not None), default=None),
    }


def manner(told, begin, word):
    """Of a manner that begins there: seconds called so among the first twenty, from the second second on, and sentences among the first thirty."""
    live = [s["voice"] for s in told["seconds"] if s["voice"]]
    live = [v for v in live if begin + 1_000 <= v["startMs"] < begin + 21_000 and "short" not in v["flags"]]
    whole = [a["voice"] for _, a in told["segments"] if a["voice"] and begin <= a["voice"]["startMs"] < begin + 30_000]
    return {"live": [sum(v["category"] == word for v in live), len(live)], "sentences": [sum(v["category"] == word for v in whole), len(whole)]}


def main():
    folder, framed = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    found = {}
    for file in sorted(folder.glob("*.json")):
        name, about = file.stem, json.loads(file.read_text())
        clean = read(folder / f"{name}-clean.wav")
        truth, of = praat_pitch(clean), {}
        for path in sorted(folder.glob(f"{name}-*.told")):
            condition, told = path.stem.removeprefix(f"{name}-"), json.loads(path.read_text())
            of[condition] = words(told)
            if condition in MANNERS:
                of[condition]["manner"] = manner(told, about["manner_from"], MANNERS[condition])
            frames = framed / f"{path.stem}.frames"
            if frames.exists():
                columns = np.loadtxt(frames)
                of[condition] |= {"pitch": pitch(columns[:, 0], truth), "speech": speech(columns[:, 1] > 0, truth, clean, about["pauses"])}
            if condition == "clean":
                of[condition] |= sentences(clean, truth, about, told)
        found[name] = {key: about[key] for key in ("how", "half", "language")} | {"seconds": round(about["seconds"]), "conditions": of}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
