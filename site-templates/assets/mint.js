// @ts-check
// Asks our own server for the Daily room behind a name.

import { retryAfterMs } from "./outbox.js";

/**
 * @typedef {{name: string, url: string, beaconUrl: string, meetingToken: string | null, grant: import("./page-pass.js").Grant | null}} Room
 *   meetingToken: what opens it where it is private; grant: what its beacons have to show
 * @typedef {{code: string, detail: string, retryAfterMs: number | null}} Refusal
 *   code: the server's own, or ours; detail: for whoever runs the server; retryAfterMs: when it is worth asking again by itself
 */

const TIMEOUT_MS = 30_000;
const CODE = /^[a-z0-9-]{1,64}$/;
/** When a server is too busy but does not say for how long. */
const USUAL_WAIT_MS = 5_000;

/** @param {unknown} value */
const isWebAddress = (value) => typeof value === "string" && /^https?:\/\//.test(value);

/**
 * Never rejects.
 * @param {string} name
 * @param {{fetch: (url: string, init: RequestInit) => Promise<Response>, timeoutMs?: number, now?: () => number, base?: string}} world
 * @returns {Promise<{room: Room} | {refusal: Refusal}>}
 */
export async function mintRoom(name, { fetch, timeoutMs = TIMEOUT_MS, now = Date.now, base = globalThis.location?.href }) {
  const abort = new AbortController();
  const deadline = setTimeout(() => abort.abort(), timeoutMs);
  try {
    const response = await fetch("/api/rooms", {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ name }), signal: abort.signal,
    });
    const answer = await response.json().catch(() => null);
    if (response.ok && isWebAddress(answer?.url) && typeof answer.beaconUrl === "string") {
      const { meetingToken, pageToken: token, pageTokenLifeMs: lifeMs } = answer;
      return { room: {
        name: String(answer.name ?? name), url: answer.url, beaconUrl: new URL(answer.beaconUrl, base).href,
        meetingToken: typeof meetingToken === "string" ? meetingToken : null,
        grant: typeof token === "string" && lifeMs > 0 ? { token, lifeMs } : null,
      } };
    }
    const known = typeof answer?.error === "string" && CODE.test(answer.error) ? answer.error : null;
    const detail = typeof answer?.message === "string" ? answer.message.slice(0, 500) : `POST /api/rooms was answered with ${response.status}`;
    const asked = retryAfterMs(response.headers.get("Retry-After"), now());
    const busy = response.status === 429 || (response.status === 503 && asked !== null);
    return { refusal: {
      code: known ?? (busy ? "rate-limited" : "server-error"),
      detail,
      retryAfterMs: busy ? Math.max(1_000, asked ?? USUAL_WAIT_MS) : null,
    } };
  } catch (cause) {
    const detail = abort.signal.aborted ? `no answer within ${Math.round(timeoutMs / 1000)} s` : String(cause).slice(0, 500);
    return { refusal: { code: "server-unreachable", detail, retryAfterMs: null } };
  } finally {
    clearTimeout(deadline);
  }
}
