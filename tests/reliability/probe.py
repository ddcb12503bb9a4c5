"""A well-behaved client in a process of its own: a beacon each 20 ms, in turn on a connection that it keeps and on a fresh one.
`probe.py HOST PORT NAME` runs until its stdin ends, then prints what it saw as JSON."""

import json
import subprocess
import sys
import threading
import time

import wire

EVERY_S = 0.02
TIMEOUT_S = 3.0


class Probe:
    """`with Probe(address) as probe: …`, then `probe.seen`: n, failed, p50_ms, p99_ms, max_ms, ids."""

    _n = 0

    def __init__(self, address, prefix=()):
        Probe._n += 1
        self.command = [*prefix, sys.executable, __file__, address[0], str(address[1]), f"probe-{Probe._n}"]
        self.seen = None

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, *_):
        try:
            output, _ = self.process.communicate("", timeout=4 * TIMEOUT_S)
            self.seen = json.loads(output)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()


def watch(address, name, stopped):
    times, failed, ids = [], {}, []
    kept = answers = None
    n = 0
    while not stopped.is_set():
        n += 1
        begin = time.monotonic()
        identity = f"{name}-{n}"
        request = wire.post(wire.beacon(identity, 600))
        why = None
        try:
            if n % 2:
                if kept is None:
                    kept = wire.connect(address, timeout_s=TIMEOUT_S)
                    answers = wire.Answers(kept)
                kept.sendall(request)
                status, _, _ = answers.next()
            else:
                status, _, _ = wire.ask(address, request.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n", 1), TIMEOUT_S)
            if status == 204:
                times.append(time.monotonic() - begin)
                ids.append(identity)
            else:
                why = str(status)
        except (OSError, ValueError) as cause:
            why = type(cause).__name__
        if why:
            why = ("kept " if n % 2 else "fresh ") + why
            failed[why] = failed.get(why, 0) + 1
            if n % 2 and kept is not None:
                kept.close()
                kept = None
        stopped.wait(max(0.0, EVERY_S - (time.monotonic() - begin)))
    times.sort()
    at = lambda share: round(1e3 * times[min(len(times) - 1, int(len(times) * share))], 1) if times else None
    return {"n": n, "failed": failed, "p50_ms": at(0.5), "p99_ms": at(0.99), "max_ms": at(1.0), "ids": ids}


def main():
    stopped = threading.Event()
    address, name = (sys.argv[1], int(sys.argv[2])), sys.argv[3]
    threading.Thread(target=lambda: (sys.stdin.read(), stopped.set()), daemon=True).start()
    print(json.dumps(watch(address, name, stopped)))


if __name__ == "__main__":
    main()
