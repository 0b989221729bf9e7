"""What of a decode is to be believed: Whisper writes words into noise, music and silence too. Pure."""

# Tokens per second of speech that no person reaches: fast speech has six.
MOST_TOKENS = 8.0
SPARE_TOKENS = 6
# By OpenAI's own reading of its model: above, there was probably no speech; below, it is guessing.
NO_SPEECH, UNLIKELY = 0.6, -1.0
# A word that takes no part of the speech that the voice detector heard was not said.
VOICED = 0.3
# Seconds a word takes at the least, when three or more follow each other: what the model makes up beyond the audio has no time.
SHORTEST = 0.08


def cap(seconds):
    """So many tokens may be in so much audio."""
    return int(seconds * MOST_TOKENS) + SPARE_TOKENS


def loop(texts):
    """Where words begin to go in a circle (the second round), or None: four rounds of one or two words, three of more."""
    for length in range(1, len(texts) // 3 + 1):
        rounds = 4 if length < 3 else 3
        for start in range(len(texts) - rounds * length + 1):
            first = texts[start : start + length]
            if all(texts[start + n * length : start + (n + 1) * length] == first for n in range(1, rounds)):
                return start + length
    return None


def guessing(score, no_speech):
    """Whether the model itself does not believe what it wrote. `score` is the mean logarithm of the tokens' chances."""
    return score < UNLIKELY and no_speech > NO_SPEECH or score < 1.5 * UNLIKELY


def heard(words, voice):
    """The words without those at the end that nobody spoke; `voice(start, end)` is the greatest chance of speech in between."""
    words = list(words)
    while words and voice(words[-1].start - 0.1, words[-1].end + 0.1) < VOICED:
        words.pop()
    return words


def possible(words):
    """The words without those at the end that come faster than anybody speaks."""
    for first in range(len(words) - 2):
        if words[-1].end - words[first].start < SHORTEST * (len(words) - first):
            return words[:first]
    return words
