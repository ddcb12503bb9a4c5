// @ts-check
// What the call page shows. It knows elements and words, nothing of Daily and nothing of beacons.

import { Details } from "./details.js";
import { CAUSE_WORDS, DELIVERY_WORDS, LEVEL_WORDS, errorWords } from "./words.js";

/** @param {string} id @returns {HTMLElement} */
function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`no #${id} in this page`);
  return found;
}

/** @param {HTMLElement} element @param {string} text  written only when it changes: these are live regions */
const say = (element, text) => { if (element.textContent !== text) element.textContent = text; };

export class View {
  #call = byId("call");
  #frame = byId("frame");
  #retry = /** @type {HTMLButtonElement} */ (byId("retry"));
  /** @type {() => void} */ #onRetry = () => {};
  /** @type {ReturnType<typeof setInterval> | undefined} */ #countdown;
  #room;
  #level = /** @type {HTMLButtonElement} */ (byId("strip-level"));
  #details = new Details(this.#level, byId("details"));

  /** @param {string} room */
  constructor(room) {
    this.#room = room;
    this.#retry.addEventListener("click", () => this.#onRetry());
    byId("notice-close").addEventListener("click", () => this.notice(""));
  }

  get frame() { return this.#frame; }
  get state() { return this.#call.dataset.state; }

  minting() { this.#progress("minting", `Opening ${this.#room}…`); }

  joining() { this.#progress("joining", `Joining ${this.#room}…`); }

  /** Daily's own screen is there: get out of its way. */
  loaded() {
    this.#state("joining");
    this.#call.dataset.loaded = "";
    this.#frame.inert = false;
  }

  joined() {
    this.#state("joined");
    this.#frame.inert = false;
    document.title = `${this.#room} · call-metrics`;
  }

  /** @param {() => void} rejoin */
  left(rejoin) {
    this.#state("left");
    this.#panel({
      title: `You left ${this.#room}`,
      text: "The report shows how the call went, once it has been rebuilt.",
      help: "", detail: "", action: "Rejoin", onAction: rejoin,
    });
    document.title = `Left ${this.#room} · call-metrics`;
  }

  /**
   * @param {string} code @param {string} detail  what the machine said
   * @param {{retry: () => void, afterMs?: number | null}} how  afterMs: try again by itself then
   */
  error(code, detail, { retry, afterMs = null }) {
    const words = errorWords(code);
    this.#state("error");
    this.#call.dataset.error = code;
    this.#panel({
      title: words.title, text: words.text, help: words.help ?? "",
      detail: detail === "" || detail === code ? `Code: ${code}` : `Code: ${code}. ${detail}`,
      action: afterMs !== null ? "Try now" : words.retry ? "Try again" : "", onAction: retry,
    });
    document.title = `${words.title} · call-metrics`;
    if (afterMs !== null) this.#countDown(afterMs, retry);
  }

  /** Something that does not end the call; "" takes it away. @param {string} text */
  notice(text) {
    say(byId("notice-text"), text);
    this.#call.toggleAttribute("data-notice", text !== "");
  }

  /** @param {import("./connection.js").Level} level @param {import("./connection.js").Cause | "interrupted" | null} cause */
  connection(level, cause) {
    this.#level.dataset.level = level;
    this.#level.disabled = false;
    say(byId("level-word"), LEVEL_WORDS[level]);
    const [title, help] = cause ? CAUSE_WORDS[cause] : ["", ""];
    this.#trouble(title, help);
  }

  /** What the sign goes by. @param {import("./sampler.js").Reading} reading @param {number} now */
  reading(reading, now) { this.#details.show(reading.latest, now); }

  /** @param {string} title @param {string} help */
  #trouble(title, help) {
    say(byId("cause-title"), title);
    say(byId("cause-help"), help);
    this.#call.toggleAttribute("data-trouble", title !== "");
  }

  /** @param {import("./outbox.js").Delivery} delivery @param {number} waiting */
  delivery(delivery, waiting) {
    const strip = byId("strip-delivery");
    strip.dataset.delivery = delivery;
    say(strip, DELIVERY_WORDS[delivery]);
    const panel = { idle: "", saved: waiting === 0 ? "All stats are saved." : "The last stats are being sent…",
      kept: "Some stats can’t be sent right now. Keep this page open; it goes on trying.",
      refused: "The server refused some stats of this call." }[delivery];
    say(byId("panel-delivery"), panel);
  }

  /** @param {"minting" | "joining"} state @param {string} title */
  #progress(state, title) {
    this.#state(state);
    this.#frame.inert = true;
    this.#level.dataset.level = "none";
    this.#level.disabled = true;
    say(byId("level-word"), "Not in the call yet");
    this.#trouble("", "");
    this.notice("");
    this.#panel({ title, text: "", help: "", detail: "", action: "", onAction: () => {} });
    document.title = `${this.#room} · call-metrics`;
  }

  /** @param {"minting" | "joining" | "joined" | "left" | "error"} state */
  #state(state) {
    clearInterval(this.#countdown);
    say(byId("panel-countdown"), "");
    this.#call.dataset.state = state;
    delete this.#call.dataset.error;
    delete this.#call.dataset.loaded;
    this.#details.reset();
  }

  /** @param {{title: string, text: string, help: string, detail: string, action: string, onAction: () => void}} content */
  #panel({ title, text, help, detail, action, onAction }) {
    const over = this.state === "left" || this.state === "error";
    say(byId("panel-title"), title);
    say(byId("panel-text"), text);
    say(byId("panel-help"), help);
    say(byId("panel-detail"), detail);
    say(this.#retry, action);
    this.#retry.hidden = action === "";
    this.#onRetry = onAction;
    byId("home").hidden = byId("report").hidden = !over;
    if (over) {
      this.#frame.inert = true;
      this.notice("");
      byId("panel-title").focus();
    }
  }

  /** @param {number} ms @param {() => void} run */
  #countDown(ms, run) {
    const end = Date.now() + ms;
    const tick = () => {
      const left = Math.ceil((end - Date.now()) / 1000);
      if (left <= 0) run();
      else say(byId("panel-countdown"), `Trying again in ${left} s`);
    };
    this.#countdown = setInterval(tick, 500);
    tick();
  }
}
