// The Worker of the tests: `cached` before an origin that is another Worker, over a namespace whose failures are told by
// `/_/kv`. What happened is told by `/_/events`.

import { type Options, cached } from "../../src/cached.js";
import type { StoreEvent } from "../../src/events.js";

interface Env {
  KV: KVNamespace;
  ORIGIN: Fetcher;
}

interface Faults {
  putMs?: number;
  getMs?: number;
  /** Puts that fail from this one on, counted from now; with this message. */
  failPutsFrom?: number;
  /** Gets of chunks that fail from this one on. */
  failChunksFrom?: number;
  failAll?: boolean;
  /** Nothing is seen, as if all had been written within the last minute. */
  blind?: boolean;
  message?: string;
}

let faults: Faults = {};
let counts = { get: 0, put: 0, list: 0, delete: 0, chunks: 0 };
let events: StoreEvent[] = [];
let namespace: KVNamespace | undefined;

/** One for the isolate: fills are shared by the namespace. */
function failing(kv: KVNamespace): KVNamespace {
  namespace ??= new Proxy(kv, {
    get(target, name: "get" | "put" | "list" | "delete") {
      return async (...args: unknown[]) => {
        counts[name] += 1;
        const { message = "KV PUT failed: 500 Internal Server Error" } = faults;
        if (faults.failAll) throw new Error(message);
        if (name === "put") {
          if (faults.putMs !== undefined) await scheduler.wait(faults.putMs);
          if (counts.put >= (faults.failPutsFrom ?? Infinity)) throw new Error(message);
        }
        if (name === "get") {
          if (faults.getMs !== undefined) await scheduler.wait(faults.getMs);
          if (String(args[0]).startsWith("c/")) counts.chunks += 1;
          if (faults.blind) return null;
          if (counts.chunks >= (faults.failChunksFrom ?? Infinity)) throw new Error(message);
        }
        return await (target[name] as (...args: unknown[]) => unknown).apply(target, args);
      };
    },
  });
  return namespace;
}

export default {
  async fetch(request, env, ctx) {
    const url = new URL(request.url);
    switch (url.pathname) {
      case "/_/kv":
        if (request.method === "PUT") {
          faults = await request.json();
          counts = { get: 0, put: 0, list: 0, delete: 0, chunks: 0 };
        }
        return Response.json(counts);
      case "/_/events": {
        const told = events;
        if (request.method === "DELETE") events = [];
        return Response.json(told);
      }
    }
    if (url.pathname.startsWith("/_/")) return env.ORIGIN.fetch(request);
    const headers = new Headers(request.headers);
    const given = JSON.parse(headers.get("x-options") ?? "{}") as Partial<Options>;
    headers.delete("x-options");
    return await cached(new Request(request, { headers }), ctx, {
      kv: failing(env.KV),
      fetchOrigin: (asked) => env.ORIGIN.fetch(asked),
      onEvent: (event) => events.push(event),
      // However busy the machine is; tests of patience set their own.
      delayMs: 60_000,
      ...given,
    });
  },
} satisfies ExportedHandler<Env>;
