// What happened, for logs and for figures. One event, one object of plain values.

import { type CachedEvent, figuresOfCached } from "./cached/events.js";

/** An operation of the store that has ended. The names are those of the log of operations: docs/metrics.md. */
export interface OperationEvent {
  readonly event: "operation";
  readonly operation: string;
  /** `ok`, the name of an error, or `abandoned` by its caller. */
  readonly outcome: string;
  /** The object's key; of a list its prefix; empty where there is none. */
  readonly key: string;
  readonly upload?: string;
  readonly failure?: string;
  /** When it ended, by RFC 3339. */
  readonly ended: string;
  readonly ms: number;
  readonly first_byte_ms?: number;
  readonly received: number;
  readonly sent: number;
  readonly chunks_written: number;
  readonly chunks_read: number;
  readonly kv_operations: number;
  readonly kv_retries: number;
  readonly kv_written: number;
  readonly kv_read: number;
  readonly trace_id?: string;
  readonly parent_id?: string;
  /** Only where it is false: the client's trace is not kept. */
  readonly sampled?: boolean;
}

export type StoreEvent = CachedEvent | OperationEvent;

/** Takes events. It must not throw; if it does, nothing comes of it. */
export type OnEvent = (event: StoreEvent) => void;

/** A figure to be added to, or to be noted; labels have few values. */
export type Metric = (name: string, value: number, labels: Readonly<Record<string, string>>) => void;

/** Who is told. */
export interface Watching {
  /** Is told what happens. */
  readonly onEvent?: OnEvent;
  /** Gets figures. */
  readonly metric?: Metric;
}

/** Tells whoever is watching; nothing if nobody is. */
export function toldBy({ onEvent, metric }: Watching): OnEvent | undefined {
  if (onEvent === undefined && metric === undefined) return undefined;
  return toAll([onEvent, metric && metricsTo(metric)]);
}

/** Which operations are logged. */
export type Logged = "all" | "failed" | "none";

/** What comes of operations that is no fault of the store, as in its traces. */
const OUTCOMES_RIGHT = ["ok", "abandoned", "not-found", "precondition-failed"];

/** Writes each event as one line of JSON; of operations those that failed, if nothing else is said. */
export function logTo(write: (line: string) => void, operations: Logged = "failed"): OnEvent {
  const isLogged = (event: StoreEvent) =>
    event.event !== "operation" || operations === "all" || (operations === "failed" && !OUTCOMES_RIGHT.includes(event.outcome));
  return (event) => {
    if (isLogged(event)) write(JSON.stringify(event));
  };
}

/** Turns events into figures. Counters end in `_total`, all else is an observation. */
export function metricsTo(metric: Metric): OnEvent {
  return (event) => {
    if (event.event !== "operation") return figuresOfCached(event, metric);
    const { operation, outcome } = event;
    metric("store_operations_total", 1, { operation, outcome });
    metric("store_operation_ms", event.ms, { operation });
    if (event.first_byte_ms !== undefined) metric("store_first_byte_ms", event.first_byte_ms, { operation });
    metric("store_received_bytes_total", event.received, { operation });
    metric("store_sent_bytes_total", event.sent, { operation });
    metric("store_kv_operations_total", event.kv_operations, { operation });
    metric("store_kv_retries_total", event.kv_retries, { operation });
  };
}

/**
 * Writes each operation as a data point of Analytics Engine; docs/cloudflare.md says what its columns mean. Points are sampled
 * by operation, so that many reads do not crowd out few deletes.
 */
export function pointsTo(dataset: AnalyticsEngineDataset): OnEvent {
  return (event) => {
    if (event.event !== "operation") return;
    const { operation, outcome, key, upload = "", failure = "", trace_id = "" } = event;
    dataset.writeDataPoint({
      indexes: [operation],
      blobs: [operation, outcome, key, upload, failure, trace_id],
      doubles: [
        event.ms,
        event.first_byte_ms ?? -1,
        event.received,
        event.sent,
        event.chunks_written,
        event.chunks_read,
        event.kv_operations,
        event.kv_retries,
        event.kv_written,
        event.kv_read,
      ],
    });
  };
}

/** Gives events to all of them; none can stop a request. */
export function toAll(receivers: readonly (OnEvent | undefined)[]): OnEvent {
  return (event) => {
    for (const receive of receivers) {
      try {
        receive?.(event);
      } catch {
        // What watches must not break what it watches.
      }
    }
  };
}
