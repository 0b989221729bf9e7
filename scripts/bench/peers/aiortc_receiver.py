"""The job in Python: aiortc receives and decodes (48 kHz stereo, it knows nothing else), PyAV makes it 16 kHz mono.

As every receiver here: prints `{"offer": SDP}`, takes `{"answer": SDP}`, and prints what it heard when its standard input ends.
"""
import asyncio
import json
import sys

import aioice.ice
import av
from aiortc import RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError


async def hear(track, heard):
    resampler = av.AudioResampler(format="s16", layout="mono", rate=16_000)
    try:
        while True:
            for frame in resampler.resample(await track.recv()):
                heard["samples"] += frame.samples
    except MediaStreamError:
        return


async def main():
    aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: ["127.0.0.1"]
    heard, tasks = {"samples": 0}, []
    connection = RTCPeerConnection()
    connection.addTransceiver("audio", direction="recvonly")
    connection.on("track", lambda track: tasks.append(asyncio.ensure_future(hear(track, heard))))
    await connection.setLocalDescription(await connection.createOffer())
    print(json.dumps({"offer": connection.localDescription.sdp}), flush=True)
    loop = asyncio.get_running_loop()
    answer = json.loads(await loop.run_in_executor(None, sys.stdin.readline))["answer"]
    await connection.setRemoteDescription(RTCSessionDescription(sdp=answer, type="answer"))
    await loop.run_in_executor(None, sys.stdin.read)
    print(json.dumps(heard), flush=True)
    await connection.close()


asyncio.run(main())
