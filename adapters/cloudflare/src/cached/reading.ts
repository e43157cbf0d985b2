// Reading bodies in large pieces: where bytes come fast they come many at once, where they come slowly at once.

/** How much is read at once, in bytes: at most, and at least at first. */
const PIECE_BYTES = 512 * 1024;
const LEAST_BYTES = 4 * 1024;
/** A read that takes longer than this, in milliseconds, asked for too much. */
const QUICK_MS = 20;

export interface Reader {
  /** The next bytes; null at the end. */
  next(): Promise<Uint8Array | null>;
  /** Nobody wants more. */
  cancel(): void;
}

/** The runtime's bodies fill large buffers on demand; those of JavaScript may not. */
export function readerOf(body: ReadableStream<Uint8Array> | null): Reader {
  if (body === null) return { next: async () => null, cancel: () => undefined };
  let byob: Filling;
  try {
    byob = body.getReader({ mode: "byob" }) as Filling;
  } catch {
    const reader = body.getReader();
    return {
      next: async () => (await reader.read()).value ?? null,
      cancel: () => void reader.cancel().catch(() => undefined),
    };
  }
  let least = LEAST_BYTES;
  return {
    async next() {
      const begun = Date.now();
      const buffer = new Uint8Array(PIECE_BYTES);
      const { value, done } = byob.readAtLeast ? await byob.readAtLeast(least, buffer) : await byob.read(buffer);
      least = Date.now() - begun > QUICK_MS ? Math.max(LEAST_BYTES, least / 2) : Math.min(PIECE_BYTES, least * 2);
      return value === undefined || (done && value.byteLength === 0) ? null : value;
    },
    cancel: () => void byob.cancel().catch(() => undefined),
  };
}

interface Filling {
  read(buffer: Uint8Array): Promise<{ value?: Uint8Array; done: boolean }>;
  /** Of this platform only. */
  readAtLeast?(least: number, buffer: Uint8Array): Promise<{ value?: Uint8Array; done: boolean }>;
  cancel(): Promise<void>;
}
