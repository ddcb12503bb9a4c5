// @ts-check
// What can be said of the readings in a page without drawing them: points of lines, the reading nearest to a moment, who
// stands in a tooltip, peaks, ticks of a time axis. Pure; tested with node.
// A classic script: a report opened from disk cannot load modules.
"use strict";

/**
 * @typedef {{label: string, slot: string, number: number, gap: number, session: string, n: number, t: number[]}} Person t: ms since the start of the call
 * @typedef {{p: number, v: (number|null)[], s: number[], stats: (number|null)[], cached?: (number|null)[][]}} Line p: index of the person, v: values at the person's t, s: share of the readings in each bin
 * @typedef {{id: string, title: string, about: string, group: string, unit: string, fair: number|null, poor: number|null, source: string|null, low: number, top: number, shareMax: number, p50: number, p95: number, edges: number[], lines: Line[]}} PanelData
 * @typedef {{id: string, room: string, meetingSessionId: string, start: number, end: number, digits: number, zone: string, frames: {time: any, spread: any}, people: Person[], panels: PanelData[]}} PageData
 * @typedef {{person: Person, value: number | null}} Row
 */

(() => {
  const { ahead } = /** @type {any} */ (globalThis).callMetricsFormat;
  /** Columns of `stats`, as the table of numbers has them. */
  const STATS = ["count", "missing", "mean", "std", "min", "p5", "p25", "p50", "p75", "p95", "max"];
  /** Bins of a distribution, and digits of the share in each, as panel.rs has them. */
  const BINS = 20;
  const SHARE_DIGITS = 2;
  /** Lengths of time between two ticks, in seconds. */
  const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800, 2592000, 31536000];

  /** What a character of {@link unpacked} stands for. */
  const CODES = new Uint8Array(128);
  [..."ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"].forEach((digit, code) => { CODES[digit.charCodeAt(0)] = code; });

  /**
   * Values as thin.rs packs them: so many digits each, in even steps from low to top, the last but one of which is top; the last one is none.
   * @param {string} text @param {number} digits @param {number} low @param {number} top @returns {(number | null)[]}
   */
  const unpacked = (text, digits, low, top) => {
    const none = 64 ** digits - 1;
    const step = (top - low) / (none - 1);
    /** @type {(number | null)[]} */
    const values = [];
    for (let at = 0; at < text.length; ) {
      let code = 0;
      for (const end = at + digits; at < end; at += 1) code = code * 64 + CODES[text.charCodeAt(at)];
      values.push(code === none ? null : low + code * step);
    }
    return values;
  };

  /** A member that is computed when it is first asked for: most panels of a page are far away. @param {any} object @param {string} name @param {() => any} value */
  const lazy = (object, name, value) => Object.defineProperty(object, name, { configurable: true, get: () => {
    const computed = value();
    Object.defineProperty(object, name, { value: computed });
    return computed;
  } });

  /** The data of a page, ready for use. @param {string} text @returns {PageData} */
  const read = (text) => {
    const page = JSON.parse(text);
    for (const person of page.people) {
      let at = 0;
      person.t = person.t.map((/** @type {number} */ since) => (at += since));
    }
    for (const panel of page.panels) {
      const { low, top } = panel;
      panel.edges = Array.from({ length: BINS + 1 }, (_, nth) => low + ((top - low) * nth) / BINS);
      for (const line of panel.lines) {
        const { v, s } = line;
        lazy(line, "v", () => unpacked(v, page.digits, low, top));
        line.s = unpacked(s, SHARE_DIGITS, 0, 1);
      }
      panel.shareMax = Math.max(...panel.lines.flatMap((/** @type {Line} */ line) => line.s));
    }
    return page;
  };

  /**
   * Points of one line, ms since the epoch, with a break wherever a silence is longer than the person's usual interval.
   * @param {PageData} page @param {Line} line @returns {(number|null)[][]}
   */
  const points = (page, line) => {
    if (line.cached) return line.cached;
    const { t, gap } = page.people[line.p];
    /** @type {(number|null)[][]} */
    const out = [];
    t.forEach((at, n) => {
      if (n > 0 && at - t[n - 1] > gap) out.push([page.start + t[n - 1] + 1, null]);
      out.push([page.start + at, line.v[n] ?? null]);
    });
    line.cached = out;
    return out;
  };

  /**
   * Outlines of a distribution, closed along the axis: one for each run of bins that hold anything.
   * @param {number[]} edges @param {number[]} shares @returns {[number, number][][]}
   */
  const outlines = (edges, shares) => {
    /** @type {[number, number][][]} */
    const out = [];
    shares.forEach((share, bin) => {
      if (share === 0) return;
      let run = out.at(-1);
      if (!run || shares[bin - 1] === 0) out.push(run = [[0, edges[bin]]]);
      run.push([share, edges[bin]], [share, edges[bin + 1]]);
      if (!shares[bin + 1]) run.push([0, edges[bin + 1]]);
    });
    return out;
  };

  /** Position of the instant nearest to `at`; -1: there is none. @param {number[]} t ascending @param {number} at */
  const nearest = (t, at) => {
    let [low, high] = [0, t.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (t[middle] < at) low = middle + 1; else high = middle;
    }
    if (low === t.length) return t.length - 1;
    return low > 0 && at - t[low - 1] <= t[low] - at ? low - 1 : low;
  };

  /**
   * The reading of everybody who was there at `at`, largest first.
   * @param {PageData} page @param {PanelData} panel @param {number} at ms since the start @returns {Row[]}
   */
  const rows = (page, panel, at) => panel.lines.flatMap((line) => {
    const person = page.people[line.p];
    const best = nearest(person.t, at);
    if (best < 0) return [];
    if (Math.abs(person.t[best] - at) > person.gap) {
      // In a silence of theirs nothing was measured; before and after they were not there.
      return at > person.t[0] && at < person.t[person.t.length - 1] ? [{ person, value: null }] : [];
    }
    return [{ person, value: line.v[best] ?? null }];
  }).sort((a, b) => (b.value ?? -Infinity) - (a.value ?? -Infinity));

  /**
   * The rows that a tooltip has room for: who is selected first, then the largest; the others as a count and a range.
   * @param {Row[]} all @param {number[]} selected @param {number} max
   */
  const shortened = (all, selected, max) => {
    if (all.length <= max) return { shown: all, rest: null };
    const first = [...all].sort((a, b) => Number(selected.includes(b.person.number)) - Number(selected.includes(a.person.number)));
    const kept = new Set(first.slice(0, max));
    const left = all.filter((row) => !kept.has(row));
    const values = left.flatMap((row) => (row.value === null ? [] : [row.value]));
    return { shown: all.filter((row) => kept.has(row)), rest: { n: left.length, low: values.length ? Math.min(...values) : null, high: values.length ? Math.max(...values) : null } };
  };

  /**
   * Highest points beyond the first threshold inside a window, worst first, none so near to another that they would overlap.
   * @param {PageData} page @param {PanelData} panel @param {[number, number]} window ms since the start @param {number[]} people numbers; empty: everybody @param {number} max
   * @returns {{line: Line, at: number, value: number}[]}
   */
  const peaks = (page, panel, [from, to], people, max) => {
    const { fair } = panel;
    if (fair === null) return [];
    const all = panel.lines.flatMap((line) => {
      const { t, number } = page.people[line.p];
      if (people.length > 0 && !people.includes(number)) return [];
      let best = -1;
      line.v.forEach((value, n) => { if (value !== null && t[n] >= from && t[n] <= to && (best < 0 || value > /** @type {number} */ (line.v[best]))) best = n; });
      const value = best < 0 ? null : line.v[best];
      return value !== null && value >= fair ? [{ line, at: t[best], value }] : [];
    }).sort((a, b) => b.value - a.value);
    /** @type {typeof all} */
    const kept = [];
    for (const peak of all) {
      if (kept.length < max && kept.every((other) => Math.abs(other.at - peak.at) > (to - from) * 0.04)) kept.push(peak);
    }
    return kept;
  };

  /** Whose clocks a time is told by; elapsed time by none. @param {PageData} page @param {string} time utc, zone, local or elapsed */
  const zoneOf = (page, time) => (time === "local" ? "local" : time === "zone" ? page.zone : "UTC");

  /** An instant that round times are counted from. @param {PageData} page @param {string} time @param {number} from ms since the epoch: near it zones are as they are there */
  const origin = (page, time, from) => (time === "elapsed" ? page.start : -ahead(from, zoneOf(page, time)));

  /**
   * Round instants of a time axis, ms since the epoch, at most `max`; and whether they need seconds.
   * @param {number} from @param {number} to ms since the epoch @param {number} origin what they are counted from @param {number} max
   */
  const ticks = (from, to, origin, max) => {
    const step = (STEPS.find((seconds) => (to - from) / (seconds * 1000) <= max) ?? STEPS[STEPS.length - 1]) * 1000;
    const at = [];
    for (let tick = origin + Math.ceil((from - origin) / step) * step; tick <= to && at.length <= max; tick += step) at.push(tick);
    return { at, seconds: step < 60_000 };
  };

  /**
   * Smallest and largest reading of each stretch of a window: a chart as a table.
   * @param {PageData} page @param {PanelData} panel @param {Line[]} lines @param {[number, number]} window @param {number} n rows
   */
  const stretches = (page, panel, lines, [from, to], n) => {
    const length = (to - from) / n;
    const cells = lines.map((line) => {
      const { t } = page.people[line.p];
      /** @type {({low: number, high: number} | null)[]} */
      const own = Array(n).fill(null);
      line.v.forEach((value, at) => {
        if (value === null || t[at] < from || t[at] > to) return;
        const row = Math.min(n - 1, Math.floor((t[at] - from) / length));
        const found = own[row];
        own[row] = found ? { low: Math.min(found.low, value), high: Math.max(found.high, value) } : { low: value, high: value };
      });
      return own;
    });
    return Array.from({ length: n }, (_, row) => ({ from: from + row * length, cells: cells.map((own) => own[row]) }));
  };

  /** Worst first: by 95th percentile; of a bitrate, lowest median first. @param {PanelData} panel */
  const worstFirst = (panel) => {
    const bitrate = panel.unit === "bit/s";
    const key = STATS.indexOf(bitrate ? "p50" : "p95");
    const sign = bitrate ? 1 : -1;
    return [...panel.lines].sort((a, b) => sign * ((a.stats[key] ?? 0) - (b.stats[key] ?? 0)));
  };

  /** Which threshold a value is beyond: the name of a class; empty below both. @param {PanelData} panel @param {number} value */
  const level = ({ fair, poor }, value) => (fair === null || value < fair ? "" : poor === null || value < poor ? "fair" : "poor");

  Object.assign(globalThis, { callMetricsSeries: { STATS, read, unpacked, points, outlines, nearest, rows, shortened, peaks, zoneOf, origin, ticks, stretches, worstFirst, level } });
})();
