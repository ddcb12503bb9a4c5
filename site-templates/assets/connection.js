// @ts-check
// The small sign in the strip under the call: how this person's connection is, from the readings alone.
// Slow to judge on purpose: it falls after 3 of 5 bad readings and rises after 5 better ones. Unknown is not good.

/** @typedef {"measuring" | "good" | "fair" | "poor"} Level */
/** @typedef {"upload" | "download" | "delay"} Cause */
/** @typedef {import("./sampler.js").Reading} Reading */

/** Daily's own limits, those of `testCallQuality()`. Loss is a share, the round trip in seconds. */
export const LIMITS = { loss: { fair: 0.05, poor: 0.1 }, roundTrip: { fair: 0.3, poor: 0.6 } };

const WINDOW = 5;
const ENOUGH = 3;
/** Without a reading for so long, what we said before is no longer known. */
export const STALE_MS = 10_000;

const LEVELS = /** @type {const} */ (["good", "fair", "poor"]);

/**
 * The worst of what one reading measured; null when it measured neither loss nor delay.
 * @param {Reading["latest"]} latest @returns {{rank: 0 | 1 | 2, cause: Cause} | null}
 */
export function judge(latest) {
  /** @param {string[]} names */
  const highest = (names) => {
    const values = names.map((name) => latest[name]).filter((value) => typeof value === "number");
    return values.length > 0 ? Math.max(...values) : null;
  };
  /** @type {[Cause, number | null, {fair: number, poor: number}][]} */
  const found = [
    ["upload", highest(["totalSendPacketLoss", "videoSendPacketLoss", "audioSendPacketLoss"]), LIMITS.loss],
    ["download", highest(["totalRecvPacketLoss", "videoRecvPacketLoss", "audioRecvPacketLoss"]), LIMITS.loss],
    ["delay", highest(["networkRoundTripTime"]), LIMITS.roundTrip],
  ];
  /** @type {{rank: 0 | 1 | 2, cause: Cause} | null} */
  let worst = null;
  for (const [cause, value, limit] of found) {
    if (value === null) continue;
    const rank = value >= limit.poor ? 2 : value >= limit.fair ? 1 : 0;
    if (worst === null || rank > worst.rank) worst = { rank, cause };
  }
  return worst;
}

/** Follows one call. `push` a reading, or null where one should have come; ask with the present time. */
export class Connection {
  /** @type {{rank: 0 | 1 | 2, cause: Cause}[]} */ #recent = [];
  /** @type {0 | 1 | 2 | null} */ #rank = null;
  #heardAt = -Infinity;

  /** @param {Reading | null} reading @param {number} now @returns {{level: Level, cause: Cause | null}} */
  push(reading, now) {
    const verdict = reading && judge(reading.latest);
    if (verdict) {
      if (now - this.#heardAt > STALE_MS) this.reset();
      this.#heardAt = now;
      this.#recent = [...this.#recent, verdict].slice(-WINDOW);
      this.#settle();
    }
    return this.at(now);
  }

  /** @param {number} now @returns {{level: Level, cause: Cause | null}} */
  at(now) {
    if (this.#rank === null || now - this.#heardAt > STALE_MS) return { level: "measuring", cause: null };
    const culprit = [...this.#recent].reverse().find((seen) => seen.rank >= (this.#rank ?? 0));
    return { level: LEVELS[this.#rank], cause: this.#rank > 0 ? culprit?.cause ?? null : null };
  }

  reset() {
    this.#recent = [];
    this.#rank = null;
  }

  #settle() {
    const recent = this.#recent;
    if (recent.length < ENOUGH) return;
    // The worst level that three of the last five readings reach.
    const agreed = ([2, 1, 0]).find((rank) => recent.filter((seen) => seen.rank >= rank).length >= ENOUGH) ?? 0;
    if (this.#rank === null || agreed > this.#rank) this.#rank = /** @type {0 | 1 | 2} */ (agreed);
    else if (recent.length === WINDOW) {
      const worst = Math.max(...recent.map((seen) => seen.rank));
      if (worst < this.#rank) this.#rank = /** @type {0 | 1 | 2} */ (worst);
    }
  }
}
