// @ts-check
// The page token: what the server gave this page along with its room, so that beacons are taken from it. It runs out,
// and a server that was restarted may not know it any more: then another one comes with the room, asked for again.

/**
 * @typedef {{token: string, lifeMs: number}} Grant
 * @typedef {{room?: string, now: () => number, renew: (room?: string) => Promise<Grant | null>}} World
 *   room: the page's, as our server is asked for it; renew: null where there is none to be had now
 */

/** Of a token's life, what may be over before the page asks for the next one: the last flush cannot wait for it. */
const SHARE = 0.5;
/** Between two tries to renew ahead of time; one that was refused is renewed at once. */
const PAUSE_MS = 60_000;

export class PagePass {
  /** @type {Grant | null} */ #grant = null;
  #staleAt = Infinity;
  /** @type {Promise<boolean> | null} */ #renewing = null;
  #world;

  /** @param {World} world */
  constructor(world) { this.#world = world; }

  /** What beacons carry; null where the server wants none. */
  get token() { return this.#grant?.token ?? null; }

  /** What the token is for. */
  get room() { return this.#world.room; }

  /** A token for the room of another page, which has left beacons behind. Never rejects; null where there is none to be had now. @param {string} room */
  async tokenFor(room) {
    const grant = await this.#world.renew(room).catch(() => null);
    return grant?.token ?? null;
  }

  /** A room has come, perhaps with a token. @param {Grant | null} grant */
  take(grant) {
    this.#grant = grant;
    this.#staleAt = grant ? this.#world.now() + grant.lifeMs * SHARE : Infinity;
  }

  /** Renews a token that will run out before long, beside everything else. */
  keepFresh() {
    if (this.#world.now() < this.#staleAt) return;
    this.#staleAt = this.#world.now() + PAUSE_MS;
    void this.renew();
  }

  /** Never rejects; true once there is another token. However many ask, the server is asked once. @returns {Promise<boolean>} */
  renew() {
    this.#renewing ??= this.#ask().finally(() => { this.#renewing = null; });
    return this.#renewing;
  }

  async #ask() {
    const before = this.token;
    const grant = await this.#world.renew(this.room).catch(() => null);
    if (!grant || grant.token === before) return false;
    this.take(grant);
    return true;
  }
}

/** A body as it goes out: the token is no part of what is kept, since it may be another one by the next try. @param {string} body @param {string | null} token */
export const withToken = (body, token) => (token === null ? body : `${body.slice(0, -1)},"pageToken":${JSON.stringify(token)}}`);

/** What the server says to a token it does not take, where another one may help. @param {string | null} reason */
export const isWorthAnother = (reason) => reason === "page-token-missing" || reason === "page-token-invalid" || reason === "page-token-expired";
