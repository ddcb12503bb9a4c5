// @ts-check
// Which of Daily's events go into a beacon, and which of their fields. Everything else stays out: the
// objects that come with these events hold people's names.

/** @typedef {import("./sampler.js").EventRecord} EventRecord */
/** @typedef {any} Payload  an event as daily-js hands it over; trust nothing in it */

/**
 * Daily's `type` of a connection is `connection` here, and the `type` of an error is `error`: `type` of a
 * record is the name of the event.
 * @type {Record<string, (payload: Payload) => Record<string, unknown>>}
 */
const KEEP = {
  "joined-meeting": (e) => ({ session_id: e.participants?.local?.session_id }),
  "left-meeting": () => ({}),
  "participant-joined": (e) => ({ session_id: e.participant?.session_id }),
  "participant-left": (e) => ({ session_id: e.participant?.session_id, reason: e.reason }),
  "network-quality-change": (e) => ({ networkState: e.networkState, networkStateReasons: e.networkStateReasons }),
  "network-connection": (e) => ({ connection: e.type, event: e.event, sfu_id: e.sfu_id }),
  "cpu-load-change": (e) => ({ cpuLoadState: e.cpuLoadState, cpuLoadStateReason: e.cpuLoadStateReason }),
  "meeting-session-summary-updated": (e) => ({ meetingSessionId: e.meetingSession?.id }),
  "meeting-session-state-updated": (e) => ({ topology: e.meetingSessionState?.topology }),
  "camera-error": (e) => ({ error: e.error?.type }),
  "error": (e) => ({ error: e.error?.type, on: e.error?.details?.on }),
  "nonfatal-error": (e) => ({ error: e.type }),
};

/** The events to listen to. */
export const EVENT_TYPES = Object.keys(KEEP);

/** @param {unknown} value @returns {value is string} */
const isShort = (value) => typeof value === "string" && value.length <= 128;

/**
 * @param {string} type @param {Payload} payload @param {number} t  ms since the epoch
 * @returns {EventRecord | null}  null for an event that is not on the list
 */
export function eventRecord(type, payload, t) {
  if (!Object.hasOwn(KEEP, type)) return null;
  /** @type {EventRecord} */
  const record = { t, type };
  for (const [field, value] of Object.entries(KEEP[type](payload ?? {}))) {
    if (isShort(value)) record[field] = value;
    else if (Array.isArray(value)) record[field] = value.filter(isShort).slice(0, 16);
  }
  return record;
}
