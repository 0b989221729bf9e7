"""From the model's tokens to words with times and the marks behind them. Pure."""

from dataclasses import dataclass, field, replace

# What Transcribe tells as items of their own, behind a word.
MARKS = ".,!?;:…。，！？、；：．।؟،؛۔"
# Written without spaces, so each piece is a word; but for what is Latin in between.
UNSPACED = {"zh", "ja", "th", "lo", "my", "yue"}
# Nothing that was said.
DECORATION = set("\"“”„«»()[]{}♪♫*_~#-–— ") | set(MARKS)


@dataclass
class Word:
    text: str
    start: float
    end: float
    confidence: float
    mark: str = ""
    ids: list = field(default_factory=list)
    mark_ids: list = field(default_factory=list)

    def bare(self):
        """As it is compared: what changes its capital is the same word."""
        return self.text.casefold()


def group(ids, decode, spaced=True):
    """Splits tokens into words: [(text, ids, mark, mark ids)]. A token may hold half a letter, so they are read together."""
    pieces = []
    waiting = []
    for token in ids:
        waiting.append(token)
        text = decode(waiting)
        if "\ufffd" not in text:
            pieces.append((text, waiting))
            waiting = []
    words = []
    for text, tokens in pieces:
        bare = text.strip()
        if not bare:
            continue
        if words and all(letter in MARKS for letter in bare):
            words[-1][2] += bare
            words[-1][3] += tokens
        elif not words or text[0].isspace() or not (spaced or is_latin(words[-1][0][-1] + bare[0])):
            words.append([bare, list(tokens), "", []])
        else:
            # A mark inside a word is none: 28.8, U.S.
            words[-1][0] += words[-1][2] + bare
            words[-1][1] += words[-1][3] + tokens
            words[-1][2], words[-1][3] = "", []
    return [finish(*word) for word in words]


def is_latin(letters):
    return letters.isascii() and letters.isalnum()


def finish(text, ids, mark, mark_ids):
    """Marks that came in the same token as letters go behind them too; of several the last one counts."""
    while text and text[-1] in MARKS and not (text[-1] == "." and "." in text[:-1]):
        text, mark = text[:-1], text[-1] + mark
    return text.strip("\"“”„«»()[]{}♪♫*_~#–— "), ids, mark[-1:], mark_ids


def is_said(text):
    """Whether anything of it can be spoken."""
    return any(letter not in DECORATION for letter in text)


def timed(groups, spans, chances):
    """Words of these groups: `spans` are the tokens' own (start, end) in seconds, `chances` how likely each was; marks have theirs too."""
    words, at = [], 0
    for text, ids, mark, mark_ids in groups:
        own, at = slice(at, at + len(ids)), at + len(ids) + len(mark_ids)
        if not is_said(text):
            continue
        mine = spans[own]
        start, end = mine[0][0], max(mine[-1][1], mine[0][0] + 0.02)
        likely = min(1.0, sum(chances[own]) / max(1, len(ids)))
        words.append(Word(text, round(start, 3), round(end, 3), round(likely, 4), mark, ids, mark_ids))
    return words


def behind(words, known):
    """The words behind the known ones, and the mark behind the last of those. What was written on to it without a space is a word of
    its own: nothing that is known changes."""
    if not known or len(words) < len(known):
        return words[len(known) :], None
    last, same = known[-1], words[len(known) - 1]
    rest = words[len(known) :]
    if same.text == last.text or not same.text.startswith(last.text):
        return rest, same
    more = same.text[len(last.text) :].lstrip(MARKS + "-")
    if more:
        rest = [replace(same, text=more, start=min(same.end, max(same.start, last.end)), ids=same.ids[len(last.ids) :]), *rest]
    return rest, None


def token_spans(alignment, tokens, seconds):
    """(start, end) of each token from the pairs (token, column of 20 ms): a token lasts until the next one begins."""
    begins = [None] * tokens
    for token, column in alignment:
        if token < tokens and begins[token] is None:
            begins[token] = column * 0.02
    last = 0.0
    for n, begin in enumerate(begins):
        last = begins[n] = last if begin is None else max(last, begin)
    return [(begin, begins[n + 1] if n + 1 < tokens else seconds) for n, begin in enumerate(begins)]
