"""D: hostile clients. Everything on loopback, from addresses other than the well-behaved client's, and bounded in time."""

import os
import random
import select
import signal
import socket
import struct
import threading
import time

import wire
from rows import Control, row
from siege import Seen, held_off, naive_under

ATTACKER = "127.0.0.2"
N_SLOW = 1500
# Of the gate, for a head and for a body.
DEADLINE_S = 10
BODY = b'{"room":"attack","meetingSessionId":"m","sessionId":"s","stats":{},"id":"attack","padded":0,"pad":""}'


def attack(name, fault, promise=None, short_s=1.0, full_s=5.0, control_s=5.0, short=False, args=()):
    """Registers a row of an attack and its control, the naive server. `args`: flags of ours that are under test."""

    def register(run):
        made = row(name, fault, short=short, promise=promise)(lambda bench: held_off(bench, run, bench.n(short_s, full_s), args))
        made.control(lambda bench: naive_under(bench, run, bench.n(short_s, min(full_s, control_s))))
        return run

    return register


def head(*lines):
    return "\r\n".join(("POST /beacon HTTP/1.1", "Host: localhost", *lines, "", "")).encode()


def exchange(address, parts, seen, allowed, label, end=False, timeout_s=1.5):
    """Sends `parts`; notes every answer outside `allowed` (0: none at all, or the connection closed)."""
    seen.n += 1
    statuses = []
    try:
        stream = wire.connect(address, ATTACKER, timeout_s)
    except OSError:
        return statuses
    try:
        for part in parts:
            stream.sendall(part)
        if end:
            stream.shutdown(socket.SHUT_WR)
        answers = wire.Answers(stream)
        while len(statuses) < 4:
            status, headers, _ = answers.next()
            if status != 100:
                statuses.append(status)
                # Whatever else comes is an answer too many, and comes at once.
                stream.settimeout(0.2)
            if headers.get("connection", "").lower() == "close":
                break
    except (OSError, ValueError, IndexError):
        pass
    finally:
        stream.close()
    wrong = [status for status in statuses or [0] if status not in allowed]
    if wrong:
        seen.bad.append(f"{label}: {wrong[0] or 'no answer'}")
    if 1 < len(statuses):
        seen.bad.append(f"{label}: {len(statuses)} answers to one request")
    return statuses


def over_and_over(cases):
    """An attack of single requests, each in turn until time is up, each at least once."""

    def run(server, until, seen):
        while True:
            for label, parts, allowed, end in cases:
                if server.is_alive() and not seen.is_enough():
                    exchange(server.address, parts, seen, allowed, label, end, 1.0 if 0 in allowed else 3.0)
            if until < time.monotonic() or not server.is_alive() or seen.is_enough():
                seen.words = f"{len(cases)} kinds"
                return

    return run


def crowd(address, n, first, source=lambda n: ATTACKER, until=None):
    """`n` connections that have sent `first`; as many as can be had before `until`."""
    streams = []
    for number in range(n):
        if until and until < time.monotonic():
            break
        try:
            stream = wire.connect(address, source(number), 2.0)
            streams.append(stream)
            stream.sendall(first)
            stream.setblocking(False)
        except OSError:
            pass
    return streams


def trickle(streams, until, seen, byte=b"a"):
    """A byte on each connection about each second; those that the server closed are gone."""
    alive = list(streams)
    while time.monotonic() < until and alive:
        begin = time.monotonic()
        for stream in list(alive):
            try:
                stream.send(byte)
            except BlockingIOError:
                pass
            except OSError:
                alive.remove(stream)
        time.sleep(max(0.05, 1.0 - (time.monotonic() - begin)))
    seen.words = f"{len(streams) - len(alive)} of {len(streams)} cut off meanwhile"
    return alive


def slow(first, byte):
    def run(server, until, seen):
        begin = time.monotonic()
        streams = crowd(server.address, N_SLOW, first, until=until)
        seen.n = len(streams)
        try:
            alive = trickle(streams, until, seen, byte)
            # The first has been there from the beginning.
            if DEADLINE_S + 2 < until - begin and streams[0] in alive:
                seen.bad.append(f"{len(alive)} of {len(streams)} still held after {until - begin:.0f} s")
        finally:
            for stream in streams:
                stream.close()

    return run


LENGTHS = ("9000000000000000000", "99999999999999", "18446744073709551615", "18446744073709551616", "-1", "", "+2", "5, 5", "0x10", "1 1", "65537")

attack("D1", "lengths that are none or huge (tiny_http aborts on some)", "no length that a client names crashes it or makes it allocate", short=True)(
    over_and_over([(f"Content-Length: {length}", [head(f"Content-Length: {length}"), b"{}"], (400, 411, 413, 501), False) for length in LENGTHS])
)

_INNER = wire.post(BODY)
SMUGGLED = [
    ("length and chunked", [head("Content-Length: 6", "Transfer-Encoding: chunked"), b"0\r\n\r\n", _INNER], (400, 501), False),
    ("chunked and length", [head("Transfer-Encoding: chunked", "Content-Length: 6"), b"0\r\n\r\n", _INNER], (400, 501), False),
    ("xchunked", [head("Transfer-Encoding: xchunked"), b"0\r\n\r\n", _INNER], (400, 501), False),
    ("chunked, identity", [head("Transfer-Encoding: chunked, identity"), b"0\r\n\r\n", _INNER], (400, 501), False),
    ("identity", [head("Transfer-Encoding: identity", "Content-Length: 2"), b"{}"], (400, 501), False),
    ("two lengths", [head("Content-Length: 2", f"Content-Length: {len(_INNER) + 2}"), b"{}", _INNER], (400,), False),
    ("space before the colon", [head("Content-Length : 2"), b"{}", _INNER], (400,), False),
    ("folded header", [head("X: a\r\n b", f"Content-Length: {len(BODY)}"), BODY], (400,), False),
    ("NUL in a header", [head("X: a\0b", f"Content-Length: {len(BODY)}"), BODY], (400,), False),
    ("bare LF in a header", [head("X: a\nContent-Length: 2"), b"{}"], (400, 411), False),
    ("bare CR in a header", [head("X: a\rb", f"Content-Length: {len(BODY)}"), BODY], (400,), False),
    ("two hosts", [head("Host: other", f"Content-Length: {len(BODY)}"), BODY], (400,), False),
    ("no host", [f"POST /beacon HTTP/1.1\r\nContent-Length: {len(BODY)}\r\n\r\n".encode(), BODY], (400,), False),
]
attack("D2", "request smuggling: framing that two readers read differently", "one request is one request", short=True)(over_and_over(SMUGGLED))


def chunks(*sizes):
    return b"".join(b"%x\r\n%s\r\n" % (size, b" " * size) for size in sizes)


CHUNKED = head("Transfer-Encoding: chunked")
CHUNKS = [
    ("bad size", [CHUNKED, b"zz\r\nxx\r\n0\r\n\r\n"], (400,), False),
    ("negative size", [CHUNKED, b"-1\r\nx\r\n0\r\n\r\n"], (400,), False),
    ("size of 2^64", [CHUNKED, b"10000000000000000\r\nx"], (400, 413), False),
    ("size of 2^64 - 1", [CHUNKED, b"ffffffffffffffff\r\nx"], (400, 413), False),
    ("200 KB", [CHUNKED, chunks(*[1000] * 200), b"0\r\n\r\n"], (413,), False),
    ("endless extension", [CHUNKED, b"1;" + b"x" * 100_000], (400, 413, 431), False),
    ("endless trailer", [CHUNKED, b"0\r\n" + b"X: y\r\n" * 20_000], (400, 413, 431), False),
    ("no line end after a chunk", [CHUNKED, b"2\r\n{}0\r\n\r\n"], (400,), False),
    ("bare LF", [CHUNKED, b"2\n{}\n0\n\n"], (400,), False),
]
attack("D3", "chunked bodies that are wrong or endless")(over_and_over(CHUNKS))

CUT = [
    ("900 bytes said, 7 sent", [head("Content-Length: 900"), b'{"room"'], (400, 408, 0), True),
    ("2,000 bytes said, 7 sent", [head("Content-Length: 2000"), b'{"room"'], (400, 408, 0), True),
    ("chunk cut", [CHUNKED, b"64\r\n{}"], (400, 408, 0), True),
    ("chunks without their end", [CHUNKED, b"%x\r\n%s\r\n" % (len(BODY), BODY)], (400, 408, 0), True),
    ("a whole beacon, a byte short", [head(f"Content-Length: {len(BODY) + 1}"), BODY], (400, 408, 0), True),
    ("head cut", [b"POST /beacon HTTP/1.1\r\nHost: lo"], (400, 408, 0), True),
]
attack("D4", "bodies cut short, then end of connection", "a record that is cut short is never acknowledged", short=True)(over_and_over(CUT))

attack("D5a", "slow heads: a byte a second, 1,500 connections", "slow clients cost others nothing and are cut off", 16, 16, 16)(
    slow(b"POST /beacon HTTP/1.1\r\nHost: localhost\r\nX: ", b"a")
)
attack("D5b", "slow bodies: a byte a second, 1,500 connections", short_s=2, full_s=14, short=True)(slow(head("Content-Length: 60000") + b"{", b" "))
attack("D5c", "silent bodies behind `Expect: 100-continue`", full_s=5)(
    slow(head("Expect: 100-continue", "Content-Length: 2000"), b"")
)


@attack("D5d", "answers that nobody reads: 200 clients ask for 8 MB", short_s=4)
def slow_readers(server, until, seen):
    public = os.path.join(os.path.dirname(server.folder), "public")
    is_ours = os.path.isdir(public)
    # The naive server has no files but its log.
    path, kept = ("/big.bin", os.path.join(public, "big.bin")) if is_ours else ("/log", server.log)
    with open(kept, "ab") as file:
        file.write(os.urandom(8 << 20))
    streams = crowd(server.address, 200, wire.get(path), until=until)
    seen.n = len(streams)
    try:
        time.sleep(max(0.0, until - time.monotonic()))
    finally:
        for stream in streams:
            stream.close()


def pour(first, part, n_bytes_max, allowed, label):
    """Sends without end and without looking, then reads what there is."""

    def run(server, until, seen):
        while time.monotonic() < until and server.is_alive() and not seen.is_enough():
            seen.n += 1
            status = 0
            try:
                stream = wire.connect(server.address, ATTACKER, 3.0)
            except OSError:
                continue
            try:
                stream.sendall(first)
                sent = 0
                while sent < n_bytes_max and time.monotonic() < until:
                    if select.select([stream], [], [], 0)[0]:
                        break
                    stream.sendall(part)
                    sent += len(part)
                status = wire.Answers(stream).next()[0]
            except (OSError, ValueError, IndexError):
                pass
            finally:
                stream.close()
            # A reset may outrun the answer.
            if status not in (*allowed, 0):
                seen.bad.append(f"{label}: {status}")

    return run


attack("D6a", "a header without end (up to 400 MB)", "memory stays flat whatever is sent")(
    pour(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ", b"a" * 65536, 400_000_000, (431, 400), "endless header")
)
attack("D6b", "a URI of 1 MB; 10,000 headers")(
    over_and_over(
        [
            ("URI of 1 MB", [b"GET /" + b"a" * 1_000_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n"], (414, 431, 0), False),
            ("10,000 headers", [b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * 10_000 + b"\r\n"], (431, 0), False),
        ]
    )
)


@attack("D7", "50 connections that pipeline and never read")
def pipelining(server, until, seen):
    part = wire.get("/healthz") * 500
    streams = crowd(server.address, 50, part, until=until)
    n_bytes = 0
    try:
        while time.monotonic() < until:
            _, writable, _ = select.select([], streams, [], 0.05)
            for stream in writable:
                try:
                    n_bytes += stream.send(part)
                except OSError:
                    streams.remove(stream)
                    stream.close()
            # As much as the prototype got for 200 MB of memory, five times over.
            if 45_000_000 < n_bytes:
                time.sleep(max(0.0, until - time.monotonic()))
    finally:
        for stream in streams:
            stream.close()
    seen.n = n_bytes // len(wire.get("/healthz"))
    seen.words = f"{n_bytes / 1e6:.1f} MB taken"


def bursts(server, until, seen):
    n_unanswered = n_rounds = 0
    while n_rounds < 20 and not seen.is_enough():
        n_rounds += 1
        streams = crowd(server.address, 64, wire.post(BODY))
        waiting = set(streams)
        deadline = time.monotonic() + 2.0
        while waiting and time.monotonic() < deadline:
            for stream in select.select(list(waiting), [], [], 0.1)[0]:
                waiting.discard(stream)
                try:
                    if b" 204 " not in stream.recv(4096)[:20]:
                        seen.bad.append("a burst's beacon was not taken")
                except OSError:
                    seen.bad.append("a burst's connection was reset")
        n_unanswered += len(waiting)
        if waiting:
            seen.bad.append(f"{len(waiting)} unanswered")
        for stream in streams:
            stream.close()
    seen.n += n_rounds * 64
    seen.words = f"{n_unanswered} of {n_rounds * 64:,} unanswered within 2 s"


@row("D8", "bursts of 64 new keep-alive connections, a beacon each", short=True, promise="no request of a burst stays unanswered")
def burst_upon_burst(bench):
    fresh = Seen()
    bursts(bench.serve(), None, fresh)
    outcome = held_off(bench, bursts, bench.n(1.0, 5.0))
    outcome.holds = outcome.holds and not fresh.bad
    outcome.words += f"; as the first thing that it serves: {fresh.words}"
    return outcome


@burst_upon_burst.control
def _(bench):
    """Threads that wait for work are counted when they should be told: whom that hits is chance, most often the first."""
    for n in range(1, 21):
        seen = Seen(is_control=True)
        bursts(bench.naive(), None, seen)
        if seen.bad:
            break
    return Control(f"naive, started anew {n} times: {seen.words}", bool(seen.bad))


@attack("D10a", "connect, send, reset: as fast as it goes, before they are let in and after", "who leaves at once does no harm")
def resets(server, until, seen):
    pick = random.Random(1)
    texts = (b"", b"POST", head("Content-Length: 500") + b"{", wire.post(BODY), wire.get("/healthz") * 3)
    stopped = 0.0
    while time.monotonic() < until and server.is_alive():
        # Meanwhile nobody is let in.
        if stopped + 1.0 < time.monotonic():
            stopped = time.monotonic()
            server.signal(signal.SIGSTOP)
        elif stopped + 0.05 < time.monotonic():
            server.signal(signal.SIGCONT)
        try:
            stream = wire.connect(server.address, ATTACKER, 1.0)
            # Closing with this set sends a reset.
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            stream.sendall(pick.choice(texts))
            stream.close()
            seen.n += 1
        except OSError:
            time.sleep(0.001)
    server.signal(signal.SIGCONT)


ODD = [
    ("TLS hello", [b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x42" * 300], (400, 0), True),
    ("HTTP/2 preface", [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"], (400, 505, 0), True),
    ("HTTP/2.0", [b"GET / HTTP/2.0\r\nHost: localhost\r\n\r\n"], (400, 505), False),
    ("HTTP/9.9", [b"GET / HTTP/9.9\r\nHost: localhost\r\n\r\n"], (400, 505), False),
    ("HTTP/0.9", [b"GET /\r\n\r\n"], (400, 505, 0), True),
    ("NULs", [b"\0" * 2000], (400, 0), True),
    ("non-ASCII path", ["GET /é HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()], (400, 404), False),
    ("only line ends", [b"\r\n" * 3000], (400, 0), True),
    ("other Expect", [head("Expect: 200-ok", f"Content-Length: {len(BODY)}"), BODY], (400, 417, 204), False),
    ("CONNECT", [b"CONNECT example.org:443 HTTP/1.1\r\nHost: example.org\r\n\r\n"], (400, 404, 405, 501), False),
    ("TRACE", [b"TRACE / HTTP/1.1\r\nHost: localhost\r\n\r\n"], (400, 404, 405, 501), False),
    ("gzip body", [head("Content-Encoding: gzip", "Content-Length: 20"), b"\x1f\x8b" + b"\0" * 18], (400, 415), False),
    ("absolute traversal", [b"GET /report/../../../../etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n"], (400, 403, 404), False),
    ("encoded traversal", [b"GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\nHost: localhost\r\n\r\n"], (400, 403, 404), False),
]
attack("D10b", "what is no HTTP/1.1, or odd HTTP")(over_and_over(ODD))


@attack("D11", "upgrades with a body, which tiny_http would hand the whole connection for")
def upgrades(server, until, seen):
    first = head("Connection: upgrade", "Upgrade: x", f"Content-Length: {len(BODY)}") + BODY
    streams = crowd(server.address, 32, first, until=until)
    seen.n = len(streams)
    try:
        time.sleep(max(0.0, until - time.monotonic()))
        n_answered = 0
        for stream in streams:
            try:
                n_answered += b" 204 " in stream.recv(4096)[:20]
            except OSError:
                pass
        seen.words = f"{n_answered} of {len(streams)} answered as if there were none"
        if n_answered < len(streams):
            seen.bad.append(f"{len(streams) - n_answered} not answered")
    finally:
        for stream in streams:
            stream.close()


def flood(request, n_clients, n_taken_max=None):
    """The same request on many connections, again with each answer. `n_taken_max`: what may be taken in so many seconds."""

    def run(server, until, seen):
        streams = crowd(server.address, n_clients, request)
        begin, codes = time.monotonic(), {}
        try:
            while time.monotonic() < until and streams:
                for stream in select.select(streams, [], [], 0.1)[0]:
                    try:
                        answer = stream.recv(65536)
                        if not answer:
                            raise ConnectionError
                        codes[answer[9:12].decode()] = codes.get(answer[9:12].decode(), 0) + 1
                        seen.n += 1
                        stream.setblocking(True)
                        stream.settimeout(2.0)
                        stream.sendall(request)
                        stream.setblocking(False)
                    except OSError:
                        streams.remove(stream)
                        stream.close()
        finally:
            for stream in streams:
                stream.close()
        seen.words = "answers " + ", ".join(f"{n:,} × {code}" for code, n in sorted(codes.items()))
        if n_taken_max and n_taken_max(time.monotonic() - begin) < codes.get("204", 0):
            seen.bad.append(f"{codes['204']:,} beacons of one address taken")

    return run


@attack("D13", "whole beacons of 64 KB from 32 connections, as fast as they are taken, and 8 bodies of 64 MB", "a body is refused for its length before it is read")
def large(server, until, seen):
    body = b" " * (64 << 20)

    def send():
        if wire.status_of(server.address, wire.post(body), max(0.1, until - time.monotonic()), ATTACKER) == 204:
            seen.bad.append("64 MB taken")

    enders = [threading.Thread(target=send) for _ in range(8)]
    for ender in enders:
        ender.start()
    flood(wire.post(wire.beacon("attack-0-0", 65_000)), 32)(server, until, seen)
    for ender in enders:
        ender.join()


# Of loopback itself nobody is held back: the flood says that it comes from elsewhere, and is believed.
RATE = 100
OF_ONE_ADDRESS = wire.post(BODY, headers="X-Forwarded-For: 203.0.113.9\r\n")
# A beacon of the first second, ten of each in store, and the clock's grain.
_flood_of_one_address = flood(OF_ONE_ADDRESS, 64, lambda seconds: RATE * (11 + seconds))


@row("D14", "small beacons from 64 connections of one address, as fast as they are taken", promise="one address takes no more than its share")
def of_one_address(bench):
    return held_off(bench, _flood_of_one_address, bench.n(1.0, 5.0), ("--trusted-proxy", ATTACKER, "--rate-per-address", str(RATE)))


@of_one_address.control
def _(bench):
    server = bench.serve(args=("--trusted-proxy", ATTACKER))
    seen = Seen(is_control=True)
    _flood_of_one_address(server, time.monotonic() + bench.n(1.0, 5.0), seen)
    return Control(f"`--rate-per-address 0`: {seen.words}", bool(seen.bad))
