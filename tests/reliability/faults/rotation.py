"""B: the log rotated by others and by us, and the report that is built from it: whole, and with the numbers of the log."""

import contextlib
import glob
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time

import rows
import wire
from load import Found, Load, found, segments
from rows import Control, Outcome, row


NAIVELY = [sys.executable, os.path.join(os.path.dirname(__file__), "naively.py")]


def report_of(bench, log):
    """What `build-report` counts in `log` and its segments."""
    out = bench.path(f"out-{time.monotonic_ns()}")
    done = subprocess.run([bench.programs.ours, "build-report", "--log", log, "--out", out], capture_output=True, text=True, timeout=120, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    with open(os.path.join(out, "data/report.json")) as file:
        return json.load(file)["log"]


def compared(bench, server, load, is_known_loss=False):
    """Acknowledged, lost, what is wrong: the log and the report beside what was acknowledged."""
    seen = found(server.log)
    lost = seen.lost(load)
    counted = report_of(bench, server.log)
    wrong = []
    if counted["beacons"] != seen.n_lines - seen.n_unparsable:
        wrong.append(f"the report counts {counted['beacons']} of {seen.n_lines} lines")
    if seen.n_unparsable or seen.n_duplicate:
        wrong.append(f"{seen.n_unparsable} unparsable, {seen.n_duplicate} twice")
    if not is_known_loss and counted["beacons"] < len(load.acknowledged):
        wrong.append("the report counts fewer than were acknowledged")
    return len(load.acknowledged), lost, wrong


def rotated(bench, start, n_times, rotate):
    server = start()
    with Load(server.address) as load:
        for n in range(n_times):
            goal = len(load.acknowledged) + 60
            load.wait_for(lambda load: goal < len(load.acknowledged), 20)
            rotate(server, n)
        goal = len(load.acknowledged) + 60
        load.wait_for(lambda load: goal < len(load.acknowledged), 20)
    return server, load


def rename(server, n):
    """As logrotate does, and gzip what is no longer written."""
    os.rename(server.log, f"{server.log}.{n + 1}")
    squeeze(server, n)


def squeeze(server, n):
    old = f"{server.log}.{n}"
    if os.path.exists(old):
        subprocess.run(["gzip", old], check=True, timeout=30)


def rename_and_hup(server, n):
    rename(server, n)
    server.signal(signal.SIGHUP)


@row("B2", "log renamed under load, older segments gzipped", short=True, promise="rotation by rename loses nothing, and the report counts every segment once")
def renamed(bench):
    n_times = bench.n(5, 50)
    server, load = rotated(bench, bench.serve, n_times, rename)
    acknowledged, lost, wrong = compared(bench, server, load)
    words = "; ".join(wrong) or "the report's total is that of the log"
    return Outcome(f"{n_times} rotations", not wrong and not lost, words, acknowledged, len(lost))


@renamed.control
def _(bench):
    server, load = rotated(bench, bench.naive, 3, lambda server, n: os.path.exists(server.log) and rename(server, n) or squeeze(server, n))
    # It goes on in the renamed file: what comes after gzip took it is nowhere.
    lost = found(server.log).lost(load)
    return Control(f"naive: lost {len(lost)} of {len(load.acknowledged):,} in 3 rotations", 0 < len(lost))


@row("B2h", "log renamed and SIGHUP, under load", short=True)
def hup(bench):
    n_times = bench.n(5, 50)
    server, load = rotated(bench, bench.serve, n_times, rename_and_hup)
    acknowledged, lost, wrong = compared(bench, server, load)
    if not server.is_alive():
        wrong.append("the process is gone")
    words = "; ".join(wrong) or f"{server.metrics()['log_reopens_total']:.0f} times opened anew"
    return Outcome(f"{n_times} rotations", not wrong and not lost, words, acknowledged, len(lost))


@hup.control
def _(bench):
    server, _ = rotated(bench, bench.naive, 1, rename_and_hup)
    # The signal may be on its way still.
    deadline = time.monotonic() + 5
    while server.is_alive() and time.monotonic() < deadline:
        time.sleep(0.01)
    is_alive = server.is_alive()
    return Control("naive: lives" if is_alive else "naive: ended by the signal", not is_alive)


def n_rotated(log):
    """Segments beside `log`; one that is being compressed is there twice."""
    return len({path.removesuffix(".gz") for path in segments(log)}) - 1


@row("B2s", "rotation of our own by size, segments compressed, under load", short=True)
def by_size(bench):
    if not bench.programs.knows("--rotate-size "):
        raise rows.Skip("--rotate-size is not in this binary")
    n_wanted = bench.n(4, 30)
    server = bench.serve(args=("--rotate-size", "256KiB", "--rotate-gzip"))
    with Load(server.address, sizes=(300, 4000, 40_000)) as load:
        load.wait_for(lambda load: n_wanted <= n_rotated(server.log), 60)
    code, _ = server.stop()
    acknowledged, lost, wrong = compared(bench, server, load)
    n_segments = n_rotated(server.log)
    n_packed = len([path for path in segments(server.log) if path.endswith(".gz")])
    if n_segments < n_wanted or code != 0:
        wrong.append(f"{n_segments} segments, exit {code}")
    words = "; ".join(wrong) or f"{n_packed} compressed"
    return Outcome(f"{n_segments} rotations", not wrong and not lost, words, acknowledged, len(lost))


@by_size.control
def _(bench):
    """Rotated by size too, but from outside, by a program that nobody told."""
    server = bench.naive()
    n_rotations = 0
    # At full speed gzip might never come to the end.
    with Load(server.address, pause_s=0.005) as load:
        while n_rotations < 3:
            goal = len(load.acknowledged) + 60
            load.wait_for(lambda load: goal < len(load.acknowledged), 20)
            # The first time only there is a log to rename: it goes on in that one.
            if os.path.exists(server.log):
                os.rename(server.log, f"{server.log}.0")
            else:
                squeeze(server, 0)
            n_rotations += 1
    lost = found(server.log).lost(load)
    return Control(f"naive, rotated from outside: lost {len(lost)} of {len(load.acknowledged):,}", 0 < len(lost))


@row("B2k", "killed while it rotates and compresses")
def killed_rotating(bench):
    if not bench.programs.knows("--rotate-size "):
        raise rows.Skip("--rotate-size is not in this binary")
    n_kills, folder, loads = bench.n(4, 40), bench.new_folder(), []
    for _ in range(n_kills):
        server = bench.serve(folder, args=("--rotate-size", "128KiB", "--rotate-gzip"))
        load = Load(server.address, sizes=(300, 4000, 20_000))
        with load:
            time.sleep(random.uniform(0.05, 0.4))
            server.kill()
            load.stop()
        loads.append(load)
    bench.serve(folder).stop()
    seen = found(server.log)
    lost = seen.lost(*loads)
    counted = report_of(bench, server.log)["beacons"]
    wrong = []
    if seen.n_unparsable or seen.n_duplicate:
        wrong.append(f"{seen.n_unparsable} unparsable, {seen.n_duplicate} twice")
    if counted != seen.n_lines - seen.n_unparsable:
        wrong.append(f"the report counts {counted} of {seen.n_lines} lines")
    words = "; ".join(wrong) or f"{len(segments(server.log)) - 1} segments, the report counts each line once"
    return Outcome(f"{n_kills} kills", not wrong and not lost, words, sum(len(load.acknowledged) for load in loads), len(lost))


@killed_rotating.control
def _(bench):
    """Compresses in place. A reader that knows it takes `X.gz`, where there is one, for `X`."""
    n_kills, is_spoiled = 0, False
    while not is_spoiled and n_kills < 60:
        log, written = os.path.join(bench.new_folder(), "beacon.log"), set()
        process = subprocess.Popen([*NAIVELY, "rotate", log, str(128 << 10)], stdout=subprocess.PIPE, text=True)
        reader = threading.Thread(target=lambda pipe=process.stdout: written.update(pipe.read().splitlines()))
        reader.start()
        time.sleep(random.uniform(0.1, 0.4))
        process.kill()
        process.wait()
        reader.join()
        process.stdout.close()
        n_kills += 1
        try:
            is_spoiled = bool(written - set(found(log).counts))
        except EOFError:
            is_spoiled = True
    return Control(f"compressed in place: a segment is cut short after {n_kills} kills", is_spoiled)


def copy_and_truncate(server, n):
    shutil.copyfile(server.log, f"{server.log}.{n + 1}")
    os.truncate(server.log, 0)


@row("B3", "copytruncate under load (loses by design; nothing may be glued)", short=True)
def copytruncate(bench):
    n_times = bench.n(3, 20)
    server, load = rotated(bench, bench.serve, n_times, copy_and_truncate)
    seen = found(server.log)
    lost = seen.lost(load)
    noticed = server.metrics().get("log_reopens_total", 0)
    # A copy may end in the middle of a line, which is the copy's affair.
    is_glued = seen.n_unparsable
    with open(server.log, "rb") as file:
        has_nul = b"\0" in file.read()
    holds = not is_glued and not has_nul and 0 < noticed and server.is_alive()
    words = f"{len(lost)} lost between copy and truncation, {noticed:.0f} noticed, {is_glued} glued"
    return Outcome(f"{n_times} rotations", holds, words, len(load.acknowledged))


@copytruncate.control
def _(bench):
    """A log that is not opened to append: its writer goes on where it was, behind a hole."""
    server, load = rotated(bench, lambda: bench.naive(args=["--own-offset"]), 2, copy_and_truncate)
    seen = found(server.log)
    with open(server.log, "rb") as file:
        n_nuls = file.read().count(b"\0")
    return Control(f"naive, with an offset of its own: {seen.n_unparsable} lines spoiled by {n_nuls:,} NULs, nothing noticed", 0 < n_nuls)


def whole(folder):
    """What is wrong with a report on disk: every file there is, is whole, and what the overview names exists."""
    try:
        with open(os.path.join(folder, "data/report.json")) as file:
            report = json.load(file)
    except FileNotFoundError:
        return "no report"
    except ValueError:
        return "half a report.json"
    for path in glob.glob(os.path.join(folder, "**/*.html"), recursive=True):
        with open(path, encoding="utf-8") as file:
            if not file.read().rstrip().endswith("</html>"):
                return f"half of {os.path.basename(path)}"
    if os.path.exists(os.path.join(folder, "index.html")):
        for call in report["calls"]:
            for name in (f"calls/{call['id']}.html", f"data/calls/{call['id']}.json"):
                if not os.path.exists(os.path.join(folder, name)):
                    return f"{name} is missing"
    return ""


def sample(bench, n_calls):
    log = bench.path("sample.log")
    with open(log, "wb") as file:
        subprocess.run([bench.programs.ours, "sample-log", "--calls", str(n_calls)], stdout=file, timeout=120, check=True)
    return log


@row("B4", "builder of the report killed anywhere", short=True, promise="a report is replaced whole or not at all")
def builder_killed(bench):
    log = sample(bench, bench.n(2, 12))
    out = bench.path("out")
    build = [bench.programs.ours, "build-report", "--log", log, "--out", out]
    begin = time.monotonic()
    subprocess.run(build, capture_output=True, timeout=120, check=True)
    took = time.monotonic() - begin
    with open(os.path.join(out, "data/report.json")) as file:
        complete = json.load(file)
    n_kills = bench.n(8, 150)
    wrong = []
    n_killed = 0
    for _ in range(n_kills):
        process = subprocess.Popen([*build, "--full"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(random.uniform(0, took * 1.2))
        n_killed += process.poll() is None
        process.kill()
        process.wait()
        problem = whole(out)
        if problem:
            wrong.append(problem)
    begin = time.monotonic()
    subprocess.run(build, capture_output=True, timeout=120, check=True)
    again = time.monotonic() - begin
    with open(os.path.join(out, "data/report.json")) as file:
        if json.load(file)["totals"] != complete["totals"]:
            wrong.append("other totals afterwards")
    left = glob.glob(os.path.join(out, "**/.*tmp*"), recursive=True) + glob.glob(os.path.join(out, "**/.tmp*"), recursive=True)
    words = "; ".join(sorted(set(wrong))) or "always whole, totals as before"
    if left:
        words += f"; {len(left)} temporary files left"
    return Outcome(f"{n_killed} kills", not wrong and 0 < n_killed, words, recovered=f"{again * 1e3:.0f} ms, built again")


@builder_killed.control
def _(bench):
    built, out = bench.path("built"), bench.path("in-place")
    subprocess.run([bench.programs.ours, "build-report", "--log", sample(bench, bench.n(2, 12)), "--out", built], capture_output=True, timeout=120, check=True)
    publish = [*NAIVELY, "publish", built, out]
    begin = time.monotonic()
    subprocess.run(publish, timeout=60, check=True)
    took = time.monotonic() - begin
    problem, n_kills = "", 0
    while not problem and n_kills < 300:
        process = subprocess.Popen(publish)
        time.sleep(random.uniform(0.3, 1.0) * took)
        process.kill()
        process.wait()
        n_kills += 1
        problem = whole(out)
    return Control(f"written in place: {problem or 'whole'} after {n_kills} kills", bool(problem))


@row("B5", "report read while it is rebuilt under load", short=True)
def read_while_rebuilt(bench):
    server = bench.serve(args=("--watch",))
    seconds = bench.n(3, 15)
    n_reads, n_partial, versions = 0, 0, set()
    with Load(server.address, n_clients=2, pause_s=0.01) as load:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            status, _, body = wire.ask(server.address, wire.get("/report/data/report.json"))
            if status == 200:
                n_reads += 1
                try:
                    versions.add(json.loads(body)["log"]["beacons"])
                except (ValueError, KeyError):
                    n_partial += 1
            status, _, body = wire.ask(server.address, wire.get("/report/"))
            if status == 200:
                n_reads += 1
                n_partial += not body.rstrip().endswith(b"</html>")
    # Fresh in the end: what was acknowledged is what the report counts.
    deadline, counted, begin = time.monotonic() + 15, 0, time.monotonic()
    while counted < len(load.acknowledged) and time.monotonic() < deadline:
        with contextlib.suppress(ValueError, OSError):
            counted = json.loads(wire.ask(server.address, wire.get("/report/data/report.json"))[2])["log"]["beacons"]
        time.sleep(0.02)
    lost = len(load.acknowledged) - counted
    holds = 0 < n_reads and n_partial == 0 and 1 < len(versions) and lost <= 0
    words = f"{n_reads:,} reads of {len(versions)} versions, {n_partial} partial"
    return Outcome(f"{seconds} s", holds, words, len(load.acknowledged), max(0, lost), f"{(time.monotonic() - begin) * 1e3:.0f} ms, fresh")


@read_while_rebuilt.control
def _(bench):
    """A report that is written in place, as a plain `open(…, "w")` does."""
    path = bench.path("report.json")
    text = json.dumps({"calls": ["x" * 100] * 4000})
    stopping = threading.Event()

    def write():
        while not stopping.is_set():
            with open(path, "w") as file:
                file.write(text)

    writer = threading.Thread(target=write)
    with open(path, "w") as file:
        file.write(text)
    writer.start()
    n_partial = n_reads = 0
    until = time.monotonic() + 2
    try:
        while time.monotonic() < until:
            n_reads += 1
            with open(path) as file:
                n_partial += file.read() != text
    finally:
        stopping.set()
        writer.join()
    return Control(f"written in place: {n_partial} of {n_reads:,} reads partial", 0 < n_partial)


@row("B7", "disk full while the report is built (tmpfs)", ("root",))
def full_while_publishing(bench):
    log = sample(bench, 6)
    folder = bench.tmpfs("48m")
    out = os.path.join(folder, "report")
    build = [bench.programs.ours, "build-report", "--log", log, "--out", out]
    subprocess.run(build, capture_output=True, timeout=120, check=True)
    with open(os.path.join(out, "data/report.json")) as file:
        before = json.load(file)
    ballast = os.path.join(folder, "ballast")
    with contextlib.suppress(OSError), open(ballast, "wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)
    with open(log, "ab") as file:
        file.write(b"".join(open(sample(bench, 20), "rb").readlines()))
    failed = subprocess.run([*build, "--full"], capture_output=True, text=True, timeout=120, check=False)
    problem = whole(out)
    with open(os.path.join(out, "data/report.json")) as file:
        is_old = json.load(file)["totals"] == before["totals"]
    os.remove(ballast)
    after = subprocess.run(build, capture_output=True, text=True, timeout=120, check=False)
    holds = failed.returncode == 1 and "error:" in failed.stderr and not problem and is_old and after.returncode == 0 and not whole(out)
    words = problem or f"exit {failed.returncode}, the old report stays; with room again: exit {after.returncode}"
    return Outcome("1 time", holds, words)


@full_while_publishing.control
def _(bench):
    built, out = bench.path("built"), os.path.join(bench.tmpfs("48m"), "report")
    subprocess.run([bench.programs.ours, "build-report", "--log", sample(bench, 6), "--out", built], capture_output=True, timeout=120, check=True)
    publish = [*NAIVELY, "publish", built, out]
    subprocess.run(publish, timeout=60, check=True)
    with contextlib.suppress(OSError), open(os.path.join(os.path.dirname(out), "ballast"), "wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)
    subprocess.run(["truncate", "-s", "+40960", os.path.join(built, "data/report.json")], timeout=10, check=True)
    subprocess.run(publish, capture_output=True, timeout=60, check=False)
    problem = whole(out)
    return Control(f"written in place: {problem or 'whole'}", bool(problem))
