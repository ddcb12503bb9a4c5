// @ts-check
// The rooms this browser was in, newest first. Kept in this browser only; without storage there are none.

import { ROOM_NAME } from "./room-name.js";

const KEY = "call-metrics:recent-rooms";
const MOST = 6;

/** @typedef {Pick<Storage, "getItem" | "setItem">} Store */

/** Reading `localStorage` itself throws where storage is blocked. @returns {Store | null} */
function defaultStore() {
  try { return globalThis.localStorage ?? null; } catch { return null; }
}

/** @param {Store | null} [store] @returns {string[]} */
export function recentRooms(store = defaultStore()) {
  try {
    const list = JSON.parse(store?.getItem(KEY) ?? "[]");
    return Array.isArray(list) ? list.filter((name) => typeof name === "string" && ROOM_NAME.test(name)).slice(0, MOST) : [];
  } catch { return []; }
}

/** @param {string} name @param {Store | null} [store] */
export function rememberRoom(name, store = defaultStore()) {
  try {
    store?.setItem(KEY, JSON.stringify([name, ...recentRooms(store).filter((other) => other !== name)].slice(0, MOST)));
  } catch { /* full or blocked: nothing to remember with */ }
}
