"""Translates with CTranslate2: JSON lines on stdin, JSON lines on stdout.

In:  {"folder": "/models/en-es", "sentences": ["Good morning."]}
     {"folder": "/models/nllb", "from": "eng_Latn", "to": "deu_Latn", "sentences": ["Good morning."]}
Out: {"ready": "CTranslate2 4.8.5"}                  once, at the start
     {"sentences": ["Buenos días."]}                 or {"error": "why there is no translation"}

A folder holds what CTranslate2's converters leave (model.bin, config.json, the vocabulary) and the model's SentencePiece files:
`source.spm` and `target.spm` (OPUS-MT), `sentencepiece.bpe.model` (NLLB), or `sentencepiece.model` with the rest in `model/` (Argos).
A model is loaded with the first text for it.
"""

import json
import pathlib
import sys

import ctranslate2
import sentencepiece

# Two hypotheses: nearly as good as four, and nearly as fast as one.
BEAM = 2
# A translation of more than three times as many pieces has lost its way, whatever the length of the sentence.
TIMES, MORE, LONGEST = 3, 16, 256


class Model:
    def __init__(self, folder):
        inner = folder / "model"
        # As Argos packs it, or as the converters leave it.
        self.is_argos = (inner / "model.bin").exists()
        home = inner if self.is_argos else folder
        self.translator = ctranslate2.Translator(str(home), compute_type="auto", inter_threads=1, intra_threads=1)
        shared = next((folder / name for name in ("sentencepiece.bpe.model", "sentencepiece.model") if (folder / name).exists()), None)
        self.source = sentencepiece.SentencePieceProcessor(model_file=str(shared or folder / "source.spm"))
        self.target = sentencepiece.SentencePieceProcessor(model_file=str(shared or folder / "target.spm"))
        config = home / "config.json"
        said = json.loads(config.read_text()) if config.exists() else {}
        # Some converters write into the configuration that the end of the sentence is added, others leave it to the caller; models of
        # Argos were trained without.
        self.end = [] if self.is_argos or said.get("add_source_eos") else [said.get("eos_token") or "</s>"]

    def translate(self, sentences, source, target):
        begin = [source] if source else []
        texts = [begin + self.source.encode(sentence, out_type=str) + self.end for sentence in sentences]
        prefix = [[target]] * len(texts) if target else None
        most = min(LONGEST, TIMES * max(map(len, texts)) + MORE)
        answers = self.translator.translate_batch(texts, target_prefix=prefix, beam_size=BEAM, max_decoding_length=most, replace_unknowns=True)
        return [self.text(answer.hypotheses[0][len(prefix[0]) if prefix else 0 :]) for answer in answers]

    def text(self, pieces):
        return self.target.decode([piece for piece in pieces if piece not in ("</s>", "<unk>", "<pad>")]).strip()


def answer(models, ask):
    folder = pathlib.Path(ask["folder"])
    if folder not in models:
        models[folder] = Model(folder)
    return {"sentences": models[folder].translate(ask["sentences"], ask.get("from"), ask.get("to"))}


def tell(facts):
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()


def main():
    models = {}
    tell({"ready": f"CTranslate2 {ctranslate2.__version__}"})
    for line in sys.stdin:
        try:
            tell(answer(models, json.loads(line)))
        except Exception as problem:  # whatever a model or a library says, the next text may fare better
            tell({"error": f"{type(problem).__name__}: {problem}"})


if __name__ == "__main__":
    try:
        main()
    except (BrokenPipeError, KeyboardInterrupt):
        pass
