// The content that the origin of the tests serves: every byte is known by its offset, and no two megabytes are the same.

const BLOCK = 1 << 20;

const template = new Uint8Array(BLOCK);
for (let i = 0, x = 12345; i < BLOCK; i += 1) {
  x = (Math.imul(x, 1103515245) + 12345) >>> 0;
  template[i] = x >>> 16;
}

/** Bytes `start..end` of film number `seed`, of one block at most. */
export function content(seed, start, end) {
  const number = Math.floor(start / BLOCK);
  const block = template.slice();
  new DataView(block.buffer).setUint32(0, number);
  new DataView(block.buffer).setUint32(4, seed);
  return block.subarray(start - number * BLOCK, Math.min(end - number * BLOCK, BLOCK));
}

/** All of them, as a stream that is made as it is read. */
export function stream(seed, start, end) {
  let at = start;
  return new ReadableStream(
    {
      pull(controller) {
        if (at >= end) return controller.close();
        const bytes = content(seed, at, end);
        at += bytes.byteLength;
        controller.enqueue(bytes);
      },
    },
    { highWaterMark: 0 },
  );
}

/** Compares a body with the content from `start` on; gives how long it was. Throws at the first byte that is wrong. */
export async function compare(body, seed, start) {
  let at = start;
  let block = new Uint8Array(0);
  let from = 0;
  for await (const bytes of body) {
    for (let done = 0; done < bytes.byteLength; ) {
      if (at < from || at >= from + block.byteLength) {
        from = at - (at % BLOCK);
        block = content(seed, from, from + BLOCK);
      }
      const length = Math.min(bytes.byteLength - done, from + BLOCK - at);
      if (bytes.compare(block, at - from, at - from + length, done, done + length) !== 0) {
        throw new Error(`wrong bytes at ${at}`);
      }
      at += length;
      done += length;
    }
  }
  return at - start;
}
