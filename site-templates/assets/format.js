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

  /** Time of day. @param {number} ms since the epoch @param {boolean} [seconds] @param {boolean} [local] in the reader's zone, not in UTC */
  const clock = (ms, seconds, local) => {
    const date = new Date(ms);
    const [h, m, s] = local ? [date.getHours(), date.getMinutes(), date.getSeconds()] : [date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds()];
    return `${two(h)}:${two(m)}${seconds ? `:${two(s)}` : ""}`;
  };

  /** Time since the start of a call: m:ss, or h:mm:ss. @param {number} ms */
  const elapsed = (ms) => {
    const seconds = Math.max(0, Math.round(ms / 1000));
    const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
    return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
  };

  Object.assign(globalThis, { callMetricsFormat: { quantity, count, clock, elapsed } });
})();
