// A component, instantiated: an instance for each invocation, since what belongs to one
// request (timers, answers of KV) cannot be awaited in another.

import type { ImportObject } from "../gen/web/web.js";
import type { GuestKv } from "./kv.js";

/** What jco makes of a component, and the core modules that it asks for by name. */
export interface Made<Root> {
  instantiate(
    module: (name: string) => WebAssembly.Module,
    imports: ImportObject,
    instance: (module: WebAssembly.Module, given: WebAssembly.Imports) => WebAssembly.Instance,
  ): Root | Promise<Root>;
  modules: Record<string, WebAssembly.Module>;
}

/** An instance: what a component exports, and what it takes. */
export type Instance<Root> = Root & Guest;

export interface Guest {
  /** How much memory the guest has, in bytes. It only grows. */
  memoryBytes(): number;
}

/** Settings of an instance that nobody asks but this code: it may do all. */
export const ALONE = { CHUNK_STORE_HTTP_OPEN: "true" };

/** An instance over this `kv`, with these variables in its environment. */
export async function start<Root>(
  { instantiate, modules }: Made<Root>,
  kv: GuestKv,
  environment: Record<string, string> = {},
): Promise<Instance<Root>> {
  const memories: WebAssembly.Memory[] = [];
  const noting = (module: WebAssembly.Module, given: WebAssembly.Imports) => {
    const instance = new WebAssembly.Instance(module, given);
    const { memory } = instance.exports;
    if (memory instanceof WebAssembly.Memory) memories.push(memory);
    return instance;
  };
  const module = (name: string) => {
    const found = modules[name];
    if (found === undefined) throw new Error(`there is no module ${name}`);
    return found;
  };
  const root = await instantiate(module, imports(kv, Object.entries(environment)), noting);
  const memoryBytes = () => memories.reduce((sum, { buffer }) => sum + buffer.byteLength, 0);
  return { ...root, memoryBytes };
}

function imports(kv: GuestKv, environment: [string, string][]): ImportObject {
  const clock = { now: monotonicNow, waitFor };
  const all = {
    "streaming:chunk-store/kv@0.1.0": kv,
    "streaming:chunk-store/types@0.1.0": {},
    "wasi:cli/environment@0.3.0": { getEnvironment: () => environment },
    "wasi:clocks/monotonic-clock@0.3.0": clock,
    "wasi:clocks/system-clock@0.3.0": { now: systemNow },
    "wasi:clocks/types@0.3.0": {},
    "wasi:random/random@0.3.0": { getRandomU64 },
  };
  // jco's types have the versions in these names, its code looks them up without.
  const plain = Object.entries(all).map(([name, value]) => [name.replace(/@.*/, ""), value]);
  return Object.assign(all, Object.fromEntries(plain));
}

// Both clocks stand still while no I/O is done.

function monotonicNow(): bigint {
  return BigInt(Math.round(performance.now() * 1e6));
}

function systemNow(): { seconds: bigint; nanoseconds: number } {
  const now = Date.now();
  return { seconds: BigInt(Math.floor(now / 1000)), nanoseconds: (now % 1000) * 1e6 };
}

async function waitFor(nanoseconds: bigint): Promise<void> {
  await scheduler.wait(Math.min(Math.ceil(Number(nanoseconds) / 1e6), 2 ** 31 - 1));
}

function getRandomU64(): bigint {
  return crypto.getRandomValues(new BigUint64Array(1))[0] as bigint;
}
