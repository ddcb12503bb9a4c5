// @ts-check
// The numbers behind the sign under the call, for those who ask: what this browser measured, how long ago, and what it
// cannot know.

import "./format.js";
import { STALE_MS, measures } from "./connection.js";

/** @typedef {import("./sampler.js").Reading["latest"]} Latest */

const { quantity } = /** @type {any} */ (globalThis).callMetricsFormat;
const MISSING = "–";
const TICK_MS = 1_000;
const LEVELS = ["", "fair", "poor"];

/** @param {number} ms since the last reading @returns {string} */
export function noteOf(ms) {
  const seconds = Math.max(0, Math.round(ms / 1_000));
  const when = ms > STALE_MS ? `Last measured ${seconds} s ago; how it is now is not known.` : `Measured ${seconds} s ago, between you and the media server.`;
  return `${when} What others see of each other is not known here.`;
}

/**
 * Each value in words, and how bad it is; a dash for what this browser did not measure.
 * @param {Latest} latest @returns {Record<string, {text: string, level: string}>}
 */
export function valuesOf(latest) {
  const said = (/** @type {string} */ unit, /** @type {number | null | undefined} */ value, rank = 0) =>
    ({ text: typeof value === "number" ? quantity(unit, value) : MISSING, level: LEVELS[rank] });
  const [upload, download, delay] = measures(latest);
  return {
    "bitrate-sent": said("bit/s", latest.sendBitsPerSecond),
    "bitrate-received": said("bit/s", latest.recvBitsPerSecond),
    "loss-sent": said("ratio", upload.value, upload.rank),
    "loss-received": said("ratio", download.value, download.rank),
    "round-trip": said("s", delay.value, delay.rank),
  };
}

/** Opens over the call at a press of the sign; Escape or another press closes it. */
export class Details {
  #button; #panel; #note;
  /** @type {Latest | null} */ #latest = null;
  #at = 0;
  /** @type {ReturnType<typeof setInterval> | undefined} */ #ticking;

  /** @param {HTMLElement} button @param {HTMLElement} panel */
  constructor(button, panel) {
    this.#button = button;
    this.#panel = panel;
    this.#note = /** @type {HTMLElement} */ (panel.querySelector("[data-note]"));
    button.addEventListener("click", () => this.#open(panel.hidden));
    document.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || panel.hidden) return;
      this.#open(false);
      button.focus();
    });
    document.addEventListener("click", ({ target }) => {
      if (target instanceof Node && !button.contains(target) && !panel.contains(target)) this.#open(false);
    });
  }

  /** A reading came. @param {Latest} latest @param {number} now */
  show(latest, now) {
    this.#latest = latest;
    this.#at = now;
    this.#draw();
  }

  /** There is no call any more, or another one. */
  reset() {
    this.#latest = null;
    this.#open(false);
  }

  /** @param {boolean} open */
  #open(open) {
    clearInterval(this.#ticking);
    this.#panel.hidden = !open;
    this.#button.setAttribute("aria-expanded", String(open));
    if (!open) return;
    this.#draw();
    this.#ticking = setInterval(() => this.#draw(), TICK_MS);
  }

  #draw() {
    if (this.#panel.hidden) return;
    const values = valuesOf(this.#latest ?? {});
    for (const cell of /** @type {NodeListOf<HTMLElement>} */ (this.#panel.querySelectorAll("[data-value]"))) {
      const { text, level } = values[cell.dataset.value ?? ""];
      cell.textContent = text;
      cell.className = level;
    }
    this.#note.textContent = this.#latest === null ? "Nothing was measured yet." : noteOf(Date.now() - this.#at);
  }
}
