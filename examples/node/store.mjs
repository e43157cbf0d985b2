// The store: `put` and `get` over an instance of the component.

import { readFileSync } from "node:fs";
import { monotonicClock, systemClock } from "@bytecodealliance/preview3-shim/clocks";
import { random } from "@bytecodealliance/preview3-shim/random";
import { instantiate } from "./gen/store.js";

/** How much is read of the component at once, in bytes. */
const PIECE_BYTES = 1 << 20;

/**
 * The component over this `kv`. Keep it: it is for many operations at once, and its memory
 * budget is for all of them together.
 */
export async function openStore(kv) {
  const imports = {
    "streaming:chunk-store/kv": kv,
    "wasi:clocks/monotonic-clock": monotonicClock,
    "wasi:clocks/system-clock": systemClock,
    "wasi:random/random": random,
  };
  const { objects } = await instantiate(coreModule, imports);
  return {
    /** Stores what a stream of bytes holds. It appears whole or not at all. */
    async put(key, source, options = {}) {
      const { body, done } = incoming(source);
      return await objects.put(key, body, done, { metadata: [], ...options });
    },

    /** Reads an object: what is known of it, and its content in pieces, all of them verified. */
    async get(key, options = {}) {
      const [{ info }, stream, ended] = await objects.get(key, options);
      return { info, content: outgoing(stream, ended) };
    },
  };
}

function coreModule(name) {
  return new WebAssembly.Module(readFileSync(new URL(`gen/${name}`, import.meta.url)));
}

/**
 * A body for the component, and how it ended: a stream that is cut off ends like a whole one,
 * so that must be said.
 */
function incoming(source) {
  const { promise: done, resolve } = Promise.withResolvers();
  const failed = (why) => resolve({ tag: "err", val: { tag: "body-mismatch", val: why } });
  async function* body() {
    try {
      yield* source;
      resolve({ tag: "ok" });
    } catch (error) {
      failed(error.message);
    } finally {
      // Counts where nothing was said yet.
      failed("the body was not read to its end");
    }
  }
  return { body: body(), done };
}

/** The content, which fails where not all of it can be delivered. */
async function* outgoing(stream, ended) {
  for (;;) {
    const { value, done } = await stream.read({ count: PIECE_BYTES });
    if (value !== undefined) yield value;
    if (done) break;
  }
  const end = await ended;
  if (end.tag === "err") throw new Error(`the content cannot be read: ${end.val.tag}`);
}
