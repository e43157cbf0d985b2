// One body, read once, for several: the store and any number of clients. What has been read lies in a bounded window; the
// source goes on when the slowest has gone on. How long one may keep others waiting is bounded:
//
// - the store may make a client that waits wait for `delayMs` in all. Then it is let go: the fill goes on without it.
// - a client may make another client wait for as long. Then it is let go, and gets its rest elsewhere.
// - a client may make the store alone wait as long as it reads: its pace is the fill's. When it has taken nothing for
//   `pauseMs`, as a player that has enough, it is let go.
//
// State is shared by the requests of an isolate, see `wake.ts`; it holds bytes and numbers only.

import { free } from "../body.js";
import { type Owner, Wake } from "./wake.js";
import { Window } from "./window.js";

export type Role = "store" | "client";

export interface Patience {
  /** How long one may keep a client waiting, in all; ms. */
  readonly delayMs: number;
  /** How long a client may take nothing while only the store waits for it; ms. */
  readonly pauseMs: number;
}

/** How it stands: bytes may come; all have come; it broke off. */
export type End = "open" | "whole" | { readonly failed: string };

export type Next = { readonly bytes: Uint8Array } | { readonly end: true } | { readonly gone: string };

/** How long one who makes others wait is not looked at, in milliseconds. */
const LOOK_MS = 8;

export class Split {
  readonly wake = new Wake();
  readonly #window: Window;
  readonly #patience: Patience;
  readonly #expecting: () => boolean;
  readonly #consumers = new Set<Consumer>();
  /** Buffers that are being written to clients, also to those that were let go meanwhile. */
  readonly #writing = new Map<Consumer, ArrayBufferLike>();
  #end: End = "open";

  /** Of a body from `offset` on, with a window of `capacity` bytes, none of which goes while it is `expecting` somebody. */
  constructor(capacity: number, offset: number, patience: Patience, expecting: () => boolean = () => false) {
    this.#window = new Window(capacity, offset);
    this.#patience = patience;
    this.#expecting = expecting;
  }

  get head(): number {
    return this.#window.head;
  }

  get start(): number {
    return this.#window.start;
  }

  get held(): number {
    return this.#window.held;
  }

  get end(): End {
    return this.#end;
  }

  /** Those who are served. */
  get consumers(): number {
    return this.#consumers.size;
  }

  /** Serves one more, from this byte on, which may be yet to come; null where it is gone already. */
  join(owner: Owner, role: Role, offset: number): Consumer | null {
    if (offset < this.#window.start) return null;
    const consumer = new Consumer(this, owner, role, offset);
    this.#consumers.add(consumer);
    return consumer;
  }

  /** Returns when there is room for a piece. */
  async room(owner: Owner): Promise<void> {
    let looked = Date.now();
    while (!this.#window.room(this.#needed(), (bytes) => this.#giveBack(bytes))) {
      await this.wake.wait(owner, LOOK_MS);
      const now = Date.now();
      this.#weigh(now, now - looked);
      looked = now;
    }
  }

  push(owner: Owner, bytes: Uint8Array): void {
    this.#window.push(bytes);
    this.wake.notify(owner);
  }

  /** No more comes. */
  finish(owner: Owner, end: Exclude<End, "open">): void {
    if (this.#end === "open") this.#end = end;
    this.wake.notify(owner);
  }

  /** @internal Bytes for this consumer alone, and until it says that it is done with them. */
  lend(consumer: Consumer): Uint8Array {
    const bytes = this.#window.at(consumer.position);
    this.#writing.set(consumer, bytes.buffer);
    return bytes;
  }

  /** @internal */
  returned(consumer: Consumer): void {
    this.#writing.delete(consumer);
  }

  /** @internal A copy of what there is from an offset on, of so many bytes at most. */
  copy(offset: number, most: number): Uint8Array {
    const bytes = new Uint8Array(Math.min(most, this.head - offset));
    for (let filled = 0; filled < bytes.byteLength; ) {
      const piece = this.#window.at(offset + filled).subarray(0, bytes.byteLength - filled);
      bytes.set(piece, filled);
      filled += piece.byteLength;
    }
    return bytes;
  }

  /** @internal */
  leave(consumer: Consumer): void {
    this.#consumers.delete(consumer);
    this.wake.notify(consumer.owner);
  }

  /** Memory of what has gone would else lie there until it is collected. One that is still being written is left to that. */
  #giveBack(bytes: Uint8Array): void {
    if (![...this.#writing.values()].includes(bytes.buffer)) free(bytes);
  }

  /** What lies before this nobody needs. */
  #needed(): number {
    let needed = this.#expecting() ? this.#window.start : this.#window.head;
    for (const { position } of this.#consumers) needed = Math.min(needed, position);
    return needed;
  }

  /** Lets those go who have kept others waiting for too long. */
  #weigh(now: number, passed: number): void {
    const needed = this.#needed();
    const waiting = [...this.#consumers].filter((consumer) => consumer.position >= this.#window.head);
    for (const late of [...this.#consumers].filter(({ position }) => position === needed)) {
      const clientWaits = waiting.some((other) => other !== late && other.role === "client");
      if (clientWaits) {
        late.delayedMs += passed;
        if (late.delayedMs > this.#patience.delayMs) late.letGo("it kept clients waiting");
      } else if (late.role === "client" && this.consumers > 1 && now - late.movedAt > this.#patience.pauseMs) {
        late.letGo("it took nothing for a while");
      }
    }
  }
}

/** One who is served. */
export class Consumer {
  readonly #split: Split;
  readonly owner: Owner;
  readonly role: Role;
  position: number;
  movedAt = Date.now();
  delayedMs = 0;
  #gone: string | null = null;

  constructor(split: Split, owner: Owner, role: Role, position: number) {
    this.#split = split;
    this.owner = owner;
    this.role = role;
    this.position = position;
  }

  /** Why it is not served any more; null while it is. */
  get gone(): string | null {
    return this.#gone;
  }

  /**
   * What comes next, when it is there. It is lent until `took`, or `done` where it is not taken. `alive` is asked meanwhile.
   */
  async next(alive: () => boolean = () => true): Promise<Next> {
    const end = await this.#ready(1, alive);
    return end ?? { bytes: this.#split.lend(this) };
  }

  /** The same as a copy, of at most so many bytes, and of fewer at the end only; for who is given much at once, to keep. */
  async gather(count: number): Promise<Next> {
    const end = await this.#ready(count, () => true);
    return end ?? { bytes: this.#split.copy(this.position, count) };
  }

  /** Waits for so many bytes, or the end; null where there are any. */
  async #ready(least: number, alive: () => boolean): Promise<Next | null> {
    const split = this.#split;
    const ready = () => this.#gone !== null || split.head - this.position >= least || split.end !== "open" || !alive();
    await split.wake.until(this.owner, ready);
    if (this.#gone !== null) return { gone: this.#gone };
    if (this.position < split.head) return null;
    if (split.end === "whole") return { end: true };
    const why = split.end === "open" ? "who fetched it is gone" : split.end.failed;
    this.leave();
    return { gone: why };
  }

  /** So many bytes are dealt with. */
  took(count: number): void {
    this.position += count;
    this.movedAt = Date.now();
    this.done();
    this.#split.wake.notify(this.owner);
  }

  /** What was lent is not used any more. */
  done(): void {
    this.#split.returned(this);
  }

  leave(): void {
    this.letGo("it left");
  }

  /** It is not served any more. */
  letGo(why: string): void {
    this.#gone ??= why;
    this.#split.leave(this);
  }
}
