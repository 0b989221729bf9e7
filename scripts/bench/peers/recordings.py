"""Recordings of people, as 16 kHz WAV with what is said beside each: recordings.py SOUNDS LIST FOLDER NAME…

SOUNDS is a folder of G.722 files, LIST the packages' list `name: text`.
"""
import gzip
import pathlib
import sys
import wave

import av


def main(sounds, listed, folder, *names):
    with gzip.open(listed, "rt") as lines:
        texts = dict(line.rstrip("\n").split(": ", 1) for line in lines if ": " in line)
    for name in names:
        with av.open(str(pathlib.Path(sounds, f"{name}.g722")), format="g722") as source:
            pcm = b"".join(bytes(frame.planes[0])[: 2 * frame.samples] for frame in source.decode(audio=0))
        with wave.open(str(pathlib.Path(folder, f"{name}.wav")), "wb") as file:
            file.setparams((1, 2, 16_000, 0, "NONE", ""))
            file.writeframes(pcm)
        pathlib.Path(folder, f"{name}.txt").write_text(texts[name])


if __name__ == "__main__":
    main(*sys.argv[1:])
