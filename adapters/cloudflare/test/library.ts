// The rules of the library, each a function that throws where it is broken.

import { continueUpload, get, openUpload, type OperationEvent, put, Store, StoreError } from "../src/lib.js";

const SIZE = 1_400_007;

function equal(found: unknown, wanted: unknown): void {
  const text = (value: unknown) =>
    JSON.stringify(value, (_, inner) => (typeof inner === "bigint" ? `${inner}n` : inner));
  if (text(found) !== text(wanted)) throw new Error(`${text(found)} is not ${text(wanted)}`);
}

async function failure(operation: Promise<unknown>): Promise<StoreError> {
  const error = await operation.then(
    () => new Error("it did not fail"),
    (error: unknown) => error,
  );
  if (error instanceof StoreError) return error;
  throw error;
}

/** A stream of pieces that ends well, or fails. */
function streamOf(bytes: Uint8Array, why?: string): ReadableStream<Uint8Array> {
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      if (at < bytes.byteLength) {
        controller.enqueue(bytes.slice(at, (at += 100_000)));
      } else if (why === undefined) {
        controller.close();
      } else {
        controller.error(new Error(why));
      }
    },
  });
}

function content(): Uint8Array {
  return Uint8Array.from({ length: SIZE }, (_, at) => (at * 31 + Math.floor(at / 251)) % 256);
}

/** Whether two runs of bytes are the same. */
async function same(body: ReadableStream, wanted: Uint8Array): Promise<boolean> {
  const found = new Uint8Array(await new Response(body).arrayBuffer());
  return found.length === wanted.length && found.every((byte, at) => byte === wanted[at]);
}

/** Waits until it is so; fails after some seconds. */
async function until(isSo: () => boolean): Promise<void> {
  for (let tries = 0; !isSo(); tries++) {
    if (tries === 500) throw new Error("it does not come to that");
    await scheduler.wait(20);
  }
}

/** The value of a line of metrics; 0 if there is none. */
function valueOf(text: string, series: string): number {
  const line = text.split("\n").find((line) => line.startsWith(`${series} `));
  return Number(line?.slice(series.length) ?? 0);
}

export const rules: Record<string, (kv: KVNamespace, ctx: ExecutionContext) => Promise<void>> = {
  async "a stream is stored whole, and read"(kv) {
    const info = await put(kv, "a b/ü?", streamOf(content()), {
      contentType: "text/x-test",
      metadata: [["author", "Ann"]],
    });
    equal(info.size, BigInt(SIZE));
    const response = await get(kv, "a b/ü?");
    equal([response.status, response.headers.get("content-length")], [200, String(SIZE)]);
    equal(response.headers.get("content-type"), "text/x-test");
    equal(response.headers.get("x-meta-author"), "Ann");
    equal(await same(response.body as ReadableStream, content()), true);
  },

  async "text, buffers and blobs are bodies too"(kv) {
    for (const body of ["abc", new TextEncoder().encode("abc"), new Blob(["abc"]), ""]) {
      await put(kv, "small", body);
      equal(await (await get(kv, "small")).text(), body === "" ? "" : "abc");
    }
  },

  async "a stream that fails stores nothing"(kv) {
    const error = await failure(put(kv, "broken", streamOf(content(), "the origin broke off")));
    equal([error.code, error.message], ["body-mismatch", "body-mismatch: the source of the body failed: the origin broke off"]);
    equal((await get(kv, "broken")).status, 404);
  },

  async "ranges and conditions of a request count, and its method"(kv) {
    await put(kv, "a", "0123456789");
    const ask = (init: RequestInit) => get(kv, "a", new Request("https://other.test/x?y", init));
    const part = await ask({ headers: { range: "bytes=3-5" } });
    equal([part.status, await part.text()], [206, "345"]);
    equal(part.headers.get("content-range"), "bytes 3-5/10");
    const etag = part.headers.get("etag") as string;
    equal((await ask({ headers: { "if-none-match": etag } })).status, 304);
    equal((await ask({ headers: { range: "bytes=10-" } })).status, 416);
    const head = await ask({ method: "HEAD" });
    equal([head.status, await head.text()], [200, ""]);
    equal((await ask({ method: "POST", body: "x" })).status, 405);
  },

  async "no key leads to anything but an object"(kv) {
    await put(kv, "_a", "content");
    equal(await (await get(kv, "_a")).text(), "content");
    const statuses = [];
    for (const key of ["", "_/health", "_/ui", "a/../_/health"]) {
      statuses.push((await get(kv, key)).status);
    }
    equal(statuses, [404, 400, 400, 400]);
  },

  async "an object is described, read in part and deleted"(kv) {
    const store = new Store(kv);
    equal([await store.head("x"), await store.read("x"), await store.delete("x")], [null, null, false]);
    await store.put("x", "0123456789");
    equal((await store.head("x"))?.size, 10n);
    const found = await store.read("x", { tag: "last", val: 4n });
    equal(found?.part, { start: 6n, end: 10n });
    equal(await new Response(found?.body).text(), "6789");
    equal([await store.delete("x"), await store.head("x")], [true, undefined]);
  },

  async "an upload that broke off is continued"(kv) {
    const bytes = content();
    const upload = await openUpload(kv, "up", { size: BigInt(SIZE) });
    const broken = streamOf(bytes.subarray(0, 900_000), "the client left");
    equal((await failure(upload.append(0n, broken))).code, "body-mismatch");
    const again = await continueUpload(kv, upload.name);
    const { offset } = (await again.status()) ?? { offset: -1n };
    equal(offset, 900_000n);
    const elsewhere = await failure(again.append(5n, "x"));
    equal([elsewhere.code, elsewhere.offset], ["offset-mismatch", 900_000n]);
    await again.append(offset, streamOf(bytes.subarray(900_000)));
    const info = await again.commit();
    equal(info.size, BigInt(SIZE));
    equal(await same((await get(kv, "up")).body as ReadableStream, bytes), true);
    equal((await again.commit()).generation, info.generation);
  },

  async "an upload that is given up is gone"(kv) {
    const upload = await openUpload(kv, "up");
    await upload.abort();
    equal(await upload.status(), undefined);
    equal((await failure(upload.append(0n, "x"))).code, "not-found");
  },

  async "calls of a store share the operations of the invocation"(kv) {
    const store = new Store(kv, { operations: 30 });
    await store.put("x", "small");
    await store.head("x");
    equal(store.operationsLeft, 28);
  },

  async "an object for which there are too few operations is refused before the first"(kv) {
    const store = new Store(kv, { operations: 14 });
    const error = await failure(store.put("x", streamOf(content()), { size: 10_000_000_000n }));
    equal([error.code, store.operationsLeft], ["limit-exceeded", 14]);
  },

  async "an append that has used up its operations keeps what it stored"(kv) {
    const bytes = new Uint8Array(9_000_000);
    const upload = await new Store(kv).openUpload("long", { size: 9_000_000n });
    const short = await new Store(kv, { operations: 16 }).continueUpload(upload.name);
    equal((await failure(short.append(0n, streamOf(bytes)))).code, "unavailable");
    const { offset } = (await upload.status()) ?? { offset: 0n };
    if (offset === 0n || offset >= 9_000_000n) throw new Error(`${offset} bytes were kept`);
    await upload.append(offset, streamOf(bytes.subarray(Number(offset))));
    equal((await upload.commit()).size, 9_000_000n);
  },

  async "who watches is told of operations, and gets figures"(kv, ctx) {
    const events: OperationEvent[] = [];
    const figures: Record<string, number> = {};
    const gets = 'chunk_store_operations_total{operation="get",outcome="ok"}';
    const before = valueOf(await new Store(kv).metrics(), gets);
    const store = new Store(kv, {
      ctx,
      onEvent: (event) => event.event === "operation" && events.push(event),
      metric: (name, value, { operation, outcome = "" }) => {
        const figure = `${name} ${operation} ${outcome}`;
        figures[figure] = (figures[figure] ?? 0) + value;
      },
    });
    await store.put("watched", streamOf(content()));
    equal(await same((await store.get("watched")).body as ReadableStream, content()), true);
    await store.head("missing");
    await (await store.read("watched"))?.body.cancel();
    await until(() => events.length === 4);
    const seen = events.map(({ operation, outcome, key, received, sent }) => [operation, outcome, key, received, sent]);
    equal(seen.slice(0, 3), [
      ["put", "ok", "watched", SIZE, 0],
      ["get", "ok", "watched", 0, SIZE],
      ["head", "not-found", "missing", 0, 0],
    ]);
    equal(seen[3]?.slice(0, 4), ["get", "abandoned", "watched", 0]);
    equal(figures["store_operations_total get ok"], 1);
    equal(figures["store_received_bytes_total put "], SIZE);
    equal(valueOf(await store.metrics(), gets) - before, 1);
  },

  async "who only looks on cannot break anything"(kv) {
    const store = new Store(kv, {
      onEvent: () => {
        throw new Error("no");
      },
    });
    await store.put("x", "0123456789");
    equal(await (await store.get("x")).text(), "0123456789");
  },
};
