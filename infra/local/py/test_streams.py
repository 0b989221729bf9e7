"""Several streams of one recogniser, without its model: `python -m unittest discover infra/local/py`. Numpy is all it needs."""

import io
import json
import os
import sys
import types
import unittest

sys.path.insert(0, os.path.dirname(__file__))

from hearing import serve
from hearing.words import Word


class Streams(unittest.TestCase):
    class Model:
        languages = ["en", "es"]

        def __init__(self):
            self.identified = 0

        def decode(self, samples, language, prefix):
            return types.SimpleNamespace(cost=0.1, words=[Word("hola" if language == "es" else "hello", 0.1, 0.4, 0.9, ".", [1], [2])] if len(samples) > 8_000 else [])

        def identify(self, samples, options):
            self.identified += 1
            return {option: float(option == "es") for option in options}

    def run_streams(self, frames):
        told = []
        server = serve.Server(self.Model(), lambda: lambda chunk: 0.9 if any(chunk) else 0.0, lambda event, **facts: told.append({"event": event, **facts}))
        source = io.BytesIO(b"".join(serve.HEAD.pack(kind, number, len(body)) + body for kind, number, body in frames))
        serve.read(source, server.take_in)
        while due := [stream for stream in server.streams.values() if stream.due()]:
            for stream in due:
                server.turn(stream, 1)
        return server, told

    LONG = b"\1\1" * 80_000 + bytes(32_000)
    SPEECH = b"\1\1" * 16_000 + bytes(32_000)

    def test_two_streams_are_heard_side_by_side(self):
        wishes = json.dumps({"language": "en", "margin": 0.6}).encode()
        frames = [(b"O", 1, wishes), (b"O", 2, wishes), (b"A", 1, self.SPEECH), (b"A", 2, self.SPEECH), (b"E", 1, b""), (b"E", 2, b"")]
        server, told = self.run_streams(frames)
        finals = [(line["stream"], line["words"][0][0]) for line in told if line["event"] == "final"]
        self.assertEqual(sorted(finals), [(1, "hello"), (2, "hello")])
        self.assertEqual([line["stream"] for line in told if line["event"] == "end"], [1, 2])
        self.assertEqual(server.streams, {})

    def test_a_language_that_is_not_given_is_found_out_once(self):
        wishes = json.dumps({"language": None, "options": ["en", "es"], "each": False, "margin": None}).encode()
        asked = []
        for talk in (self.LONG, self.LONG + self.SPEECH):
            server, told = self.run_streams([(b"O", 1, wishes), (b"A", 1, talk), (b"E", 1, b"")])
            self.assertEqual({(line["language"], line["words"][0][0]) for line in told if line["event"] == "final"}, {("es", "hola")})
            asked.append(server.model.identified)
        self.assertEqual(asked[0], asked[1], "what is sure is not asked again")

    def test_a_stream_that_nobody_listens_to_is_forgotten(self):
        wishes = json.dumps({"language": "en", "margin": None}).encode()
        server, told = self.run_streams([(b"O", 1, wishes), (b"A", 1, self.SPEECH), (b"X", 1, b"")])
        self.assertEqual((server.streams, told), ({}, []))

    def test_one_stream_that_cannot_be_opened_does_not_break_the_others(self):
        wishes = json.dumps({"language": "en", "margin": None}).encode()
        broken = json.dumps({"language": None, "options": [], "each": False, "margin": None}).encode()
        frames = [(b"O", 1, broken), (b"A", 1, self.SPEECH), (b"O", 2, wishes), (b"A", 2, self.SPEECH), (b"E", 1, b""), (b"E", 2, b"")]
        server, told = self.run_streams(frames)
        self.assertEqual([(line["event"], line["stream"]) for line in told if line["event"] in ("broken", "end")], [("broken", 1), ("end", 2)])
        self.assertEqual(server.streams, {})

    def test_one_stream_that_breaks_does_not_break_the_others(self):
        wishes = json.dumps({"language": "en", "margin": None}).encode()
        told = []
        server = serve.Server(self.Model(), lambda: lambda chunk: 0.9 if any(chunk) else 0.0, lambda event, **facts: told.append((event, facts["stream"])))
        for number in (1, 2):
            server.take_in(b"O", number, wishes)
            server.take_in(b"A", number, self.SPEECH)
            server.take_in(b"E", number, b"")
        server.streams[1].ear.decode = None
        for stream in list(server.streams.values()):
            for _ in range(20):
                if stream.number in server.streams:
                    server.turn(stream, 1)
        self.assertIn(("broken", 1), told)
        self.assertIn(("end", 2), told)


if __name__ == "__main__":
    unittest.main()
