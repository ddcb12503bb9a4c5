// A server with a report of made-up calls, and the addresses of every kind of page that it has.

import { appendFileSync } from "node:fs";
import { run, Server } from "../e2e/world/binary.mjs";
import { until } from "../e2e/world/until.mjs";

/** @returns {Promise<{origin: string, pages: Record<string, string>}>} */
export async function everyPage(t) {
  const server = await Server.start(t, ["--watch"]);
  const empty = await (await fetch(`${server.origin}/report/`)).text();
  appendFileSync(server.log, run(["sample-log", "--calls", "40", "--days", "20"], { cwd: server.home }));
  let report;
  await until("the report of all calls", async () => {
    report = await (await fetch(`${server.origin}/report/data/report.json`)).json();
    return report.calls.length >= 40;
  });
  const rooms = await (await fetch(`${server.origin}/report/rooms/index.html`)).text();
  const worst = report.calls.filter((call) => call.score !== null).sort((a, b) => a.score - b.score)[0];
  const pages = {
    "start page": "/",
    "call page": "/ana",
    "page that is not there": "/report/nothing.html",
    overview: "/report/",
    call: `/report/${worst.page}`,
    "call of unknown quality": `/report/${report.calls.find((call) => call.score === null).page}`,
    room: `/report/rooms/${/href="([0-9a-f]{24}\.html)"/.exec(rooms)[1]}`,
    rooms: "/report/rooms/index.html",
  };
  return { origin: server.origin, pages, empty };
}
