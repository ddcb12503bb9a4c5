"""The numbers of every participant as an analyst gets them, and one JSON file a call: with DuckDB or with pandas.

Rivals of `call-metrics build-report` (report.py): `tables.py duckdb|pandas LOG OUT`. They write these numbers alone; no
histograms, no series, no scores, no pages.
"""

import json
import sys
from pathlib import Path

QUANTILES = {"p5": 0.05, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p95": 0.95}
WHO = ["room", "meetingSessionId", "sessionId"]


def metrics(log):
    """Names of what is measured, from the beginning of the log."""
    found = set()
    with open(log) as lines:
        for line, _ in zip(lines, range(2_000)):
            latest = json.loads(line)["stats"].get("latest") or {}
            found |= {name for name, value in latest.items() if isinstance(value, (int, float)) and name != "timestamp"}
    return sorted(found)


def write(rows, names, out):
    """`rows`: who, then for each metric count, mean, std, min, max and the quantiles."""
    columns = ["count", "mean", "std", "min", "max", *QUANTILES]
    calls = {}
    for row in rows:
        room, meeting, session, *numbers = row
        one = {name: dict(zip(columns, numbers[at * len(columns) :])) for at, name in enumerate(names)}
        calls.setdefault((room, meeting), {})[session] = one
    out.mkdir(parents=True, exist_ok=True)
    for at, ((room, meeting), participants) in enumerate(calls.items()):
        call = {"room": room, "meetingSessionId": meeting, "participants": participants}
        (out / f"{at}.json").write_text(json.dumps(call, default=float))
    return len(calls)


def with_duckdb(log, out):
    import duckdb

    names = metrics(log)
    latest = ", ".join(f'"{name}" DOUBLE' for name in ["timestamp", *names])
    numbers = ", ".join(
        f'count("{name}"), avg("{name}"), stddev_samp("{name}"), min("{name}"), max("{name}"), '
        f'quantile_cont("{name}", {list(QUANTILES.values())})'
        for name in names
    )
    query = f"""
        WITH lines AS (
            SELECT room, meetingSessionId, sessionId, unnest(stats.latest)
            FROM read_json(?, format = 'newline_delimited', ignore_errors = true, columns = {{
                room: 'VARCHAR', meetingSessionId: 'VARCHAR', sessionId: 'VARCHAR', stats: 'STRUCT(latest STRUCT({latest}))'}})
            WHERE stats.latest IS NOT NULL),
        readings AS (SELECT DISTINCT ON (room, meetingSessionId, sessionId, "timestamp") * FROM lines)
        SELECT room, meetingSessionId, sessionId, {numbers} FROM readings GROUP BY ALL"""
    rows = duckdb.execute(query, [str(log)]).fetchall()

    def padded(row):
        # A metric that nobody measured has one null where the quantiles would be.
        numbers = []
        for at in range(3, len(row), 6):
            *plain, quantiles = row[at : at + 6]
            numbers += [*plain, *(quantiles or [None] * len(QUANTILES))]
        return [*row[:3], *numbers]

    return write(map(padded, rows), names, out)


def with_pandas(log, out):
    import pandas

    names = metrics(log)
    rows = []
    with open(log) as lines:
        for line in lines:
            beacon = json.loads(line)
            latest = beacon["stats"].get("latest")
            if latest:
                rows.append([*(beacon[name] for name in WHO), latest.get("timestamp"), *(latest.get(name) for name in names)])
    frame = pandas.DataFrame(rows, columns=[*WHO, "timestamp", *names]).drop_duplicates([*WHO, "timestamp"])
    frame[names] = frame[names].apply(pandas.to_numeric, errors="coerce")
    groups = frame.groupby(WHO)[names]
    tables = [groups.count(), groups.mean(), groups.std(), groups.min(), groups.max()]
    tables += [groups.quantile(q) for q in QUANTILES.values()]

    def one(key):
        values = [table.loc[key].to_numpy() for table in tables]
        return [*key, *(float(column[at]) for at in range(len(names)) for column in values)]

    return write(map(one, tables[0].index), names, out)


if __name__ == "__main__":
    rival, log, out = sys.argv[1:]
    n_calls = {"duckdb": with_duckdb, "pandas": with_pandas}[rival](Path(log), Path(out))
    print(f"{n_calls} calls")
