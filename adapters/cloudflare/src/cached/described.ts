// What is kept with a stored answer beside its body: when it came, how long it is good, and the origin's headers. It
// lies in the object's metadata as JSON, in ASCII, since a header carries it. Pure.

import type { Life } from "./policy.js";

/** The store's header for it. */
export const RECORD_HEADER = "x-meta-cached";

/** The store holds 8 KiB of metadata for an object; some of it is for the headers it knows. */
const RECORD_CHARS_MAX = 6 << 10;

/** What KV takes, and what the store does. */
const TTL_SECONDS_MIN = 60;
const TTL_SECONDS_MAX = 2 ** 31;

export interface Stored extends Life {
  /** Tells one fill from another. */
  readonly fill: string;
  readonly status: number;
  /** When it came; ms since the Unix epoch. */
  readonly at: number;
  /** The origin's headers, but for those that the store keeps itself. */
  readonly headers: readonly (readonly [string, string])[];
}

/** Headers that the store keeps under their own names. */
const KEPT_BY_STORE = ["content-type", "content-encoding", "content-language", "content-disposition", "cache-control"];

/** Of this connection only, or of this one answer (RFC 9111, section 3.1), or told anew. */
const NOT_KEPT = [
  "connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "proxy-authenticate",
  "proxy-authentication-info", "proxy-authorization", "content-length", "content-range", "accept-ranges", "age", "date",
  "set-cookie", "cache-status", "cf-cache-status", "cf-ray", "server-timing", "alt-svc", "nel", "report-to",
];

/** The origin's headers that are of the answer itself. */
export function lasting(headers: Headers): Headers {
  const kept = new Headers(headers);
  const named = (headers.get("connection") ?? "").split(",").map((name) => name.trim()).filter((name) => name !== "");
  for (const name of [...NOT_KEPT, ...named]) kept.delete(name);
  return kept;
}

/** The headers of a request that stores the answer; null where they do not fit. */
export function describe(stored: Omit<Stored, "headers">, headers: Headers, keepSeconds: number): Headers | null {
  const kept = lasting(headers);
  const own = new Headers();
  for (const name of KEPT_BY_STORE) {
    const value = kept.get(name);
    if (value !== null) own.set(name, value);
    kept.delete(name);
  }
  const record = ascii(JSON.stringify({ ...stored, headers: [...kept] }));
  if (record.length > RECORD_CHARS_MAX || (own.get("content-type") ?? "").length > 256) return null;
  own.set(RECORD_HEADER, record);
  const seconds = Math.ceil(stored.fresh - stored.age + stored.stale + keepSeconds);
  own.set("x-ttl-seconds", String(Math.min(Math.max(seconds, TTL_SECONDS_MIN), TTL_SECONDS_MAX)));
  return own;
}

/** Of an answer of the store; null where it holds none, or one of another make. */
export function recordOf(headers: Headers): Stored | null {
  try {
    const record = JSON.parse(headers.get(RECORD_HEADER) ?? "null") as Partial<Stored> | null;
    const numbers = [record?.status, record?.at, record?.age, record?.fresh, record?.stale];
    const sound = numbers.every((number) => typeof number === "number") && Array.isArray(record?.headers);
    return sound && typeof record?.fill === "string" ? (record as Stored) : null;
  } catch {
    return null;
  }
}

/** How old it is; seconds. */
export function ageOf(stored: Stored, now: number): number {
  return stored.age + Math.max(0, Math.floor((now - stored.at) / 1000));
}

/** The headers of the store's answer with the origin's in place of its own. */
export function restored(headers: Headers, stored: Stored, now: number): Headers {
  const shown = new Headers(headers);
  shown.delete(RECORD_HEADER);
  shown.delete("x-expires");
  // These are for a server whose objects come from anyone; here they come from one origin.
  shown.delete("content-security-policy");
  shown.delete("x-content-type-options");
  for (const [name, value] of stored.headers) shown.set(name, value);
  shown.set("age", String(ageOf(stored, now)));
  return shown;
}

function ascii(json: string): string {
  return json.replace(/[\u007f-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
