"""HTTP as bytes: requests built by hand, answers read with a deadline. Must not be polite: tests send what browsers never would."""

import json
import socket

TIMEOUT_S = 10.0


def connect(address, source=None, timeout_s=TIMEOUT_S):
    """A connection, from another loopback address where `source` names one."""
    stream = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        stream.settimeout(timeout_s)
        if source:
            # The port only at connect(): a thousand connections of one address must not run out of them.
            stream.setsockopt(socket.SOL_IP, getattr(socket, "IP_BIND_ADDRESS_NO_PORT", 24), 1)
            stream.bind((source, 0))
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        stream.connect(address)
    except OSError:
        stream.close()
        raise
    return stream


def beacon(name, bytes_min=0, meeting="reliability"):
    """A beacon that tells from itself whether it is whole: `id`, and padding whose length it names."""
    head = {
        "room": "https://example.daily.co/meet-reliability",
        "meetingSessionId": meeting,
        "sessionId": name.rsplit("-", 1)[0],
        "stats": {},
        "id": name,
    }
    n_pad = max(0, bytes_min - 220)
    head["padded"] = n_pad
    head["pad"] = "x" * n_pad
    return json.dumps(head, separators=(",", ":")).encode()


def post(body, path="/beacon", headers=""):
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n{headers}Content-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def get(path, headers=""):
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n".encode()


class Answers:
    """Reads answers off one connection, in order."""

    def __init__(self, stream):
        self.stream, self.buffer = stream, b""

    def _more(self):
        part = self.stream.recv(65536)
        if not part:
            raise ConnectionError("closed")
        self.buffer += part

    def next(self):
        """Status, headers in lower case, body. Raises OSError where there is none."""
        while b"\r\n\r\n" not in self.buffer:
            self._more()
        head, self.buffer = self.buffer.split(b"\r\n\r\n", 1)
        lines = head.decode("latin-1").split("\r\n")
        status = int(lines[0].split(" ")[1])
        headers = {}
        for line in lines[1:]:
            key, _, value = line.partition(":")
            headers[key.strip().lower()] = value.strip()
        if status in (100, 204, 304):
            return status, headers, b""
        if headers.get("transfer-encoding") == "chunked":
            return status, headers, self._chunks()
        length = int(headers.get("content-length", 0))
        while len(self.buffer) < length:
            self._more()
        body, self.buffer = self.buffer[:length], self.buffer[length:]
        return status, headers, body

    def _chunks(self):
        body = b""
        while True:
            while b"\r\n" not in self.buffer:
                self._more()
            size, self.buffer = self.buffer.split(b"\r\n", 1)
            n_bytes = int(size, 16)
            while len(self.buffer) < n_bytes + 2:
                self._more()
            body, self.buffer = body + self.buffer[:n_bytes], self.buffer[n_bytes + 2 :]
            if n_bytes == 0:
                return body


def ask(address, request, timeout_s=TIMEOUT_S, source=None):
    """One request on a connection of its own; its status, headers and body."""
    stream = connect(address, source, timeout_s)
    try:
        stream.sendall(request)
        return Answers(stream).next()
    finally:
        stream.close()


def status_of(address, request, timeout_s=TIMEOUT_S, source=None):
    """The status alone; 0 where there was no answer."""
    try:
        return ask(address, request, timeout_s, source)[0]
    except (OSError, ValueError, IndexError):
        return 0
