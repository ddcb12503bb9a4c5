"""What a log says: beacons, readings, participants and calls, read anew from the contract with pandas. Computes no statistics."""

import json
import math
import re

import pandas as pd

from metrics import ALIASES, LINE_BYTES_MAX, METRICS, UNITS, VALUE_MAX


# The reflected table of CRC-32C (Castagnoli), as RFC 3720 has the polynomial.
CRC_TABLE = []
for _byte in range(256):
    for _ in range(8):
        _byte = _byte >> 1 ^ (0x82F63B78 if _byte & 1 else 0)
    CRC_TABLE.append(_byte)
# When a clock is believed to be wrong: from which offset on, and what it takes to agree.
SKEW_MIN, AGREE, AGREE_MIN = 30_000, 10_000, 3
# A number further above the one before it is not believed.
GAP_MAX = 100_000


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ CRC_TABLE[(crc ^ byte) & 0xFF]
    return f"{crc ^ 0xFFFFFFFF:08x}"


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
    """Room, meeting session, session, {of the beacon itself} and [(instant, {metric: value})] of one line; raises Skip."""
    if len(line) > LINE_BYTES_MAX:
        raise Skip("too-long")
    summed = re.fullmatch(rb'(.*),"crc":"(.{8})"}}\r?', line, re.DOTALL)
    if summed and crc32c(summed[1]).encode() != summed[2]:
        raise Skip("checksum-mismatch")
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
    receipt = top.get("_rx") if isinstance(top.get("_rx"), dict) else {}
    received, synced, seq = receipt.get("t"), receipt.get("synced"), top.get("seq")
    itself = {
        "received": math.floor(received + 0.5) if is_number(received) else None,
        "synced": {True: "yes", False: "no"}[synced] if isinstance(synced, bool) else "unknown",
        "seq": int(seq) if is_number(seq) and seq == int(seq) and 0 <= seq < 2**53 else None,
        "name": name if isinstance(name := top.get("name"), str) and name.strip() else None,
        "newest": max((at for at, _ in readings), default=None),
    }
    return top["room"], top["meetingSessionId"], top["sessionId"], itself, readings


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


def clock_of(beats):
    """(ms to add, jumps) of a session, from {newest reading: when it was first received}."""
    offsets = [received - newest for newest, received in beats.items()]
    levels = []
    for received, newest in sorted((received, newest) for newest, received in beats.items()):
        offset = received - newest
        known = [other for other, _ in levels[-1]] + [offset] if levels else []
        if known and max(known) - min(known) <= AGREE:
            levels[-1].append((offset, newest))
        else:
            levels.append([(offset, newest)])
    steady = []
    for level in levels:
        times = [newest for _, newest in level]
        if len(level) >= AGREE_MIN and max(times) - min(times) > 2 * AGREE:
            steady.append(min(offset for offset, _ in level))
    jumps = sum(abs(a - b) >= SKEW_MIN for a, b in zip(steady, steady[1:]))
    if jumps or not steady:
        return 0, jumps
    is_off = abs(min(offsets)) >= SKEW_MIN and min(steady) - min(offsets) <= AGREE
    return (min(offsets), 0) if is_off else (0, 0)


def deliveries(beacons):
    """{(call, session): {numbered, missing, repeated, late}} of those that have numbers, number by number."""
    sessions = {}
    for room, meeting, session, itself, _ in beacons:
        if itself["seq"] is not None:
            whose = ((room, meeting), session)
            sessions.setdefault((room, session), {}).setdefault(itself["seq"], []).append((itself, whose))
    told = {}

    def count(whose, what, n=1):
        theirs = told.setdefault(whose, {"numbered": 0, "missing": 0, "repeated": 0, "late": 0})
        theirs[what] += n

    for by_seq in sessions.values():
        arrived, before = {}, -1
        for seq in sorted(by_seq):
            if seq - before - 1 > GAP_MAX:
                break
            rows = sorted(by_seq[seq], key=lambda row: [-1 if row[0][at] is None else row[0][at] for at in ("newest", "received")])
            count(rows[0][1], "missing", seq - before - 1)
            before, seen = seq, set()
            for itself, whose in rows:
                count(whose, "numbered")
                if itself["newest"] in seen:
                    count(whose, "repeated")
                seen.add(itself["newest"])
            times = [(itself["received"], whose) for itself, whose in rows if itself["received"] is not None]
            if times:
                arrived[seq] = min(times, key=lambda time: time[0])
        for seq, (instant, whose) in arrived.items():
            if any(seq < other and earlier < instant for other, (earlier, _) in arrived.items()):
                count(whose, "late")
    return told


def together(some):
    """The sum of deliveries; None of none."""
    some = [one for one in some if one is not None]
    return {what: sum(one[what] for one in some) for what in some[0]} if some else None


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
        [((room, meeting), session, itself["received"], itself["name"]) for room, meeting, session, itself, _ in beacons],
        columns=["call", "session", "received", "name"],
    )
    delivered = deliveries(beacons)
    synced = {"yes": 0, "no": 0, "unknown": 0}
    for _, _, _, itself, _ in beacons:
        synced[itself["synced"]] += 1
    beats = {}
    for room, meeting, session, itself, _ in beacons:
        newest, received = itself["newest"], itself["received"]
        if newest is not None and received is not None:
            mine = beats.setdefault(((room, meeting), session), {})
            mine[newest] = min(received, mine.get(newest, received))
    calls = {}
    for (call, session), theirs in people.groupby(["call", "session"], sort=False):
        mine = distinct[(distinct["call"] == call) & (distinct["session"] == session)]
        mine = mine.sort_values("timestamp", kind="stable")
        added, jumps = clock_of(beats.get((call, session), {}))
        mine = mine.assign(timestamp=mine["timestamp"] + added)
        times = mine["timestamp"] if len(mine) else theirs["received"].dropna()
        calls.setdefault(call, []).append(
            {
                "sessionId": session,
                # The logs here never call one session by two names.
                "name": next(iter(theirs["name"].dropna()), None),
                "start": int(times.min()) if len(times) else None,
                "end": int(times.max()) if len(times) else None,
                "readings": mine,
                "clockOffsetMs": added or None,
                "clockJumps": jumps or None,
                "delivery": delivered.get((call, session)),
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
        "delivery": together(delivered.values()),
        "synced": synced,
        "clockSkewed": sum(bool(p["clockOffsetMs"] or p["clockJumps"]) for people in calls.values() for p in people),
        "calls": calls,
    }
