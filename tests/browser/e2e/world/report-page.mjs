// What can be seen on a page of the report.

/** Scrolls through the page, as a reader does, until every panel is drawn; how many there are. */
export async function everyPanelDrawn(page) {
  // A link that was followed may have led to a page that is still coming in.
  await page.waitForLoadState("load");
  return page.evaluate(scrollThrough);
}

async function scrollThrough() {
  const panels = [...document.querySelectorAll("[data-panel]")];
  const deadline = performance.now() + 20_000;
  for (const panel of panels) {
    panel.scrollIntoView({ behavior: "instant", block: "center" });
    while (!("drawn" in panel.dataset)) {
      if (performance.now() > deadline) throw new Error(`the panel ${panel.dataset.panel} is not drawn`);
      await new Promise((resolve) => requestAnimationFrame(resolve));
    }
  }
  return panels.length;
}

/**
 * Pixels in the colours of the people, on the canvas of each chart over time: what a person sees of the lines. Axes and the
 * shading of thresholds do not count.
 */
export const inkOfCharts = (page) => page.evaluate(async () => {
  await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
  const brush = new OffscreenCanvas(1, 1).getContext("2d");
  const style = getComputedStyle(document.documentElement);
  const colours = ["p1", "p2", "p3", "p4", "p5", "p6", "p7", "p8"].map((slot) => {
    brush.fillStyle = style.getPropertyValue(`--${slot}`).trim();
    brush.fillRect(0, 0, 1, 1);
    return brush.getImageData(0, 0, 1, 1).data;
  });
  return [...document.querySelectorAll("[data-panel] .chart-time")].map((chart) => {
    const canvas = chart.querySelector("canvas");
    if (!canvas || canvas.width === 0 || canvas.height === 0) return 0;
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    let ink = 0;
    for (let at = 0; at < data.length; at += 4) {
      if (data[at + 3] < 160) continue;
      if (colours.some((colour) => Math.abs(colour[0] - data[at]) + Math.abs(colour[1] - data[at + 1]) + Math.abs(colour[2] - data[at + 2]) < 48)) ink += 1;
    }
    return ink;
  });
});

/** The table of numbers: metric to person to column to text. */
export const numbers = async (page) => {
  await page.locator("#numbers").scrollIntoViewIfNeeded();
  await page.waitForFunction(() => document.querySelectorAll("#numbers tbody").length === document.querySelectorAll("[data-panel]").length);
  return page.locator("table.numbers").evaluate(tableOfNumbers);
};

function tableOfNumbers(table) {
  const text = (cell) => cell.textContent.trim().replace(/\s+/g, " "); // a number and its unit do not part at the end of a line
  const columns = [...table.tHead.rows[0].cells].map(text).slice(1);
  return Object.fromEntries([...table.tBodies].map((body) => {
    const title = body.rows[0].cells[0].firstChild.textContent.trim();
    return [title, [...body.rows].slice(1).map((row) => Object.fromEntries(columns.map((column, n) => [column, text(row.cells[n + 1])])))];
  }));
}

/** How far the page is wider than its window, in px: 0 where nobody has to scroll sideways. */
export const sideways = (page) => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
