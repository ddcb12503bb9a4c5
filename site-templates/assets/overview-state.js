// @ts-check
// Which calls a reader has asked for and in which order, and the URL hash that says the same: a copied link shows what was
// on show. Pure. A hash is other people's text: only known words, days and numbers come out of it, besides what is searched
// for, which is compared with rooms and never becomes part of a page.
// A classic script: a report opened from disk cannot load modules.
"use strict";

/**
 * @typedef {{period: string, time: string, sort: string, up: boolean, text: string, from: string, to: string, room: string | null, quality: string[], issue: string, rows: number}} OverviewState
 * period: the days that are summed up, empty for the shortest stretch there is; time: "local" for times and days in the reader's own zone, empty for the report's; from, to: days as 2026-11-23, both included, empty for any; room: null for any; quality: empty for any; issue: a type's id,
 * "none", or empty for any; rows: how many are drawn at most
 * @typedef {{at: number, id: string, room: string, rank: number, folded: string, start: number | null, day: string | null, duration: number | null, people: number, score: number | null, quality: string, loss: number | null, rtt: number | null, issues: string[], title: string | null, trouble: number | null}} OverviewCall
 * at: the place of its row in the page; rank: of its room among all, by name; title: what its worst issue is called
 * @typedef {{calls: OverviewCall[], rooms: string[], types: [string, string][], lost: number}} OverviewPage
 * types: ids and titles of all issues that there can be; lost: calls of which nothing is known here
 */

(() => {
  const QUALITIES = ["good", "fair", "poor", "unknown"];
  const NO_ISSUE = "none";
  const PERIODS = ["7", "30", "all"];
  const LOCAL = "local";
  /** Rows that are drawn at first; the page's builder has the same number. Each wish for more doubles it. */
  const ROWS = 100;
  const ROWS_MAX = ROWS * 2 ** 12;
  const TEXT_MAX = 200;
  /** Columns, and whether a first click puts the smallest first. @type {Record<string, boolean>} */
  const COLUMNS = { score: true, room: true, started: false, duration: false, people: false, loss: false, rtt: false, issue: true, trouble: false };
  const SORT = "started";

  /** @returns {OverviewState} */
  const initial = () => ({ period: "", time: "", sort: SORT, up: COLUMNS[SORT], text: "", from: "", to: "", room: null, quality: [], issue: "", rows: ROWS });

  const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
  const two = (/** @type {number} */ n) => String(n).padStart(2, "0");

  /** An instant on the reader's own clock, as the page spells it: 23 Nov 2026, 14:02. @param {number} ms */
  const localTime = (ms) => {
    const date = new Date(ms);
    return `${date.getDate()} ${MONTHS[date.getMonth()]} ${date.getFullYear()}, ${two(date.getHours())}:${two(date.getMinutes())}`;
  };
  /** Its day in the reader's own calendar: 2026-11-23. @param {number} ms */
  const localDay = (ms) => {
    const date = new Date(ms);
    return `${String(date.getFullYear()).padStart(4, "0")}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  };

  /** Without case, accents and widths. @param {string} text */
  const fold = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

  /** What can be searched for: one line, and no longer than anybody types. @param {string} text */
  const searchable = (text) => text.replace(/\p{Cc}/gu, " ").slice(0, TEXT_MAX);

  /** A day that the calendar has, or nothing. @param {string} text */
  const dayOf = (text) => {
    const ms = /^\d{4}-\d{2}-\d{2}$/.test(text) ? Date.parse(text) : NaN;
    return Number.isFinite(ms) && new Date(ms).toISOString().startsWith(text) ? text : "";
  };

  /**
   * Calls of the page and of stretches of time before it, newest first.
   * @param {any[][]} own calls as the page's builder wrote them @param {[string, string][]} types
   * @param {{n: number, calls: any[][] | null}[]} older null: they could not be loaded
   * @returns {OverviewPage}
   */
  const read = (own, types, older = []) => {
    const titles = new Map(types);
    /** @type {OverviewCall[]} */
    const calls = [];
    let [begin, lost] = [0, 0];
    for (const { n, calls: theirs } of [{ n: own.length, calls: own }, ...older]) {
      for (const [nth, call] of (theirs ?? []).entries()) {
        const [id, room, start, day, duration, people, score, quality, loss, rtt, issues, trouble, names] = call;
        calls.push({
          at: begin + nth, id, room, rank: 0, folded: fold([room, id, ...names].join(" ")), start, day, duration, people, score, quality, loss, rtt, issues, title: titles.get(issues[0]) ?? null, trouble,
        });
      }
      begin += n;
      lost += theirs === null ? n : 0;
    }
    const rooms = [...new Set(calls.map((call) => call.room))].sort(byText);
    const ranks = new Map(rooms.map((room, rank) => [room, rank]));
    for (const call of calls) call.rank = ranks.get(call.room) ?? 0;
    return { calls, rooms, types, lost };
  };

  /** @param {string} hash with or without its # @param {OverviewPage} page @returns {OverviewState} */
  const parse = (hash, page) => {
    const state = initial();
    const asked = new URLSearchParams(hash.replace(/^#/, ""));
    const word = (/** @type {string} */ name) => asked.get(name) ?? "";
    if (PERIODS.includes(word("period"))) state.period = word("period");
    if (word("time") === LOCAL) state.time = LOCAL;
    if (Object.hasOwn(COLUMNS, word("sort"))) [state.sort, state.up] = [word("sort"), COLUMNS[word("sort")]];
    if (["up", "down"].includes(word("order"))) state.up = word("order") === "up";
    state.text = searchable(word("text"));
    [state.from, state.to] = [dayOf(word("from")), dayOf(word("to"))];
    const room = asked.get("room");
    if (room !== null && page.rooms.includes(room)) state.room = room;
    const qualities = word("quality").split(",");
    state.quality = QUALITIES.filter((one) => qualities.includes(one));
    const issue = word("issue");
    if (issue === NO_ISSUE || page.types.some(([id]) => id === issue)) state.issue = issue;
    const rows = /^\d{1,6}$/.test(word("rows")) ? Number(word("rows")) : 0;
    while (state.rows < rows && state.rows < ROWS_MAX) state.rows *= 2;
    return state;
  };

  /** The hash without its #; empty for what everybody sees first. @param {OverviewState} state */
  const format = (state) => {
    const parts = new URLSearchParams();
    if (state.period) parts.set("period", state.period);
    if (state.time) parts.set("time", state.time);
    if (state.sort !== SORT) parts.set("sort", state.sort);
    if (state.up !== COLUMNS[state.sort]) parts.set("order", state.up ? "up" : "down");
    if (state.text) parts.set("text", state.text);
    if (state.from) parts.set("from", state.from);
    if (state.to) parts.set("to", state.to);
    if (state.room !== null) parts.set("room", state.room);
    if (state.quality.length > 0) parts.set("quality", state.quality.join(","));
    if (state.issue) parts.set("issue", state.issue);
    if (state.rows > ROWS) parts.set("rows", String(state.rows));
    return String(parts);
  };

  /** Whether anything is left out. @param {OverviewState} state */
  const filters = (state) => state.text.trim() !== "" || state.from !== "" || state.to !== "" || state.room !== null || state.quality.length > 0 || state.issue !== "";

  /** The same days, times and order without any filter. @param {OverviewState} state @returns {OverviewState} */
  const cleared = (state) => ({ ...initial(), period: state.period, time: state.time, sort: state.sort, up: state.up });

  /** After a click on a column: by it, or by it the other way round. @param {OverviewState} state @param {string} column */
  const sorted = (state, column) => ({ sort: column, up: state.sort === column ? !state.up : COLUMNS[column] });

  /** After a click on a quality: with it, or without. @param {string[]} qualities @param {string} one */
  const toggled = (qualities, one) => QUALITIES.filter((other) => qualities.includes(other) !== (other === one));

  const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });
  /** @param {string} a @param {string} b */
  const byText = (a, b) => collator.compare(a, b) || (a < b ? -1 : a > b ? 1 : 0);

  /** What a column sorts by. @param {OverviewCall} call @param {string} column */
  const key = (call, column) => {
    if (column === "started") return call.start;
    if (column === "room") return call.rank;
    if (column === "issue") return call.title;
    return /** @type {Record<string, any>} */ (call)[column];
  };

  /**
   * The calls that are asked for, in the order that is asked for. What is not known comes last either way; what is the same stays newest first.
   * @param {OverviewCall[]} calls @param {OverviewState} state
   */
  const shown = (calls, state) => {
    const found = calls.filter(matching(state));
    if (state.sort === SORT && state.up === COLUMNS[SORT]) return found;
    const sign = state.up ? 1 : -1;
    return found.sort((one, other) => {
      const [a, b] = [key(one, state.sort), key(other, state.sort)];
      if (a === null || b === null) return a === b ? one.at - other.at : a === null ? 1 : -1;
      return sign * (typeof a === "string" ? byText(a, b) : a - b) || one.at - other.at;
    });
  };

  /** @param {OverviewState} state @returns {(call: OverviewCall) => boolean} */
  const matching = (state) => {
    const words = fold(state.text).split(/\s+/).filter(Boolean);
    const dayOfCall = (/** @type {OverviewCall} */ call) => (state.time === LOCAL && call.start !== null ? localDay(call.start) : call.day);
    const isInRange = (/** @type {OverviewCall} */ call) => {
      if (state.from === "" && state.to === "") return true;
      const day = dayOfCall(call);
      // A call of unknown time is in no range.
      return day !== null && (state.from === "" || day >= state.from) && (state.to === "" || day <= state.to);
    };
    return (call) =>
      (state.quality.length === 0 || state.quality.includes(call.quality)) &&
      (state.room === null || call.room === state.room) &&
      (state.issue === "" || (state.issue === NO_ISSUE ? call.issues.length === 0 : call.issues.includes(state.issue))) &&
      isInRange(call) &&
      words.every((word) => call.folded.includes(word));
  };

  /** How many calls each quality would show, were it chosen. @param {OverviewCall[]} calls @param {OverviewState} state @returns {Record<string, number>} */
  const counts = (calls, state) => {
    const counted = Object.fromEntries(QUALITIES.map((one) => [one, 0]));
    for (const call of calls.filter(matching({ ...state, quality: [] }))) counted[call.quality] += 1;
    return counted;
  };

  /** For people: "12 of 60 calls". @param {number} n @param {number} all */
  const told = (n, all) => (n === all ? `${grouped(all)} ${all === 1 ? "call" : "calls"}` : `${grouped(n)} of ${grouped(all)} ${all === 1 ? "call" : "calls"}`);
  /** @param {number} n */
  const grouped = (n) => String(n).replace(/\B(?=(\d{3})+$)/g, n < 10_000 ? "" : "\u202f");

  /** Seconds, in as few digits as tell. @param {number | null} ms */
  const seconds = (ms) => (ms === null ? null : ms / 1000);

  /** What is shown as rows of a CSV. @param {OverviewCall[]} calls @returns {(string | number | null)[][]} */
  const table = (calls) => [
    ["id", "room", "started", "duration_s", "people", "score", "quality", "loss_p95", "rtt_p95_s", "issues", "trouble_share"],
    ...calls.map((call) => [
      call.id, call.room, call.start === null ? null : new Date(call.start).toISOString(), seconds(call.duration), call.people, call.score, call.quality,
      call.loss, call.rtt, call.issues.join(" "), call.trouble,
    ]),
  ];

  /** The same as objects. @param {OverviewCall[]} calls @param {number} all */
  const json = (calls, all) => {
    const [head, ...rows] = table(calls);
    return { all, shown: calls.length, calls: rows.map((row, n) => ({ ...Object.fromEntries(row.map((value, at) => [head[at], value])), issues: calls[n].issues })) };
  };

  Object.assign(globalThis, { callMetricsOverview: { ROWS, initial, localTime, searchable, read, parse, format, filters, cleared, sorted, toggled, shown, counts, told, table, json } });
})();
