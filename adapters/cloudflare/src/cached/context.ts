// What one request brings along.

import type { OnEvent } from "../events.js";
import type { Fills } from "./fills.js";
import type { Keys } from "./key.js";
import type { Settings } from "./settings.js";
import type { Store } from "./store.js";
import type { Owner } from "./wake.js";

export interface Context {
  readonly request: Request;
  readonly owner: Owner;
  readonly store: Store;
  readonly settings: Settings;
  readonly fills: Fills;
  readonly keys: Keys;
  readonly emit: OnEvent;
  /** Keeps the invocation alive for this work. */
  readonly waitUntil: (work: Promise<unknown>) => void;
}

/** What an error says, in one line. */
export function reason(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replaceAll(/\s+/g, " ");
}
