// `kv` as a test calls it from outside: a call is JSON in the query, a value is the body.

import type * as Kv from "../gen/web/interfaces/streaming-chunk-store-kv.js";
import { type GuestKv, NamespaceKv } from "../src/kv.js";
import type { Env } from "../src/worker.js";

/** A call; `binding` names the namespace. */
interface Call {
  binding: string;
  name: "get-limits" | "get" | "set" | "delete" | "list-keys";
  key?: string;
  ttlSeconds?: number;
  condition?: Kv.Condition;
  /** A byte for each number. */
  summary?: number[];
  prefix?: string;
  cursor?: string;
  limit?: number;
}

/** A test waits for what it wrote no longer than it has to: this platform is current. */
const CURRENT = { stalenessMs: 0, rewriteIntervalMs: 0 };

/** Calls `kv`, and answers with what came of it; 409 is an error of `kv`. */
export async function called(request: Request, env: Env, text: string): Promise<Response> {
  const call = JSON.parse(text) as Call;
  const kv = new NamespaceKv(env[call.binding] as KVNamespace, CURRENT).guest();
  try {
    return await answered(kv, call, request);
  } catch (error) {
    return json((error as { payload: Kv.Error }).payload, 409);
  }
}

async function answered(kv: GuestKv, call: Call, request: Request): Promise<Response> {
  const key = call.key ?? "";
  switch (call.name) {
    case "get-limits":
      return json(kv.getLimits());
    case "get": {
      const entry = await kv.get(key, undefined);
      return entry === undefined ? json(null, 404) : new Response(entry.value as BodyInit);
    }
    case "set": {
      const { ttlSeconds, condition } = call;
      const summary = call.summary && Uint8Array.from(call.summary);
      const value = new Uint8Array(await request.arrayBuffer());
      return json(await kv.set(key, value, { ttlSeconds, condition, summary, durable: false }));
    }
    case "delete":
      return json(await kv.delete(key, call.condition));
    case "list-keys": {
      const page = await kv.listKeys(call.prefix ?? "", call.cursor, call.limit ?? 0);
      const keys = page.keys.map(({ key, summary }) => ({ key, summary: summary && [...summary] }));
      return json({ keys, cursor: page.cursor });
    }
  }
}

function json(value: unknown, status = 200): Response {
  const plain = (_: string, value: unknown) => (typeof value === "bigint" ? Number(value) : value);
  return new Response(JSON.stringify(value, plain), { status });
}
