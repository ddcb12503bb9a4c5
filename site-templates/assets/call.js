// @ts-check
// The call page: finds the room, joins it, measures it, and says in words how that stands.

import { BeaconClient } from "./beacon.js";
import { clientName } from "./client-name.js";
import { Connection } from "./connection.js";
import { dailyError, dailyLibrary } from "./daily-errors.js";
import { EVENT_TYPES } from "./events.js";
import { mintRoom } from "./mint.js";
import { flushWhenHidden } from "./page-life.js";
import { PagePass } from "./page-pass.js";
import { rememberRoom } from "./recent-rooms.js";
import { View } from "./view.js";
import { cameraWords } from "./words.js";

const settings = /** @type {HTMLElement} */ (document.getElementById("call")).dataset;
const number = (/** @type {string | undefined} */ text, /** @type {number} */ otherwise) => (Number(text) > 0 ? Number(text) : otherwise);
const roomName = settings.room ?? "";
const sampleIntervalMs = number(settings.sampleIntervalMs, 2_000);
const beaconIntervalMs = number(settings.beaconIntervalMs, 15_000);
const joinTimeoutMs = number(settings.joinTimeoutMs, 20_000);
/** How often the page tries again by itself before it leaves that to the person. */
const MOST_RETRIES = 5;

const mint = (name = roomName) => mintRoom(name, { fetch: (url, init) => fetch(url, init) });
const pass = new PagePass({
  room: roomName,
  now: () => Date.now(),
  renew: async (room) => {
    const minted = await mint(room);
    return "room" in minted ? minted.room.grant : null;
  },
});
const view = new View(roomName);
const connection = new Connection();
/** One for each address that beacons go to, so that what waits in one outlives a rejoin. @type {Map<string, BeaconClient>} */
const clients = new Map();
/** Each try to be in the call has a number; whatever an earlier one still has to say is ignored. */
let attempt = 0;
let retries = 0;
/** @type {any} */ let call = null;

/** @param {string} beaconUrl */
function clientFor(beaconUrl) {
  const known = clients.get(beaconUrl);
  if (known) return known;
  const client = new BeaconClient({
    beaconUrl, sampleIntervalMs, beaconIntervalMs, pass,
    client: clientName(navigator.userAgent, navigator.maxTouchPoints),
    names: settings.participantNames === "true",
    onReading: (reading) => {
      const now = Date.now();
      if (reading) view.reading(reading, now);
      showConnection(connection.push(reading, now));
    },
    onDelivery: (delivery, waiting) => view.delivery(delivery, waiting),
  });
  flushWhenHidden(client, document, window);
  clients.set(beaconUrl, client);
  return client;
}

let interrupted = false;
/** @param {{level: import("./connection.js").Level, cause: import("./connection.js").Cause | null}} now */
function showConnection({ level, cause }) {
  if (view.state !== "joined") return;
  if (interrupted) view.connection("measuring", "interrupted");
  else view.connection(level, cause);
}

let destroyed = Promise.resolve();
/** A second live call object throws, so the next one waits for the end of this one. */
function destroyCall() {
  const old = call;
  call = null;
  destroyed = destroyed.then(() => old?.destroy()).catch(() => { /* gone already */ });
  return destroyed;
}

/** From the beginning: room, library, frame, join. */
async function begin() {
  const mine = ++attempt;
  const current = () => mine === attempt;
  view.minting();
  const [minted, Daily] = await Promise.all([
    mint(),
    dailyLibrary(/** @type {HTMLScriptElement | null} */ (document.getElementById("daily-js")), joinTimeoutMs),
    destroyCall(),
  ]);
  if (!current()) return;
  if ("refusal" in minted) return refused(minted.refusal);
  retries = 0;
  pass.take(minted.room.grant);
  if (!Daily) return view.error("daily-js-missing", "", { retry: () => location.reload() });
  view.joining();
  join(Daily, minted.room, current);
}

/** @param {import("./mint.js").Refusal} refusal */
function refused({ code, detail, retryAfterMs }) {
  const byItself = retryAfterMs !== null && retries < MOST_RETRIES;
  if (byItself) retries += 1;
  // Everybody who was told the same number of seconds should not come back in the same instant.
  const afterMs = byItself ? retryAfterMs + Math.random() * 1_000 : null;
  view.error(code, detail, { retry: begin, afterMs });
}

/** @param {any} Daily @param {import("./mint.js").Room} room @param {() => boolean} current */
function join(Daily, room, current) {
  const client = clientFor(room.beaconUrl);
  let over = false;

  /** @param {() => void} show */
  const end = (show) => {
    if (over || !current()) return;
    over = true;
    clearTimeout(patience);
    client.stop();
    show();
    void destroyCall();
  };
  /** @param {unknown} reason */
  const fail = (reason) => {
    const { code, detail } = dailyError(reason);
    end(() => view.error(code, detail, { retry: begin }));
  };
  const isCurrent = () => current() && !over;

  // Daily tries three hosts for 25 s each, and says nothing meanwhile. We say so earlier, but let it try: once the
  // frame has loaded, its own screen is there, and a person may take as long as they like on it.
  const patience = setTimeout(() => {
    if (isCurrent()) view.error("join-timeout", "", { retry: begin });
  }, joinTimeoutMs);

  try {
    call = Daily.createFrame(view.frame, { showLeaveButton: true, showFullscreenButton: true });
  } catch (cause) {
    return fail(cause);
  }
  const mine = call;
  const iframe = mine.iframe?.();
  if (iframe) iframe.title = `Call in room ${roomName}`;

  /** @type {Record<string, (event: any) => void>} */
  const react = {
    "loaded": () => {
      clearTimeout(patience);
      if (view.state !== "joined") view.loaded();
    },
    "joined-meeting": () => {
      clearTimeout(patience);
      connection.reset();
      interrupted = false;
      view.joined();
      showConnection(connection.at(Date.now()));
      rememberRoom(roomName);
      client.start(mine, room.url);
    },
    "network-connection": (event) => {
      interrupted = event?.event === "interrupted";
      showConnection(connection.at(Date.now()));
    },
    "camera-error": (event) => view.notice(cameraWords(event?.error?.type)),
    "left-meeting": () => end(() => view.left(begin)),
    "error": fail,
  };
  for (const type of new Set([...Object.keys(react), ...EVENT_TYPES])) {
    mine.on(type, (/** @type {any} */ event) => {
      if (!isCurrent()) return;
      // Starting comes before noting that it started, ending after noting that it ended.
      if (type === "joined-meeting") react[type](event);
      client.event(type, event);
      if (type !== "joined-meeting") react[type]?.(event);
    });
  }
  // Both the event and the rejection may come; the first one ends it.
  Promise.resolve(mine.join({
    url: room.url, ...(room.meetingToken === null ? {} : { token: room.meetingToken }), aboutClient: { app: "call-metrics" },
  })).catch((reason) => {
    if (view.state === "error" && isCurrent()) end(() => {});
    else fail(reason);
  });
}

addEventListener("online", () => {
  if (document.getElementById("call")?.dataset.error === "server-unreachable") void begin();
});

void begin();
