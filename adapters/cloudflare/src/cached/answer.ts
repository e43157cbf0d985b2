// Answers that are sent while their object is fetched.

import { type Again, ClientGone, send } from "./client.js";
import { type Context, reason } from "./context.js";
import type { Fill, Head } from "./fill.js";
import { outlet } from "./outlet.js";
import { type Span, wanted } from "./range.js";

/** 200, 206 or 416 out of a fill that is open. */
export function answer(context: Context, fill: Fill, head: Head, again: Again): Response {
  const headers = new Headers(head.headers as [string, string][]);
  if (head.length !== null && head.status === 200) headers.set("accept-ranges", "bytes");
  const want = head.status === 200 ? wanted(context.request.headers, head.length, headers) : ({ whole: true } as const);
  if ("none" in want) {
    headers.set("content-range", `bytes */${head.length}`);
    headers.delete("content-type");
    release(context, fill);
    return new Response(null, { status: 416, headers });
  }
  if ("span" in want) {
    const { start, end } = want.span;
    headers.set("content-range", `bytes ${start}-${end - 1}/${head.length}`);
    return new Response(sending(context, fill, head, want.span, again), { status: 206, headers });
  }
  const span = { start: 0, end: head.length ?? Infinity };
  return new Response(sending(context, fill, head, span, again), { status: head.status, headers });
}

function sending(context: Context, fill: Fill, head: Head, span: Span, again: Again): ReadableStream<Uint8Array> {
  const out = outlet(span.end === Infinity ? null : span.end - span.start);
  let at = span.start;
  const write = async (bytes: Uint8Array) => {
    await out.write(bytes);
    at += bytes.byteLength;
  };
  const work = async () => {
    try {
      await send(context, fill, head, span, write, again);
      await out.close();
    } catch (error) {
      await out.abort(error);
      if (!(error instanceof ClientGone)) {
        context.emit({ event: "client-broken", key: context.keys.object, offset: at, why: reason(error) });
      }
    } finally {
      release(context, fill);
    }
  };
  context.waitUntil(work());
  return out.body;
}

/** The client that began the fill has all it wanted, or is gone: from now on the platform bounds how long it may go on. */
function release(context: Context, fill: Fill): void {
  if (fill.carrier !== context.owner || fill.ended) return;
  const timer = setTimeout(fill.stop, context.settings.aloneMs);
  context.waitUntil(fill.wake.until(context.owner, () => fill.ended).then(() => clearTimeout(timer)));
}
