"""The speaker that every receiver hears: a WAV file (mono, 16 bit), encoded once before it begins, then sent in real time, over and over.

Runs in `.local/venv` (aiortc, PyAV). Takes `{"offer": SDP}` as a line on standard input and prints `{"answer": SDP}`, then `{"state": …}` whenever
its connection changes; it ends when its standard input does. What it sends is what browsers send of a voice: Opus of 20 ms, mono, 32 kbit/s,
with FEC. The packets are made beforehand, so that the same bytes go to each receiver, and encoding takes no processor from it.
"""
import asyncio
import fractions
import json
import sys
import wave

import aioice.ice
import av
from aiortc import MediaStreamTrack, RTCCertificate, RTCPeerConnection, RTCSessionDescription

FRAME, RATE = 960, 48_000


def encoded(path):
    """The file as Opus packets of 20 ms."""
    with wave.open(path) as wav:
        rate, pcm = wav.getframerate(), wav.readframes(wav.getnframes())
    codec = av.CodecContext.create("libopus", "w")
    codec.sample_rate, codec.layout, codec.format, codec.bit_rate = RATE, "mono", "s16", 32_000
    codec.time_base = fractions.Fraction(1, RATE)
    codec.options = {"application": "voip", "frame_duration": "20", "fec": "1", "packet_loss": "10"}
    frame = av.AudioFrame(format="s16", layout="mono", samples=len(pcm) // 2)
    frame.planes[0].update(pcm)
    frame.sample_rate, frame.pts, frame.time_base = rate, 0, fractions.Fraction(1, rate)
    resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE, frame_size=FRAME)
    packets = []
    for piece in resampler.resample(frame):
        packets += [bytes(packet) for packet in codec.encode(piece)]
    return packets


class Speech(MediaStreamTrack):
    """The packets, one in 20 ms."""

    kind = "audio"

    def __init__(self, packets):
        super().__init__()
        self.packets, self.count, self.begin = packets, 0, None

    async def recv(self):
        loop = asyncio.get_running_loop()
        self.begin = self.begin or loop.time()
        await asyncio.sleep(max(0.0, self.begin + self.count * FRAME / RATE - loop.time()))
        packet = av.Packet(self.packets[self.count % len(self.packets)])
        packet.pts, packet.time_base = self.count * FRAME, fractions.Fraction(1, RATE)
        self.count += 1
        return packet


def take_rsa():
    """Lets DTLS take the RSA certificate of GStreamer, as browsers do; aiortc alone asks for ECDSA."""
    make = RTCCertificate._create_ssl_context

    def context(self, **profiles):
        made = make(self, **profiles)
        made.set_cipher_list(b"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256")
        return made

    RTCCertificate._create_ssl_context = context


async def main(path):
    # aiortc leaves loopback out, and nothing else is wanted here.
    aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: ["127.0.0.1"]
    take_rsa()
    packets = encoded(path)
    loop = asyncio.get_running_loop()
    offer = json.loads(await loop.run_in_executor(None, sys.stdin.readline))["offer"]
    connection = RTCPeerConnection()
    connection.on("connectionstatechange", lambda: print(json.dumps({"state": connection.connectionState}), flush=True))
    connection.addTrack(Speech(packets))
    await connection.setRemoteDescription(RTCSessionDescription(sdp=offer, type="offer"))
    await connection.setLocalDescription(await connection.createAnswer())
    print(json.dumps({"answer": connection.localDescription.sdp}), flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    await connection.close()


asyncio.run(main(sys.argv[1]))
