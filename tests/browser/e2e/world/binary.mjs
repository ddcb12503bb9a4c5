// The real binary: as a server that lives as long as a test, and as a command that is run to its end.

import { until } from "./until.mjs";
import { spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { folder } from "./folder.mjs";

const TOP = new URL("../../../../", import.meta.url).pathname;
const BINARY = process.env.CALL_METRICS_BIN ?? join(TOP, "target/debug/call-metrics");
const START_WITHIN_MS = 10_000;
const STOP_WITHIN_MS = 10_000;

if (!existsSync(BINARY)) throw new Error(`there is no ${BINARY}: run \`cargo build\` first, or set CALL_METRICS_BIN`);

/** Settings of whoever runs the tests must not reach the binary; nor may a proxy stand between it and the fakes. */
const environment = (settings) => {
  const ours = /^(CALL_METRICS_|DAILY_|BEACON_URL$|PORT$|(https?|all|no)_proxy$)/i;
  return { ...Object.fromEntries(Object.entries(process.env).filter(([name]) => !ours.test(name))), ...settings };
};

/** Children still running, for the end of a process that does not get to its `after`s. */
const children = new Set();
process.on("exit", () => { for (const child of children) child.kill("SIGKILL"); });
for (const signal of ["SIGTERM", "SIGINT"]) process.once(signal, () => process.exit(1));

/** Runs a command to its end; what it wrote, as text. */
export function run(args, { cwd, env = {} }) {
  const done = spawnSync(BINARY, args, { cwd, env: environment(env), encoding: "utf8", maxBuffer: 1 << 28 });
  if (done.status !== 0) throw new Error(`${args.join(" ")} ended with ${done.status ?? done.signal}: ${done.stderr}`);
  return done.stdout;
}

export class Server {
  #child; #exited; #args; #env;
  stderr = "";

  /** `serve` with a log and a folder of its own, ready. @returns {Promise<Server>} */
  static async start(t, args, env = {}) {
    const server = new Server();
    // Stopped before its folder goes: what is registered first runs first.
    t.after(() => server.stop());
    server.home = folder(t);
    server.log = join(server.home, "beacon.log");
    server.#args = ["--log", server.log, "--public", join(server.home, "public"), ...args];
    server.#env = env;
    await server.#start("127.0.0.1:0");
    // It is ready before its first report is, and until then a browser complains of a page that is not there.
    if (args.includes("--watch")) await until("the first report", async () => (await fetch(`${server.origin}/report/`)).ok);
    return server;
  }

  /** The same again, at the same address, after `kill`. */
  restart() { return this.#start(new URL(this.origin).host); }

  /** At once, as a crash would. */
  async kill() {
    this.#child.kill("SIGKILL");
    await this.#exited;
  }

  /** As a supervisor would, and then by force; its exit code. */
  async stop() {
    if (!this.#child) return null;
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return this.#child.exitCode;
    this.#child.kill("SIGTERM");
    const force = setTimeout(() => this.#child.kill("SIGKILL"), STOP_WITHIN_MS);
    await this.#exited;
    clearTimeout(force);
    return this.#child.exitCode;
  }

  #start(listen) {
    const child = this.#child = spawn(BINARY, ["serve", "--listen", listen, ...this.#args],
      { cwd: this.home, env: environment(this.#env), stdio: ["ignore", "pipe", "pipe"] });
    children.add(child);
    this.#exited = new Promise((resolve) => child.once("exit", () => { children.delete(child); resolve(); }));
    child.stderr.setEncoding("utf8").on("data", (text) => { this.stderr += text; });
    return new Promise((resolve, reject) => {
      const fail = (why) => reject(new Error(`serve ${why}: ${this.stderr}`));
      const patience = setTimeout(() => fail("is not ready in time"), START_WITHIN_MS);
      child.once("error", (cause) => fail(cause.message));
      child.once("exit", (code) => fail(`ended with ${code}`));
      let said = "";
      child.stdout.setEncoding("utf8").on("data", (text) => {
        said += text;
        const ready = /^listening on (http:\/\/[0-9.]+:\d+)\n/.exec(said);
        if (!ready) return;
        clearTimeout(patience);
        this.origin = ready[1];
        resolve();
      });
    });
  }
}
