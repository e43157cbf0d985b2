// Bodies on their way in and out of the component.

/** How much is read at once, in bytes: each step into the guest has its price. */
const PIECE_BYTES = 1024 * 1024;
/** How much is given at once, in bytes: a chunk, as Workers cut them. */
const GIVEN_BYTES = 2 * 1024 * 1024;

/** How a body ended. */
export type Ended<E> = { tag: "ok"; val: void } | { tag: "err"; val: E };

/** A body for the component, and how it ended: a stream cannot tell that it broke off. */
export interface Incoming {
  content: AsyncIterable<Uint8Array>;
  done: Promise<Ended<string>>;
}

/** Reads a body in large pieces. Whoever does not read it to its end cancels it. */
export function incoming(body: ReadableStream<Uint8Array>): Incoming {
  const { promise: done, resolve } = Promise.withResolvers<Ended<string>>();
  return { content: pieces(body, resolve), done };
}

async function* pieces(
  body: ReadableStream<Uint8Array>,
  end: (how: Ended<string>) => void,
): AsyncGenerator<Uint8Array, void> {
  const read = reader(body);
  let how: Ended<string> = { tag: "err", val: "the body was not read to its end" };
  try {
    for (;;) {
      const piece = await read.next();
      if (piece === undefined) break;
      yield piece;
    }
    how = { tag: "ok", val: undefined };
  } catch (error) {
    how = { tag: "err", val: message(error) };
  } finally {
    end(how);
    if (how.tag === "err") await read.cancel(how.val);
  }
}

interface Reader {
  /** The next piece; none at the end. */
  next(): Promise<Uint8Array | undefined>;
  cancel(why: string): Promise<void>;
}

/** The runtime's own streams fill a large buffer; those of JavaScript give what they have. */
function reader(body: ReadableStream<Uint8Array>): Reader {
  try {
    return filling(body.getReader({ mode: "byob" }));
  } catch {
    return gathering(body.getReader());
  }
}

function filling(reader: ReadableStreamBYOBReader): Reader {
  // Used again for each piece: a piece has been copied when the next is asked for.
  let buffer = new ArrayBuffer(PIECE_BYTES);
  return {
    async next() {
      const { value } = await reader.readAtLeast(PIECE_BYTES, new Uint8Array(buffer));
      if (value === undefined || value.byteLength === 0) return undefined;
      buffer = value.buffer as ArrayBuffer;
      return value;
    },
    async cancel(why) {
      await reader.cancel(why).catch(() => undefined);
    },
  };
}

function gathering(reader: ReadableStreamDefaultReader<Uint8Array>): Reader {
  // What came before a failure is delivered before it is told.
  let failure: { error: unknown } | undefined;
  return {
    async next() {
      const parts: Uint8Array[] = [];
      let bytes = 0;
      while (bytes < PIECE_BYTES && failure === undefined) {
        try {
          const { value, done } = await reader.read();
          if (done) break;
          parts.push(value);
          bytes += value.byteLength;
        } catch (error) {
          failure = { error };
        }
      }
      if (bytes > 0) return joined(parts, bytes);
      if (failure !== undefined) throw failure.error;
      return undefined;
    },
    async cancel(why) {
      await reader.cancel(why).catch(() => undefined);
    },
  };
}

function joined(parts: Uint8Array[], bytes: number): Uint8Array {
  const [first] = parts;
  if (first !== undefined && parts.length === 1) return first;
  const all = new Uint8Array(bytes);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.byteLength;
  }
  return all;
}

/** A body from the component, as jco gives it. */
interface Content extends Disposable {
  read(options: { count: number }): Promise<{ value?: Uint8Array; done: boolean }>;
}

/**
 * Gives a body out, of this length if it is known. It fails if `ended` says so, and never
 * ends as if it were whole. `failed` is told why.
 */
export function outgoing<E>(
  content: AsyncIterable<Uint8Array>,
  ended: PromiseLike<Ended<E>>,
  length: bigint | undefined,
  failed: (why: E) => void = () => undefined,
): ReadableStream<Uint8Array> {
  const transform =
    length === undefined ? new IdentityTransformStream() : new FixedLengthStream(length);
  const stream = content as unknown as Content;
  // Whoever reads is told of a failure there. Who stops to read has the rest dropped.
  give(stream, ended, transform.writable.getWriter(), failed).catch(() => {
    stream[Symbol.dispose]();
  });
  return transform.readable;
}

/** The same for code of this library, which frames what it sends by itself: pieces as they come from the component. */
export function unframed<E>(
  content: AsyncIterable<Uint8Array>,
  ended: PromiseLike<Ended<E>>,
  _length: bigint | undefined,
  failed: (why: E) => void = () => undefined,
): ReadableStream<Uint8Array> {
  const stream = content as unknown as Content;
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { value, done } = await stream.read({ count: GIVEN_BYTES });
        if (value !== undefined && value.byteLength > 0) return controller.enqueue(value);
        if (!done) return;
        const end = await ended;
        if (end.tag === "ok") return controller.close();
        failed(end.val);
        controller.error(new Error("the content cannot be read to its end"));
      },
      cancel() {
        stream[Symbol.dispose]();
      },
    },
    { highWaterMark: 0 },
  );
}

async function give<E>(
  stream: Content,
  ended: PromiseLike<Ended<E>>,
  writer: WritableStreamDefaultWriter<Uint8Array>,
  failed: (why: E) => void,
): Promise<void> {
  let written: Promise<void> = Promise.resolve();
  for (;;) {
    // One piece is read while the one before is written.
    const [{ value, done }] = await Promise.all([stream.read({ count: GIVEN_BYTES }), written]);
    if (value !== undefined && value.byteLength > 0) {
      // Resolves when it has been read, and is not needed any more.
      written = writer.write(value).then(() => free(value));
    } else if (done) {
      break;
    }
  }
  const end = await ended;
  if (end.tag === "ok") {
    await writer.close();
  } else {
    failed(end.val);
    await writer.abort(new Error("the content cannot be read to its end"));
  }
}

/** Gives memory back at once that would else lie there until it is collected. */
export function free(bytes: Uint8Array): void {
  if (bytes.buffer instanceof ArrayBuffer) bytes.buffer.transfer(0);
}

/** What an error says, in one line. */
export function message(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replaceAll(/\s+/g, " ");
}
