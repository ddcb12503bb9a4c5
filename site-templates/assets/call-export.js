// @ts-check
// What is on show as CSV and JSON. Pure. Names are other people's text: no cell of theirs may be a formula to a spreadsheet.
// A classic script: a report opened from disk cannot load modules.
"use strict";

(() => {
  /**
   * One cell. Text that a spreadsheet would run is defused with an apostrophe, the way spreadsheets mark text; numbers are ours.
   * @param {string | number | null} value
   */
  const cell = (value) => {
    if (value === null) return "";
    if (typeof value === "number") return String(value);
    const text = /^[\s\0]*[=+\-@|%]|^[\t\r\n\0]/.test(value) ? `'${value}` : value;
    return /[",;\r\n\t']/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };

  /** Lines as RFC 4180 has them, with the mark that makes spreadsheets read UTF-8. @param {(string | number | null)[][]} table */
  const csv = (table) => `\ufeff${table.map((row) => `${row.map(cell).join(",")}\r\n`).join("")}`;

  /** What the steps of a chart are worth: five digits. @param {number | null | undefined} value */
  const rounded = (value) => (value === null || value === undefined ? null : Number(value.toPrecision(5)));

  /**
   * Who and what is on show.
   * @param {any} page @param {any} state @param {string} [panelId] of one panel alone
   */
  const shown = (page, state, panelId) => {
    const [from, to] = state.zoom ?? [0, page.end - page.start];
    const panels = page.panels.filter((/** @type {any} */ panel) => panelId === undefined || panel.id === panelId);
    const people = page.people
      .map((/** @type {any} */ person, /** @type {number} */ p) => ({ person, p }))
      .filter((/** @type {any} */ { person }) => state.people.length === 0 || state.people.includes(person.number));
    return { from, to, panels, people };
  };

  /** A row an instant of a person, a column a metric. @param {any} page @param {any} state @param {string} [panelId] */
  const table = (page, state, panelId) => {
    const { from, to, panels, people } = shown(page, state, panelId);
    const units = (/** @type {any} */ panel) => `${panel.id} (${panel.unit})`;
    const out = [["time", "elapsed_s", "number", "name", "sessionId", "room", "meetingSessionId", ...panels.map(units)]];
    for (const { person, p } of people) {
      const lines = panels.map((/** @type {any} */ panel) => panel.lines.find((/** @type {any} */ line) => line.p === p));
      person.t.forEach((/** @type {number} */ at, /** @type {number} */ n) => {
        if (at < from || at > to) return;
        const values = lines.map((/** @type {any} */ line) => rounded(line?.v[n]));
        if (values.every((/** @type {any} */ value) => value === null)) return;
        out.push([new Date(page.start + at).toISOString(), at / 1000, person.number, person.label, person.session, page.room, page.meetingSessionId, ...values]);
      });
    }
    return out;
  };

  /** The same as an object. @param {any} page @param {any} state */
  const json = (page, state) => {
    const { from, to, panels, people } = shown(page, state);
    return {
      id: page.id, room: page.room, meetingSessionId: page.meetingSessionId, start: page.start + from, end: page.start + to,
      participants: people.map((/** @type {any} */ { person, p }) => {
        /** @type {number[]} */
        const inside = person.t.flatMap((/** @type {number} */ at, /** @type {number} */ n) => (at >= from && at <= to ? [n] : []));
        /** @type {[string, any][]} */
        const series = [["timestamp", inside.map((n) => page.start + person.t[n])]];
        for (const panel of panels) {
          const line = panel.lines.find((/** @type {any} */ one) => one.p === p);
          if (line) series.push([panel.id, inside.map((n) => rounded(line.v[n]))]);
        }
        return { number: person.number, name: person.label, sessionId: person.session, readings: person.n, points: inside.length, series: Object.fromEntries(series) };
      }),
    };
  };

  Object.assign(globalThis, { callMetricsExport: { cell, csv, table, json } });
})();
