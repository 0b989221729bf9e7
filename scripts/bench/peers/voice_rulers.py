"""Other analysers of the voice: what they cost, and how exact their pitch is. Runs in `.local/rulers`; rulers only, nothing here depends on them.

    voice_rulers.py cost FILE.wav            one line of JSON: processor time per minute of audio of each, ms
    voice_rulers.py pitch FOLDER             one line of JSON: errors against the true pitch, for each condition and ruler, ours among them

One thread, one after the other. The folder is written by the test `the_signals_of_known_pitch_are_written_for_other_rulers` of worker-emotion.
"""
import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[name] = "1"

import json  # noqa: E402 (the threads come first)
import pathlib  # noqa: E402
import sys  # noqa: E402
import time  # noqa: E402
import warnings  # noqa: E402
import wave  # noqa: E402

warnings.filterwarnings("ignore")

import librosa  # noqa: E402
import numpy as np  # noqa: E402
import opensmile  # noqa: E402
import parselmouth  # noqa: E402

RATE, HOP = 16_000, 160
FLOOR, CEILING = 65, 600
SMILE = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.LowLevelDescriptors)
FEATURES = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.Functionals)
# How far the frames of a ruler may lie beside ours, in steps of 10 ms: of these the best counts for it.
SHIFTS = range(-5, 6)


def read(path):
    with wave.open(str(path)) as wav:
        assert (wav.getframerate(), wav.getnchannels()) == (RATE, 1)
        return np.frombuffer(wav.readframes(wav.getnframes()), dtype="<i2").astype(np.float64) / 32_768


def praat(x):
    pitch = parselmouth.Sound(x, RATE).to_pitch_ac(time_step=0.01, pitch_floor=FLOOR, pitch_ceiling=CEILING)
    times = (np.arange(len(x) // HOP) * HOP + HOP / 2) / RATE
    return np.nan_to_num([pitch.get_value_at_time(at) for at in times])


def praat_all(x):
    sound = parselmouth.Sound(x, RATE)
    sound.to_pitch_ac(time_step=0.01, pitch_floor=FLOOR, pitch_ceiling=CEILING)
    sound.to_intensity(time_step=0.01)


def pyin(x):
    # Its frames lie around multiples of the hop, ours in the middle between two.
    f0, voiced, _ = librosa.pyin(x[HOP // 2 :].astype(np.float32), fmin=FLOOR, fmax=CEILING, sr=RATE, hop_length=HOP, frame_length=1024)
    return np.where(voiced, np.nan_to_num(f0), 0.0)


def smile(x):
    tones = SMILE.process_signal(x.astype(np.float32), RATE)["F0semitoneFrom27.5Hz_sma3nz"].to_numpy()
    return np.where(tones > 0, 27.5 * 2 ** (tones / 12), 0.0)


RULERS = {"praat": praat, "pyin": pyin, "opensmile": smile}
COSTS = {
    "praat": praat_all,
    "pyin": pyin,
    "opensmile": lambda x: FEATURES.process_signal(x.astype(np.float32), RATE),
}


def cost(path):
    """Processor time of this process, all threads, per minute of audio, ms."""
    x, found = read(path), {}
    minutes = len(x) / RATE / 60
    for name, ruler in COSTS.items():
        ruler(x[: RATE * 2])  # compiles, loads
        before = time.process_time()
        ruler(x)
        found[name] = round((time.process_time() - before) * 1_000 / minutes, 1)
    return found


def aligned(f0, length, shift):
    """The frames, moved by so many, as many as the truth has."""
    padded = np.concatenate([np.zeros(max(0, shift)), f0[max(0, -shift) :]])[:length]
    return np.concatenate([padded, np.zeros(length - len(padded))])


def errors(pairs):
    """Over recordings of (found, true): as `worker/emotion/src/bars/score.rs` counts them."""
    found, true = (np.concatenate(side) for side in zip(*pairs))
    both = (found > 0) & (true > 0)
    ratio = found[both] / true[both]
    gross = np.abs(ratio - 1) > 0.2
    cents = np.abs(1_200 * np.log2(ratio[~gross]))
    return {
        "gross_percent": round(100 * gross.mean(), 3),
        "median_cents": round(float(np.percentile(cents, 50)), 2),
        "p95_cents": round(float(np.percentile(cents, 95)), 2),
        "voicing_percent": round(100 * ((found > 0) != (true > 0)).mean(), 2),
        "frames": len(true),
    }


def pitch(folder):
    found = {}
    for condition in ("clean", "moving", "noise10", "noise5"):
        files = sorted(pathlib.Path(folder).glob(f"{condition}-*.wav"))
        told = [np.loadtxt(file.with_suffix(".tsv")) for file in files]
        true = [column[:, 0] for column in told]
        found[condition] = {"ours": errors([(column[:, 1], column[:, 0]) for column in told])}
        for name, ruler in RULERS.items():
            heard = [ruler(read(file)) for file in files]
            tried = [errors([(aligned(f0, len(t), shift), t) for f0, t in zip(heard, true)]) for shift in SHIFTS]
            found[condition][name] = min(tried, key=lambda error: (error["median_cents"], error["voicing_percent"]))
    return found


def versions():
    return {"praat": f"Praat {parselmouth.PRAAT_VERSION}", "pyin": f"librosa {librosa.__version__}", "opensmile": f"openSMILE {opensmile.__version__}"}


result = cost(sys.argv[2]) if sys.argv[1] == "cost" else pitch(sys.argv[2])
print(json.dumps({"versions": versions(), "found": result}))
