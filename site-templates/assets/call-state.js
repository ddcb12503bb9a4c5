// @ts-check
// What a reader has chosen to see of a call, and the URL hash that says the same: a copied link shows what was on show.
// Pure. A hash is other people's text: only numbers and known words come out of it.
// A classic script: a report opened from disk cannot load modules.
"use strict";

/**
 * @typedef {{zoom: [number, number] | null, people: number[], view: string, time: string}} CallState
 * zoom: ms since the start of the call; people: their numbers, empty for everybody
 */

(() => {
  const VIEWS = ["together", "each"];
  /** `zone`: that of the report. */
  const TIMES = ["utc", "zone", "local", "elapsed"];
  /** No closer: readings come every two seconds. */
  const WINDOW_MS_MIN = 2_000;

  /** @returns {CallState} */
  const initial = () => ({ zoom: null, people: [], view: "together", time: "utc" });

  /**
   * A window inside the call, wide enough to hold something; null for the whole call.
   * @param {number} from @param {number} to @param {number} span ms @returns {[number, number] | null}
   */
  const clamped = (from, to, span) => {
    if (!Number.isFinite(from) || !Number.isFinite(to)) return null;
    const width = Math.max(WINDOW_MS_MIN, to - from);
    if (width >= span) return null;
    const left = Math.min(Math.max(0, from), span - width);
    return [Math.round(left), Math.round(left + width)];
  };

  /** @param {string} hash with or without its # @param {number} span of the call in ms @param {number} nPeople @returns {CallState} */
  const parse = (hash, span, nPeople) => {
    const state = initial();
    const asked = new URLSearchParams(hash.replace(/^#/, ""));
    const zoom = /^(\d{1,9}(?:\.\d{1,3})?)-(\d{1,9}(?:\.\d{1,3})?)$/.exec(asked.get("zoom") ?? "");
    if (zoom && Number(zoom[1]) < Number(zoom[2])) state.zoom = clamped(Number(zoom[1]) * 1000, Number(zoom[2]) * 1000, span);
    const people = (asked.get("people") ?? "").split(",").filter((one) => /^\d{1,6}$/.test(one)).map(Number);
    state.people = [...new Set(people)].filter((one) => one >= 1 && one <= nPeople).sort((a, b) => a - b);
    const view = asked.get("view") ?? "";
    if (VIEWS.includes(view)) state.view = view;
    const time = asked.get("time") ?? "";
    if (TIMES.includes(time)) state.time = time;
    return state;
  };

  /** The hash without its #; empty for what everybody sees first. @param {CallState} state */
  const format = (state) => {
    const parts = [];
    if (state.zoom) parts.push(`zoom=${state.zoom[0] / 1000}-${state.zoom[1] / 1000}`);
    if (state.people.length > 0) parts.push(`people=${state.people.join(",")}`);
    if (state.view !== VIEWS[0]) parts.push(`view=${state.view}`);
    if (state.time !== TIMES[0]) parts.push(`time=${state.time}`);
    return parts.join("&");
  };

  /**
   * Who is on show after a click on `number`: that person alone, with Shift also; a second click lets go.
   * @param {number[]} people @param {number} number @param {boolean} more
   */
  const picked = (people, number, more) => {
    const without = people.filter((one) => one !== number);
    if (more) return without.length < people.length ? without : [...people, number].sort((a, b) => a - b);
    return people.length === 1 && people[0] === number ? [] : [number];
  };

  /**
   * The window `factor` times as wide, with `at` where it was.
   * @param {[number, number] | null} zoom @param {number} at @param {number} factor @param {number} span
   */
  const zoomed = (zoom, at, factor, span) => {
    const [from, to] = zoom ?? [0, span];
    return clamped(at - (at - from) * factor, at + (to - at) * factor, span);
  };

  Object.assign(globalThis, { callMetricsState: { initial, parse, format, picked, zoomed, clamped } });
})();
