"""The model: CTranslate2 and the tokens' texts. The only module that computes for long."""

import os
import time
from dataclasses import dataclass

import ctranslate2
import tokenizers

from hearing import trust
from hearing.mel import Mel, RATE
from hearing.words import UNSPACED, group, timed, token_spans

# The model was made for 30 s; shorter windows cost less. Under 8 s the small model begins to repeat itself, and so it does
# without some silence at the end.
SHORTEST, SILENCE, WHOLE = 8.0, 2.0, 30.0


@dataclass
class Decode:
    """What was understood; `cost` is the processor time of the process: the library computes in threads of its own."""

    words: list
    cost: float = 0.0
    language: str = ""


class Model:
    def __init__(self, folder):
        self.folder = folder
        self.net = ctranslate2.models.Whisper(folder, device="cpu", compute_type="int8", intra_threads=1, inter_threads=1)
        self.tokens = tokenizers.Tokenizer.from_file(os.path.join(folder, "tokenizer.json"))
        self.start = self.id("<|startoftranscript|>")
        self.plain = self.id("<|notimestamps|>")
        self.eot = self.id("<|endoftext|>")
        self.mel = Mel(self.net.n_mels)
        self.multilingual = self.net.is_multilingual
        vocabulary = self.tokens.get_vocab()
        self.languages = sorted(
            text[2:-2] for text, token in vocabulary.items() if self.start < token < self.id("<|translate|>") and len(text) in (6, 7)
        ) if self.multilingual else ["en"]  # fmt: skip

    def id(self, text):
        return self.tokens.token_to_id(text)

    def text(self, ids):
        return self.tokens.decode(ids, skip_special_tokens=False)

    def prompt(self, language):
        if not self.multilingual:
            return [self.start]
        return [self.start, self.id(f"<|{language}|>"), self.id("<|transcribe|>")]

    def identify(self, samples, options):
        """Which of these languages it most likely is, and how likely each."""
        encoded = self.encode(samples, max(SHORTEST, len(samples) / RATE + SILENCE))
        chances = {name[2:-2]: chance for name, chance in self.net.detect_language(encoded)[0]}
        return {option: chances.get(option, 0.0) for option in options}

    def encode(self, samples, seconds):
        return self.net.encode(ctranslate2.StorageView.from_array(self.mel.of(samples, min(WHOLE, seconds))), to_cpu=False)

    def decode(self, samples, language, prefix=()):
        """Words of these samples; `prefix` are tokens that are known already: the text goes on behind them, and holds them."""
        begin = time.process_time()
        seconds = len(samples) / RATE
        words = []
        for window in (max(SHORTEST, seconds + SILENCE), WHOLE):
            words = self.attempt(samples, seconds, window, language, list(prefix))
            circle = trust.loop([word.bare() for word in words])
            if circle is None:
                break
            words = words[:circle]
        return Decode(words, time.process_time() - begin, language)

    def attempt(self, samples, seconds, window, language, prefix):
        encoded = self.encode(samples, window)
        prompt = self.prompt(language)
        known = len(prompt) + 1 + len(prefix)
        found = self.net.generate(
            encoded, [[*prompt, self.plain, *prefix]], beam_size=1, max_length=known + max(4, trust.cap(seconds) - len(prefix)),
            return_scores=True, return_no_speech_prob=True,
        )[0]  # fmt: skip
        said = [token for token in found.sequences_ids[0] if token < self.eot]
        if trust.guessing(found.scores[0], found.no_speech_prob):
            said = []
        # The result begins with what was known.
        ids = said if said[: len(prefix)] == prefix else prefix + said
        if not ids:
            return []
        aligned = self.net.align(encoded, prompt, [ids], max(1, round(seconds * 100)), median_filter_width=7)[0]
        spans = token_spans(aligned.alignments, len(ids), seconds)
        return timed(group(ids, self.text, language not in UNSPACED), spans, list(aligned.text_token_probs))

