// Stands in for Daily's REST API, with the answers of tests/fixtures/fake-daily-api.json.

import { readFileSync } from "node:fs";
import { bodyOf, listen } from "./http.mjs";

export const KEY = "e2e-daily-key";
const { cases } = JSON.parse(readFileSync(new URL("../../../fixtures/fake-daily-api.json", import.meta.url), "utf8"));

/** The answer of the fixture's case whose name begins so; with every `from` in it replaced by `to`. */
function fixture(name, from = "", to = "") {
  const found = cases.find((one) => one.name.startsWith(name));
  if (!found) throw new Error(`no case "${name}" in fake-daily-api.json`);
  const { status, body, raw } = found.res;
  return { status, text: (raw ?? JSON.stringify(body)).replaceAll(from || "\0", to) };
}

export class FakeDaily {
  /** What was asked: {method, path, authorization, name}. */
  asked = [];
  /** Name of a case that answers everything, such as "server error". */
  fault = null;
  #rooms = new Map();

  /** `frames`: the origin at which rooms have their addresses. */
  static async start(t, frames) {
    const fake = new FakeDaily();
    fake.frames = frames;
    fake.origin = await listen(t, (request, response) => fake.#serve(request, response));
    return fake;
  }

  /** For DAILY_API_URL. */
  get url() { return `${this.origin}/v1`; }

  async #serve(request, response) {
    const text = await bodyOf(request);
    const { method, url: path, headers: { authorization } } = request;
    const name = method === "POST" ? JSON.parse(text).name : path.split("/").at(-1);
    this.asked.push({ method, path, authorization, name });
    const { status, text: answer } = this.#answer(method, path, authorization, name);
    response.writeHead(status, { "Content-Type": "application/json" }).end(answer);
  }

  #answer(method, path, authorization, name) {
    if (this.fault) return fixture(this.fault);
    if (authorization === undefined) return fixture("no Authorization header");
    if (authorization !== `Bearer ${KEY}`) return fixture("wrong key");
    if (method === "POST" && path === "/v1/rooms") {
      if (this.#rooms.has(name)) return fixture("create room, name taken", "meet-seth", name);
      const { status, text } = fixture("create room, new", "meet-seth", name);
      const room = JSON.stringify({ ...JSON.parse(text), url: `${this.frames}/${name}` });
      this.#rooms.set(name, room);
      return { status, text: room };
    }
    if (method === "GET" && this.#rooms.has(name)) return { status: 200, text: this.#rooms.get(name) };
    return fixture("get room, missing", "meet-nope", name);
  }
}
