"""What hearing costs without a network: RTP or GetMedia to 16 kHz PCM, and the engine on top."""
import re

from bench import shown, spread, table

ORDER = 20
TITLE = "hearing without a network: processor time and memory of RTP, GetMedia and a whole session"
MINUTES = 1
RUNS = 3

PATHS = {
    "rtp": "`rtp`: jitter buffer and Opus to 16 kHz, 2 % lost, some reordered and doubled",
    "stream": "`stream`: Matroska of GetMedia and Opus to 16 kHz, writing the fragments included",
    "session": "`session`: `rtp`, the engine and the voice, with services that answer at once and thirty listeners in three languages",
    "none": "`none`: what all of them begin with",
}
LINE = re.compile(r"(\d+) min of audio, ([\d.]+) ms of processor time per minute, peak (\d+) KiB")


def build(bench):
    bench.cargo("-p", "worker", "--example", "ingest")


def run(bench):
    minutes = 1 if bench.quick else 60
    results = {"minutes": minutes, "paths": {path: {"cpu_ms": [], "peak_kib": []} for path in PATHS}}
    for _ in bench.runs(RUNS):
        for path, found in results["paths"].items():
            printed = bench.output(bench.binary("examples/ingest"), path, minutes)
            _, cpu, peak = LINE.findall(printed)[-1]
            found["cpu_ms"].append(float(cpu))
            found["peak_kib"].append(int(peak))
    for found in results["paths"].values():
        found["cpu_ms"], found["peak_kib"] = spread(found["cpu_ms"]), spread(found["peak_kib"], 0)
    return results


def tables(results):
    rows = [
        [PATHS[path], shown(found["cpu_ms"]), shown(found["peak_kib"], 0)] for path, found in results["paths"].items()
    ]
    return {"hearing": table(["path", "ms per minute of audio", "peak, KiB"], rows)}
