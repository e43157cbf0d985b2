// What an instance has done: its operations, told one by one when they have ended, and its counts, added to those of the
// isolate. Both have to be asked for while the instance is there, which is as long as the invocation.

import type * as Metrics from "../gen/web/interfaces/streaming-chunk-store-metrics.js";
import type { Web } from "./component-web.js";
import type { OnEvent, OperationEvent } from "./events.js";

/** What of an invocation's context is needed. */
export interface Invocation {
  waitUntil(work: Promise<unknown>): void;
}

/** The longest pause before an instance is asked again, in milliseconds. */
const PAUSE_MS_MAX = 250;

/** What the instances of this isolate have counted, as `tally` of `wit/workers.wit` adds it up. */
let sum: Uint8Array = new Uint8Array();

/** What is asked of an instance. */
type Counting = Pick<Web, "metrics" | "tally">;

/** Watches one instance, from its beginning. */
export class Watch {
  readonly #component: Counting;
  readonly #tell: OnEvent;
  #isFollowing = false;

  constructor(component: Counting, tell: OnEvent) {
    this.#component = component;
    this.#tell = tell;
    // Operations are noted from the first time on that somebody asks.
    component.metrics.takeEnded();
  }

  /**
   * Something has been asked of it and answered, up to a body: follows all that is under way to its end, also when the client
   * leaves. Without an invocation that is as long as there is one.
   */
  asked(invocation?: Invocation): void {
    if (this.#isFollowing) return;
    const followed = this.#follow();
    invocation?.waitUntil(followed);
  }

  async #follow(): Promise<void> {
    this.#isFollowing = true;
    try {
      // It is not told to JavaScript when the last byte of a body has been taken, or its reader has left.
      for (let pause = 1; this.#take() > 0; pause = Math.min(2 * pause, PAUSE_MS_MAX)) {
        await scheduler.wait(pause);
      }
      sum = this.#component.tally.add(sum);
    } catch {
      // An instance that has trapped has nothing more to say.
    } finally {
      // At once: what ends from now on is followed anew.
      this.#isFollowing = false;
    }
  }

  /** Tells of those that have ended; gives how many are under way. */
  #take(): number {
    const { operations, underWay } = this.#component.metrics.takeEnded();
    for (const operation of operations) this.#tell(eventOf(operation));
    return underWay;
  }
}

/** Has an instance tell at `/_/metrics` what those of this isolate have counted. */
export function tellTally({ tally }: Counting): void {
  tally.tell(sum);
}

function eventOf(operation: Metrics.Operation): OperationEvent {
  const { name, outcome, key, upload, failure, endedNs, tookNs, firstByteNs, trace } = operation;
  return {
    event: "operation",
    operation: name,
    outcome,
    key,
    upload,
    failure,
    ended: new Date(Number(endedNs / 1_000_000n)).toISOString(),
    ms: milliseconds(tookNs),
    first_byte_ms: firstByteNs === undefined ? undefined : milliseconds(firstByteNs),
    received: Number(operation.receivedBytes),
    sent: Number(operation.sentBytes),
    chunks_written: Number(operation.chunksWritten),
    chunks_read: Number(operation.chunksRead),
    kv_operations: Number(operation.kvOperations),
    kv_retries: Number(operation.kvRetries),
    kv_written: Number(operation.kvWrittenBytes),
    kv_read: Number(operation.kvReadBytes),
    ...placeIn(trace),
  };
}

/** To the microsecond. */
function milliseconds(ns: bigint): number {
  return Number(ns / 1000n) / 1000;
}

/** The place in a trace, as a `traceparent` says it (W3C Trace Context). */
function placeIn(trace = ""): Pick<OperationEvent, "trace_id" | "parent_id" | "sampled"> {
  const said = /^(?!ff)[\da-f]{2}-(?!0{32})([\da-f]{32})-(?!0{16})([\da-f]{16})-([\da-f]{2})(?:-|$)/.exec(trace);
  if (said === null) return {};
  const [, trace_id, parent_id, flags = ""] = said;
  const isSampled = (Number.parseInt(flags, 16) & 1) === 1;
  return { trace_id, parent_id, ...(isSampled ? {} : { sampled: false }) };
}
