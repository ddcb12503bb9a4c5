"""How fast beacons are taken, beside rivals in the same run: `make bench`. Bounded in time, loopback alone.

Every round probes the disk with a raw fdatasync and then lets wrk post the same 895-byte beacon over 64 keep-alive
connections to each server in turn, so that whatever else the machine does hits all of them. What counts are the medians and
their ratios. CPU is that of the server and its children, from /proc.
"""

import argparse
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from venv_of_rivals import venv

HERE = Path(__file__).parent
CONNECTIONS = 64
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


class Server:
    """A server under load. `start` gives its process and its port."""

    def __init__(self, name, log, start):
        self.name, self.log, self.start = name, log, start
        self.rounds = []

    def median(self, key):
        return statistics.median(r[key] for r in self.rounds) if self.rounds else None


def listening(command, **options):
    """Starts a server that says `listening on http://HOST:PORT` on stdout."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, **options)
    line = process.stdout.readline()
    return process, int(line.rsplit(":", 1)[1])


def on_port(command, port, **options):
    """Starts a server that listens on `port` and says nothing."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return process, port
        time.sleep(0.05)
    raise SystemExit(f"{command[0]} does not listen on {port}")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def family(pid):
    """A process and its descendants."""
    found = [pid]
    for parent in found:
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            found += [int(child) for child in task.read_text().split()]
    return found


def cpu_seconds(pid):
    ticks = 0
    for member in family(pid):
        try:
            fields = Path(f"/proc/{member}/stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        ticks += int(fields[11]) + int(fields[12])
    return ticks / CLOCK_TICKS


def rss_mb(pid):
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024


def unserved(port):
    """Connections to `port` on which the server has not sent a byte."""
    shown = subprocess.run(["ss", "-tniHO", "state", "established", f"sport = :{port}"], capture_output=True, text=True)
    return sum("bytes_sent:" not in line for line in shown.stdout.splitlines())


def end(process):
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def wrk(port, seconds, script):
    """Requests answered with 2xx, in all and a second, and the p99 in ms."""
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "5s", "--latency", "-s", script]
    text = subprocess.run([*command, f"http://127.0.0.1:{port}/beacon"], capture_output=True, text=True).stdout
    took = re.search(r"(\d+) requests in ([\d.]+)(m?s)", text)
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    n_good = int(took[1]) - int(refused[1] if refused else 0)
    value, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", text).groups()
    return {
        "requests": n_good,
        "rate": n_good / (float(took[2]) / (1000 if took[3] == "ms" else 1)),
        "p99": float(value) * {"us": 0.001, "ms": 1, "s": 1000}[unit],
    }


def load(server, seconds, script, churn=0):
    """One round; `churn`: connections a second that are opened, used once and closed meanwhile."""
    server.log.unlink(missing_ok=True)
    # What others left to be written must not be waited for by whoever syncs.
    os.sync()
    process, port = server.start()
    try:
        hungry = []
        watcher = threading.Timer(seconds * 0.8, lambda: hungry.append(unserved(port)))
        watcher.start()
        stop = threading.Event()
        churner = threading.Thread(target=open_and_close, args=(port, churn, stop))
        churner.start()
        before = cpu_seconds(process.pid)
        result = wrk(port, seconds, script)
        result["cpu_us"] = (cpu_seconds(process.pid) - before) / max(result["requests"], 1) * 1e6
        stop.set()
        watcher.join()
        churner.join()
        result["unserved"] = hungry[0]
        result["rss_mb"] = rss_mb(process.pid)
    finally:
        end(process)
    with server.log.open("rb") as log:
        result["lines"] = sum(block.count(b"\n") for block in iter(lambda: log.read(1 << 20), b""))
    server.log.unlink()
    return result


def open_and_close(port, per_second, stop):
    request = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    begin, n = time.monotonic(), 0
    while per_second and not stop.is_set():
        try:
            with socket.create_connection(("127.0.0.1", port), 5) as client:
                client.sendall(request)
                client.recv(4096)
        except OSError:
            pass
        n += 1
        time.sleep(max(0, begin + n / per_second - time.monotonic()))


def fdatasync(folder, seconds):
    """Syncs a second and their p99 in ms, 1 KiB each."""
    path, times = folder / "probe", []
    handle = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    stop = time.monotonic() + seconds
    while time.monotonic() < stop:
        os.write(handle, b"x" * 1024)
        begin = time.perf_counter()
        os.fdatasync(handle)
        times.append(time.perf_counter() - begin)
    os.close(handle)
    path.unlink()
    times.sort()
    return {"rate": len(times) / seconds, "p99": times[int(len(times) * 0.99)] * 1000}


def idle(binary, folder):
    """Resident MB of a fresh collector, and with 2,000 idle connections and 64 busy ones."""
    server = collector(binary, folder, "synced", "idle")
    process, port = server.start()
    clients = []
    try:
        time.sleep(1)
        fresh = rss_mb(process.pid)
        for _ in range(2000):
            clients.append(socket.create_connection(("127.0.0.1", port), 5))
        wrk(port, 3, HERE / "beacon.lua")
        held = sum(not is_closed(client) for client in clients)
        return fresh, rss_mb(process.pid), held
    finally:
        for client in clients:
            client.close()
        end(process)


def is_closed(client):
    client.setblocking(False)
    try:
        return client.recv(1) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def collector(binary, folder, durability, name):
    log = folder / f"{name}.log"
    command = [binary, "serve", "--listen", "127.0.0.1:0", "--log", log, "--public", folder / "public", "--durability", durability]
    return Server(name, log, lambda: listening(command, cwd=folder))


def rivals(folder, naive, venv):
    log = folder / "naive.log"
    yield Server("tiny_http alone, appends", log, lambda: listening([naive, log]))
    if venv:
        flask_log = folder / "flask.log"
        environment = os.environ | {"BEACON_LOG": str(flask_log)}

        def start():
            port = free_port()
            command = [venv / "bin/gunicorn", "--workers", "2", "--threads", "8", "--worker-class", "gthread", "--keep-alive", "60"]
            return on_port([*command, "--bind", f"127.0.0.1:{port}", "flask_app:app"], port, cwd=HERE, env=environment)

        yield Server("Flask under gunicorn", flask_log, start)
    if shutil.which("nginx"):
        (folder / "www").mkdir()
        (folder / "www/beacon").touch()
        # Its workers are not root, and the log is theirs to make.
        folder.chmod(0o755)

        def start_nginx():
            port = free_port()
            text = (HERE / "nginx.conf").read_text().replace("WORK", str(folder)).replace("PORT", str(port))
            (folder / "nginx.conf").write_text(text)
            return on_port(["nginx", "-p", folder, "-c", folder / "nginx.conf"], port)

        yield Server("nginx, logs the body", folder / "nginx.log", start_nginx)
    else:
        print("NOT MEASURED: nginx is missing (on Debian: apt-get install nginx-light)")


def table(servers, probes):
    print(f"{'median':<28}{'beacons/s':>10}{'p99 ms':>9}{'CPU us':>8}{'unserved':>10}{'of it in the log':>18}")
    print(f"{'a raw fdatasync':<28}{statistics.median(p['rate'] for p in probes):>10.0f}{statistics.median(p['p99'] for p in probes):>9.1f}")
    for server in servers:
        share = sum(r["lines"] for r in server.rounds) / max(1, sum(r["requests"] for r in server.rounds))
        hungry = max(r["unserved"] for r in server.rounds)
        print(
            f"{server.name:<28}{server.median('rate'):>10.0f}{server.median('p99'):>9.1f}{server.median('cpu_us'):>8.0f}"
            f"{hungry:>10}{min(share, 9.99):>18.1%}"
        )


def ratios(synced, written, servers, probes):
    by_name = {server.name: server for server in servers}
    flask, naive, nginx = (by_name.get(n) for n in ("Flask under gunicorn", "tiny_http alone, appends", "nginx, logs the body"))
    say = lambda what, value, goal: print(f"  {what:<62}{value:>9}   goal {goal}")
    print("ratios of medians")
    say("synced, beacons/s", f"{synced.median('rate'):.0f}", ">= 10,000")
    quiet = [r["p99"] for r, p in zip(synced.rounds, probes) if p["p99"] < 5]
    say("synced, worst p99 of rounds whose raw p99 is under 5 ms", f"{max(quiet):.1f} ms" if quiet else "no such", "< 50 ms")
    if flask:
        say("synced to Flask, which does not sync", f"{synced.median('rate') / flask.median('rate'):.1f}", ">= 4")
        say("written to Flask", f"{written.median('rate') / flask.median('rate'):.1f}", ">= 6")
        say("CPU a beacon, written to Flask", f"{written.median('cpu_us') / flask.median('cpu_us'):.2f}", "<= 0.20")
    say("written to tiny_http alone", f"{written.median('rate') / naive.median('rate'):.2f}", ">= 0.60")
    if nginx:
        say("written to nginx, where we lose", f"{written.median('rate') / nginx.median('rate'):.2f}", "none")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("binary", type=Path)
    parser.add_argument("naive", type=Path)
    parser.add_argument("--target", type=Path, default=HERE.parent / "target")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=4)
    args = parser.parse_args()
    if not shutil.which("wrk"):
        raise SystemExit("NOT MEASURED: wrk is missing (on Debian: apt-get install wrk)")
    installed = venv((args.target / "bench-venv").resolve())
    binary, script = args.binary.resolve(), HERE / "beacon.lua"
    # Beside the sources, not in /tmp, which may be memory.
    with tempfile.TemporaryDirectory(dir=args.target) as folder:
        folder = Path(folder).resolve()
        synced = collector(binary, folder, "synced", "call-metrics, synced")
        written = collector(binary, folder, "written", "call-metrics, written")
        servers = [synced, written, *rivals(folder, args.naive.resolve(), installed)]
        probes = []
        for n in range(args.rounds):
            print(f"round {n + 1} of {args.rounds}", file=sys.stderr)
            probes.append(fdatasync(folder, 1))
            for server in servers:
                server.rounds.append(load(server, args.seconds, script))
        table(servers, probes)
        ratios(synced, written, servers, probes)
        churned = [load(synced, args.seconds, script, churn=500)["rate"] for _ in range(3)]
        print(f"  synced with 500 connections a second opened and closed: {statistics.median(churned) / synced.median('rate'):.2f} of it without   goal >= 0.50")
        fresh, full, held = idle(binary, folder)
        print(f"  resident when idle: {fresh:.1f} MB (goal < 20); with {held} idle connections and 64 busy: {full:.1f} MB (goal < 64)")


if __name__ == "__main__":
    main()
