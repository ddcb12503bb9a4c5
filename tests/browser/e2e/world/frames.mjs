// Serves the fake of Daily's own page at each room's address, on an origin of its own and without a policy.
// Whoever opens a room is another participant, and what happens to them is what the test wrote for that room.

import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { listen } from "./http.mjs";

const FAKE = readFileSync(new URL("../../fixtures/fake-frame.html", import.meta.url), "utf8");
const BEFORE = '<meta charset="utf-8">';

export class Frames {
  /** Parameters of fake-frame.html by room ("meet-ana"): an object, or a function of how many came before. */
  rooms = {};
  /** Session ids in order of arrival, by room. */
  sessions = {};

  static async start(t) {
    const frames = new Frames();
    frames.origin = await listen(t, (request, response) => frames.#serve(request, response));
    return frames;
  }

  #serve(request, response) {
    const { pathname } = new URL(request.url, "http://x");
    const room = pathname.slice(1);
    const sessions = this.sessions[room] ??= [];
    const script = this.rooms[room] ?? {};
    const parameters = { session: randomUUID(), ...(typeof script === "function" ? script(sessions.length) : script) };
    sessions.push(parameters.session);
    // The room's address is one for all, so the parameters join it only here, before the fake reads them.
    const prelude = `<script>history.replaceState(null, "", location.href + ${JSON.stringify(`&${new URLSearchParams(parameters)}`)});</script>`;
    response.writeHead(200, { "Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store" })
      .end(FAKE.replace(BEFORE, BEFORE + prelude));
  }
}
