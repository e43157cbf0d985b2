// Answers out of the store.

import { free } from "../body.js";
import { type Context, reason } from "./context.js";
import { type Stored, ageOf, recordOf, restored } from "./described.js";
import { isRest, restRequest } from "./origin.js";
import { outlet } from "./outlet.js";
import { contentRange, lengthOf } from "./range.js";
import { readerOf } from "./reading.js";
import { drain, read } from "./store.js";
import { CONDITIONS, type Names, isConditional, strongValidator, translate } from "./validators.js";
import { within } from "./wake.js";

export type Found =
  | { readonly stored: Stored; readonly response: Response }
  | { readonly missing: true }
  /** The store cannot say. */
  | { readonly down: string };

/** What the store answers, to the request's own range and conditions. */
export async function find(context: Context): Promise<Found> {
  try {
    return await within(look(context), context.settings.storeMs, "the store is slow");
  } catch (error) {
    return { down: reason(error) };
  }
}

async function look(context: Context): Promise<Found> {
  const { request, store, keys } = context;
  const asked = new Headers();
  for (const name of ["range", ...CONDITIONS]) {
    const value = request.headers.get(name);
    if (value !== null) asked.set(name, value);
  }
  let stored: Stored | null = null;
  let headers = asked;
  if (isConditional(asked)) {
    const head = await read(store, "HEAD", keys.object, new Headers());
    stored = recordOf(head.headers);
    await drain(head);
    if (head.status === 404 || (head.ok && stored === null)) return { missing: true };
    const own = { etag: head.headers.get("etag"), modified: head.headers.get("last-modified") };
    if (stored !== null) headers = translate(asked, namesOf(stored), own);
  }
  let response = await read(store, request.method, keys.object, headers);
  stored = recordOf(response.headers) ?? stored;
  if (stored === null && response.status === 416) {
    stored = recordOf((await read(store, "HEAD", keys.object, new Headers())).headers);
  }
  if (stored !== null && stored.status !== 200 && response.status !== 200) {
    // Ranges and conditions are about successes.
    await drain(response);
    response = await read(store, request.method, keys.object, new Headers());
  }
  if (stored !== null && response.status < 500) return { stored, response };
  await drain(response);
  // 404: there is none; without a record it is not ours; 500: it is damaged, and is fetched anew.
  if (response.status <= 500) return { missing: true };
  return { down: `the store answered ${response.status}` };
}

/** The origin's validators. */
export function namesOf(stored: Stored): Names {
  const headers = new Headers(stored.headers as [string, string][]);
  return { etag: headers.get("etag"), modified: headers.get("last-modified") };
}

export type Freshness = "fresh" | "stale" | "old";

/** Whether it may be used as it is, or while it is asked about, or only when it has been asked about. */
export async function freshness(context: Context, stored: Stored): Promise<Freshness> {
  const now = Date.now();
  const age = ageOf(stored, now);
  if (age < stored.fresh) return "fresh";
  const { fills, store, keys, settings } = context;
  try {
    const { fresh } = await within(fills.notes.read(store, keys.note), settings.storeMs, "the store is slow");
    if (fresh?.id === stored.fill && now < fresh.until) return "fresh";
    const until = fresh?.id === stored.fill ? fresh.until : stored.at + 1000 * (stored.fresh - stored.age);
    return now < until + 1000 * stored.stale ? "stale" : "old";
  } catch {
    return age < stored.fresh + stored.stale ? "stale" : "old";
  }
}

/** Notes that the origin says it still holds. */
export async function renew(context: Context, stored: Stored): Promise<void> {
  const until = Date.now() + 1000 * (stored.fresh - stored.age);
  await context.fills.notes.write(context.store, context.keys.note, { fresh: { id: stored.fill, until } });
}

/** The store's answer as the origin's. */
export function shown(context: Context, { stored, response }: { stored: Stored; response: Response }): Response {
  const headers = restored(response.headers, stored, Date.now());
  const status = response.status === 200 ? stored.status : response.status;
  const body = context.request.method === "HEAD" ? null : sound(context, stored, response, headers);
  return new Response(body, { status, headers });
}

/** The body; where the store fails in the middle the origin gives the rest, if it can tell that it is the same. */
function sound(context: Context, stored: Stored, response: Response, headers: Headers): ReadableStream<Uint8Array> | null {
  if (response.body === null) return null;
  const length = lengthOf(response.headers);
  const part = contentRange(response.headers.get("content-range"));
  // Several ranges are not put together here.
  const single = stored.status === 200 && length !== null && (response.status === 200 || part !== null);
  const validator = single ? strongValidator(withDate(headers, stored)) : null;
  const out = outlet(length);
  const span = part ?? { start: 0, end: length ?? Infinity, length: length ?? Infinity };
  context.waitUntil(relay(context, response.body, span, validator, out.write).then(out.close).catch(out.abort));
  return out.body;
}

/** A date is strong by its distance from when it came. */
function withDate(headers: Headers, stored: Stored): Headers {
  const dated = new Headers(headers);
  dated.set("date", new Date(stored.at - 1000 * stored.age).toUTCString());
  return dated;
}

type Whole = { readonly start: number; readonly end: number; readonly length: number };

/** Passes the body on, and then what the origin has to give of it. */
async function relay(
  context: Context,
  body: ReadableStream<Uint8Array>,
  span: Whole,
  validator: string | null,
  write: (bytes: Uint8Array) => Promise<void>,
): Promise<void> {
  const { emit, keys, settings, request } = context;
  let at = span.start;
  let gone = false;
  const give = async (bytes: Uint8Array) => {
    await write(bytes).catch((error: unknown) => {
      gone = true;
      throw error;
    });
    at += bytes.byteLength;
    free(bytes);
  };
  const copy = async (from: ReadableStream<Uint8Array>) => {
    const reader = readerOf(from);
    let written: Promise<void> = Promise.resolve();
    try {
      for (;;) {
        // One piece is read while the one before is written.
        const [bytes] = await Promise.all([reader.next(), written]);
        if (bytes === null) return;
        written = give(bytes);
      }
    } finally {
      // What was read is out, or cannot be, before anything else is sent.
      await written.catch(() => undefined);
      reader.cancel();
    }
  };
  try {
    await copy(body);
    return;
  } catch (error) {
    // The client's end, not the store's.
    if (gone) throw error;
    emit({ event: "store-failed", key: keys.object, what: "read", why: reason(error) });
    if (validator === null) {
      emit({ event: "client-broken", key: keys.object, offset: at, why: "the origin's answer has no strong validator" });
      throw error;
    }
  }
  emit({ event: "client-elsewhere", key: keys.object, from: "origin", offset: at });
  const rest = await settings.fetchOrigin(restRequest(request, at, span.end, validator));
  if (!isRest(rest, at, span.length, validator) || rest.body === null) {
    await drain(rest);
    emit({ event: "client-broken", key: keys.object, offset: at, why: `the store failed, and the origin answered ${rest.status}` });
    throw new Error("the store failed");
  }
  await copy(rest.body);
}
