"""The job "receive the speaker by WebRTC, undo the network's disorder, decode to 16 kHz mono", by us and by others, on the same stream."""
import json
import subprocess
import time

from bench import ROOT, Failed, Skip, shown, spread, table
from processes import Program

ORDER = 10
TITLE = "ingest: one speaker over WebRTC to 16 kHz PCM, by our worker, GStreamer's webrtcbin and aiortc; and the whole worker"
MINUTES = 7
RUNS, SECONDS = 3, 20
SAMPLE = "samples/welcome.wav"
PEERS = "scripts/bench/peers"
AIORTC = ".local/venv/bin/python"
# The system's own, which has the bindings.
GSTREAMER = "/usr/bin/python3"
DEBIAN = [
    "python3-gi", "gir1.2-gstreamer-1.0", "gir1.2-gst-plugins-base-1.0", "gir1.2-gst-plugins-bad-1.0", "gstreamer1.0-plugins-base",
    "gstreamer1.0-plugins-good", "gstreamer1.0-plugins-bad", "gstreamer1.0-nice",
]  # fmt: skip
NEEDED = "webrtcbin opusdec rtpopusdepay nicesrc dtlsdec srtpdec"
PROBE = (
    "import gi; gi.require_version('Gst', '1.0'); from gi.repository import Gst; Gst.init(None); "
    f"missing = [n for n in '{NEEDED}'.split() if not Gst.ElementFactory.find(n)]; assert not missing, missing; print(Gst.version_string())"
)


def build(bench):
    bench.cargo("-p", "worker", "--example", "receive")
    # As the demo builds them.
    bench.cargo("--workspace", "--bins")


def version(python, code):
    """What the ruler is; `None` when this Python does not have it."""
    try:
        done = subprocess.run([python, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def rulers(bench):
    """The versions of the two others; installs GStreamer where that was asked for."""
    aiortc = version(AIORTC, "import aiortc, av; print(f'aiortc {aiortc.__version__}, PyAV {av.__version__}')")
    if aiortc is None:
        raise Skip("the speaker needs aiortc in .local/venv: run scripts/setup")
    gstreamer = version(GSTREAMER, PROBE)
    if gstreamer is None and bench.install:
        bench.progress("GStreamer (about 120 packages)")
        bench.output("apt-get", "install", "--yes", "--no-install-recommends", *DEBIAN, env={"DEBIAN_FRONTEND": "noninteractive"})
        gstreamer = version(GSTREAMER, PROBE)
    if gstreamer is None:
        raise Skip(f"GStreamer's webrtcbin is not there: as root `python3 scripts/bench --install ingest`, or apt-get install {' '.join(DEBIAN)}")
    return aiortc, gstreamer


def run(bench):
    aiortc, gstreamer = rulers(bench)
    receivers = {
        "ours": [bench.binary("examples/receive")],
        "gstreamer": [GSTREAMER, f"{PEERS}/gstreamer_receiver.py"],
        "aiortc": [AIORTC, f"{PEERS}/aiortc_receiver.py"],
    }
    seconds = 5 if bench.quick else SECONDS
    found = {name: [] for name in [*receivers, "whole"]}
    with bench.alone():
        for _ in bench.runs(RUNS):
            for name, command in receivers.items():
                found[name].append(receive(bench, command, seconds))
                bench.progress(f"{name}: {found[name][-1]}")
    for _ in bench.runs(RUNS):
        with bench.alone():
            found["whole"].append(whole(bench))
        bench.progress(f"whole: {found['whole'][-1]}")
    versions = {"gstreamer": gstreamer, "aiortc": aiortc}
    return {"seconds": seconds, "versions": versions, **{name: kept(runs) for name, runs in found.items()}}


def kept(runs):
    result = {"cpu_ms": spread(run["cpu_ms"] for run in runs), "peak_kib": spread((run["peak_kib"] for run in runs), 0)}
    if "base_kib" in runs[0]:
        result["base_kib"] = spread((run["base_kib"] for run in runs), 0)
    return result


def receive(bench, command, seconds):
    """One receiver hears the speaker for so long. Its start, handshake included, is not counted; its memory is from its begin."""
    receiver = Program(bench, *command)
    speaker = Program(bench, AIORTC, f"{PEERS}/speaker.py", SAMPLE)
    try:
        speaker.tell(offer=receiver.hear("offer")["offer"])
        receiver.tell(answer=speaker.hear("answer")["answer"])
        while speaker.hear("state")["state"] != "connected":
            pass
        # Two seconds for whatever a begin brings.
        time.sleep(2)
        before, begin = receiver.cpu_ms(), time.monotonic()
        time.sleep(seconds)
        cpu, took, peak = receiver.cpu_ms() - before, time.monotonic() - begin, receiver.peak_kib()
        receiver.over()
        heard = receiver.hear("samples")
    finally:
        receiver.end()
        speaker.end()
    if heard["samples"] < 16_000 * (took + 1):
        raise Failed(f"{receiver.name} heard {heard['samples'] / 16_000:.1f} s of {took + 2:.1f} s: that is another job")
    result = {"cpu_ms": round(cpu * 60 / took, 1), "peak_kib": peak}
    return {**result, "base_kib": heard["base_kib"]} if "base_kib" in heard else result


def whole(bench):
    """The whole worker in a whole session: what it reports of itself, by the same counters of the kernel."""
    sample = "samples/short.wav" if bench.quick else SAMPLE
    script = sample.replace(".wav", ".txt")
    printed = bench.output(
        bench.binary("local-stack"), "run", "--", bench.binary("sessionctl"), "rehearse", "--audio", sample,
        "--script", script, "--listeners", "es,ca,en,es@12", "--json", accept=(0, 1),
    )  # fmt: skip
    worker = json.loads(printed[printed.index("{\n") : printed.rindex("}") + 1])["worker"]
    return {"cpu_ms": worker["cpuMsPerAudioMinute"], "peak_kib": worker["peakMemoryBytes"] // 1_024}


NAMES = {
    "ours": "the worker's ears alone (`worker/examples/receive.rs`)",
    "gstreamer": "GStreamer: `webrtcbin ! rtpopusdepay ! opusdec`",
    "aiortc": "aiortc, resampled by PyAV",
    "whole": "the whole worker: voice, Transcribe, Translate, captions to four listeners, row",
}


def tables(results):
    ours = results["ours"]["cpu_ms"]["median"]
    rows = []
    for name, text in NAMES.items():
        found = results[name]
        median = found["cpu_ms"]["median"]
        version = f" ({results['versions'][name]})" if name in results["versions"] else ""
        peak = {key: value / 1_024 if key != "runs" else value for key, value in found["peak_kib"].items()}
        rows.append([text + version, shown(found["cpu_ms"], 0), f"{median / ours:.2f}", f"{60_000 / median:,.0f}", shown(peak)])
    head = [f"{results['seconds']} s each", "processor time per minute of audio, ms", "to ours", "sessions per core", "peak memory, MiB"]
    return {"ingest": table(head, rows)}


def plots(results, plt):
    from plots import OURS, THEIRS, THIRD

    names = {"aiortc": "aiortc + PyAV", "gstreamer": "GStreamer webrtcbin", "whole": "our whole worker", "ours": "our worker's ears"}
    colours = [{"ours": OURS, "whole": THIRD}.get(name, THEIRS) for name in names]
    figure, axes = plt.subplots(1, 2, figsize=(9.5, 2.2), sharey=True, layout="constrained")
    for axis, key, scale, title in ((axes[0], "cpu_ms", 1, "processor time per minute of audio, ms"), (axes[1], "peak_kib", 1_024, "peak memory, MiB")):
        found = [results[name][key] for name in names]
        values = [kept["median"] / scale for kept in found]
        errors = [[(kept["median"] - kept["least"]) / scale for kept in found], [(kept["most"] - kept["median"]) / scale for kept in found]]
        bars = axis.barh(list(names.values()), values, xerr=errors, color=colours, ecolor="#444", capsize=2)
        axis.bar_label(bars, [f"{value:,.0f}" for value in values], padding=6)
        axis.set_title(title, fontsize=9)
        axis.set_xlim(0, max(kept["most"] for kept in found) / scale * 1.2)
        axis.tick_params(left=False)
    return {"ingest": figure}
