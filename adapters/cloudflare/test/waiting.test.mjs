// The mended component in Node, over a kv that answers at once, in a while or not at all: who
// waits is woken by what happens, and calls at once do not get into each other's way. To be run
// with `--experimental-wasm-jspi`.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { instantiate } from "../gen/store/store.js";

// The timers by which jco looks whether anybody can go on; here nobody may need them.
const LOOK_MS = 100;
const { setTimeout: timer } = globalThis;
globalThis.setTimeout = (work, ms, ...rest) => (ms === LOOK_MS ? undefined : timer(work, ms, ...rest));
globalThis.setInterval = () => assert.fail("somebody looks all the time");

const gen = new URL("../gen/store/", import.meta.url);
const LIMITS = {
  valueBytesMax: 25n << 20n,
  keyBytesMax: 512,
  summaryBytesMax: 0,
  ttlSecondsMin: 60,
  stalenessMs: 0,
  writeLagMsMax: 0,
  rewriteIntervalMs: 0,
  concurrencyMax: 6,
  memoryBytesMax: 8n << 20n,
  rangedGet: false,
  conditionalWrite: false,
};

/** An instance over a map; `pause` is awaited before each operation, and may throw. */
async function start(pause) {
  const values = new Map();
  const kv = {
    getLimits: () => LIMITS,
    async get(key) {
      await pause();
      const value = values.get(key);
      return value && { value: value.slice() };
    },
    async set(key, value) {
      await pause();
      values.set(key, value.slice());
      return "done";
    },
    async delete(key) {
      await pause();
      values.delete(key);
      return "done";
    },
    async listKeys(prefix) {
      await pause();
      const keys = [...values.keys()].filter((key) => key.startsWith(prefix)).sort();
      return { keys: keys.map((key) => ({ key })) };
    },
  };
  const clock = {
    now: () => process.hrtime.bigint(),
    waitFor: (ns) => new Promise((resolve) => timer(resolve, Number(ns / 1_000_000n)).unref()),
  };
  const imports = {
    "streaming:chunk-store/kv": kv,
    "wasi:cli/environment": { getEnvironment: () => [] },
    "wasi:clocks/monotonic-clock": clock,
    "wasi:clocks/system-clock": { now: () => ({ seconds: BigInt(Math.floor(Date.now() / 1000)), nanoseconds: 0 }) },
    "wasi:random/random": { getRandomU64: () => crypto.getRandomValues(new BigUint64Array(1))[0] },
  };
  const module = (name) => new WebAssembly.Module(readFileSync(new URL(name, gen)));
  const instance = (module, given) => new WebAssembly.Instance(module, given);
  return (await instantiate(module, imports, instance)).objects;
}

/** So many bytes that no other number has. */
function content(size) {
  return Uint8Array.from({ length: size }, (_, at) => (at * 31 + size + Math.floor(at / 251)) % 256);
}

async function put(objects, key, bytes) {
  const source = (async function* () {
    for (let at = 0; at < bytes.length; at += 300_000) yield bytes.slice(at, at + 300_000);
  })();
  await objects.put(key, source, undefined, { metadata: [] });
}

async function read(objects, key) {
  const [, stream, ended] = await objects.get(key, {});
  const pieces = [];
  for (;;) {
    const { value, done } = await stream.read({ count: 1 << 20 });
    if (value !== undefined) pieces.push(value);
    if (done) break;
  }
  assert.equal((await ended).tag, "ok");
  return Buffer.concat(pieces);
}

const soon = () => new Promise((resolve) => timer(resolve, 0));
const later = () => new Promise((resolve) => timer(resolve, Math.random() * 4));
const PACES = {
  "at once": () => undefined,
  "in the next turn": soon,
  "in a while": later,
  "as it happens": () => [undefined, Promise.resolve(), soon(), later()][Math.floor(Math.random() * 4)],
};

for (const [name, pause] of Object.entries(PACES)) {
  test(`twelve puts at once, then reads and puts, over a kv that answers ${name}`, async () => {
    const objects = await start(pause);
    const sizes = Array.from({ length: 12 }, (_, number) => number * 111_111);
    await Promise.all(sizes.map((size) => put(objects, `a/${size}`, content(size))));
    await Promise.all(
      sizes.flatMap((size) => [
        read(objects, `a/${size}`).then((bytes) => assert.ok(bytes.equals(content(size)), `${size} bytes`)),
        put(objects, `b/${size}`, content(size)),
      ]),
    );
    const { objects: listed } = await objects.list({ prefix: "b/", limit: 100 });
    assert.equal(listed.length, sizes.length);
  });
}

test("a kv that fails now and then is asked again", async () => {
  let asked = 0;
  const objects = await start(() => {
    asked += 1;
    if (asked % 3 === 0) throw Object.assign(new Error("busy"), { payload: { tag: "unavailable", val: "busy" } });
  });
  for (const size of [400_000, 3_000_000]) {
    await put(objects, "a", content(size));
    assert.ok((await read(objects, "a")).equals(content(size)));
  }
});

test("a reader that leaves is in nobody's way", async () => {
  const objects = await start(soon);
  await put(objects, "a", content(4_000_000));
  for (let count = 0; count < 20; count += 1) {
    const [, stream] = await objects.get("a", {});
    await stream.read({ count: 1000 });
    stream[Symbol.dispose]();
  }
  assert.ok((await read(objects, "a")).equals(content(4_000_000)));
});
