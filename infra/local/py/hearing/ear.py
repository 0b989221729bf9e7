"""One stream: audio in, partials and finals out. It decides when to decode and what of it to tell; the model is an argument. Pure.

An utterance is open from an onset to a pause, and 12 s at most. While it is open it is decoded again and again, each time from
its beginning; what two decodes agree on becomes stable, and is the prefix of all that follow, so that it can't change. The decode
that ends an utterance begins in the pause itself: when the pause is long enough, the text is there already.
"""

from dataclasses import replace

import numpy as np

from hearing import agree, trust
from hearing.mel import RATE
from hearing.voice import Voice
from hearing.words import behind

# Audio kept from before the onset was noticed.
BEFORE = 0.5
# From one decode to the next, in seconds of audio; longer where decodes are dear, so that they and the detector take half a core at most.
EVERY, HALF = 0.4, 2.4
# A pause so long is looked at; so long it ends the utterance.
LOOK, PAUSE = 0.25, 0.55
# Less speech than this is none.
LEAST = 0.12
# Silence kept behind the last speech for the last decode.
TAIL = 0.3
# So much audio makes sure of the language: after two seconds a foreign accent is still mistaken.
SURE = 4.0
# Words told again in front of what comes behind a cut: the next decode goes on behind them, so none is lost or doubled.
CARRIED = 2


class Ear:
    def __init__(self, decode, tell, language="en", margin=None, identify=None):
        """`decode(samples, language, prefix)`; `tell(event, utterance, words, stable)`; `margin` is how old a word must be to be stable,
        None when no word needs to be; `identify(samples, sure)` chooses the language, where asked
        for: at each decode of an utterance until there is enough audio to be sure."""
        self.decode, self.tell, self.language, self.margin, self.identify = decode, tell, language, margin, identify
        self.voice = Voice()
        self.samples = np.zeros(0, np.int16)
        self.from_sample = 0
        self.utterance = 0
        self.share = 1
        self.decodes = 0
        self.forget()

    def forget(self):
        """No utterance is open."""
        self.open, self.carried, self.stable, self.last, self.told = False, [], [], [], []
        self.decoded_to = None
        self.identified = self.identify is None

    def now(self):
        return self.voice.now()

    def begin_time(self):
        return self.from_sample / RATE

    def hear(self, chunk, chance, late=False):
        """One chunk of 512 samples and the voice detector's opinion. `late`: more audio is waiting, so partials are left out."""
        self.samples = np.concatenate((self.samples, chunk))
        self.voice.read(chance)
        if not self.open:
            self.keep(self.now() - BEFORE)
            if self.voice.onset():
                self.begin()
        else:
            self.go_on(late)

    def keep(self, since):
        """Drops the audio before this time."""
        drop = max(0, round(since * RATE) - self.from_sample)
        self.samples = self.samples[drop:]
        self.from_sample += drop

    def begin(self):
        self.utterance += 1
        self.open = True
        self.next = self.now() + EVERY / 2

    def go_on(self, late):
        quiet = self.voice.quiet()
        length = self.now() - self.begin_time()
        if quiet >= PAUSE:
            if self.decoded_to is None or self.decoded_to < self.voice.last_speech:
                self.look()
            self.close()
        elif quiet >= LOOK and not late:
            # Once in a pause: it may be the end.
            if self.decoded_to is None or self.decoded_to < self.voice.last_speech:
                self.look()
                self.report()
        elif self.now() >= self.next and (not late or length >= agree.LONGEST):
            self.look()
            if not self.cut():
                self.report()

    def look(self):
        """Decodes what is open, and learns what is stable."""
        heard = min(self.now(), (self.voice.last_speech or 0) + TAIL)
        samples = self.samples[: max(0, round(heard * RATE) - self.from_sample)]
        if not self.identified:
            self.identified = len(samples) >= SURE * RATE
            self.language = self.identify(samples, self.identified)
        known = prefix(self.carried, self.stable)
        found = self.decode(samples, self.language, known)
        self.decodes += 1
        self.next = self.now() + max(EVERY, HALF * self.share * found.cost)
        self.decoded_to = self.now()
        begin = self.begin_time()
        words, same = behind([moved(word, begin) for word in found.words], self.carried + self.stable)
        if self.stable and same:
            # Its mark was left open.
            self.stable[-1] = replace(self.stable[-1], mark=same.mark, mark_ids=same.mark_ids)
        words = self.stable + trust.possible(trust.heard(words, self.voice.most))
        self.agreed = agree.common(words, self.last)
        self.last = words
        return words

    def cut(self):
        """Ends an utterance that is too long between two words, and goes on with the next."""
        length = self.now() - self.begin_time()
        reliable = max(self.agreed, agree.old(self.last, self.now()))
        at = agree.cut(self.last, reliable, len(self.stable), length)
        if at is None:
            if length > agree.LONGEST and not self.last:
                self.forget()
            return False
        self.say("final", self.last[:at], at)
        rest, ended = self.last[at:], self.last[:at]
        carried = (self.carried + ended)[-CARRIED:]
        self.forget()
        self.carried = carried
        self.keep(carried[0].start - 0.1)
        self.begin()
        self.last = rest
        self.next = self.now() + EVERY
        return True

    def report(self):
        words = self.last
        # In another language these would be other words.
        if self.margin is not None and self.identified:
            count = agree.settled(words, max(self.agreed, len(self.stable)), self.now(), self.margin)
            if count > len(self.stable):
                self.stable = words[:count]
        if words and words != self.told:
            self.say("partial", words, len(self.stable))
            self.told = words

    def close(self):
        """The utterance is over."""
        words = self.last
        if self.voice.spoken(self.begin_time(), self.now()) < LEAST:
            words = []
        # Having said something, it can't have been nothing.
        words = words or self.stable or self.told
        if words:
            self.say("final", words, len(words))
        self.forget()
        self.keep(self.now() - BEFORE / 2)

    def say(self, event, words, stable):
        self.tell(event, self.utterance, words, stable)

    def stop(self):
        """The stream has ended: whatever is still open is told."""
        if not self.open and self.voice.spoken(self.now() - BEFORE, self.now()) >= LEAST:
            self.begin()
        if self.open:
            self.look()
            self.close()


def moved(word, seconds):
    word.start, word.end = round(word.start + seconds, 3), round(word.end + seconds, 3)
    return word


def prefix(carried, stable):
    """The tokens that are known: all marks too, except the one behind the last stable word, which the next words decide."""
    tokens = []
    for word in [*carried, *stable]:
        tokens += word.ids + word.mark_ids
    return tokens[: len(tokens) - len(stable[-1].mark_ids)] if stable else tokens
