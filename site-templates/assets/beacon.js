// @ts-check
// The beacon client: reads Daily's metrics, gathers them into beacons, hands those to the outbox. It owns its
// timers and never throws into the page. Everything it needs of the world is an option, so that tests can be one.

import { eventRecord } from "./events.js";
import { browserStore } from "./leftovers.js";
import { Outbox } from "./outbox.js";
import { bodiesFrom, readingFrom } from "./sampler.js";

/** @typedef {import("./sampler.js").Reading} Reading */
/** @typedef {import("./sampler.js").EventRecord} EventRecord */

/**
 * What is asked of a Daily call object. All three answers are distrusted.
 * @typedef {object} Call
 * @property {() => unknown} getNetworkStats  a promise, or (long ago) the answer itself
 * @property {() => unknown} meetingSessionSummary
 * @property {() => unknown} participants
 *
 * @typedef {object} Options
 * @property {string} beaconUrl
 * @property {{browser?: string, os?: string}} [client]
 * @property {import("./page-pass.js").PagePass | null} [pass]  what the collector wants to see, if anything
 * @property {boolean} [names]  put the participant's name into the beacons
 * @property {number} [sampleIntervalMs]
 * @property {number} [beaconIntervalMs]
 * @property {(reading: Reading | null) => void} [onReading]  each new reading; null where one should have come
 * @property {(delivery: import("./outbox.js").Delivery, waiting: number) => void} [onDelivery]
 * @property {Partial<import("./outbox.js").World>} [world]
 */

/** An event or a reading, and whose. `meetingSessionId` is null while Daily has not told it. @typedef {{sessionId: string, meetingSessionId: string | null, reading?: Reading, event?: EventRecord}} Item */

/** What waits for a beacon: 20 minutes of readings, should Daily never tell the id of the meeting. */
const MOST_ITEMS = 600;
const MOST_EARLY = 20;
const LEAST_DEADLINE_MS = 3_000;

/** @returns {import("./outbox.js").World} */
const browser = () => ({
  fetch: (url, init) => fetch(url, init),
  sendBeacon: typeof globalThis.navigator?.sendBeacon === "function" ? (url, body) => navigator.sendBeacon(url, body) : null,
  now: () => Date.now(),
  setTimeout: (run, ms) => setTimeout(run, ms),
  clearTimeout: (timer) => clearTimeout(timer),
  random: () => Math.random(),
  warn: (message) => console.warn(message),
  store: browserStore(),
});

/** @param {unknown} value @returns {string | null} */
const word = (value) => (typeof value === "string" && value !== "" && value.length <= 256 ? value : null);

/** @template T @param {() => T} ask @returns {T | null}  what a call object throws is "not known" */
function ask(ask) {
  try { return ask(); } catch { return null; }
}

export class BeaconClient {
  /** @type {Call | null} */ #call = null;
  #room = "";
  /** @type {string | null} */ #sessionId = null;
  /** @type {string | null} */ #meetingSessionId = null;
  /** @type {string | null} */ #name = null;
  /** @type {Item[]} */ #items = [];
  /** @type {EventRecord[]} */ #early = [];
  /** Whose camera was seen last, and how. */ #camera = "";
  /** @type {Map<string, number>} */ #seq = new Map();
  /** @type {number | null} */ #lastTimestamp = null;
  /** The request that is pending, if any. @type {object | null} */ #pending = null;
  /** @type {any} */ #sampleTimer = null;
  /** @type {any} */ #beaconTimer = null;
  #outbox; #world; #options;

  /** @param {Options} options */
  constructor(options) {
    this.#options = { sampleIntervalMs: 2_000, beaconIntervalMs: 15_000, client: {}, ...options };
    this.#world = { ...browser(), ...options.world };
    this.#outbox = new Outbox({ url: options.beaconUrl, world: this.#world, pass: options.pass, onDelivery: options.onDelivery });
  }

  get running() { return this.#call !== null; }
  get waiting() { return this.#outbox.waiting; }

  /** Joined: measure from now on. Readings and sends go on until `stop`. @param {Call} call @param {string} room  its URL */
  start(call, room) {
    if (this.#call === call) return;
    this.stop();
    this.#call = call;
    this.#room = room;
    this.#camera = "";
    this.#sessionId = this.#meetingSessionId = this.#lastTimestamp = this.#pending = null;
    const who = this.#identify(call);
    for (const event of this.#early.splice(0)) this.#keep({ ...who, event });
    const { sampleIntervalMs, beaconIntervalMs } = this.#options;
    this.#every(sampleIntervalMs, () => this.#sample(call), (timer) => { this.#sampleTimer = timer; }, call);
    this.#every(beaconIntervalMs, () => this.#gather({ heartbeat: true }), (timer) => { this.#beaconTimer = timer; }, call);
    void this.#sample(call);
  }

  /** Left or failed: no more readings; what there is goes out. */
  stop() {
    if (!this.#call) return;
    this.#world.clearTimeout(this.#sampleTimer);
    this.#world.clearTimeout(this.#beaconTimer);
    this.#gather({ final: true });
    this.#call = null;
    this.#items = [];
  }

  /**
   * One of Daily's events; those not on the list of events.js are ignored. What happens before joining (a
   * camera that fails) waits for the session it led to. @param {string} type @param {unknown} payload
   */
  event(type, payload) {
    const event = ask(() => eventRecord(type, payload, this.#world.now()));
    if (!event) return;
    if (this.#call) this.#keep({ ...this.#identify(this.#call), event });
    else this.#early = [...this.#early, event].slice(-MOST_EARLY);
  }

  /** Hidden, or (`closing`) about to be gone: everything that is at hand, synchronously. */
  hide({ closing = false } = {}) {
    this.#gather({ final: closing, send: false });
    this.#outbox.handOver({ closing });
  }

  /** Visible again. */
  show() { this.#outbox.resume(); }

  /**
   * An interval that neither drifts nor, after the machine slept, catches up in a burst.
   * @param {number} ms @param {() => void} run @param {(timer: any) => void} keep @param {Call} call
   */
  #every(ms, run, keep, call) {
    let due = this.#world.now();
    const next = () => {
      const now = this.#world.now();
      due = due + ms > now && due <= now ? due + ms : now + ms;
      keep(this.#world.setTimeout(() => {
        if (this.#call !== call) return;
        next();
        run();
      }, due - now));
    };
    next();
  }

  /**
   * Who and where, anew each time: either id can change while the participant stays.
   * @param {Call} call @returns {{sessionId: string, meetingSessionId: string | null}}
   */
  #identify(call) {
    const people = /** @type {any} */ (ask(() => call.participants()));
    const summary = /** @type {any} */ (ask(() => call.meetingSessionSummary()));
    this.#sessionId = word(people?.local?.session_id) ?? this.#sessionId;
    this.#meetingSessionId = word(summary?.id) ?? this.#meetingSessionId;
    this.#name = word(people?.local?.user_name) ?? this.#name;
    return { sessionId: this.#sessionId ?? "", meetingSessionId: this.#meetingSessionId };
  }

  /**
   * Keeps an event whenever the camera was switched: little video is a fault only while it is on.
   * @param {Call} call @param {{sessionId: string, meetingSessionId: string | null}} who
   */
  #watchCamera(call, who) {
    const people = /** @type {any} */ (ask(() => call.participants()));
    const state = word(people?.local?.tracks?.video?.state);
    const seen = JSON.stringify([who, state]);
    if (state === null || seen === this.#camera) return;
    this.#camera = seen;
    this.#keep({ ...who, event: { t: this.#world.now(), type: "camera-state", state } });
  }

  /** @param {Call} call */
  async #sample(call) {
    if (this.#pending) return;
    const request = this.#pending = {};
    const who = this.#identify(call);
    this.#watchCamera(call, who);
    const free = () => { if (this.#pending === request) this.#pending = null; };
    // Daily never gives up on a request of its own accord, so this does: the next tick may ask again.
    let late = false;
    const deadline = this.#world.setTimeout(() => {
      late = true;
      free();
      if (this.#call === call) this.#tell(null);
    }, Math.max(LEAST_DEADLINE_MS, this.#options.sampleIntervalMs * 1.5));

    let answer = null;
    try { answer = await call.getNetworkStats(); } catch { /* no reading this time */ }
    this.#world.clearTimeout(deadline);
    free();
    if (this.#call !== call) return;

    const reading = ask(() => readingFrom(answer));
    if (!reading) return late ? undefined : this.#tell(null);
    // Daily refreshes every 2 s; asking more often, or late answers, bring what we have.
    const known = this.#lastTimestamp;
    if (reading.timestamp === known || (late && known !== null && reading.timestamp < known)) return;
    this.#lastTimestamp = reading.timestamp;
    this.#keep({ ...who, reading });
    this.#tell(reading);
  }

  /** @param {Item} item */
  #keep(item) {
    this.#items.push(item);
    if (this.#items.length > MOST_ITEMS) this.#items.shift();
  }

  /**
   * Makes beacons of what was kept, one batch for each pair of ids.
   * @param {{heartbeat?: boolean, final?: boolean, send?: boolean}} how  heartbeat: say that we are there even when
   *   nothing was measured; final: do not wait for an id that is not known yet
   */
  #gather({ heartbeat = false, final = false, send = true }) {
    if (!this.#call) return;
    const who = this.#identify(this.#call);
    if (who.sessionId !== "" && (who.meetingSessionId !== null || final)) {
      const batches = /** @type {Map<string, import("./sampler.js").Batch>} */ (new Map());
      const batchOf = (/** @type {import("./sampler.js").Key} */ key) => {
        const name = JSON.stringify([key.sessionId, key.meetingSessionId]);
        const batch = batches.get(name) ?? { key, readings: [], events: [] };
        batches.set(name, batch);
        return batch;
      };
      for (const item of this.#items) {
        // What came before an id was known belongs to the first one that was.
        const { readings, events } = batchOf({
          sessionId: item.sessionId || who.sessionId,
          meetingSessionId: item.meetingSessionId ?? this.#firstMeeting() ?? "",
        });
        if (item.reading) readings.push(item.reading);
        if (item.event) events.push(item.event);
      }
      if (heartbeat) batchOf({ sessionId: who.sessionId, meetingSessionId: who.meetingSessionId ?? "" });
      this.#items = [];
      for (const batch of batches.values()) this.#post(batch);
    }
    if (send) this.#outbox.pump();
  }

  #firstMeeting() {
    return this.#items.find((item) => item.meetingSessionId !== null)?.meetingSessionId ?? this.#meetingSessionId;
  }

  /** @param {import("./sampler.js").Batch} batch */
  #post(batch) {
    const { sessionId } = batch.key;
    const { client = {}, names } = this.#options;
    const next = () => {
      const seq = this.#seq.get(sessionId) ?? 0;
      this.#seq.set(sessionId, seq + 1);
      return { seq, dropped: this.#outbox.lost(sessionId) };
    };
    const made = ask(() => bodiesFrom({ room: this.#room, client, ...(names && this.#name ? { name: this.#name } : {}) }, batch, next));
    for (const body of made?.bodies ?? []) this.#outbox.add(sessionId, body);
    for (let lost = made?.lost ?? 1; lost > 0; lost -= 1) this.#outbox.countLost(sessionId);
  }

  /** @param {Reading | null} reading */
  #tell(reading) {
    try { this.#options.onReading?.(reading); } catch { /* the page's own trouble */ }
  }
}
