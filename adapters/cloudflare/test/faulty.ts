// A namespace that fails, is slow to show what was written, and remembers what was missing,
// as it is told to.

import type { KvOptions } from "../src/kv.js";

type Operation = "get" | "put" | "delete" | "list";

/** Some operations on keys with a prefix fail, after a number of them has not. */
interface Rule {
  operation: Operation;
  prefix: string;
  /** So many are let through first. */
  after: number;
  /** So many fail then. */
  times: number;
  /** What KV says: `KV PUT failed: 500 Internal Server Error`. */
  message: string;
  /** The failure is told of a write that took effect. */
  landed?: boolean;
  /** Nothing is told for minutes. */
  stalled?: boolean;
}

interface Told {
  rules?: Rule[];
  /** How long after a write readers see what was before it, in milliseconds. */
  hiddenMs?: number;
  /** How long a key that was looked for and was not there is not looked for again. */
  missesMs?: number;
  /** What the platform says of itself; two seconds, which a test can wait for. */
  stalenessMs?: number;
  /** How many operations it allows an invocation; as many as there are, without. */
  operations?: number;
}

/** What happens to a namespace, and how often it was asked. */
export class Faulty {
  #rules: Rule[] = [];
  #hiddenMs = 0;
  #missesMs = 0;
  #limits: KvOptions = { stalenessMs: STALENESS_MS, rewriteIntervalMs: 0 };
  #operations: Record<Operation, number> = { get: 0, put: 0, delete: 0, list: 0 };
  /** Until when writes are hidden, and the value that readers see meanwhile. */
  readonly #hidden = new Map<string, { until: number; before: ArrayBuffer | null }>();
  /** Until when what was missing is missing. */
  readonly #missing = new Map<string, number>();

  /** Begins anew, with these faults. */
  tell(told: Told): void {
    this.#rules = told.rules ?? [];
    this.#hiddenMs = told.hiddenMs ?? 0;
    this.#missesMs = told.missesMs ?? 0;
    const { stalenessMs = STALENESS_MS, operations } = told;
    this.#limits = { stalenessMs, operations, rewriteIntervalMs: 0 };
    this.#hidden.clear();
    this.#missing.clear();
  }

  /** What the platform says of itself. */
  get limits(): KvOptions {
    return this.#limits;
  }

  /** How many operations there were since the last time. */
  takeOperations(): Record<Operation, number> {
    const operations = this.#operations;
    this.#operations = { get: 0, put: 0, delete: 0, list: 0 };
    return operations;
  }

  /** The namespace with the faults. */
  over(namespace: KVNamespace): KVNamespace {
    const faulty = {
      get: async (key: string) => {
        await this.#begin("get", key);
        return await this.#seen(namespace, key);
      },
      put: async (key: string, value: ArrayBufferView, options?: KVNamespacePutOptions) => {
        await this.#write("put", key, namespace, () => namespace.put(key, value, options));
      },
      delete: async (key: string) => {
        await this.#write("delete", key, namespace, () => namespace.delete(key));
      },
      list: async (options: KVNamespaceListOptions) => {
        await this.#begin("list", options.prefix ?? "");
        return await namespace.list(options);
      },
    };
    return faulty as unknown as KVNamespace;
  }

  async #write(
    operation: Operation,
    key: string,
    namespace: KVNamespace,
    write: () => Promise<void>,
  ): Promise<void> {
    const failing = this.#failing(operation, key);
    if (failing !== undefined && failing.landed !== true) await fail(failing);
    if (this.#hiddenMs > 0) {
      const before = await this.#seen(namespace, key);
      this.#hidden.set(key, { until: Date.now() + this.#hiddenMs, before });
    }
    await write();
    if (failing !== undefined) await fail(failing);
  }

  async #seen(namespace: KVNamespace, key: string): Promise<ArrayBuffer | null> {
    const now = Date.now();
    if ((this.#missing.get(key) ?? 0) > now) return null;
    const hidden = this.#hidden.get(key);
    const isHidden = hidden !== undefined && hidden.until > now;
    // A copy, as KV gives: whoever gets it may do with it what it likes.
    const value = isHidden ? (hidden.before?.slice(0) ?? null) : await namespace.get(key, "arrayBuffer");
    if (value === null && this.#missesMs > 0) this.#missing.set(key, now + this.#missesMs);
    return value;
  }

  async #begin(operation: Operation, key: string): Promise<void> {
    const failing = this.#failing(operation, key);
    if (failing !== undefined) await fail(failing);
  }

  /** Counts the operation, and gives the rule by which it fails. */
  #failing(operation: Operation, key: string): Rule | undefined {
    this.#operations[operation] += 1;
    for (const rule of this.#rules) {
      if (rule.operation !== operation || !key.startsWith(rule.prefix)) continue;
      if (rule.after > 0) {
        rule.after -= 1;
      } else if (rule.times > 0) {
        rule.times -= 1;
        return rule;
      }
    }
    return undefined;
  }
}

async function fail({ message, stalled }: Rule): Promise<never> {
  if (stalled === true) await scheduler.wait(STALL_MS);
  throw new Error(message);
}

/** A second or two in place of a minute. */
const STALENESS_MS = 2000;

/** Longer than any operation may take. */
const STALL_MS = 300_000;
