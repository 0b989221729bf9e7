"""Local agreement: what two decodes in a row have in common at their beginnings is right nearly always. Pure."""

SENTENCE = ".!?…。！？।؟"
CLAUSE = ",;:，、；：،"
# An utterance so long (seconds) is cut behind a sentence; then behind a clause; then behind any word.
LONG, LONGER, LONGEST = 7.0, 9.5, 11.0
# Seconds from a word's end after which it is reliable, agreed on or not.
AGE = 1.0


def common(one, other):
    """How many words two decodes have in common at their beginnings."""
    count = 0
    for a, b in zip(one, other):
        if a.bare() != b.bare():
            break
        count += 1
    return count


def old(words, heard):
    """How many words were said so long ago that what comes behind them changes them no more."""
    return sum(word.end <= heard - AGE for word in words)


def settled(words, agreed, heard, margin):
    """How many words will not change any more: agreed on, and `margin` seconds older than the audio heard."""
    count = 0
    while count < agreed and words[count].end <= heard - margin:
        count += 1
    return count


def cut(words, reliable, stable, length):
    """How many words a long utterance ends with, or None: never within what is stable already, because that stays together, and
    never behind the first `reliable` words."""

    def ends(marks):
        return next((n for n in range(reliable, max(stable, 1) - 1, -1) if words[n - 1].mark and words[n - 1].mark in marks), None)

    # Behind the last word there is nothing to cut from.
    reliable = min(reliable, len(words) - 1)
    at = ends(SENTENCE) if length >= LONG else None
    if at is None and length >= LONGER:
        at = ends(CLAUSE)
    if at is None and length >= LONGEST:
        at = max(stable, reliable)
    return at or None
