// A call's page as a person uses it: zoom, isolate, one each, a link to the same view, tooltip, saving, paper, keyboard alone.

import assert from "node:assert/strict";
import { readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after } from "node:test";
import { pathToFileURL } from "node:url";
import { run } from "./world/binary.mjs";
import { closeBrowser, person, test } from "./world/chromium.mjs";
import { folder } from "./world/folder.mjs";
import { beacon, columns } from "./world/log.mjs";
import { everyPanelDrawn } from "./world/report-page.mjs";

after(closeBrowser);

const START = Date.UTC(2026, 10, 23, 9);
const NAMES = ["ana", "=cmd|'/c calc'!A0", "<b>x</b>"];

/** A report of one call with `n` people. */
function report(t, n = 3, more = []) {
  const home = folder(t);
  const all = Array.from({ length: n }, (_, at) => beacon(columns(START + at * 100, 200), { sessionId: `s${at + 1}`, name: NAMES[at] }));
  writeFileSync(join(home, "beacon.log"), all.map((one) => `${JSON.stringify(one)}\n`).join(""));
  run(["build-report", "--log", "beacon.log", "--out", "site", ...more], { cwd: home });
  const data = JSON.parse(readFileSync(join(home, "site/data/report.json"), "utf8"));
  return { home, id: data.calls[0].id, address: pathToFileURL(join(home, "site", data.calls[0].page)).href };
}

const opened = async (t, address, options = {}) => {
  const { page, watched, context } = await person(t, { offline: true, ...options });
  await page.goto(address);
  await everyPanelDrawn(page);
  await page.evaluate(() => scrollTo(0, 0));
  return { page, watched, context };
};
const settled = (page) => page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => requestAnimationFrame(resolve)))));
/** What can be seen of the choice: lanes that are not away, the window of the ruler, the mode. */
const view = (page) => page.evaluate(() => ({
  shown: [...document.querySelectorAll(".lanes li:not(.away)")].map((li) => Number(li.dataset.p)),
  lanes: document.querySelector(".lane-svg").getAttribute("viewBox"),
  ruler: [...document.querySelectorAll(".ruler-time span")].map((tick) => tick.textContent),
  pressed: [...document.querySelectorAll(".controls [aria-pressed=true]")].map((button) => button.textContent),
  facets: document.querySelectorAll(".facet").length > 0,
}));

test("drag to zoom, isolate, one each, elapsed: the address keeps it, back undoes it, a copied link shows it", async (t) => {
  const { address } = report(t);
  const { page, watched, context } = await opened(t, address);
  const whole = await view(page);
  assert.deepEqual(whole.shown, [1, 2, 3]);
  const lane = await page.locator(".lane").first().boundingBox();
  await page.mouse.move(lane.x + lane.width * 0.25, lane.y + 10);
  await page.mouse.down();
  await page.mouse.move(lane.x + lane.width * 0.5, lane.y + 10, { steps: 4 });
  await page.mouse.up();
  await page.waitForURL(/#zoom=/);
  const near = await view(page);
  assert.notEqual(near.lanes, whole.lanes);
  assert.notDeepEqual(near.ruler, whole.ruler);
  await page.locator("button.who").nth(1).click();
  await page.waitForURL(/people=2/);
  assert.deepEqual((await view(page)).shown, [2]);
  await page.getByRole("button", { name: "One each" }).click();
  await page.getByRole("button", { name: "Elapsed" }).click();
  await page.locator("[data-panel]").first().scrollIntoViewIfNeeded();
  await page.locator(".facet").first().waitFor();
  const all = await view(page);
  assert.deepEqual(all.pressed, ["One each", "Elapsed"]);
  const again = await context.newPage();
  await again.goto(page.url());
  await again.locator("[data-panel]").first().scrollIntoViewIfNeeded();
  await again.locator(".facet").first().waitFor();
  assert.deepEqual(await view(again), all);
  for (let n = 0; n < 4; n += 1) await page.goBack();
  await page.waitForURL(address);
  assert.deepEqual((({ facets, ...rest }) => rest)(await view(page)), (({ facets, ...rest }) => rest)(whole));
  watched.clean();
});

test("times are UTC, the reader's, or those of the report's zone", async (t) => {
  const { address } = report(t, 1, ["--tz", "Asia/Kathmandu"]);
  const { page, watched } = await opened(t, address, { timezoneId: "America/New_York" });
  const told = () => page.evaluate(() => [".ruler-zone", "[data-span]", ".issues time"].map((one) => document.querySelector(one).textContent));
  assert.deepEqual(await told(), ["UTC", "09:00–09:06 UTC", "09:00:00"]);
  assert.match(await page.locator("footer").innerText(), /written \d+ \w+ \d{4}, \d\d:\d\d/, "a page from disk says when it was built");
  await page.getByRole("button", { name: "Asia/Kathmandu" }).click();
  assert.deepEqual(await told(), ["Asia/Kathmandu", "14:45–14:51 Asia/Kathmandu", "14:45:00"]);
  assert.ok(page.url().endsWith("#time=zone"));
  await page.getByRole("button", { name: "Your time" }).click();
  assert.deepEqual(await told(), ["America/New_York", "04:00–04:06 America/New_York", "04:00:00"]);
  watched.clean();
  const plain = await opened(t, report(t, 1).address);
  assert.deepEqual(await plain.page.locator('[data-choice="time"] button:visible').allTextContents(), ["UTC", "Your time", "Elapsed"]);
});

test("of much that happened the rest is listed when it is asked for, and leads to its moment", async (t) => {
  const { page, watched } = await opened(t, report(t, 20).address);
  assert.equal(await page.locator(".issues li").count(), 30);
  await page.getByText("10 more", { exact: true }).click();
  const last = page.locator(".rest li").last();
  await last.waitFor();
  assert.equal(await page.locator(".rest li").count(), 10);
  assert.match(await last.innerText(), /^09:06:\d\d\s+Event\s+20\s+Last reading/);
  await last.getByRole("button").click();
  await page.waitForURL(/#zoom=/);
  watched.clean();
});

test("one tooltip, where the pointer is, with names as text; the distribution has its own", async (t) => {
  const { address } = report(t);
  const { page, watched } = await opened(t, address);
  for (const [chart, words] of [[".chart-time", /UTC/], [".chart-spread", /share of readings/]]) {
    const box = page.locator(chart).first();
    await box.scrollIntoViewIfNeeded();
    await settled(page);
    const { x, y, width, height } = await box.boundingBox();
    let text = "";
    // A distribution says whose readings they are where there are any.
    for (let part = 0.5; part < 1 && !text.includes(NAMES[0]); part += 0.05) {
      await page.mouse.move(x + width / 2, y + height * part);
      text = await page.locator(".tip").innerText();
    }
    assert.match(text, words);
    for (const name of NAMES) assert.ok(text.includes(name), text);
    assert.equal(await page.locator(".tip:visible").count(), 1);
    const tip = await page.locator(".tip").boundingBox();
    assert.ok(tip.x > x + width / 2 || tip.x + tip.width < x + width / 2, "it does not cover the point");
  }
  watched.clean();
});

test("what is shown can be saved: CSV without formulas, JSON, a picture", async (t) => {
  const { address } = report(t);
  const { page, watched } = await opened(t, `${address}#people=2`);
  const saved = async (click) => {
    const [download] = await Promise.all([page.waitForEvent("download"), click()]);
    return { name: download.suggestedFilename(), bytes: readFileSync(await download.path()) };
  };
  const menu = (name) => async () => { await page.locator("summary", { hasText: "Share" }).click(); await page.getByRole("button", { name }).click(); };
  const csv = String((await saved(menu("as CSV"))).bytes);
  assert.ok(csv.includes("'=cmd") && !/(^|,)"?=/m.test(csv), csv.slice(0, 400));
  assert.ok(!csv.includes("s1"), "who is not shown is not saved");
  const json = JSON.parse((await saved(menu("as JSON"))).bytes);
  assert.deepEqual(json.participants.map((one) => [one.sessionId, one.points]), [["s2", 200]]);
  const png = await saved(() => page.locator("[data-do=png]").first().click());
  assert.equal(png.bytes.subarray(1, 4).toString(), "PNG");
  assert.ok(png.bytes.length > 10_000 && png.name.endsWith(".png"));
  watched.clean();
});

test("the keyboard alone: isolate, point, zoom, read as a table, let go", async (t) => {
  const { address } = report(t);
  const { page, watched } = await opened(t, address);
  await page.locator("button.who").first().focus();
  await page.keyboard.press("Enter");
  assert.deepEqual((await view(page)).shown, [1]);
  await page.keyboard.press("Escape");
  assert.deepEqual((await view(page)).shown, [1, 2, 3]);
  const chart = page.locator(".chart-time").first();
  await chart.focus();
  await page.keyboard.press("ArrowRight");
  await page.locator(".tip").waitFor({ state: "visible" });
  assert.match(await page.locator("#said").textContent(), /ana/);
  await page.keyboard.press("+");
  await page.waitForURL(/#zoom=/);
  await page.keyboard.press("0");
  await page.waitForURL((url) => url.hash === "");
  await page.locator("[data-do=table]").first().focus();
  await page.keyboard.press("Enter");
  assert.equal(await page.locator(".panel-table tbody tr").count(), 40);
  watched.clean();
});

test("on paper it is light, with every panel, and the screen stays dark", async (t) => {
  const { address } = report(t, 1);
  const { page, watched } = await opened(t, address, { colorScheme: "dark" });
  await page.evaluate(() => { addEventListener("beforeprint", () => { window.__paper = getComputedStyle(document.body).getPropertyValue("--page").trim(); }); });
  const pdf = await page.pdf();
  assert.equal(pdf.subarray(0, 4).toString(), "%PDF");
  assert.equal(await page.evaluate(() => window.__paper), "#f6f7f9");
  assert.equal(await page.evaluate(() => document.documentElement.dataset.theme ?? "auto"), "auto");
  watched.clean();
});

test("from disk the chart library is there once the page has loaded: what prints then prints charts", async (t) => {
  const { address } = report(t);
  const { page } = await person(t, { offline: true });
  await page.goto(address, { waitUntil: "load" });
  assert.equal(await page.evaluate(() => typeof globalThis.echarts?.init), "function");
});

test("without the chart library everything else works, and the page says so", async (t) => {
  const { address, home } = report(t);
  const assets = join(home, "site/assets");
  rmSync(join(assets, readdirSync(assets)[0], "echarts.js"));
  const { page } = await person(t, { offline: true });
  await page.goto(address);
  const panel = page.locator("[data-panel]").first();
  await panel.getByText("The chart library could not be loaded.").waitFor();
  await panel.getByRole("button", { name: "PNG" }).click();
  await panel.getByRole("button", { name: "Table" }).click();
  assert.ok((await panel.locator(".panel-table tbody tr").count()) > 10);
  await page.getByRole("button", { name: "One each" }).click();
  await panel.locator(".facet").first().waitFor();
  assert.equal(await panel.locator(".facet").count(), 3, "small charts need no library");
});

test("one file to mail: nothing beside it, nothing outside it, and it works", async (t) => {
  const { home, id } = report(t);
  const said = run(["build-report", "--log", "beacon.log", "--out", "mail", "--single-file", id], { cwd: home });
  assert.match(said, new RegExp(`^1 call -> mail/single/${id}.html`));
  const alone = join(folder(t), "call.html");
  writeFileSync(alone, readFileSync(join(home, "mail/single", `${id}.html`)));
  const { page, watched } = await opened(t, pathToFileURL(alone).href);
  const asked = [];
  page.on("request", (request) => asked.push(request.url()));
  await page.reload();
  assert.ok(await everyPanelDrawn(page) > 0);
  assert.deepEqual(asked.filter((url) => url !== page.url() && !url.startsWith("data:")), []);
  await page.locator("button.who").nth(2).click();
  assert.deepEqual((await view(page)).shown, [3]);
  watched.clean();
});
