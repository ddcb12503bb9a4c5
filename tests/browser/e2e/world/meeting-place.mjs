// Everything that a call needs: a fake Daily, the frames of its rooms, and our server between them and the people.

import { Server } from "./binary.mjs";
import { FakeDaily, KEY } from "./fake-daily.mjs";
import { Frames } from "./frames.mjs";

/** Faster than in life, so that a call of a few seconds has a few beacons. */
const PACE = { sample: "500ms", beacon: "1s" };

/**
 * @param {object} how
 * @param {string | null} [how.key]    for DAILY_TOKEN; null: none
 * @param {string} [how.daily]         another address for Daily's API
 * @param {string[]} [how.args]        more arguments for `serve`
 * @param {{sample: string, beacon: string}} [how.pace]
 */
export async function meetingPlace(t, { key = KEY, daily, args = [], pace = PACE } = {}) {
  const frames = await Frames.start(t);
  const fakeDaily = await FakeDaily.start(t, frames.origin);
  const env = { DAILY_API_URL: daily ?? fakeDaily.url, ...(key === null ? {} : { DAILY_TOKEN: key }) };
  const server = await Server.start(t,
    ["--watch", "--frame-origin", frames.origin, "--sample-interval", pace.sample, "--beacon-interval", pace.beacon, ...args], env);
  return { frames, fakeDaily, server };
}
