// A world for the beacon client: a clock that moves when told to, and a collector that answers as told.

export const tick = () => new Promise((resolve) => setImmediate(resolve));

export class World {
  time = 1_795_449_870_000;
  timers = new Map();
  #nextTimer = 1;
  /** What arrived by fetch: {body, at}; by sendBeacon: {body}. */
  posts = [];
  handed = [];
  warnings = [];
  /** Answers by number of the request, or one for all: a status, {status, retryAfter, reason}, "fail" or "hang". */
  answer = () => 204;
  takes = () => true;

  options = {
    fetch: async (url, init) => {
      this.posts.push({ url, init, body: JSON.parse(init.body), at: this.time });
      const answer = this.answer(this.posts.length - 1);
      if (answer === "hang") return new Promise(() => {});
      if (answer === "fail") throw new TypeError("Failed to fetch");
      const { status, retryAfter, reason } = typeof answer === "number" ? { status: answer } : answer;
      const headers = { ...(retryAfter === undefined ? {} : { "Retry-After": String(retryAfter) }), ...(reason ? { "X-Call-Metrics": reason } : {}) };
      return new Response(null, { status, headers });
    },
    sendBeacon: (url, body) => {
      const taken = this.takes(body);
      if (taken) this.handed.push({ url, body: JSON.parse(body), bytes: new TextEncoder().encode(body).length });
      return taken;
    },
    now: () => this.time,
    setTimeout: (run, ms) => {
      this.timers.set(this.#nextTimer, { run, at: this.time + ms });
      return this.#nextTimer++;
    },
    clearTimeout: (id) => { this.timers.delete(id); },
    random: () => 1,
    warn: (message) => this.warnings.push(message),
    store: memoryStore(),
  };

  /** Lets `ms` pass, timer by timer. */
  async pass(ms) {
    const end = this.time + ms;
    for (;;) {
      await tick();
      const due = [...this.timers].filter(([, timer]) => timer.at <= end).sort((a, b) => a[1].at - b[1].at)[0];
      if (!due) break;
      this.timers.delete(due[0]);
      this.time = Math.max(this.time, due[1].at);
      due[1].run();
    }
    this.time = end;
    await tick();
  }

  /** A call object of Daily; `stats` answers each request. */
  call(overrides = {}) {
    const world = this;
    return {
      meeting: "m1", session: "s1", asked: 0,
      stats: () => answerAt(world.time),
      getNetworkStats() { this.asked += 1; return this.stats(this.asked); },
      meetingSessionSummary() { return { id: this.meeting }; },
      participants() { return { local: { session_id: this.session, user_name: "Ada" } }; },
      ...overrides,
    };
  }
}

export const answerAt = (timestamp, metrics = { sendBitsPerSecond: 1000.5 }) => ({
  threshold: "good", quality: 100, networkState: "good",
  stats: { latest: { timestamp, ...metrics }, worstVideoRecvPacketLoss: 0 },
});

export function memoryStore() {
  const data = new Map();
  return { getItem: (key) => data.get(key) ?? null, setItem: (key, value) => { data.set(key, value); }, removeItem: (key) => { data.delete(key); } };
}
