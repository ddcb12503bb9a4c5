"""Numbers over all calls, over each day and of each person's presence, a second time; and what `check` says of each call."""

import json
import math
import subprocess
from datetime import datetime, timezone

import numpy as np
import pandas as pd

from metrics import METRICS, UNITS

QUALITIES = ["good", "fair", "poor", "unknown"]
QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
# As the README states them.
RELATIVE_ERROR = 1 / 128
ZERO_BELOW = 2.0**-30
LISTED_MAX = 10
DAY_MS = 86_400_000


def pooled(participants, metric):
    columns = [p["readings"][metric].dropna().astype(float) for p in participants]
    return np.sort(pd.concat(columns).to_numpy()) if columns else np.array([])


def check_percentile(tally, got, values, q, where):
    """Within the stated error of the exact one; between neighbours of two signs, of the larger of them."""
    exact = float(np.quantile(values, q))
    position = q * (len(values) - 1)
    a, b = float(values[math.floor(position)]), float(values[math.ceil(position)])
    measure = max(abs(a), abs(b)) if a * b < 0 else abs(exact)
    allowed = RELATIVE_ERROR * measure * (1 + 1e-9) + ZERO_BELOW
    tally.check(abs(got - exact) <= allowed, f"{where}: got {got!r}, exactly {exact!r}")


def check_sums(tally, got, calls, qualities, where):
    """`calls`: {key: participants}. `qualities`: {(key, session): word}, from the data of the calls."""
    everybody = [p for participants in calls.values() for p in participants]
    tally.equal(got["calls"], len(calls), f"{where} calls")
    tally.equal(got["participants"], len(everybody), f"{where} participants")
    minutes = dict.fromkeys(QUALITIES, 0.0)
    for key, participants in calls.items():
        for p in participants:
            if p["start"] is not None:
                minutes[qualities[key, p["sessionId"]]] += (p["end"] - p["start"]) / 60_000
    total = sum(minutes.values())
    tally.near(got["participantMinutes"], total, f"{where} participantMinutes")
    tally.check((got["shares"] is None) == (total == 0), f"{where} shares: {got['shares']!r}")
    for quality in QUALITIES:
        tally.near(got["minutes"][quality], minutes[quality], f"{where} minutes {quality}")
        if total:
            tally.near(got["shares"][quality], minutes[quality] / total, f"{where} share {quality}")
    measured = {metric: values for metric in METRICS if len(values := pooled(everybody, metric))}
    tally.equal(sorted(got["metrics"]), sorted(measured), f"{where} metrics")
    for metric, values in measured.items():
        one, here = got["metrics"].get(metric), f"{where} {metric}"
        if one is None:
            continue
        scale = float(np.abs(values).max())
        tally.equal(one["unit"], UNITS[metric], f"{here} unit")
        tally.equal(one["count"], len(values), f"{here} count")
        tally.near(one["mean"], float(values.mean()), f"{here} mean", scale=scale)
        tally.near(one["min"], float(values.min()), f"{here} min", relative=0.0)
        tally.near(one["max"], float(values.max()), f"{here} max", relative=0.0)
        for name, q in QUANTILES.items():
            check_percentile(tally, one[name], values, q, f"{here} {name}")


def start_of(participants):
    return min((p["start"] for p in participants if p["start"] is not None), default=None)


def check_numbers(tally, report, details, calls, name):
    """`details`: {key: what data/calls/ holds of the call}."""
    got = report["numbers"]
    tally.equal(got["percentileRelativeError"], RELATIVE_ERROR, f"{name} percentileRelativeError")
    qualities = {(key, p["sessionId"]): p["quality"] for key, detail in details.items() for p in detail["participants"]}
    check_sums(tally, got["all"], calls, qualities, f"{name} all")

    by_day = {}
    for key, participants in calls.items():
        start = start_of(participants)
        if start is not None:
            by_day.setdefault(start // DAY_MS, {})[key] = participants
    starts = [day * DAY_MS for day in sorted(by_day)]
    tally.check([day["start"] for day in got["days"]] == starts, f"{name} starts of days")
    for day in got["days"]:
        word = datetime.fromtimestamp(day["start"] / 1e3, timezone.utc).strftime("%Y-%m-%d")
        tally.check(day["day"] == word, f"{name} day {day['day']} is {word}")
        check_sums(tally, day, by_day[day["start"] // DAY_MS], qualities, f"{name} day {word}")

    rooms = {}
    for (room, _), participants in calls.items():
        one = rooms.setdefault(room, {"room": room, "calls": 0, "participants": 0, "ms": 0})
        one["calls"] += 1
        one["participants"] += len(participants)
        one["ms"] += sum(p["end"] - p["start"] for p in participants if p["start"] is not None)
    want = sorted(rooms.values(), key=lambda one: (-one["ms"], -one["calls"], one["room"].encode()))[:LISTED_MAX]
    tally.equal(len(got["busiestRooms"]), len(want), f"{name} number of busiest rooms")
    for one, other in zip(got["busiestRooms"], want):
        for member in ("room", "calls", "participants"):
            tally.equal(one[member] == other[member], True, f"{name} busiest rooms, {member}")
        tally.near(one["participantMinutes"], other["ms"] / 60_000, f"{name} busiest rooms, minutes")
    scored = [(call["score"], call["id"]) for call in report["calls"] if call["score"] is not None]
    worst = sorted(scored, key=lambda call: call[0])[:LISTED_MAX]
    tally.check([(call["score"], call["id"]) for call in got["worstCalls"]] == worst, f"{name} worst calls")


def check_presence(tally, detail, participants, where):
    for person, want in zip(detail["participants"], participants):
        got, here = person["presence"], f"{where} {want['sessionId']!r} presence"
        times = want["readings"]["timestamp"].to_numpy(dtype=np.int64)
        gaps = by_time = None
        if len(times) >= 3:
            steps = np.diff(times)
            usual = int(np.sort(steps)[len(steps) // 2])
            longest = max(3 * usual, 10_000)
            gaps = [{"start": int(a), "end": int(b)} for a, b in zip(times, times[1:]) if b - a > longest]
            expected = math.floor((times[-1] - times[0]) / usual + 0.5) + 1
            by_time = min(1.0, len(times) / expected)
        tally.check(got["gaps"] == gaps, f"{here} gaps: got {got['gaps']}, expected {gaps}")
        tally.near(got["coverage"]["byTime"], by_time, f"{here} byTime")
        delivery = want["delivery"]
        came = delivery and delivery["numbered"] - delivery["repeated"]
        tally.near(got["coverage"]["bySeq"], delivery and came / (came + delivery["missing"]), f"{here} bySeq")
        rejoins = None
        if want["name"] is not None and want["start"] is not None:
            same = [p for p in participants if p["name"] == want["name"] and p["end"] is not None]
            rejoins = sum(p["end"] < want["start"] for p in same)
        tally.near(got["rejoins"], rejoins, f"{here} rejoins", relative=0.0)


def check_rules(tally, binary, logs, calls, name):
    """Rules that no call can keep tell every call's value."""
    aggregates = {
        "p95": lambda values: np.quantile(values, 0.95),
        "p7": lambda values: np.quantile(values, 0.07),
        "median": np.median,
        "mean": np.mean,
        "min": np.min,
        "max": np.max,
        "count": len,
    }
    rules = [(aggregate, metric) for aggregate in aggregates for metric in METRICS[::4]]
    command = [binary, "check", "--json"]
    for log in logs:
        command += ["--log", str(log)]
    for aggregate, metric in rules:
        command += ["--rule", f"{aggregate}({metric}) < -1e18"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=logs[0].parent)
    tally.equal(done.returncode, 1 if calls else 0, f"{name} exit code of check")
    told = json.loads(done.stdout)
    tally.equal(told["calls"], len(calls), f"{name} calls of check")
    for (aggregate, metric), rule in zip(rules, told["rules"]):
        here = f"{name} check {rule['rule']}"
        values = {key: pooled(participants, metric) for key, participants in calls.items()}
        values = {key: one for key, one in values.items() if len(one)}
        tally.equal(rule["judged"], len(values), f"{here} judged")
        tally.equal(rule["absent"], len(calls) - len(values), f"{here} absent")
        broken = {(call["room"], call["meetingSessionId"]): call["value"] for call in rule["broken"]}
        tally.check(broken.keys() == values.keys(), f"{here} calls")
        for key, value in broken.items():
            scale = float(np.abs(values[key]).max())
            tally.near(value, float(aggregates[aggregate](values[key])), f"{here} {key!r}", scale=scale)
        listed = [call["value"] for call in rule["broken"]]
        tally.check(listed == sorted(listed, reverse=True), f"{here} worst first")
