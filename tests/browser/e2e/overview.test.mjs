// The overview as a person uses it: search, sort, filter, a link to the same view, back, saving, keyboard alone, phone.

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after } from "node:test";
import { pathToFileURL } from "node:url";
import { run } from "./world/binary.mjs";
import { closeBrowser, person, test } from "./world/chromium.mjs";
import { folder } from "./world/folder.mjs";
import { beacon, columns } from "./world/log.mjs";
import { until } from "./world/until.mjs";

after(closeBrowser);

const START = Date.UTC(2026, 10, 23, 9);
const DAY = 86_400_000;
const ROOMS = ["meet-ana", "meet-ben", "=cmd|'c calc'!A0", "<img src=x onerror=alert(1)>", "اجتماع"];

/** A report of 15 calls: three in each room, a day between them, the later the longer. */
function report(t) {
  const home = folder(t);
  const calls = Array.from({ length: 15 }, (_, at) =>
    beacon(columns(START - (14 - at) * DAY, 20 + at), { room: `https://example.daily.co/${ROOMS[at % 5]}`, meetingSessionId: `m${at}` }));
  writeFileSync(join(home, "beacon.log"), calls.map((one) => `${JSON.stringify(one)}\n`).join(""));
  run(["build-report", "--log", "beacon.log", "--out", "site"], { cwd: home });
  return pathToFileURL(join(home, "site/index.html")).href;
}

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
  assert.match(await tile("Calls"), /Calls\s+7\s+as before vs\. 7\sdays before/);
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
