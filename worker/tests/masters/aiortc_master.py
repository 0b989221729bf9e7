"""A master of a signaling channel that shares no line of code with ours: aiortc for the media, botocore for the signature.

It joins the channel, answers every offer, and says a WAV file (mono, 16 bit) once its connection is up, then silence. Each step is a line on
standard output, for the test that started it; it ends when its standard input does. `--every-offer` is what it does with an offer that it has
already answered: `keep` repeats the answer of the connection that there is, `replace` closes that and begins anew, as a simple script does.
`--gather SECONDS` makes it slow, as a STUN server that does not answer would.
"""

import argparse
import asyncio
import base64
import fractions
import json
import sys
import wave

import aioice.ice
import botocore.session
import websockets
from aiortc import MediaStreamTrack, RTCPeerConnection, RTCSessionDescription
from aiortc.sdp import candidate_from_sdp
from av import AudioFrame
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

FRAME_S = 0.02


def say(*words):
    print(*words, flush=True)


class Speech(MediaStreamTrack):
    """The file, 20 ms by 20 ms, and silence after it."""

    kind = "audio"

    def __init__(self, path):
        super().__init__()
        with wave.open(path) as wav:
            self.rate = wav.getframerate()
            self.pcm = wav.readframes(wav.getnframes())
        self.count, self.begin = 0, None

    async def recv(self):
        loop = asyncio.get_running_loop()
        self.begin = self.begin or loop.time()
        await asyncio.sleep(max(0.0, self.begin + self.count * FRAME_S - loop.time()))
        samples = int(self.rate * FRAME_S)
        at = self.count * samples * 2
        frame = AudioFrame(format="s16", layout="mono", samples=samples)
        frame.planes[0].update(self.pcm[at : at + samples * 2].ljust(samples * 2, b"\0"))
        frame.sample_rate, frame.pts = self.rate, self.count * samples
        frame.time_base = fractions.Fraction(1, self.rate)
        if at < len(self.pcm) <= at + samples * 2:
            say("spoken")
        self.count += 1
        return frame


class Master:
    def __init__(self, options, socket):
        self.options, self.socket = options, socket
        self.connection, self.offer, self.answer = None, None, None

    async def send(self, action, to, payload):
        body = base64.b64encode(json.dumps(payload).encode()).decode()
        message = {"action": action, "recipientClientId": to, "messagePayload": body, "correlationId": "m"}
        await self.socket.send(json.dumps(message))

    async def on_offer(self, sender, sdp):
        if sdp != self.offer or self.options.every_offer == "replace":
            self.answer = await self.begin(sdp)
        await self.send("SDP_ANSWER", sender, {"type": "answer", "sdp": self.answer})
        say("answered")

    async def begin(self, sdp):
        if self.connection:
            await self.connection.close()
        self.offer, self.connection = sdp, RTCPeerConnection()
        connection = self.connection
        connection.on("connectionstatechange", lambda: say("state", connection.connectionState))
        connection.addTrack(Speech(self.options.audio))
        await connection.setRemoteDescription(RTCSessionDescription(sdp=sdp, type="offer"))
        await asyncio.sleep(self.options.gather)
        await connection.setLocalDescription(await connection.createAnswer())
        return connection.localDescription.sdp

    async def run(self):
        async for text in self.socket:
            message = json.loads(text)
            if message.get("messageType") == "STATUS_RESPONSE":
                say("refused", message)
            if not message.get("messagePayload"):
                continue
            payload = json.loads(base64.b64decode(message["messagePayload"]))
            if message["messageType"] == "SDP_OFFER":
                say("offered")
                await self.on_offer(message["senderClientId"], payload["sdp"])
            elif message["messageType"] == "ICE_CANDIDATE" and self.connection:
                candidate = candidate_from_sdp(payload["candidate"].split(":", 1)[1])
                candidate.sdpMid = payload.get("sdpMid")
                await self.connection.addIceCandidate(candidate)


def presigned(options):
    """The master's own endpoint, with the query that AWS wants."""
    client = botocore.session.get_session().create_client(
        "kinesisvideo",
        region_name=options.region,
        endpoint_url=options.endpoint,
        aws_access_key_id=options.key,
        aws_secret_access_key=options.secret,
    )
    wanted = {"Protocols": ["WSS"], "Role": "MASTER"}
    answer = client.get_signaling_channel_endpoint(
        ChannelARN=options.channel, SingleMasterChannelEndpointConfiguration=wanted
    )
    url = answer["ResourceEndpointList"][0]["ResourceEndpoint"]
    request = AWSRequest("GET", url.rstrip("/") + "/", params={"X-Amz-ChannelARN": options.channel})
    SigV4QueryAuth(Credentials(options.key, options.secret), "kinesisvideo", options.region, expires=299).add_auth(request)
    return request.prepare().url


async def main(options):
    if options.loopback:
        # aiortc leaves loopback out, and a machine of tests may have nothing else.
        aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: ["127.0.0.1"]
    async with websockets.connect(presigned(options)) as socket:
        say("joined")
        master = Master(options, socket)
        running = asyncio.create_task(master.run())
        over = asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        await asyncio.wait([running, over], return_when=asyncio.FIRST_COMPLETED)
        running.cancel()
        if master.connection:
            await master.connection.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--endpoint", "--channel", "--audio", "--region", "--key", "--secret"):
        parser.add_argument(name, required=True)
    parser.add_argument("--every-offer", choices=("keep", "replace"), default="keep")
    parser.add_argument("--gather", type=float, default=0.0)
    parser.add_argument("--loopback", action="store_true")
    asyncio.run(main(parser.parse_args()))
