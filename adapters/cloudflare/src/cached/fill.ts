// One fetch of one object: asked for by one request, which carries it; read by all that ask for the same meanwhile. The object
// here is what they share: plain values, no stream and no answer of the platform, which belong to the one request.

import type { Split } from "./split.js";
import type { Owner } from "./wake.js";
import { Wake } from "./wake.js";

/** A carrier that has shown no sign for so long is gone, in milliseconds: the platform ends requests without a word. */
const SILENT_MS = 5000;
/** How often it shows one, in milliseconds. */
export const BEAT_MS = 1000;

/**
 * How long the first bytes wait for those who have waited for them, in milliseconds: they look again by timers of their own, and
 * late where there are many.
 */
const EXPECT_MS = 2000;

/** What the origin said of the object. */
export interface Head {
  /** Of the fill that began it; kept with the object. */
  readonly id: string;
  readonly status: number;
  readonly headers: readonly (readonly [string, string])[];
  /** Bytes; null where it did not say. */
  readonly length: number | null;
  /** To ask for parts of the very same. */
  readonly validator: string | null;
}

export type Standing =
  /** The origin has not answered yet. */
  | { readonly state: "opening" }
  /** Its body is coming. */
  | { readonly state: "open"; readonly head: Head; readonly split: Split }
  /** It is not for the store: everyone asks for themselves. */
  | { readonly state: "pass"; readonly why: string }
  /** What is stored still holds. */
  | { readonly state: "same" };

export class Fill {
  readonly carrier: Owner;
  readonly wake = new Wake();
  standing: Standing = { state: "opening" };
  /** Whether the object is in the store. */
  stored = false;
  /** Nothing more comes of it. */
  ended = false;
  /** What it fetches is not to be stored any more: another request has changed it. Its own looks at this. */
  changed = false;
  /** It was stopped since its request's time was up; whoever is left may go on. */
  cut = false;
  /** For its carrier: the time is up. */
  readonly stopped: Promise<"stop">;
  /** See `stopped`. */
  readonly stop: () => void;
  readonly #expected = new Set<Owner>();
  #beatAt = Date.now();
  #stoodAt = Infinity;

  constructor(carrier: Owner) {
    this.carrier = carrier;
    const { promise, resolve } = Promise.withResolvers<"stop">();
    this.stopped = promise;
    this.stop = () => resolve("stop");
  }

  /** Shows that its request is alive. */
  beat(): void {
    this.#beatAt = Date.now();
  }

  /** Whether something may still come of it. */
  alive(): boolean {
    return !this.ended && Date.now() - this.#beatAt < SILENT_MS;
  }

  /** Whether its request was ended in the middle, in whatever way. */
  orphaned(): boolean {
    return this.cut || (!this.ended && !this.alive());
  }

  /** Says how it stands from now on. */
  stand(standing: Standing): void {
    this.standing = standing;
    this.#stoodAt = Date.now();
    this.wake.notify(this.carrier);
  }

  /** Somebody is going to take part, from the first byte. */
  expect(owner: Owner): void {
    this.#expected.add(owner);
  }

  /** Does so, or does not. */
  came(owner: Owner): void {
    this.#expected.delete(owner);
  }

  /** Whether somebody is about to take part. Who was ended without a word is waited for no longer than others. */
  expecting(): boolean {
    return this.#expected.size > 0 && Date.now() - this.#stoodAt < EXPECT_MS;
  }

  /** What the origin answered, when it has; `opening` where its request is gone. */
  async opened(owner: Owner): Promise<Standing> {
    await this.wake.until(owner, () => this.standing.state !== "opening" || !this.alive());
    return this.standing;
  }
}
