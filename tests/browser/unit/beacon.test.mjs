import assert from "node:assert/strict";
import { test } from "node:test";
import { BeaconClient } from "../../../site-templates/assets/beacon.js";
import { World, answerAt } from "./world.mjs";

const ROOM = "https://example.daily.co/meet-ana";

function begin(overrides = {}, options = {}) {
  const world = new World();
  const call = world.call(overrides);
  const readings = [];
  const client = new BeaconClient({
    beaconUrl: "/beacon", client: {}, world: world.options,
    onReading: (reading) => readings.push(reading), ...options,
  });
  return { world, call, client, readings, bodies: () => world.posts.map((post) => post.body) };
}
const timestamps = (body) => body.samples?.timestamp ?? [];

test("nothing is asked or sent before joining", async () => {
  const { world, call } = begin();
  await world.pass(60_000);
  assert.equal(call.asked, 0);
  assert.equal(world.posts.length, 0);
});

test("reads every 2 s and sends every 15 s, counting from 0", async () => {
  const { world, call, client, bodies } = begin();
  client.start(call, ROOM);
  await world.pass(45_500);
  assert.deepEqual(bodies().map((body) => body.seq), [0, 1, 2]);
  assert.equal(bodies().flatMap(timestamps).length, 23);
  assert.equal(new Set(bodies().flatMap(timestamps)).size, 23);
  assert.deepEqual(new Set(bodies().map((body) => body.room)), new Set([ROOM]));
  const { init } = world.posts[0];
  assert.deepEqual([init.method, init.keepalive, init.credentials, typeof init.body], ["POST", true, "omit", "string"]);
});

test("no data yet: a heartbeat", async () => {
  const { world, call, client, bodies, readings } = begin({ stats: async () => ({ stats: {}, networkState: "unknown" }) });
  client.start(call, ROOM);
  await world.pass(15_500);
  assert.equal(bodies().length, 1);
  assert.deepEqual(bodies()[0].stats, {});
  assert.equal("samples" in bodies()[0], false);
  assert.ok(readings.length > 5 && readings.every((reading) => reading === null));
});

for (const [name, stats] of Object.entries({
  "rejections": () => Promise.reject(new Error("no")),
  "exceptions": () => { throw new Error("no"); },
  "null": () => null,
  "a getter that throws": () => ({ get stats() { throw new Error("no"); } }),
})) {
  test(`${name} are no readings, and polling goes on`, async () => {
    const { world, call, client, bodies } = begin();
    call.stats = (n) => (n <= 3 ? stats() : answerAt(world.time));
    client.start(call, ROOM);
    await world.pass(15_500);
    assert.equal(timestamps(bodies()[0]).length, 5);
  });
}

test("an answer that is not a promise is understood", async () => {
  const { world, call, client, bodies } = begin({ stats: () => answerAt(7) });
  client.start(call, ROOM);
  await world.pass(15_500);
  assert.deepEqual(timestamps(bodies()[0]), [7]);
});

test("a request that hangs is given up after 3 s, never two at once, and the next poll comes", async () => {
  const { world, call, client, bodies } = begin();
  let open = 0, most = 0;
  call.stats = (n) => {
    if (n > 2) return answerAt(world.time);
    most = Math.max(most, ++open);
    world.options.setTimeout(() => { open -= 1; }, 3_000);
    return new Promise(() => {});
  };
  client.start(call, ROOM);
  await world.pass(15_500);
  assert.equal(most, 1);
  assert.equal(timestamps(bodies()[0]).length, 4); // asked at 0, 4 (given up at 3 and 7), then 8, 10, 12, 14
});

test("the same timestamp is not repeated", async () => {
  const { world, call, client, bodies } = begin();
  call.stats = () => answerAt(Math.floor(world.time / 10_000));
  client.start(call, ROOM);
  await world.pass(30_500);
  const all = bodies().flatMap(timestamps);
  assert.equal(all.length, new Set(all).size);
  assert.ok(all.length >= 3 && all.length <= 4);
});

test("a clock that is set back does not silence the readings", async () => {
  const { world, call, client, bodies } = begin();
  let t = 1_000_000;
  call.stats = (n) => answerAt(n === 4 ? (t = 10) : (t += 2_000));
  client.start(call, ROOM);
  await world.pass(15_500);
  assert.equal(timestamps(bodies()[0]).length, 8);
});

test("the meeting session changes: one beacon for each id, readings where they belong", async () => {
  const { world, call, client, bodies } = begin();
  client.start(call, ROOM);
  await world.pass(7_000);
  call.meeting = "m2";
  await world.pass(9_000);
  assert.deepEqual(bodies().map((body) => [body.meetingSessionId, body.seq, timestamps(body).length]), [["m1", 0, 4], ["m2", 1, 4]]);
});

test("an id that comes late takes what waited for it", async () => {
  const { world, call, client, bodies } = begin({ meeting: undefined });
  client.start(call, ROOM);
  await world.pass(15_500);
  assert.equal(bodies().length, 0);
  call.meeting = "m9";
  await world.pass(15_000);
  assert.deepEqual([...new Set(bodies().map((body) => body.meetingSessionId))], ["m9"]);
  assert.equal(bodies().flatMap(timestamps).length, 15);
});

test("seq goes on for the same session and starts anew for another", async () => {
  const { world, call, client, bodies } = begin();
  client.start(call, ROOM);
  await world.pass(15_500);
  client.stop();
  client.start(world.call(), ROOM);
  await world.pass(15_500);
  client.stop();
  client.start(world.call({ session: "s2" }), ROOM);
  await world.pass(15_500);
  const seqs = (id) => bodies().filter((body) => body.sessionId === id).map((body) => body.seq);
  assert.deepEqual(seqs("s1"), [...seqs("s1").keys()]);
  assert.ok(seqs("s1").length >= 2);
  assert.equal(seqs("s2")[0], 0);
});

test("leaving flushes and stops", async () => {
  const { world, call, client, bodies } = begin();
  client.start(call, ROOM);
  await world.pass(5_000);
  client.event("left-meeting", undefined);
  client.stop();
  await world.pass(100);
  assert.equal(bodies().length, 1);
  assert.equal(timestamps(bodies()[0]).length, 3);
  assert.equal(bodies()[0].events[0].type, "left-meeting");
  const asked = call.asked;
  await world.pass(60_000);
  assert.equal(call.asked, asked);
  assert.equal(bodies().length, 1);
});

test("a camera that is switched is told once, and again in another meeting", async () => {
  const { world, call, client, bodies } = begin();
  let state = "playable";
  call.participants = () => ({ local: { session_id: "s1", tracks: { video: { state } } } });
  client.start(call, ROOM);
  await world.pass(7_000);
  state = "off";
  await world.pass(9_000);
  call.meeting = "m2";
  await world.pass(15_000);
  const told = bodies().flatMap((body) => (body.events ?? []).map((event) => [body.meetingSessionId, event.type, event.state]));
  assert.deepEqual(told, [["m1", "camera-state", "playable"], ["m1", "camera-state", "off"], ["m2", "camera-state", "off"]]);
});

test("what happened before joining is told by the first beacon", async () => {
  const { world, call, client, bodies } = begin();
  client.event("camera-error", { error: { type: "not-found" } });
  client.start(call, ROOM);
  await world.pass(15_500);
  assert.deepEqual(bodies()[0].events, [{ t: world.time - 15_500, type: "camera-error", error: "not-found" }]);
});

test("hiding sends what is at hand, synchronously and once", async () => {
  const { world, call, client } = begin();
  client.start(call, ROOM);
  await world.pass(5_000);
  client.hide();
  client.hide({ closing: true });
  assert.equal(world.handed.length, 1);
  assert.equal(timestamps(world.handed[0].body).length, 3);
  assert.equal(world.posts.length, 0);
});

test("hiding without news sends nothing", async () => {
  const { world, client } = begin();
  client.hide();
  await world.pass(1_000);
  assert.equal(world.handed.length + world.posts.length, 0);
});

test("names stay out unless asked for", async () => {
  for (const [names, expected] of [[false, undefined], [true, "Ada"]]) {
    const { world, call, client, bodies } = begin({}, { names });
    client.start(call, ROOM);
    await world.pass(15_500);
    assert.equal(bodies()[0].name, expected);
  }
});

test("a call object that throws at everything hurts nobody", async () => {
  const no = () => { throw new Error("no"); };
  const { world, call, client } = begin({ getNetworkStats: no, meetingSessionSummary: no, participants: no },
    { onReading: no, onDelivery: no });
  client.start(call, ROOM);
  client.event("error", null);
  await world.pass(40_000);
  client.hide({ closing: true });
  client.stop();
  assert.equal(world.posts.length, 0); // no session id: nobody to speak for
});

test("after the machine slept, no burst", async () => {
  const { world, call, client } = begin();
  client.start(call, ROOM);
  await world.pass(4_500);
  world.time += 3_600_000;
  const asked = call.asked;
  await world.pass(4_000);
  assert.ok(call.asked - asked <= 3, `${call.asked - asked}`);
});
