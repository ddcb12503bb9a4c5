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

/** @typedef {{cause: Cause, value: number | null, rank: 0 | 1 | 2}} Measure */

/**
 * What one reading says of upload, download and delay, in this order: the highest value, null where none was measured, and how bad it is.
 * @param {Reading["latest"]} latest @returns {[Measure, Measure, Measure]}
 */
export function measures(latest) {
  /** @param {Cause} cause @param {{fair: number, poor: number}} limit @param {string[]} names @returns {Measure} */
  const measure = (cause, limit, ...names) => {
    const values = names.map((name) => latest[name]).filter((value) => typeof value === "number");
    const value = values.length > 0 ? Math.max(...values) : null;
    return { cause, value, rank: value === null || value < limit.fair ? 0 : value < limit.poor ? 1 : 2 };
  };
  return [
    measure("upload", LIMITS.loss, "totalSendPacketLoss", "videoSendPacketLoss", "audioSendPacketLoss"),
    measure("download", LIMITS.loss, "totalRecvPacketLoss", "videoRecvPacketLoss", "audioRecvPacketLoss"),
    measure("delay", LIMITS.roundTrip, "networkRoundTripTime"),
  ];
}

/**
 * The worst of what one reading measured; null when it measured neither loss nor delay.
 * @param {Reading["latest"]} latest @returns {{rank: 0 | 1 | 2, cause: Cause} | null}
 */
export function judge(latest) {
  /** @type {{rank: 0 | 1 | 2, cause: Cause} | null} */
  let worst = null;
  for (const { cause, value, rank } of measures(latest)) {
    if (value !== null && (worst === null || rank > worst.rank)) worst = { rank, cause };
  }
  return worst;
}

/** Follows one call. `push` a reading, or null where one should have come; ask with the present time. */
export class Connection {
  /** @type {{rank: 0 | 1 | 2, cause: Cause}[]} */ #recent = [];
  /** @type {0 | 1 | 2 | null} */ #rank = null;
  #heardAt = -Infinity;
  /** What was said to be the trouble. @type {Cause | null} */ #cause = null;

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
    return { level: LEVELS[this.#rank], cause: this.#cause };
  }

  reset() {
    this.#recent = [];
    this.#rank = null;
    this.#cause = null;
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
    this.#cause = this.#rank === 0 ? null : this.#culprit(this.#rank);
  }

  /** The latest cause; but what was told already stays told as long as it lasts, or it would be announced again and again. @param {0 | 1 | 2} rank */
  #culprit(rank) {
    const causes = this.#recent.filter((seen) => seen.rank >= rank).map((seen) => seen.cause);
    return this.#cause !== null && causes.includes(this.#cause) ? this.#cause : causes[causes.length - 1] ?? this.#cause;
  }
}
