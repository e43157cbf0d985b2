// One request, from its beginning to its answer.

import type { OnEvent } from "../events.js";
import type { Invocation } from "../watch.js";
import { answer } from "./answer.js";
import { type Begun, type Known, carry } from "./carry.js";
import { type Context, reason } from "./context.js";
import { type Stored, ageOf } from "./described.js";
import type { Outcome } from "./events.js";
import type { Fill } from "./fill.js";
import { Fills } from "./fills.js";
import { find, freshness, namesOf, renew, shown } from "./hit.js";
import { keysOf } from "./key.js";
import { parseDirectives } from "./directives.js";
import { type CachedOptions, settingsOf } from "./settings.js";
import { type Store, drain, remove } from "./store.js";
import { within } from "./wake.js";

/**
 * Answers out of the store, or out of the origin and into the store. `fills` are those of the isolate for this store; `emit` is
 * told what happens.
 */
export async function serve(
  request: Request,
  invocation: Invocation,
  store: Store,
  options: CachedOptions,
  fills: Fills,
  emit: OnEvent,
): Promise<Response> {
  const begun = Date.now();
  const settings = settingsOf(options);
  const keys = await keysOf(settings.key(request), request.headers, settings);
  // What is left to do never fails an answer that is out already.
  const waitUntil = (work: Promise<unknown>) => invocation.waitUntil(work.catch(() => undefined));
  const context: Context = { request, owner: {}, store, settings, fills, keys, emit, waitUntil };
  const { response, outcome, why, status = CACHE_STATUS[outcome] } = await respond(context);
  const event = { event: "answer", key: keys.object, outcome, status: response.status, ms: Date.now() - begun } as const;
  emit(why === undefined ? event : { ...event, why });
  // An upgrade is no answer that could be copied.
  if (response.status < 200) return response;
  const marked = new Response(response.body, response);
  const detail = why === undefined ? "" : `; detail="${quotable(why)}"`;
  marked.headers.append("cache-status", `chunk-store; ${status}${detail}`);
  return marked;
}

/** RFC 9211. */
const CACHE_STATUS: Readonly<Record<Outcome, string>> = {
  hit: "hit",
  stale: "hit; detail=stale",
  revalidated: "hit; fwd=stale; fwd-status=304",
  miss: "fwd=uri-miss; stored",
  joined: "fwd=uri-miss; collapsed",
  pass: "fwd=bypass",
};

interface Answered {
  readonly response: Response;
  readonly outcome: Outcome;
  readonly why?: string;
  readonly status?: string;
}

async function respond(context: Context): Promise<Answered> {
  const { request, fills, keys, settings } = context;
  const control = parseDirectives(request.headers.get("cache-control"));
  if (request.method !== "GET" && request.method !== "HEAD") return change(context);
  if (control.has("no-store")) return pass(context, "request-no-store");
  const found = await find(context);
  if ("down" in found) {
    context.emit({ event: "store-failed", key: keys.object, what: "look", why: found.down });
    return pass(context, "store");
  }
  if ("stored" in found) return use(context, found);
  if (control.has("only-if-cached")) {
    return { response: new Response(null, { status: 504 }), outcome: "pass", why: "only-if-cached" };
  }
  if (request.method === "HEAD") return pass(context, "head");
  if (fills.find(keys.object) === undefined) {
    if (fills.passedLately(keys.object)) return pass(context, "not stored");
    if (fills.storedLately(keys.object, settings.stalenessMs)) return pass(context, "not visible yet");
  }
  return fetched(context, null, null);
}

/** A stored answer, asked about as its age demands. */
async function use(context: Context, found: Found): Promise<Answered> {
  const { stored, response } = found;
  const state = await freshness(context, stored);
  if (state === "fresh") {
    const status = `hit; ttl=${stored.fresh - ageOf(stored, Date.now())}`;
    return { response: shown(context, found), outcome: "hit", status };
  }
  if (state === "stale") {
    context.waitUntil(refresh(context, stored));
    return { response: shown(context, found), outcome: "stale" };
  }
  if (context.request.method === "HEAD") {
    await drain(response);
    return pass(context, "head");
  }
  return fetched(context, namesOf(stored), found);
}

/** Asks the origin about a stale answer that is being used. */
async function refresh(context: Context, stored: Stored): Promise<void> {
  const { request } = context;
  // Whatever part the client wanted, it is the whole that is asked about.
  const asking = { ...context, request: new Request(request.url, { headers: request.headers }) };
  if (context.fills.find(context.keys.object) !== undefined) return;
  const fill = context.fills.begin(context.keys.object, context.owner, context.settings.fillsMax);
  if (fill === null) return;
  const { response } = await carry(asking, fill, namesOf(stored));
  if (response !== undefined) await drain(response);
  if (fill.standing.state === "same") await renew(context, stored);
  if (fill.standing.state === "open") setTimeout(fill.stop, context.settings.aloneMs);
}

/** What is stored. */
interface Found {
  readonly stored: Stored;
  readonly response: Response;
}

/** Out of the fill under way, or of a new one. `found` is to be used if the origin says that it holds. */
async function fetched(context: Context, known: Known | null, found: Found | null): Promise<Answered> {
  const { fills, keys, settings, owner } = context;
  const there = fills.find(keys.object);
  const fill = there ?? fills.begin(keys.object, owner, settings.fillsMax);
  if (fill === null) return giveUp(context, found, "busy");
  there?.expect(owner);
  try {
    const carried = there === undefined ? await carry(context, fill, known) : {};
    return await standing(context, fill, carried, there !== undefined, found);
  } finally {
    there?.came(owner);
  }
}

/** Out of a fill, as it stands when the origin has answered. */
async function standing(context: Context, fill: Fill, carried: Begun, joined: boolean, found: Found | null): Promise<Answered> {
  const standing = await fill.opened(context.owner);
  switch (standing.state) {
    case "open":
      if (found !== null) await drain(found.response);
      return { response: answer(context, fill, standing.head, again), outcome: joined ? "joined" : "miss" };
    case "same":
      if (found === null) return pass(context, "revalidated meanwhile");
      if (!joined) context.waitUntil(renew(context, found.stored));
      return { response: shown(context, found), outcome: "revalidated" };
    case "pass":
      return carried.response === undefined ? giveUp(context, found, standing.why) : passOn(context, found, carried.response, standing.why);
    case "opening":
      // Its request is gone: this one tries for itself.
      return giveUp(context, found, "orphaned");
  }
}

async function giveUp(context: Context, found: { response: Response } | null, why: string): Promise<Answered> {
  if (found !== null) await drain(found.response);
  return pass(context, why);
}

/** The origin's answer to the whole, for who asked for it; asked for again, where a part was wanted. */
async function passOn(context: Context, found: { response: Response } | null, response: Response, why: string): Promise<Answered> {
  if (found !== null) await drain(found.response);
  if (response.status === 200 && context.request.headers.has("range")) {
    await drain(response);
    return pass(context, why);
  }
  return { response, outcome: "pass", why };
}

/** As if there were no cache. */
async function pass(context: Context, why: string): Promise<Answered> {
  return { response: await context.settings.fetchOrigin(context.request), outcome: "pass", why };
}

/** Another method: what it changes is not to be answered from the store any more (RFC 9111, section 4.4). */
async function change(context: Context): Promise<Answered> {
  const { request, store, keys, emit, settings } = context;
  const safe = ["OPTIONS", "TRACE"].includes(request.method);
  const answered = await pass(context, "method");
  if (!safe && answered.response.status < 400) {
    const failed = (error: unknown) => emit({ event: "store-failed", key: keys.object, what: "delete", why: reason(error) });
    // What is being stored here would come after. In another isolate it does, if its fill is under way.
    context.fills.forget(keys.object);
    // Before the answer, so that who has it does not find the old one; in time, or later.
    await within(remove(store, keys.object), settings.storeMs, "the store is slow").catch(failed);
  }
  return answered;
}

/** A fill whose request was ended is gone on with by this one, or by another that was quicker. */
async function again(context: Context, before: Fill): Promise<Fill> {
  const { fills, keys, settings, owner } = context;
  // What it has for the store is written down first.
  await before.wake.until(owner, () => !before.alive());
  const there = fills.find(keys.object);
  if (there !== undefined) {
    await there.opened(owner);
    return there;
  }
  const fill = fills.begin(keys.object, owner, settings.fillsMax);
  if (fill === null) throw new Error("there are too many fills to go on with this one");
  const { response } = await carry(context, fill, null);
  if (response !== undefined) await drain(response);
  return fill;
}

function quotable(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]/g, " ").replaceAll(/["\\]/g, " ");
}
