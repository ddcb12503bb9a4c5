// The report as a folder of files: opened from disk, without a server, whatever the log holds.

import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after } from "node:test";
import { pathToFileURL } from "node:url";
import { run } from "./world/binary.mjs";
import { closeBrowser, person, test } from "./world/chromium.mjs";
import { folder } from "./world/folder.mjs";
import { HOSTILE } from "./world/hostile.mjs";
import { beacon, columns } from "./world/log.mjs";
import { until } from "./world/until.mjs";
import { everyPanelDrawn, inkOfCharts, numbers, sideways } from "./world/report-page.mjs";

after(closeBrowser);

const START = Date.UTC(2026, 10, 23, 9);
const lines = (beacons) => beacons.map((one) => `${JSON.stringify(one)}\n`).join("");

/** Builds the report of a log. @returns {{index: string, calls: string[], data: any, said: string}} addresses of its pages */
function report(t, log) {
  const home = folder(t);
  writeFileSync(join(home, "beacon.log"), log);
  const said = run(["build-report", "--log", "beacon.log", "--out", "site"], { cwd: home });
  const site = join(home, "site");
  const address = (path) => pathToFileURL(join(site, path)).href;
  const data = JSON.parse(readFileSync(join(site, "data/report.json"), "utf8"));
  const pages = existsSync(join(site, "calls")) ? readdirSync(join(site, "calls")) : [];
  assert.deepEqual(pages.sort(), data.calls.map((call) => call.page.replace("calls/", "")).sort());
  return { index: address("index.html"), calls: data.calls.map((call) => address(call.page)), data, said };
}

/** Every chart has its lines in it. */
async function charts(page) {
  const n = await everyPanelDrawn(page);
  for (const ink of await inkOfCharts(page)) assert.ok(ink > 20, `a chart has only ${ink} pixels of lines`);
  return n;
}

for (const [colorScheme, n] of [["light", 4], ["dark", 2]]) {
  test(`the sample report from disk, ${colorScheme}: every page, every chart, every link`, async (t) => {
    const { index, calls, data } = report(t, run(["sample-log", "--calls", String(n)], { cwd: folder(t) }));
    const { page, watched } = await person(t, { offline: true, colorScheme });
    await page.goto(index);
    assert.equal(await page.locator("table.calls tbody tr").count(), n);
    assert.equal(calls.length, n);
    const background = await page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
    const brightness = Number(/\d+/.exec(background)[0]);
    assert.ok(colorScheme === "dark" ? brightness < 80 : brightness > 200, background);
    let drawn = 0;
    for (const call of data.calls) {
      await page.goto(new URL(call.page, index).href);
      drawn += await charts(page);
      assert.ok((await page.getByRole("heading", { level: 1 }).textContent()).trim().length > 10);
    }
    assert.ok(drawn >= 18, `${drawn} panels`);
    watched.clean();
  });
}

test("from the overview to a call, to the one before and the one after, and back", async (t) => {
  const of = (meetingSessionId, start) => beacon(columns(start, 20), { meetingSessionId });
  const { index } = report(t, lines([of("one", START), of("two", START + 3_600_000), of("three", START + 7_200_000)]));
  const { page, watched } = await person(t, { offline: true });
  const session = () => page.locator("code[title=meetingSessionId]").textContent();
  await page.goto(index);
  await page.locator("table.calls tbody tr").nth(1).getByRole("link").click();
  assert.equal(await session(), "two");
  await page.getByRole("link", { name: "Earlier in this room" }).click();
  assert.equal(await session(), "one");
  assert.equal(await page.getByRole("link", { name: "Earlier in this room" }).count(), 0);
  await page.getByRole("link", { name: "Later in this room" }).click();
  await page.getByRole("link", { name: "Later in this room" }).click();
  assert.equal(await session(), "three");
  assert.equal(await page.getByRole("link", { name: "Later in this room" }).count(), 0);
  await page.getByRole("navigation", { name: "Where this is" }).getByRole("link", { name: "Overview" }).click();
  await page.locator("table.calls").waitFor();
  assert.equal(page.url(), index);
  // Nothing that can be clicked leads nowhere.
  const links = await page.locator("a[href]").evaluateAll((all) => [...new Set(all.map((link) => link.href))]);
  await page.locator("table.calls a").first().click();
  links.push(...await page.locator("a[href]").evaluateAll((all) => all.map((link) => link.href)));
  for (const link of links) assert.ok(readFileSync(new URL(link.replace(/#.*/, ""))).length > 0, link);
  watched.clean();
});

test("on a phone nobody has to scroll sideways", async (t) => {
  const { index, calls } = report(t, run(["sample-log", "--calls", "3"], { cwd: folder(t) }));
  const { page, watched } = await person(t, { offline: true, viewport: { width: 390, height: 844 } });
  for (const address of [index, ...calls]) {
    await page.goto(address);
    if (address !== index) await charts(page);
    assert.equal(await sideways(page), 0, address);
  }
  watched.clean();
});

test("nor where rooms and people have endless names", async (t) => {
  const endless = "N".repeat(300);
  const beacons = ["https://example.daily.co/" + endless, endless, "اجتماع".repeat(60), "😀".repeat(120)].map((room, at) =>
    beacon(columns(START + at * 3_600_000, 30), { room, meetingSessionId: endless + at, userName: endless }));
  const { index, calls } = report(t, lines(beacons));
  assert.equal(calls.length, 4);
  const { page, watched } = await person(t, { offline: true, viewport: { width: 390, height: 844 } });
  for (const address of [index, ...calls]) {
    await page.goto(address);
    if (address !== index) await charts(page);
    assert.equal(await sideways(page), 0, address);
  }
  watched.clean();
});

test("the theme can be chosen, and stays", async (t) => {
  const { index, calls } = report(t, lines([beacon(columns(START, 30))]));
  const { page, watched } = await person(t, { offline: true, colorScheme: "light" });
  await page.goto(calls[0]);
  await everyPanelDrawn(page);
  const look = () => page.evaluate(() => {
    const canvas = document.querySelector(".chart-time canvas");
    return { theme: document.documentElement.dataset.theme ?? "auto", background: getComputedStyle(document.documentElement).backgroundColor, chart: canvas.toDataURL() };
  });
  const toggle = page.getByRole("button", { name: /^Theme/ });
  const automatic = await look();
  await toggle.click();
  const light = await look();
  await toggle.click();
  await until("charts in the colours of the theme", async () => (await look()).chart !== light.chart);
  const dark = await look();
  assert.deepEqual([automatic.theme, light.theme, dark.theme], ["auto", "light", "dark"]);
  assert.deepEqual([light.background, light.chart], [automatic.background, automatic.chart]);
  assert.notEqual(dark.background, light.background);
  await page.reload();
  await page.locator(".chart-time canvas").first().waitFor();
  assert.equal((await look()).background, dark.background);
  await page.goto(index);
  assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "dark");
  watched.clean();
});

/** Texts that go into one call: as many as a tooltip has rows. */
const TOGETHER = 6;
/** A beacon with one text in one of the places where a sender can put any; person `n` of their call. */
const among = (n) => ({ meetingSessionId: `m${Math.floor(n / TOGETHER)}`, sessionId: `s${n}` });
const HOSTILE_AT = {
  "room and meetingSessionId": (text) => ({ room: text, meetingSessionId: text }),
  sessionId: (text, n) => ({ ...among(n), sessionId: text }),
  name: (text, n) => ({ ...among(n), name: text }),
  client: (text, n) => ({ ...among(n), client: { browser: text, os: text, [text]: text } }),
  "key of a metric": (text, n) => ({ ...among(n), samples: { ...columns(START, 30), [text]: Array(30).fill(1) }, stats: { latest: { timestamp: START + 58_000, [text]: 1 } } }),
  event: (text, n) => ({ ...among(n), events: [{ t: START + 4_000, type: text, [text]: text }, { t: START + 5_000, type: "error", error: text }], networkState: text, networkStateReasons: [text] }),
  "anything else": (text, n) => ({ ...among(n), [text]: { [text]: text }, source: text, threshold: text }),
};

for (const [place, at] of Object.entries(HOSTILE_AT)) {
  test(`hostile text as ${place} stays text`, async (t) => {
    // `[text]: …` in a literal makes an own `__proto__`, which JSON keeps.
    const { index, calls, data } = report(t, lines(HOSTILE.map((text, n) => beacon(columns(START, 30), at(text, n)))));
    const { page, watched } = await person(t, { offline: true, viewport: { width: 800, height: 700 } });
    const unharmed = async () => {
      const found = await page.evaluate(() => ({
        pwned: window.__pwned, polluted: Object.keys(Object.prototype),
        elements: document.querySelectorAll("main img, main iframe, main [onerror], main [onload], main [onmouseover], a[href^='javascript:' i]").length,
      }));
      assert.deepEqual(found, { pwned: undefined, polluted: [], elements: 0 });
      assert.equal(await sideways(page), 0, "a long text does not push the page apart");
    };
    await page.goto(index);
    assert.equal(await page.locator("table.calls tbody tr").count(), data.calls.length);
    await unharmed();
    assert.ok(data.calls.length >= 3);
    for (const address of calls) {
      await page.goto(address);
      const chart = page.locator(".chart-time").first();
      await chart.scrollIntoViewIfNeeded();
      await chart.locator("canvas").waitFor();
      // Tooltips show names.
      await page.mouse.move(...await middle(chart));
      await page.locator(".tip").waitFor({ state: "visible" });
      await unharmed();
      assert.ok(Object.values(await numbers(page)).flat().length > 0);
      await page.mouse.move(0, 0);
    }
    watched.clean();
  });
}

const middle = async (chart) => {
  const { x, y, width, height } = await chart.boundingBox();
  return [x + width / 2, y + height / 2];
};

test("names are shown as they are written", async (t) => {
  const names = HOSTILE.filter((text) => text.trim() !== "" && text.length < 100 && !/[\0-\x1f]/.test(text));
  const { calls } = report(t, lines(names.map((name, n) => beacon(columns(START + n, 5), { sessionId: `s${n}`, name }))));
  const { page, watched } = await person(t, { offline: true });
  await page.goto(calls[0]);
  const shown = await page.locator("ol.lanes b[title]").evaluateAll((all) => Object.fromEntries(all.map((one) => [one.title, one.textContent])));
  for (const [n, raw] of names.entries()) {
    // But for marks that would turn the text around them, and line ends.
    const name = raw.replace(/[\u2028-\u202e]/g, "");
    const text = shown[`s${n}`];
    assert.equal(text, text.endsWith("…") ? `${name.slice(0, text.length - 1)}…` : name);
    assert.ok(text.length >= Math.min(name.length, 30));
  }
  watched.clean();
});

test("a log with nothing in it", async (t) => {
  const { index, data, said } = report(t, "");
  assert.equal(data.totals.calls, 0);
  assert.match(said, /^0 calls, 0 participants, 0 samples, 0 lines skipped/);
  const { page, watched } = await person(t, { offline: true });
  await page.goto(index);
  await page.getByRole("heading", { name: "No calls yet." }).waitFor();
  await page.getByText("call-metrics sample-log").first().waitFor();
  assert.equal(await page.locator("table").count(), 0);
  watched.clean();
});

test("a log of heartbeats alone", async (t) => {
  const heartbeat = (n) => beacon({ timestamp: [] }, { seq: n, stats: {}, samples: undefined, _rx: { t: START + 15_000 * n } });
  const { index, calls, data } = report(t, lines([0, 1, 2].map(heartbeat)));
  assert.deepEqual(data.totals, { calls: 1, participants: 1, participantSeconds: data.totals.participantSeconds });
  assert.equal(data.calls[0].quality, "unknown");
  const { page, watched } = await person(t, { offline: true });
  await page.goto(index);
  assert.equal(await page.locator("table.calls tbody tr").count(), 1);
  // Grey and said so, never green: on the overview, of the room, of the call.
  const notGreen = async () => {
    const green = await page.locator(":is(.verdict-good, .ink-good, .calm .icon-good, .ribbon .base, .lane-svg .base, .part-good, .dot-good):visible").evaluateAll((all) => all.map((one) => one.outerHTML).filter((html) => !html.startsWith("<span class=\"part-good\"")));
    assert.deepEqual(green, []);
  };
  assert.match(await page.getByRole("heading", { level: 1 }).textContent(), /Nobody sent readings/);
  assert.equal(await page.locator(".eyebrow .icon-unknown").count(), 1);
  assert.deepEqual(await page.locator(".tile-value").allInnerTexts(), ["1", "1", "1", "–", "–", "–"]);
  assert.equal(await page.locator("#calls-body .verdict-unknown").count(), 1);
  await notGreen();
  await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "Rooms" }).click();
  await page.locator("table.rooms th a").first().click();
  await page.locator("table.calls").waitFor();
  assert.equal(await page.locator(".calm .icon-unknown").count(), 1);
  await notGreen();
  await page.goto(calls[0]);
  await page.getByRole("heading", { name: "Nothing was measured" }).waitFor();
  assert.equal(await page.locator("[data-panel]").count(), 0);
  await notGreen();
  watched.clean();
});

test("a log of 2022", async (t) => {
  const one = JSON.parse(readFileSync(new URL("../fixtures/sample-2022.json", import.meta.url), "utf8"));
  const { latest } = one.stats;
  const log = Array.from({ length: 20 }, (_, n) => ({ ...one, stats: { ...one.stats, latest: { ...latest, timestamp: latest.timestamp + 15_000 * n, recvBitsPerSecond: latest.recvBitsPerSecond + n } } }));
  const { index, calls, data } = report(t, lines(log));
  assert.deepEqual([data.totals.calls, data.calls[0].samples, data.calls[0].start], [1, 20, latest.timestamp]);
  const { page, watched } = await person(t, { offline: true });
  await page.goto(index);
  await page.locator("#calls-body").getByRole("link", { name: "meet-seth" }).click();
  assert.equal(page.url(), calls[0]);
  assert.equal(await charts(page), 8, "a panel for each metric of 2022, and for no other");
  for (const [title, rows] of Object.entries(await numbers(page))) assert.deepEqual(rows.map((row) => row.Count), ["20"], title);
  await page.getByText("7 Nov 2022").or(page.getByText("2022-11-07")).first().waitFor();
  watched.clean();
});

test("the wheel scrolls the page, also over a chart; with Ctrl it zooms", async (t) => {
  const { calls } = report(t, run(["sample-log", "--calls", "1"], { cwd: folder(t) }));
  const { page, watched } = await person(t, { offline: true });
  await page.goto(calls[0]);
  await everyPanelDrawn(page);
  const chart = page.locator("[data-panel] .chart-time").nth(2);
  await chart.scrollIntoViewIfNeeded();
  const box = await chart.boundingBox();
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  const scrolled = () => page.evaluate(() => window.scrollY);
  const before = await scrolled();
  await page.mouse.wheel(0, -200);
  await page.waitForFunction((before) => window.scrollY < before, before);
  const reset = page.getByRole("button", { name: "Show the whole call" }).first();
  assert.equal(await reset.isVisible(), false);
  const again = await chart.boundingBox();
  await page.mouse.move(again.x + again.width / 2, again.y + again.height / 2);
  await page.keyboard.down("Control");
  await page.mouse.wheel(0, -200);
  await page.keyboard.up("Control");
  await reset.waitFor();
  watched.clean();
});

test("a turn of the wheel while the page is busy with the one before is not lost", async (t) => {
  const { calls } = report(t, run(["sample-log", "--calls", "1"], { cwd: folder(t) }));
  const { page, watched } = await person(t, { offline: true });
  await page.goto(calls[0]);
  await everyPanelDrawn(page);
  const width = () => page.evaluate(() => {
    const [from, to] = /zoom=([\d.]+)-([\d.]+)/.exec(location.hash)?.slice(1).map(Number) ?? [0, 0];
    return to - from;
  });
  const turn = (again) => page.locator("[data-panel] .chart-time").first().evaluate((chart, again) => {
    const { left, width: px, top } = chart.getBoundingClientRect();
    const wheel = () => chart.dispatchEvent(new WheelEvent("wheel", { deltaY: -100, ctrlKey: true, bubbles: true, cancelable: true, clientX: left + px / 2, clientY: top + 9 }));
    wheel();
    if (!again) return;
    // Right after the first turn is written into the address.
    setTimeout(wheel, 400);
    for (const end = performance.now() + 450; performance.now() < end;);
  }, again);
  await turn(false);
  await until("one turn in the address", async () => (await width()) > 0);
  const once = await width();
  await turn(true);
  await until("two more in the address", async () => Math.abs((await width()) / once - 0.7 ** 2) < 0.01);
  await page.goBack();
  await until("the last one is taken back", async () => Math.abs((await width()) / once - 0.7) < 0.01);
  watched.clean();
});

test("who had trouble is shown by Show, also while somebody else is picked", async (t) => {
  const { calls } = report(t, run(["sample-log", "--calls", "12"], { cwd: folder(t) }));
  const { page, watched } = await person(t, { offline: true });
  const rows = page.locator("[data-jump]");
  const shown = () => page.locator(".lanes li:not(.away)").evaluateAll((lanes) => lanes.map((lane) => lane.dataset.p));
  let address;
  for (address of calls) {
    await page.goto(address);
    if ((await rows.count()) > 0 && (await page.locator("button.who").count()) > 1) break;
  }
  const of = await rows.first().getAttribute("data-of");
  const another = of === "1" ? "2" : "1";
  await page.locator(`button.who[data-person="${another}"]`).click();
  assert.deepEqual(await shown(), [another]);
  await rows.first().click();
  assert.deepEqual(await shown(), [of]);
  await page.waitForURL(/#zoom=.*people=/);
  await page.getByRole("button", { name: "Show everyone" }).first().click();
  await rows.first().click();
  assert.ok((await shown()).length > 1, "everyone stays");
  watched.clean();
});
