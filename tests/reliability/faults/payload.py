"""E: bodies that are no beacons, or strange ones. Never a crash, never two lines for a record, every refusal counted."""

import json

import wire
from load import Found
from rows import Control, Outcome, row

IDS = '"room":"r","meetingSessionId":"m","sessionId":"s","stats":{}'


def obj(extra=""):
    return ("{" + IDS + ("," + extra if extra else "") + "}").encode()


def sized(n_bytes):
    body = obj('"x":""')
    return obj('"x":"' + "x" * (n_bytes - len(body)) + '"')


def nested(depth):
    """An object `depth` deep, itself counted."""
    return obj('"x":' + "[" * (depth - 1) + "]" * (depth - 1))


REFUSED = {
    "empty": b"",
    "white space": b" \r\n\t ",
    "no JSON": b"hello",
    "half": obj()[:-1],
    "two objects": obj() + obj(),
    "two objects, a newline between": obj() + b"\n" + obj(),
    "trailing garbage": obj() + b"x",
    "trailing NUL": obj() + b"\0",
    "array": b"[" + obj() + b"]",
    "null": b"null",
    "string": b'"x"',
    "invalid UTF-8": obj('"x":"@"').replace(b"@", b"\xff\xfe"),
    "overlong UTF-8": obj('"x":"@"').replace(b"@", b"\xc0\xaf"),
    "UTF-8 surrogate": obj('"x":"@"').replace(b"@", b"\xed\xa0\x80"),
    "UTF-16": obj().decode().encode("utf-16"),
    "BOM": b"\xef\xbb\xbf" + obj(),
    "lone surrogate": obj('"x":"\\ud800"'),
    "NaN": obj('"x":NaN'),
    "Infinity": obj('"x":-Infinity'),
    "1e999": obj('"x":1e999'),
    "hex": obj('"x":0x10'),
    "leading zero": obj('"x":01'),
    "single quotes": obj("'x':1"),
    "comment": obj("/* */"),
    "trailing comma": obj()[:-1] + b",}",
    "raw newline in a string": obj('"x":"a\nb"'),
    "raw CR in a string": obj('"x":"a\rb"'),
    "raw NUL in a string": obj('"x":"a\0b"'),
    "depth 33": nested(33),
    "depth 200": nested(200),
    "depth 30,000": nested(30_000),
    "unclosed depth": b'{"x":' + b"[" * 60_000,
    "no room": b'{"meetingSessionId":"m","sessionId":"s","stats":{}}',
    "room a number": b'{"room":1,"meetingSessionId":"m","sessionId":"s","stats":{}}',
    "stats an array": b'{"room":"r","meetingSessionId":"m","sessionId":"s","stats":[]}',
    "stats null": b'{"room":"r","meetingSessionId":"m","sessionId":"s","stats":null}',
    "64 KiB + 1": sized(64 * 1024 + 1),
}

TAKEN = {
    "bare": obj(),
    "64 KiB": sized(64 * 1024),
    "depth 32": nested(32),
    "newlines between tokens": b"\r\n" + obj().replace(b",", b"\r\n,\n\n") + b"\n",
    "escaped newline": obj('"x":"a\\nb\\r"'),
    "escaped NUL": obj('"x":"\\u0000"'),
    "U+2028 and U+2029": obj('"x":"\u2028\u2029\u0085"'),
    "right to left": obj('"x":"\u202etxt.exe"'),
    "markup": b'{"room":"</script><img src=x onerror=alert(1)>","meetingSessionId":"m","sessionId":"s","stats":{}}',
    "emoji pair": obj('"x":"\\ud83d\\ude00"'),
    "-0": obj('"x":-0'),
    "30 digits": obj('"x":' + "9" * 30),
    "1e308": obj('"x":1e308'),
    "1e-999": obj('"x":1e-999'),
    "__proto__": obj('"__proto__":{"x":1},"constructor":1'),
    "a forged receipt": obj('"_rx":{"t":1}'),
    "a member twice": obj('"room":"other","x":1,"x":2'),
    "negative bitrate": b'{"room":"r","meetingSessionId":"m","sessionId":"s","stats":{"latest":{"timestamp":1795449870771,"recvBitsPerSecond":-5}}}',
    "1e15": b'{"room":"r","meetingSessionId":"m","sessionId":"s","stats":{"latest":{"timestamp":1795449870771,"recvBitsPerSecond":1e15}}}',
    "the year 9999": b'{"room":"r","meetingSessionId":"m","sessionId":"s","stats":{"latest":{"timestamp":253402300799000}}}',
    "1970": b'{"room":"r","meetingSessionId":"m","sessionId":"s","stats":{"latest":{"timestamp":1}}}',
    "no room name": b'{"room":"","meetingSessionId":"","sessionId":"","stats":{}}',
    "one reading a string": b'{"room":"r","meetingSessionId":"m","sessionId":"s","stats":{"latest":{"timestamp":"x","recvBitsPerSecond":"y"}}}',
}


def feed(server, bodies):
    """Status and lines added, by name of body."""
    got = {}
    n_lines = 0
    for name, body in bodies.items():
        status = wire.status_of(server.address, wire.post(body))
        with open(server.log, "rb") as file:
            now = file.read().count(b"\n")
        got[name] = (status, now - n_lines)
        n_lines = now
    return got


@row("E1", "bodies that are no beacon, and strange ones that are", short=True, promise="what is acknowledged is one line that every JSON reader reads; what is refused is counted")
def bodies(bench):
    server = bench.serve()
    refused = feed(server, REFUSED)
    with open(server.log, "rb") as file:
        n_before = file.read().count(b"\n")
    taken = feed(server, TAKEN)
    wrong = [f"{name}: {status}, {n} lines" for name, (status, n) in refused.items() if status not in (400, 413) or n != 0]
    # The first of these sees the lines that were there before.
    wrong += [f"{name}: {status}, {n} lines" for name, (status, n) in taken.items() if (status, n) != (204, 1) and (status, n) not in ((400, 0), (413, 0))]
    n_taken = sum(status == 204 for status, _ in taken.values())
    must = ("bare", "64 KiB", "depth 32", "newlines between tokens", "U+2028 and U+2029", "-0", "1e308", "__proto__", "a forged receipt")
    wrong += [f"{name} was refused" for name in must if taken[name][0] != 204]
    metrics = server.metrics()
    counted = sum(value for name, value in metrics.items() if name.startswith(("beacons_refused_total", "gate_refused_total")))
    n_refused = len(REFUSED) + len(TAKEN) - n_taken
    if counted != n_refused:
        wrong.append(f"{n_refused} refused, {counted:.0f} counted")
    if n_before:
        wrong.append(f"{n_before} lines of what was refused")
    panics = metrics["handler_panics_total"] + metrics["connection_panics_total"]
    if panics:
        wrong.append(f"{panics:.0f} panics")
    with open(server.log, "rb") as file:
        for line in file.read().split(b"\n")[:-1]:
            try:
                json.loads(line)
            except ValueError:
                wrong.append(f"unreadable line {line[:60]!r}")
    words = "; ".join(wrong[:5]) or f"{n_refused} refused and counted, {n_taken} taken, a line each"
    return Outcome(f"{len(REFUSED) + len(TAKEN)} bodies", not wrong and server.is_alive(), words, n_taken, 0 if not wrong else None)


@bodies.control
def _(bench):
    server = bench.naive()
    got = feed(server, {name: body for name, body in REFUSED.items() if len(body) < 60_000})
    seen = Found()
    seen.read(server.log)
    n_junk = sum(status == 204 for status, _ in got.values())
    return Control(f"naive: {n_junk} of {len(got)} acknowledged that are none, {seen.n_lines} lines", 0 < n_junk)
