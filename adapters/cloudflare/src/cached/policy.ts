// What may be stored, and for how long: RFC 9111 sections 3 and 4.2, of a shared cache. Pure.

import { parseDirectives, seconds } from "./directives.js";

/** Seconds by status (`'404'`), by class (`'4xx'`), or for all else (`'default'`). */
export type Ttl = Readonly<Record<string, number>>;

export interface Policy {
  /** How long answers are fresh whose origin says nothing of it. 0 does not store them. */
  readonly ttl: Ttl;
  /** Whether the settings' `ttl` goes before what the origin says. */
  readonly ttlFirst: boolean;
  /** How long after that they may be used while they are asked about, if the origin does not say; seconds. */
  readonly staleSeconds: number;
  /** Request headers that are part of the key, in lower case. */
  readonly vary: readonly string[];
}

/** How long an answer may be used. Seconds. */
export interface Life {
  /** How old it was when it came. */
  readonly age: number;
  readonly fresh: number;
  /** Longer than `fresh`: while it is asked about. */
  readonly stale: number;
}

export type Verdict = { readonly life: Life } | { readonly refused: Refusal };

/** Why an answer is not stored. */
export type Refusal =
  | "method" | "request-no-store" | "status" | "no-store" | "private" | "no-cache" | "set-cookie"
  | "vary" | "authorization" | "encoding" | "no-ttl" | "headers";

export interface Asked {
  readonly method: string;
  readonly headers: Headers;
}

export interface Answered {
  readonly status: number;
  readonly headers: Headers;
}

/** Whether the answer may be stored, and for how long it is good. */
export function judge(asked: Asked, answered: Answered, policy: Policy, now: number): Verdict {
  const refused = refusal(asked, answered, policy);
  if (refused !== null) return { refused };
  const life = lifeOf(answered, policy, now);
  return life.fresh > life.age ? { life } : { refused: "no-ttl" };
}

function refusal({ method, headers: ask }: Asked, { status, headers }: Answered, policy: Policy): Refusal | null {
  const control = parseDirectives(headers.get("cache-control"));
  if (method !== "GET") return "method";
  if (parseDirectives(ask.get("cache-control")).has("no-store")) return "request-no-store";
  // Parts are not put together here, and 304 is about something else; neither is anything before the answer.
  if (status < 200 || status === 206 || status === 304 || headers.has("content-range")) return "status";
  if (control.has("no-store")) return "no-store";
  // Forms that name fields may be taken for the plain ones (section 5.2.2.4).
  if (control.has("private")) return "private";
  if (control.has("no-cache")) return "no-cache";
  if (headers.has("set-cookie")) return "set-cookie";
  const shareable = ["public", "s-maxage", "must-revalidate"].some((name) => control.has(name));
  if (ask.has("authorization") && !shareable) return "authorization";
  const varies = list(headers.get("vary"));
  // Fills ask for no encoding. What comes in one all the same the runtime decodes when it is read, so that its length and its
  // validators are of other bytes than those that would be stored.
  if (list(headers.get("content-encoding")).some((coding) => coding !== "identity")) return "encoding";
  const covered = (name: string) => name === "accept-encoding" || policy.vary.includes(name);
  return varies.every(covered) ? null : "vary";
}

/** Its freshness by section 4.2.1 and its age by section 4.2.3. */
export function lifeOf({ status, headers }: Answered, policy: Policy, now: number): Life {
  const control = parseDirectives(headers.get("cache-control"));
  const date = Date.parse(headers.get("date") ?? "") || now;
  const given = seconds(control, "s-maxage") ?? seconds(control, "max-age") ?? expiresIn(headers, date);
  const own = ttlOf(policy.ttl, status);
  const fresh = policy.ttlFirst && own > 0 ? own : given ?? own;
  const apparent = Math.max(0, Math.floor((now - date) / 1000));
  const told = /^\d+$/.test(headers.get("age") ?? "") ? Number(headers.get("age")) : 0;
  const strict = control.has("must-revalidate") || control.has("proxy-revalidate");
  const permitted = seconds(control, "stale-while-revalidate");
  // `s-maxage` forbids stale use by itself (section 5.2.2.10); an origin that permits it means it.
  const stale = strict ? 0 : permitted ?? (control.has("s-maxage") ? 0 : policy.staleSeconds);
  return { age: policy.ttlFirst && own > 0 ? 0 : Math.max(apparent, told), fresh, stale };
}

function expiresIn(headers: Headers, date: number): number | null {
  const expires = headers.get("expires");
  if (expires === null) return null;
  // What is no date, such as 0, is in the past (section 5.3).
  const at = Date.parse(expires);
  return Number.isNaN(at) || !/[a-z]/i.test(expires) ? 0 : Math.max(0, Math.floor((at - date) / 1000));
}

/** The settings' seconds for a status; 0 where they say nothing. */
export function ttlOf(ttl: Ttl, status: number): number {
  return ttl[String(status)] ?? ttl[`${Math.floor(status / 100)}xx`] ?? ttl["default"] ?? 0;
}

/** Elements of a list, in lower case. */
export function list(header: string | null): string[] {
  return (header ?? "").split(",").map((name) => name.trim().toLowerCase()).filter((name) => name !== "");
}
