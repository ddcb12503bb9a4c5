"""Computes the numbers of a report a second time, with numpy and pandas, and compares.

Makes its own logs (seeded), runs `call-metrics build-report` on them and reads `data/` back. Shares no code with the program:
what a beacon is, which readings count and what the statistics are is written here anew, from the contract.

    pip install -r requirements.txt
    python check.py ../../target/debug/call-metrics [--seed 1] [--keep DIR]
"""

import argparse
import gzip
import json
import math
import random
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from expected import expected, is_number, together
from logs import clock_log, log_of_2022, mixed_log, numbered_log, week_log
from metrics import METRICS, UNITS
from overall import check_numbers, check_presence, check_rules

RELATIVE = 1e-9
RELATIVE_SERIES = 1e-5
QUANTILES = {"p5": 0.05, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p95": 0.95}


class Tally:
    def __init__(self):
        self.passed = 0
        self.failures = []

    def check(self, holds, what):
        if holds:
            self.passed += 1
        else:
            self.failures.append(what)

    def equal(self, got, want, what):
        self.check(type(got) in (type(want), int, float) and got == want, f"{what}: got {got!r}, expected {want!r}")

    def near(self, got, want, what, relative=RELATIVE, scale=0.0):
        """`scale`: how large the numbers were that `want` is a difference of."""
        if want is None or got is None:
            self.check(got is want, f"{what}: got {got!r}, expected {want!r}")
            return
        allowed = relative * max(abs(want), scale)
        self.check(is_number(got) and abs(got - want) <= allowed, f"{what}: got {got!r}, expected {want!r}")


def check_metric(tally, got, values, missing, metric, where):
    where = f"{where} {metric}"
    scale = float(values.abs().max())
    tally.equal(got["unit"], UNITS[metric], f"{where} unit")
    tally.equal(got["count"], len(values), f"{where} count")
    tally.equal(got["missing"], missing, f"{where} missing")
    tally.near(got["mean"], float(values.mean()), f"{where} mean", scale=scale)
    std = float(values.std(ddof=1)) if len(values) > 1 else None
    tally.near(got["std"], std, f"{where} std", scale=scale)
    tally.near(got["min"], float(values.min()), f"{where} min")
    tally.near(got["max"], float(values.max()), f"{where} max")
    for name, q in QUANTILES.items():
        tally.near(got[name], float(np.quantile(values.to_numpy(), q)), f"{where} {name}")
    tally.equal(sum(got["histogram"]["counts"]), len(values), f"{where} sum of the histogram")
    try:
        counts, edges = np.histogram(values.to_numpy(), bins=20)
    except ValueError:
        # Numbers so large that twenty bins do not fit between neighbours: numpy has no answer to compare with.
        return
    tally.equal(got["histogram"]["counts"], counts.tolist(), f"{where} histogram counts")
    tally.equal(len(got["histogram"]["edges"]), 21, f"{where} number of edges")
    width = float(max(abs(edges[0]), abs(edges[-1])))
    for got_edge, edge in zip(got["histogram"]["edges"], edges.tolist()):
        tally.near(got_edge, edge, f"{where} edge", scale=width)


def check_series(tally, got, mine, where):
    tally.equal(got["timestamp"], mine["timestamp"].tolist(), f"{where} timestamps")
    for metric in METRICS:
        want = mine[metric].astype(float).tolist()
        column = got.get(metric, [None] * len(want))
        tally.equal(len(column), len(want), f"{where} {metric} length of series")
        for at, (one, other) in enumerate(zip(column, want)):
            other = None if math.isnan(other) else other
            tally.near(one, other, f"{where} {metric} series[{at}]", relative=RELATIVE_SERIES)


def check_call(tally, got, participants, where):
    whole = got
    order = [p["sessionId"] for p in got["participants"]]
    tally.equal(order, [p["sessionId"] for p in participants], f"{where} participants")
    for person, want in zip(got["participants"], participants):
        here = f"{where} {want['sessionId']!r}"
        mine = want["readings"]
        tally.equal(person["samples"], len(mine), f"{here} samples")
        got = person["delivery"]
        tally.check(got == want["delivery"], f"{here} delivery: got {got}, expected {want['delivery']}")
        for member in ("start", "end"):
            tally.near(person[member], want[member], f"{here} {member}", relative=0.0)
        for member in ("clockOffsetMs", "clockJumps"):
            told = person.get(member)
            tally.check(told == want[member] and (member in person) == (told is not None), f"{here} {member}: got {told}, expected {want[member]}")
        skewed = [issue for issue in whole["issues"] if issue["type"] == "clock-skew" and issue["sessionId"] == want["sessionId"]]
        tally.equal(len(skewed), int(want["clockOffsetMs"] is not None or want["clockJumps"] is not None), f"{here} issues of its clock")
        measured = [metric for metric in METRICS if mine[metric].notna().any()]
        tally.equal(sorted(person["metrics"]), sorted(measured), f"{here} metrics")
        tally.equal(person["quality"] == "unknown", not measured, f"{here} unknown when nothing is measured")
        for metric in measured:
            values = mine[metric].dropna().astype(float)
            if metric in person["metrics"]:
                check_metric(tally, person["metrics"][metric], values, len(mine) - len(values), metric, here)
        check_series(tally, person["series"], mine, here)


def check_report(tally, out, files, contents, said, name):
    want = expected(contents)
    report = json.loads((out / "data/report.json").read_text("utf-8"))
    log = report["log"]
    tally.equal(report["schemaVersion"], 1, f"{name} schemaVersion")
    tally.equal(log["files"], len(files), f"{name} files")
    tally.equal(log["bytes"], sum(file.stat().st_size for file in files), f"{name} bytes")
    for member in ("lines", "beacons", "samples", "duplicates", "clockSkewed"):
        tally.equal(log[member], want[member], f"{name} {member}")
    for member in ("delivery", "synced"):
        tally.check(log[member] == want[member], f"{name} {member}: got {log[member]}, expected {want[member]}")
    n_skipped = sum(want["skipped"].values())
    tally.equal(log["skipped"]["total"], n_skipped, f"{name} skipped")
    reasons = {reason: count for reason, count in log["skipped"]["byReason"].items() if count}
    tally.equal(reasons, want["skipped"], f"{name} skipped by reason")
    tally.equal(log["lines"], log["beacons"] + log["skipped"]["total"], f"{name} lines = beacons + skipped")

    calls = want["calls"]
    n_participants = sum(len(participants) for participants in calls.values())
    lived = [p for participants in calls.values() for p in participants if p["start"] is not None]
    tally.equal(report["totals"]["calls"], len(calls), f"{name} total of calls")
    tally.equal(report["totals"]["participants"], n_participants, f"{name} total of participants")
    seconds = sum(p["end"] - p["start"] for p in lived) / 1e3
    tally.near(report["totals"]["participantSeconds"], seconds, f"{name} participantSeconds")
    line = rf"{len(calls)} calls?, {n_participants} participants?, {want['samples']} samples?, {n_skipped} lines? skipped -> "
    tally.check(re.fullmatch(line + r".+ \([0-9.]+ s\)", said), f"{name} last line: {said!r} is not like {line!r}")

    keys = [(call["room"], call["meetingSessionId"]) for call in report["calls"]]
    tally.equal(sorted(keys), sorted(calls), f"{name} calls")
    starts = [call["start"] for call in report["calls"] if call["start"] is not None]
    tally.equal(starts, sorted(starts, reverse=True), f"{name} newest call first")
    tally.equal(len({call["id"] for call in report["calls"]}), len(keys), f"{name} ids differ")
    on_disk = sorted(path.name for path in (out / "data/calls").glob("*.json"))
    tally.equal(on_disk, sorted(Path(call["data"]).name for call in report["calls"]), f"{name} files in data/calls")
    details = {}
    for entry in report["calls"]:
        participants = calls.get((entry["room"], entry["meetingSessionId"]))
        if participants is None:
            continue
        where = f"{name} call {entry['meetingSessionId']!r} in {entry['room']!r}"
        tally.check(re.fullmatch(r"[A-Za-z0-9._-]+", entry["id"]), f"{where} id {entry['id']!r}")
        tally.check((out / entry["page"]).is_file(), f"{where} page")
        detail = json.loads((out / entry["data"]).read_text("utf-8"))
        starts = [p["start"] for p in participants if p["start"] is not None]
        ends = [p["end"] for p in participants if p["end"] is not None]
        delivery = together(p["delivery"] for p in participants)
        for part in (entry, detail):
            tally.check(part["delivery"] == delivery, f"{where} delivery: got {part['delivery']}, expected {delivery}")
            tally.near(part["start"], min(starts, default=None), f"{where} start", relative=0.0)
            tally.near(part["end"], max(ends, default=None), f"{where} end", relative=0.0)
            for member in ("id", "room", "meetingSessionId", "quality", "score"):
                tally.equal(part[member] == entry[member], True, f"{where} {member} in both files")
        tally.equal(entry["participants"], len(participants), f"{where} number of participants")
        tally.equal(entry["samples"], sum(len(p["readings"]) for p in participants), f"{where} samples")
        check_call(tally, detail, participants, where)
        check_presence(tally, detail, participants, where)
        details[entry["room"], entry["meetingSessionId"]] = detail
    check_numbers(tally, report, details, calls, name)
    return want


def build(binary, logs, out, *more):
    command = [binary, "build-report", "--out", str(out), *more]
    for log in logs:
        command += ["--log", str(log)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=out.parent)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return (done.stdout.splitlines() or [""])[-1]


def bytes_of_data(out):
    """What `data/` holds, without the time of the build."""
    files = {str(path.relative_to(out)): path.read_bytes() for path in sorted((out / "data").rglob("*")) if path.is_file()}
    stamp = rb'"generatedAt"\s*:\s*"[^"]*"'
    return {name: re.sub(stamp, b"", content) for name, content in files.items()}


def run(binary, folder, seed):
    tally = Tally()
    rng = random.Random(seed)
    rotated, live, other = mixed_log(rng)
    files = [folder / "beacon.log.1.gz", folder / "beacon.log", folder / "other.log"]
    # Only what ends in a newline is there; one file has carriage returns, as an editor may leave them.
    contents = [b"".join(line + b"\n" for line in rotated), b"".join(line + b"\n" for line in live)]
    contents.append(b"".join(line + b"\r\n" for line in other) + b'{"room":"torn","meetingSessionId":"m"')
    files[0].write_bytes(gzip.compress(contents[0], mtime=0))
    for file, content in zip(files[1:], contents[1:]):
        file.write_bytes(content)
    out = folder / "report"
    logs = [files[1], files[2]]
    said = build(binary, logs, out)
    want = check_report(tally, out, files, contents, said, "mixed")
    check_rules(tally, binary, logs, want["calls"], "mixed")
    before = bytes_of_data(out)
    build(binary, logs, out)
    tally.check(bytes_of_data(out) == before, "mixed: built again, data/ is another")
    build(binary, logs, out, "--full")
    tally.check(bytes_of_data(out) == before, "mixed: built in full, data/ is another")

    old = folder / "2022.log"
    old.write_bytes(b"".join(line + b"\n" for line in log_of_2022(rng)))
    said = build(binary, [old], folder / "report-2022")
    check_report(tally, folder / "report-2022", [old], [old.read_bytes()], said, "2022")

    numbered = folder / "numbered.log"
    numbered.write_bytes(b"".join(line + b"\n" for line in numbered_log(rng)))
    said = build(binary, [numbered], folder / "report-numbered")
    check_report(tally, folder / "report-numbered", [numbered], [numbered.read_bytes()], said, "numbered")

    clocks = [folder / "clocks-0.log", folder / "clocks-1.log"]
    contents = [b"".join(line + b"\n" for line in lines) for lines in clock_log(rng)]
    for file, content in zip(clocks, contents):
        file.write_bytes(content)
    said = build(binary, clocks, folder / "report-clocks")
    want = check_report(tally, folder / "report-clocks", clocks, contents, said, "clocks")
    people = [p for participants in want["calls"].values() for p in participants]
    for member in ("clockOffsetMs", "clockJumps"):
        n = sum(p[member] is not None for p in people)
        tally.check(5 < n < len(people) / 2, f"clocks: {n} of {len(people)} have {member}")

    week = [folder / f"week-{nth}.log{'.gz' if nth == 1 else ''}" for nth in range(3)]
    contents = [b"".join(line + b"\n" for line in lines) for lines in week_log(rng)]
    for file, content in zip(week, contents):
        file.write_bytes(gzip.compress(content, mtime=0) if file.suffix == ".gz" else content)
    said = build(binary, [folder / "week-*.log*"], folder / "report-week")
    want = check_report(tally, folder / "report-week", week, contents, said, "week")
    n_skipped = sum(want["skipped"].values())
    tally.check(0.04 < n_skipped / want["lines"] < 0.06, f"week: {n_skipped} of {want['lines']} lines are broken")
    tally.check(min(want["delivery"].values()) > 5, f"week: {want['delivery']}")
    tally.check(len({start // 86_400_000 for _, start in starts_of(want)}) > 5, "week: too few days")
    check_rules(tally, binary, week, want["calls"], "week")

    empty = folder / "empty.log"
    empty.write_bytes(b"")
    said = build(binary, [empty], folder / "report-empty")
    check_report(tally, folder / "report-empty", [empty], [b""], said, "empty")
    return tally


def starts_of(want):
    """Calls and when their first person came."""
    for key, participants in want["calls"].items():
        yield from ((key, p["start"]) for p in participants[:1] if p["start"] is not None)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="leave logs and reports in this folder")
    args = parser.parse_args()
    binary = str(args.binary.resolve(strict=True))
    if args.keep:
        args.keep.mkdir(parents=True, exist_ok=True)
        tally = run(binary, args.keep.resolve(), args.seed)
    else:
        with tempfile.TemporaryDirectory() as folder:
            tally = run(binary, Path(folder), args.seed)
    for failure in tally.failures[:40]:
        print(f"FAILED {failure[:400]}")
    print(f"{tally.passed} passed, {len(tally.failures)} failed")
    return 1 if tally.failures else 0


if __name__ == "__main__":
    sys.exit(main())
