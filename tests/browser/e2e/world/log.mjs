// The beacon log as a person with `jq` would read it.

import { readFileSync } from "node:fs";

/** Every line. @returns {any[]} */
export const beacons = (path) => readFileSync(path, "utf8").split("\n").filter(Boolean).map((line) => JSON.parse(line));

/** What came from one participant. */
export const from = (beacons, sessionId) => beacons.filter((beacon) => beacon.sessionId === sessionId);

/** Distinct times of readings, in order. @returns {number[]} */
export const times = (beacons) => [...new Set(beacons.flatMap((beacon) => beacon.samples?.timestamp ?? []))].sort((a, b) => a - b);

/** Every value of a metric that was measured, one for each time. @returns {number[]} */
export function values(beacons, metric) {
  const byTime = new Map();
  for (const { samples } of beacons) samples?.timestamp.forEach((t, n) => byTime.set(t, samples[metric]?.[n] ?? null));
  return [...byTime.values()].filter((value) => value !== null);
}

/** The events of one type. */
export const events = (beacons, type) => beacons.flatMap((beacon) => beacon.events ?? []).filter((event) => event.type === type);

/** A reading every 2 s from `start` on, as columns: {timestamp, sendBitsPerSecond, …}. */
export const columns = (start, n) => ({
  timestamp: Array.from({ length: n }, (_, at) => start + 2000 * at),
  sendBitsPerSecond: Array.from({ length: n }, (_, at) => 1e6 + 1e5 * Math.sin(at / 3)),
  totalSendPacketLoss: Array.from({ length: n }, (_, at) => (at % 10) / 200),
  networkRoundTripTime: Array.from({ length: n }, (_, at) => 0.05 + (at % 7) / 100),
});

/** A beacon as our page sends it; anything in it can be another. */
export const beacon = (samples, other = {}) => ({
  v: 1, seq: 0, source: "daily", room: "https://example.daily.co/meet-ana", meetingSessionId: "m1", sessionId: "s1",
  networkState: "good",
  stats: { latest: Object.fromEntries(Object.entries(samples).map(([metric, values]) => [metric, values.at(-1)])) },
  samples, client: { browser: "Chromium 156", os: "Linux" }, ...other,
});
