// @ts-check
// The pure half of the beacon client: what Daily answered goes in, the bodies of beacons come out.
// Nothing here reads a clock, a page or a network, so that all of it runs under `node --test`.

/**
 * @typedef {Record<string, number | null>} Latest  one reading of Daily's metrics, in Daily's units
 * @typedef {object} Reading
 * @property {number} timestamp  `latest.timestamp`, as Daily gave it
 * @property {Latest} latest     its numeric metrics; null is "not measured", never 0
 * @property {object} stats      the whole inner `stats` object
 * @property {Network} network   what Daily says beside the stats
 * @typedef {{networkState?: string, networkStateReasons?: string[], threshold?: string, quality?: number}} Network
 * @typedef {{t: number, type: string, [field: string]: unknown}} EventRecord
 * @typedef {{sessionId: string, meetingSessionId: string}} Key  whose beacon it is: each carries exactly one of both
 * @typedef {{key: Key, readings: Reading[], events: EventRecord[]}} Batch
 * @typedef {object} Envelope
 * @property {string} room
 * @property {{browser?: string, os?: string}} client
 * @property {string} [name]
 */

/** What we aim at: sixteen of these fit into the 64 KiB that a closing page may have in flight. */
export const AIM_BYTES = 16 * 1024;
/** What we never exceed: the collector, and keepalive, refuse more than 64 KiB. */
export const MAX_BYTES = 60 * 1024;

const METRIC_NAME = /^[A-Za-z][A-Za-z0-9]{0,63}$/;
const encoder = new TextEncoder();

/** @param {string} text */
export const byteLength = (text) => encoder.encode(text).length;

/** @param {unknown} value @returns {value is Record<string, unknown>} */
const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

/** @param {unknown} value @returns {value is string} */
const isWord = (value) => typeof value === "string" && value.length <= 64;

/**
 * One answer of `getNetworkStats()`, whatever it is. Null when it holds no reading: `{}` before Daily has
 * data, nothing at all, or numbers without a time.
 * @param {unknown} answer @returns {Reading | null}
 */
export function readingFrom(answer) {
  if (!isObject(answer) || !isObject(answer.stats) || !isObject(answer.stats.latest)) return null;
  const timestamp = answer.stats.latest.timestamp;
  if (typeof timestamp !== "number" || !Number.isFinite(timestamp)) return null;

  /** @type {Latest} */
  const latest = {};
  for (const [name, value] of Object.entries(answer.stats.latest)) {
    if (name === "timestamp" || !METRIC_NAME.test(name)) continue;
    if (typeof value === "number" && Number.isFinite(value)) latest[name] = value;
    else if (value === null) latest[name] = null;
  }
  return { timestamp, latest, stats: answer.stats, network: networkFrom(answer) };
}

/** @param {Record<string, unknown>} answer @returns {Network} */
function networkFrom(answer) {
  /** @type {Network} */
  const network = {};
  if (isWord(answer.threshold)) network.threshold = answer.threshold;
  if (typeof answer.quality === "number" && Number.isFinite(answer.quality)) network.quality = answer.quality;
  if (isWord(answer.networkState)) network.networkState = answer.networkState;
  // Absent until the first change of quality. Absent stays absent: `[]` would say "no reason".
  if (Array.isArray(answer.networkStateReasons)) {
    network.networkStateReasons = answer.networkStateReasons.filter(isWord).slice(0, 16);
  }
  return network;
}

/**
 * Readings as columns of equal length. A metric is a column once any reading measured it.
 * @param {Reading[]} readings @returns {Record<string, (number | null)[]>}
 */
export function columnsFrom(readings) {
  /** @type {Record<string, (number | null)[]>} */
  const columns = { timestamp: readings.map((reading) => reading.timestamp) };
  const names = new Set(readings.flatMap((reading) =>
    Object.keys(reading.latest).filter((name) => reading.latest[name] !== null)));
  for (const name of names) columns[name] = readings.map((reading) => reading.latest[name] ?? null);
  return columns;
}

/**
 * One beacon. No reading makes a heartbeat: the participant is there, nothing was measured.
 * @param {Envelope} envelope @param {Batch} batch @param {{seq: number, dropped: number}} count
 * @returns {Record<string, unknown>}
 */
export function bodyFrom(envelope, batch, { seq, dropped }) {
  const last = batch.readings[batch.readings.length - 1];
  return {
    v: 1,
    seq,
    source: "daily",
    room: envelope.room,
    meetingSessionId: batch.key.meetingSessionId,
    sessionId: batch.key.sessionId,
    ...(envelope.name ? { name: envelope.name } : {}),
    ...(last ? last.network : {}),
    stats: last ? last.stats : {},
    ...(last ? { samples: columnsFrom(batch.readings) } : {}),
    ...(batch.events.length > 0 ? { events: batch.events } : {}),
    ...(dropped > 0 ? { dropped } : {}),
    client: envelope.client,
  };
}

/**
 * The bodies of a batch, each as small as we aim at where that is possible. `next` is asked once a beacon, so
 * that a retry of the same text carries the same number.
 * @param {Envelope} envelope @param {Batch} batch @param {() => {seq: number, dropped: number}} next
 * @returns {{bodies: string[], lost: number}}  `lost`: batches that no cutting made small enough
 */
export function bodiesFrom(envelope, batch, next) {
  const pieces = cut(envelope, batch);
  const bodies = pieces.filter((piece) => piece !== null).map((piece) => JSON.stringify(bodyFrom(envelope, piece, next())));
  return { bodies, lost: pieces.length - bodies.length };
}

/** @param {Envelope} envelope @param {Batch} batch @returns {(Batch | null)[]} */
function cut(envelope, batch) {
  // Measured with the widest numbers, so that the real ones cannot push a piece over the edge.
  const size = byteLength(JSON.stringify(bodyFrom(envelope, batch, { seq: Number.MAX_SAFE_INTEGER, dropped: Number.MAX_SAFE_INTEGER })));
  if (size <= AIM_BYTES) return [batch];
  const { key, readings, events } = batch;
  if (readings.length + events.length > 1) {
    const r = Math.ceil(readings.length / 2);
    const e = readings.length > 0 ? Math.floor(events.length / 2) : Math.ceil(events.length / 2);
    return [
      ...cut(envelope, { key, readings: readings.slice(0, r), events: events.slice(0, e) }),
      ...cut(envelope, { key, readings: readings.slice(r), events: events.slice(e) }),
    ];
  }
  return [size <= MAX_BYTES ? batch : null];
}
