// The pure parts of a call's page: what stands in the address, what is exported, what a tooltip and an axis show.
import assert from "node:assert/strict";
import { test } from "node:test";
import "../../../site-templates/assets/format.js";
import "../../../site-templates/assets/call-state.js";
import "../../../site-templates/assets/call-series.js";
import "../../../site-templates/assets/call-export.js";
import { HOSTILE } from "../e2e/world/hostile.mjs";

const { parse, format, picked, zoomed, clamped, initial } = globalThis.callMetricsState;
const series = globalThis.callMetricsSeries;
const { cell, csv, table, json } = globalThis.callMetricsExport;
const SPAN = 600_000;

test("a view goes into the address and comes back", () => {
  for (const state of [
    initial(),
    { zoom: [10_000, 90_500], people: [2, 7], view: "each", time: "elapsed" },
    { zoom: null, people: [1], view: "together", time: "local" },
  ]) assert.deepEqual(parse(`#${format(state)}`, SPAN, 9), state);
  assert.equal(format(initial()), "");
});

test("an address of somebody else's making means nothing", () => {
  for (const hash of [...HOSTILE, "zoom=NaN-Infinity", "zoom=9-1", "zoom=-5-3", "zoom=1e9-2e9", "people=0,99,-1,1.5,x,%00", "view=<b>", "time=__proto__", "%E0%A4%A", "zoom=1-2-3"]) {
    const state = parse(hash, SPAN, 9);
    assert.deepEqual(state, initial(), hash);
    for (const name of ["zoom", "people", "view", "time"]) assert.deepEqual(parse(`${name}=${hash}`, SPAN, 9), initial(), `${name}=${hash}`);
  }
  assert.deepEqual(parse("people=3,3,1,3", SPAN, 9).people, [1, 3]);
});

test("a window stays inside the call, and wide enough to hold something", () => {
  assert.deepEqual(clamped(-5_000, 20_000, SPAN), [0, 25_000]);
  assert.deepEqual(clamped(590_000, 640_000, SPAN), [550_000, SPAN]);
  assert.deepEqual(clamped(1_000, 1_001, SPAN), [1_000, 3_000]);
  assert.equal(clamped(-1, SPAN + 1, SPAN), null);
  assert.deepEqual(zoomed(null, 300_000, 0.5, SPAN), [150_000, 450_000]);
  assert.equal(zoomed([150_000, 450_000], 300_000, 4, SPAN), null);
});

test("a click isolates, a second lets go, Shift adds and takes away", () => {
  assert.deepEqual(picked([], 3, false), [3]);
  assert.deepEqual(picked([3], 3, false), []);
  assert.deepEqual(picked([3], 1, false), [1]);
  assert.deepEqual(picked([3], 1, true), [1, 3]);
  assert.deepEqual(picked([1, 3], 1, true), [3]);
});

const person = (number, t, other = {}) => ({ label: `p${number}`, slot: `p${number}`, number, gap: 10_000, session: `s${number}`, n: t.length, t, ...other });
const line = (p, v) => ({ p, v, s: [], stats: [v.length, 0, 0, null, 0, 0, 0, 0, 0, Math.max(...v.map(Number)), 0] });
const page = (people, lines) => ({
  id: "id", room: "room", meetingSessionId: "m", start: Date.UTC(2026, 10, 23, 9), end: Date.UTC(2026, 10, 23, 9, 10), people,
  panels: [{ id: "loss", title: "Loss", unit: "ratio", fair: 0.05, poor: 0.1, low: 0, top: 0.2, edges: [0, 0.2], lines }],
});

test("lines break where nobody was heard of, and nowhere else", () => {
  const one = page([person(1, [0, 2_000, 60_000])], [line(0, [0.1, null, 0.2])]);
  const { start } = one;
  assert.deepEqual(series.points(one, one.panels[0].lines[0]), [[start, 0.1], [start + 2_000, null], [start + 2_001, null], [start + 60_000, 0.2]]);
});

test("the nearest reading, at every place", () => {
  assert.equal(series.nearest([], 5), -1);
  for (const [at, nearest] of [[-9, 0], [0, 0], [4, 0], [5, 0], [6, 1], [10, 1], [99, 2]]) assert.equal(series.nearest([0, 10, 20], at), nearest, String(at));
});

test("a tooltip tells not measured from not there", () => {
  const one = page([person(1, [0, 2_000]), person(2, [0, 300_000]), person(3, [100_000])], [line(0, [0.1, 0.2]), line(1, [0.3, 0.4]), line(2, [0.5])]);
  assert.deepEqual(series.rows(one, one.panels[0], 1_900).map((row) => [row.person.number, row.value]), [[2, 0.3], [1, 0.2]]);
  assert.deepEqual(series.rows(one, one.panels[0], 150_000).map((row) => [row.person.number, row.value]), [[2, null]]);
});

test("of many rows the chosen and the largest stay, the rest is counted with its range", () => {
  const all = Array.from({ length: 25 }, (_, n) => ({ person: person(n + 1, []), value: 100 - n }));
  const { shown, rest } = series.shortened(all, [25], 8);
  assert.deepEqual(shown.map((row) => row.person.number), [1, 2, 3, 4, 5, 6, 7, 25]);
  assert.deepEqual([rest.n, rest.low, rest.high], [17, 77, 93]);
  assert.equal(series.shortened(all.slice(0, 8), [], 8).rest, null);
});

test("peaks: beyond the threshold, worst first, not upon each other, of who is shown", () => {
  const one = page([person(1, [0, 2_000]), person(2, [0, 2_000]), person(3, [300_000])], [line(0, [0.06, 0.01]), line(1, [0.09, 0.3]), line(2, [0.08])]);
  const numbers = (people, window = [0, SPAN]) => series.peaks(one, one.panels[0], window, people, 4).map((peak) => one.people[peak.line.p].number);
  assert.deepEqual(numbers([]), [2, 3]);
  assert.deepEqual(numbers([1]), [1]);
  assert.deepEqual(numbers([], [200_000, SPAN]), [3]);
});

test("ticks are round, few, and count from the start when asked to", () => {
  const start = Date.UTC(2026, 10, 23, 9, 0, 17);
  for (const minutes of [1, 3, 47, 9 * 60, 24 * 60 * 40]) {
    const { at } = series.ticks(start, start + minutes * 60_000, series.origin({ start }, "utc", start), 8);
    assert.ok(at.length >= 2 && at.length <= 9, `${minutes} min: ${at.length}`);
    assert.ok(at.every((ms) => ms % 1_000 === 0));
  }
  assert.equal(series.ticks(start, start + 600_000, series.origin({ start }, "elapsed", start), 8).at[0], start);
  // Clocks of Kathmandu are 5 h 45 min ahead: its round hours are at a quarter past those of UTC.
  const there = series.ticks(start, start + 12 * 3_600_000, series.origin({ start, zone: "Asia/Kathmandu" }, "zone", start), 8);
  assert.ok(there.at.every((ms) => ms % 3_600_000 === 15 * 60_000));
});

test("packed values come back", () => {
  assert.deepEqual(series.unpacked("AA___-", 2, 0, 0.2), [0, null, 0.2]);
  assert.deepEqual(series.unpacked("AAA_____-", 3, 0, 0.2), [0, null, 0.2]);
  const read = series.read(JSON.stringify({ ...page([person(1, [5, 1, 2])], [{ p: 0, v: "__-___", s: "_-" + "AA".repeat(19), stats: [] }]), digits: 3 }));
  assert.deepEqual(read.people[0].t, [5, 6, 8]);
  assert.deepEqual(read.panels[0].lines[0].v, [read.panels[0].top, null]);
  assert.deepEqual(read.panels[0].lines[0].s.slice(0, 2), [1, 0]);
  assert.equal(read.panels[0].shareMax, 1);
  assert.equal(read.panels[0].edges.length, 21);
});

test("a chart as a table keeps smallest and largest of each stretch", () => {
  const one = page([person(1, [0, 1_000, 2_000, 599_000])], [line(0, [0.1, 0.3, 0.2, 0.05])]);
  const rows = series.stretches(one, one.panels[0], one.panels[0].lines, [0, SPAN], 10);
  assert.deepEqual(rows[0].cells, [{ low: 0.1, high: 0.3 }]);
  assert.deepEqual(rows[5].cells, [null]);
  assert.deepEqual(rows[9].cells, [{ low: 0.05, high: 0.05 }]);
});

test("no cell of a CSV is a formula, and no name leaves its cell", () => {
  for (const text of ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", "|cmd", "%0A=1", "\0=1"]) assert.match(cell(text), /^"?'/, JSON.stringify(text));
  for (const text of [...HOSTILE, "=HYPERLINK(\"http://x\",\"y\")", "a;b", "O'Brien"]) {
    const [head, row, ...rest] = readCsv(csv([["name", "next"], [text, 1]]));
    assert.deepEqual([head, rest], [["name", "next"], []]);
    assert.ok(row[0] === text || row[0] === `'${text}`, JSON.stringify(row[0]));
    assert.equal(row[1], "1");
  }
  assert.equal(cell(-0.5), "-0.5");
  assert.equal(cell(null), "");
});

test("what is exported is what is shown", () => {
  const one = page([person(1, [0, 2_000, 4_000]), person(2, [2_000], { label: "=cmd" })], [line(0, [0.1, null, 0.3]), line(1, [0.2])]);
  const all = table(one, initial());
  assert.deepEqual(all[0].slice(-1), ["loss (ratio)"]);
  assert.deepEqual(all.slice(1).map((row) => [row[0], row[2], row.at(-1)]), [["2026-11-23T09:00:00.000Z", 1, 0.1], ["2026-11-23T09:00:04.000Z", 1, 0.3], ["2026-11-23T09:00:02.000Z", 2, 0.2]]);
  assert.deepEqual(table(one, { ...initial(), people: [2] }).slice(1).map((row) => row[4]), ["s2"]);
  assert.equal(table(one, { ...initial(), zoom: [3_000, 5_000] }).length, 2);
  const data = json(one, { ...initial(), people: [1], zoom: [0, 2_000] });
  assert.deepEqual(data.participants.map(({ sessionId, series }) => [sessionId, series]), [["s1", { timestamp: [one.start, one.start + 2_000], loss: [0.1, null] }]]);
});

/** As spreadsheets read it. */
function readCsv(text) {
  assert.equal(text[0], "\ufeff");
  const rows = [[""]];
  let quoted = false;
  for (let at = 1; at < text.length; at += 1) {
    const c = text[at];
    const row = rows[rows.length - 1];
    if (quoted && c === '"' && text[at + 1] === '"') { row[row.length - 1] += '"'; at += 1; }
    else if (c === '"' && (quoted || row[row.length - 1] === "")) quoted = !quoted;
    else if (!quoted && c === ",") row.push("");
    else if (!quoted && c === "\r" && text[at + 1] === "\n") { rows.push([""]); at += 1; }
    else row[row.length - 1] += c;
  }
  rows.pop();
  return rows;
}
