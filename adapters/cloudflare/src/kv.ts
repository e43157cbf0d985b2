// The interface `kv` of `wit/kv.wit` over a namespace of Workers KV.

import type * as Kv from "../gen/web/interfaces/streaming-chunk-store-kv.js";
import { free } from "./body.js";
import { MEMORY_BYTES } from "./memory.js";

/** What Workers KV holds. Source: its limits as Cloudflare documents them. */
export const VALUE_BYTES_MAX = 25 * 1024 * 1024;
/** Longest key, in bytes. */
export const KEY_BYTES_MAX = 512;
/** Shortest time to live, in seconds. */
export const TTL_SECONDS_MIN = 60;
/** Longest time to live that the runtime takes, in seconds: 68 years. */
const TTL_SECONDS_MAX = 2 ** 31 - 1;
/** Operations on KV that one invocation of a Worker may make. */
export const OPERATIONS_MAX = 1000;
/** Longest summary, in bytes: metadata holds 1024 bytes of JSON, here a string in base64. */
export const SUMMARY_BYTES_MAX = Math.floor((1024 - 2) / 4) * 3;
/** Connections that one invocation may have open at once. */
const CONCURRENCY_MAX = 6;
/** How long a location may answer from its cache, misses included, in milliseconds. */
const STALENESS_MS = 60_000;
/** How long a write that nobody waits for any more may still land, in milliseconds. */
const WRITE_LAG_MS_MAX = 30_000;
/** A key takes one write a second. */
const REWRITE_INTERVAL_MS = 1000;
/** How long to wait where KV says that there is too much, in milliseconds. */
const THROTTLED_MS = 1000n;

/** What may be set otherwise, for a platform that differs. */
export interface KvOptions {
  /** Operations that the invocation may make; see {@link OPERATIONS_MAX}. */
  operations?: number;
  /** See `staleness-ms` of `wit/kv.wit`; 60 s. */
  stalenessMs?: number;
  /** See `rewrite-interval-ms` of `wit/kv.wit`; 1 s. */
  rewriteIntervalMs?: number;
  /** See `memory-bytes-max` of `wit/kv.wit`. */
  memoryBytes?: number;
}

/** What a guest calls as `kv`. */
export type GuestKv = typeof Kv;

/** The errors of `kv`, as a guest takes them. */
class KvError extends Error {
  constructor(readonly payload: Kv.Error) {
    super(String("val" in payload ? payload.val : payload));
  }
}

/** One namespace, as one invocation of a Worker sees it: it counts the operations. */
export class NamespaceKv {
  readonly #namespace: KVNamespace;
  readonly #options: KvOptions;
  #operationsLeft: number;

  constructor(namespace: KVNamespace, options: KvOptions = {}) {
    this.#namespace = namespace;
    this.#options = options;
    this.#operationsLeft = options.operations ?? OPERATIONS_MAX;
  }

  /** How many operations the invocation may still make. */
  get operationsLeft(): number {
    return this.#operationsLeft;
  }

  /** What a guest calls. */
  guest(): GuestKv {
    return {
      getLimits: () => this.#limits(),
      get: (key) => this.#get(key),
      set: (key, value, options) => this.#set(key, value, options),
      delete: (key, condition) => this.#delete(key, condition),
      listKeys: (prefix, cursor, limit) => this.#listKeys(prefix, cursor, limit),
    };
  }

  #limits(): Kv.Limits {
    return {
      valueBytesMax: BigInt(VALUE_BYTES_MAX),
      keyBytesMax: KEY_BYTES_MAX,
      summaryBytesMax: SUMMARY_BYTES_MAX,
      ttlSecondsMin: TTL_SECONDS_MIN,
      stalenessMs: this.#options.stalenessMs ?? STALENESS_MS,
      writeLagMsMax: WRITE_LAG_MS_MAX,
      rewriteIntervalMs: this.#options.rewriteIntervalMs ?? REWRITE_INTERVAL_MS,
      operationsMax: this.#operationsLeft,
      concurrencyMax: CONCURRENCY_MAX,
      memoryBytesMax: BigInt(this.#options.memoryBytes ?? MEMORY_BYTES),
      rangedGet: false,
      conditionalWrite: false,
    };
  }

  async #get(key: string): Promise<Kv.Entry | undefined> {
    const name = nameOf(key);
    const value = await this.#operation(() => this.#namespace.get(name, "arrayBuffer"));
    return value === null ? undefined : { value: new Uint8Array(value) };
  }

  async #set(key: string, value: Uint8Array, options: Kv.SetOptions): Promise<Kv.Outcome> {
    const name = nameOf(key);
    refuseCondition(options.condition);
    if (value.byteLength > VALUE_BYTES_MAX) {
      throw rejected(`the value has ${value.byteLength} bytes; Workers KV holds ${VALUE_BYTES_MAX}`);
    }
    const { summary, ttlSeconds } = options;
    if (summary !== undefined && summary.byteLength > SUMMARY_BYTES_MAX) {
      throw rejected(`the summary has ${summary.byteLength} bytes, more than ${SUMMARY_BYTES_MAX}`);
    }
    const put: KVNamespacePutOptions = {};
    // Who may live longer lives for ever: a time to live only allows KV to drop a value.
    if (ttlSeconds !== undefined && ttlSeconds <= TTL_SECONDS_MAX) {
      put.expirationTtl = Math.max(ttlSeconds, TTL_SECONDS_MIN);
    }
    if (summary !== undefined) put.metadata = base64(summary);
    try {
      await this.#operation(() => this.#namespace.put(name, value, put));
    } finally {
      // A copy that the guest made for this call.
      free(value);
    }
    return "done";
  }

  async #delete(key: string, condition: Kv.Condition | undefined): Promise<Kv.Outcome> {
    const name = nameOf(key);
    refuseCondition(condition);
    await this.#operation(() => this.#namespace.delete(name));
    return "done";
  }

  async #listKeys(
    prefix: string,
    cursor: string | undefined,
    limit: number,
  ): Promise<Kv.KeyPage> {
    if (!(limit >= 1 && limit <= 1000)) {
      throw rejected(`a page has 1 to 1000 keys, not ${limit}`);
    }
    if (bytesOf(prefix) > KEY_BYTES_MAX) return { keys: [] };
    // Miniflare finds nothing by a prefix with a NUL in it. No key of the store has one.
    const [listed] = prefix.split("\0", 1);
    const page = await this.#operation(() =>
      this.#namespace.list<unknown>({ prefix: listed ?? "", cursor: cursor ?? null, limit }),
    );
    const keys = page.keys.map(({ name, metadata }) => {
      const summary = typeof metadata === "string" ? fromBase64(metadata) : undefined;
      return { key: unescaped(name), summary };
    });
    return {
      keys: keys.filter(({ key }) => key.startsWith(prefix)),
      cursor: page.list_complete ? undefined : page.cursor,
    };
  }

  async #operation<T>(ask: () => Promise<T>): Promise<T> {
    if (this.#operationsLeft <= 0) {
      throw rejected("the invocation has made all the KV operations that it may make");
    }
    this.#operationsLeft -= 1;
    try {
      return await ask();
    } catch (error) {
      throw failure(error);
    }
  }
}

/** What a failure of the namespace means. It says so in its text only. */
function failure(error: unknown): KvError {
  const text = (error instanceof Error ? error.message : String(error)).replaceAll(/\s+/g, " ");
  const status = Number(/\bfailed: (\d{3})\b/.exec(text)?.[1]);
  if (status === 429) return new KvError({ tag: "throttled", val: THROTTLED_MS });
  if (status >= 400 && status < 500 && status !== 408) return rejected(text);
  // What the runtime does not even pass on.
  if (error instanceof TypeError || error instanceof RangeError) return rejected(text);
  // The runtime's own bound, should it be lower than what was counted.
  if (/too many (api|sub)\s?requests/i.test(text)) return rejected(text);
  return new KvError({ tag: "unavailable", val: text });
}

function rejected(why: string): KvError {
  return new KvError({ tag: "rejected", val: why });
}

function refuseCondition(condition: Kv.Condition | undefined): void {
  if (condition !== undefined) throw rejected("Workers KV has no conditional writes");
}

/** The name of a key in the namespace. */
function nameOf(key: string): string {
  const name = escaped(key);
  if (key === "" || bytesOf(name) > KEY_BYTES_MAX) {
    throw rejected(`a key has 1 to ${KEY_BYTES_MAX} bytes, not ${bytesOf(key)}`);
  }
  return name;
}

// KV takes every name but `.` and `..`. They get a NUL at their end, and so does every key
// that is one of them with NULs at its end: each keeps a name of its own, and the order.
const DOTS = /^\.\.?\0*$/;

function escaped(key: string): string {
  return DOTS.test(key) ? `${key}\0` : key;
}

function unescaped(name: string): string {
  return DOTS.test(name) && name.endsWith("\0") ? name.slice(0, -1) : name;
}

function bytesOf(text: string): number {
  return new TextEncoder().encode(text).byteLength;
}

function base64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes));
}

function fromBase64(text: string): Uint8Array | undefined {
  try {
    return Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
  } catch {
    // Somebody else's metadata.
    return undefined;
  }
}
