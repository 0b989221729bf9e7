"""Words of a script against words that were understood, whatever way numbers are written. Pure."""
import re

UNITS = {
    word: n
    for n, word in enumerate(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split()
    )
}
TENS = {word: 10 * n for n, word in enumerate("twenty thirty forty fifty sixty seventy eighty ninety".split(), 2)}
DIGITS = re.compile(r"[\d.,]*\d")


def is_number(word):
    return word in UNITS or word in TENS or word in ("hundred", "thousand", "oh", "point") or bool(DIGITS.fullmatch(word))


def number(run):
    """"twenty eight point eight" and 28.8, "five hundred" and 500, "four two four two" and 4242: one word each."""
    text, value = "", None

    def flush():
        return "" if value is None else str(value)

    for word in run:
        if DIGITS.fullmatch(word):
            text, value = text + flush() + word.replace(",", ""), None
        elif word == "point":
            text, value = text + flush() + ".", None
        elif word == "oh":
            text, value = text + flush() + "0", None
        elif word in ("hundred", "thousand"):
            value = (value or 1) * (100 if word == "hundred" else 1_000)
        else:
            amount = UNITS.get(word, TENS.get(word))
            fits = value and (value % 100 == 0 or (value >= 20 and value % 10 == 0 and 0 < amount < 10))
            if not fits:
                text, value = text + flush(), 0
            value += amount
    return text + flush()


def words(text):
    """In lower case, without marks, each number one word."""
    bare = (re.sub(r"^[^\w]+|[^\w]+$", "", word) for word in text.lower().replace("-", " ").replace("’", "'").split())
    found, run = [], []
    for word in [*filter(None, bare), ""]:
        if is_number(word):
            run.append(word)
            continue
        if run:
            found.append(number(run))
            run = []
        if word:
            found.append(word)
    return found


def wrong(script, heard):
    """The least number of words that must be changed, added or taken away."""
    row = list(range(len(heard) + 1))
    for at, word in enumerate(script):
        diagonal, row[0] = row[0], at + 1
        for to, other in enumerate(heard):
            diagonal, row[to + 1] = row[to + 1], min(diagonal + (word != other), row[to] + 1, row[to + 1] + 1)
    return row[-1]


def taken_back(told):
    """Words that were shown and then changed or taken away, of one utterance's texts in their order."""
    count = 0
    for before, after in zip(told, told[1:]):
        same = next((n for n, (a, b) in enumerate(zip(before, after)) if a != b), min(len(before), len(after)))
        count += len(before) - same
    return count
