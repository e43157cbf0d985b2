// The sweep that Cron starts: as far as the operations of an invocation go, and the next
// one goes on from there.

import type { Component } from "./component.js";
import type { SweepReport } from "../gen/interfaces/streaming-chunk-store-sweeping.js";

/** How long what is not needed any more is kept for those still reading it, in seconds. */
export const GRACE_SECONDS = 3600;

/** Where the cursor of a sweep that is not through is kept: no key of the store begins so. */
const CURSOR_KEY = "sweep/cursor";
/** Operations on KV besides those of the sweep: reading the cursor, and writing it. */
const CURSOR_OPERATIONS = 2;

/** Sweeps from where the last one has left off, with so many operations on KV in all. */
export async function sweep(
  { sweeping }: Component,
  namespace: KVNamespace,
  operations: number,
): Promise<SweepReport> {
  const cursor = (await namespace.get(CURSOR_KEY)) ?? undefined;
  const report = await sweeping.sweep({
    graceSeconds: GRACE_SECONDS,
    noWriters: false,
    operationsMax: operations - CURSOR_OPERATIONS,
    cursor,
    dryRun: false,
  });
  if (report.cursor !== undefined) {
    await namespace.put(CURSOR_KEY, report.cursor);
  } else if (cursor !== undefined) {
    await namespace.delete(CURSOR_KEY);
  }
  return report;
}
