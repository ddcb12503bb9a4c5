"""Logs to try: every shape of a beacon, whole and broken, in an order that chance gives. The same seed gives the same log."""

import json

from expected import crc32c
from metrics import LINE_BYTES_MAX, METRICS, UNITS

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


def week_log(rng):
    """Lines of three files: some forty calls within eight days, beacons of both shapes, out of order, late, twice and lost."""
    lines = []
    midnight = START_MS // 86_400_000 * 86_400_000
    for nth in range(40):
        room, meeting = f"https://x.daily.co/meet-{rng.randrange(13)}", f"w-{nth}"
        # Many begin close to midnight, on either side of it, or exactly then.
        begin = midnight + rng.randrange(8) * 86_400_000 + rng.choice([0, -1, rng.randrange(-900_000, 900_000), rng.randrange(86_400_000)])
        at = begin
        for person in range(rng.randrange(1, 5)):
            who = ids(room, meeting, f"{nth}-{person}")
            style, is_v1 = rng.choice(["plain", "few", "odd", "rounded"]), rng.random() < 0.6
            name = rng.choice(["Ana", "Bob", " ", None]) if is_v1 else None
            # One after the other: with few names some come back.
            at += rng.choice([0, 0, 200_000, 700_000])
            for seq in range(rng.choice([1, 2, 3, 12, 40])):
                sent = at + 15_000 * seq + (rng.choice([0, 60_000]) if style == "few" and seq > 9 else 0)
                top = v1(rng, who, sent, style) if is_v1 else v0(rng, who, sent, METRICS, style)
                if is_v1:
                    top |= {"seq": seq} | ({"name": name} if name is not None else {})
                chance = rng.random()
                if chance < 0.04:
                    continue
                late = rng.randrange(15_000, 120_000) if chance < 0.1 else 0
                if "_rx" in top:
                    top["_rx"]["t"] += late
                line = json.dumps(top).encode()
                lines += [(sent + late, line)] * (2 if chance > 0.95 else 1)
    lines.sort(key=lambda line: (line[0], rng.random()))
    lines = [line for _, line in lines]
    for _ in range(len(lines) // 19):
        lines.insert(rng.randrange(len(lines)), broken(rng))
    # Three collectors: each has some of everything.
    files = [[], [], []]
    for line in lines:
        rng.choice(files).append(line)
    return files


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


def clock_log(rng):
    """Lines of two files: people whose clocks are right, off, or set meanwhile; beacons that come late, twice, or all at once."""
    files = [[], []]
    for nth in range(16):
        begin = START_MS + nth * 3_600_000
        for person in range(5):
            who = ids(f"clocks-{nth % 3}", f"c-{nth}", f"{nth}-{person}")
            off = rng.choice([0, 0, 1, -1]) * rng.choice([5_000, 29_000, 31_000, 60_000, 7_200_000, 40 * 86_400_000])
            set_by = rng.choice([0, 0, 1, -1]) * rng.choice([25_000, 50_000, 3_600_000, 3_600_000])
            n = rng.choice([2, 3, 4, 12, 30, 60])
            set_at, kept = rng.randrange(n), rng.random() < 0.1
            for beat in range(n):
                at = begin + 15_000 * beat
                shown = at + off + (set_by if beat >= set_at else 0)
                top = v0(rng, who, shown, METRICS, "plain") if rng.random() < 0.7 else v1(rng, who, shown - 14_000, "plain")
                late = rng.randrange(300_000) if rng.random() < 0.1 else rng.randrange(20, 2_500)
                if "_rx" in top:
                    top["_rx"]["t"] = begin + 15_000 * n + rng.randrange(900) if kept else at + late
                line = json.dumps(top).encode()
                for _ in range(1 + (rng.random() < 0.05)):
                    rng.choice(files).append(line)
    for lines in files:
        rng.shuffle(lines)
    return files


def numbered_log(rng):
    """Beacons with numbers and whole receipts, of which some never came, came twice, late or damaged."""
    lines = []
    for nth in range(24):
        meeting, seq = f"n-{nth % 5}", 0
        start = START_MS + nth * 60_000
        chance = rng.choice([0, 0.02, 0.3])
        for beat in range(rng.choice([1, 2, 40, 200])):
            if rng.random() < 0.02:
                # The meeting changes, the person and the numbers stay.
                meeting = f"n-{rng.randrange(5)}"
            at = start + 15_000 * beat
            if rng.random() >= chance:
                body = numbered(rng, meeting, f"p-{nth}", seq, at)
                for _ in range(1 + (rng.random() < chance)):
                    delay = rng.randrange(60_000) if rng.random() < chance else rng.randrange(400)
                    lines.append(stamped(rng, body, at + delay))
            seq += 1
            if rng.random() < 0.005:
                seq = rng.choice([0, seq + 90_000, seq + 200_000, 10**15, 2**53])
    rng.shuffle(lines)
    return lines


def numbered(rng, meeting, session, seq, at):
    stats = {} if rng.random() < 0.1 else {"latest": {"timestamp": at, "networkRoundTripTime": 0.07}}
    top = {"v": 1, "seq": seq, **ids("numbered", meeting, session), "stats": stats}
    if rng.random() < 0.02:
        top["seq"] = rng.choice([None, -1, 0.5, "7", True, 3.0])
    return json.dumps(top, separators=(",", ":")).encode()


def stamped(rng, body, received):
    """The line that the collector makes of a body, or what older ones, people and disks make of that."""
    line = body[:-1] + b',"_rx":{"t":%d,"synced":%s' % (received, rng.choice([b"true", b"true", b"false"]))
    chance = rng.random()
    if chance < 0.1:
        return body if chance < 0.05 else line + b"}}"
    line += b',"crc":"%s"}}' % crc32c(line).encode()
    if chance < 0.15:
        # One letter of the room: still a beacon, but not the one that was sent.
        at = line.index(b"numbered")
        line = line[:at] + bytes([line[at] ^ 1]) + line[at + 1 :]
    elif chance < 0.17:
        # A torn line with the next one behind it.
        line = line[: rng.randrange(1, len(line))] + line
    elif chance < 0.2:
        line += b"\r"
    return line
