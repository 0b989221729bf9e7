"""Speaks a talk, sentence by sentence, with flite, and tells when each sentence is said: `talk.py TEXT FOLDER` writes FOLDER/talk.wav and
FOLDER/talk.yaml (offset and duration of each sentence in seconds, as the rulers of simultaneous translation read them).

The repository holds no recording of this talk: the same program and voice make the same audio everywhere.
"""
import pathlib
import subprocess
import sys
import tempfile
import wave

VOICE, RATE = "rms", 16_000
# Silence before the first sentence and behind each, seconds: a speaker takes a breath.
BEFORE, BEHIND = 0.3, 0.6


def spoken(sentence, folder):
    """The sentence's samples."""
    file = folder / "sentence.wav"
    subprocess.run(["flite", "-voice", VOICE, "-t", sentence, "-o", str(file)], check=True)
    with wave.open(str(file)) as source:
        if (source.getframerate(), source.getnchannels(), source.getsampwidth()) != (RATE, 1, 2):
            sys.exit(f"talk: flite's voice {VOICE} speaks in another format here: {source.getparams()}")
        return source.readframes(source.getnframes())


def silence(seconds):
    return bytes(2 * round(seconds * RATE))


def main():
    text, folder = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    audio, segments = bytearray(silence(BEFORE)), []
    with tempfile.TemporaryDirectory() as scratch:
        for sentence in text.read_text().splitlines():
            offset, samples = len(audio) / 2 / RATE, spoken(sentence, pathlib.Path(scratch))
            segments.append(f"- {{wav: talk.wav, offset: {offset:.3f}, duration: {len(samples) / 2 / RATE:.3f}}}\n")
            audio += samples + silence(BEHIND)
    with wave.open(str(folder / "talk.wav"), "wb") as out:
        out.setparams((1, 2, RATE, 0, "NONE", "not compressed"))
        out.writeframes(audio)
    (folder / "talk.yaml").write_text("".join(segments))
    print(f"{len(audio) / 2 / RATE:.1f}")


if __name__ == "__main__":
    main()
