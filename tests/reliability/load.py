"""Clients that number their beacons and remember which were acknowledged, and the comparison with what the log holds."""

import collections
import glob
import gzip
import itertools
import json
import os
import random
import threading
import time

import wire

_RUNS = itertools.count(1)


class Load:
    """Keep-alive clients, each on a thread, each posting as fast as it is answered. Nothing is ever sent twice."""

    def __init__(self, address, n_clients=8, sizes=(300,), pause_s=0.0, timeout_s=10.0):
        self.address, self.sizes, self.pause_s, self.timeout_s = address, sizes, pause_s, timeout_s
        # id -> (sent, acknowledged, local port), monotonic seconds
        self.acknowledged = {}
        self.codes = collections.Counter()
        self.n_broken = 0
        self._stopping = threading.Event()
        run = next(_RUNS)
        self._threads = [
            threading.Thread(target=self._client, args=(f"rel-{os.getpid()}x{run}-{n}",), daemon=True)
            for n in range(n_clients)
        ]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        self._stopping.set()
        for thread in self._threads:
            thread.join(self.timeout_s + 5)

    def run_for(self, seconds):
        with self:
            time.sleep(seconds)
        return self

    def _client(self, name):
        pick = random.Random(name)
        stream = answers = None
        for n in itertools.count():
            if self._stopping.is_set():
                break
            sent = time.monotonic()
            identity = f"{name}-{n}"
            try:
                if stream is None:
                    stream = wire.connect(self.address, timeout_s=self.timeout_s)
                    answers = wire.Answers(stream)
                    port = stream.getsockname()[1]
                stream.sendall(wire.post(wire.beacon(identity, pick.choice(self.sizes))))
                status, headers, _ = answers.next()
            except (OSError, ValueError):
                self.n_broken += 1
                if stream is not None:
                    stream.close()
                stream = None
                self._stopping.wait(0.01)
                continue
            self.codes[status] += 1
            if status == 204:
                self.acknowledged[identity] = (sent, time.monotonic(), port)
            else:
                self._stopping.wait(0.02)
            if headers.get("connection", "").lower() == "close":
                stream.close()
                stream = None
            if self.pause_s:
                self._stopping.wait(self.pause_s)
        if stream is not None:
            stream.close()

    def wait_for(self, condition, seconds):
        """Waits until `condition(self)`; whether it came true."""
        deadline = time.monotonic() + seconds
        while not condition(self):
            if deadline < time.monotonic():
                return False
            time.sleep(0.005)
        return True

    def first_after(self, moment):
        """Seconds from `moment` to the first acknowledgement after it; None without one."""
        times = [acknowledged for _, acknowledged, _ in list(self.acknowledged.values()) if moment <= acknowledged]
        return min(times) - moment if times else None


class Found:
    """What is in the log and its rotated segments."""

    def __init__(self):
        self.counts = collections.Counter()
        self.n_lines = self.n_unparsable = self.n_tail_bytes = 0

    @property
    def n_duplicate(self):
        return sum(count - 1 for count in self.counts.values())

    def read(self, path, offset=0):
        """Adds the whole lines of `path` from `offset` on; returns where the last ends."""
        opener = gzip.open if path.endswith(".gz") else open
        with opener(path, "rb") as file:
            file.seek(offset)
            data = file.read()
        end = data.rfind(b"\n") + 1
        self.n_tail_bytes += len(data) - end
        for line in data[:end].split(b"\n")[:-1]:
            self.n_lines += 1
            try:
                record = json.loads(line)
                whole = len(record["pad"]) == record["padded"]
                identity = record["id"]
            except (ValueError, KeyError, TypeError):
                whole = False
            if whole:
                self.counts[identity] += 1
            else:
                self.n_unparsable += 1
        return offset + end

    def read_all(self, log):
        """`log` and what it was rotated into; not what was put aside as torn, and not the lock."""
        for path in segments(log):
            # What is being compressed is there twice for a moment.
            if not os.path.exists(path + ".gz"):
                self.read(path)
        return self

    def lost(self, *loads):
        """Acknowledged, and not there."""
        return [identity for load in loads for identity in load.acknowledged if identity not in self.counts]


def segments(log):
    """The log and what it was rotated into."""
    others = (".lock", ".torn", ".kept", ".gz.")
    return [path for path in sorted(glob.glob(log + "*")) if os.path.isfile(path) and not any(other in path.removeprefix(log) for other in others)]


def found(log):
    return Found().read_all(log)
