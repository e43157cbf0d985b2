// The body of an answer, written as bytes come. Where the length is known it is announced, and an answer that is cut short
// breaks the connection.

export interface Outlet {
  readonly body: ReadableStream<Uint8Array>;
  readonly write: (bytes: Uint8Array) => Promise<void>;
  readonly close: () => Promise<void>;
  readonly abort: (why: unknown) => Promise<void>;
}

/** For so many bytes; null where nobody knows. */
export function outlet(length: number | null): Outlet {
  const { readable, writable } = length === null ? new IdentityTransformStream() : new FixedLengthStream(length);
  const writer = writable.getWriter();
  // Told by each write, too; unheard it would end the request.
  writer.closed.catch(() => undefined);
  return {
    body: readable as ReadableStream<Uint8Array>,
    write: (bytes) => writer.write(bytes),
    close: () => writer.close(),
    abort: (why) => writer.abort(why).catch(() => undefined),
  };
}
