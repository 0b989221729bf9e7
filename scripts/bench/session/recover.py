"""Kills the worker in the middle of a sentence, again and again, and says what two listeners notice; in a running local stack.

    local-stack run -- python3 scripts/bench/session/recover.py SESSIONCTL RUNS FIRST

RUNS sessions one after another, the first with the number FIRST, which is also the seed of the moment. One line of JSON for each. Two listeners, one
in the speaker's language and one in Spanish. After two finals, and when the next segment has begun (a partial of three words or more), up to a
second and a half passes by chance, and if the segment is still open the worker gets SIGKILL. The speaker speaks on.
"""
import json
import os
import pathlib
import random
import subprocess
import sys
import threading
import time
import urllib.request
import wave

from listening import Listener
from reckon import finals, gap

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent.parent
SIGNED = "AWS4-HMAC-SHA256 Credential=000000000000/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host, Signature=0"
# So much of the talk is enough for several sentences after the next worker's begin, s.
SPEECH = 30
# Longest wait for the moment to kill, and for the end, s.
PATIENCE = 120


def speech(path):
    with wave.open(str(ROOT / "samples/welcome.wav")) as source, wave.open(str(path), "wb") as out:
        out.setparams(source.getparams())
        out.writeframes(source.readframes(source.getframerate() * SPEECH))


def kill(session):
    """SIGKILL; the moments around it."""
    body = json.dumps({"session": session}).encode()
    request = urllib.request.Request(os.environ["LOCAL_STACK_ADMIN"] + "/ecs/kill", body, {"content-type": "application/json"})
    before = time.time()
    killed = json.load(urllib.request.urlopen(request, timeout=10))["killed"]
    if len(killed) != 1:
        raise RuntimeError(f"{session}: {len(killed)} workers were killed")
    return before, time.time()


def row(session):
    ask = {"TableName": "SessionWorkers-local", "Key": {"sessionId": {"S": session}, "record": {"S": "current"}}}
    headers = {"x-amz-target": "DynamoDB_20120810.GetItem", "content-type": "application/x-amz-json-1.0", "authorization": SIGNED}
    request = urllib.request.Request(os.environ["AWS_ENDPOINT_URL"], json.dumps(ask).encode(), headers)
    return plain({"M": json.load(urllib.request.urlopen(request, timeout=10)).get("Item", {})})


def plain(typed):
    ((kind, value),) = typed.items()
    if kind == "M":
        return {name: plain(inner) for name, inner in value.items()}
    if kind == "L":
        return [plain(inner) for inner in value]
    return float(value) if kind == "N" else None if kind == "NULL" else value


def open_segment(listener):
    """The caption of a segment that has begun and is not final, when two are; else `None`."""
    captions = list(listener.captions)
    finals = {caption["segmentId"] for _, caption in captions if caption["isFinal"]}
    if len(finals) < 2 or not captions:
        return None
    newest = captions[-1][1]
    return newest if newest["segmentId"] not in finals and len(newest["text"].split()) >= 3 else None


def mid_sentence(listener, dice, rehearsal):
    """Waits for the moment; the caption that is open then."""
    end = time.time() + PATIENCE
    while time.time() < end and rehearsal.poll() is None:
        if begun := open_segment(listener):
            time.sleep(dice.uniform(0, 1.5))
            still = open_segment(listener)
            if still and still["segmentId"] == begun["segmentId"]:
                return still
        time.sleep(0.01)
    raise RuntimeError("the moment to kill never came")


def after(listener, moment, generation, final):
    """Seconds from the moment to the next worker's first caption at this listener."""
    wanted = (at for at, c in list(listener.captions) if c["generation"] > generation and (c["isFinal"] or not final))
    return round(next(wanted) - moment, 3)


def told(listeners, moment, open_at, final_row, first_row):
    generation = open_at["generation"]
    task, worker = final_row["task"], final_row["worker"]
    steps = {"run_task": task["launchedAt"], **{name: worker["startUp"].get(f"{name}At") for name in ("process", "joined", "firstAudio")}}
    speaker = listeners[0]
    before = max(caption["endMs"] for _, caption in speaker.finals() if caption["generation"] == generation)
    began = min(caption["startMs"] for _, caption in speaker.finals() if caption["generation"] > generation)
    unheard = worker["startUp"]["firstAudioAt"] + began - first_row["worker"]["startUp"]["firstAudioAt"] - before
    return {
        "next_caption_s": {each.language: after(each, moment, generation, False) for each in listeners},
        "next_final_s": {each.language: after(each, moment, generation, True) for each in listeners},
        "steps_s": {name: round(at / 1_000 - moment, 3) for name, at in steps.items() if at},
        "between_finals_s": round(unheard / 1_000, 2),
        "words_of_the_open_sentence_seen": len(open_at["text"].split()),
        **gap((ROOT / "samples/welcome.txt").read_text(), [caption for _, caption in speaker.finals()], generation),
        **finals([[caption for _, caption in each.finals()] for each in listeners]),
    }


def run(sessionctl, number, folder):
    session, dice = f"steady-harbour-{number:03}", random.Random(number)
    api = os.environ["SESSION_WEBSOCKET_URL"]
    rehearsal = subprocess.Popen(
        [sessionctl, "rehearse", "--json", "--session", session, "--audio", folder / "speech.wav", "--listeners", "en"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=(folder / "rehearsal.txt").open("w"), text=True,
    )  # fmt: skip
    # Read all the time, so that it never waits for us.
    said = []
    reader = threading.Thread(target=lambda: said.append(rehearsal.stdout.read()), daemon=True)
    reader.start()
    listeners = [Listener(api, session, language) for language in ("en", "es")]
    try:
        open_at = mid_sentence(listeners[0], dice, rehearsal)
        first_row = row(session)
        before, moment = kill(session)
        for listener in listeners:
            listener.over.wait(PATIENCE)
        rehearsal.wait(PATIENCE)
        reader.join(10)
    finally:
        rehearsal.kill()
        for listener in listeners:
            listener.close()
    report = json.loads(said[0][said[0].index("{") :])
    found = told(listeners, before, open_at, report["row"], first_row)
    over = [listener.over.is_set() for listener in listeners]
    return {"run": number, "kill_took_s": round(moment - before, 3), **found, "told_the_end": sum(over)}


def main():
    sessionctl, runs, first = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    folder = ROOT / "target/tmp/recover"
    folder.mkdir(parents=True, exist_ok=True)
    speech(folder / "speech.wav")
    for number in range(first, first + runs):
        try:
            found = run(sessionctl, number, folder)
        # A run that brings no result is one of the results.
        except (RuntimeError, OSError, ValueError, KeyError, IndexError, StopIteration, subprocess.TimeoutExpired) as problem:
            found = {"run": number, "failed": f"{type(problem).__name__}: {problem}"}
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    main()
