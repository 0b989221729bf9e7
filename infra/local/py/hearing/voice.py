"""When somebody begins to speak and when not any more, from the voice detector's chances. Pure."""

from collections import deque

# Seconds of one reading: 512 samples.
STEP = 0.032
CHUNK = 512
# Above, it is speech; below, it is none; between, whatever it was before.
SPEECH, SILENCE = 0.5, 0.35
# So many of the last readings make an onset: a click is no voice.
ONSET, OF = 4, 6
# How long readings are kept: longer than an utterance.
KEPT = 32.0


class Voice:
    def __init__(self):
        self.readings = deque(maxlen=round(KEPT / STEP))
        self.count = 0
        self.last_speech = None
        self.speaking = False

    def now(self):
        return self.count * STEP

    def read(self, chance):
        self.count += 1
        self.readings.append(chance)
        self.speaking = chance >= SPEECH or (self.speaking and chance >= SILENCE)
        if self.speaking:
            self.last_speech = self.now()

    def onset(self):
        """Whether somebody has just begun."""
        last = [self.readings[-n] for n in range(1, min(OF, len(self.readings)) + 1)]
        return sum(chance >= SPEECH for chance in last) >= ONSET

    def quiet(self):
        """Seconds since the last speech."""
        return self.now() - (self.last_speech or 0.0)

    def most(self, start, end):
        """The greatest chance of speech between two times; 1 for what is forgotten."""
        return max(self.between(start, end), default=0.0)

    def between(self, start, end):
        first = self.count - len(self.readings)
        low, high = int(start / STEP) - first, int(end / STEP) + 1 - first
        if low < 0 and self.count > len(self.readings):
            return [1.0]
        return [self.readings[n] for n in range(max(0, low), min(high, len(self.readings)))]

    def spoken(self, start, end):
        """Seconds of speech between two times."""
        return sum(chance >= SPEECH for chance in self.between(start, end)) * STEP
