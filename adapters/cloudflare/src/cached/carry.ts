// Carrying a fill: asking the origin, and pouring its body into the split, from which the store and the clients take. Runs in
// the request that began the fill, to the end of its `waitUntil`.

import { type Context, reason } from "./context.js";
import { describe, lasting } from "./described.js";
import { BEAT_MS, type Fill, type Head } from "./fill.js";
import type { Fill as Noted } from "./note.js";
import { type Body, isRest, pieces, restRequest, wholeRequest } from "./origin.js";
import { judge } from "./policy.js";
import { lengthOf } from "./range.js";
import { type Kept, sink } from "./sink.js";
import { Split } from "./split.js";
import { drain, standing } from "./store.js";
import { strongValidator } from "./validators.js";
import { within } from "./wake.js";

/** What is stored already, to be asked about. */
export interface Known {
  readonly etag: string | null;
  readonly modified: string | null;
}

/** How a fill began, for the request that carries it: an answer that is not for the store is its own. */
export interface Begun {
  readonly response?: Response;
}

/** Begins to carry a fill: returns when the origin has answered; the rest goes on by `waitUntil`. */
export async function carry(context: Context, fill: Fill, known: Known | null): Promise<Begun> {
  const beat = setInterval(() => fill.beat(), BEAT_MS);
  const end = () => {
    clearInterval(beat);
    context.fills.end(context.keys.object, fill);
  };
  try {
    const opened = await open(context, known);
    if (opened.kept === null) {
      const { response, why } = opened;
      const same = response.status === 304 && known !== null;
      fill.stand(same ? { state: "same" } : { state: "pass", why });
      end();
      return { response };
    }
    const { head, response, kept } = opened;
    const { windowBytes, delayMs, pauseMs } = context.settings;
    const split = new Split(windowBytes, kept.offset, { delayMs, pauseMs }, () => fill.expecting());
    fill.stand({ state: "open", head, split });
    context.waitUntil(pour(context, fill, split, { response, length: head.length, validator: head.validator }, kept).finally(end));
    return {};
  } catch (error) {
    fill.stand({ state: "pass", why: reason(error) });
    end();
    throw error;
  }
}

type Opened =
  | { readonly kept: null; readonly response: Response; readonly why: string }
  | { readonly kept: Kept; readonly response: Response; readonly head: Head };

/** Asks the origin: for the rest of what a cut fill has left, or for all of it, or whether what is known still holds. */
async function open(context: Context, known: Known | null): Promise<Opened> {
  const left = known === null ? await leftOver(context) : null;
  const { fetchOrigin } = context.settings;
  if (left !== null) {
    const { noted, offset } = left;
    const response = await fetchOrigin(restRequest(context.request, offset, null, noted.validator));
    const rest = isRest(response, offset, noted.size, noted.validator);
    if (rest && mayBeStored(context, response)) return goOn(noted, offset, response);
    // 200: it is another now, and this is all of it. Anything else says nothing of the whole.
    if (response.status === 200) return openWhole(context, response);
    await drain(response);
  }
  const request = wholeRequest(context.request);
  if (known?.etag) request.headers.set("if-none-match", known.etag);
  else if (known?.modified) request.headers.set("if-modified-since", known.modified);
  return openWhole(context, await fetchOrigin(request));
}

/** What a fill that was cut off has left in the store. A store that fails has left nothing. */
async function leftOver(context: Context): Promise<{ noted: Noted; offset: number } | null> {
  const { store, fills, keys, settings, emit } = context;
  const look = async () => {
    const { fill: noted } = await fills.notes.read(store, keys.note);
    if (noted === undefined) return null;
    const offset = await standing(store, noted.upload, noted.size);
    return offset === null || offset === 0 ? null : { noted, offset };
  };
  try {
    return await within(look(), settings.storeMs, "the store is slow");
  } catch (error) {
    emit({ event: "store-failed", key: keys.object, what: "note", why: reason(error) });
    return null;
  }
}

/** Whether the rest still is for the store: the origin may have changed its mind about caching, and not about the content. */
function mayBeStored({ request, settings }: Context, rest: Response): boolean {
  return !("refused" in judge(request, { status: 200, headers: withoutRange(rest.headers) }, settings, Date.now()));
}

function goOn(noted: Noted, offset: number, response: Response): Opened {
  const head = { id: noted.id, status: 200, headers: noted.headers, length: noted.size, validator: noted.validator };
  return { kept: { offset, upload: noted.upload, described: null, id: noted.id }, response, head };
}

function withoutRange(headers: Headers): Headers {
  const whole = new Headers(headers);
  whole.delete("content-range");
  return whole;
}

function openWhole(context: Context, response: Response): Opened {
  const { settings, request } = context;
  const now = Date.now();
  const verdict = judge(request, response, settings, now);
  if ("refused" in verdict) return { kept: null, response, why: verdict.refused };
  const id = crypto.randomUUID();
  const stored = { ...verdict.life, fill: id, status: response.status, at: now };
  const described = describe(stored, response.headers, settings.keepSeconds);
  if (described === null) return { kept: null, response, why: "headers" };
  const headers = [...lasting(response.headers)] as [string, string][];
  const length = lengthOf(response.headers);
  const validator = strongValidator(response.headers);
  const head = { id, status: response.status, headers, length, validator };
  return { kept: { offset: 0, upload: null, described, id }, response, head };
}

/** Reads the origin once, for all. Never throws: how it ended is told by the split, and by an event. */
async function pour(context: Context, fill: Fill, split: Split, body: Body, kept: Kept): Promise<void> {
  const { owner, settings, emit, keys, request } = context;
  const begun = Date.now();
  emit({ event: "fill-begin", key: keys.object, size: body.length, offset: kept.offset });
  const storing = sink(context, fill, split, body, kept);
  const source = pieces(body, kept.offset, {
    stallMs: settings.originStallMs,
    retries: settings.originRetries,
    again: (offset, validator) => settings.fetchOrigin(restRequest(request, offset, null, validator)),
    onAgain: (offset, why) => emit({ event: "origin-again", key: keys.object, offset, why }),
  });
  let failure: string | undefined;
  try {
    for (;;) {
      const next = await Promise.race([source.next(), fill.stopped]);
      if (next === "stop") {
        failure = "the request's time was up";
        fill.cut = true;
        break;
      }
      if (next.done) break;
      await Promise.race([split.room(owner), fill.stopped]);
      split.push(owner, next.value);
      if (split.consumers === 0) {
        failure = "nobody takes it";
        break;
      }
    }
  } catch (error) {
    failure = reason(error);
  }
  split.finish(owner, failure === undefined ? "whole" : { failed: failure });
  // Not awaited: a source that hangs in a read ends when that does.
  void source.return();
  const stored = await storing;
  const outcome = stored.done ? "stored" : fill.cut ? "cut" : failure === undefined ? "unstored" : "failed";
  const [bytes, ms] = [split.head - kept.offset, Date.now() - begun];
  const why = failure ?? stored.why;
  emit({ event: "fill-end", key: keys.object, outcome, bytes, ms, ...(why === undefined ? {} : { why }) });
}
