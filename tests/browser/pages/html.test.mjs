// The W3C's checker finds no error in any kind of page.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { test } from "node:test";
import { folder } from "../e2e/world/folder.mjs";
import { everyPage } from "./world.mjs";

const CHECKER = createRequire(import.meta.url).resolve("vnu-jar/build/dist/vnu.jar");
const JAVA = spawnSync("java", ["-version"]).status === 0;
const MISSING = "no Java: Debian: apt-get install default-jre-headless";

test("the W3C's checker finds no error", { timeout: 240_000, skip: JAVA || process.env.CI === "true" ? false : MISSING }, async (t) => {
  assert.ok(JAVA, MISSING);
  const { origin, pages, empty } = await everyPage(t);
  const home = folder(t);
  const files = [];
  const keep = (name, html) => {
    const file = join(home, `${name.replaceAll(" ", "-")}.html`);
    writeFileSync(file, html);
    files.push(file);
  };
  keep("empty report", empty);
  for (const [name, path] of Object.entries(pages)) keep(name, await (await fetch(origin + path, { headers: { accept: "text/html" } })).text());
  const done = spawnSync("java", ["-jar", CHECKER, "--format", "json", "--errors-only", ...files], { encoding: "utf8", maxBuffer: 1 << 26 });
  const { messages } = JSON.parse(done.stderr);
  assert.deepEqual(messages.map(({ url, lastLine, message, extract }) => `${url?.split("/").pop()}:${lastLine} ${message} ${extract ?? ""}`), []);
});
