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
import pandas as pd

UNITS = {
    "totalSendPacketLoss": "ratio",
    "totalRecvPacketLoss": "ratio",
    "networkRoundTripTime": "s",
    "sendBitsPerSecond": "bit/s",
    "recvBitsPerSecond": "bit/s",
    "videoSendBitsPerSecond": "bit/s",
    "videoRecvBitsPerSecond": "bit/s",
    "availableOutgoingBitrate": "bit/s",
    "videoSendPacketLoss": "ratio",
    "videoRecvPacketLoss": "ratio",
    "audioSendPacketLoss": "ratio",
    "audioRecvPacketLoss": "ratio",
    "videoSendJitter": "s",
    "videoRecvJitter": "s",
    "audioSendJitter": "s",
    "audioRecvJitter": "s",
    "audioSendBitsPerSecond": "bit/s",
    "audioRecvBitsPerSecond": "bit/s",
}
METRICS = list(UNITS)
ALIASES = {"receiveBitsPerSecond": "recvBitsPerSecond"}
OF_2022 = [
    "recvBitsPerSecond",
    "sendBitsPerSecond",
    "videoRecvBitsPerSecond",
    "videoRecvPacketLoss",
    "videoSendBitsPerSecond",
    "videoSendPacketLoss",
    "totalSendPacketLoss",
    "totalRecvPacketLoss",
]
VALUE_MAX = 1e15
LINE_BYTES_MAX = 1 << 20
RELATIVE = 1e-9
RELATIVE_SERIES = 1e-5
QUANTILES = {"p5": 0.05, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p95": 0.95}


# ---- what a log says ----


class Skip(Exception):
    """Not a beacon; the argument is the reason."""


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def instant(raw):
    """Ms since the epoch, or None. Seconds and microseconds are told by their size."""
    if not is_number(raw):
        return None
    ms = raw / 1e3 if raw > 1e14 else raw if raw > 1e11 else raw * 1e3
    return math.floor(ms + 0.5) if 0 < ms <= 8.64e15 else None


def value_of(raw):
    return float(raw) if is_number(raw) and abs(raw) <= VALUE_MAX else math.nan


def no_constant(text):
    raise ValueError(f"{text} is not JSON")


def beacon(line):
    """Room, meeting session, session, time of receipt and [(instant, {metric: value})] of one line; raises Skip."""
    if len(line) > LINE_BYTES_MAX:
        raise Skip("too-long")
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError:
        raise Skip("not-utf8") from None
    if not text.strip(" \t\n\r\x0c"):
        raise Skip("empty")
    try:
        top = json.loads(text, parse_constant=no_constant)
    except ValueError:
        raise Skip("not-json") from None
    if not isinstance(top, dict):
        raise Skip("not-an-object")
    for member, reason in (
        ("room", "bad-room"),
        ("meetingSessionId", "bad-meeting-session-id"),
        ("sessionId", "bad-session-id"),
    ):
        if not isinstance(top.get(member), str):
            raise Skip(reason)
    stats = top.get("stats")
    latest = stats.get("latest") if isinstance(stats, dict) else None
    if not isinstance(stats, dict) or not (latest is None or isinstance(latest, dict)):
        raise Skip("bad-stats")
    readings = columns_of(top.get("samples"))
    at = instant((latest or {}).get("timestamp"))
    if at is not None:
        values = {ALIASES.get(name, name): value_of(raw) for name, raw in latest.items()}
        values = {name: value for name, value in values.items() if name in UNITS}
        same = [row for row in readings if row[0] == at]
        if same:
            for name, value in values.items():
                if math.isnan(same[-1][1].get(name, math.nan)):
                    same[-1][1][name] = value
        else:
            readings.append((at, values))
    received = top.get("_rx")
    received = received.get("t") if isinstance(received, dict) else None
    received = math.floor(received + 0.5) if is_number(received) else None
    return top["room"], top["meetingSessionId"], top["sessionId"], received, readings


def columns_of(samples):
    if samples is None:
        return []
    if not isinstance(samples, dict) or not isinstance(samples.get("timestamp"), list):
        raise Skip("bad-samples")
    columns = {ALIASES.get(name, name): column for name, column in samples.items()}
    columns = {name: column for name, column in columns.items() if name in UNITS}
    if not all(isinstance(column, list) for column in columns.values()):
        raise Skip("bad-samples")
    rows = []
    for row, raw in enumerate(samples["timestamp"]):
        at = instant(raw)
        if at is not None:
            values = {name: value_of(column[row]) for name, column in columns.items() if row < len(column)}
            rows.append((at, values))
    return rows


def expected(contents):
    """The whole report, from the bytes of the files in reading order."""
    lines = [line for content in contents for line in content.split(b"\n")[:-1]]
    skipped, beacons = {}, []
    for line in lines:
        try:
            beacons.append(beacon(line))
        except Skip as skip:
            skipped[str(skip)] = skipped.get(str(skip), 0) + 1
    readings = pd.DataFrame(
        [
            {"call": (room, meeting), "session": session, "timestamp": at, **values}
            for room, meeting, session, _, rows in beacons
            for at, values in rows
        ],
        columns=["call", "session", "timestamp", *METRICS],
    )
    distinct = readings.drop_duplicates(["call", "session", "timestamp"], keep="first")
    people = pd.DataFrame(
        [((room, meeting), session, received) for room, meeting, session, received, _ in beacons],
        columns=["call", "session", "received"],
    )
    calls = {}
    for (call, session), theirs in people.groupby(["call", "session"], sort=False):
        mine = distinct[(distinct["call"] == call) & (distinct["session"] == session)]
        mine = mine.sort_values("timestamp", kind="stable")
        times = mine["timestamp"] if len(mine) else theirs["received"].dropna()
        calls.setdefault(call, []).append(
            {
                "sessionId": session,
                "start": int(times.min()) if len(times) else None,
                "end": int(times.max()) if len(times) else None,
                "readings": mine,
            }
        )
    for participants in calls.values():
        participants.sort(key=lambda p: (p["start"] is None, p["start"] or 0, p["sessionId"].encode()))
    return {
        "lines": len(lines),
        "beacons": len(beacons),
        "skipped": skipped,
        "samples": len(distinct),
        "duplicates": len(readings) - len(distinct),
        "calls": calls,
    }


# ---- comparing ----


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
    order = [p["sessionId"] for p in got["participants"]]
    tally.equal(order, [p["sessionId"] for p in participants], f"{where} participants")
    for person, want in zip(got["participants"], participants):
        here = f"{where} {want['sessionId']!r}"
        mine = want["readings"]
        tally.equal(person["samples"], len(mine), f"{here} samples")
        for member in ("start", "end"):
            tally.near(person[member], want[member], f"{here} {member}", relative=0.0)
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
    for member in ("lines", "beacons", "samples", "duplicates"):
        tally.equal(log[member], want[member], f"{name} {member}")
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
        for part in (entry, detail):
            tally.near(part["start"], min(starts, default=None), f"{where} start", relative=0.0)
            tally.near(part["end"], max(ends, default=None), f"{where} end", relative=0.0)
            for member in ("id", "room", "meetingSessionId", "quality", "score"):
                tally.equal(part[member] == entry[member], True, f"{where} {member} in both files")
        tally.equal(entry["participants"], len(participants), f"{where} number of participants")
        tally.equal(entry["samples"], sum(len(p["readings"]) for p in participants), f"{where} samples")
        check_call(tally, detail, participants, where)


# ---- logs to read ----

START_MS = 1_795_449_870_771


def values(rng, metrics, style):
    row = {}
    for metric in metrics:
        size = {"bit/s": 2e6, "ratio": 0.2, "s": 0.4}[UNITS[metric]]
        raw = size * rng.random()
        if style == "constant":
            raw = {"bit/s": 64_000, "ratio": 0.1, "s": 0.07}[UNITS[metric]]
        elif style == "few":
            raw = size * rng.randrange(6) / 20
        elif style == "rounded":
            raw = round(raw, 3)
        odd = rng.random()
        if style == "odd" and odd < 0.3:
            raw = rng.choice(
                [None, "0.5", True, [1], {"a": 1}, 1e15, 1.1e15, -1e15, -2e15, 0, -0.0, -0.25, 1e-300, 3e14, 10**20]
            )
        elif odd < 0.1:
            raw = None
        elif odd < 0.15:
            continue
        row[metric] = raw
    return row


def ids(room, meeting, session):
    return {"room": room, "meetingSessionId": meeting, "sessionId": session}


def with_receipt(rng, top, at):
    if rng.random() < 0.9:
        top["_rx"] = {"t": at + rng.randrange(20, 900)}
    return top


def alias(rng, row):
    if "recvBitsPerSecond" in row and rng.random() < 0.2:
        row["receiveBitsPerSecond"] = row.pop("recvBitsPerSecond")
    return row


def v0(rng, who, at, metrics, style):
    stats = {"latest": {"timestamp": at, **alias(rng, values(rng, metrics, style))}, "worstVideoRecvPacketLoss": 0.9}
    if rng.random() < 0.05:
        stats = rng.choice([{}, {"latest": {}}, {"latest": None}, {"latest": {"timestamp": None, "sendBitsPerSecond": 1}}])
    return with_receipt(rng, {**who, "networkState": "good", "stats": stats}, at)


def v1(rng, who, at, style):
    n = rng.randrange(1, 9)
    times = [at + 2_000 * k for k in range(n)]
    metrics = [metric for metric in METRICS if rng.random() < 0.95]
    rows = [values(rng, metrics, style) for _ in times]
    columns = alias(rng, {metric: [row.get(metric) for row in rows] for metric in metrics})
    for column in columns.values():
        if rng.random() < 0.02:
            del column[len(column) // 2 :]
    latest = {"timestamp": times[-1], **rows[-1]}
    chance = rng.random()
    if chance < 0.1:
        # A reading that the columns do not hold, and more than the columns know.
        latest["timestamp"] += 1_500
    elif chance < 0.2:
        latest = {"timestamp": times[-1], **values(rng, METRICS, style)}
    elif chance < 0.25:
        times[n // 2] = rng.choice([None, "soon", -5, 0, 9e15 * 1e3, times[0]])
    elif chance < 0.3:
        # The same instants in the units of other libraries.
        times = [time / 1e3 for time in times] if rng.random() < 0.5 else [time * 1_000 for time in times]
    top = {"v": 1, "seq": 1, "source": "daily", **who, "stats": {"latest": latest}}
    top["samples"] = {"timestamp": times, **columns}
    top["client"] = {"browser": "Chrome 156", "os": "macOS"}
    return with_receipt(rng, top, at + 2_000 * n)


def broken(rng):
    good = json.dumps({**ids("r", "m", "s"), "stats": {}})
    return rng.choice(
        [
            b"",
            b"   \t\r",
            b"not json",
            b"{",
            good.encode()[:-1],
            good.encode() + b"}",
            good.replace("{}", '{"latest":{"timestamp":NaN}}').encode(),
            good.replace("{}", '{"latest":{"timestamp":1,}}').encode(),
            b"[1,2]",
            b"null",
            b'"text"',
            b"\xff\xfe" + good.encode(),
            good.encode()[:-3] + b"\xc3(",
            b"\xef\xbb\xbf" + good.encode(),
            good.replace('"r"', "7").encode(),
            good.replace('"m"', "null").encode(),
            good.replace('"s"', '["s"]').encode(),
            good.replace("sessionId", "sessionid").encode(),
            good.replace("{}", "[]").encode(),
            good.replace("{}", "null").encode(),
            good.replace("{}", '{"latest":[]}').encode(),
            good.replace("{}", '{"latest":3}').encode(),
            (good[:-1] + ',"samples":[]}').encode(),
            (good[:-1] + ',"samples":{}}').encode(),
            (good[:-1] + ',"samples":{"timestamp":5}}').encode(),
            (good[:-1] + ',"samples":{"timestamp":[],"sendBitsPerSecond":1}}').encode(),
        ]
    )


def mixed_log(rng):
    """Lines of two files and of a rotated segment, as lists."""
    rooms = ["https://x.daily.co/meet-ana", "https://x.daily.co/meet-Ana", "<script>alert(1)</script>", "חדר ישיבות", "", 'a"b\\c/../d']
    lines = []
    for nth in range(14):
        room, meeting = rng.choice(rooms), f"m-{nth // 2}-{rng.random():.3f}" if nth % 2 else f"m-{nth // 2}"
        begin = START_MS + nth * 3_600_000 + rng.randrange(1_000_000)
        for person in range(rng.randrange(1, 5)):
            who = ids(room, meeting, rng.choice([f"s-{person}", f"{'ß' * (person + 1)} {nth}"]))
            style = rng.choice(["plain", "plain", "odd", "constant", "few", "rounded"])
            shape = rng.choice(["v0", "v1", "2022"])
            at = first_at = begin + rng.randrange(60_000)
            mine = []
            for _ in range(rng.choice([1, 2, 3, 30, 60])):
                if shape == "v1":
                    mine.append(v1(rng, who, at, style))
                else:
                    mine.append(v0(rng, who, at, METRICS if shape == "v0" else OF_2022, style))
                at += 15_000
            lines += [json.dumps(top, ensure_ascii=rng.random() < 0.5).encode() for top in mine]
            lines += [json.dumps(top).encode() for top in mine if rng.random() < 0.05]
            # Another reading with a timestamp that was there: the first in reading order counts.
            if rng.random() < 0.5 and shape != "v1":
                lines.append(json.dumps(v0(rng, who, first_at, METRICS, "plain")).encode())
    # Only there: heartbeats with and without a time of receipt; the same meeting session in two rooms; one lonely reading.
    lines += [json.dumps({**ids("quiet", "m", "s"), "stats": {}, "_rx": {"t": START_MS + k}}).encode() for k in (5, 3, 9)]
    lines.append(json.dumps({**ids("timeless", "m", "s"), "stats": {}}).encode())
    one = {"timestamp": START_MS + 77, "networkRoundTripTime": 0.071}
    lines += [json.dumps({**ids(room, "same", "s"), "stats": {"latest": one}}).encode() for room in ("a", "b")]
    # A member named twice counts with its last value.
    lines.append(b'{"room":"wrong","room":"twice","meetingSessionId":"m","sessionId":"s","stats":{},"_rx":{"t":1795449870771}}')
    long = json.dumps({**ids("long", "m", "s"), "stats": {}, "pad": "x" * LINE_BYTES_MAX}).encode()
    # Out of order, but what repeats an instant stays behind what it repeats or not, as chance will have it.
    for _ in range(len(lines) // 5):
        a, b = rng.randrange(len(lines)), rng.randrange(len(lines))
        lines[a], lines[b] = lines[b], lines[a]
    for _ in range(120):
        lines.insert(rng.randrange(len(lines)), broken(rng))
    lines.insert(len(lines) // 2, long)
    cuts = sorted(rng.randrange(len(lines)) for _ in range(2))
    return lines[: cuts[0]], lines[cuts[0] : cuts[1]], lines[cuts[1] :]


def log_of_2022(rng):
    lines = []
    for person in range(3):
        who = ids("https://example.daily.co/meet-seth", "e234c5a0-07aa-4d3e-9b1f-5c8a3f0d2b61", f"7a51a4b2-{person}")
        for beat in range(40):
            row = values(rng, OF_2022, "plain")
            latest = {"timestamp": 1_667_805_615_412 + 15_000 * beat + person, **row}
            stats = {"latest": latest, "worstVideoRecvPacketLoss": 0.0182, "worstVideoSendPacketLoss": 0.0429}
            lines.append(json.dumps({**who, "stats": stats}).encode())
    return lines


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
    check_report(tally, out, files, contents, said, "mixed")
    before = bytes_of_data(out)
    build(binary, logs, out)
    tally.check(bytes_of_data(out) == before, "mixed: built again, data/ is another")
    build(binary, logs, out, "--full")
    tally.check(bytes_of_data(out) == before, "mixed: built in full, data/ is another")

    old = folder / "2022.log"
    old.write_bytes(b"".join(line + b"\n" for line in log_of_2022(rng)))
    said = build(binary, [old], folder / "report-2022")
    check_report(tally, folder / "report-2022", [old], [old.read_bytes()], said, "2022")

    empty = folder / "empty.log"
    empty.write_bytes(b"")
    said = build(binary, [empty], folder / "report-empty")
    check_report(tally, folder / "report-empty", [empty], [b""], said, "empty")
    return tally


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
