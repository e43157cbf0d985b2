// The fills of an isolate: one at most for an object. Shared by all of its requests over one namespace.

import { Fill } from "./fill.js";
import { Notes } from "./note.js";
import type { Owner } from "./wake.js";

/** Objects of which it is remembered that they were stored just now. */
const STORED_MAX = 1024;
/** How long an object that may not be stored is passed on without a fill, in milliseconds. */
const PASS_MS = 10_000;
const PASSED_MAX = 1024;

export class Fills {
  readonly notes = new Notes();
  readonly #fills = new Map<string, Fill>();
  readonly #stored = new Map<string, number>();
  readonly #passed = new Map<string, number>();

  /** The fill under way; undefined where there is none. One whose request is gone is forgotten. */
  find(key: string): Fill | undefined {
    const fill = this.#fills.get(key);
    if (fill?.alive()) return fill;
    this.#fills.delete(key);
    return undefined;
  }

  /** Begins one; null where there are as many as may be. */
  begin(key: string, carrier: Owner, max: number): Fill | null {
    for (const [other, fill] of this.#fills) if (!fill.alive()) this.#fills.delete(other);
    if (this.#fills.size >= max) return null;
    const fill = new Fill(carrier);
    this.#fills.set(key, fill);
    return fill;
  }

  /** It is done. */
  end(key: string, fill: Fill): void {
    fill.ended = true;
    if (this.#fills.get(key) === fill) this.#fills.delete(key);
    if (fill.stored) remember(this.#stored, key, STORED_MAX);
    if (fill.standing.state === "pass") remember(this.#passed, key, PASSED_MAX);
    fill.wake.notify(fill.carrier);
  }

  /** What is in the store, or on its way there, does not hold any more. */
  forget(key: string): void {
    this.#stored.delete(key);
    const fill = this.#fills.get(key);
    if (fill !== undefined) fill.changed = true;
    this.#fills.delete(key);
  }

  /** Whether it was stored within the last so many milliseconds: where it is not seen, KV is late. */
  storedLately(key: string, ms: number): boolean {
    return Date.now() - (this.#stored.get(key) ?? -Infinity) < ms;
  }

  /** Whether it was found lately that it is not for the store: then each may ask for its range by itself. */
  passedLately(key: string): boolean {
    return Date.now() - (this.#passed.get(key) ?? -Infinity) < PASS_MS;
  }
}

function remember(times: Map<string, number>, key: string, max: number): void {
  times.delete(key);
  times.set(key, Date.now());
  for (const oldest of times.keys()) {
    if (times.size <= max) return;
    times.delete(oldest);
  }
}
