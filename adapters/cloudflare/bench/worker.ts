// Both, each over a namespace of its own: `/ours/...` and `/baseline/...`. `/_/kv` tells what was asked of KV, and sets how
// long a put takes.

import { cached } from "../src/cached.js";
import { baseline } from "./baseline.js";

interface Env {
  OURS: KVNamespace;
  BASELINE: KVNamespace;
  ORIGIN: Fetcher;
}

let counts: Record<string, number> = {};
let putMs = 0;
let stored: "no" | "yes" = "no";
const counted = new Map<KVNamespace, KVNamespace>();

function counting(kv: KVNamespace): KVNamespace {
  let proxy = counted.get(kv);
  proxy ??= new Proxy(kv, {
    get(target, name: "get" | "put" | "list" | "delete" | "getWithMetadata") {
      return async (...args: unknown[]) => {
        counts[name] = (counts[name] ?? 0) + 1;
        if (name === "put" && putMs > 0) await scheduler.wait(putMs);
        return await (target[name] as (...args: unknown[]) => unknown).apply(target, args);
      };
    },
  });
  counted.set(kv, proxy);
  return proxy;
}

export default {
  async fetch(request, env, ctx) {
    const url = new URL(request.url);
    if (url.pathname === "/_/kv") {
      const told = { counts, stored };
      if (request.method === "PUT") {
        ({ putMs } = await request.json<{ putMs: number }>());
        [counts, stored] = [{}, "no"];
      }
      return Response.json(told);
    }
    const fetchOrigin = (asked: Request) => env.ORIGIN.fetch(asked);
    // The work of both is seen to its end.
    const noting = { waitUntil: (work: Promise<unknown>) => ctx.waitUntil(work) };
    if (url.pathname.startsWith("/ours/")) {
      const onEvent = ({ event }: { event: string }) => {
        if (event === "fill-end") stored = "yes";
      };
      // A store that is slow on purpose is to be waited for here: the baseline does.
      return await cached(request, noting, { kv: counting(env.OURS), fetchOrigin, ttl: 600, onEvent, delayMs: 600_000 });
    }
    const noted = { ...noting, waitUntil: (work: Promise<unknown>) => ctx.waitUntil(work.then(() => (stored = "yes"))) };
    return await baseline(request, noted as ExecutionContext, counting(env.BASELINE), fetchOrigin);
  },
} satisfies ExportedHandler<Env>;
