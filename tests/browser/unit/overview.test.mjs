// The pure parts of the overview: what stands in the address, which calls are shown in which order, what is exported.
import assert from "node:assert/strict";
import { test } from "node:test";
import "../../../site-templates/assets/call-export.js";
import "../../../site-templates/assets/overview-state.js";
import { HOSTILE } from "../e2e/world/hostile.mjs";

const { initial, read, parse, format, filters, cleared, sorted, toggled, shown, counts, told, table, json } = globalThis.callMetricsOverview;
const { csv } = globalThis.callMetricsExport;

const DAY_MS = 86_400_000;
const START = Date.UTC(2026, 10, 23, 9);
/** Newest first, as the builder writes them. */
const CALLS = [
  ["a", "Ärger", START, "2026-11-23", 60_000, 2, 95, "good", 0, null, [], 0, ["Zoë Ångström"]],
  ["b", "team 10", START - DAY_MS, "2026-11-22", 5_000, 3, 40, "poor", 0.2, 0.4, ["send-packet-loss", "jitter"], 0.5, ["Zoë Ångström", "ben"]],
  ["c", "team 9", START - 2 * DAY_MS, "2026-11-21", 60_000, 4, 70, "fair", 0.06, 0.1, ["jitter"], 0.1, []],
  ["d", "=cmd", null, null, null, 1, null, "unknown", null, null, [], null, []],
];
const TYPES = [["send-packet-loss", "Upload loss"], ["jitter", "Jitter"]];
const page = read(CALLS, TYPES);
const ids = (change) => shown(page.calls, { ...initial(), ...change }).map((call) => call.id).join("");

test("a view goes into the address and comes back", () => {
  for (const change of [
    {}, { sort: "loss", up: true }, { sort: "room", up: false, text: "a & b=c #%", from: "2026-11-01", to: "2026-11-23", room: "=cmd", quality: ["fair", "poor"], issue: "jitter", rows: 400 }, { issue: "none" }, { period: "30" },
  ]) assert.deepEqual(parse(`#${format({ ...initial(), ...change })}`, page), { ...initial(), ...change });
  assert.equal(format(initial()), "");
});

test("only known words, days and numbers come out of an address", () => {
  for (const text of [...HOSTILE, "2026-02-30", "9999999", "-1", "__proto__", "%E0%A4%A"]) {
    for (const name of ["period", "sort", "order", "from", "to", "room", "quality", "issue", "rows"]) {
      if (["rows", "period"].includes(name) && /^\d{1,6}$/.test(text)) continue;
      assert.deepEqual(parse(`${name}=${encodeURIComponent(text)}`, page), initial(), `${name}=${text}`);
    }
    assert.ok(parse(`text=${encodeURIComponent(text)}`, page).text.length <= 200);
  }
  assert.equal(parse("text=a%00%0Ab", page).text, "a  b");
  assert.ok(parse("rows=999999", page).rows < 1e6);
});

test("calls of other files are among all, and those that are missing leave their places", () => {
  const older = [{ n: 1, calls: [CALLS[1]] }, { n: 2, calls: null }, { n: 1, calls: [CALLS[3]] }];
  const { calls, rooms, lost } = read([CALLS[0]], TYPES, older);
  assert.deepEqual(calls.map(({ at, id }) => [at, id]), [[0, "a"], [1, "b"], [4, "d"]]);
  assert.deepEqual([rooms.length, lost, page.lost], [3, 2, 0]);
});

test("every column sorts both ways, with what is not known last", () => {
  assert.equal(ids({}), "abcd");
  assert.equal(ids({ up: true }), "cbad");
  assert.equal(ids({ sort: "score", up: true }), "bcad");
  assert.equal(ids({ sort: "score", up: false }), "acbd");
  assert.equal(ids({ sort: "duration", up: false }), "acbd", "the same duration: newest first");
  assert.equal(ids({ sort: "rtt", up: true }), "cbad");
  assert.equal(ids({ sort: "issue", up: true }), "cbad");
  assert.equal(ids({ sort: "people", up: false }), "cbad");
  assert.equal(ids({ sort: "loss", up: false }), "bcad");
  assert.equal(ids({ sort: "trouble", up: false }), "bcad");
  assert.equal(ids({ sort: "room", up: true }).replace("d", ""), "acb", "numbers in names by value");
  assert.deepEqual(sorted(initial(), "loss"), { sort: "loss", up: false });
  assert.deepEqual(sorted({ ...initial(), sort: "loss", up: false }, "loss"), { sort: "loss", up: true });
});

test("search and filters, alone and together", () => {
  assert.equal(ids({ text: "arger" }), "a");
  assert.equal(ids({ text: " TEAM  9 " }), "c");
  assert.equal(ids({ text: "zoe" }), "ab", "a person of the call");
  assert.equal(ids({ text: "ben angstrom" }), "b");
  assert.equal(ids({ from: "2026-11-22" }), "ab");
  assert.equal(ids({ from: "2026-11-22", to: "2026-11-22" }), "b");
  assert.equal(ids({ quality: ["poor", "unknown"] }), "bd");
  assert.equal(ids({ issue: "jitter" }), "bc");
  assert.equal(ids({ issue: "none" }), "ad");
  assert.equal(ids({ room: "team 9", quality: ["good"] }), "");
  assert.deepEqual(counts(page.calls, { ...initial(), quality: ["good"], issue: "jitter" }), { good: 0, fair: 1, poor: 1, unknown: 0 });
  assert.deepEqual(toggled(["poor"], "good"), ["good", "poor"]);
  assert.deepEqual(toggled(["good", "poor"], "good"), ["poor"]);
  assert.ok(!filters(initial()) && filters({ ...initial(), text: "x" }));
  assert.deepEqual(cleared({ ...initial(), sort: "loss", up: false, text: "x" }), { ...initial(), sort: "loss", up: false });
});

test("what is shown is told and saved, and no cell is a formula", () => {
  assert.equal(told(1, 4), "1 of 4 calls");
  assert.equal(told(1, 1), "1 call");
  const saved = csv(table(page.calls));
  assert.ok(saved.includes("'=cmd") && !/(^|,)"?=/m.test(saved), saved);
  const objects = json(shown(page.calls, { ...initial(), quality: ["poor"] }), 4);
  assert.deepEqual([objects.all, objects.shown, objects.calls[0].issues, objects.calls[0].loss_p95], [4, 1, ["send-packet-loss", "jitter"], 0.2]);
});
