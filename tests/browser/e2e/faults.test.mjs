// What goes wrong around a call: the page says what and what to do, and no reading is lost.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after } from "node:test";
import { asked, enter, happens, reaches, readings, readingsGiven } from "./world/call-page.mjs";
import { closeBrowser, closeTab, person, test } from "./world/chromium.mjs";
import { KEY } from "./world/fake-daily.mjs";
import { listen } from "./world/http.mjs";
import { beacons, events, from, times } from "./world/log.mjs";
import { meetingPlace } from "./world/meeting-place.mjs";
import { until } from "./world/until.mjs";

after(closeBrowser);

/** Chromium's own line on the console for an answer that is an error. */
const answered = (status) => new RegExp(`status of ${status} `);
const REFUSED = /ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE/;
const seen = (page, text) => page.getByText(text).first().waitFor();

test("without a key the pages say what to set and where to get it", async (t) => {
  const { server, fakeDaily } = await meetingPlace(t, { key: null });
  const { page, watched } = await person(t);
  await page.goto(`${server.origin}/`);
  await seen(page, "Calls need a Daily API key.");
  assert.equal(await page.getByRole("link", { name: "Get a key" }).getAttribute("href"), "https://dashboard.daily.co/developers");

  await enter(page, server.origin, "ana");
  await reaches(page, "error", "daily-token-missing");
  await seen(page, "Calls are not set up yet");
  await seen(page, /set DAILY_TOKEN in the environment or in \.env, then restart.*dashboard\.daily\.co\/developers/);
  await page.getByRole("button", { name: "Try again" }).waitFor();
  await page.getByRole("link", { name: "Back to start" }).click();
  await page.waitForURL(`${server.origin}/`);
  assert.deepEqual(fakeDaily.asked, []);
  watched.clean(answered(503));
});

test("a wrong key is told as such, and not to the browser", async (t) => {
  const key = "wrong-key-that-nobody-sees";
  const { server, fakeDaily } = await meetingPlace(t, { key });
  const { page, watched } = await person(t);
  const answer = page.waitForResponse(`${server.origin}/api/rooms`);
  await enter(page, server.origin, "ana");
  await reaches(page, "error", "daily-auth-failed");
  await seen(page, "Daily refuses this server’s key");
  assert.equal(fakeDaily.asked[0].authorization, `Bearer ${key}`);
  for (const text of [await page.content(), await (await answer).text(), server.stderr]) assert.ok(!text.includes(key));
  watched.clean(answered(502));
});

test("Daily is down, and the room opens by a click when it is back", async (t) => {
  const { server, fakeDaily } = await meetingPlace(t);
  fakeDaily.fault = "server error";
  const { page, watched } = await person(t);
  await enter(page, server.origin, "ana");
  await reaches(page, "error", "daily-error");
  await seen(page, "Daily could not open the room");
  fakeDaily.fault = null;
  await page.getByRole("button", { name: "Try again" }).click();
  await reaches(page, "joined");
  watched.clean(answered(502));
});

test("nobody answers where Daily should be", async (t) => {
  let origin;
  // A port that was free a moment ago.
  await t.test("find one", async (inner) => { origin = await listen(inner, () => {}); });
  const { server } = await meetingPlace(t, { daily: `${origin}/v1` });
  const { page, watched } = await person(t);
  await enter(page, server.origin, "ana");
  await reaches(page, "error");
  assert.match(await page.locator("#call").getAttribute("data-error"), /^daily-(error|timeout)$/);
  await page.getByRole("button", { name: "Try again" }).waitFor();
  watched.clean(answered("50[24]"));
});

test("a name that no room can have is corrected before it is used", async (t) => {
  const { server, fakeDaily } = await meetingPlace(t);
  const { page, watched } = await person(t);
  await page.goto(`${server.origin}/`);
  const name = page.getByLabel("Room name");
  for (const [typed, says] of [["", "Give the room a name."], ["x".repeat(65), "Up to 64 characters."], ["report", "one of this site's own pages"], ["Café ana", "Letters, digits, - and _ only."]]) {
    await name.fill(typed);
    await page.keyboard.press("Enter");
    await seen(page, says);
    assert.equal(await name.getAttribute("aria-invalid"), "true");
    assert.equal(page.url(), `${server.origin}/`);
  }
  await page.getByRole("button", { name: "Cafe-ana" }).click();
  await page.keyboard.press("Enter");
  await page.waitForURL(`${server.origin}/Cafe-ana`);
  await reaches(page, "joined");
  assert.deepEqual(fakeDaily.asked.map((one) => one.name), ["meet-Cafe-ana"]);

  // By its address no invalid name gets as far as a call either.
  for (const [path, heading] of [["/caf%C3%A9", "Not a room name"], ["/%3Cimg%20src=x%20onerror=alert(1)%3E", "Not a room name"], ["/a.b", "Nothing here"], ["/report.", "Nothing here"]]) {
    assert.equal((await page.goto(server.origin + path)).status(), 404);
    assert.equal(await page.getByRole("heading").textContent(), heading);
  }
  watched.clean(answered(404));
});

// With page tokens the new server knows none of those that the old one gave out.
for (const args of [[], ["--page-token", "required"]]) test(`the collector dies and comes back in mid-call: no reading is lost (${args.join(" ") || "as usual"})`, async (t) => {
  const { server, frames, fakeDaily } = await meetingPlace(t, { args });
  const [ana, ben] = [await person(t), await person(t)];
  for (const { page } of [ana, ben]) {
    await enter(page, server.origin, "ana");
    await reaches(page, "joined");
  }
  await ana.page.getByText("Stats are being saved").waitFor();
  await server.kill();
  await ana.page.getByText("Stats can’t be sent right now; they are kept and sent later").waitFor();
  await ben.page.getByText("Stats can’t be sent right now; they are kept and sent later").waitFor();
  await readingsGiven(ana.page, (await readings(ana.page)).length + 3);
  // Ben goes while nobody listens; what he read waits in his browser for his next call.
  const readByBen = await readings(ben.page);
  await closeTab(ben.page);

  await server.restart();
  await ana.page.getByText("Stats are being saved").waitFor({ timeout: 20_000 });
  const again = await ben.context.newPage();
  await enter(again, server.origin, "ana");
  await reaches(again, "joined");
  await happens(ana.page, "left");
  await ana.page.getByText("All stats are saved.").waitFor();
  const readByAna = await readings(ana.page);

  const [anasId, bensId] = frames.sessions["meet-ana"];
  const missing = (read, id) => read.filter((t) => !times(from(beacons(server.log), id)).includes(t));
  await until("everything in the log", () => missing(readByAna, anasId).length + missing(readByBen, bensId).length === 0);
  const seq = [...new Set(from(beacons(server.log), anasId).map((beacon) => beacon.seq))].sort((a, b) => a - b);
  assert.deepEqual(seq, seq.map((_, n) => n));
  // The server forgot the room with its life, and finds it at Daily: taken, so ask for it.
  assert.deepEqual(fakeDaily.asked.map(({ method, path }) => `${method} ${path}`), ["POST /v1/rooms", "POST /v1/rooms", "GET /v1/rooms/meet-ana"]);
  assert.ok(fakeDaily.asked.every((one) => one.authorization === `Bearer ${KEY}`));
  assert.ok(!readFileSync(server.log, "utf8").includes("pageToken"));
  const expected = args.length > 0 ? new RegExp(`${REFUSED.source}|${answered(403).source}`) : REFUSED;
  ana.watched.clean(expected);
  ben.watched.clean(expected);
});

test("a room that has expired", async (t) => {
  const { server, frames } = await meetingPlace(t);
  frames.rooms["meet-ana"] = { joinError: "exp-room" };
  const { page, watched } = await person(t);
  await enter(page, server.origin, "ana");
  await reaches(page, "error", "exp-room");
  await seen(page, "This room has expired");
  await seen(page, "Choose another room name.");
  await page.getByRole("link", { name: "Back to start" }).waitFor();
  assert.ok(await page.getByRole("button", { name: "Try again" }).isHidden(), "trying again cannot help");
  watched.clean();
});

test("who is removed is no longer measured, and can come back", async (t) => {
  const { server, frames } = await meetingPlace(t);
  const [ana, ben] = [await person(t), await person(t)];
  for (const { page } of [ana, ben]) {
    await enter(page, server.origin, "ana");
    await reaches(page, "joined");
    await readingsGiven(page, 2);
  }
  await happens(ana.page, "fatal:ejected");
  await reaches(ana.page, "error", "ejected");
  await seen(ana.page, "You were removed from the call");
  await ana.page.getByText("All stats are saved.").waitFor();
  const read = await readings(ana.page);
  const [anasId, bensId] = frames.sessions["meet-ana"];
  const theirs = (id) => from(beacons(server.log), id);
  assert.deepEqual(times(theirs(anasId)), read);
  assert.deepEqual(events(theirs(anasId), "error").map((event) => event.error), ["ejected"]);

  // Ben's beacons are the clock: while he sends three more, nothing more comes from Ana, not even a sign of life.
  const [n, m] = [theirs(anasId).length, theirs(bensId).length];
  await until("three more beacons of Ben", () => theirs(bensId).length >= m + 3);
  assert.equal(theirs(anasId).length, n);

  await ana.page.getByRole("button", { name: "Try again" }).click();
  await reaches(ana.page, "joined");
  await until("readings of Ana's second time", () => times(theirs(frames.sessions["meet-ana"][2])).length > 0);
  ana.watched.clean();
  ben.watched.clean();
});

test("the sign of one's own connection: measuring, good, poor with one sentence said once, numbers for who asks", async (t) => {
  const { server, frames } = await meetingPlace(t);
  frames.rooms["meet-ana"] = { stats: "empty*3,good*8,bad" };
  const { page, watched } = await person(t);
  // What a screen reader would be told, in order.
  await page.addInitScript(() => addEventListener("DOMContentLoaded", () => {
    const cause = document.getElementById("strip-cause");
    if (!cause) return;
    window.__told = [];
    new MutationObserver(() => { window.__told.push(cause.textContent.trim()); }).observe(cause, { childList: true, characterData: true, subtree: true });
  }));
  await enter(page, server.origin, "ana");
  await reaches(page, "joined");
  const sign = page.getByRole("button", { name: /: details$/ });
  const bars = () => page.locator(".bars rect").evaluateAll((all) => all.filter((bar) => getComputedStyle(bar).fill !== "none").length);
  await page.getByText("Measuring…").waitFor();
  assert.equal(await bars(), 0, "unknown is not good");
  await page.getByText("Good connection").waitFor();
  assert.equal(await bars(), 4);
  assert.equal(await page.locator("#strip-cause").innerText(), "");
  await sign.click();
  const panel = page.getByRole("region", { name: "Your connection now" });
  await panel.getByText("1.2 Mb/s").waitFor();
  await panel.getByText(/^Measured \d+ s ago, between you and the media server\. What others see/).waitFor();
  await page.getByText("Poor connection").waitFor();
  assert.equal(await bars(), 1);
  assert.equal((await panel.locator("[data-value=loss-sent]").textContent()).replace(/\s/, " "), "15 %");
  assert.equal(await panel.locator("[data-value=loss-sent]").getAttribute("class"), "poor");
  await page.keyboard.press("Escape");
  assert.ok(await panel.isHidden());
  assert.ok(await sign.evaluate((button) => button === document.activeElement));
  await readingsGiven(page, 20);
  assert.deepEqual(await page.evaluate(() => window.__told), ["Your upload is losing packets. Others may hear you break up. Turn off your camera, or move closer to the router."]);
  // Nor is an interruption told again with every reading.
  await happens(page, "connection:sfu:interrupted");
  await page.getByText("The connection is interrupted.").waitFor();
  assert.equal(await bars(), 0);
  const given = (await readings(page)).length;
  await readingsGiven(page, given + 4);
  assert.equal((await page.evaluate(() => window.__told)).length, 2);
  await happens(page, "left");
  await reaches(page, "left");
  watched.clean();
});

test("Daily leaves a question about the stats unanswered", async (t) => {
  const { server, frames } = await meetingPlace(t);
  frames.rooms["meet-ana"] = { stats: "good*2,hang*2,good" };
  const { page, watched } = await person(t);
  await enter(page, server.origin, "ana");
  await reaches(page, "joined");
  await until("the question that hangs", async () => (await asked(page)) >= 3);
  // Meanwhile the participant is there: heartbeats, with nothing measured in them.
  await until("heartbeats", () => beacons(server.log).filter((beacon) => Object.keys(beacon.stats).length === 0 && !("samples" in beacon)).length >= 2);
  await readingsGiven(page, 5, { withinMs: 25_000 });
  const read = await readings(page);
  await until("the readings after the silence", () => times(beacons(server.log)).length >= read.length);
  assert.equal(await page.locator("#call").getAttribute("data-state"), "joined");
  watched.clean();
});

test("the meeting session changes in mid-call: two calls in the report", async (t) => {
  const { server, frames } = await meetingPlace(t);
  const { page, watched } = await person(t);
  await enter(page, server.origin, "ana");
  await reaches(page, "joined");
  await readingsGiven(page, 3);
  await happens(page, "newsession:second-meeting");
  await readingsGiven(page, (await readings(page)).length + 3);
  await happens(page, "left");
  await page.getByText("All stats are saved.").waitFor();
  const read = await readings(page);

  const log = beacons(server.log);
  const [first, second] = ["e234c5a0-07aa-4bbb-8ccc-0123456789ab", "second-meeting"].map((id) => log.filter((beacon) => beacon.meetingSessionId === id));
  assert.equal(first.length + second.length, log.length);
  assert.ok(times(first).length >= 3 && times(second).length >= 2);
  assert.deepEqual([...times(first), ...times(second)], read);
  assert.deepEqual(new Set(log.map((beacon) => beacon.sessionId)), new Set(frames.sessions["meet-ana"]));
  await until("both calls, whole", async () => {
    const { calls } = await (await fetch(`${server.origin}/report/data/report.json`)).json();
    return calls.map((call) => `${call.meetingSessionId} ${call.samples}`).join() === `second-meeting ${times(second).length},${first[0].meetingSessionId} ${times(first).length}`;
  });
  // The overview is written last, after the data.
  await until("both in the overview", async () => {
    await page.goto(`${server.origin}/report/`);
    return (await page.locator("table.calls tbody th").allTextContents()).join() === "meet-ana,meet-ana";
  });
  watched.clean();
});
