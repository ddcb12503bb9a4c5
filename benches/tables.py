"""The numbers of every participant as an analyst gets them, and one JSON file a call: with DuckDB or with pandas.

Rivals of `call-metrics build-report` (report.py): `tables.py duckdb|duckdb-plain|pandas LOG OUT`. They write what stands under
`metrics` in its data files, the edges of histograms aside, which follow from minimum and maximum; `duckdb-plain` leaves the
histograms out, which need a second look at every reading. No series, no scores, no issues, no pages.
"""

import json
import sys
from pathlib import Path

QUANTILES = {"p5": 0.05, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p95": 0.95}
WHO = ["room", "meetingSessionId", "sessionId"]
BINS = 20


def metrics(log):
    """Names of what is measured, from the beginning of the log."""
    found = set()
    with open(log) as lines:
        for line, _ in zip(lines, range(2_000)):
            latest = json.loads(line)["stats"].get("latest") or {}
            found |= {name for name, value in latest.items() if isinstance(value, (int, float)) and name != "timestamp"}
    return sorted(found)


def write(rows, names, out):
    """`rows`: who, then for each metric count, missing, mean, std, min, max, the quantiles, and counts by bin where they are asked for."""
    columns = ["count", "missing", "mean", "std", "min", "max", *QUANTILES, "histogram"]
    calls = {}
    for row in rows:
        room, meeting, session, *metrics = row
        one = {name: dict(zip(columns, numbers)) for name, numbers in zip(names, metrics)}
        calls.setdefault((room, meeting), {})[session] = one
    out.mkdir(parents=True, exist_ok=True)
    for at, ((room, meeting), participants) in enumerate(calls.items()):
        call = {"room": room, "meetingSessionId": meeting, "participants": participants}
        (out / f"{at}.json").write_text(json.dumps(call, default=float))
    return len(calls)


def with_duckdb(log, out, has_histograms=True):
    import duckdb
    import numpy

    names = metrics(log)
    who = ", ".join(WHO)
    latest = ", ".join(f'"{name}" DOUBLE' for name in ["timestamp", *names])
    aggregates = [
        'count("{0}")',
        'count(*) - count("{0}")',
        'avg("{0}")',
        'stddev_samp("{0}")',
        'min("{0}") AS "{0} min"',
        'max("{0}") AS "{0} max"',
        f'quantile_cont("{{0}}", {list(QUANTILES.values())})',
    ]
    numbers = ", ".join(aggregate.format(name) for name in names for aggregate in aggregates)
    # Equal bins from minimum to maximum, the last one closed; where these are equal, half a unit to either side. What lies on an
    # edge may be counted beside it, because edges are not rounded as numpy does.
    bins = ", ".join(
        f'CAST(CASE WHEN "{name}" = "{name} max" THEN IF("{name}" = "{name} min", {BINS // 2}, {BINS - 1}) '
        f'ELSE floor(("{name}" - "{name} min") / ("{name} max" - "{name} min") * {BINS}) END AS UTINYINT) AS "{name}"'
        for name in names
    )
    # Lists of bins that Python counts: DuckDB's own histogram() takes half as long again.
    binned = ", ".join(f'list("{name}") FILTER ("{name}" IS NOT NULL)' for name in names)
    query = f"""
        WITH lines AS (
            SELECT {who}, unnest(stats.latest)
            FROM read_json(?, format = 'newline_delimited', ignore_errors = true, columns = {{
                room: 'VARCHAR', meetingSessionId: 'VARCHAR', sessionId: 'VARCHAR', stats: 'STRUCT(latest STRUCT({latest}))'}})
            WHERE stats.latest IS NOT NULL),
        readings AS MATERIALIZED (SELECT DISTINCT ON ({who}, "timestamp") * FROM lines),
        grouped AS (SELECT {who}, {numbers} FROM readings GROUP BY {who})"""
    if has_histograms:
        query += f""",
        numbers AS MATERIALIZED (SELECT *, row_number() OVER () AS nth FROM grouped),
        bins AS (SELECT nth, {bins} FROM readings JOIN numbers USING ({who})),
        binned AS (SELECT nth, {binned} FROM bins GROUP BY nth)
        SELECT numbers.* EXCLUDE nth, binned.* EXCLUDE nth FROM numbers JOIN binned USING (nth)"""
    else:
        query += " SELECT * FROM grouped"
    rows = duckdb.execute(query, [str(log)]).fetchall()

    def one(row):
        numbers = row[len(WHO) : len(WHO) + len(aggregates) * len(names)]
        binned = row[len(WHO) + len(numbers) :]
        found = []
        for at in range(len(names)):
            *plain, quantiles = numbers[len(aggregates) * at : len(aggregates) * (at + 1)]
            # A metric that nobody measured has one null where the quantiles would be.
            plain += quantiles or [None] * len(QUANTILES)
            if has_histograms and binned[at]:
                plain.append(numpy.bincount(numpy.frombuffer(bytes(binned[at]), numpy.uint8), minlength=BINS).tolist())
            found.append(plain)
        return [*row[: len(WHO)], *found]

    return write(map(one, rows), names, out)


def with_pandas(log, out):
    import numpy
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
    readings, groups = frame[names].to_numpy(), frame.groupby(WHO)[names]
    counts = groups.count()
    tables = [counts, counts.rsub(groups.size(), axis=0), groups.mean(), groups.std(), groups.min(), groups.max()]
    tables += [groups.quantile(q) for q in QUANTILES.values()]

    def one(key):
        columns = [table.loc[key].to_numpy() for table in tables]
        theirs = readings[groups.indices[key]]
        found = []
        for at in range(len(names)):
            values = theirs[:, at]
            values = values[~numpy.isnan(values)]
            histogram = numpy.histogram(values, BINS)[0].tolist() if len(values) else None
            found.append([*(float(column[at]) for column in columns), histogram])
        return [*key, *found]

    return write(map(one, counts.index), names, out)


if __name__ == "__main__":
    rival, log, out = sys.argv[1:]
    rivals = {"duckdb": with_duckdb, "duckdb-plain": lambda log, out: with_duckdb(log, out, has_histograms=False), "pandas": with_pandas}
    n_calls = rivals[rival](Path(log), Path(out))
    print(f"{n_calls} calls")
