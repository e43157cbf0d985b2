// The store's end of a fill. Large answers are stored as uploads, so that the next request can go on from where this one was
// cut off; others, and those whose length is not known, at once. Whatever fails here, the clients do not notice.

import { free } from "../body.js";
import { type Context, reason } from "./context.js";
import { lasting } from "./described.js";
import type { Fill } from "./fill.js";
import type { Body } from "./origin.js";
import type { Consumer, Split } from "./split.js";
import { append, begin, put } from "./store.js";

/** How much the store is given at once, in bytes, as `body.ts` passes it on: a step into the component costs about a millisecond. */
const PIECE_BYTES = 1 << 20;

const CHANGED = "it was changed meanwhile";

/** How a fill is stored. */
export interface Kept {
  /** Where its body begins. */
  readonly offset: number;
  /** The upload that it goes on with. */
  readonly upload: string | null;
  /** The headers that the object is stored with, where it begins. */
  readonly described: Headers | null;
  readonly id: string;
}

export interface Outcome {
  readonly done: boolean;
  readonly why?: string;
}

/** Stores what comes. Never throws. */
export async function sink(context: Context, fill: Fill, split: Split, body: Body, kept: Kept): Promise<Outcome> {
  const consumer = split.join(context.owner, "store", kept.offset) as Consumer;
  try {
    fill.stored = await Promise.race([store(context, fill, consumer, body, kept), givenUp(context, split, consumer)]);
    const why = fill.stored ? undefined : consumer.gone ?? undefined;
    return { done: fill.stored, ...(why === undefined ? {} : { why }) };
  } catch (error) {
    // A body that broke off is no failure of the store.
    const why = consumer.gone ?? reason(error);
    if (consumer.gone === null) context.emit({ event: "store-failed", key: context.keys.object, what: "fill", why });
    return { done: false, why };
  } finally {
    consumer.leave();
  }
}

/** A store that was left behind, or whose body was cut off, has this long to write down what it has. */
async function givenUp(context: Context, split: Split, consumer: Consumer): Promise<boolean> {
  await split.wake.until(context.owner, () => consumer.gone !== null);
  await split.wake.wait({}, context.settings.storeMs);
  return false;
}

async function store(context: Context, fill: Fill, consumer: Consumer, body: Body, kept: Kept): Promise<boolean> {
  const { store, keys, settings } = context;
  const described = kept.described ?? new Headers();
  const { length } = body;
  if (kept.upload === null && (length === null || length < settings.resumableBytesMin)) {
    if (length !== null) described.set("content-length", String(length));
    await put(store, keys.object, described, stream(fill, consumer, "breaks"));
    return true;
  }
  const size = length as number;
  const upload = kept.upload ?? (await begun(context, described, body, kept, size));
  return (await append(store, upload, kept.offset, stream(fill, consumer, "ends"))) === size;
}

/** Begins an upload, and notes it for who goes on. */
async function begun(context: Context, described: Headers, body: Body, kept: Kept, size: number): Promise<string> {
  const { store, keys, fills, emit } = context;
  const upload = await begin(store, keys.object, described, size);
  if (body.validator !== null) {
    const headers = [...lasting(body.response.headers)] as [string, string][];
    const fill = { upload, size, validator: body.validator, headers, id: kept.id };
    // Without it nobody goes on with this fill, should it be cut; it may still come to its end.
    await fills.notes.write(store, keys.note, { fill }).catch((error: unknown) => {
      emit({ event: "store-failed", key: keys.object, what: "note", why: reason(error) });
    });
  }
  return upload;
}

/**
 * The body for the store. Where it is cut off it `breaks`, so that nothing is stored; or it `ends`, for an upload, which keeps
 * what has come. Where it was changed it always breaks. Not a stream of the type `bytes`: that one would take the buffers away from the clients.
 */
function stream(fill: Fill, consumer: Consumer, cutOff: "breaks" | "ends"): ReadableStream<Uint8Array> {
  let given: Uint8Array | undefined;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        // A whole piece has been copied when the next is asked for; what is less waits in `body.ts` for more.
        if (given?.byteLength === PIECE_BYTES) free(given);
        const next = await consumer.gather(PIECE_BYTES);
        if (fill.changed) {
          consumer.letGo(CHANGED);
          controller.error(new Error(CHANGED));
        } else if ("bytes" in next) {
          given = next.bytes;
          controller.enqueue(next.bytes);
          consumer.took(next.bytes.byteLength);
        } else if ("end" in next || cutOff === "ends") {
          controller.close();
        } else {
          controller.error(new Error(next.gone));
        }
      },
      cancel: () => consumer.letGo("the store takes no more"),
    },
    { highWaterMark: 0 },
  );
}
