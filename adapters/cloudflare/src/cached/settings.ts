// What can be set, what it is without, and within which bounds.

import type { Watching } from "../events.js";
import type { Policy, Ttl } from "./policy.js";
import type { Naming } from "./key.js";

const KIB = 1024;
const MIB = 1024 * KIB;

export interface CachedOptions extends Watching {
  /** Asks the origin; `fetch` without. It passes the request's headers on (`Range` and `If-Range` are among them where a fill goes on). */
  readonly fetchOrigin?: (request: Request) => Promise<Response>;
  /** The cache key, or how it is made from a request; the URL without. */
  readonly key?: string | ((request: Request) => string);
  /** Request headers whose values are part of the key: answers that `Vary` by others are not stored. */
  readonly vary?: readonly string[];
  /** Another version is another cache: everything is fetched anew. `"1"` without. */
  readonly version?: string;
  /** What all keys in the store begin with. `"cached/"` without. */
  readonly prefix?: string;
  /**
   * How long answers are fresh whose origin does not say, in seconds: for all statuses, or by status (`404`), class (`"4xx"`) and
   * `default`. Without, `{ 200: 3600 }`.
   */
  readonly ttl?: number | Ttl;
  /** Whether `ttl` goes before the origin's `max-age` and `Expires`. Never before `no-store`, `private` and the like. */
  readonly ttlFirst?: boolean;
  /** How long stale answers are used while they are asked about, in seconds, where the origin does not say. 0 without. */
  readonly staleSeconds?: number;
  /** How long stale answers are kept after that, since the origin may say that they still hold; seconds. 86,400 without. */
  readonly keepSeconds?: number;
  /** Answers of this length and more are stored as uploads, which can be gone on with; bytes. 40 MiB without. */
  readonly resumableBytesMin?: number;
  /** Bytes of a fill in memory, for the store and clients to take at their pace. 8 MiB without, 2 to 32 MiB. */
  readonly windowBytes?: number;
  /** Fills at once in one isolate; what is more is passed on and not stored. 4 without. */
  readonly fillsMax?: number;
  /** How long the store, and one client, may keep another client waiting in all; ms. 5000 without. */
  readonly delayMs?: number;
  /** How long a client may take nothing while the store waits for it; ms. 10,000 without. */
  readonly pauseMs?: number;
  /** How long to wait for the store's answer to a request before the origin is asked; ms. 3000 without. */
  readonly storeMs?: number;
  /** How long a client whose bytes have gone by waits for the object, before the origin is asked for them; ms. 5000 without. */
  readonly waitMs?: number;
  /** How long the origin may send nothing; ms. 30,000 without. */
  readonly originStallMs?: number;
  /** How often the origin is asked for the rest of one body. 3 without. */
  readonly originRetries?: number;
  /** How long a fill goes on without the client that began it; ms. 25,000 without: the platform ends it after 30 s. */
  readonly aloneMs?: number;
  /** How long after a commit KV may not show it; a fill is not made again meanwhile. ms, 60,000 without. */
  readonly stalenessMs?: number;
}

export interface Settings extends Policy, Naming {
  readonly fetchOrigin: (request: Request) => Promise<Response>;
  readonly key: (request: Request) => string;
  readonly keepSeconds: number;
  readonly resumableBytesMin: number;
  readonly windowBytes: number;
  readonly fillsMax: number;
  readonly delayMs: number;
  readonly pauseMs: number;
  readonly storeMs: number;
  readonly waitMs: number;
  readonly originStallMs: number;
  readonly originRetries: number;
  readonly aloneMs: number;
  readonly stalenessMs: number;
}

const TTL: Ttl = { 200: 3600 };

/** With what is left out filled in. Throws a `TypeError` that names what cannot be. */
export function settingsOf(options: CachedOptions): Settings {
  const { key, ttl = TTL, vary = [], version = "1", prefix = "cached/" } = options;
  if (version === "") throw new TypeError("cached(): `version` is empty; leave it out, or give a name");
  if (prefix.startsWith("_/") || prefix === "") {
    throw new TypeError("cached(): `prefix` must not be empty, nor begin with `_/`");
  }
  const ttls: Ttl = typeof ttl === "number" ? { default: ttl } : ttl;
  for (const [status, seconds] of Object.entries(ttls)) check(`ttl[${status}]`, seconds, 0, 2 ** 31);
  const number = (name: keyof CachedOptions, usual: number, min: number, max: number) =>
    check(name, (options[name] as number | undefined) ?? usual, min, max);
  return {
    fetchOrigin: options.fetchOrigin ?? ((request) => fetch(request)),
    key: typeof key === "string" ? () => key : key ?? urlOf,
    vary: [...vary].map((name) => name.toLowerCase()).sort(),
    version,
    prefix,
    ttl: ttls,
    ttlFirst: options.ttlFirst ?? false,
    staleSeconds: number("staleSeconds", 0, 0, 2 ** 31),
    keepSeconds: number("keepSeconds", 86_400, 0, 2 ** 31),
    resumableBytesMin: number("resumableBytesMin", 40 * MIB, 0, Number.MAX_SAFE_INTEGER),
    windowBytes: number("windowBytes", 8 * MIB, 2 * MIB, 32 * MIB),
    fillsMax: number("fillsMax", 4, 1, 64),
    delayMs: number("delayMs", 5000, 0, 600_000),
    pauseMs: number("pauseMs", 10_000, 0, 600_000),
    storeMs: number("storeMs", 3000, 1, 600_000),
    waitMs: number("waitMs", 5000, 0, 600_000),
    originStallMs: number("originStallMs", 30_000, 1, 600_000),
    originRetries: number("originRetries", 3, 0, 100),
    aloneMs: number("aloneMs", 25_000, 0, 3_600_000),
    stalenessMs: number("stalenessMs", 60_000, 0, 3_600_000),
  };
}

/** Without the fragment, which is the client's own. */
function urlOf(request: Request): string {
  return request.url.replace(/#.*/, "");
}

function check(name: string, value: number, min: number, max: number): number {
  if (Number.isFinite(value) && value >= min && value <= max) return value;
  throw new TypeError(`cached(): \`${name}\` is ${value}; it is a number from ${min} to ${max}`);
}
