"""A: what was acknowledged is there after a power cut, a kill, a stop; and never acknowledged before it was."""

import os
import random
import time

import server as servers
import tracing
from load import Found, Load, found
from rows import Control, Outcome, row

KILL_SIZES = (300,) * 7 + (40_000,)


def cuts(bench, n_cuts, args):
    """Acknowledged, lost, unparsable, sealed tails over `n_cuts` power cuts of one disk."""
    disk = bench.disk()
    log = os.path.join(disk.folder, "beacon.log")
    n_acknowledged = n_lost = n_unparsable = n_duplicate = offset = 0
    restarts = []
    for n_cut in range(n_cuts):
        begin = time.monotonic()
        server = bench.serve(disk.folder, args, cwd=bench.folder)
        restarts.append(time.monotonic() - begin)
        load = Load(server.address)
        with load:
            time.sleep(random.uniform(0.2, 0.5))
            moment = time.monotonic()
            disk.cut()
        # A machine without power answers nobody. Here the process lives on for a moment, and of a sync that is under way
        # when the file system goes, the kernel sometimes says that it went well.
        load.forget_after(moment)
        server.kill()
        disk.power_on()
        seen = Found()
        if os.path.exists(log):
            # A log that is shorter than it was lost what an earlier cut had left; it is read from its begin.
            if os.path.getsize(log) < offset:
                offset = 0
            offset = seen.read(log, offset)
        n_acknowledged += len(load.acknowledged)
        n_lost += len(seen.lost(load))
        n_unparsable += seen.n_unparsable
        n_duplicate += seen.n_duplicate
        if n_cut % 10 == 9:
            for name in os.listdir(disk.folder):
                if name.startswith("beacon.log"):
                    os.remove(os.path.join(disk.folder, name))
            offset = 0
    return n_acknowledged, n_lost, n_unparsable + n_duplicate, max(restarts)


@row("A1", "power cut under load (ext4, all that was not synced dropped)", ("root",), promise="a 204 survives a power cut")
def power_cut(bench):
    n_cuts = bench.counts["cuts"]
    acknowledged, lost, spoiled, restart_s = cuts(bench, n_cuts, ())
    holds = 0 < acknowledged and lost == spoiled == 0
    return Outcome(f"{n_cuts} cuts", holds, f"{spoiled} spoiled lines", acknowledged, lost, f"{restart_s:.1f} s, restarted")


@power_cut.control
def _(bench):
    acknowledged, lost, _, _ = cuts(bench, 3, ("--durability", "written"))
    return Control(f"`--durability written` lost {lost:,} of {acknowledged:,} in 3 cuts", 0 < lost)


def kills(bench, start, n_kills):
    n_acknowledged = n_lost = n_unparsable = n_duplicate = n_torn = 0
    restarts, loads, folder = [], [], bench.new_folder()
    for n_kill in range(n_kills):
        begin = time.monotonic()
        server = start(folder)
        restarts.append(time.monotonic() - begin)
        load = Load(server.address, sizes=KILL_SIZES)
        with load:
            time.sleep(random.uniform(0.1, 0.4))
            server.kill()
            load.stop()
        loads.append(load)
        if n_kill % 10 == 9 or n_kill == n_kills - 1:
            # What the last kill tore is put aside by the next start.
            start(folder).kill()
            seen = found(server.log)
            n_torn += len([name for name in os.listdir(folder) if ".torn-" in name])
            n_acknowledged += sum(len(load.acknowledged) for load in loads)
            n_lost += len(seen.lost(*loads))
            n_unparsable += seen.n_unparsable
            n_duplicate += seen.n_duplicate
            loads, folder = [], bench.new_folder()
            os.remove(server.log)
    return n_acknowledged, n_lost, n_unparsable, n_duplicate, n_torn, max(restarts)


@row("A2", "kill -9 under load, records up to 40 KB", short=True, promise="a 204 survives the death of the process")
def killed(bench):
    n_kills = bench.n(8, bench.counts["kills"])
    acknowledged, lost, unparsable, duplicate, torn, restart_s = kills(bench, bench.serve, n_kills)
    holds = 0 < acknowledged and lost == unparsable == duplicate == 0
    words = f"{unparsable} unparsable lines, {duplicate} twice, {torn} torn tails put aside"
    return Outcome(f"{n_kills} kills", holds, words, acknowledged, lost, f"{restart_s:.1f} s, restarted")


@killed.control
def _(bench):
    acknowledged = lost = n_kills = 0
    while lost == 0 and n_kills < 40:
        more = kills(bench, lambda folder: bench.naive(folder, ["--ack-first"]), 5)
        acknowledged, lost, n_kills = acknowledged + more[0], lost + more[1], n_kills + 5
    return Control(f"acknowledging before the write lost {lost} of {acknowledged:,} in {n_kills} kills", 0 < lost)


def audited(bench, start, seconds):
    trace = bench.path("trace")
    server = start(tracing.prefix(trace))
    load = Load(server.address).run_for(seconds)
    server.stop()
    tracing.settle(trace)
    return tracing.Audit(trace, server.log, [load]), load


@row("A3", "order of system calls: each 204 after a sync that covers its record", ("strace",), short=True, promise="a 204 is sent after the sync")
def ack_order(bench):
    audit, load = audited(bench, lambda prefix: bench.serve(prefix=prefix), bench.n(2, 10))
    n_unseen = len(load.acknowledged) - audit.n_audited
    holds = 0 < audit.n_audited and not audit.violations and n_unseen == 0
    words = f"{len(audit.violations)} too early, {n_unseen} not seen in the trace, {audit.n_syncs:,} syncs"
    return Outcome(f"{audit.n_audited:,} answers", holds, words, len(load.acknowledged))


@ack_order.control
def _(bench):
    said = []
    audit, _ = audited(bench, lambda prefix: bench.serve(prefix=prefix, args=("--durability", "written")), 1)
    said.append(0 < len(audit.violations))
    words = f"`--durability written`: {len(audit.violations):,} of {audit.n_audited:,} too early"
    audit, _ = audited(bench, lambda prefix: bench.naive(prefix=prefix), 1)
    said.append(0 < len(audit.violations))
    return Control(f"{words}; naive: {len(audit.violations):,} of {audit.n_audited:,}", all(said))


@row("A14", "a second writer on the same log", short=True, promise="one writer a log")
def second_writer(bench):
    first = bench.serve()
    with Load(first.address, n_clients=2) as load:
        try:
            bench.serve(os.path.dirname(first.log))
            refused = "was let in"
        except servers.Gone as cause:
            refused = str(cause)
        time.sleep(0.2)
    names_it = f"process {first.pid}" in refused
    lost = found(first.log).lost(load)
    holds = "exit 2" in refused and names_it and not lost
    return Outcome("1 try", holds, "exit 2, names the first" if holds else refused, len(load.acknowledged), len(lost))


@second_writer.control
def _(bench):
    first = bench.naive()
    both = bench.naive(os.path.dirname(first.log)).is_alive() and first.is_alive()
    return Control("naive: both write", both)


@row("A15", "SIGTERM under load", short=True, promise="a stop answers what it has and ends within 10 s")
def stopped(bench):
    n_stops = bench.n(3, 20)
    n_acknowledged = n_lost = 0
    drains, codes = [], set()
    for _ in range(n_stops):
        server = bench.serve()
        with Load(server.address) as load:
            load.wait_for(lambda load: 50 < len(load.acknowledged), 20)
            code, took = server.stop()
            load.stop()
        drains.append(took)
        codes.add(code)
        n_acknowledged += len(load.acknowledged)
        n_lost += len(found(server.log).lost(load))
    holds = codes == {0} and max(drains) < 10 and n_lost == 0
    words = f"exit {', '.join(map(str, codes))}, longest drain {max(drains) * 1e3:.0f} ms"
    return Outcome(f"{n_stops} stops", holds, words, n_acknowledged, n_lost)


@stopped.control
def _(bench):
    lost = n_stops = 0
    while lost == 0 and n_stops < 40:
        server = bench.naive(args=["--ack-first"])
        with Load(server.address, sizes=KILL_SIZES) as load:
            time.sleep(0.2)
            server.stop()
            load.stop()
        lost += len(found(server.log).lost(load))
        n_stops += 1
    return Control(f"acknowledging before the write lost {lost} in {n_stops} stops", 0 < lost)
