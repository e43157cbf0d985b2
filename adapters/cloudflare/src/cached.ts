// `cached`: answers out of the store, or out of the origin and into the store. See docs/cached.md.

import type { CachedOptions } from "./cached/settings.js";
import { Fills } from "./cached/fills.js";
import { serve } from "./cached/serve.js";
import type { Store } from "./cached/store.js";
import { unframed } from "./body.js";
import { start } from "./component.js";
import { STORE, type Whole } from "./component-store.js";
import { type OnEvent, toldBy } from "./events.js";
import { type KvOptions, NamespaceKv } from "./kv.js";
import { type Invocation, Watch } from "./watch.js";
import { answer } from "./web.js";

export type { CachedEvent } from "./cached/events.js";
export type { CachedOptions } from "./cached/settings.js";
export type { Ttl } from "./cached/policy.js";

/** The fills of this isolate, by namespace. */
const FILLS = new WeakMap<KVNamespace, Fills>();

/** The component is asked by this code alone; a token keeps its rules as they are everywhere. */
const TOKEN = "asked-by-cached-and-by-nobody-else";

/** What `cached` needs. */
export interface Options extends CachedOptions {
  /** Where answers are kept. */
  readonly kv: KVNamespace;
  /** How the platform differs from Workers KV as it is, for tests and other plans. */
  readonly kvOptions?: KvOptions;
}

/**
 * Answers a request: from the store, or else from the origin, which is then stored in the same pass. Rejects where the origin
 * does (`fetchOrigin`), and with a `TypeError` where the options cannot be.
 */
export function cached(request: Request, ctx: Invocation, options: Options): Promise<Response> {
  const { kv, kvOptions } = options;
  let fills = FILLS.get(kv);
  if (fills === undefined) FILLS.set(kv, (fills = new Fills()));
  const tell = toldBy(options);
  return serve(request, ctx, storeOver(kv, ctx, kvOptions, tell), options, fills, tell ?? (() => undefined));
}

/** A component, and who watches it. */
interface Started {
  readonly component: Whole;
  readonly watch: Watch | undefined;
}

/** The store over a namespace, for one invocation: its component is started when it is first asked. */
function storeOver(kv: KVNamespace, ctx: Invocation, options?: KvOptions, tell?: OnEvent): Store {
  let started: Promise<Started> | undefined;
  const begin = async () => {
    const component = await start(STORE, new NamespaceKv(kv, options).guest(), { CHUNK_STORE_HTTP_TOKEN: TOKEN });
    return { component, watch: tell && new Watch(component, tell) };
  };
  return {
    async ask({ method, path, headers, body }) {
      const asked = new Headers(headers);
      asked.set("authorization", `Bearer ${TOKEN}`);
      // Its failures come back as statuses, which say what to do.
      const request = new Request("http://store", { method, headers: asked, body });
      const { component, watch } = await (started ??= begin());
      try {
        return await answer(component, request, path, () => undefined, unframed);
      } finally {
        watch?.asked(ctx);
      }
    },
  };
}
