"""D9: the link to the clients goes down and comes back: a server in a network namespace of its own, behind a virtual cable."""

import contextlib
import os
import subprocess
import time

import bench as benches
import wire
from load import Load, found
from probe import Probe
from rows import Control, Outcome, row

N_EACH = 40
SPARE = 4
# The longest deadline of the gate is that of an idle client, 60 s.
REAP_S = 80.0
# The naive server has no deadline at all: it is not waited for that long.
NAIVE_REAP_S = 15.0


class Link:
    """A namespace and a cable to it (root). Addresses of 198.18.0.0/15, which is kept for such tests."""

    def __init__(self, stack):
        pid = os.getpid()
        self.name, self.ours = f"reliability-{pid}", f"rel{pid}"
        net = f"198.18.{pid >> 6 & 255}.{(pid & 63) << 2}".rsplit(".", 1)
        self.near, self.address = (f"{net[0]}.{int(net[1]) + n}" for n in (1, 2))
        self.prefix = ["ip", "netns", "exec", self.name]
        benches.command(["ip", "netns", "add", self.name])
        # With the namespace goes its end of the cable, and with that ours.
        stack.callback(subprocess.run, ["ip", "netns", "del", self.name], check=False)
        stack.callback(subprocess.run, ["ip", "link", "del", self.ours], check=False, capture_output=True)
        benches.command(["ip", "link", "add", self.ours, "type", "veth", "peer", "name", "far", "netns", self.name])
        benches.command(["ip", "addr", "add", f"{self.near}/30", "dev", self.ours])
        benches.command(["ip", "-n", self.name, "addr", "add", f"{self.address}/30", "dev", "far"])
        benches.command(["ip", "-n", self.name, "link", "set", "lo", "up"])
        benches.command(["ip", "-n", self.name, "link", "set", "far", "up"])
        self.up()

    def up(self):
        benches.command(["ip", "link", "set", self.ours, "up"])

    def down(self):
        benches.command(["ip", "link", "set", self.ours, "down"])


def crowd(address, big):
    """Clients of every kind that a server may be waiting for: idle, with half a head, with half a body, and deaf."""
    body = wire.post(wire.beacon("half-0-0", 5000))
    firsts = (wire.get("/healthz"), body[:40], body[:2000], wire.get(big))
    streams = []
    for first in firsts * N_EACH:
        stream = wire.connect(address, timeout_s=5)
        stream.sendall(first)
        streams.append(stream)
    return streams


def cut(server, link, big, reap_s):
    """The link goes down in the middle of everything. Load; seconds until the last connection was let go, or None, and how
    many were left; what a client on the server's own side saw meanwhile; seconds from the link's return to an answer."""
    Load(server.address, n_clients=2).run_for(0.3)
    before = server.facts()["descriptors"]
    with contextlib.ExitStack() as stack:
        load = stack.enter_context(Load(server.address, timeout_s=5))
        streams = crowd(server.address, big)
        goal = len(load.acknowledged) + 50
        load.wait_for(lambda load: goal < len(load.acknowledged), 20)
        n_held = server.facts()["descriptors"] - before
        link.down()
        begin = time.monotonic()
        reaped_s = None
        with Probe(server.address, link.prefix) as near:
            while reaped_s is None and time.monotonic() - begin < reap_s and server.is_alive():
                time.sleep(0.2)
                n_left = server.facts()["descriptors"] - before
                # The client on this side has two.
                if n_left <= SPARE:
                    reaped_s = time.monotonic() - begin
        for stream in streams:
            stream.close()
        link.up()
        moment = time.monotonic()
        load.wait_for(lambda load: load.first_after(moment) is not None, 20)
        back_s = load.first_after(moment)
        goal = len(load.acknowledged) + 50
        load.wait_for(lambda load: goal < len(load.acknowledged), 20)
    return load, n_held, n_left, reaped_s, near.seen, back_s


@row("D9", "link down in the middle of beacons, later up again (network namespace)", ("root", "netns"), promise="peers that vanish are let go at their deadlines")
def link_down(bench):
    link = Link(bench.stack)
    public = bench.path("public")
    os.makedirs(public)
    with open(os.path.join(public, "big.bin"), "wb") as file:
        file.write(os.urandom(8 << 20))
    server = bench.serve(prefix=link.prefix, listen=f"{link.address}:0")
    load, n_held, n_left, reaped_s, near, back_s = cut(server, link, "/big.bin", REAP_S)
    seen = found(server.log)
    lost = seen.lost(load)
    wrong = []
    if not server.is_alive():
        wrong.append("the process is gone")
    if reaped_s is None:
        wrong.append(f"{n_left} descriptors still held after {REAP_S:.0f} s")
    if near["failed"]:
        wrong.append(f"others meanwhile: {near['failed']}")
    if back_s is None:
        wrong.append("deaf ever after")
    if seen.n_unparsable:
        wrong.append(f"{seen.n_unparsable} unparsable")
    lost += [name for name in near["ids"] if name not in seen.counts]
    words = "; ".join(wrong) or f"{n_held} descriptors let go after {reaped_s:.0f} s; on the near side {near['n']} beacons meanwhile, none failed"
    back = "never" if back_s is None else f"{back_s * 1e3:.0f} ms"
    return Outcome("1 time", not wrong and not lost, words, len(load.acknowledged) + len(near["ids"]), len(lost), back)


@link_down.control
def _(bench):
    link = Link(bench.stack)
    server = bench.naive(prefix=link.prefix, listen=f"{link.address}:0")
    _, _, n_left, reaped_s, near, back_s = cut(server, link, "/log", NAIVE_REAP_S)
    n_failed = sum(near["failed"].values())
    words = f"naive: {n_left} descriptors held for ever, {n_failed} of {near['n']} beacons of others failed, {'back' if back_s else 'never back'}"
    return Control(words, reaped_s is None or 0 < n_failed or back_s is None)
