// @ts-check
// Quantities as people read them. A classic script: a report opened from disk cannot load modules.
"use strict";

(() => {
  const NBSP = "\u00a0";

  /** Two significant digits below 10, whole numbers from there on. @param {number} value */
  const short = (value) => String(Math.abs(value) < 9.95 ? Math.round(value * 10) / 10 + 0 : Math.round(value));

  /** @type {[number, string][]} */
  const BIT_SCALES = [[1e9, "Gb/s"], [1e6, "Mb/s"], [1e3, "kb/s"], [1, "b/s"]];

  /**
   * A value with the unit that suits it: 1.2 Mb/s, 71 ms, 4.2 %.
   * @param {string} unit as the data files spell it: bit/s, ratio or s
   * @param {number} value in that unit
   */
  const quantity = (unit, value) => {
    if (unit === "bit/s") {
      const [scale, name] = BIT_SCALES.find(([scale]) => scale * 0.9995 <= Math.abs(value)) ?? [1, "b/s"];
      return short(value / scale) + NBSP + name;
    }
    if (unit === "ratio") {
      const percent = value * 100;
      return (percent > 0 && percent < 0.1 ? "<0.1" : short(percent)) + NBSP + "%";
    }
    if (Math.abs(value) >= 1) return short(value) + NBSP + "s";
    const ms = value * 1000;
    return (ms > 0 && ms < 1 ? "<1" : String(Math.round(ms))) + NBSP + "ms";
  };

  /** A whole number with thin spaces between thousands, from five digits on. @param {number} value */
  const count = (value) => (value < 10_000 ? String(value) : String(value).replace(/\B(?=(\d{3})+$)/g, "\u202f"));

  /** @param {number} value */
  const two = (value) => String(value).padStart(2, "0");

  /** @type {Map<string, Intl.DateTimeFormat>} */
  const calendars = new Map();
  /** @param {string} zone */
  const calendar = (zone) => {
    let found = calendars.get(zone);
    if (!found) calendars.set(zone, found = new Intl.DateTimeFormat("en-US", { timeZone: zone, hourCycle: "h23", year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric", second: "numeric" }));
    return found;
  };

  /** Whether this browser knows the zone. @param {string} zone */
  const knows = (zone) => {
    if (zone === "UTC") return true;
    try {
      calendar(zone);
      return true;
    } catch {
      return false;
    }
  };

  /** How far the clocks of a zone are ahead of UTC at an instant, in ms. @param {number} ms @param {string} zone its name; `local`: the reader's own */
  const ahead = (ms, zone) => {
    if (zone === "UTC") return 0;
    if (zone === "local") return -new Date(ms).getTimezoneOffset() * 60_000;
    const part = Object.fromEntries(calendar(zone).formatToParts(ms).map(({ type, value }) => [type, Number(value)]));
    return Date.UTC(part.year, part.month - 1, part.day, part.hour, part.minute, part.second) - Math.floor(ms / 1000) * 1000;
  };

  /** Time of day. @param {number} ms since the epoch @param {boolean} [seconds] @param {string} [zone] as of {@link ahead} */
  const clock = (ms, seconds, zone = "UTC") => {
    const date = new Date(ms + ahead(ms, zone));
    return `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}${seconds ? `:${two(date.getUTCSeconds())}` : ""}`;
  };

  /** What a zone is called. @param {string} zone as of {@link ahead} */
  const zoneName = (zone) => (zone === "local" ? Intl.DateTimeFormat().resolvedOptions().timeZone || "your time" : zone);

  /** Time since the start of a call: m:ss, or h:mm:ss. @param {number} ms */
  const elapsed = (ms) => {
    const seconds = Math.max(0, Math.round(ms / 1000));
    const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
    return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
  };

  Object.assign(globalThis, { callMetricsFormat: { quantity, count, clock, elapsed, ahead, knows, zoneName } });
})();
