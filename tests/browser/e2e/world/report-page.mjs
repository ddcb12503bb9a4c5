// What can be seen on a page of the report.

import { until } from "./until.mjs";

/** Scrolls through the page until every panel is drawn; how many there are. */
export async function everyPanelDrawn(page) {
  const panels = page.locator("[data-panel]");
  const n = await panels.count();
  for (let at = 0; at < n; at += 1) {
    await panels.nth(at).scrollIntoViewIfNeeded();
    await until(`panel ${at} drawn`, () => panels.nth(at).evaluate((panel) => "drawn" in panel.dataset));
  }
  return n;
}

/**
 * Colours on the canvas of each chart over time, other than the most common one: a blank canvas has none.
 * Asks for pixels rather than for data, so that what a person sees is what counts.
 */
export const inkOfCharts = (page) => page.locator("[data-panel] .chart-time").evaluateAll((charts) => charts.map((chart) => {
  const canvas = chart.querySelector("canvas");
  if (!canvas || canvas.width === 0 || canvas.height === 0) return 0;
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const pixels = new Uint32Array(data.buffer);
  const count = new Map();
  for (const pixel of pixels) count.set(pixel, (count.get(pixel) ?? 0) + 1);
  return pixels.length - Math.max(...count.values());
}));

/** The table of numbers: metric to person to column to text. */
export const numbers = (page) => page.locator("table.numbers").evaluate((table) => {
  const text = (cell) => cell.textContent.trim().replace(/\s+/g, " "); // a number and its unit do not part at the end of a line
  const columns = [...table.tHead.rows[0].cells].map(text).slice(1);
  return Object.fromEntries([...table.tBodies].map((body) => {
    const title = body.rows[0].cells[0].firstChild.textContent.trim();
    return [title, [...body.rows].slice(1).map((row) => Object.fromEntries(columns.map((column, n) => [column, text(row.cells[n + 1])])))];
  }));
});

/** How far the page is wider than its window, in px: 0 where nobody has to scroll sideways. */
export const sideways = (page) => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
