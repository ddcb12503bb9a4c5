"""A: system calls that fail, lie or dawdle, injected by strace into the running server."""

import os
import time

import server as servers
import tracing
import wire
from load import Load, found
from rows import Control, Outcome, row


def injected(bench, inject, folder=None, paths=None, **options):
    folder = folder or bench.new_folder()
    log = os.path.join(folder, "beacon.log")
    trace = os.path.join(folder, "trace")
    prefix = tracing.prefix(trace, inject, [log] if paths is None else paths)
    return bench.serve(folder, prefix=prefix, **options), trace


def n_injected(trace):
    tracing.settle(trace)
    with open(trace, errors="replace") as file:
        return sum(line.rstrip().endswith("(INJECTED)") for line in file)


def verdict(server, loads, n_faults, extra_codes=()):
    """Acknowledged, lost, what is wrong."""
    seen = found(server.log)
    lost = seen.lost(*loads)
    codes = {code for load in loads for code in load.codes} - {204, 503, *extra_codes}
    wrong = []
    if n_faults == 0:
        wrong.append("nothing was injected")
    if seen.n_unparsable:
        wrong.append(f"{seen.n_unparsable} unparsable lines")
    if codes:
        wrong.append(f"codes {codes}")
    return sum(len(load.acknowledged) for load in loads), len(lost), wrong


@row("A7", "fdatasync fails with EIO, once and for ever", ("strace",), short=True, promise="a record whose sync failed is answered 503, and that descriptor is not trusted again")
def sync_fails(bench):
    acknowledged = lost = n_faults = on_retired = 0
    wrong, recovered = [], []
    # Order and injection in one trace.
    # A second failure soon after the first is waited out (10 s), not answered by file upon file.
    for when, seconds in (("3", bench.n(1, 4)), ("2+5", bench.n(1, 14))):
        folder = bench.new_folder()
        trace = os.path.join(folder, "trace")
        prefix = tracing.prefix(trace) + ["-e", f"inject=fdatasync:error=EIO:when={when}"]
        server = bench.serve(folder, prefix=prefix)
        load = Load(server.address).run_for(seconds)
        server.stop()
        faults = n_injected(trace)
        a, l, w = verdict(server, [load], faults)
        audit = tracing.Audit(trace, server.log, [load])
        if audit.violations:
            w.append(f"{len(audit.violations)} acknowledged without a good sync")
        if load.codes[503] == 0:
            w.append("no 503")
        if len(load.acknowledged) < bench.n(4, 12):
            w.append(f"only {len(load.acknowledged)} acknowledged: it did not recover")
        acknowledged, lost, n_faults, on_retired = acknowledged + a, lost + l, n_faults + faults, on_retired + audit.n_on_retired
        wrong += w
    server, trace = injected(bench, "fdatasync:error=EIO:when=3+")
    with Load(server.address) as load:
        load.wait_for(lambda load: 30 < load.codes[503], 15)
        n_before = len(load.acknowledged)
        time.sleep(0.3)
        if n_before < len(load.acknowledged):
            wrong.append("acknowledged while every sync fails")
        if wire.status_of(server.address, wire.get("/healthz")) != 503:
            wrong.append("/healthz says it is well")
    if on_retired:
        wrong.append(f"{on_retired} writes on a descriptor whose sync failed")
    server.kill()
    a, l, w = verdict(server, [load], n_injected(trace))
    words = "; ".join(wrong + w) or "its batch is answered 503, the next goes to a fresh file; for ever: 503, /healthz too"
    return Outcome(f"{n_faults} failures, then all", not wrong and not w and not lost and not l, words, acknowledged + a, lost + l)


@sync_fails.control
def _(bench):
    folder = bench.new_folder()
    trace = os.path.join(folder, "trace")
    prefix = tracing.prefix(trace) + ["-e", "inject=fdatasync:error=EIO"]
    server = bench.serve(folder, prefix=prefix, args=("--durability", "written"))
    load = Load(server.address).run_for(0.5)
    server.kill()
    tracing.settle(trace)
    audit = tracing.Audit(trace, server.log, [load])
    return Control(f"`--durability written`: {len(audit.violations):,} of {audit.n_audited:,} without a good sync", 0 < len(audit.violations))


# What a write may do wrong. A record of one client is 300-odd bytes: a lie that claims more than was asked for is no lie
# that a kernel tells, so one client and one size it is.
ONE_SIZE = 400


def line_bytes(bench):
    """Bytes of a line in the log, for a lie of just that length."""
    server = bench.serve()
    load = Load(server.address, n_clients=1, sizes=(ONE_SIZE,))
    with load:
        load.wait_for(lambda load: 1 <= len(load.acknowledged), 20)
    with open(server.log, "rb") as file:
        return len(file.readline())


@row("A8", "writes to the log fail, come short, or lie", ("strace",), short=True, promise="a short or lying write is noticed, and cut back")
def write_fails(bench):
    n_line = line_bytes(bench)
    kinds = {"EIO": "error=EIO", "ENOSPC": "error=ENOSPC", "short": "retval=5", "a lie": f"retval={n_line}"}
    acknowledged = lost = n_faults = 0
    wrong = []
    for kind, fault in kinds.items():
        server, trace = injected(bench, f"write:{fault}:when=3+7")
        # The lie's length fits only lines as long as the first: ids grow, so a few.
        load = Load(server.address, n_clients=1, sizes=(ONE_SIZE,))
        with load:
            goal = 9 if kind == "a lie" else bench.n(100, 1000)
            load.wait_for(lambda load: goal <= sum(load.codes.values()), 30)
        server.stop()
        faults = n_injected(trace)
        a, l, w = verdict(server, [load], faults)
        if load.codes[503] == 0:
            w.append("no 503")
        wrong += [f"{kind}: {text}" for text in w]
        acknowledged, lost, n_faults = acknowledged + a, lost + l, n_faults + faults
    words = "; ".join(wrong) or "EIO, ENOSPC, short, and a write that claims all and does nothing: 503"
    return Outcome(f"{n_faults} writes", not wrong and not lost, words, acknowledged, lost)


@write_fails.control
def _(bench):
    folder = bench.new_folder()
    log = os.path.join(folder, "beacon.log")
    # A naive writer believes the claim. (It logs the body as it came, so its lines have another length.)
    n_line = len(wire.beacon("rel-12345x1-0-0", ONE_SIZE)) + 1
    prefix = tracing.prefix(os.path.join(folder, "trace"), f"write:retval={n_line}:when=3+2", [log])
    server = bench.naive(folder, prefix=prefix)
    with Load(server.address, n_clients=1, sizes=(ONE_SIZE,)) as load:
        load.wait_for(lambda load: 30 <= sum(load.codes.values()), 20)
    lost = found(server.log).lost(load)
    return Control(f"naive: lost {len(lost)} of {len(load.acknowledged)}", 0 < len(lost))


@row("A9", "a disk that takes a second for each sync", ("strace",), short=True, promise="a slow disk makes answers late or 503, not memory grow")
def slow_disk(bench):
    seconds = bench.n(3, 12)
    server, trace = injected(bench, "fdatasync:delay_enter=1000000")
    before = server.facts()
    load = Load(server.address, n_clients=bench.n(100, 150), sizes=(20_000,), timeout_s=20).run_for(seconds)
    after = server.facts()
    depth = server.metrics().get("log_queue_depth", -1)
    slowest = max((acknowledged - sent for sent, acknowledged, _ in load.acknowledged.values()), default=0)
    server.kill()
    a, l, wrong = verdict(server, [load], 1)
    grown = (after["rss"] - before["rss"]) / 1024
    if not load.acknowledged:
        wrong.append("nothing was acknowledged")
    if 100 < grown:
        wrong.append("memory grew")
    words = f"slowest 204 {slowest:.1f} s, {load.codes[503]} answered 503, memory +{grown:.0f} MiB, queue {depth:.0f}"
    return Outcome(f"{bench.n(100, 150)} clients", not wrong and not l, "; ".join([words, *wrong]), a, l)


@slow_disk.control
def _(bench):
    """It syncs nothing, so its writes are what dawdles; its queue has no end, and is gone with it."""
    folder = bench.new_folder()
    prefix = tracing.prefix(os.path.join(folder, "trace"), "write:delay_enter=1000000", [os.path.join(folder, "beacon.log")])
    server = bench.naive(folder, ["--ack-first"], prefix=prefix)
    before = server.facts()
    load = Load(server.address, n_clients=100, sizes=(20_000,), timeout_s=20).run_for(2)
    grown = (server.facts()["rss"] - before["rss"]) / 1024
    server.kill()
    lost = found(server.log).lost(load)
    words = f"naive, acknowledging before the write: {len(load.acknowledged):,} acknowledged, memory +{grown:.0f} MiB, lost {len(lost):,} when it was killed"
    return Control(words, 0 < len(lost))


POINTS = {"write": 6, "fdatasync": 6, "fsync": 4, "openat": 4, "ftruncate": 3}


STUCK_S = 8


@row("A9s", f"a disk that does not answer for {STUCK_S} s", ("strace",), short=True, promise="a stuck disk is told by /healthz and with 503 at once, holds up nothing else, and is over when it answers")
def stuck_disk(bench):
    server, _ = injected(bench, f"fdatasync:delay_enter={STUCK_S}000000:when=3")
    ask = lambda request: wire.ask(server.address, request, STUCK_S)
    health = lambda: ask(wire.get("/healthz"))
    wrong, words = [], []
    with Load(server.address, n_clients=100, timeout_s=40) as load:
        if not load.wait_for(lambda _: health()[0] == 503, STUCK_S):
            wrong.append("/healthz did not tell")
        reason = health()[2].decode().strip()
        begin = time.monotonic()
        pages = [ask(wire.get(path))[0] for path in ("/", "/metrics")]
        # Any beacon, good or not: what it says is not looked at.
        refused = [ask(wire.post(body)) for body in (wire.beacon("stuck-0", ONE_SIZE), b"{}")]
        took = time.monotonic() - begin
        reasons = [(status, headers.get("x-call-metrics")) for status, headers, _ in refused]
        if pages != [200, 200] or reasons != [(503, "log-stalled")] * 2 or 1 < took:
            wrong.append(f"pages {pages}, beacons {reasons} after {took:.1f} s")
        if health()[0] != 503:
            wrong.append("it was over too soon to tell")
        n_before = len(load.acknowledged)
        begin = time.monotonic()
        if not load.wait_for(lambda load: n_before < len(load.acknowledged) and health()[0] == 200, STUCK_S):
            wrong.append("it was not over when the disk answered")
        words.append(f"“{reason}”, over {time.monotonic() - begin:.1f} s later")
    server.kill()
    a, l, more = verdict(server, [load], 1)
    return Outcome("100 clients", not wrong and not more and not l, "; ".join(words + wrong + more), a, l)


@stuck_disk.control
def _(bench):
    """It waits for the disk under a lock, and whoever comes waits for that."""
    folder = bench.new_folder()
    prefix = tracing.prefix(os.path.join(folder, "trace"), f"write:delay_enter={STUCK_S}000000:when=3", [os.path.join(folder, "beacon.log")])
    server = bench.naive(folder, prefix=prefix)
    with Load(server.address, n_clients=8, timeout_s=2) as load:
        load.wait_for(lambda load: 4 <= load.n_broken, STUCK_S)
        status = wire.status_of(server.address, wire.post(wire.beacon("stuck-0")), 2.0)
    server.kill()
    return Control(f"naive: a beacon is answered {status or 'nothing in 2 s'}", status == 0)


@row("A10", "the n-th system call on the log fails, for every n: start on a torn log, append", ("strace",), short=False, promise="whichever call on the log fails, the promise holds")
def nth_call(bench):
    n_points = n_hit = n_refused_starts = acknowledged = lost = 0
    wrong = []
    for call, n_max in POINTS.items():
        for error in ("EIO", "ENOSPC"):
            for n in range(1, n_max + 1):
                folder = bench.new_folder()
                log = os.path.join(folder, "beacon.log")
                first = wire.beacon("rel-0x0-0-0", 300) + b"\n"
                with open(log, "wb") as file:
                    file.write(first + b'{"torn":')
                here = f"{call} {n} {error}"
                load, trace = None, os.path.join(folder, "trace")
                try:
                    server, _ = injected(bench, f"{call}:error={error}:when={n}", folder, [log, folder])
                    load = Load(server.address, n_clients=2, timeout_s=5)
                    with load:
                        load.wait_for(lambda load: 15 <= sum(load.codes.values()), 5)
                    server.kill()
                except servers.Gone as cause:
                    n_refused_starts += 1
                    if "panick" in str(cause) or "exit -" in str(cause):
                        wrong.append(f"{here}: {cause}")
                # Without the fault it comes up, and what was acknowledged is there, and so is what was before.
                again = bench.serve(folder)
                if again.answers(wire.post(wire.beacon("rel-0x0-1-0", 300)), 5) is None:
                    wrong.append(f"{here}: not well after a restart")
                again.kill()
                seen = found(log)
                if seen.n_unparsable or seen.counts["rel-0x0-0-0"] != 1:
                    wrong.append(f"{here}: {seen.n_unparsable} unparsable")
                if load:
                    acknowledged += len(load.acknowledged)
                    lost += len(seen.lost(load))
                    if load.codes[204] < 8:
                        wrong.append(f"{here}: did not recover, codes {dict(load.codes)}")
                n_points += 1
                n_hit += 0 < n_injected(trace)
    words = "; ".join(wrong[:4]) or f"{n_refused_starts} refused to start with a clear error, the others recovered"
    return Outcome(f"{n_hit} points hit of {n_points}", not wrong and not lost and n_points <= 2 * n_hit, words, acknowledged, lost)


@nth_call.control
def _(bench):
    n_broken = n_hit = 0
    for n in range(1, POINTS["write"] + 1):
        folder = bench.new_folder()
        log, trace = os.path.join(folder, "beacon.log"), os.path.join(folder, "trace")
        with open(log, "wb") as file:
            file.write(wire.beacon("rel-0x0-0-0", 300) + b'\n{"torn":')
        server = bench.naive(folder, prefix=tracing.prefix(trace, f"write:error=ENOSPC:when={n}", [log]))
        with Load(server.address, n_clients=2, timeout_s=5) as load:
            load.wait_for(lambda load: 15 <= sum(load.codes.values()), 5)
        server.kill()
        seen = found(log)
        n_hit += 0 < n_injected(trace)
        n_broken += bool(seen.n_unparsable or seen.lost(load))
    return Control(f"naive: a record glued to the torn one, and lost, at {n_broken} of {n_hit} points", 0 < n_broken)
