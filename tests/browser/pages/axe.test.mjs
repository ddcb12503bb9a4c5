// axe finds nothing: WCAG A and AA and its best practices, on every kind of page, light and dark, wide and phone.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, test } from "node:test";
import { launch } from "../e2e/world/chromium.mjs";
import { everyPage } from "./world.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const WIDTHS = [390, 1280];

test("axe finds nothing", { timeout: 240_000 }, async (t) => {
  const { origin, pages } = await everyPage(t);
  const browser = await launch();
  after(() => browser.close());
  for (const colorScheme of ["light", "dark"]) {
    for (const width of WIDTHS) {
      // Its script is not one of the page's, so the page's policy would refuse it.
      const context = await browser.newContext({ bypassCSP: true, colorScheme, viewport: { width, height: 900 } });
      for (const [name, path] of Object.entries(pages)) {
        await t.test(`${name}, ${colorScheme}, ${width} px`, async () => {
          const page = await context.newPage();
          await page.goto(origin + path, { waitUntil: "networkidle" });
          await page.addScriptTag({ content: AXE });
          const { violations } = await page.evaluate(() => globalThis.axe.run());
          const told = violations.map(({ id, help, nodes }) => ({ id, help, where: nodes.slice(0, 3).map((node) => `${node.target} ${node.html.slice(0, 160)} ${node.failureSummary}`) }));
          assert.deepEqual(told, []);
          await page.close();
        });
      }
      await context.close();
    }
  }
});
