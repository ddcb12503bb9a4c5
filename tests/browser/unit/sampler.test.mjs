import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { AIM_BYTES, MAX_BYTES, bodiesFrom, bodyFrom, byteLength, columnsFrom, readingFrom } from "../../../site-templates/assets/sampler.js";
import { answerAt } from "./world.mjs";

const sample = (name) => JSON.parse(readFileSync(new URL(`../fixtures/${name}`, import.meta.url), "utf8"));
const key = { sessionId: "s", meetingSessionId: "m" };
const envelope = { room: "https://example.daily.co/meet-ana", client: { browser: "Chrome 156", os: "macOS" } };
const counter = () => { let seq = 0; return () => ({ seq: seq++, dropped: 0 }); };

test("answers without a reading are no reading", () => {
  const variants = sample("sample-variants.json");
  for (const answer of [undefined, null, {}, [], 0, "stats", { stats: null }, { stats: [] }, { stats: {} }, { stats: { latest: null } },
    { stats: { latest: {} } }, { stats: { latest: { timestamp: null } } }, { stats: { latest: { timestamp: "1" } } }, { stats: { latest: { timestamp: NaN } } },
    variants["getNetworkStats_before_join_0.92.2"], variants["getNetworkStats_before_join_0.32.0_not_a_promise"],
    variants["getNetworkStats_after_leave_0.92.2_keeps_the_last_state"]]) {
    assert.equal(readingFrom(answer), null, JSON.stringify(answer));
  }
});

test("a full answer of Daily keeps every metric and what stands beside the stats", () => {
  const full = sample("sample-variants.json").getNetworkStats_full;
  const reading = readingFrom(full);
  const { timestamp, ...metrics } = full.stats.latest;
  assert.equal(reading.timestamp, timestamp);
  assert.deepEqual(reading.latest, metrics);
  assert.deepEqual(reading.network, { threshold: "low", quality: 62, networkState: "warning", networkStateReasons: ["sendPacketLoss"] });
});

test("absent network state reasons stay absent", () => {
  assert.equal("networkStateReasons" in readingFrom(answerAt(1)).network, false);
});

test("what is not a number is not a metric; null stays null", () => {
  const reading = readingFrom(answerAt(5, { a: 1, b: null, c: "2", d: NaN, e: { f: 1 }, "g h": 3, ["__proto__x"]: 4 }));
  assert.deepEqual(reading.latest, { a: 1, b: null });
});

test("columns have equal length, null where a reading lacks a metric, and none that nobody measured", () => {
  const readings = [{ a: 1, none: null }, { b: 2, none: null }, { a: null, b: 3 }].map((metrics, i) => readingFrom(answerAt(i, metrics)));
  assert.deepEqual(columnsFrom(readings), { timestamp: [0, 1, 2], a: [1, null, null], b: [null, 2, 3] });
});

test("a beacon carries the envelope of the contract", () => {
  const readings = [readingFrom(answerAt(1)), readingFrom(answerAt(3))];
  const events = [{ t: 2, type: "left-meeting" }];
  assert.deepEqual(bodyFrom(envelope, { key, readings, events }, { seq: 41, dropped: 0 }), {
    v: 1, seq: 41, source: "daily", room: envelope.room, meetingSessionId: "m", sessionId: "s",
    threshold: "good", quality: 100, networkState: "good", stats: answerAt(3).stats,
    samples: { timestamp: [1, 3], sendBitsPerSecond: [1000.5, 1000.5] }, events, client: envelope.client,
  });
});

test("a heartbeat has empty stats and claims no state", () => {
  const body = bodyFrom(envelope, { key, readings: [], events: [] }, { seq: 0, dropped: 0 });
  assert.deepEqual(body.stats, {});
  for (const member of ["samples", "events", "networkState", "quality", "name", "dropped"]) assert.equal(member in body, false, member);
});

test("a name and the number of dropped beacons appear only when there are any", () => {
  const body = bodyFrom({ ...envelope, name: "Ada" }, { key, readings: [], events: [] }, { seq: 0, dropped: 3 });
  assert.equal(body.name, "Ada");
  assert.equal(body.dropped, 3);
});

test("eight full readings stay far below what we aim at", () => {
  const full = sample("sample-variants.json").getNetworkStats_full;
  const { bodies } = bodiesFrom(envelope, { key, readings: Array(8).fill(readingFrom(full)), events: [] }, counter());
  assert.equal(bodies.length, 1);
  assert.ok(byteLength(bodies[0]) < AIM_BYTES / 2, `${byteLength(bodies[0])}`);
});

test("a large batch is cut: every reading and event once, in order, each piece with its own number", () => {
  const full = sample("sample-variants.json").getNetworkStats_full;
  const readings = Array.from({ length: 200 }, (_, i) => readingFrom({ ...full, stats: { ...full.stats, latest: { ...full.stats.latest, timestamp: i } } }));
  const events = Array.from({ length: 333 }, (_, t) => ({ t, type: "network-connection", connection: "sfu", event: "interrupted é" }));
  const { bodies, lost } = bodiesFrom(envelope, { key, readings, events }, counter());
  const parsed = bodies.map((body) => JSON.parse(body));
  assert.equal(lost, 0);
  assert.ok(bodies.length > 2);
  for (const body of bodies) assert.ok(byteLength(body) <= AIM_BYTES, `${byteLength(body)}`);
  assert.deepEqual(parsed.map((body) => body.seq), bodies.map((_, i) => i));
  assert.deepEqual(parsed.flatMap((body) => body.samples?.timestamp ?? []), readings.map((reading) => reading.timestamp));
  assert.deepEqual(parsed.flatMap((body) => body.events ?? []).map((event) => event.t), events.map((event) => event.t));
});

test("one reading too large to aim at still goes, one too large to send is counted as lost", () => {
  const big = (bytes) => ({ key, readings: [readingFrom({ stats: { latest: { timestamp: 1 }, pad: "x".repeat(bytes) } })], events: [] });
  const some = bodiesFrom(envelope, big(AIM_BYTES), counter());
  assert.equal(some.bodies.length, 1);
  assert.equal(some.lost, 0);
  const none = bodiesFrom(envelope, big(MAX_BYTES), counter());
  assert.deepEqual([none.bodies.length, none.lost], [0, 1]);
});
