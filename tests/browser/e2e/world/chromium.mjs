// A real Chromium, and a strict eye on every page in it: what a page says on its console, every dialog, and every address
// that it asks for is noted, and must be nothing, nothing and loopback unless the test says otherwise.

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { test as nodeTest } from "node:test";
import { chromium } from "playwright-core";

const PLACES = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const PATH = process.env.CHROMIUM || PLACES.find(existsSync);
const FLAGS = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
  "--disable-sync", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
  // Should a page ask for another host nevertheless, nothing leaves this machine.
  "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
];
const MISSING = "no Chromium: run tests/browser/setup.sh (Debian: apt-get install chromium), or set CHROMIUM to its path";

/** `test` of node, with a deadline; skipped, and loudly so, where there is no browser; failed there in CI. */
export function test(name, options, body = options) {
  const missing = !PATH;
  if (missing && process.env.CI !== "true") console.error(`\n*** SKIPPED: ${name}: ${MISSING} ***\n`);
  return nodeTest(name, { timeout: 60_000, ...(body === options ? {} : options), skip: missing && process.env.CI !== "true" ? MISSING : false }, (t) => {
    if (missing) assert.fail(MISSING);
    return body(t);
  });
}

/** A browser. @param {string[]} flags besides the usual ones */
export const launch = (flags = []) => chromium.launch({ executablePath: PATH, args: [...FLAGS, ...flags], env: { ...process.env, TZ: "UTC" } });

/** One browser a test file, closed at its end. */
let launched;
function browser() {
  launched ??= launch();
  return launched;
}
export async function closeBrowser() {
  await (await launched)?.close();
}

/** What the pages of one person did. */
export class Watched {
  /** Console errors, exceptions, breaches of the content security policy. */
  errors = [];
  dialogs = [];
  /** Addresses that are neither loopback nor part of the page. */
  strangers = [];
  /** Every address of http. */
  requests = [];

  /** Nothing wrong, but for errors that match one of `expected`, each of which must have come. */
  clean(...expected) {
    const surprising = this.errors.filter((error) => !expected.some((pattern) => pattern.test(error)));
    assert.deepEqual({ errors: surprising, dialogs: this.dialogs, strangers: this.strangers }, { errors: [], dialogs: [], strangers: [] });
    for (const pattern of expected) assert.ok(this.errors.some((error) => pattern.test(error)), `expected an error like ${pattern}`);
  }
}

/**
 * A person: a browser profile of its own with one tab. `offline`: any request by http is an error.
 * @returns {Promise<{page: import("playwright-core").Page, watched: Watched, context: import("playwright-core").BrowserContext}>}
 */
export async function person(t, { offline = false, ...options } = {}) {
  const context = await (await browser()).newContext({ viewport: { width: 1280, height: 800 }, timezoneId: "UTC", locale: "en-GB", ...options });
  t.after(() => context.close());
  context.setDefaultTimeout(15_000);
  const watched = new Watched();
  context.on("console", (message) => { if (message.type() === "error") watched.errors.push(`${message.text()} ${message.location().url}`); });
  context.on("weberror", (error) => watched.errors.push(String(error.error().stack ?? error.error())));
  context.on("dialog", (dialog) => {
    watched.dialogs.push(dialog.message());
    dialog.dismiss().catch(() => { /* gone with its page */ });
  });
  context.on("request", (request) => {
    const url = new URL(request.url());
    const isHttp = /^(http|ws)s?:$/.test(url.protocol);
    if (isHttp) watched.requests.push(request.url());
    if (isHttp && (offline || url.hostname !== "127.0.0.1")) watched.strangers.push(request.url());
  });
  // Also what a policy stops is a fault: the page should not have tried.
  await context.addInitScript(() => document.addEventListener("securitypolicyviolation",
    (event) => console.error(`policy: ${event.effectiveDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`)));
  const page = await context.newPage();
  return { page, watched, context };
}

/** Closes a tab as its ✕ does: the page hears of it. */
export async function closeTab(page) {
  const closed = page.waitForEvent("close");
  await page.close({ runBeforeUnload: true });
  await closed;
}
