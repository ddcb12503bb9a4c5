"""How fast reports are built, beside rivals in the same run: `make bench`. Bounded; made-up calls, one reading a beacon.

Beside the builds stand what the machine needs for the log's and the site's bytes alone, and DuckDB and pandas computing the
same numbers of every participant and writing one JSON file a call (tables.py). Rounds are taken in turn, so that whatever
else the machine does hits all; what counts are the medians and their ratios. CPU and memory are the process's own.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from venv_of_rivals import venv

HERE = Path(__file__).parent
APPENDED = 100


class Row:
    """Something that is measured: `command`, before which `prepare` is called."""

    def __init__(self, name, command, prepare=lambda: None):
        self.name, self.command, self.prepare = name, command, prepare
        self.rounds = []

    def run(self):
        self.prepare()
        begin = time.monotonic()
        process = subprocess.Popen([str(part) for part in self.command], stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{self.name}: exit {process.returncode}")
        self.rounds.append((time.monotonic() - begin, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024))

    def medians(self):
        return [statistics.median(column) for column in zip(*self.rounds)]


def rows(binary, folder, log, installed):
    site, state, tail = folder / "site", folder / "state", folder / "tail"
    build = [binary, "build-report", "--log", log, "--out", site, "--state", state]

    def nothing(*gone):
        """Room for a run. What was there is moved away, and removed when all is measured: for five seconds after thousands of
        files were removed ext4 makes new ones slowly, and whoever comes next would pay for it."""
        for folder_gone in gone:
            if folder_gone.exists():
                folder_gone.rename(Path(tempfile.mkdtemp(dir=folder)) / "gone")

    def append():
        with open(log, "ab") as out:
            out.write(tail.read_bytes())

    yield Row("read the log (wc -l)", ["wc", "-l", log])
    yield Row("call-metrics check, one rule: read and judge", [binary, "check", "--log", log, "--rule", "p95(videoRecvPacketLoss) < 2"])
    full = Row("call-metrics build-report, all", build, lambda: nothing(site, state))
    yield full
    yield Row("  write as many bytes in as many files (cp -r)", ["cp", "-r", site, folder / "copy"], lambda: nothing(folder / "copy"))
    yield Row("call-metrics build-report, nothing new", build)
    yield Row(f"call-metrics build-report, {APPENDED} beacons more", build, append)
    rivals = {"duckdb": "DuckDB, the same numbers", "duckdb-plain": "DuckDB, the same without histograms", "pandas": "pandas, the same numbers"}
    for rival, name in rivals.items() if installed else ():
        out = folder / rival
        yield Row(name, [installed / "bin/python", HERE / "tables.py", rival, log, out], lambda out=out: nothing(out))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("binary", type=Path)
    parser.add_argument("--target", type=Path, required=True, help="folder for builds; a log is made in it")
    parser.add_argument("--calls", type=int, default=600, help="4,900 make a million beacons, 0.95 GB")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    binary = args.binary.resolve()
    installed = venv((args.target / "bench-venv").resolve())
    # Beside the sources, not in /tmp, which may be memory.
    with tempfile.TemporaryDirectory(dir=args.target) as folder:
        folder = Path(folder).resolve()
        log = folder / "beacon.log"
        sample = [binary, "sample-log", "--one-reading", "--days", "60", "--until", "2026-11-23T17:00:00Z"]
        with open(log, "wb") as out:
            subprocess.run([*sample, "--calls", str(args.calls)], stdout=out, check=True)
        tail = subprocess.run([*sample, "--calls", "2", "--seed", "7"], stdout=subprocess.PIPE, check=True).stdout
        (folder / "tail").write_bytes(b"".join(tail.splitlines(keepends=True)[-APPENDED:]))
        n_beacons, n_bytes = sum(1 for _ in open(log, "rb")), log.stat().st_size
        measured = list(rows(binary, folder, log, installed))
        for n in range(args.rounds):
            print(f"round {n + 1} of {args.rounds}", file=sys.stderr)
            for row in measured:
                row.run()
        site = folder / "site"
        written = sum(path.stat().st_size for path in site.rglob("*") if path.is_file())
        print(f"log: {n_beacons:,} beacons, {n_bytes / 1e6:,.0f} MB; site: {written / 1e6:,.0f} MB; {os.cpu_count()} cores; medians of {args.rounds} rounds")
        full = next(row for row in measured if row.name.endswith("all")).medians()[0]
        print(f"{'':48} {'seconds':>8} {'CPU s':>7} {'MB':>6} {'of a build':>10}")
        for row in measured:
            seconds, cpu, megabytes = row.medians()
            print(f"{row.name:48} {seconds:8.2f} {cpu:7.2f} {megabytes:6.0f} {seconds / full:9.2f}x")


if __name__ == "__main__":
    main()
