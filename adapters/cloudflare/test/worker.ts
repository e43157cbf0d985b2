// The Worker of the tests: the real one over a namespace that fails as it is told to, and
// what tests ask besides, under `/_test/`.

import type { Guest } from "../src/component.js";
import type { StoreEvent } from "../src/events.js";
import { NamespaceKv } from "../src/kv.js";
import { type Env, worker } from "../src/worker.js";
import { Faulty } from "./faulty.js";
import { rules } from "./library.js";
import { called } from "./remote.js";

/** What happens to the namespace that the Worker serves from. */
const faulty = new Faulty();

/** The components that were started since somebody asked for their memory. */
let started: Guest[] = [];

/** The events, the lines of the log, and the data points since somebody asked for them. */
let told: { events: StoreEvent[]; log: string[]; points: AnalyticsEngineDataPoint[] } = nothing();

/** Variables and secrets that a test has set. */
let settings: Record<string, string> = {};

const served = worker((env) => new NamespaceKv(faulty.over(env.KV), faulty.limits), {
  started: (component) => started.push(component),
  onEvent: (event) => told.events.push(event),
});

/** What the Worker writes to its log is told to tests, too. */
const write = console.log;
console.log = (line: string) => {
  told.log.push(line);
  write(line);
};

/** A dataset that tells what it was given. */
const OPERATIONS = { writeDataPoint: (point: AnalyticsEngineDataPoint) => told.points.push(point) };

export default {
  async fetch(request, env, ctx) {
    const { pathname, searchParams } = new URL(request.url);
    const given = { ...env, ...settings, OPERATIONS };
    switch (pathname) {
      case "/_test/kv":
        return await called(request, env, searchParams.get("call") ?? "");
      case "/_test/faults":
        faulty.tell(await request.json());
        return new Response(null, { status: 204 });
      case "/_test/operations":
        return Response.json(faulty.takeOperations());
      case "/_test/library":
        return await tried(env, ctx, searchParams.get("rule"));
      case "/_test/settings":
        settings = await request.json();
        return new Response(null, { status: 204 });
      case "/_test/told": {
        const since = told;
        told = nothing();
        return Response.json(since);
      }
      case "/_test/memory":
        return Response.json({ guestBytes: takeMemory() });
      case "/_test/scheduled":
        await served.scheduled?.({} as ScheduledController, given, ctx);
        return new Response(null, { status: 204 });
      default:
        return (await served.fetch?.(request as never, given, ctx)) as Response;
    }
  },
} satisfies ExportedHandler<Env>;

/** Tries a rule of the library; without a name gives their names. */
async function tried(env: Env, ctx: ExecutionContext, name: string | null): Promise<Response> {
  if (name === null) return Response.json(Object.keys(rules));
  try {
    await rules[name]?.(env.KV, ctx);
    return new Response(null, { status: 204 });
  } catch (error) {
    return new Response(error instanceof Error ? error.stack : String(error), { status: 500 });
  }
}

function nothing(): typeof told {
  return { events: [], log: [], points: [] };
}

/** The memory of each guest that was started since the last time. */
function takeMemory(): number[] {
  const bytes = started.map((component) => component.memoryBytes());
  started = [];
  return bytes;
}
