"""Makes a translation model by hand, without training and without a download: it translates word by word, by a dictionary.

    python tiny_model.py marian FOLDER good=buenos morning=días .=.        as the converters of OPUS-MT leave a model
    python tiny_model.py nllb FOLDER good=guten morning=Morgen .=.         as those of NLLB do

It is a real Transformer in CTranslate2's format with real SentencePiece models, so that tests go the way of a real one: the decoder at
each step looks, by its position, at the source's piece of the same position, and says that piece's partner. Words are told apart by one
number each, and so are positions.
"""

import json
import pathlib
import sys

import numpy as np
import sentencepiece
from ctranslate2.specs import transformer_spec

# More than `translate.py` lets a translation have pieces.
POSITIONS = 260
NLLB_LANGUAGES = ["eng_Latn", "deu_Latn", "fra_Latn"]


def pieces_of(words, file):
    """A SentencePiece model that knows these words whole."""
    marks = [word for word in words if not word[0].isalnum()]
    whole = ["\u2581" + word for word in words if word not in marks]
    with file.open("wb") as out:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter([" ".join(words)] * 20), model_writer=out, model_type="char", hard_vocab_limit=False,
            vocab_size=200, user_defined_symbols=whole + marks, minloglevel=2,
        )  # fmt: skip
    processor = sentencepiece.SentencePieceProcessor(model_proto=file.read_bytes())
    return [processor.id_to_piece(number) for number in range(processor.get_piece_size())]


def norm(layer, pattern):
    """Gains that give back a vector of this pattern as it is."""
    layer.gamma = np.full(len(pattern), pattern.std(), dtype=np.float32)
    layer.beta = np.full(len(pattern), pattern.mean(), dtype=np.float32)


def linear(layer, weight):
    layer.weight = weight.astype(np.float32)
    layer.bias = np.zeros(len(weight), dtype=np.float32)


def model(vocabulary, partner):
    """The Transformer. A vector has one place for each word and, behind them, one for each position."""
    words = len(vocabulary)
    depth = -(-(words + POSITIONS) // 8) * 8
    one, two = np.zeros(depth, np.float32), np.zeros(depth, np.float32)
    one[0] = 1
    two[:2] = 1
    word, position, nothing = np.zeros((words, depth)), np.zeros((POSITIONS, depth)), np.zeros((depth, depth))
    word[np.arange(words), np.arange(words)] = 1
    position[np.arange(POSITIONS), words + np.arange(POSITIONS)] = 1
    of_words, of_positions = np.zeros((depth, depth)), np.zeros((depth, depth))
    of_words[np.arange(words), np.arange(words)] = 1
    places = np.arange(words, words + POSITIONS)
    of_positions[places, places] = 1

    spec = transformer_spec.TransformerSpec.from_config((1, 1), 1)
    spec.encoder.scale_embeddings = spec.decoder.scale_embeddings = False
    spec.encoder.embeddings[0].weight = word.astype(np.float32)
    spec.decoder.embeddings.weight = np.zeros((words, depth), np.float32)
    for side in (spec.encoder, spec.decoder):
        side.position_encodings.encodings = position.astype(np.float32)
        norm(side.layer_norm, two)
        layer = side.layer[0]
        for part in (layer.self_attention, layer.ffn):
            norm(part.layer_norm, two)
        linear(layer.self_attention.linear[0], np.zeros((3 * depth, depth)))
        linear(layer.self_attention.linear[1], nothing)
        linear(layer.ffn.linear_0, nothing)
        linear(layer.ffn.linear_1, nothing)
    attention = spec.decoder.layer[0].attention
    norm(attention.layer_norm, one)
    # So sharp that it looks at one piece only.
    linear(attention.linear[0], 60 * np.sqrt(depth) * of_positions)
    linear(attention.linear[1], np.concatenate([of_positions, of_words]))
    linear(attention.linear[2], of_words)
    says = np.zeros((words, depth))
    for source, target in partner.items():
        says[target, source] = 20
    linear(spec.decoder.projection, says)
    return spec


def save(spec, folder, vocabulary, **config):
    spec.register_source_vocabulary(vocabulary)
    spec.register_target_vocabulary(vocabulary)
    for key, value in config.items():
        setattr(spec.config, key, value)
    spec.validate()
    spec.save(str(folder))


def marian(folder, pairs):
    """`model.bin`, `shared_vocabulary.json`, `source.spm`, `target.spm`; the end of the sentence is part of the source."""
    source = pieces_of([word for word, _ in pairs], folder / "source.spm")
    target = pieces_of([word for _, word in pairs], folder / "target.spm")
    vocabulary = list(dict.fromkeys(["</s>", "<unk>", "<pad>", *source, *target]))
    number = {piece: n for n, piece in enumerate(vocabulary)}
    partner = {number[piece]: number[piece] for piece in source if piece in target} | {number["</s>"]: number["</s>"]}
    partner |= translations(number, pairs)
    save(
        model(vocabulary, partner), folder, vocabulary,
        unk_token="<unk>", bos_token="", eos_token="</s>", decoder_start_token="<pad>", add_source_eos=True,
    )  # fmt: skip


def nllb(folder, pairs):
    """`model.bin`, `shared_vocabulary.json`, `sentencepiece.bpe.model`; languages are tokens."""
    pieces = pieces_of([word for pair in pairs for word in dict.fromkeys(pair)], folder / "sentencepiece.bpe.model")
    vocabulary = list(dict.fromkeys(["<s>", "<pad>", "</s>", "<unk>", *pieces, *NLLB_LANGUAGES]))
    number = {piece: n for n, piece in enumerate(vocabulary)}
    partner = {n: n for n in number.values()} | translations(number, pairs)
    save(
        model(vocabulary, partner), folder, vocabulary,
        unk_token="<unk>", bos_token="<s>", eos_token="</s>", decoder_start_token="</s>",
    )  # fmt: skip


def translations(number, pairs):
    def piece(word):
        return number["\u2581" + word if word[0].isalnum() else word]

    return {piece(source): piece(target) for source, target in pairs}


def main():
    kind, folder, *pairs = sys.argv[1:]
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    {"marian": marian, "nllb": nllb}[kind](folder, [tuple(pair.split("=", 1)) for pair in pairs])
    print(json.dumps(sorted(file.name for file in folder.iterdir())))


if __name__ == "__main__":
    main()
