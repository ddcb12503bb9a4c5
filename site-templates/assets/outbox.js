// @ts-check
// Gets beacons to the collector: in order, one at a time, again after a failure, never in bursts, and with a
// bound on what is kept. While the page lives they go by fetch, which says whether they arrived. When the page
// is hidden or closed they go by sendBeacon, which does not: `true` only means that the browser took them.
//
// So a beacon that sendBeacon took stays in the queue and, should the page live on, is sent once more by fetch
// until that one is acknowledged: a collector that was down at the wrong moment costs nothing. The report drops the
// repeats (same sessionId and timestamp); `seq` tells which beacons are missing.

import { keepLeftovers, takeLeftovers } from "./leftovers.js";
import { isWorthAnother, withToken } from "./page-pass.js";
import { byteLength } from "./sampler.js";

/**
 * @typedef {"idle" | "saved" | "kept" | "refused"} Delivery
 *   idle: nothing sent yet; saved: the last one arrived; kept: it did not, and will be sent again;
 *   refused: the collector does not want them
 * @typedef {object} World  what the outbox needs of the browser
 * @property {(url: string, init: RequestInit) => Promise<Response>} fetch
 * @property {((url: string, body: string) => boolean) | null} sendBeacon
 * @property {() => number} now
 * @property {(run: () => void, ms: number) => any} setTimeout
 * @property {(timer: any) => void} clearTimeout
 * @property {() => number} random
 * @property {(message: string) => void} warn
 * @property {import("./leftovers.js").Store | null} store  where what could not be sent waits for the next page
 * @typedef {object} Entry
 * @property {string} sessionId
 * @property {string} body
 * @property {number} bytes
 * @property {boolean} handed  sendBeacon took it and no fetch has tried it since
 * @property {string} [token]  of a page before this one, which left the beacon behind
 * @property {string} [room]  of that page, where it was another
 * @property {number} [at]  when it was left behind
 * @property {boolean} [renewed]  it was refused for its token, and another was had for it
 */

export const RING = 240;
/** Chromium's budget for everything in flight from a page, sendBeacon and keepalive together. */
export const IN_FLIGHT_BYTES = 64 * 1024;
const SEND_TIMEOUT_MS = 10_000;
const FIRST_DELAY_MS = 1_000;
const LONGEST_DELAY_MS = 60_000;
const LONGEST_RETRY_AFTER_MS = 600_000;
/** Between two beacons of a backlog. */
const GAP_MS = 250;
/** A page that was merely hidden gives sendBeacon this long before it sends the same beacon again. */
const CONFIRM_AFTER_MS = 5_000;

/**
 * `Retry-After`, in seconds or as a date, as milliseconds from now; null when there is none to go by.
 * @param {string | null} value @param {number} now
 */
export function retryAfterMs(value, now) {
  const text = value?.trim();
  if (!text) return null;
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - now;
  return Number.isFinite(ms) ? Math.min(Math.max(ms, 0), LONGEST_RETRY_AFTER_MS) : null;
}

/** @param {number} failures  1 for the first @param {number} random  0 to 1: between half and all of the delay */
export const backOffMs = (failures, random) =>
  Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.min(failures - 1, 16)) * (0.5 + random / 2);

/** @param {number} status */
const isWorthRetrying = (status) => status === 408 || status === 429 || status >= 500;

export class Outbox {
  /** @type {Entry[]} */ #queue = [];
  /** @type {Entry | null} */ #sending = null;
  /** @type {Map<string, number>} */ #lost = new Map();
  #failures = 0;
  #notBefore = -Infinity;
  /** @type {any} */ #timer = null;
  #warned = false;
  /** The one being sent was refused for its token, and another is being asked for. */
  #renewing = false;
  /** @type {Delivery} */ #delivery = "idle";
  #url; #world; #pass; #onDelivery;

  /** @param {{url: string, world: World, pass?: import("./page-pass.js").PagePass | null, onDelivery?: (delivery: Delivery, waiting: number) => void}} options */
  constructor({ url, world, pass = null, onDelivery = () => {} }) {
    this.#url = url;
    this.#world = world;
    this.#pass = pass;
    this.#onDelivery = onDelivery;
    this.#adopt();
  }

  /** How many are not known to have arrived. */
  get waiting() { return this.#queue.length; }
  get delivery() { return this.#delivery; }

  /** How many beacons of this session were given up. @param {string} sessionId */
  lost(sessionId) { return this.#lost.get(sessionId) ?? 0; }

  /** @param {string} sessionId */
  countLost(sessionId) { this.#lost.set(sessionId, this.lost(sessionId) + 1); }

  /** @param {string} sessionId @param {string} body @param {Omit<import("./leftovers.js").Leftover, "sessionId" | "body">} [left]  where another page left it */
  add(sessionId, body, left = {}) {
    this.#queue.push({ ...left, sessionId, body, bytes: byteLength(body), handed: false });
    if (this.#queue.length > RING) {
      const oldest = this.#queue.findIndex((entry) => entry !== this.#sending);
      for (const entry of this.#queue.splice(oldest, 1)) this.countLost(entry.sessionId);
    }
    // "All saved" is no longer true: who leaves now must not read it before the last beacon has arrived.
    if (this.#delivery === "saved") this.#say("saved");
  }

  /** Sends what is waiting, now or as soon as it may. */
  pump() {
    if (this.#sending || this.#queue.length === 0) return;
    const wait = this.#notBefore - this.#world.now();
    this.#world.clearTimeout(this.#timer);
    if (wait > 0) this.#timer = this.#world.setTimeout(() => this.pump(), wait);
    else void this.#sendFirst();
  }

  async #sendFirst() {
    const entry = this.#sending = this.#queue[0];
    this.#pass?.keepFresh();
    const answer = await this.#post(this.#dressed(entry));
    this.#renewing = answer?.status === 403 && isWorthAnother(answer.reason);
    const again = this.#renewing ? await this.#anotherToken(entry) : null;
    this.#renewing = false;
    this.#sending = null;
    entry.handed = false;
    const now = this.#world.now();

    if (answer?.ok) {
      this.#take(entry);
      this.#failures = 0;
      this.#notBefore = now + GAP_MS;
      this.#say("saved");
    } else if (again === "at once") {
      this.#notBefore = now + GAP_MS;
    } else if (again === "another time") {
      this.#putAway(entry);
      this.#notBefore = now + GAP_MS;
    } else if (answer && again !== "later" && !isWorthRetrying(answer.status)) {
      this.#take(entry);
      this.countLost(entry.sessionId);
      this.#failures = 0;
      this.#notBefore = now + GAP_MS;
      this.#warnOnce(`the collector refused a beacon with ${answer.status}; it is given up`);
      this.#say("refused");
    } else {
      this.#failures += 1;
      const asked = answer && retryAfterMs(answer.retryAfter, now);
      const delay = backOffMs(this.#failures, this.#world.random());
      this.#notBefore = now + Math.max(asked ?? 0, delay);
      this.#say("kept");
    }
    this.pump();
  }

  /** What goes out for an entry. @param {Entry} entry */
  #dressed(entry) { return withToken(entry.body, this.#tokenOf(entry) ?? null); }

  /** A token is good for one room: those of another room do not get this page's. @param {Entry} entry */
  #tokenOf(entry) { return entry.token ?? (entry.room === undefined ? this.#pass?.token ?? undefined : undefined); }

  /**
   * Its token was refused, which is not the beacon's fault: it stays until a newer one was refused as well.
   * @param {Entry} entry @returns {Promise<"at once" | "later" | "another time" | null>}
   */
  async #anotherToken(entry) {
    if (entry.room !== undefined) return this.#anotherTokenElsewhere(entry, entry.room);
    if (entry.token !== undefined) {
      // It may have been left behind by a page of this very room.
      delete entry.token;
      return this.#pass?.token ? "at once" : null;
    }
    if (!this.#pass || entry.renewed) return null;
    if (!await this.#pass.renew()) return "later";
    entry.renewed = true;
    return "at once";
  }

  /** A token for the room that it came from. @param {Entry} entry @param {string} room @returns {Promise<"at once" | "another time" | null>} */
  async #anotherTokenElsewhere(entry, room) {
    if (!this.#pass || entry.renewed) return null;
    const token = await this.#pass.tokenFor(room);
    if (token === null) return "another time";
    for (const one of this.#alike(entry)) one.token = token;
    entry.renewed = true;
    return "at once";
  }

  /** Left behind together with it. @param {Entry} entry */
  #alike({ room, token }) { return this.#queue.filter((one) => one.room === room && one.token === token); }

  /** No token is to be had for them now. This page's own beacons must not wait for that: they are left for the next page once more. @param {Entry} entry */
  #putAway(entry) {
    const beacons = this.#alike(entry);
    for (const one of beacons) this.#take(one);
    if (this.#world.store) keepLeftovers(this.#world.store, this.#url, beacons, this.#world.now());
    else for (const one of beacons) this.countLost(one.sessionId);
  }

  /** Never rejects: null is "no answer". @param {string} body */
  async #post(body) {
    const abort = new AbortController();
    const deadline = this.#world.setTimeout(() => abort.abort(), SEND_TIMEOUT_MS);
    try {
      // An own deadline beside the signal: not every fetch that hangs listens to it.
      const aborted = new Promise((_, reject) => abort.signal.addEventListener("abort", () => reject(new Error("timeout"))));
      const request = this.#world.fetch(this.#url, {
        method: "POST", body, keepalive: true, credentials: "omit", cache: "no-store", signal: abort.signal,
      });
      const response = /** @type {Response} */ (await Promise.race([request, aborted]));
      // What it says is of no interest, but an unread body keeps a connection busy.
      response.body?.cancel().catch(() => {});
      return { ok: response.ok, status: response.status, retryAfter: response.headers?.get("Retry-After") ?? null, reason: response.headers?.get("X-Call-Metrics") ?? null };
    } catch {
      return null;
    } finally {
      this.#world.clearTimeout(deadline);
    }
  }

  /**
   * The page may be going away: hands over, synchronously, as much as may be in flight. Safe to call twice.
   * @param {{closing?: boolean}} [how]
   */
  handOver({ closing = false } = {}) {
    // A beacon that waits for another token is on its way nowhere, and there is nobody left to send it.
    if (closing && (this.#delivery === "kept" || this.#renewing)) {
      const beacons = this.#queue.map((entry) => ({ ...entry, token: this.#tokenOf(entry), room: entry.room ?? this.#pass?.room }));
      keepLeftovers(this.#world.store, this.#url, beacons, this.#world.now());
    }
    const send = this.#world.sendBeacon;
    if (!send) return this.pump();
    let inFlight = this.#sending?.bytes ?? 0;
    let handed = false;
    for (const entry of this.#queue) {
      if (entry === this.#sending || entry.handed) continue;
      const body = this.#dressed(entry);
      const bytes = entry.bytes + body.length - entry.body.length; // tokens are ASCII
      if (inFlight + bytes > IN_FLIGHT_BYTES) break;
      let taken = false;
      try { taken = send(this.#url, body); } catch { /* as good as false */ }
      if (!taken) break;
      entry.handed = handed = true;
      inFlight += bytes;
    }
    if (handed) this.#notBefore = Math.max(this.#notBefore, this.#world.now() + CONFIRM_AFTER_MS);
    this.pump();
  }

  /** The page is back: what was handed over may be handed over again if it hides before a fetch got through. */
  resume() {
    // What this page left behind before it came back, it still has; what another page left, it sends for it.
    this.#adopt();
    for (const entry of this.#queue) entry.handed = false;
    this.pump();
  }

  #adopt() {
    const own = new Set(this.#queue.map((entry) => entry.body));
    for (const { sessionId, body, room, ...left } of takeLeftovers(this.#world.store, this.#url, this.#world.now())) {
      if (!own.has(body)) this.add(sessionId, body, { ...left, ...(room === this.#pass?.room ? {} : { room }) });
    }
  }

  /** @param {Entry} entry */
  #take(entry) {
    const at = this.#queue.indexOf(entry);
    if (at >= 0) this.#queue.splice(at, 1);
  }

  /** @param {Delivery} delivery */
  #say(delivery) {
    this.#delivery = delivery;
    try { this.#onDelivery(delivery, this.#queue.length); } catch { /* the page's own trouble */ }
  }

  /** @param {string} message */
  #warnOnce(message) {
    if (this.#warned) return;
    this.#warned = true;
    this.#world.warn(`call-metrics: ${message}`);
  }
}
