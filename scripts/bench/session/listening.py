"""A listener on a WebSocket, with the time of arrival of everything that comes; the standard library is enough for what one needs of RFC 6455."""
import base64
import json
import os
import socket
import struct
import threading
import time
import urllib.parse

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10


class Socket:
    """A client's end of a WebSocket without TLS."""

    def __init__(self, url):
        parts = urllib.parse.urlsplit(url)
        self._socket = socket.create_connection((parts.hostname, parts.port), timeout=10)
        key = base64.b64encode(os.urandom(16)).decode()
        ask = (
            f"GET {parts.path}?{parts.query} HTTP/1.1\r\nHost: {parts.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        self._socket.sendall(ask.encode())
        self._file = self._socket.makefile("rb")
        status = self._file.readline().decode()
        while self._file.readline() not in (b"\r\n", b""):
            pass
        if " 101 " not in status:
            raise ConnectionError(f"no WebSocket: {status.strip()}")
        self._socket.settimeout(None)

    def send(self, text, opcode=TEXT):
        data, mask = text.encode(), os.urandom(4)
        length = bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + struct.pack(">H", len(data))
        masked = bytes(byte ^ mask[n % 4] for n, byte in enumerate(data))
        self._socket.sendall(bytes([0x80 | opcode]) + length + mask + masked)

    def receive(self):
        """The next text; `None` when the other side has closed."""
        whole = b""
        while True:
            head = self._file.read(2)
            if len(head) < 2:
                return None
            length = head[1] & 0x7F
            if length == 126:
                (length,) = struct.unpack(">H", self._file.read(2))
            elif length == 127:
                (length,) = struct.unpack(">Q", self._file.read(8))
            data, opcode = self._file.read(length), head[0] & 0x0F
            if opcode == CLOSE:
                return None
            if opcode == PING:
                self.send(data.decode(errors="replace"), PONG)
            elif opcode != PONG:
                whole += data
                if head[0] & 0x80:
                    return whole.decode()

    def close(self):
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._socket.close()


class Listener:
    """One who listens in a language, from the moment the session can be joined."""

    def __init__(self, url, session, language):
        self.language, self.joined, self.over = language, threading.Event(), threading.Event()
        # (epoch seconds of the arrival, caption), in the order of arrival.
        self.captions = []
        self._ask = {"sessionId": session, "targetLanguage": language}
        self._url = f"{url}?{urllib.parse.urlencode(self._ask)}"
        self._gone = False
        self._socket = None
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        # The session is not there yet, and then refuses: whoever waits for its begin tries again.
        while not (self.joined.is_set() or self._gone):
            try:
                self._socket = Socket(self._url)
                self._socket.send(json.dumps({"action": "joinSession", **self._ask}))
                self._take()
            except OSError:
                pass
            time.sleep(0.1)

    def _take(self):
        while (text := self._socket.receive()) is not None:
            at, message = time.time(), json.loads(text)
            kind = message.get("type")
            if kind == "sessionJoined":
                self.joined.set()
            elif kind == "transcription":
                self.captions.append((at, message))
            elif kind == "sessionEnded":
                self.over.set()
            elif kind == "error" and not self.joined.is_set():
                return self._socket.close()

    def finals(self):
        # A revision is the second wording of one of these.
        return [(at, caption) for at, caption in self.captions if caption["isFinal"] and not caption.get("revised")]

    def close(self):
        self._gone = True
        if self._socket:
            self._socket.close()
