// @ts-check
// Beacons that a page could not get rid of before it closed, kept in this browser for the next page of ours.
// Only for when the collector is known not to answer: otherwise sendBeacon has them, and keeping them as well
// would send everything twice.

const KEY = "call-metrics:unsent-beacons";
const MOST_CHARS = 512 * 1024;
/** What is older is left out: the collector could no longer tell when it was. */
const OLDEST_MS = 12 * 3_600_000;

/**
 * @typedef {{sessionId: string, body: string, token?: string, room?: string, at?: number}} Leftover
 *   token: the page's, which is good for some hours more; room: what the page asked our server for, to get another; at: when it
 *   was left behind first
 * @typedef {Pick<Storage, "getItem" | "setItem" | "removeItem">} Store
 */

/** Reading `localStorage` itself throws where storage is blocked. @returns {Store | null} */
export function browserStore() {
  try { return globalThis.localStorage ?? null; } catch { return null; }
}

/** @param {Leftover} leftover  more than that is left out */
const bare = ({ sessionId, body, token, room }) => ({ sessionId, body, ...(token ? { token } : {}), ...(room ? { room } : {}) });

/** @param {Store | null} store @returns {(Leftover & {url: string, at: number})[]} */
function read(store) {
  try {
    const list = JSON.parse(store?.getItem(KEY) ?? "[]");
    return Array.isArray(list) ? list.filter((one) => typeof one?.url === "string" && typeof one.at === "number"
      && typeof one.sessionId === "string" && typeof one.body === "string"
      && [one.token, one.room].every((text) => text === undefined || typeof text === "string")) : [];
  } catch { return []; }
}

/**
 * Adds to what is kept; the oldest give way. Keeping the same beacon twice keeps it once.
 * @param {Store | null} store @param {string} url @param {readonly Leftover[]} beacons @param {number} now
 */
export function keepLeftovers(store, url, beacons, now) {
  if (!store || beacons.length === 0) return;
  const bodies = new Set(beacons.map((beacon) => beacon.body));
  const all = [...read(store).filter((one) => !bodies.has(one.body)),
    ...beacons.map((beacon) => ({ url, at: beacon.at ?? now, ...bare(beacon) }))];
  let room = MOST_CHARS;
  const kept = all.reverse().filter((one) => (room -= one.body.length + 200) >= 0).reverse();
  try { store.setItem(KEY, JSON.stringify(kept)); } catch { /* full or blocked */ }
}

/**
 * Takes what was kept for this collector: whoever takes it is the one to send it.
 * @param {Store | null} store @param {string} url @param {number} now @returns {Leftover[]}
 */
export function takeLeftovers(store, url, now) {
  const all = read(store);
  if (all.length === 0) return [];
  try {
    const others = all.filter((one) => one.url !== url);
    if (others.length > 0) store?.setItem(KEY, JSON.stringify(others));
    else store?.removeItem(KEY);
  } catch { return []; } // could not be taken away: whoever can will send it
  return all.filter((one) => one.url === url && Math.abs(now - one.at) < OLDEST_MS)
    .map((one) => ({ ...bare(one), at: one.at }));
}
