// `cached` in workerd, with an origin beside it.

import { readFile, readdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { request } from "node:http";
import { Miniflare } from "miniflare";

const DIST = fileURLToPath(new URL("dist/", import.meta.url));
const GEN = fileURLToPath(new URL("../../gen/store/", import.meta.url));

/** A bundled Worker with the component's modules beside it. */
export async function modules(script) {
  const names = (await readdir(GEN)).filter((name) => name.endsWith(".wasm"));
  const wasm = names.map(async (name) => [name, { type: "wasm", contents: await readFile(GEN + name) }]);
  const main = { [script]: { type: "esm", contents: await readFile(DIST + script, "utf8") } };
  return { mainModule: script, modules: { ...main, ...Object.fromEntries(await Promise.all(wasm)) } };
}

/** Starts workerd with these Workers, the first of which answers. */
export async function workerd(workers, options = {}) {
  const configured = workers.map((worker) => ({ config: { compatibilityDate: "2026-07-01", ...worker } }));
  const miniflare = new Miniflare({ cf: false, workers: configured, ...options });
  return [miniflare, await miniflare.ready];
}

/** Starts `cached` with an empty namespace, or with what lies in this directory. */
export async function start({ directory } = {}) {
  const env = { KV: { type: "kv", id: "films" }, ORIGIN: { type: "worker", worker: "origin" } };
  const workers = [
    { name: "cached", manifest: await modules("test-worker.js"), env },
    { name: "origin", manifest: await modules("test-origin.js"), env: {} },
  ];
  return new Bed(...(await workerd(workers, directory === undefined ? {} : { resourcePersistencePath: directory })));
}

export class Bed {
  constructor(miniflare, url) {
    this.miniflare = miniflare;
    this.url = url;
    this.seen = [];
  }

  /** Asks; the answer's body is a stream of Node, to be read, or destroyed. */
  ask(path, { headers = {}, options, method = "GET", body } = {}) {
    const given = options === undefined ? headers : { ...headers, "x-options": JSON.stringify(options) };
    return new Promise((resolve, reject) => {
      const asked = request(new URL(path, this.url), { method, headers: given, agent: false }, resolve);
      asked.on("error", reject);
      asked.end(body);
    });
  }

  async json(method, path, body) {
    const answer = await this.ask(path, { method, body: body === undefined ? undefined : JSON.stringify(body) });
    let text = "";
    for await (const piece of answer) text += piece;
    return text === "" ? null : JSON.parse(text);
  }

  /** What the origin was asked for a path. */
  async asked(path) {
    return (await this.json("GET", "/_/asked")).filter((asked) => asked.path === path);
  }

  /** What a path of the origin does from now on. */
  set(path, film) {
    return this.json("PUT", `/_/set?path=${encodeURIComponent(path)}`, film);
  }

  /** How KV fails from now on; counts anew. */
  faults(faults) {
    return this.json("PUT", "/_/kv", faults);
  }

  counts() {
    return this.json("GET", "/_/kv");
  }

  /** Waits for an event about a path that is as it has to be; gives it, and keeps what else has happened. Fails after `ms`. */
  async event(wanted, path, ms = 60_000, isIt = () => true) {
    for (const until = Date.now() + ms; ; ) {
      this.seen.push(...(await this.json("DELETE", "/_/events")));
      const at = this.seen.findIndex((it) => it.event === wanted && it.key.includes(`${path}?`) && isIt(it));
      if (at >= 0) return this.seen.splice(at, 1)[0];
      if (Date.now() > until) throw new Error(`no ${wanted} of ${path} in ${ms} ms, but ${JSON.stringify(this.seen)}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Everything else that happened about a path. */
  async events(path) {
    this.seen.push(...(await this.json("DELETE", "/_/events")));
    return this.seen.filter(({ key }) => key.includes(`${path}?`));
  }

  stop() {
    return this.miniflare.dispose();
  }
}
