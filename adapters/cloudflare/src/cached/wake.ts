// Waiting for what another does, across the requests of an isolate. A promise that one request resolves must not carry
// another's work on: the platform ties I/O, timers included, to the request that began it. So those of the same request
// wake each other, and all others look again when a timer of their own says so.

/** One request; only its identity counts. */
export type Owner = object;

/** How often one who waits for another request looks, in milliseconds: at first, and after a while. */
const POLL_MS_MIN = 4;
const POLL_MS_MAX = 64;

interface Waiting {
  readonly owner: Owner;
  readonly go: () => void;
}

export class Wake {
  #waiting = new Set<Waiting>();

  /** Returns when somebody of the same request says so, or after so many milliseconds. */
  wait(owner: Owner, ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => waiting.go(), ms);
      const go = () => {
        clearTimeout(timer);
        this.#waiting.delete(waiting);
        resolve();
      };
      const waiting: Waiting = { owner, go };
      this.#waiting.add(waiting);
    });
  }

  /** Something has changed. */
  notify(owner: Owner): void {
    for (const waiting of [...this.#waiting]) if (waiting.owner === owner) waiting.go();
  }

  /** Returns when `ready` is true; false where that takes longer than `ms`. */
  async until(owner: Owner, ready: () => boolean, ms = Infinity): Promise<boolean> {
    const begun = Date.now();
    for (let poll = POLL_MS_MIN; !ready(); poll = Math.min(2 * poll, POLL_MS_MAX)) {
      if (Date.now() - begun >= ms) return false;
      await this.wait(owner, poll);
    }
    return true;
  }
}

/** Rejects with `why` where the work takes longer than `ms`. The work itself goes on. */
export async function within<T>(work: Promise<T>, ms: number, why: string): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(why)), ms);
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
