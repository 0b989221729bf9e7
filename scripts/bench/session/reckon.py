"""What listeners missed and what they got twice, reckoned from the finals that they got."""
import difflib
import re

# So many words more or fewer than the script has are heard of a sentence or two.
SHIFT = 4


def words(text):
    return re.sub(r"[^\w\s]", " ", text.lower().replace("'", "").replace("’", "")).split()


def span(script, heard):
    """From which word of the script to before which one this was heard; words misheard in between shift it by a few at most. `None` for nothing."""
    match = difflib.SequenceMatcher(None, script, heard, autojunk=False)
    longest = match.find_longest_match()
    if longest.size == 0:
        return None
    shift = longest.a - longest.b
    blocks = [block for block in match.get_matching_blocks() if block.size and abs(block.a - block.b - shift) <= SHIFT]
    return min(block.a for block in blocks), max(block.a + block.size for block in blocks)


def gap(text, got, killed):
    """Words of the script that stand in no final, and words that stand in two, at the change from the worker of the generation `killed` to the
    next. A word misheard at the edge counts with the gap."""
    script = words(text)
    before = span(script, [word for caption in got if caption["generation"] <= killed for word in words(caption["text"])])
    after = span(script, [word for caption in got if caption["generation"] > killed for word in words(caption["text"])])
    if before is None or after is None:
        raise ValueError("a worker's finals hold no word of the script")
    between = after[0] - before[1]
    return {"words_in_no_final": max(0, between), "words_told_twice": max(0, -between)}


def finals(listeners):
    """Of the finals of each listener, lost: numbers missing among those of a worker; at one only: segments that one listener got and another did
    not; doubled: a segment that came again."""
    lost = doubled = total = 0
    segments = []
    for got in listeners:
        total += len(got)
        names = [(caption["generation"], caption["segmentId"]) for caption in got]
        doubled += len(names) - len(set(names))
        segments.append(set(names))
        for generation in {caption["generation"] for caption in got}:
            cursors = {caption["cursor"] for caption in got if caption["generation"] == generation}
            lost += int(max(cursors)) - len(cursors)
    everybody = set().union(*segments)
    alone = sum(len(everybody - own) for own in segments)
    return {"finals": total, "finals_lost": lost, "finals_at_one_listener_only": alone, "finals_doubled": doubled}
