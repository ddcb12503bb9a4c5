"""One attack: what a well-behaved client feels before and during it, and whether the server is as it was afterwards."""

import threading
import time

from load import Found
from probe import Probe
from rows import Control, Outcome

# What the well-behaved client is promised, and what that is worth on a machine that is slow by itself.
P99_MS_MAX = 200.0
SLOW_FACTOR = 5
# What an allocator keeps, and threads that are about to end.
RSS_KIB_MAX = 64 * 1024
RSS_PEAK_KIB_MAX = 256 * 1024
SPARE = 12
# tiny_http lets idle threads wait for 5 s.
NAIVE_SETTLE_S = 7


class Seen:
    """What an attack noted: answers that should not have been, and numbers to show."""

    def __init__(self, is_control=False):
        self.bad, self.words = [], ""
        self.n = 0
        self._is_control = is_control

    def is_enough(self):
        """A control has failed with its first wrong answer."""
        return self._is_control and bool(self.bad)


class Siege:
    def __init__(self, server, attack, calm_s, seconds, settle_s, is_control=False):
        self.server, self.seen = server, Seen(is_control)
        # The first requests warm up threads and buffers.
        with Probe(server.address):
            time.sleep(0.3)
        before = server.facts()
        with Probe(server.address) as calm:
            time.sleep(calm_s)
        self.calm = calm.seen
        self.peak = 0
        over = threading.Event()
        watcher = threading.Thread(target=self._watch, args=(over,))
        watcher.start()
        try:
            with Probe(server.address) as during:
                attack(server, time.monotonic() + seconds, self.seen)
            self.during = during.seen
        finally:
            over.set()
            watcher.join()
        self.grown_peak = self.peak - before["rss"]
        self.is_alive = server.is_alive()
        # Threads, descriptors and memory go back by themselves, within the deadlines of the server.
        begin = time.monotonic()
        self.left = ""
        while self.is_alive and not (is_control and (self.seen.bad or self.during["failed"])):
            now = server.facts()
            if now is None:
                break
            left = {key: now[key] - before[key] for key in ("threads", "descriptors", "rss")}
            if left["threads"] <= SPARE and left["descriptors"] <= SPARE and left["rss"] <= RSS_KIB_MAX:
                break
            if settle_s < time.monotonic() - begin:
                self.left = f"{left['threads']:+d} threads, {left['descriptors']:+d} descriptors, {left['rss'] / 1024:+.0f} MiB left"
                break
            time.sleep(0.05)
        self.back_s = time.monotonic() - begin

    def _watch(self, over):
        while not over.wait(0.05):
            facts = self.server.facts()
            if facts:
                self.peak = max(self.peak, facts["rss"])

    def harm(self, p99_ms_max):
        """What is wrong, in words; empty where nothing is."""
        wrong = []
        if not self.is_alive:
            wrong.append("the process is gone")
        failed = sum(self.during["failed"].values())
        if failed:
            kinds = ", ".join(f"{n} × {why}" for why, n in self.during["failed"].items())
            wrong.append(f"{failed} of {self.during['n']} beacons of others failed ({kinds})")
        if self.during["n"] and not failed and self.during["p99_ms"] is None:
            wrong.append("nobody else was served")
        elif not failed and p99_ms_max < (self.during["p99_ms"] or 0):
            wrong.append(f"p99 of others {self.during['p99_ms']:.0f} ms")
        if self.is_alive and self.left:
            wrong.append(self.left)
        if RSS_PEAK_KIB_MAX < self.grown_peak:
            wrong.append(f"memory +{self.grown_peak / 1024:.0f} MiB")
        if self.seen.bad:
            wrong.append(f"{len(self.seen.bad)} wrong answers, such as {self.seen.bad[0]}")
        return wrong


def held_off(bench, attack, seconds, args=(), settle_s=20):
    """Our server under `attack`."""
    server = bench.serve(args=args)
    siege = Siege(server, attack, bench.n(0.7, 2.0), seconds, settle_s)
    # The short selection runs beside compilers and on the debug binary.
    limit = max(P99_MS_MAX * bench.n(5, 1), SLOW_FACTOR * (siege.calm["p99_ms"] or 0))
    wrong = siege.harm(limit)
    if siege.is_alive:
        metrics = server.metrics()
        panics = metrics["handler_panics_total"] + metrics["connection_panics_total"]
        if panics:
            wrong.append(f"{panics:.0f} panics")
    seen = Found()
    seen.read(server.log)
    lost = len([name for name in siege.during["ids"] if name not in seen.counts])
    if seen.n_unparsable:
        wrong.append(f"{seen.n_unparsable} lines of the attack in the log")
    number = lambda ms: "none" if ms is None else f"{ms:.0f}"
    words = [
        f"p99 of others {number(siege.during['p99_ms'])} ms (calm: {number(siege.calm['p99_ms'])})",
        f"memory {siege.grown_peak / 1024:+.0f} MiB",
    ]
    if siege.seen.words:
        words.append(siege.seen.words)
    if siege.during["max_ms"] and 1000 < siege.during["max_ms"]:
        words.append(f"longest {siege.during['max_ms']:.0f} ms")
    often = f"{siege.seen.n:,} in {seconds:.0f} s"
    n_acknowledged = len(siege.during["ids"])
    return Outcome(often, not wrong and not lost, "; ".join(wrong + words), n_acknowledged, lost, f"{siege.back_s * 1e3:.0f} ms")


def naive_under(bench, attack, seconds):
    server = bench.naive()
    siege = Siege(server, attack, 0.5, seconds, NAIVE_SETTLE_S, is_control=True)
    wrong = siege.harm(max(P99_MS_MAX, SLOW_FACTOR * (siege.calm["p99_ms"] or 0)))
    n_panics = server.errors().count("panicked at")
    if n_panics:
        wrong.append(f"{n_panics} panics")
    words = "naive: " + ("; ".join(wrong) if wrong else f"withstands it (p99 {siege.during['p99_ms']} ms)")
    return Control(words, bool(wrong))
