// People in a call, from the form on the start page to the dashboard: the real page, the real daily-js, the real collector
// and the real report, in a real browser. Only Daily's side is a fake.

import assert from "node:assert/strict";
import { after } from "node:test";
import { enter, happens, reaches, readings, readingsGiven } from "./world/call-page.mjs";
import { closeBrowser, closeTab, person, test } from "./world/chromium.mjs";
import { KEY } from "./world/fake-daily.mjs";
import { beacon, beacons, columns, events, from, times, values } from "./world/log.mjs";
import { meetingPlace } from "./world/meeting-place.mjs";
import { everyPanelDrawn, inkOfCharts, numbers } from "./world/report-page.mjs";
import { until } from "./world/until.mjs";

after(closeBrowser);

test("two people join, one leaves, the dashboard shows it", async (t) => {
  const { server, frames, fakeDaily } = await meetingPlace(t);
  frames.rooms["meet-ana"] = { stats: "empty,good*4,warning", name: "Ada" };
  const [ana, ben] = [await person(t), await person(t)];

  // Joining, one after the other: the second one finds the room made already.
  await enter(ana.page, server.origin, "ana");
  await reaches(ana.page, "joined");
  await enter(ben.page, server.origin, "ana");
  await reaches(ben.page, "joined");
  assert.deepEqual(fakeDaily.asked.map(({ method, path, authorization }) => [method, path, authorization]).at(0), ["POST", "/v1/rooms", `Bearer ${KEY}`]);
  assert.equal(fakeDaily.asked[0].name, "meet-ana");
  assert.ok(ana.watched.requests.some((url) => url.startsWith(server.origin) && url.endsWith("/daily.js")),
    "daily-js comes out of the binary: run site-templates/vendor.sh and build again");

  // Good at first, then not, and the strip says so and what to do.
  await ana.page.getByText("Good connection").waitFor();
  await ana.page.getByText("Fair connection").waitFor();
  await ana.page.getByText("Your upload is losing packets.").waitFor();
  await ana.page.getByText("Stats are being saved").waitFor();

  // Ana leaves with Daily's own button; Ben stays for a while, then closes his tab.
  await happens(ana.page, "left");
  await reaches(ana.page, "left");
  await ana.page.getByText("All stats are saved.").waitFor();
  const readByAna = await readings(ana.page);
  const before = (await readings(ben.page)).length;
  await readingsGiven(ben.page, before + 3);
  const readByBen = await readings(ben.page);
  await closeTab(ben.page);

  // The log: every reading that both pages were given, and nothing else.
  const [anasId, bensId] = frames.sessions["meet-ana"];
  assert.equal(frames.sessions["meet-ana"].length, 2);
  assert.notEqual(anasId, bensId);
  await until("all readings in the log", () => {
    const log = beacons(server.log);
    return times(from(log, anasId)).length === readByAna.length && times(from(log, bensId)).length >= readByBen.length;
  });
  const log = beacons(server.log);
  assert.deepEqual(new Set(log.map((beacon) => beacon.sessionId)), new Set([anasId, bensId]));
  for (const beacon of log) {
    assert.equal(beacon.v, 1);
    assert.equal(beacon.source, "daily");
    assert.equal(beacon.room, `${frames.origin}/meet-ana`);
    assert.equal(beacon.meetingSessionId, "e234c5a0-07aa-4bbb-8ccc-0123456789ab");
    assert.ok(Math.abs(beacon._rx.t - Date.now()) < 60_000, "_rx.t is now, in ms");
    assert.equal(Object.keys(beacon).at(-1), "_rx");
    assert.match(beacon.client.browser, /^Chrom(e|ium) \d+$/);
    assert.ok(!("name" in beacon), "no name leaves the browser unasked");
  }
  assert.ok(!JSON.stringify(log).includes("Ada"), "nor does it inside an event");
  for (const id of [anasId, bensId]) {
    const seq = [...new Set(from(log, id).map((beacon) => beacon.seq))].sort((a, b) => a - b);
    assert.deepEqual(seq, seq.map((_, n) => n), "numbered from 0 without a gap");
    assert.equal(events(from(log, id), "joined-meeting").length, 1);
    assert.equal(events(from(log, id), "camera-state").length, 1, "and nobody switched it");
  }
  assert.deepEqual(times(from(log, anasId)), readByAna);
  assert.deepEqual(times(from(log, bensId)).slice(0, readByBen.length), readByBen);
  assert.equal(events(from(log, anasId), "left-meeting").length, 1);
  assert.equal(events(from(log, bensId), "left-meeting").length, 0);
  assert.ok(events(log, "network-quality-change").some((event) => event.networkState === "warning" && event.networkStateReasons.includes("sendPacketLoss")));

  // The dashboard, opened by the link that Ana sees.
  const { page } = ana;
  await page.getByRole("link", { name: "Open the report" }).click();
  const row = page.locator("table.calls tbody tr");
  await until("the call in the table, with everybody", async () => {
    await page.reload();
    return (await row.count()) === 1 && (await row.locator("td.n").nth(1).textContent()) === "2";
  });
  assert.equal(await row.locator("th").textContent(), "meet-ana");
  await until("the page of the whole call", async () => {
    await page.goto(`${server.origin}/report/`);
    await page.locator("#calls-body").getByRole("link", { name: "meet-ana" }).click();
    return page.getByText(`${times(from(log, anasId)).length + times(from(log, bensId)).length} readings`).isVisible();
  });
  assert.deepEqual(await page.locator("ol.lanes b[title]").evaluateAll((people) => people.map((one) => one.title)), [anasId, bensId]);
  assert.equal(await page.locator("code[title=meetingSessionId]").textContent(), "e234c5a0-07aa-4bbb-8ccc-0123456789ab");

  assert.ok((await everyPanelDrawn(page)) >= 10);
  for (const ink of await inkOfCharts(page)) assert.ok(ink > 20, `a chart has only ${ink} pixels of lines`);

  // The numbers are those of the log.
  const table = await numbers(page);
  const data = await page.evaluate(async (href) => (await fetch(href)).json(),
    await page.getByRole("link", { name: "Everything as JSON" }).first().getAttribute("href"));
  assert.deepEqual(data.participants.map((one) => one.sessionId), [anasId, bensId]);
  for (const [n, id] of [anasId, bensId].entries()) {
    const theirs = from(log, id);
    assert.equal(data.participants[n].samples, times(theirs).length);
    assert.equal(data.participants[n].client.browser, theirs[0].client.browser);
    for (const [metric, title] of [["sendBitsPerSecond", "Bitrate, sent"], ["networkRoundTripTime", "Round-trip time"], ["totalSendPacketLoss", "Packet loss, sent"]]) {
      const measured = values(theirs, metric);
      const { count, missing, mean, min, max } = data.participants[n].metrics[metric];
      assert.deepEqual({ count, missing, min, max }, { count: measured.length, missing: 0, min: Math.min(...measured), max: Math.max(...measured) });
      assert.ok(Math.abs(mean - measured.reduce((a, b) => a + b) / measured.length) < 1e-9 * mean);
      assert.ok(table[title], `no ${title} among ${Object.keys(table)}`);
      assert.equal(Number(table[title][n].Count), measured.length);
      assert.match(table[title][n].Missing, /^[0–]$/);
    }
    assert.deepEqual([table["Round-trip time"][n].Min, table["Round-trip time"][n].Max], ["60 ms", "350 ms"]);
  }

  ana.watched.clean();
  ben.watched.clean();
  assert.equal(await server.stop(), 0);
});

test("closing the tab sends what was read since the last beacon", async (t) => {
  const { server, frames } = await meetingPlace(t, { pace: { sample: "500ms", beacon: "10m" } });
  const { page, watched } = await person(t);
  await enter(page, server.origin, "ana");
  await reaches(page, "joined");
  await readingsGiven(page, 4);
  const read = await readings(page);
  await closeTab(page);
  await until("the readings in the log", () => times(beacons(server.log)).length >= read.length);
  assert.deepEqual(times(beacons(server.log)).slice(0, read.length), read);
  assert.deepEqual(new Set(beacons(server.log).map((beacon) => beacon.sessionId)), new Set(frames.sessions["meet-ana"]));
  watched.clean();
});

/** Hands a beacon to the collector as a page does. */
async function post(server, body) {
  const answer = await fetch(`${server.origin}/beacon`, { method: "POST", body: JSON.stringify(body) });
  assert.equal(answer.status, 204);
}

test("an open overview shows the next call by itself, scrolled as it was", async (t) => {
  const { server } = await meetingPlace(t);
  const start = Date.now() - 3_600_000;
  for (let n = 0; n < 40; n += 1) await post(server, beacon(columns(start + n * 20_000, 3), { meetingSessionId: `m${n}` }));
  const { page, watched } = await person(t);
  const rows = page.locator("table.calls tbody tr");
  await until("40 calls", async () => {
    await page.goto(`${server.origin}/report/`);
    return (await rows.count()) === 40;
  });
  // A reload would lose this mark.
  await page.evaluate(() => { window.__mark = true; window.scrollTo(0, 700); });
  await rows.nth(20).getByRole("link").focus();
  const scrolled = await page.evaluate(() => window.scrollY);
  assert.ok(scrolled > 0);

  await post(server, beacon(columns(start - 3_600_000, 3), { meetingSessionId: "one more", room: "https://example.daily.co/meet-new" }));
  await rows.nth(40).waitFor();
  assert.equal(await rows.nth(40).locator("th").textContent(), "meet-new");
  assert.deepEqual(await page.evaluate(() => [window.__mark, window.scrollY]), [true, scrolled]);
  assert.ok(await rows.nth(20).getByRole("link").evaluate((link) => link === document.activeElement), "the focus is where it was");
  watched.clean();
});

test("an open overview keeps filter, order, typing, scroll and times while newer builds come; it says when they no longer do", async (t) => {
  const { server } = await meetingPlace(t);
  const start = Date.UTC(2026, 10, 23, 9);
  const room = (n) => `https://example.daily.co/meet-${n % 2 ? "ana" : "ben"}`;
  for (let n = 0; n < 120; n += 1) await post(server, beacon(columns(start + n * 20_000, 3 + n % 5), { meetingSessionId: `m${n}`, room: room(n) }));
  const { page, watched } = await person(t, { timezoneId: "Asia/Tokyo" });
  await page.clock.install();
  const rows = page.locator("#calls-body tr");
  await until("120 calls", async () => {
    await page.goto(`${server.origin}/report/`);
    return /^120 calls/.test(await page.locator("#calls-said").textContent());
  });
  await page.goto(`${server.origin}/report/#time=local&sort=duration&text=meet-ana`);
  await page.reload();
  await until("those of ana", async () => (await rows.count()) === 60);
  await page.locator("details.more > summary").first().waitFor();
  await page.locator("#minutes-all, #scores-all").first().locator("xpath=ancestor::section").getByText("Table", { exact: true }).click();
  await page.evaluate(() => { window.__mark = true; window.scrollTo(0, 600); });
  await page.locator("#find-text").focus({ preventScroll: true });
  await page.keyboard.press("End");
  await page.keyboard.press("ArrowLeft");
  const look = () => page.evaluate(() => {
    const search = document.getElementById("find-text");
    return {
      mark: window.__mark, y: window.scrollY, hash: location.hash, text: search.value, caret: search.selectionStart, focused: document.activeElement === search,
      sorted: document.querySelector("[aria-sort]")?.dataset.sort, zone: document.getElementById("calls-zone").textContent,
      first: document.querySelector("#calls-body time").textContent, tables: document.querySelectorAll(".plot-foot details[open]").length,
    };
  });
  const before = await look();
  assert.ok(before.y > 0 && before.focused && before.tables === 1 && before.zone === "Asia/Tokyo", JSON.stringify(before));
  await post(server, beacon(columns(start - 3_600_000, 4), { meetingSessionId: "one more", room: room(1) }));
  await until("one more", async () => {
    await page.clock.runFor(4_500);
    return (await rows.count()) === 61;
  });
  assert.deepEqual(await look(), before);

  // A server that is gone changes nothing but for one line that says so, until it is back.
  await server.kill();
  const told = page.locator(".silence-told");
  await until("it says so", async () => {
    await page.clock.runFor(30_000);
    return /^No answer from the server since /.test(await told.textContent());
  });
  assert.deepEqual(await look(), before);
  await server.restart();
  await until("all is well", async () => {
    await page.clock.runFor(60_500);
    return (await told.textContent()) === "";
  });
  assert.deepEqual(await look(), before);
  watched.clean(/ERR_CONNECTION_(REFUSED|RESET)|ERR_EMPTY_RESPONSE/);
});

test("an open page of a call keeps who was picked, how it is drawn and the window, while the call goes on", async (t) => {
  const { server } = await meetingPlace(t);
  const start = Date.now() - 600_000;
  for (const n of [1, 2, 3]) await post(server, beacon(columns(start + n, 60), { sessionId: `s${n}` }));
  const { page, watched } = await person(t);
  await page.clock.install();
  await until("the call", async () => {
    await page.goto(`${server.origin}/report/`);
    return (await page.locator("#calls-body a").count()) === 1;
  });
  const path = await page.locator("#calls-body a").getAttribute("href");
  await until("all three", async () => {
    await page.goto(`${server.origin}/report/${path}`);
    return (await page.locator("button.who").count()) === 3;
  });
  await page.goto(`${server.origin}/report/${path}#zoom=20-80&people=2`);
  await page.reload();
  await page.locator(".lanes li.away").first().waitFor();
  await page.evaluate(() => { window.__mark = true; window.scrollTo(0, 150); });
  const look = () => page.evaluate(() => ({
    mark: window.__mark, y: window.scrollY, hash: location.hash,
    shown: [...document.querySelectorAll(".lanes li:not(.away)")].map((li) => li.dataset.p),
    pressed: [...document.querySelectorAll("button.who[aria-pressed=true]")].map((button) => button.dataset.person),
    ruler: [...document.querySelectorAll(".ruler-time span")].map((tick) => tick.textContent),
  }));
  const before = await look();
  assert.deepEqual([before.shown, before.pressed], [["2"], ["2"]]);
  await post(server, beacon(columns(start + 120_000, 7), { seq: 1, sessionId: "s2" }));
  await until("the call goes on", async () => {
    await page.clock.runFor(4_500);
    return (await page.getByText("187 readings").count()) === 1;
  });
  assert.deepEqual(await look(), before);
  watched.clean();
});

test("an open page of a call goes on with the call, zoomed and scrolled as it was", async (t) => {
  const { server } = await meetingPlace(t);
  const start = Date.now() - 600_000;
  await post(server, beacon(columns(start, 60)));
  const { page, watched } = await person(t);
  await until("the call", async () => {
    await page.goto(`${server.origin}/report/`);
    return (await page.locator("#calls-body").getByRole("link", { name: "meet-ana" }).count()) === 1;
  });
  await page.locator("#calls-body").getByRole("link", { name: "meet-ana" }).click();
  const chart = page.locator("[data-panel] .chart-time").first();
  await chart.scrollIntoViewIfNeeded();
  await chart.locator("canvas").waitFor();
  const zoom = () => chart.evaluate((element) => {
    const { min, max } = globalThis.echarts.getInstanceByDom(element).getOption().xAxis[0];
    return [min, max];
  });
  const whole = await zoom();
  const back = page.getByRole("button", { name: "Show the whole call" }).first();
  assert.ok(await back.isHidden());

  // Ctrl and the wheel zoom in; the wheel alone scrolls the page.
  await chart.hover();
  await page.keyboard.down("Control");
  for (let n = 0; n < 5; n += 1) await page.mouse.wheel(0, -100);
  await page.keyboard.up("Control");
  await back.waitFor();
  // Charts are drawn when the page has time for it; five turns of the wheel leave a sixth of the call.
  await until("a window of the call", async () => (await zoom())[1] - (await zoom())[0] < (whole[1] - whole[0]) / 5);
  const zoomed = await zoom();
  assert.ok(zoomed[0] > whole[0] && zoomed[1] < whole[1], `${zoomed} within ${whole}`);
  await page.evaluate(() => { window.__mark = true; window.scrollBy(0, 50); });
  const scrolled = await page.evaluate(() => window.scrollY);
  assert.ok(scrolled > 0);

  await post(server, beacon(columns(start + 120_000, 7), { seq: 1 }));
  await page.getByText("67 readings").waitFor();
  await chart.locator("canvas").waitFor();
  assert.deepEqual(await page.evaluate(() => [window.__mark, window.scrollY]), [true, scrolled]);
  const still = await zoom();
  assert.ok(Math.abs(still[0] - zoomed[0]) < 500 && Math.abs(still[1] - zoomed[1]) < 500, `${still} is ${zoomed}`);
  await back.click();
  await until("the whole call", async () => (await zoom())[1] >= start + 126_000 * 0.99);
  await back.waitFor({ state: "hidden" });
  watched.clean();
});
