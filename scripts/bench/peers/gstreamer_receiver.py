"""The job in GStreamer: webrtcbin with its jitter buffer, opusdec to 16 kHz mono. Python only makes the pipeline; no buffer passes through it.

As every receiver here: prints `{"offer": SDP}`, takes `{"answer": SDP}`, and prints what it heard when its standard input ends. Runs in the
system's Python, which has the bindings (`python3-gi`). `base_kib` is what the process held before there was a pipeline.
"""
import json
import sys
import threading

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstWebRTC", "1.0")
gi.require_version("GstSdp", "1.0")
from gi.repository import GLib, Gst, GstSdp, GstWebRTC  # noqa: E402 (versions come first)

CAPS = "application/x-rtp,media=audio,encoding-name=OPUS,payload=111,clock-rate=48000"


def resident_kib():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))


class Receiver:
    def __init__(self):
        self.base_kib = resident_kib()
        self.loop, self.counter = GLib.MainLoop(), None
        self.pipeline = Gst.Pipeline.new()
        self.peer = Gst.ElementFactory.make("webrtcbin")
        self.peer.set_property("bundle-policy", GstWebRTC.WebRTCBundlePolicy.MAX_BUNDLE)
        self.pipeline.add(self.peer)
        # Kept, because the bindings would free it under webrtcbin's hands. libnice leaves loopback out unless it is told.
        self.ice = self.peer.get_property("ice-agent")
        self.ice.emit("add-local-ip-address", "127.0.0.1")
        self.peer.connect("pad-added", self.on_pad)
        self.peer.connect("notify::ice-gathering-state", self.on_gathered)
        self.pipeline.set_state(Gst.State.PLAYING)
        self.peer.emit("add-transceiver", GstWebRTC.WebRTCRTPTransceiverDirection.RECVONLY, Gst.Caps.from_string(CAPS))
        self.peer.emit("create-offer", None, Gst.Promise.new_with_change_func(self.on_offer))

    def on_offer(self, promise):
        # The description lives in the reply; both must outlive the call.
        self.reply = promise.get_reply()
        self.offer = self.reply.get_value("offer")
        self.peer.emit("set-local-description", self.offer, Gst.Promise.new())

    def on_gathered(self, peer, _):
        if peer.get_property("ice-gathering-state") == GstWebRTC.WebRTCICEGatheringState.COMPLETE:
            description = peer.get_property("local-description")
            print(json.dumps({"offer": description.sdp.as_text()}), flush=True)
            threading.Thread(target=self.listen, daemon=True).start()

    def listen(self):
        answer = json.loads(sys.stdin.readline())["answer"]
        _, message = GstSdp.SDPMessage.new_from_text(answer)
        described = GstWebRTC.WebRTCSessionDescription.new(GstWebRTC.WebRTCSDPType.ANSWER, message)
        self.peer.emit("set-remote-description", described, Gst.Promise.new())
        sys.stdin.read()
        self.loop.quit()

    def on_pad(self, _, pad):
        chain = "rtpopusdepay ! opusdec ! audio/x-raw,format=S16LE,rate=16000,channels=1 ! identity name=counter ! fakesink sync=false"
        branch = Gst.parse_bin_from_description(chain, True)
        self.pipeline.add(branch)
        branch.sync_state_with_parent()
        pad.link(branch.get_static_pad("sink"))
        self.counter = branch.get_by_name("counter")

    def run(self):
        self.loop.run()
        heard = self.counter.get_property("stats").get_value("num-bytes") // 2 if self.counter else 0
        print(json.dumps({"samples": heard, "base_kib": self.base_kib}), flush=True)
        self.pipeline.set_state(Gst.State.NULL)


Gst.init(None)
Receiver().run()
