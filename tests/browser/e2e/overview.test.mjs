// The overview as a person uses it: search, sort, filter, a link to the same view, back, saving, keyboard alone, phone.

import assert from "node:assert/strict";
import { readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { join } from "node:path";
import { after } from "node:test";
import { pathToFileURL } from "node:url";
import { run } from "./world/binary.mjs";
import { closeBrowser, person, test } from "./world/chromium.mjs";
import { folder } from "./world/folder.mjs";
import { HOSTILE } from "./world/hostile.mjs";
import { beacon, columns } from "./world/log.mjs";
import { sideways } from "./world/report-page.mjs";
import { until } from "./world/until.mjs";

after(closeBrowser);

const START = Date.UTC(2026, 10, 23, 9);
const DAY = 86_400_000;
const ROOMS = ["meet-ana", "meet-ben", "=cmd|'c calc'!A0", "<img src=x onerror=alert(1)>", "اجتماع"];

/** The report of some beacons: the address of its overview. */
function reportOf(t, beacons, more = []) {
  const home = folder(t);
  writeFileSync(join(home, "beacon.log"), beacons.map((one) => `${JSON.stringify(one)}\n`).join(""));
  run(["build-report", "--log", "beacon.log", "--out", "site", ...more], { cwd: home });
  return pathToFileURL(join(home, "site/index.html")).href;
}

/** A report of 15 calls: three in each room, a day between them, the later the longer. */
const report = (t, more) => reportOf(t, Array.from({ length: 15 }, (_, at) =>
  beacon(columns(START - (14 - at) * DAY, 20 + at), { room: `https://example.daily.co/${ROOMS[at % 5]}`, meetingSessionId: `m${at}` })), more);

const opened = async (t, address, options = {}) => {
  const { page, watched, context } = await person(t, { offline: true, ...options });
  await page.goto(address);
  return { page, watched, context };
};
/** Rows that can be seen: the text of the columns asked for. */
const rows = (page, column) => page.evaluate((column) => [...document.querySelectorAll("table.calls tbody tr")].filter((row) => row.offsetParent).map((row) => row.cells[column].innerText.trim()), column);
const said = (page) => page.locator("[role=status]").first().textContent();
const search = (page) => page.locator("input[type=search]");
const sortBy = (page, name) => page.locator("table.calls th button", { hasText: name }).first();

test("search and sort: the address keeps it, back undoes it, a copied link shows it", async (t) => {
  const address = report(t);
  const { page, watched, context } = await opened(t, address);
  assert.equal((await rows(page, 1)).length, 15);
  await search(page).fill("MEET-A");
  await page.waitForURL(/#.*text=/);
  await until("three calls", async () => (await rows(page, 1)).length === 3);
  assert.match(await said(page), /^3 of 15 calls/);
  await sortBy(page, "Started").click();
  await page.locator("table.calls th[aria-sort=ascending]").waitFor();
  const sorted = await rows(page, 2);
  assert.ok(sorted.map(Date.parse).every((at, n, all) => n === 0 || all[n - 1] < at), `${sorted}`);
  assert.equal(await page.locator("table.calls th[aria-sort=ascending]").count(), 1);
  const again = await context.newPage();
  await again.goto(page.url());
  await until("the same view", async () => (await rows(again, 2)).join() === sorted.join());
  await page.goBack();
  await until("as before", async () => (await rows(page, 2)).join() === [...sorted].reverse().join());
  await page.goBack();
  await until("everything", async () => (await rows(page, 1)).length === 15);
  watched.clean();
});

test("what nobody has says so and lets go", async (t) => {
  const { page, watched } = await opened(t, report(t));
  await search(page).fill("nobody's room");
  await until("nothing", async () => (await rows(page, 1)).length === 0);
  assert.match(await said(page), /^0 of 15 calls/);
  await page.getByRole("button", { name: "Clear the filters" }).click();
  await until("everything", async () => (await rows(page, 1)).length === 15);
  assert.equal(new URL(page.url()).hash, "");
  watched.clean();
});

test("what is shown can be saved: CSV without formulas, JSON", async (t) => {
  const { page, watched } = await opened(t, `${report(t)}#text=${encodeURIComponent("=cmd")}`);
  await until("three calls", async () => (await rows(page, 1)).length === 3);
  const saved = async (name) => {
    await page.locator("details.more > summary").first().click();
    const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name }).click()]);
    return readFileSync(await download.path(), "utf8");
  };
  const csv = await saved("as CSV");
  assert.equal(csv.trim().split("\n").length, 4, csv);
  assert.ok(csv.includes("'=cmd") && !/(^|,)"?=/m.test(csv), csv);
  assert.equal(JSON.parse(await saved("as JSON")).calls?.length ?? 3, 3);
  watched.clean();
});

test("hostile hashes and names are text, and nothing runs", async (t) => {
  const { page, watched } = await opened(t, `${report(t)}#sort=constructor&text=${encodeURIComponent("<img src=x onerror=alert(1)>")}&rows=1e9&quality=__proto__&from=9999-99-99`);
  await until("three calls", async () => (await rows(page, 1)).length === 3);
  assert.deepEqual(new Set(await rows(page, 1)), new Set([ROOMS[3]]));
  assert.equal(await page.locator("table.calls img").count(), 0);
  watched.clean();
});

test("times are those of --tz, or the reader's own", async (t) => {
  const address = report(t, ["--tz", "Asia/Tokyo"]);
  const { page, watched, context } = await opened(t, address, { timezoneId: "America/New_York" });
  const zone = () => page.locator("#calls-zone").textContent();
  assert.deepEqual([await zone(), (await rows(page, 2))[0]], ["Asia/Tokyo", "23 Nov 2026, 18:00"]);
  await page.getByRole("button", { name: "Your time" }).click();
  await page.waitForURL(/#time=local/);
  assert.deepEqual([await zone(), (await rows(page, 2))[0]], ["America/New_York", "23 Nov 2026, 04:00"]);
  const again = await context.newPage();
  await again.goto(page.url());
  assert.equal((await rows(again, 2))[0], "23 Nov 2026, 04:00");
  // Days of a chart are those of the report.
  await page.locator(".plot-minutes:visible a").last().focus();
  await page.keyboard.press("Enter");
  await until("the calls of a day in Tokyo", async () => (await rows(page, 2)).join() === "23 Nov 2026, 18:00");
  assert.equal(await zone(), "Asia/Tokyo");
  watched.clean();
  // Who lives there has nothing to choose.
  const there = await opened(t, address, { timezoneId: "Asia/Tokyo" });
  assert.ok(await there.page.locator("#calls-time").isHidden());
  there.watched.clean();
});

test("days are those of the clock on show: one after midnight here is one before midnight there", async (t) => {
  const late = beacon(columns(Date.UTC(2026, 10, 23, 3), 30), { meetingSessionId: "late" });
  const address = reportOf(t, [late, beacon(columns(START, 30))]);
  const { page, watched } = await opened(t, `${address}#from=2026-11-22&to=2026-11-22`, { timezoneId: "America/New_York" });
  await until("no call by the clock of the report", async () => (await rows(page, 2)).length === 0);
  await page.getByRole("button", { name: "Your time" }).click();
  await until("one by the reader's", async () => (await rows(page, 2)).join() === "22 Nov 2026, 22:00");
  watched.clean();
});

test("every chart is a table too, and a picture to keep", async (t) => {
  const { page, watched } = await opened(t, report(t));
  for (const [kind, head, n] of [["minutes", "Day", 7], ["scores", "Score", 1]]) {
    const card = page.locator("section.card:visible", { has: page.locator(`.plot-${kind}`) }).first();
    assert.match(await card.locator(".plot").getAttribute("aria-label"), /\d/, "its description has numbers");
    await card.getByText("Table", { exact: true }).click();
    assert.equal(await card.locator("table thead th").first().textContent(), head);
    assert.ok(await card.locator("table tbody tr").count() >= n);
    const saved = async (name) => {
      const [download] = await Promise.all([page.waitForEvent("download"), card.getByRole("button", { name }).click()]);
      assert.ok(download.suggestedFilename().endsWith(`.${name.toLowerCase()}`));
      return readFileSync(await download.path());
    };
    const svg = String(await saved("SVG"));
    assert.ok(svg.startsWith("<svg") && /<rect[^>]*fill="rgb/.test(svg) && svg.includes("<text"), svg.slice(0, 300));
    assert.ok(!/<(a|script|style)\b|\son\w+=|class=|href=/.test(svg), "nothing that needs the page, or runs");
    const png = await saved("PNG");
    assert.equal(png.subarray(1, 4).toString(), "PNG");
    assert.ok(png.length > 4_000, `${png.length} bytes`);
  }
  watched.clean();
});

test("how good the data is: lines, what was skipped and why, repeated, missing, from when to when", async (t) => {
  const home = folder(t);
  const one = beacon(columns(START, 30), { _rx: { t: START + 58_500 } });
  const log = [one, { ...one, seq: 3 }].map((each) => `${JSON.stringify(each)}\n`).join("");
  writeFileSync(join(home, "beacon.log"), `${log}not json\n{}\n`);
  run(["build-report", "--log", "beacon.log", "--out", "site"], { cwd: home });
  const { page, watched } = await opened(t, pathToFileURL(join(home, "site/index.html")).href);
  const facts = await page.locator("dl.facts div").evaluateAll((all) => Object.fromEntries(all.map((one) => [one.children[0].textContent, one.children[1].textContent.replace(/\s/g, " ")])));
  assert.equal(facts["Lines read"], "4");
  assert.match(facts.Skipped, /^2: .*1 not json/);
  assert.equal(facts["Repeated readings"], "30");
  assert.equal(facts["Missing beacons"], "2 of 4, 50 %");
  assert.equal(facts["Wrong clocks"], "none", "two beacons tell of no clock");
  assert.equal(facts["Readings from"], "23 Nov 2026, 09:00 to 23 Nov 2026, 09:00");
  assert.match(await page.locator("#built").textContent(), /^\d+ \w+ \d{4}, \d\d:\d\d UTC$/);
  watched.clean();
});

test("a page from disk says how old it is", async (t) => {
  const address = report(t);
  const { page, watched } = await opened(t, address);
  assert.equal(await page.locator("#built-age").textContent(), "");
  await page.clock.setFixedTime(Date.now() + 3 * DAY + 60_000);
  await page.reload();
  assert.equal(await page.locator("#built-age").textContent(), ", 3 days ago");
  watched.clean();
});

test("a thousand calls weigh no more than their share of what a page may", async (t) => {
  const n = 1_000;
  const address = reportOf(t, Array.from({ length: n }, (_, at) =>
    beacon(columns(START - at * 1_500_000 - (at * 7_919) % 100_000, 12 + at % 40), { room: `room ${at % 37}`, meetingSessionId: `m${at}` })));
  const bytes = gzipSync(readFileSync(new URL(address))).length;
  // 5,000 of them may weigh 700 KB, the scripts and styles with them.
  assert.ok(bytes < 30_000 + 120 * n, `${bytes} bytes`);
  const { page, watched } = await opened(t, address);
  assert.equal((await rows(page, 1)).length, 100, "only those on show are in the document");
  await page.getByRole("button", { name: "Show more" }).click();
  await until("more", async () => (await rows(page, 1)).length === 200);
  await page.locator("#find-room").selectOption("37");
  await until("those of one room, also from far down", async () => (await rows(page, 1)).length === 27);
  assert.deepEqual(new Set(await rows(page, 1)), new Set(["room 36"]));
  await sortBy(page, "Started").click();
  await until("the oldest first", async () => (await rows(page, 2))[0] < (await rows(page, 2))[1] || Date.parse((await rows(page, 2))[0]) < Date.parse((await rows(page, 2))[1]));
  const call = page.locator("#calls-body th a").first();
  assert.match(readFileSync(new URL(await call.getAttribute("href"), address), "utf8"), /room 36/);
  watched.clean();
  // Without scripts they are all there.
  const plain = await opened(t, address, { javaScriptEnabled: false });
  assert.equal(await plain.page.locator("table.calls tbody tr").count(), n);
});

/** A report of 600 calls in November, 500 in October, and some in September: one in each of the rooms of hostile names. */
function longReport(t) {
  const texts = HOSTILE.filter((text) => text.trim() !== "");
  const call = (at, room) => beacon(columns(at, 3), { room, meetingSessionId: `m${at}`, name: room });
  const many = (n, last, room) => Array.from({ length: n }, (_, nth) => call(last - nth * 3_000_000, room));
  const beacons = [...many(600, START, "november"), ...many(500, START - 30 * DAY, "october"), ...texts.map((text, nth) => call(START - 60 * DAY - nth * 60_000, text))];
  return { address: reportOf(t, beacons), n: beacons.length, texts };
}

test("calls of months ago are found, sorted and shown like those of today", async (t) => {
  const { address, n } = longReport(t);
  const files = readdirSync(new URL("older", address));
  assert.equal(files.length, 4, `${files}`);
  assert.ok(!readFileSync(new URL(address), "utf8").includes("october</bdi></a></th>"), "they are not in the page");
  const { page, watched, context } = await opened(t, address);
  const loaded = () => page.evaluate(() => performance.getEntriesByType("resource").filter((one) => one.name.includes("/older/")).map((one) => one.name.replace(/.*older\//, "")));
  const grouped = n.toLocaleString("en").replace(",", n < 10_000 ? "" : "\u202f");
  await until("all calls", async () => (await said(page)).startsWith(`${grouped} calls`));
  assert.equal((await loaded()).filter((name) => name.includes("rows")).length, 0, "rows are loaded when they are to be shown");
  // While they are on their way the table says so and is not empty.
  await page.evaluate(() => {
    const [table, body] = ["calls-scroll", "calls-body"].map((id) => document.getElementById(id));
    window.seen = { busy: [], fewest: body.children.length };
    new MutationObserver(() => {
      window.seen.busy.push(table.getAttribute("aria-busy"));
      window.seen.fewest = Math.min(window.seen.fewest, body.children.length);
    }).observe(table, { attributes: true, childList: true, subtree: true });
  });
  await search(page).fill("october");
  await until("a hundred rows of them", async () => (await rows(page, 1)).length === 100 && (await rows(page, 1)).every((room) => room === "october"));
  assert.match(await said(page), /^500 of /);
  const { busy, fewest } = await page.evaluate(() => window.seen);
  assert.deepEqual([busy.includes("true"), busy.at(-1), fewest], [true, "false", 100]);
  await search(page).fill("");
  // Two wishes at once for rows that are not loaded yet: the second one waits for what the first one asked for.
  await page.evaluate(() => {
    const button = (name) => [...document.querySelectorAll("table.calls th button")].find((one) => one.textContent.includes(name));
    button("Started").click();
    document.querySelector("#find-order").click();
    document.querySelector("#find-order").click();
  });
  await until("a hundred rows, the oldest", async () => (await rows(page, 2)).length === 100 && (await rows(page, 2))[0].includes("Sep 2026"));
  await sortBy(page, "Started").click();
  await sortBy(page, "Started").click();
  await until("the oldest first", async () => (await rows(page, 2))[0]?.includes("Sep 2026"));
  await until("a hundred of them", async () => (await rows(page, 1)).length === 100);
  await unharmed(page);
  const first = page.locator("#calls-body th a").first();
  await first.click();
  await page.locator("h1").waitFor();
  // A copied link to them, opened elsewhere.
  const again = await context.newPage();
  await again.goto(`${address}#room=october&sort=started&order=up`);
  await until("the same", async () => (await rows(again, 1))[0] === "october" && (await rows(again, 1)).length === 100);
  watched.clean();
});

test("older calls that are not there are told, and without scripts where to find them", async (t) => {
  const { address, texts } = longReport(t);
  const gone = readdirSync(new URL("older", address)).filter((name) => name.startsWith("2026-09"));
  for (const name of gone) rmSync(new URL(`older/${name}`, address));
  const { page } = await opened(t, address);
  await until("a word on it", async () => (await page.locator("#calls-lost").textContent()).startsWith(`${texts.length} older calls could not be loaded`));
  await search(page).fill("october");
  await until("what is there", async () => (await rows(page, 1)).length === 100);
  const plain = await opened(t, address, { javaScriptEnabled: false });
  assert.equal(await plain.page.locator("table.calls tbody tr").count(), 600);
  await plain.page.getByText(new RegExp(`${500 + texts.length}\\scalls before these`)).waitFor();
});

/** Nothing ran, nothing was made of a text but text. */
async function unharmed(page) {
  const found = await page.evaluate(() => ({
    pwned: window.__pwned, polluted: Object.keys(Object.prototype),
    elements: document.querySelectorAll("main img, main iframe, main [onerror], main [onload], main [onmouseover], a[href^='javascript:' i]").length,
  }));
  assert.deepEqual(found, { pwned: undefined, polluted: [], elements: 0 });
  assert.equal(await sideways(page), 0, "a long text does not push the page apart");
}

test("hostile rooms and names through every filter, the address, exports and pages of rooms", async (t) => {
  const texts = HOSTILE.filter((text) => text.trim() !== "");
  // Newer ones, so that the hostile rows are not among those that the page has from the beginning.
  const plain = Array.from({ length: 100 }, (_, at) => beacon(columns(START + DAY + at * 60_000, 3), { room: "plain", meetingSessionId: `p${at}` }));
  const address = reportOf(t, [...plain, ...texts.map((text, at) => beacon(columns(START + at * 60_000, 30), {
    room: text, meetingSessionId: `m${at}`, sessionId: text, name: text,
    samples: { ...columns(START + at * 60_000, 30), [text]: Array(30).fill(1) }, events: [{ t: START + at * 60_000 + 4_000, type: text, [text]: text }],
  }))]);
  const { page, watched } = await opened(t, address);
  const values = await page.locator("#find-room option").evaluateAll((all) => all.filter((one) => one.value !== "" && !one.text.includes("plain")).map((one) => one.value));
  assert.ok(values.length >= texts.length - 2, `${values.length} rooms of ${texts.length}`);
  for (const value of values) {
    await page.locator("#find-room").selectOption(value);
    await until("the calls of that room", async () => (await rows(page, 1)).length >= 1 && (await rows(page, 1)).length < 4);
  }
  await unharmed(page);
  // What the address says of the last one brings it back.
  const last = await rows(page, 1);
  await page.reload();
  await until("the same room", async () => (await rows(page, 1)).join() === last.join());
  await page.locator("#find-clear").click();
  await page.getByRole("button", { name: "Show more" }).click();
  await until("all of them", async () => (await page.locator("#calls-body tr").count()) === 100 + texts.length);
  await unharmed(page);
  for (const text of texts.filter((text) => text.length < 200)) {
    await page.goto(`${address}#room=${encodeURIComponent(text)}&text=${encodeURIComponent(text)}&issue=${encodeURIComponent(text)}&time=${encodeURIComponent(text)}&period=${encodeURIComponent(text)}`);
    await unharmed(page);
  }
  await page.goto(`${address}#`);
  await page.reload();
  for (const name of ["as CSV", "as JSON"]) {
    await page.locator("details.more > summary").first().click();
    const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name }).click()]);
    const text = readFileSync(await download.path(), "utf8");
    if (name === "as JSON") assert.equal(JSON.parse(text).calls.length, 100 + texts.length);
    else assert.ok(!/(^|,)"?[=+@|%]/m.test(text), "no cell is a formula");
  }
  await page.goto(new URL("rooms/index.html", address).href);
  await unharmed(page);
  const pages = await page.locator("table.rooms th a").evaluateAll((all) => all.map((link) => link.href));
  assert.equal(pages.length, values.length + 1);
  for (const one of pages) {
    await page.goto(one);
    await page.locator("table.calls tbody tr").first().waitFor();
    await unharmed(page);
  }
  watched.clean();
});

test("on paper: light whatever the screen is, without what only a screen can do", async (t) => {
  const { page, watched } = await opened(t, report(t), { colorScheme: "dark" });
  await page.getByRole("button", { name: /^Theme/ }).click();
  await page.getByRole("button", { name: /^Theme/ }).click();
  assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "dark");
  await page.emulateMedia({ media: "print" });
  assert.equal(await page.evaluate(() => getComputedStyle(document.documentElement).getPropertyValue("--page").trim()), "#f6f7f9");
  for (const gone of ["#find", ".periods", ".plot-save", ".bar", "details.more"]) assert.ok(await page.locator(gone).first().isHidden(), gone);
  assert.equal((await rows(page, 1)).length, 15);
  await page.emulateMedia({ media: null });
  const pdf = await page.pdf();
  assert.equal(pdf.subarray(0, 4).toString(), "%PDF");
  watched.clean();
});

test("Tab, Enter and letters alone: filter, sort, open a call", async (t) => {
  const { page, watched } = await opened(t, report(t));
  /** Tab until something is reached, as a person without a mouse does. */
  const tabTo = async (what, is) => {
    for (let n = 0; n < 120; n += 1) {
      await page.keyboard.press("Tab");
      if (await page.evaluate(is)) {
        const seen = await page.evaluate(() => { const { outlineStyle } = getComputedStyle(document.activeElement); return outlineStyle !== "none"; });
        assert.ok(seen, `${what}: where the focus is can be seen`);
        return;
      }
    }
    assert.fail(`Tab never comes to ${what}`);
  };
  await tabTo("the search", () => document.activeElement.id === "find-text");
  await page.keyboard.type("meet-a");
  await until("three calls", async () => (await rows(page, 1)).length === 3);
  await tabTo("a quality", () => document.activeElement.dataset.quality === "good");
  await page.keyboard.press("Space");
  await page.waitForURL(/quality=good/);
  await page.keyboard.press("Space");
  await tabTo("the head of a column", () => document.activeElement.id === "sort-duration");
  await page.keyboard.press("Enter");
  await page.waitForURL(/sort=duration/);
  await page.keyboard.press("Enter");
  await until("the shortest first", async () => (await page.locator("th[aria-sort=ascending]").count()) === 1);
  await tabTo("the first call", () => document.activeElement.closest("#calls-body tr:first-child th a") !== null);
  await page.keyboard.press("Enter");
  await page.waitForURL(/calls\/.*\.html/);
  watched.clean();
});

test("with colours of the system's choosing marks can still be told apart, and with less motion nothing moves", async (t) => {
  const { page, watched } = await opened(t, report(t), { forcedColors: "active", reducedMotion: "reduce" });
  const fills = await page.locator(".plot-scores:visible .part").evaluateAll((all) => all.map((part) => getComputedStyle(part).fill));
  assert.ok(fills.length > 0 && fills.every((fill) => fill.startsWith("rgb")), `${fills}`);
  const moving = await page.evaluate(() => [...document.querySelectorAll("*")].filter((one) => {
    const { transitionDuration, animationName } = getComputedStyle(one);
    return animationName !== "none" || transitionDuration.split(", ").some((time) => parseFloat(time) > 0);
  }).length);
  assert.equal(moving, 0);
  watched.clean();
});

test("the keyboard alone: sort and open a call", async (t) => {
  const { page, watched } = await opened(t, report(t));
  await sortBy(page, "Duration").focus();
  await page.keyboard.press("Enter");
  await page.waitForURL(/#sort=duration/);
  assert.ok(await sortBy(page, "Duration").evaluate((button) => button === document.activeElement), "the focus stays");
  await page.keyboard.press("Enter");
  await until("the other way round", async () => (await page.locator("table.calls th[aria-sort=ascending]").count()) === 1);
  await page.locator("table.calls tbody a").first().focus();
  await page.keyboard.press("Enter");
  await page.waitForURL(/calls\/.*\.html/);
  watched.clean();
});

test("days are summed up beside the days before, and lead to their calls", async (t) => {
  const { page, watched, context } = await opened(t, report(t));
  const title = () => page.locator("h1:visible").textContent();
  const tile = (name) => page.locator(".tile:visible", { hasText: name }).first().innerText();
  assert.match(await title(), /\b7 calls/, "the last week");
  assert.match(await tile("Calls"), /Calls\s+7\s+as before vs\. week before/);
  await page.locator("a[data-period=all]").click();
  await page.waitForURL(/#period=all/);
  assert.match(await title(), /\b15 calls/);
  const again = await context.newPage();
  await again.goto(page.url());
  assert.match(await again.locator("h1:visible").textContent(), /\b15 calls/);
  await page.goBack();
  await until("the week again", async () => /\b7 calls/.test(await title()));
  await page.locator(".plot-minutes:visible a").last().focus();
  await page.keyboard.press("Enter");
  await page.waitForURL(/#from=2026-11-23&to=2026-11-23/);
  await until("the calls of a day", async () => (await rows(page, 1)).length === 1);
  watched.clean();
});

test("every room has a page, whatever its name, and leads to its calls", async (t) => {
  const { page, watched } = await opened(t, report(t));
  await page.getByRole("navigation", { name: "Main" }).getByRole("link", { name: "Rooms" }).click();
  await page.waitForURL(/rooms\/index\.html/);
  assert.deepEqual((await rows(page, 0)).length, 0, "another table");
  const links = page.locator("table.rooms th a");
  assert.deepEqual(new Set(await links.allInnerTexts()), new Set(ROOMS));
  for (const room of ROOMS) {
    await links.filter({ hasText: room }).first().click();
    await page.locator("h1", { hasText: /calls/ }).waitFor();
    assert.equal(await page.locator(".eyebrow bdi").innerText(), room);
    assert.equal(await page.locator("table.calls tbody tr").count(), 3);
    await page.getByRole("link", { name: "Sort and filter them" }).click();
    await until("its calls", async () => (await rows(page, 1)).length === 3);
    assert.deepEqual(new Set(await rows(page, 1)), new Set([room]));
    await page.goBack();
    await page.locator("table.calls th a").first().click();
    await page.waitForURL(/calls\/.*\.html/);
    await page.locator(".crumbs a", { hasText: room }).click();
    await page.waitForURL(/rooms\//);
    await page.locator(".crumbs a", { hasText: "Rooms" }).click();
    await page.waitForURL(/rooms\/index\.html/);
  }
  watched.clean();
});

test("on a phone filters are one tap away, and nobody has to scroll sideways", async (t) => {
  const { page, watched } = await opened(t, report(t), { viewport: { width: 390, height: 844 } });
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 390);
  await page.getByRole("button", { name: "Filters" }).click();
  await page.locator("button", { hasText: /^\s*Good/ }).first().waitFor({ state: "visible" });
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 390);
  watched.clean();
});
