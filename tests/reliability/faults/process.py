"""C: the process stopped, its clock moved, its descriptors, memory and stderr taken away."""

import glob
import os
import resource
import signal
import socket
import struct
import time

import server as servers
import wire
from load import Load, found
from rows import Control, Outcome, row

HELLO = wire.post(wire.beacon("hello-0-0"), headers="Connection: close\r\n")


def come_and_go(address, n):
    """Clients that send a beacon and reset the connection, before anybody accepted it."""
    for number in range(n):
        try:
            stream = wire.connect(address, timeout_s=1)
        except OSError:
            continue
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        stream.sendall(wire.post(wire.beacon(f"gone-0-{number}")))
        stream.close()


def stopped(server, pauses):
    """Load, the slowest return to service, what went wrong."""
    slowest, wrong = 0.0, []
    with Load(server.address, timeout_s=60) as load:
        for pause_s in pauses:
            time.sleep(0.3)
            server.signal(signal.SIGSTOP)
            come_and_go(server.address, 50)
            time.sleep(pause_s)
            moment = time.monotonic()
            server.signal(signal.SIGCONT)
            if not load.wait_for(lambda load: load.first_after(moment) is not None, 15):
                wrong.append(f"deaf after {pause_s} s")
                break
            slowest = max(slowest, load.first_after(moment))
        time.sleep(0.5)
    return load, slowest, wrong


@row("C1", "stopped for a while (SIGSTOP, SIGCONT), 50 clients come and go meanwhile", short=True)
def paused(bench):
    pauses = bench.n((2,), (2, 5, 35))
    server = bench.serve()
    load, slowest, wrong = stopped(server, pauses)
    seen = found(server.log)
    lost = seen.lost(load)
    metrics = server.metrics()
    panics = metrics["handler_panics_total"] + metrics["connection_panics_total"]
    if panics or "panicked" in server.errors():
        wrong.append(f"{panics:.0f} panics")
    holds = not wrong and not lost and seen.n_unparsable == 0 and server.is_alive()
    words = "; ".join(wrong) or f"{'/'.join(map(str, pauses))} s, no panic"
    return Outcome(f"{len(pauses)} pauses", holds, words, len(load.acknowledged), len(lost), f"{slowest * 1e3:.0f} ms")


@paused.control
def _(bench):
    server = bench.naive()
    _, _, wrong = stopped(server, (1,))
    panics = server.errors().count("panicked")
    return Control(f"naive: {panics} threads panic" + "".join(f", {text}" for text in wrong), 0 < panics or bool(wrong))


def with_clock(bench, start):
    """Load while the wall clock jumps; the slowest return to service, what went wrong, the server."""
    clock = bench.path("clock")

    def jump(offset):
        with open(clock + ".new", "w") as file:
            file.write(offset)
        os.rename(clock + ".new", clock)

    jump("+0")
    env = {"LD_PRELOAD": bench.programs.faketime, "FAKETIME_TIMESTAMP_FILE": clock, "FAKETIME_NO_CACHE": "1", "DONT_FAKE_MONOTONIC": "1"}
    server = start(env)
    slowest, wrong = 0.0, []
    with Load(server.address, n_clients=4, pause_s=0.005) as load:
        for offset in ("+3600", "-3600", "-34560000", "+315360000", "+0"):
            time.sleep(0.3)
            jump(offset)
            moment = time.monotonic()
            if not load.wait_for(lambda load: load.first_after(moment + 0.05) is not None, 5):
                wrong.append(f"no beacon is taken after {offset} s")
                break
            slowest = max(slowest, load.first_after(moment))
        time.sleep(0.3)
    return server, load, slowest, wrong


@row("C2", "wall clock jumps ±1 h, −400 days, +10 years, while serving", ("faketime",), promise="no promise depends on the wall clock")
def clock_jumps(bench):
    # The brake is on, since it measures time: no more than one a millisecond, which these clients do not reach.
    server, load, slowest, wrong = with_clock(bench, lambda env: bench.serve(env=env, args=("--rate-per-address", "1000")))
    with open(server.log) as file:
        times = [int(line.rsplit('"t":', 1)[1].split("}")[0].split(",")[0]) for line in file]
    if max(times, default=0) - min(times, default=0) < 300_000_000_000:
        wrong.append("the clock did not jump")
    seen = found(server.log)
    lost = seen.lost(load)
    broken = load.n_broken + sum(load.codes.values()) - load.codes[204]
    if broken:
        wrong.append(f"{broken} requests failed")
    holds = not wrong and not lost and seen.n_unparsable == 0 and server.is_alive()
    return Outcome("5 jumps", holds, "; ".join(wrong) or "no request failed", len(load.acknowledged), len(lost), f"{slowest * 1e3:.0f} ms")


def starved(server, n_sockets, seconds):
    """Holds `n_sockets` connections, then lets go: answer to a beacon meanwhile, and seconds until one is answered after."""
    held = []
    try:
        for _ in range(n_sockets):
            try:
                held.append(wire.connect(server.address, timeout_s=2))
            except OSError:
                pass
        time.sleep(0.5)
        meanwhile = wire.status_of(server.address, HELLO, 3.0)
    finally:
        for stream in held:
            stream.close()
    return meanwhile, server.answers(HELLO, seconds)


@clock_jumps.control
def _(bench):
    _, load, _, wrong = with_clock(bench, lambda env: bench.naive(args=["--brake"], env=env))
    words = f"naive, with a brake by the wall clock: {'; '.join(wrong) or 'withstands it'}, {load.codes[429]:,} answered 429"
    return Control(words, bool(wrong))


@row("C3", "descriptors exhausted: limit 64, 80 connections", ("prlimit",), short=True, promise="running out of descriptors or threads passes with its cause")
def descriptors(bench):
    server = bench.serve(prefix=["prlimit", "--nofile=64:64"])
    n_times = bench.n(2, 10)
    meanwhile, times = [], []
    for _ in range(n_times):
        now, recovered = starved(server, 80, 15)
        meanwhile.append(now)
        times.append(recovered)
    holds = None not in times and server.is_alive() and set(meanwhile) <= {0, 204, 503}
    slowest = f"{max(times) * 1e3:.0f} ms" if None not in times else "never"
    words = "meanwhile " + ", ".join(f"{meanwhile.count(code)} × {code or 'no answer'}" for code in sorted(set(meanwhile)))
    return Outcome(f"{n_times} times", holds, words, recovered=slowest)


@descriptors.control
def _(bench):
    server = bench.naive(prefix=["prlimit", "--nofile=64:64"])
    _, recovered = starved(server, 80, 5)
    return Control("naive: deaf ever after" if recovered is None else f"naive: back in {recovered * 1e3:.0f} ms", recovered is None)


def cramped(server, n_connections=400):
    """Takes the address space away but for 16 MiB, and then asks for `n_connections` threads: alive, seconds to recover."""
    Load(server.address).run_for(0.3)
    facts = server.facts()
    server.limit(resource.RLIMIT_AS, (facts["size"] + 16 * 1024) * 1024)
    held = []
    load = Load(server.address, timeout_s=3)
    with load:
        try:
            for n in range(n_connections):
                try:
                    stream = wire.connect(server.address, timeout_s=0.2)
                    stream.sendall(wire.post(wire.beacon(f"cramped-0-{n}", 20_000))[:5000])
                    held.append(stream)
                except OSError:
                    pass
            time.sleep(1)
            is_alive = server.is_alive()
        finally:
            for stream in held:
                stream.close()
        if is_alive:
            server.limit(resource.RLIMIT_AS, None)
    return load, is_alive, server.answers(HELLO, 10) if is_alive else None


@row("C4", "address space exhausted, 400 half requests", ("prlimit",), short=True, promise="running out of memory for threads ends nothing: clients are turned away until there is some again")
def memory(bench):
    server = bench.serve()
    load, is_alive, recovered = cramped(server)
    seen = found(server.log)
    lost = seen.lost(load)
    code = "alive" if is_alive else f"gone: {server.process.wait()}"
    words = f"{code}, meanwhile {dict(load.codes)}, {load.n_broken} not answered"
    holds = is_alive and recovered is not None and not lost and not seen.n_unparsable
    back = "never" if recovered is None else f"{recovered * 1e3:.0f} ms"
    return Outcome("1 time", holds, words, len(load.acknowledged), len(lost), back)


@memory.control
def _(bench):
    server = bench.naive()
    _, is_alive, recovered = cramped(server)
    return Control("naive: " + ("gone" if not is_alive else "deaf ever after" if recovered is None else "withstands it"), None if recovered else True)


STDERRS = ("closed", "full", "blocked")


def stderr_of(kind):
    """A stderr of `kind`, and the end that nobody reads, where it must stay open."""
    reader = None
    if kind == "full":
        writer = os.open("/dev/full", os.O_WRONLY)
    else:
        reader, writer = os.pipe()
        if kind == "closed":
            os.close(reader)
            reader = None
        else:
            os.set_blocking(writer, False)
            try:
                while os.write(writer, b"x" * 4096):
                    pass
            except BlockingIOError:
                pass
            os.set_blocking(writer, True)
    return reader, writer


def with_stderr(bench, kind):
    """Provokes messages on a stderr of `kind`; what went wrong."""
    reader, writer = stderr_of(kind)
    folder = bench.new_folder()
    try:
        server = bench.serve(folder, prefix=["prlimit", "--fsize=100000:unlimited"], stderr=writer)
    finally:
        os.close(writer)
    with Load(server.address) as load:
        is_full = load.wait_for(lambda load: 10 < load.codes[503], 15)
        server.limit(resource.RLIMIT_FSIZE, None)
        moment = time.monotonic()
        is_back = load.wait_for(lambda load: load.first_after(moment) is not None, 10)
    code, _ = server.stop()
    if reader is not None:
        os.close(reader)
    lost = found(server.log).lost(load)
    wrong = [f"{kind}: {text}" for text, is_so in (("no trouble was made", not is_full), ("deaf", not is_back), (f"exit {code}", code != 0)) if is_so]
    return load, len(lost), wrong


@row("C5", "stderr a broken pipe, a full device, a pipe nobody reads", ("prlimit",), short=True, promise="a stuck or broken stderr holds nobody up")
def stderr(bench):
    acknowledged = lost = 0
    wrong = []
    for kind in STDERRS:
        load, n_lost, more = with_stderr(bench, kind)
        acknowledged, lost, wrong = acknowledged + len(load.acknowledged), lost + n_lost, wrong + more
    return Outcome("3 kinds", not wrong and not lost, "; ".join(wrong) or "serves on, stops with exit 0", acknowledged, lost)


@stderr.control
def _(bench):
    """Its log is on a full device, so it has something to say of each beacon."""
    deaf = []
    for kind in STDERRS:
        reader, writer = stderr_of(kind)
        folder = bench.new_folder()
        os.symlink("/dev/full", os.path.join(folder, "beacon.log"))
        try:
            server = bench.naive(folder, stderr=writer)
        finally:
            os.close(writer)
        # More than it has workers.
        statuses = [wire.status_of(server.address, HELLO, 1.0) for _ in range(6)]
        if statuses[-1] == 0:
            deaf.append(kind)
        server.kill()
        if reader is not None:
            os.close(reader)
    return Control(f"naive: deaf ever after with a stderr that is {', '.join(deaf) or 'none of them'}", deaf == list(STDERRS))


def kept_starting(start, folder, n_starts):
    """Starts and kills; how many starts came up and answered before one did not."""
    for n in range(n_starts):
        try:
            server = start(folder)
        except servers.Gone:
            return n
        is_well = server.answers(HELLO, 10) is not None
        server.kill()
        if not is_well:
            return n
    return n_starts


@row("C6", "killed and started again at once, 20 times, then once more a minute later", short=True)
def restarts(bench):
    """What a kill leaves behind, a lock and the folder of a socket, must neither stand in the way of the next start nor pile up."""
    folder, n_starts = bench.new_folder(), bench.n(5, 20)
    n_well = kept_starting(bench.serve, folder, n_starts)
    left = glob.glob(os.path.join(folder, "call-metrics-*"))
    for path in left:
        os.utime(path, (time.time() - 120,) * 2)
    server = bench.serve(folder)
    n_left = len(glob.glob(os.path.join(folder, "call-metrics-*"))) - 1
    code, _ = server.stop()
    holds = n_well == n_starts and 0 < len(left) and n_left == 0 and code == 0
    return Outcome(f"{n_starts} kills", holds, f"{n_well} came up; {len(left)} folders of dead sockets, then {n_left}")


@restarts.control
def _(bench):
    """A lock that is a file which must not be there."""
    n_well = kept_starting(lambda folder: bench.naive(folder, ["--lock"]), bench.new_folder(), 3)
    return Control(f"naive, with a file for a lock: {n_well} of 3 starts came up", n_well < 3)
