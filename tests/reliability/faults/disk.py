"""A: disks that fill, limits on the size of files, logs that are moved, removed, locked away."""

import dataclasses
import os
import resource
import shutil
import time

import server as servers
import tracing
import wire
from load import Found, Load, found
from rows import Control, Outcome, row

HELLO = wire.post(wire.beacon("hello-0-0"))
FILE_BYTES_MAX = 200_000
SIZES = (300, 700, 1500)


def full_and_freed(bench, start, n_cycles, fill, free):
    """Fills up under load, frees, `n_cycles` times: loads, seconds from free to the first 204, refusals while full."""
    server = start()
    recoveries, n_refused, load = [], 0, Load(server.address, sizes=SIZES)
    n_bad = lambda load: sum(load.codes.values()) - load.codes[204]
    is_over = lambda: not server.is_alive()
    with load:
        for n_cycle in range(n_cycles):
            load.wait_for(lambda load: is_over() or 20 * (n_cycle + 1) < len(load.acknowledged), 10)
            before = n_bad(load)
            fill(server)
            load.wait_for(lambda load: is_over() or 20 < n_bad(load) - before, 10)
            if is_over():
                break
            n_refused += n_bad(load) - before
            moment = time.monotonic()
            free(server)
            load.wait_for(lambda load: load.first_after(moment) is not None, 10)
            recoveries.append(load.first_after(moment))
    return server, load, recoveries, n_refused


def full_outcome(result, n_cycles):
    server, load, recoveries, n_refused = result
    seen = found(server.log)
    lost = seen.lost(load)
    is_back = len(recoveries) == n_cycles and None not in recoveries
    codes = {code for code in load.codes if code not in (204, 503)}
    holds = server.is_alive() and is_back and not lost and seen.n_unparsable == 0 and not codes and 0 < n_refused
    words = f"{n_refused} answered 503, {seen.n_unparsable} glued" + (f", codes {codes}" if codes else "")
    slowest = f"{max(recoveries) * 1e3:.0f} ms" if is_back else "never"
    return Outcome(f"{n_cycles} times full", holds, words, len(load.acknowledged), len(lost), slowest)


def full_control(result):
    server, load, _, _ = result
    if not server.is_alive():
        return Control("naive: the process is gone", True)
    seen = found(server.log)
    lost = seen.lost(load)
    return Control(f"naive: lost {len(lost)} of {len(load.acknowledged):,}, {seen.n_unparsable} glued lines", 0 < len(lost))


class Ballast:
    """A file that takes what is left of a small disk, down to the last byte."""

    def __init__(self, folder):
        self.path = os.path.join(folder, "ballast")
        self.handle = os.open(self.path, os.O_CREAT | os.O_WRONLY | os.O_APPEND)

    def fill(self, server):
        try:
            while os.write(self.handle, b"x" * 4096):
                pass
        except OSError:
            pass

    def free(self, server):
        os.ftruncate(self.handle, 0)


def on_small_disk(bench, start, n_cycles):
    folder = bench.tmpfs("2m")
    ballast = Ballast(folder)
    try:
        return full_and_freed(bench, lambda: start(folder), n_cycles, ballast.fill, ballast.free)
    finally:
        os.close(ballast.handle)


@row("A5", "disk full in the middle of a record, then freed (tmpfs)", ("root",), promise="a full disk is told with 503, glues nothing, and ends unaided")
def disk_full(bench):
    return full_outcome(on_small_disk(bench, lambda folder: bench.serve(folder, cwd=bench.folder), 10), 10)


@disk_full.control
def _(bench):
    return full_control(on_small_disk(bench, bench.naive, 10))


def within_limit(bench, start, n_cycles):
    prefix = ["prlimit", f"--fsize={FILE_BYTES_MAX}:unlimited"]
    sizes = iter(range(1, n_cycles + 1))

    def fill(_):
        pass  # the log itself does

    def free(server):
        # The last time for good: what fits a second limit is filled again.
        more = FILE_BYTES_MAX * (next(sizes) + 1)
        server.limit(resource.RLIMIT_FSIZE, more)

    return full_and_freed(bench, lambda: start(prefix), n_cycles, fill, free)


@row("A6", "limit on the size of a file reached, then raised", ("prlimit",), short=True)
def file_limit(bench):
    n_cycles = bench.n(2, 8)
    return full_outcome(within_limit(bench, lambda prefix: bench.serve(prefix=prefix), n_cycles), n_cycles)


@file_limit.control
def _(bench):
    return full_control(within_limit(bench, lambda prefix: bench.naive(prefix=prefix), 2))


# What is done to the log, and what puts things right again.


def unlink(log):
    os.link(log, log + ".kept")
    os.unlink(log)


def rename(log):
    os.rename(log, f"{log}.{time.monotonic_ns()}")


def take_folder(log):
    os.rename(os.path.dirname(log), os.path.dirname(log) + "-gone")


def give_folder(log):
    os.rename(os.path.dirname(log) + "-gone", os.path.dirname(log))


def in_its_place(log, make):
    """Moves the log away and puts something else there, before the server has opened another."""
    while True:
        rename(log)
        try:
            return make()
        except FileExistsError:
            pass


def replace_by_folder(log):
    in_its_place(log, lambda: os.mkdir(log))


def remove_folder(log):
    shutil.rmtree(log)


def dead_link(log):
    in_its_place(log, lambda: os.symlink("/proc/no-such-place/log", log))


TRICKS = {
    "unlinked": (unlink, None),
    "renamed": (rename, None),
    "folder moved away and back": (take_folder, give_folder),
    "replaced by a folder": (replace_by_folder, remove_folder),
    "replaced by a dead link": (dead_link, os.unlink),
}


def moved(bench, start, trick, n_times):
    """Acknowledged, unreachable (sent after the trick and not where the path leads, or gone altogether), seconds to recover."""
    do, undo = TRICKS[trick]
    root = bench.new_folder()
    folder = os.path.join(root, "log")
    os.mkdir(folder)
    server = start(folder, root)
    unreachable, recoveries, seen_kept = set(), [], set()
    with Load(server.address, n_clients=4) as load:
        for n in range(n_times):
            goal = len(load.acknowledged) + 30
            load.wait_for(lambda load: goal < len(load.acknowledged), 10)
            do(server.log)
            done = time.monotonic()
            if undo:
                time.sleep(0.15)
                undo(server.log)
                done = time.monotonic()
            goal = len(load.acknowledged) + 30
            load.wait_for(lambda load: goal < len(load.acknowledged), 10)
            recoveries.append(load.first_after(done))
            if do is unlink:
                # What the old file holds may count only for those sent before it was taken away.
                time.sleep(0.05)
                late = {name for name, (sent, _, _) in list(load.acknowledged.items()) if done < sent}
                here = set(found(server.log).counts)
                settled = {name for name in late if name not in here}
                time.sleep(0.05)
                unreachable |= settled - set(found(server.log).counts)
                kept = found(server.log + ".kept").counts
                seen_kept |= set(kept)
                os.unlink(server.log + ".kept")
    seen = found(server.log)
    unreachable |= {name for name in seen.lost(load) if name not in seen_kept}
    is_back = None not in recoveries and server.is_alive()
    return len(load.acknowledged), len(unreachable), max(recoveries) if is_back else None, seen.n_unparsable


@row("A13", "log unlinked, renamed, replaced, its folder gone, under load", short=True, promise="a log that is moved or removed is opened anew, never written into the void")
def tricks(bench):
    n_times = bench.n(1, 5)
    acknowledged = unreachable = 0
    slowest, words = 0.0, []
    for trick in TRICKS:
        a, u, recovered, unparsable = moved(bench, lambda folder, root: bench.serve(folder, cwd=root), trick, n_times)
        acknowledged, unreachable = acknowledged + a, unreachable + u
        if u or unparsable or recovered is None:
            words.append(f"{trick}: {u} unreachable, {unparsable} unparsable, {'back' if recovered is not None else 'never back'}")
        slowest = max(slowest, 99.0 if recovered is None else recovered)
    words = words or ["each of " + ", ".join(TRICKS)]
    holds = not unreachable and slowest < 10 and len(words) == 1 and words[0].startswith("each")
    return Outcome(f"{len(TRICKS)} × {n_times}", holds, "; ".join(words), acknowledged, unreachable, f"{slowest * 1e3:.0f} ms")


@tricks.control
def _(bench):
    acknowledged, unreachable, _, _ = moved(bench, lambda folder, root: bench.naive(folder), "unlinked", 1)
    return Control(f"naive: {unreachable} of {acknowledged:,} acknowledged into an unlinked file", 0 < unreachable)


def locked_out(bench, server, take, give):
    """Takes the log away by `take`, under load, and gives it back. Acknowledged while it was away; what there was to say
    about it then (status and reason of a beacon, of /healthz); seconds from `give` to an acknowledgement; the load."""
    with Load(server.address, n_clients=4) as load:
        load.wait_for(lambda load: 30 < len(load.acknowledged), 20)
        take()
        done = time.monotonic()
        # Whoever asked just before may be answered for what was before.
        time.sleep(0.5)
        said = [wire.ask(server.address, request) for request in (HELLO, wire.get("/healthz"))]
        is_refused = load.wait_for(lambda load: 20 < load.codes[503], bench.n(2, 5))
        void = [name for name, (sent, _, _) in list(load.acknowledged.items()) if done < sent]
        give()
        moment = time.monotonic()
        load.wait_for(lambda load: load.first_after(moment) is not None, 15)
        back_s = load.first_after(moment)
        well_s = None
        if back_s is not None:
            goal = len(load.acknowledged) + 30
            load.wait_for(lambda load: goal < len(load.acknowledged), 15)
            well_s = server.answers(wire.get("/healthz"), 10)
    return load, void, said, is_refused, back_s, well_s


def locked_out_outcome(server, result, logs, given_up=()):
    """`given_up`: lost to what no program can see."""
    load, void, said, is_refused, back_s, well_s = result
    seen = Found()
    for log in logs:
        seen.read_all(log)
    lost = [name for name in seen.lost(load) if name not in given_up]
    (status, headers, body), (health, _, _) = said
    reason = headers.get("x-call-metrics") or body.decode(errors="replace").strip()
    wrong = []
    if void:
        wrong.append(f"{len(void)} acknowledged while it could not be reached")
    if not is_refused or status != 503 or not reason:
        wrong.append(f"answered {status} {reason!r}")
    if health != 503:
        wrong.append(f"/healthz {health}")
    if back_s is None or well_s is None:
        wrong.append("never back")
    if seen.n_unparsable or seen.n_duplicate:
        wrong.append(f"{seen.n_unparsable} unparsable, {seen.n_duplicate} twice")
    if not server.is_alive():
        wrong.append("the process is gone")
    words = "; ".join(wrong) or f"503 ({reason}), /healthz 503, back by itself"
    slowest = "never" if back_s is None else f"{back_s * 1e3:.0f} ms"
    return Outcome("1 time", not wrong and not lost, words, len(load.acknowledged), len(lost), slowest)


def locked_out_control(result):
    load, void, said, _, back_s, _ = result
    if void:
        return Control(f"naive: {len(void):,} acknowledged while nobody could reach the log, and nothing said so", True)
    return Control(f"naive: answers {said[0][0]}, then " + ("is back" if back_s else "never comes back"), back_s is None)


# Root may enter any folder. Without these two powers it is like everybody else.
ORDINARY = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-dac_override,-dac_read_search"]


def shut_folder(bench, start):
    root = bench.new_folder()
    folder = os.path.join(root, "log")
    os.mkdir(folder)
    server = start(folder, root, ORDINARY if os.geteuid() == 0 else [])
    return server, locked_out(bench, server, lambda: os.chmod(folder, 0), lambda: os.chmod(folder, 0o755))


@row("A13p", "the log's folder shut (chmod 000) under load, then opened", ("setpriv",), short=True, promise="a log that cannot be reached is told with 503 and by /healthz, not written into behind a closed door")
def shut(bench):
    server, result = shut_folder(bench, lambda folder, root, prefix: bench.serve(folder, cwd=root, prefix=prefix))
    return locked_out_outcome(server, result, [server.log])


@shut.control
def _(bench):
    return locked_out_control(shut_folder(bench, lambda folder, root, prefix: bench.naive(folder, prefix=prefix))[1])


def read_only(bench, start):
    """The file system finds an error and turns read-only; it is mounted anew while the server runs. When it began to turn
    and had turned, too."""
    disk = bench.disk(64)
    server = start(disk.folder)
    turned = []

    def turn():
        turned.append(time.monotonic())
        disk.turn_read_only()
        turned.append(time.monotonic())

    return server, locked_out(bench, server, turn, disk.mount_anew), turned


@row("A13r", "the log's file system turns read-only under load (ext4, errors=remount-ro), then mounted anew", ("root", "strace"))
def turned_read_only(bench):
    trace = bench.path("trace")
    server, result, (begin, end) = read_only(bench, lambda folder: bench.serve(folder, cwd=bench.folder, prefix=tracing.prefix(trace)))
    load = result[0]
    # In the moment in which ext4 stops its journal it calls syncs good that wrote nothing: the trace tells whether it did.
    is_meanwhile = lambda sent, acknowledged, _: sent <= end and begin <= acknowledged
    lost = [name for name in found(server.log).lost(load) if is_meanwhile(*load.acknowledged[name])]
    outcome = locked_out_outcome(server, result, [server.log], given_up=lost)
    server.kill()
    tracing.settle(trace)
    audit = tracing.Audit(trace, server.log, [load])
    words = outcome.words
    if lost:
        words += f"; {len(lost)} of the {(end - begin) * 1e3:.0f} ms in which it turned are gone, after syncs that the kernel called good"
    if audit.violations or audit.n_audited == 0:
        words += f"; {len(audit.violations)} of {audit.n_audited} acknowledged without a good sync"
    return dataclasses.replace(outcome, words=words, holds=outcome.holds and 0 < audit.n_audited and not audit.violations)


@turned_read_only.control
def _(bench):
    # In the file system it would hold that up.
    folder = bench.folder
    _, result, _ = read_only(bench, lambda disk: bench.naive(disk, cwd=folder))
    return locked_out_control(result)


@row("A16", "log on a device that is full, in /proc, a folder", short=True)
def odd_logs(bench):
    """Starts that must end in a clear error or in 503, never in a 204 for nothing."""
    said = []
    # By a link, since the lock lies beside the log, and not everyone may write to /dev.
    link = bench.path("full.log")
    os.symlink("/dev/full", link)
    full = bench.serve(log=link, cwd=bench.folder)
    status = wire.status_of(full.address, wire.post(wire.beacon("rel-0-0-0")))
    said.append(("/dev/full", status == 503, status))
    for log in ("/proc/beacon.log", "/"):
        try:
            bench.serve(log=log, cwd=bench.folder)
            said.append((log, False, "started"))
        except servers.Gone as cause:
            text = str(cause)
            said.append((log, "error:" in text and "hint:" in text and "panick" not in text, text.splitlines()[0]))
    wrong = [f"{log}: {what}" for log, is_right, what in said if not is_right]
    return Outcome(f"{len(said)} logs", not wrong, "; ".join(wrong) or "503, or exit with an error and a hint")


@odd_logs.control
def _(bench):
    folder = bench.new_folder()
    os.symlink("/dev/full", os.path.join(folder, "beacon.log"))
    server = bench.naive(folder, ["--ack-first"])
    status = wire.status_of(server.address, wire.post(wire.beacon("rel-0-0-0")))
    return Control(f"naive, acknowledging before the write: {status} for what went to /dev/full", status == 204)
