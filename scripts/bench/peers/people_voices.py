"""Sessions of people, from recordings that Debian's packages hold. Runs in `.local/people`; nothing of a recording is kept in the repository.

    people_voices.py PACKAGES OUT [SPEAKER …]      one line of JSON: what was made

PACKAGES is a folder with each package unpacked into a folder of its name. For each speaker, sentences are drawn from a seed and put one after
another with pauses of faint noise between them. OUT gets `SPEAKER-CONDITION.wav` (16 kHz, 16 bit, mono), beside it `.segments` (begin and end of
each sentence, ms), and `SPEAKER.json`: pauses, sentences and, where the package tells the text, syllables.
"""
import gzip
import io
import json
import pathlib
import random
import re
import subprocess
import sys
import wave

import av
import numpy as np
import parselmouth
import scipy.signal
import soundfile

RATE, HOP = 16_000, 160
# Speech of one speaker, s, and the length of the sentences, s.
SPEECH_S, SENTENCE_S = 150, (2.0, 20.0)
PAUSES_S = (0.5, 1.2)
ASTERISK = "asterisk-core-sounds-{0}-g722/usr/share/asterisk/sounds"
FILLETS = "fillets-ng-data-{0}/usr/share/games/fillets-ng/sound"

# How each was recorded, for which half of the work (thresholds may be set from `tune`, and are reported on `held`), files, and the language of the text.
# Nobody but ve9qrp, the reader of pocketsphinx-testdata and the voices of the game is sure to have spoken for anything but a telephone system.
SPEAKERS = {
    "en-allison": ("studio", "tune", ASTERISK.format("en"), "*.g722", "en-us"),
    "es-allison": ("studio", "tune", ASTERISK.format("es"), "*.g722", "es-419"),
    "it-carlo": ("studio", "tune", ASTERISK.format("it"), "*.g722", "it"),
    "es-july": ("telephone", "tune", "asterisk-prompt-es-co/usr/share/asterisk/sounds", "*.gsm", None),
    "cs-big": ("actor", "tune", FILLETS.format("cs"), "*-v-*.ogg", "cs"),
    "cs-small": ("actor", "tune", FILLETS.format("cs"), "*-m-*.ogg", "cs"),
    "fr-june": ("studio", "held", ASTERISK.format("fr"), "*.g722", "fr"),
    "ru-ivrvoice": ("studio", "held", ASTERISK.format("ru"), "*.g722", "ru"),
    "it-paola": ("telephone", "held", "asterisk-prompt-it-menardi-wav/usr/share/asterisk/sounds", "*.wav", None),
    "fr-armelle": ("telephone", "held", "asterisk-prompt-fr-armelle/usr/share/asterisk/sounds", "*.gsm", None),
    "en-ve9qrp": ("radio", "held", "codec2-examples/usr/share/codec2/wav", "ve9qrp.wav", None),
    "en-librivox": ("audiobook", "held", "pocketsphinx-testdata/usr/share/pocketsphinx/test/data/librivox", "*.wav", "en-us"),
    "nl-big": ("actor", "held", FILLETS.format("nl"), "*-v-*.ogg", "nl"),
    "nl-small": ("actor", "held", FILLETS.format("nl"), "*-m-*.ogg", "nl"),
}
# One recording without a cut, with the pauses of its speaker.
WHOLE = ("en-ve9qrp",)


def decode(path):
    """Numbers around ±1 at 16 kHz."""
    form = {".g722": "g722", ".gsm": "gsm"}.get(path.suffix)
    pieces, resampler = [], av.AudioResampler("flt", "mono", RATE)
    with av.open(str(path), format=form) as sound:
        for frame in [*sound.decode(audio=0), None]:
            pieces += [piece.to_ndarray()[0] for piece in resampler.resample(frame)]
    return np.concatenate(pieces).astype(np.float64) if pieces else np.zeros(0)


def levels(x):
    """dBFS of each 10 ms."""
    hops = x[: len(x) // HOP * HOP].reshape(-1, HOP)
    return 10 * np.log10((hops**2).mean(axis=1) + 1e-10)


def trimmed(x):
    """Without the silence before and after, but for 100 ms of it."""
    sounds = np.nonzero(levels(x) > levels(x).max(initial=-99) - 40)[0]
    return x[max(0, sounds[0] - 10) * HOP : (sounds[-1] + 11) * HOP] if len(sounds) else x[:0]


def texts(packages, name):
    """Text of each file, by its name without ending."""
    _, _, _, pattern, language = SPEAKERS[name]
    if language is None:
        return {}
    if pattern == "*.g722":
        package = packages / f"asterisk-core-sounds-{name[:2]}"
        lines = gzip.decompress(next(package.glob("usr/share/doc/*/core-sounds-*.txt.gz")).read_bytes()).decode("utf-8", "replace").splitlines()
        return dict(line.split(": ", 1) for line in lines if ": " in line and not line.startswith(";"))
    if name == "en-librivox":
        lines = (packages / SPEAKERS[name][2] / "transcription").read_text().splitlines()
        return {found[2]: found[1] for found in re.finditer(r"<s> (.*) </s> \((.*)\)", "\n".join(lines))}
    told = {}
    for file in (packages / "fillets-ng-data/usr/share/games/fillets-ng/script").glob(f"*/dialogs_{language}.lua"):
        found = re.findall(r'dialogId\("([^"]+)".*\)\s*dialogStr\("(.*)"\)', file.read_text("utf-8", "replace"))
        told.update({f"{file.parent.name}/{key}": text for key, text in found})
    return told


def text_of(told, path):
    """The text of this file, if it is one that can be read as it is."""
    folders = path.parts
    keys = [path.stem, f"{path.parent.name}/{path.stem}", f"{folders[-3]}/{path.stem}"]
    text = next((told[key].strip() for key in keys if key in told), None)
    return text if text and not re.search(r"[\[\](){}<>�%\\]|\w\?\w|\d\d", text) else None


def syllables(language, sentences):
    """By the phones of espeak-ng: each holds one vowel, or a consonant that stands for one."""
    said = [re.sub(r"\s+", " ", text) for text in sentences]
    counts = []
    for text in said:
        phones = subprocess.run(["espeak-ng", "-q", "--ipa", "--sep=_", "-v", language, text], capture_output=True, text=True, check=True).stdout
        counts.append(len([p for p in re.split(r"[_\s]+", phones) if re.search("[aeiouyæøœɐɑɒɔəɘɚɛɜɞɤɨɪɯɵʉʊʌʏɶɝᵻ\u0329]", p)]))
    return counts


def pause(chance, around):
    """Noise as faint as the quietest of what it follows."""
    quiet = min(-60.0, float(np.percentile(levels(around), 3)))
    length = int(chance.uniform(*PAUSES_S) * RATE)
    return 10 ** (max(quiet, -90.0) / 20) * np.random.default_rng(length).standard_normal(length)


def session(packages, name):
    """What one speaker says, the sentences (begin, end, ms, text) and the pauses made between them (begin, end, ms)."""
    _, _, folder, pattern, _ = SPEAKERS[name]
    told, chance = texts(packages, name), random.Random(name)
    files = sorted((packages / folder).rglob(pattern))
    chance.shuffle(files)
    parts, sentences, pauses, at, speech = [np.zeros(RATE // 2)], [], [], RATE // 2, 0
    for file in files:
        text = text_of(told, file)
        if told and text is None:
            continue
        x = decode(file) if name in WHOLE else trimmed(decode(file))
        if name not in WHOLE and not SENTENCE_S[0] * RATE <= len(x) <= SENTENCE_S[1] * RATE:
            continue
        sentences.append((at // 16, (at + len(x)) // 16, text))
        gap = pause(chance, x)
        parts += [x, gap]
        pauses.append(((at + len(x)) // 16, (at + len(x) + len(gap)) // 16))
        at, speech = at + len(x) + len(gap), speech + len(x)
        if speech >= SPEECH_S * RATE:
            break
    return np.concatenate(parts), sentences, pauses


def noise(length, seed):
    """Pink, of unit strength."""
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(length))
    spectrum /= np.sqrt(np.maximum(np.arange(len(spectrum)), 40 * length / RATE))
    pink = np.fft.irfft(spectrum, length)
    return pink / pink.std()


def active(x):
    """Strength of the speech without its pauses."""
    hops = levels(x)
    return np.sqrt((10 ** (hops[hops > hops.max() - 30] / 10)).mean())


def room(x, seconds=0.5, direct_db=3.0):
    """A room whose sound fades by 60 dB in so long, the direct voice so far above it."""
    length = int(seconds * RATE)
    tail = np.random.default_rng(5).standard_normal(length) * 10 ** (-3 * np.arange(length) / length)
    tail[: RATE // 400] = 0
    tail *= 10 ** (-direct_db / 20) / np.sqrt((tail**2).sum())
    return x + scipy.signal.fftconvolve(x, tail)[: len(x)]


def delayed(x, ms, db):
    late = np.zeros_like(x)
    late[ms * 16 :] = x[: -ms * 16]
    return x + late * 10 ** (db / 20)


def levelled(x):
    """Hard gain control: brings the speech to -20 dBFS, in 20 ms when it gets louder and in 300 ms when softer; it rests in pauses."""
    gains, gain, usual, peak = [], 0.0, None, -60.0
    for level in levels(x):
        peak = max(peak - 0.05, level)
        if level > max(peak - 20, -60):
            usual = level if usual is None else usual + (level - usual) * (1 - np.exp(-0.01 / (0.02 if level > usual else 0.3)))
            gain = float(np.clip(-20 - usual, -20, 30))
        gains.append(gain)
    return x[: len(gains) * HOP] * np.repeat(10 ** (np.array(gains) / 20), HOP)


def through(x, codec, form, rate):
    """Encoded and decoded again."""
    file = io.BytesIO()
    with av.open(file, "w", format=form) as out:
        stream = out.add_stream(codec, rate=rate, layout="mono")
        if codec == "libopus":
            stream.bit_rate = 24_000
        resampler = av.AudioResampler(stream.format, "mono", rate, frame_size=stream.codec_context.frame_size or 0)
        frame = av.AudioFrame.from_ndarray(np.round(np.clip(x, -1, 1 - 2**-15) * 32_768).astype(np.int16)[None], "s16", "mono")
        frame.sample_rate = RATE
        for piece in [*resampler.resample(frame), *resampler.resample(None)]:
            out.mux(stream.encode(piece))
        out.mux(stream.encode(None))
    file.seek(0)
    pieces, resampler = [], av.AudioResampler("flt", "mono", RATE)
    with av.open(file) as sound:
        for piece in [*sound.decode(audio=0), None]:
            pieces += [p.to_ndarray()[0] for p in resampler.resample(piece)]
    y = np.concatenate(pieces).astype(np.float64)[: len(x)]
    return np.concatenate([y, np.zeros(len(x) - len(y))])


def gsm(x):
    """Full rate GSM at 8 kHz."""
    file = io.BytesIO()
    soundfile.write(file, scipy.signal.resample_poly(x, 1, 2), 8_000, format="WAV", subtype="GSM610")
    file.seek(0)
    y = scipy.signal.resample_poly(soundfile.read(file)[0], 2, 1)[: len(x)]
    return np.concatenate([y, np.zeros(len(x) - len(y))])


def manner_from(sentences):
    """Sample from which on a manner is changed: a sentence's begin after 60 % of the session, or within the only one."""
    end = sentences[-1][1]
    return 16 * min((begin for begin, _, _ in sentences if begin >= 0.6 * end), default=int(0.6 * end))


def with_manner(x, sentences, db, semitones, shelf_db):
    """From there on louder, higher and sharper (or less so), by resynthesis (overlap and add), in the steps of vocal effort."""
    begin = manner_from(sentences)
    sound = parselmouth.Sound(x[begin:], RATE)
    manipulation = parselmouth.praat.call(sound, "To Manipulation", 0.01, 65, 600)
    tier = parselmouth.praat.call(manipulation, "Extract pitch tier")
    parselmouth.praat.call(tier, "Multiply frequencies", 0, 1e6, 2 ** (semitones / 12))
    parselmouth.praat.call([tier, manipulation], "Replace pitch tier")
    changed = parselmouth.praat.call(manipulation, "Get resynthesis (overlap-add)").values[0]
    spectrum = np.fft.rfft(changed)
    above = np.clip((np.fft.rfftfreq(len(changed), 1 / RATE) - 800) / 400, 0, 1)
    changed = np.fft.irfft(spectrum * 10 ** (above * shelf_db / 20), len(changed))
    return np.concatenate([x[:begin], changed * 10 ** (db / 20)])


# What is done to a session: for each condition a function of the speech and its strength.
CONDITIONS = {
    "clean": lambda x, _: x,
    "quiet": lambda x, rms: x * 10 ** (-40 / 20) / rms,
    "silent": lambda x, rms: x * 10 ** (-60 / 20) / rms,
    "clipped": lambda x, rms: x * 10 ** (-3 / 20) / rms,
    "noise30": lambda x, rms: x + noise(len(x), 1) * rms * 10 ** (-30 / 20),
    "noise15": lambda x, rms: x + noise(len(x), 2) * rms * 10 ** (-15 / 20),
    "noise10": lambda x, rms: x + noise(len(x), 3) * rms * 10 ** (-10 / 20),
    "echo10": lambda x, _: delayed(x, 200, -10) * 0.7,
    "echo25": lambda x, _: delayed(x, 120, -25),
    "room": lambda x, _: room(x) * 0.7,
    "mulaw": lambda x, _: through(x, "pcm_mulaw", "wav", 8_000),
    "gsm": lambda x, _: gsm(x),
    "opus": lambda x, _: through(x, "libopus", "ogg", 48_000),
    "agc": lambda x, _: levelled(x),
}
# Of those who speak for long enough: dB, semitones, dB above 1 kHz.
MANNERS = {"raised": (6, 4, 4), "lowered": (-6, -3, -4)}


def write(path, x):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(np.round(np.clip(x, -1, 1 - 2**-15) * 32_768).astype("<i2").tobytes())


def main():
    packages, out, chosen = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3:] or list(SPEAKERS)
    told = {}
    for name in chosen:
        how, half, _, _, language = SPEAKERS[name]
        x, sentences, pauses = session(packages, name)
        counts = syllables(language, [text for _, _, text in sentences]) if language else []
        rms = active(x)
        for condition, change in CONDITIONS.items():
            write(out / f"{name}-{condition}.wav", change(x, rms))
            (out / f"{name}-{condition}.segments").write_text("".join(f"{begin}\t{end}\n" for begin, end, _ in sentences))
        for manner, change in MANNERS.items() if len(x) > 100 * RATE else ():
            write(out / f"{name}-{manner}.wav", with_manner(0.4 * x, sentences, *change))
            (out / f"{name}-{manner}.segments").write_text("".join(f"{begin}\t{end}\n" for begin, end, _ in sentences))
        of = {"manner_from": manner_from(sentences) // 16, "how": how, "half": half, "language": name[:2], "seconds": len(x) / RATE, "sentences": [s[:2] for s in sentences], "pauses": pauses, "syllables": counts}
        (out / f"{name}.json").write_text(json.dumps(of))
        told[name] = {key: of[key] for key in ("how", "half", "language")} | {"seconds": round(of["seconds"], 1), "sentences": len(sentences)}
    print(json.dumps(told))


if __name__ == "__main__":
    main()
