"""Recognises English speech with PocketSphinx: PCM on stdin, JSON lines on stdout.

In:  16 kHz, mono, signed 16-bit little-endian samples, until the end of the file.
Out: {"event": "ready", "engine": "pocketsphinx 5.1.1", "model": "en-us"}
     {"event": "partial", "utterance": 1, "start": 0.48, "end": 1.2, "words": [["good", 0.62, 0.76, 0.98]]}
     {"event": "final", ...the same...}          times are seconds of audio since the first sample
     {"event": "end"}                            everything heard has been told
"""

import importlib.metadata
import json
import os
import sys
from collections import deque

from pocketsphinx import Decoder, Endpointer, Vad, set_loglevel

RATE = 16_000
# Audio kept before speech is noticed: the endpointer looks at 0.3 s to make up its mind, and the consonant that
# opens a word is often too soft for it.
PRE_ROLL = 0.51
# How often a partial is told, in seconds of audio.
EVERY = 0.2
# Later than this behind the speaker, partials are skipped: finals matter more.
LATE = 0.6
# After so long an utterance ends at the next short pause; and without one, here.
LONG, LONGEST = 12.0, 20.0
# A short pause: so many frames (of 30 ms) without speech.
PAUSE_FRAMES = 4
# Silence added after the last words when the stream stops in the middle of them: the decoder wants to see an end.
TAIL = bytes(int(RATE * 0.3) * 2)


def tell(event, **facts):
    sys.stdout.write(json.dumps({"event": event, **facts}) + "\n")
    sys.stdout.flush()


class Listener:
    def __init__(self):
        set_loglevel("FATAL")
        self.decoder = Decoder()
        self.ears = Endpointer(sample_rate=RATE)
        self.vad = Vad(mode=Vad.LOOSE, sample_rate=RATE, frame_length=self.ears.frame_length)
        self.frame_bytes = self.ears.frame_bytes
        self.frame_seconds = self.frame_bytes / 2 / RATE
        self.before = deque(maxlen=round(PRE_ROLL / self.frame_seconds))
        self.frames = 0
        self.utterance = 0
        self.open = False
        self.warm_up()

    def warm_up(self):
        """The first utterance pays for the tables that are made on demand: let it be one of silence."""
        self.decoder.start_utt()
        self.decoder.process_raw(bytes(RATE), no_search=False, full_utt=False)
        self.decoder.end_utt()
        self.decoder.reinit_feat()

    def now(self):
        return self.frames * self.frame_seconds

    def hear(self, frame, late):
        self.frames += 1
        self.ears.process(frame)
        if self.open:
            self.decoder.process_raw(frame, no_search=False, full_utt=False)
            self.quiet = 0 if self.vad.is_speech(frame) else self.quiet + 1
            length = self.now() - self.start
            if not self.ears.in_speech:
                self.close()
            elif (length >= LONG and self.quiet >= PAUSE_FRAMES) or length >= LONGEST:
                self.close()
                self.begin()
            elif not late and self.now() >= self.next_partial:
                self.partial()
        else:
            self.before.append(frame)
            if self.ears.in_speech:
                self.begin()

    def begin(self):
        self.utterance += 1
        self.open = True
        self.told = []
        self.quiet = 0
        self.start = self.now() - len(self.before) * self.frame_seconds
        self.next_partial = self.now() + EVERY
        self.decoder.start_utt()
        for frame in self.before:
            self.decoder.process_raw(frame, no_search=False, full_utt=False)
        self.before.clear()

    def partial(self):
        self.next_partial = self.now() + EVERY
        words = self.words()
        if words:
            self.told = words
            self.report("partial", words)

    def close(self):
        self.decoder.end_utt()
        self.open = False
        # Having said something, it can't have been nothing.
        words = self.words() or self.told
        if words:
            self.report("final", words)

    def report(self, event, words):
        tell(event, utterance=self.utterance, start=words[0][1], end=words[-1][2], words=words)

    def words(self):
        """What is understood so far: [word, start, end, confidence]."""
        found = []
        for segment in self.decoder.seg() or ():
            word = segment.word
            if word[0] in "<[+":
                continue
            found.append(
                [
                    word.split("(")[0],
                    round(self.start + segment.start_frame / 100, 3),
                    round(self.start + (segment.end_frame + 1) / 100, 3),
                    round(min(1.0, max(0.0, segment.prob)), 4),
                ]
            )
        return found

    def stop(self, rest):
        """The stream has ended: whatever is still open is told."""
        if not self.open and sum(self.vad.is_speech(frame) for frame in self.before) >= 3:
            self.begin()
        if self.open:
            self.decoder.process_raw(rest + TAIL, no_search=False, full_utt=False)
            self.close()


def main():
    listener = Listener()
    tell("ready", engine="pocketsphinx " + importlib.metadata.version("pocketsphinx"), model="en-us")
    size = listener.frame_bytes
    waiting = b""
    while True:
        audio = os.read(0, 1 << 16)
        if not audio:
            break
        waiting += audio
        at = 0
        while len(waiting) - at >= size:
            late = (len(waiting) - at) / 2 / RATE > LATE
            listener.hear(waiting[at : at + size], late)
            at += size
        waiting = waiting[at:]
    listener.stop(waiting)
    tell("end")


if __name__ == "__main__":
    try:
        main()
    except (BrokenPipeError, KeyboardInterrupt):
        pass
