// The pure parts of the pages: names of rooms, events, errors in words, the sign of the connection.
import assert from "node:assert/strict";
import { test } from "node:test";
import { clientName } from "../../../site-templates/assets/client-name.js";
import { Connection, judge } from "../../../site-templates/assets/connection.js";
import { noteOf, valuesOf } from "../../../site-templates/assets/details.js";
import { dailyError } from "../../../site-templates/assets/daily-errors.js";
import { EVENT_TYPES, eventRecord } from "../../../site-templates/assets/events.js";
import { mintRoom } from "../../../site-templates/assets/mint.js";
import { recentRooms, rememberRoom } from "../../../site-templates/assets/recent-rooms.js";
import { ROOM_NAME, checkName, nearestName } from "../../../site-templates/assets/room-name.js";
import { cameraWords, errorWords } from "../../../site-templates/assets/words.js";

test("room names: what is valid, and the nearest that is", () => {
  for (const [typed, nearest] of [["team sync!", "team-sync"], ["  ana ", "ana"], ["Zoë & Jürgen", "Zoe-Jurgen"], ["Straße", "Strasse"], ["Ana's room", "Anas-room"],
    ["https://meet.example/design-review?x=1", "design-review"], ["a/b", "a-b"], ["../etc", "etc"], ["日本", ""], ["---", ""], ["🦊 fox", "fox"], ["x".repeat(80), "x".repeat(64)]]) {
    assert.equal(nearestName(typed), nearest, typed);
    if (nearest) assert.match(nearest, ROOM_NAME);
  }
  assert.deepEqual(checkName(" ana_1-B ", []), { ok: true, name: "ana_1-B" });
  assert.equal(checkName("", []).problem, "empty");
  assert.equal(checkName("x".repeat(65), []).problem, "too-long");
  assert.equal(checkName("a b", []).problem, "characters");
});

test("reserved names are refused, and never offered", () => {
  assert.deepEqual(checkName("report", ["report"]), { ok: false, problem: "reserved", suggestion: "report-room" });
  assert.equal(checkName("report!", ["report"]).suggestion, "report-room");
  assert.equal(checkName("reports", ["report"]).ok, true);
});

test("recent rooms: newest first, once each, six; a store that is broken or hostile gives none", () => {
  const data = new Map();
  const store = { getItem: (key) => data.get(key) ?? null, setItem: (key, value) => data.set(key, value) };
  for (const name of ["a", "b", "c", "a", "d", "e", "f", "g"]) rememberRoom(name, store);
  assert.deepEqual(recentRooms(store), ["g", "f", "e", "d", "a", "c"]);
  data.set([...data.keys()][0], '["ok","../x","<b>",7]');
  assert.deepEqual(recentRooms(store), ["ok"]);
  for (const text of ["{", "7", "{}"]) assert.deepEqual(recentRooms({ getItem: () => text, setItem() {} }), []);
  assert.doesNotThrow(() => rememberRoom("a", { getItem: () => null, setItem() { throw new Error("full"); } }));
});

test("events keep listed fields only, and never a name", () => {
  const person = { session_id: "r1", user_name: "Ada", user_id: "u" };
  const payload = { type: "sfu", event: "interrupted", participant: person, participants: { local: person }, errorMsg: "Ada", error: { type: "ejected", msg: "Ada" }, reason: "hidden" };
  for (const type of EVENT_TYPES) assert.doesNotMatch(JSON.stringify(eventRecord(type, payload, 1)), /Ada/, type);
  assert.deepEqual(eventRecord("network-connection", payload, 5), { t: 5, type: "network-connection", connection: "sfu", event: "interrupted" });
  assert.deepEqual(eventRecord("participant-left", payload, 5), { t: 5, type: "participant-left", session_id: "r1", reason: "hidden" });
  assert.deepEqual(eventRecord("error", payload, 5), { t: 5, type: "error", error: "ejected" });
  assert.equal(eventRecord("app-message", payload, 5), null);
  assert.equal(eventRecord("toString", payload, 5), null);
  assert.deepEqual(eventRecord("network-quality-change", null, 5), { t: 5, type: "network-quality-change" });
});

test("the three kinds of rejection", () => {
  assert.equal(dailyError("Failed to load").code, "connection-error");
  assert.equal(dailyError({ action: "error", errorMsg: "x", error: { type: "exp-room", msg: "Expired" } }).code, "exp-room");
  assert.deepEqual(dailyError(new Error("Duplicate instances")), { code: "daily-failed", detail: "Duplicate instances" });
  for (const odd of [undefined, null, 7, {}, { error: { type: "<b>" } }]) assert.equal(dailyError(odd).code, "daily-failed");
});

test("every code has words, known or not", () => {
  for (const code of ["invalid-room-name", "daily-token-missing", "daily-auth-failed", "daily-error", "daily-timeout", "rate-limited", "server-unreachable", "join-timeout",
    "daily-js-missing", "ejected", "meeting-full", "exp-room", "no-room", "not-allowed", "connection-error", "end-of-life"]) {
    assert.notEqual(errorWords(code).title, errorWords("never-heard-of").title, code);
  }
  for (const code of ["never-heard-of", "constructor", ""]) assert.equal(errorWords(code).title, "The call failed");
  assert.notEqual(cameraWords("permissions"), cameraWords("toString"));
});

const server = (answer) => mintRoom("ana", { fetch: async () => answer, base: "http://localhost:8080/ana", now: () => 0 });
const json = (status, body, headers = {}) => new Response(JSON.stringify(body), { status, headers });

test("minting: the room, with an absolute address for beacons", async () => {
  const { room } = await server(json(200, { name: "meet-ana", url: "https://x.daily.co/meet-ana", beaconUrl: "/beacon" }));
  assert.deepEqual(room, { name: "meet-ana", url: "https://x.daily.co/meet-ana", beaconUrl: "http://localhost:8080/beacon", meetingToken: null, grant: null });
});

test("minting: what opens a private room, and what beacons have to show", async () => {
  const base = { url: "https://x.daily.co/meet-ana", beaconUrl: "/beacon" };
  const { room } = await server(json(200, { ...base, meetingToken: "a.b.c", pageToken: "t", pageTokenLifeMs: 9 }));
  assert.deepEqual([room.meetingToken, room.grant], ["a.b.c", { token: "t", lifeMs: 9 }]);
  for (const wrong of [{ meetingToken: 7, pageToken: 7, pageTokenLifeMs: 9 }, { pageToken: "t" }, { pageToken: "t", pageTokenLifeMs: "x" }]) {
    const { room } = await server(json(200, { ...base, ...wrong }));
    assert.deepEqual([room.meetingToken, room.grant], [null, null]);
  }
});

test("minting: refusals", async () => {
  const refusal = async (answer) => { const { code, retryAfterMs } = (await server(answer)).refusal; return [code, retryAfterMs]; };
  assert.deepEqual(await refusal(json(503, { error: "daily-token-missing", message: "m" })), ["daily-token-missing", null]);
  assert.deepEqual(await refusal(json(429, { error: "too-many-rooms", message: "m" }, { "Retry-After": "7" })), ["too-many-rooms", 7_000]);
  assert.deepEqual(await refusal(json(503, {}, { "Retry-After": "3" })), ["rate-limited", 3_000]);
  assert.deepEqual(await refusal(new Response("<h1>Bad gateway</h1>", { status: 502 })), ["server-error", null]);
  assert.deepEqual(await refusal(json(200, { url: "javascript:alert(1)", beaconUrl: "/" })), ["server-error", null]);
  const failed = await mintRoom("ana", { fetch: () => Promise.reject(new TypeError("Failed to fetch")) });
  assert.equal(failed.refusal.code, "server-unreachable");
  const hung = await mintRoom("ana", { timeoutMs: 5, fetch: (_, { signal }) => new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))) });
  assert.equal(hung.refusal.code, "server-unreachable");
});

const reading = (latest) => ({ timestamp: 0, latest, stats: {}, network: {} });
const good = reading({ totalSendPacketLoss: 0.002, networkRoundTripTime: 0.06 });
const poor = reading({ totalSendPacketLoss: 0.15, networkRoundTripTime: 0.06 });
const levels = (readings) => { const connection = new Connection(); return readings.map((one, i) => connection.push(one, i * 2_000).level); };

test("the limits are Daily's, the worst decides, and nothing measured is no verdict", () => {
  assert.deepEqual(judge({ totalRecvPacketLoss: 0.05, networkRoundTripTime: 0.1 }), { rank: 1, cause: "download" });
  assert.deepEqual(judge({ videoSendPacketLoss: 0.1 }), { rank: 2, cause: "upload" });
  assert.equal(judge({ totalSendPacketLoss: 0.0499, networkRoundTripTime: 0.2999 }).rank, 0);
  assert.deepEqual(judge({ networkRoundTripTime: 0.6 }), { rank: 2, cause: "delay" });
  assert.equal(judge({ totalSendPacketLoss: null, sendBitsPerSecond: 0 }), null);
});

test("the sign falls after 3 of 5, rises after 5, and forgets after 10 s", () => {
  assert.deepEqual(levels([good, good, good]), ["measuring", "measuring", "good"]);
  assert.deepEqual(levels([good, good, good, poor, good, poor, poor]).at(-2), "good");
  assert.deepEqual(levels([good, good, good, poor, good, poor, poor]).at(-1), "poor");
  const rising = levels([poor, poor, poor, good, good, good, good, good]);
  assert.deepEqual(rising.slice(-2), ["poor", "good"]);
  assert.deepEqual(levels([good, good, good, null, null, null, null, null, null]).at(-1), "measuring");
});

test("the trouble that was told stays told as long as it lasts, though another joins it", () => {
  const connection = new Connection();
  const slow = reading({ totalSendPacketLoss: 0.002, networkRoundTripTime: 0.9 });
  const causes = [poor, poor, poor, slow, poor, slow, slow, slow, slow, slow].map((one, i) => connection.push(one, i * 2_000).cause);
  assert.deepEqual(causes, [null, null, "upload", "upload", "upload", "upload", "upload", "upload", "upload", "delay"]);
  for (let i = 10; i < 15; i += 1) connection.push(good, i * 2_000);
  assert.equal(connection.at(30_000).cause, null);
});

test("the numbers behind the sign: what was not measured is a dash, and what is old is not called now", () => {
  const plain = (latest) => Object.fromEntries(Object.entries(valuesOf(latest)).map(([name, { text, level }]) => [name, `${text.replace("\u00a0", " ")} ${level}`.trim()]));
  assert.deepEqual(plain({}), { "bitrate-sent": "–", "bitrate-received": "–", "loss-sent": "–", "loss-received": "–", "round-trip": "–" });
  assert.deepEqual(plain({ sendBitsPerSecond: 0, recvBitsPerSecond: 1.9e6, totalSendPacketLoss: 0.02, videoSendPacketLoss: 0.11, totalRecvPacketLoss: null, networkRoundTripTime: 0.35 }),
    { "bitrate-sent": "0 b/s", "bitrate-received": "1.9 Mb/s", "loss-sent": "11 % poor", "loss-received": "–", "round-trip": "350 ms fair" });
  assert.match(noteOf(2_000), /^Measured 2 s ago, between you and the media server\. What others see of each other is not known/);
  assert.match(noteOf(14_000), /^Last measured 14 s ago; how it is now is not known\./);
  assert.match(noteOf(-500), /^Measured 0 s ago/);
});

test("browsers and systems by their names", () => {
  const mac = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko)";
  for (const [agent, browser, os] of [
    [`${mac} Chrome/156.0.0.0 Safari/537.36`, "Chrome 156", "macOS"],
    [`${mac} Chrome/156.0.0.0 Safari/537.36 Edg/155.0`, "Edge 155", "macOS"],
    ["Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0", "Firefox 153", "Linux"],
    ["Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1", "Safari 18", "iOS"],
    ["Mozilla/5.0 (Linux; Android 16) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0 Mobile Safari/537.36", "Chrome 156", "Android"],
  ]) assert.deepEqual(clientName(agent), { browser, os });
  assert.equal(clientName(`${mac} Version/18.0 Safari/605`, 5).os, "iOS");
  assert.deepEqual(clientName("curl/8"), {});
});
