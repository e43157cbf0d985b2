// The sweep that Cron starts: as far as the operations of an invocation go, and the next
// one goes on from there.

import type { Web } from "./component-web.js";
import { answer } from "./web.js";

/** How long what is not needed any more is kept for those still reading it, in seconds. */
export const GRACE_SECONDS = 3600;

/** Where the cursor of a sweep that is not through is kept: no key of the store begins so. */
const CURSOR_KEY = "sweep/cursor";
/** Operations on KV besides those of the sweep: reading the cursor, and writing it. */
const CURSOR_OPERATIONS = 2;

/** What a sweep did: `sweep-report` of `wit/maintenance.wit`, with its field names. */
export interface Swept {
  cursor: string | null;
  [count: `${string}-${string}`]: number;
}

/**
 * Sweeps from where the last one has left off, with so many operations on KV in all. The
 * instance has to take requests from anybody: it is asked as a client would ask it.
 */
export async function sweep(
  component: Pick<Web, "web">,
  namespace: KVNamespace,
  operations: number,
): Promise<Swept> {
  const cursor = await namespace.get(CURSOR_KEY);
  const options = { "grace-seconds": GRACE_SECONDS, "operations-max": operations - CURSOR_OPERATIONS, cursor: cursor ?? "" };
  const query = Object.entries(options).map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
  const asked = new Request("http://store", { method: "POST" });
  let failure = "";
  const answered = await answer(component, asked, `/_/sweep?${query.join("&")}`, (why) => (failure = why));
  const told = await answered.text();
  if (!answered.ok) throw new Error(failure || told);
  const report = JSON.parse(told) as Swept;
  if (report.cursor !== null) {
    await namespace.put(CURSOR_KEY, report.cursor);
  } else if (cursor !== null) {
    await namespace.delete(CURSOR_KEY);
  }
  return report;
}
