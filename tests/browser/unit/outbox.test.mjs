import assert from "node:assert/strict";
import { test } from "node:test";
import { IN_FLIGHT_BYTES, Outbox, RING, backOffMs, retryAfterMs } from "../../../site-templates/assets/outbox.js";
import { World } from "./world.mjs";

function begin() {
  const world = new World();
  const said = [];
  const outbox = new Outbox({ url: "/beacon", world: world.options, onDelivery: (delivery) => said.push(delivery) });
  const add = (seq, pad = 0) => outbox.add("s", JSON.stringify({ seq, pad: "x".repeat(pad) }));
  return { world, outbox, said, add, seqs: () => world.posts.map((post) => post.body.seq) };
}

for (const trouble of ["fail", "hang", 408, 429, 500, 503]) {
  test(`kept and sent again after ${trouble}, in order, with the same number`, async () => {
    const { world, outbox, said, add, seqs } = begin();
    world.answer = (n) => (n < 2 ? trouble : 204);
    add(0); add(1);
    outbox.pump();
    await world.pass(60_000);
    assert.deepEqual(seqs(), [0, 0, 0, 1]);
    assert.deepEqual(said, ["kept", "kept", "saved", "saved"]);
    assert.equal(outbox.waiting, 0);
  });
}

test("what was added after the last one arrived is waiting, and said to be", async () => {
  const world = new World();
  const said = [];
  const outbox = new Outbox({ url: "/beacon", world: world.options, onDelivery: (delivery, waiting) => said.push([delivery, waiting]) });
  for (let n = 0; n < 2; n += 1) {
    outbox.add("s", `{"n":${n}}`);
    outbox.pump();
    await world.pass(1_000);
  }
  assert.deepEqual(said, [["saved", 0], ["saved", 1], ["saved", 0]]);
});

for (const status of [400, 403, 404, 413]) {
  test(`given up after ${status}, warned once, the rest goes on`, async () => {
    const { world, outbox, said, add, seqs } = begin();
    world.answer = (n) => (n < 2 ? status : 204);
    add(0); add(1); add(2);
    outbox.pump();
    await world.pass(5_000);
    assert.deepEqual(seqs(), [0, 1, 2]);
    assert.equal(world.warnings.length, 1);
    assert.equal(outbox.lost("s"), 2);
    assert.deepEqual(said, ["refused", "refused", "saved"]);
  });
}

test("never two in flight", async () => {
  const { world, outbox, add } = begin();
  world.answer = () => "hang";
  add(0); add(1);
  outbox.pump(); outbox.pump();
  await world.pass(5_000);
  assert.equal(world.posts.length, 1);
});

test("a backlog goes out one by one, not in a burst", async () => {
  const { world, outbox, add } = begin();
  for (let seq = 0; seq < 5; seq += 1) add(seq);
  outbox.pump();
  await world.pass(10_000);
  const times = world.posts.map((post) => post.at);
  assert.equal(times.length, 5);
  for (let i = 1; i < 5; i += 1) assert.ok(times[i] - times[i - 1] >= 200);
});

test("backs off exponentially, with jitter, up to a minute", () => {
  assert.deepEqual([1, 2, 3, 4].map((n) => backOffMs(n, 1)), [1_000, 2_000, 4_000, 8_000]);
  assert.equal(backOffMs(3, 0), 2_000);
  assert.equal(backOffMs(1_000, 1), 60_000);
});

test("waits between failures as the back-off says, and starts anew after a success", async () => {
  const { world, outbox, add } = begin();
  world.answer = (n) => (n < 3 || n === 4 ? 503 : 204);
  add(0); add(1);
  outbox.pump();
  await world.pass(60_000);
  const times = world.posts.map((post) => post.at);
  assert.deepEqual(times.map((time) => time - times[0]), [0, 1_000, 3_000, 7_000, 7_250, 8_250]);
});

test("honours Retry-After", async () => {
  const { world, outbox, add } = begin();
  world.answer = (n) => (n === 0 ? { status: 429, retryAfter: 30 } : 204);
  add(0);
  outbox.pump();
  await world.pass(29_000);
  outbox.pump();
  assert.equal(world.posts.length, 1);
  await world.pass(2_000);
  assert.equal(world.posts.length, 2);
});

test("Retry-After: seconds, a date, nonsense", () => {
  const now = Date.parse("2026-11-23T17:00:00Z");
  assert.equal(retryAfterMs("7", now), 7_000);
  assert.equal(retryAfterMs("Mon, 23 Nov 2026 17:00:30 GMT", now), 30_000);
  assert.equal(retryAfterMs("Mon, 23 Nov 2026 16:00:00 GMT", now), 0);
  assert.equal(retryAfterMs("999999999", now), 600_000);
  for (const nonsense of [null, "", "soon"]) assert.equal(retryAfterMs(nonsense, now), null);
});

test("the ring is bounded: the oldest are dropped and counted", async () => {
  const { world, outbox, add, seqs } = begin();
  for (let seq = 0; seq < RING + 5; seq += 1) add(seq);
  assert.equal(outbox.waiting, RING);
  assert.equal(outbox.lost("s"), 5);
  outbox.pump();
  await world.pass(100);
  assert.equal(seqs()[0], 5);
});

test("the one in flight is not dropped from a full ring", async () => {
  const { world, outbox, add, seqs } = begin();
  let arrive = () => {};
  world.options.fetch = ((real) => async (url, init) => { await new Promise((resolve) => { arrive = resolve; }); return real(url, init); })(world.options.fetch);
  const slow = new Outbox({ url: "/beacon", world: world.options });
  slow.add("s", JSON.stringify({ seq: 0 }));
  slow.pump();
  for (let seq = 1; seq <= RING; seq += 1) slow.add("s", JSON.stringify({ seq }));
  arrive();
  await world.pass(100);
  assert.equal(slow.lost("s"), 1);
  assert.deepEqual(seqs(), [0]);
  assert.equal(slow.waiting, RING - 1);
  void outbox; void add;
});

test("hands over within the 64 KiB that may be in flight, and keeps the rest", async () => {
  const { world, outbox, add } = begin();
  for (let seq = 0; seq < 10; seq += 1) add(seq, 15_000);
  outbox.handOver();
  assert.deepEqual(world.handed.map((beacon) => beacon.body.seq), [0, 1, 2, 3]);
  assert.ok(world.handed.reduce((sum, beacon) => sum + beacon.bytes, 0) <= IN_FLIGHT_BYTES);
  assert.equal(outbox.waiting, 10);
});

test("what sendBeacon refuses is kept and goes by fetch", async () => {
  const { world, outbox, add, seqs } = begin();
  world.takes = () => false;
  add(0);
  outbox.handOver();
  await world.pass(100);
  assert.deepEqual([world.handed.length, seqs()], [0, [0]]);
});

test("what sendBeacon took is confirmed once by fetch, should the page live on, and not for ever", async () => {
  const { world, outbox, add, seqs } = begin();
  add(0);
  outbox.handOver();
  outbox.handOver();
  assert.equal(world.handed.length, 1);
  await world.pass(4_000);
  assert.deepEqual(seqs(), []);
  outbox.resume();
  await world.pass(600_000);
  assert.deepEqual(seqs(), [0]);
  assert.equal(outbox.waiting, 0);
});

test("the collector was down when the page was hidden: nothing is lost", async () => {
  const { world, outbox, add, seqs } = begin();
  world.answer = (n) => (n < 3 ? "fail" : 204);
  add(0); add(1);
  outbox.handOver(); // taken, and lost: true means queued only
  await world.pass(60_000);
  assert.deepEqual(seqs().slice(3), [0, 1]);
  assert.equal(outbox.waiting, 0);
});

test("after a fetch failed, closing hands over again what hiding had handed over", async () => {
  const { world, outbox, add } = begin();
  world.answer = () => "fail";
  add(0);
  outbox.handOver();
  await world.pass(5_100);
  outbox.handOver();
  assert.equal(world.handed.length, 2);
});

test("a sendBeacon that throws counts as refused", () => {
  const { world, outbox, add } = begin();
  world.takes = () => { throw new Error("no"); };
  add(0);
  assert.doesNotThrow(() => outbox.handOver());
  assert.equal(outbox.waiting, 1);
});

test("closed while the collector was down: the next page sends what was left, once", async () => {
  const { world, outbox, add, seqs } = begin();
  world.answer = () => "fail";
  add(0); add(1);
  outbox.pump();
  await world.pass(500);
  outbox.handOver();
  outbox.handOver({ closing: true });
  world.timers.clear(); // that page is gone
  world.answer = () => 204;
  world.posts.length = 0;
  const next = new Outbox({ url: "/beacon", world: world.options });
  assert.equal(new Outbox({ url: "/beacon", world: world.options }).waiting, 0);
  next.pump();
  await world.pass(5_000);
  assert.deepEqual(seqs(), [0, 1]);
});

test("closed while all was well: nothing is left behind, so nothing comes twice", async () => {
  const { world, outbox, add } = begin();
  add(0);
  outbox.pump();
  await world.pass(500);
  add(1);
  outbox.handOver({ closing: true });
  assert.equal(new Outbox({ url: "/beacon", world: world.options }).waiting, 0);
});

test("what was left for another collector, or long ago, is not sent", async () => {
  const { world, outbox, add } = begin();
  world.answer = () => "fail";
  add(0);
  outbox.pump();
  await world.pass(500);
  outbox.handOver({ closing: true });
  assert.equal(new Outbox({ url: "https://other.example/beacon", world: world.options }).waiting, 0);
  world.time += 24 * 3_600_000;
  assert.equal(new Outbox({ url: "/beacon", world: world.options }).waiting, 0);
});

test("a page that comes back keeps its own, and sends what another page left", async () => {
  const { world, outbox, add, seqs } = begin();
  const other = new Outbox({ url: "/beacon", world: world.options });
  other.add("s", JSON.stringify({ seq: 7 }));
  world.answer = () => "fail";
  add(0);
  outbox.pump(); other.pump();
  await world.pass(500);
  outbox.handOver({ closing: true });
  other.handOver({ closing: true });
  world.timers.clear(); // the other page is gone, this one was only put aside
  world.answer = () => 204;
  world.posts.length = 0;
  outbox.resume();
  await world.pass(60_000);
  assert.deepEqual(seqs().sort(), [0, 7]);
});
