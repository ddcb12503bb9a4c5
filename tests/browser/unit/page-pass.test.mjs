import assert from "node:assert/strict";
import { test } from "node:test";
import { BeaconClient } from "../../../site-templates/assets/beacon.js";
import { IN_FLIGHT_BYTES, Outbox } from "../../../site-templates/assets/outbox.js";
import { PagePass, withToken } from "../../../site-templates/assets/page-pass.js";
import { World, tick } from "./world.mjs";

const LIFE_MS = 6 * 3_600_000;

/** A page whose pass is renewed as `renew` says; by default with t2, t3, … */
function begin({ renew, room, token = "t1", world = new World() } = {}) {
  const asked = [];
  let n = 1;
  const pass = new PagePass({
    room,
    now: () => world.time,
    renew: async (name) => {
      asked.push(world.time);
      return renew ? renew(asked.length, name) : { token: `t${n += 1}`, lifeMs: LIFE_MS };
    },
  });
  pass.take(token === null ? null : { token, lifeMs: LIFE_MS });
  const said = [];
  const outbox = new Outbox({ url: "/beacon", world: world.options, pass, onDelivery: (delivery) => said.push(delivery) });
  const send = async (seq, ms = 60_000) => {
    outbox.add("s", JSON.stringify({ seq }));
    outbox.pump();
    await world.pass(ms);
  };
  /** Each beacon as it was sent: its number and its token. */
  const posts = () => world.posts.map(({ body }) => `${body.seq} ${body.pageToken}`);
  return { world, pass, outbox, asked, said, send, posts };
}

const refuses = (reason) => ({ status: 403, reason });

test("a token goes out with every beacon, and is no part of what is kept", async () => {
  const { outbox, world, send, posts } = begin();
  world.answer = (n) => (n === 0 ? "fail" : 204);
  await send(0);
  assert.deepEqual(posts(), ["0 t1", "0 t1"]);
  outbox.add("s", JSON.stringify({ seq: 1 }));
  outbox.handOver();
  assert.deepEqual(world.handed.map((one) => one.body), [{ seq: 1, pageToken: "t1" }]);
  assert.equal(withToken('{"a":1}', null), '{"a":1}');
  assert.deepEqual(JSON.parse(withToken('{"a":1}', 'x"y')), { a: 1, pageToken: 'x"y' });
});

test("where the server gives no token none is sent", async () => {
  const { world, send } = begin({ token: null });
  await send(0);
  assert.deepEqual(world.posts[0].body, { seq: 0 });
});

for (const reason of ["page-token-expired", "page-token-invalid", "page-token-missing"]) {
  test(`refused as ${reason}: another token, the same beacon, nothing lost`, async () => {
    const { world, outbox, send, posts, asked, said } = begin();
    world.answer = (n) => (n === 0 ? refuses(reason) : 204);
    await send(0);
    await send(1);
    assert.deepEqual(posts(), ["0 t1", "0 t2", "1 t2"]);
    assert.deepEqual([asked.length, outbox.lost("s"), outbox.waiting], [1, 0, 0]);
    assert.deepEqual(said.filter((word) => word !== "saved"), []);
  });
}

test("while no token is to be had the beacons are kept and tried again", async () => {
  const { world, outbox, send, posts, said, asked } = begin({
    renew: (n) => { if (n === 1) throw new Error("offline"); return n === 2 ? null : { token: "t2", lifeMs: LIFE_MS }; },
  });
  world.answer = () => (world.posts.at(-1).body.pageToken === "t2" ? 204 : refuses("page-token-expired"));
  await send(0);
  assert.deepEqual(posts(), ["0 t1", "0 t1", "0 t1", "0 t2"]);
  assert.deepEqual(said, ["kept", "kept", "saved"]);
  assert.deepEqual([asked.length, outbox.lost("s")], [3, 0]);
});

test("a beacon that is refused with a new token too is given up, and the next is tried", async () => {
  const { world, outbox, send, posts } = begin();
  world.answer = (n) => (n < 2 ? refuses("page-token-invalid") : 204);
  await send(0);
  await send(1);
  assert.deepEqual(posts(), ["0 t1", "0 t2", "1 t2"]);
  assert.deepEqual([outbox.lost("s"), outbox.waiting], [1, 0]);
});

test("a wrong room, or another refusal, is not the token's age", async () => {
  for (const reason of ["page-token-wrong-room", "origin-refused"]) {
    const { world, outbox, send, asked } = begin();
    world.answer = () => refuses(reason);
    await send(0);
    assert.deepEqual([world.posts.length, asked.length, outbox.lost("s")], [1, 0, 1]);
  }
});

test("a token is renewed halfway through its life, once, and again after a failure", async () => {
  const { world, send, posts, asked } = begin({ renew: (n) => (n === 1 ? null : { token: "t2", lifeMs: LIFE_MS }) });
  await send(0);
  await world.pass(LIFE_MS / 2 - 120_000);
  await send(1, 30_000);
  assert.equal(asked.length, 0);
  await world.pass(60_000);
  await send(2, 1_000);
  await send(3, 1_000);
  assert.equal(asked.length, 1);
  await world.pass(60_000);
  await send(4, 1_000);
  await send(5, 1_000);
  assert.deepEqual([asked.length, posts().at(-1)], [2, "5 t2"]);
});

test("many who find the token refused ask for one new one", async () => {
  const { pass, asked } = begin();
  const renewed = [pass.renew(), pass.renew(), pass.renew()];
  assert.deepEqual(await Promise.all(renewed), [true, true, true]);
  assert.deepEqual([asked.length, pass.token], [1, "t2"]);
});

test("what a page leaves behind carries its token; where that has expired the next page's own is tried", async () => {
  const world = new World();
  const first = begin({ world });
  world.answer = () => "fail";
  await first.send(0, 100);
  first.outbox.handOver({ closing: true });
  world.posts.length = 0;
  world.answer = (n) => (n === 0 ? refuses("page-token-expired") : 204);
  const second = begin({ world, token: "mine" });
  await second.send(1);
  assert.deepEqual(second.posts().slice(0, 3), ["0 t1", "0 mine", "1 mine"]);
  assert.equal(second.asked.length, 0);
});

/** A world in which a page of this room was left while the collector did not answer, with a few beacons. */
async function leave({ room, token, seqs }) {
  const world = new World();
  const page = begin({ world, room, token });
  world.answer = () => "fail";
  for (const seq of seqs) await page.send(seq, 100);
  page.outbox.handOver({ closing: true });
  world.posts.length = 0;
  world.timers.clear();
  return world;
}

test("what a page of another room left behind gets a token for its own room when that of the page has expired", async () => {
  for (const token of ["old", null]) {
    const world = await leave({ room: "ana", token, seqs: [0, 1] });
    world.answer = (n) => ({ mine: 204, theirs: 204, old: refuses("page-token-expired") })[world.posts[n].body.pageToken] ?? refuses("page-token-missing");
    const names = [];
    const second = begin({ world, room: "bob", token: "mine", renew: (_, name) => { names.push(name); return { token: "theirs", lifeMs: LIFE_MS }; } });
    await second.send(2);
    assert.deepEqual(second.posts(), [`0 ${token ?? undefined}`, "0 theirs", "1 theirs", "2 mine"]);
    assert.deepEqual(names, ["ana"], "one for all of them, and the page's own is left alone");
    assert.deepEqual([second.outbox.lost("s"), second.outbox.waiting, second.pass.token], [0, 0, "mine"]);
  }
});

test("where no token for another room is to be had its beacons hold up nobody and are kept, but not for ever", async () => {
  const world = await leave({ room: "ana", token: "old", seqs: [0, 1] });
  world.answer = (n) => (world.posts[n].body.pageToken === "old" ? refuses("page-token-expired") : 204);
  const none = { renew: () => { throw new Error("too many rooms"); }, token: "mine", world };
  const second = begin({ ...none, room: "bob" });
  await second.send(2);
  assert.deepEqual(second.posts(), ["0 old", "2 mine"]);
  assert.deepEqual([second.outbox.lost("s"), second.outbox.waiting], [0, 0]);

  world.posts.length = 0;
  const third = begin({ ...none, room: "eve", renew: () => ({ token: "theirs", lifeMs: LIFE_MS }) });
  third.outbox.pump();
  await world.pass(60_000);
  assert.deepEqual(third.posts(), ["0 old", "0 theirs", "1 theirs"]);

  const late = await leave({ room: "ana", token: "old", seqs: [0] });
  for (const hours of [7, 6]) {
    late.posts.length = 0;
    late.time += hours * 3_600_000;
    late.answer = () => refuses("page-token-expired");
    const page = begin({ ...none, world: late, room: "bob" });
    page.outbox.pump();
    await late.pass(60_000);
    assert.deepEqual(page.posts(), hours === 7 ? ["0 old"] : [], "its age counts from when it was left first");
  }
});

test("a beacon of another room that is refused with a new token too is given up", async () => {
  const world = await leave({ room: "ana", token: "old", seqs: [0] });
  world.answer = () => refuses("page-token-expired");
  const second = begin({ world, room: "bob", token: "mine", renew: () => ({ token: "theirs", lifeMs: LIFE_MS }) });
  second.outbox.pump();
  await world.pass(60_000);
  assert.deepEqual(second.posts(), ["0 old", "0 theirs"]);
  assert.deepEqual([second.outbox.lost("s"), second.outbox.waiting], [1, 0]);
});

test("a beacon that waits for another token when the page closes is there for the next page", async () => {
  const world = new World();
  const first = begin({ world, renew: () => new Promise(() => {}) });
  world.answer = () => refuses("page-token-expired");
  await first.send(0);
  assert.deepEqual([first.posts(), first.asked.length], [["0 t1"], 1]);
  first.outbox.handOver({ closing: true });
  world.answer = (n) => (world.posts[n].body.pageToken === "t9" ? 204 : refuses("page-token-expired"));
  const second = begin({ world, token: "t9" });
  second.outbox.pump();
  await world.pass(60_000);
  assert.deepEqual(second.posts(), ["0 t1", "0 t1", "0 t9"]);
  assert.deepEqual([second.outbox.lost("s"), second.outbox.waiting], [0, 0]);
});

test("a closing page counts its tokens into what may be in flight", async () => {
  const { world, outbox } = begin({ token: "t".repeat(86) });
  for (let seq = 0; seq < 8; seq += 1) outbox.add("s", JSON.stringify({ seq, pad: "x".repeat(8_150) }));
  outbox.handOver();
  const bytes = world.handed.reduce((sum, one) => sum + one.bytes, 0);
  assert.ok(world.handed.length === 7 && bytes <= IN_FLIGHT_BYTES, `${world.handed.length}, ${bytes}`);
});

test("the beacon client hands the pass on", async () => {
  const world = new World();
  const pass = new PagePass({ now: () => world.time, renew: async () => null });
  pass.take({ token: "t1", lifeMs: LIFE_MS });
  const client = new BeaconClient({ beaconUrl: "/beacon", world: world.options, pass });
  client.start(world.call(), "https://x.daily.co/meet-ana");
  await tick();
  await world.pass(16_000);
  client.stop();
  await world.pass(1_000);
  assert.ok(world.posts.length > 0 && world.posts.every((post) => post.body.pageToken === "t1"));
});
