// What happened to a request of `cached`, or to a fill.

import type { Metric } from "../events.js";

export type Outcome = "hit" | "stale" | "revalidated" | "miss" | "joined" | "pass";

/** How a fill ended. */
export type Ended = "stored" | "unstored" | "cut" | "failed";

/** An event, and the object's key that it is about. */
type Of<Event extends string, Fields> = { readonly event: Event; readonly key: string } & Fields;

export type CachedEvent =
  /** A request was answered, with what kind of answer. */
  | Of<"answer", { readonly outcome: Outcome; readonly status: number; readonly ms: number; readonly why?: string }>
  /** A body is fetched for the store; `offset` is where it goes on. */
  | Of<"fill-begin", { readonly size: number | null; readonly offset: number }>
  /** It ended. `cut`: the platform's time was up, the next request goes on. `unstored`: clients got all, the store not. */
  | Of<"fill-end", { readonly outcome: Ended; readonly bytes: number; readonly ms: number; readonly why?: string }>
  /** The origin broke off or stalled, and is asked for the rest. */
  | Of<"origin-again", { readonly offset: number; readonly why: string }>
  /** The store could not do its part; the client did not notice. */
  | Of<"store-failed", { readonly what: string; readonly why: string }>
  /** A client's rest came from elsewhere, since it could not be kept for it. */
  | Of<"client-elsewhere", { readonly from: "store" | "origin"; readonly offset: number }>
  /** A client did not get all. */
  | Of<"client-broken", { readonly offset: number; readonly why: string }>;

/** The figures of an event. */
export function figuresOfCached(event: CachedEvent, metric: Metric): void {
  switch (event.event) {
    case "answer":
      metric("cached_answers_total", 1, { outcome: event.outcome });
      return metric("cached_answer_ms", event.ms, { outcome: event.outcome });
    case "fill-begin":
      return metric("cached_fills_begun_total", 1, { continued: String(event.offset > 0) });
    case "fill-end":
      metric("cached_fills_total", 1, { outcome: event.outcome });
      metric("cached_fill_bytes_total", event.bytes, { outcome: event.outcome });
      return metric("cached_fill_ms", event.ms, { outcome: event.outcome });
    case "origin-again":
      return metric("cached_origin_retries_total", 1, {});
    case "store-failed":
      return metric("cached_store_failures_total", 1, { what: event.what });
    case "client-elsewhere":
      return metric("cached_clients_elsewhere_total", 1, { from: event.from });
    case "client-broken":
      return metric("cached_clients_broken_total", 1, {});
  }
}
