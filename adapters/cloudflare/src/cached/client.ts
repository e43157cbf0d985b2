// One client's end of a fill: from the window while its bytes are there. Who comes too late for that, or was let go, gets its
// rest from the store as soon as the object is there, and from the origin if that takes too long; a fill whose request was ended
// is gone on with by one of those who are left.

import { type Context, reason } from "./context.js";
import { recordOf } from "./described.js";
import type { Fill, Head } from "./fill.js";
import { isRest, restRequest } from "./origin.js";
import { type Span, contentRange } from "./range.js";
import type { Consumer } from "./split.js";
import { readerOf } from "./reading.js";
import { drain, read } from "./store.js";

/** How often one client takes part in going on with fills that were cut off. */
const TAKEOVERS_MAX = 8;

/** Carries on for the same object; the fill that there is then. */
export type Again = (context: Context, before: Fill) => Promise<Fill>;

/** Sends bytes of a fill's body. Throws where not all of them could be had, or the client is gone. */
export async function send(context: Context, fill: Fill, head: Head, span: Span, write: Write, again: Again): Promise<void> {
  const client = new Client(context, head, span, write);
  for (let takeovers = 0; ; takeovers += 1) {
    const left = await client.follow(fill);
    if (left === "done") return;
    if (left !== "orphaned" || head.validator === null) throw new Error(left);
    // Its request was ended in the middle: one of those who are left goes on.
    const next = takeovers < TAKEOVERS_MAX ? await again(context, fill) : fill;
    const { standing } = next;
    if (next === fill || standing.state !== "open" || standing.head.validator !== head.validator) return client.rest();
    fill = next;
  }
}

export type Write = (bytes: Uint8Array) => Promise<void>;

class Client {
  readonly #context: Context;
  readonly #head: Head;
  readonly #write: Write;
  #end: number;
  #at: number;

  constructor(context: Context, head: Head, span: Span, write: Write) {
    this.#context = context;
    this.#head = head;
    this.#write = write;
    this.#at = span.start;
    this.#end = span.end;
  }

  /** Takes what it can of a fill: all, or until its request is ended, or says why there is no more. */
  async follow(fill: Fill): Promise<string> {
    const { standing } = fill;
    if (standing.state !== "open") return "nothing is fetched any more";
    const { split } = standing;
    let served = true;
    while (this.#at < this.#end) {
      const consumer: Consumer | null = served ? split.join(this.#context.owner, "client", this.#at) : null;
      if (consumer !== null) {
        const ended = await this.#take(fill, consumer);
        if (ended && this.#end === Infinity) return "done";
        if (ended && this.#at < this.#end) return "the origin sent less than it announced";
        served = consumer.gone === null || this.#at >= this.#end;
        if (served || (split.end === "open" && fill.alive())) continue;
        if (fill.orphaned()) return "orphaned";
        if (typeof split.end === "object") return split.end.failed;
      }
      const reached = () => served && fill.alive() && this.#at >= split.start;
      if (!(await this.#elsewhere(fill, reached))) return fill.orphaned() ? "orphaned" : "bytes have gone by, and cannot be had";
    }
    return "done";
  }

  /** Takes from the window, until all is there, or it is not served any more. Whether the body is at its end. */
  async #take(fill: Fill, consumer: Consumer): Promise<boolean> {
    const alive = () => fill.alive();
    try {
      while (this.#at < this.#end) {
        const next = await consumer.next(alive);
        if ("end" in next) return true;
        if ("gone" in next) return false;
        const bytes = next.bytes.subarray(0, this.#end - this.#at);
        await this.#give(bytes);
        consumer.took(bytes.byteLength);
      }
      return false;
    } finally {
      consumer.done();
      if (consumer.gone === null) consumer.leave();
    }
  }

  /** All that is left, from the origin. */
  async rest(): Promise<void> {
    if (!(await this.#fromOrigin(() => false))) throw new Error("the origin does not give the rest");
  }

  /** Bytes that have gone by: from the object, if it is there in time; else from the origin, until the window is `reached`. */
  async #elsewhere(fill: Fill, reached: () => boolean): Promise<boolean> {
    const { owner, settings } = this.#context;
    const asking = this.#head.validator !== null;
    await fill.wake.until(owner, () => fill.stored || !fill.alive(), asking ? settings.waitMs : Infinity);
    if (fill.stored && (await this.#fromStore())) return true;
    return fill.orphaned() ? false : this.#fromOrigin(reached);
  }

  async #fromStore(): Promise<boolean> {
    const { store, keys, emit } = this.#context;
    const headers = new Headers({ range: `bytes=${this.#at}-${this.#end === Infinity ? "" : this.#end - 1}` });
    try {
      const response = await read(store, "GET", keys.object, headers);
      // What the client has had the beginning of, and no other.
      const same = recordOf(response.headers)?.fill === this.#head.id;
      if (!same || contentRange(response.headers.get("content-range"))?.start !== this.#at) return drain(response).then(() => false);
      emit({ event: "client-elsewhere", key: keys.object, from: "store", offset: this.#at });
      return await this.#copy(response, () => false);
    } catch (error) {
      if (error instanceof ClientGone) throw error;
      emit({ event: "store-failed", key: keys.object, what: "rest", why: reason(error) });
      return false;
    }
  }

  async #fromOrigin(reached: () => boolean): Promise<boolean> {
    const { settings, keys, emit, request } = this.#context;
    const { validator, length } = this.#head;
    if (validator === null) return false;
    emit({ event: "client-elsewhere", key: keys.object, from: "origin", offset: this.#at });
    const end = this.#end === Infinity ? null : this.#end;
    const response = await settings.fetchOrigin(restRequest(request, this.#at, end, validator));
    if (!isRest(response, this.#at, length, validator)) return drain(response).then(() => false);
    return this.#copy(response, reached);
  }

  /** Gives out a body until its end, or until it is not needed any more; whether it was enough. */
  async #copy(response: Response, enough: () => boolean): Promise<boolean> {
    const reader = readerOf(response.body);
    try {
      while (this.#at < this.#end && !enough()) {
        const bytes = await reader.next();
        if (bytes === null) {
          // Of a length that nobody knew.
          if (this.#end === Infinity) this.#end = this.#at;
          return this.#at >= this.#end;
        }
        await this.#give(bytes.subarray(0, this.#end - this.#at));
      }
      return true;
    } finally {
      reader.cancel();
    }
  }

  async #give(bytes: Uint8Array): Promise<void> {
    try {
      await this.#write(bytes);
    } catch (error) {
      throw new ClientGone(reason(error));
    }
    this.#at += bytes.byteLength;
  }
}

/** The client takes no more: nobody is to look for the rest. */
export class ClientGone extends Error {}
