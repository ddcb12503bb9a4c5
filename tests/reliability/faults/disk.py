"""A: disks that fill, limits on the size of files, logs that are moved, removed, locked away."""

import os
import resource
import shutil
import time

import server as servers
import wire
from load import Load, found
from rows import Control, Outcome, row

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
