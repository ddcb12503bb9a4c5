"""C: the process stopped, its clock moved, its descriptors, memory and stderr taken away."""

import os
import resource
import signal
import socket
import struct
import subprocess
import time

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


@row("C2", "wall clock jumps ±1 h, −400 days, +10 years, while serving", ("faketime",), promise="no promise depends on the wall clock")
def clock_jumps(bench):
    clock = bench.path("clock")

    def jump(offset):
        with open(clock + ".new", "w") as file:
            file.write(offset)
        os.rename(clock + ".new", clock)

    jump("+0")
    env = {"LD_PRELOAD": bench.programs.faketime, "FAKETIME_TIMESTAMP_FILE": clock, "FAKETIME_NO_CACHE": "1", "DONT_FAKE_MONOTONIC": "1"}
    server = bench.serve(env=env)
    slowest, wrong = 0.0, []
    with Load(server.address, n_clients=4, pause_s=0.005) as load:
        for offset in ("+3600", "-3600", "-34560000", "+315360000", "+0"):
            time.sleep(0.3)
            jump(offset)
            moment = time.monotonic()
            if not load.wait_for(lambda load: load.first_after(moment + 0.05) is not None, 10):
                wrong.append(f"deaf after {offset} s")
                break
            slowest = max(slowest, load.first_after(moment))
        time.sleep(0.3)
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


def with_stderr(bench, kind):
    """Provokes messages on a stderr of `kind`; what went wrong."""
    reader = writer = None
    folder = bench.new_folder()
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
    for kind in ("closed", "full", "blocked"):
        load, n_lost, more = with_stderr(bench, kind)
        acknowledged, lost, wrong = acknowledged + len(load.acknowledged), lost + n_lost, wrong + more
    return Outcome("3 kinds", not wrong and not lost, "; ".join(wrong) or "serves on, stops with exit 0", acknowledged, lost)


@row("C6", "killed while it holds a socket folder, started again 20 times", short=True)
def restarts(bench):
    """What a kill leaves behind must not pile up in the way of the next start."""
    folder = bench.new_folder()
    port = None
    for _ in range(bench.n(5, 20)):
        server = bench.serve(folder)
        port = server.address[1]
        if server.answers(HELLO, 10) is None:
            return Outcome("1", False, "deaf after a restart")
        server.kill()
    begin = time.monotonic()
    again = subprocess.run([bench.programs.ours, "build-report", "--log", server.log, "--out", bench.path("out")], capture_output=True, text=True, timeout=60, check=False)
    took = time.monotonic() - begin
    return Outcome(f"{bench.n(5, 20)} starts", again.returncode == 0 and port is not None, again.stdout.strip()[:100], recovered=f"{took * 1e3:.0f} ms to report")
