// The Worker: requests, and the sweep that Cron starts.

import { message } from "./body.js";
import { ALONE, type Guest, start } from "./component.js";
import { WEB } from "./component-web.js";
import { type Logged, type OnEvent, logTo, pointsTo, toAll } from "./events.js";
import type { NamespaceKv } from "./kv.js";
import { sweep } from "./sweep.js";
import { Watch, tellTally } from "./watch.js";
import { answer, targetOf } from "./web.js";

/** What a Worker is given: a namespace, variables and secrets. */
export interface Env {
  KV: KVNamespace;
  /** Where operations are written to as data points, if it is bound. */
  OPERATIONS?: AnalyticsEngineDataset;
  [setting: string]: unknown;
}

/** Who else looks on. */
export interface Lookers {
  /** Is told of the component of each request. */
  started?: (component: Guest) => void;
  /** Is told of each operation. */
  onEvent?: OnEvent;
}

/** A Worker over the namespace that is opened for each invocation. */
export function worker(
  open: (env: Env) => NamespaceKv,
  { started, onEvent }: Lookers = {},
): ExportedHandler<Env> {
  return {
    async fetch(request, env, ctx) {
      const log = (failure: string) => report({ method: request.method, url: request.url, failure });
      let watch: Watch | undefined;
      try {
        const tell = toAll([tellerOf(env), onEvent]);
        const component = await start(WEB, open(env).guest(), settings(env));
        started?.(component);
        watch = new Watch(component, tell);
        const target = targetOf(request);
        if (METRICS.test(target)) tellTally(component);
        return await answer(component, request, target, log);
      } catch (error) {
        log(message(error));
        return new Response(null, { status: 500 });
      } finally {
        watch?.asked(ctx);
      }
    },

    async scheduled(_controller, env, ctx) {
      const kv = open(env);
      const component = await start(WEB, kv.guest(), ALONE);
      const watch = new Watch(component, toAll([tellerOf(env), onEvent]));
      try {
        report({ swept: await sweep(component, env.KV, kv.operationsLeft) });
      } finally {
        watch.asked(ctx);
      }
    },
  };
}

/** Where the metrics are; who may see them, and how they look, is the component's to say. */
const METRICS = /^\/_\/metrics(?:\?|$)/;

/** How much of the operations is logged. */
const LOG_SETTING = "CHUNK_STORE_LOG_OPERATIONS";

/** Tells operations to the Worker's log, and to the dataset that is bound. */
function tellerOf(env: Env): OnEvent {
  const { [LOG_SETTING]: logged = "failed", OPERATIONS: dataset } = env;
  if (!isLogged(logged)) throw new Error(`${LOG_SETTING}: it is all, failed or none, not ${JSON.stringify(logged)}`);
  return toAll([logTo((line) => console.log(line), logged), dataset && pointsTo(dataset)]);
}

function isLogged(text: unknown): text is Logged {
  return text === "all" || text === "failed" || text === "none";
}

/** One line in the Worker's log. */
function report(event: object): void {
  const text = (_: string, value: unknown) => (typeof value === "bigint" ? Number(value) : value);
  console.log(JSON.stringify(event, text));
}

/** The variables and secrets; the component looks at those of its own only. */
function settings(env: Env): Record<string, string> {
  const texts = Object.entries(env).filter((pair): pair is [string, string] => {
    return typeof pair[1] === "string";
  });
  return Object.fromEntries(texts);
}
