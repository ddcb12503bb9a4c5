// What a person does on the start page and the call page, and what can be seen there.

import { until } from "./until.mjs";

/** Types a room's name on the start page and presses Enter. */
export async function enter(page, origin, room) {
  await page.addInitScript(noteReadings);
  await page.goto(`${origin}/`);
  await page.getByLabel("Room name").fill(room);
  await page.keyboard.press("Enter");
  await page.waitForURL(`${origin}/${room}`);
}

/** Notes on the call page which readings Daily's frame has given it: what the log has to hold in the end. */
function noteReadings() {
  if (window !== window.top) return;
  window.__readings = [];
  window.__asked = 0;
  let over = true;
  addEventListener("message", ({ data }) => {
    if (data?.fakeDaily === "saw" && data.action === "get-calc-stats") window.__asked += 1;
    // The frame may still answer what was asked just before the call ended; that is no part of it any more.
    if (data?.action === "joined-meeting") over = false;
    if (data?.action === "left-meeting" || data?.action === "error") over = true;
    if (!over && data?.action === "get-calc-stats" && data.stats?.latest) window.__readings.push(data.stats.latest.timestamp);
  });
}

/** The readings that the page has been given so far. @returns {Promise<number[]>} */
export const readings = (page) => page.evaluate(() => window.__readings);

/** How often the page has asked for readings. @returns {Promise<number>} */
export const asked = (page) => page.evaluate(() => window.__asked);

/** Waits until at least so many readings were given. */
export const readingsGiven = (page, n, options) => until(`${n} readings`, async () => (await asked(page)) >= n && (await readings(page)).length >= n, options);

/** Waits for `data-state`, and with it `data-error`. */
export const reaches = (page, state, error) =>
  page.locator(`#call[data-state="${state}"]${error === undefined ? "" : `[data-error="${error}"]`}`).waitFor({ state: "attached" });

/** Makes something happen inside the fake of Daily's page; its verbs are in fixtures/fake-frame.html. */
export const happens = (page, verb) => page.evaluate((verb) =>
  document.querySelector("#frame iframe").contentWindow.postMessage({ fakeDaily: verb }, "*"), verb);
