// `cached` beside the algorithm that it answers, in one workerd each: how fast, how much memory, how much of the processor, how
// many operations on KV, and whether all bytes are right. Exits with 1 where ours is wrong, or slower than 0.7 of the baseline.
//
//     node bench/run.mjs [--size BYTES] [--rounds N] [--put-ms N]

import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { Bed, modules, workerd } from "../test/cached/bed.mjs";
import { compare } from "../test/cached/content.mjs";

/** Where the baseline is right, ours is at least this fast beside it. */
const SPEED_MIN = 0.7;

/** A film that both cut into chunks. */
const WARM_BYTES = 50_000_000;

const { values } = parseArgs({
  options: {
    size: { type: "string", default: "300000000" },
    rounds: { type: "string", default: "3" },
    "put-ms": { type: "string", default: "100" },
  },
});
const [size, rounds, putMs] = [Number(values.size), Number(values.rounds), Number(values["put-ms"])];
if (![size, rounds, putMs].every((n) => Number.isSafeInteger(n) && n >= 0) || rounds === 0) {
  console.error("bench: --size, --rounds and --put-ms are whole numbers, --rounds at least 1");
  process.exit(2);
}

async function start() {
  const kv = (id) => ({ type: "kv", id });
  const env = { OURS: kv("ours"), BASELINE: kv("baseline"), ORIGIN: { type: "worker", worker: "origin" } };
  const workers = [
    { name: "bench", manifest: await modules("bench-worker.js"), env },
    { name: "origin", manifest: await modules("test-origin.js"), env: {} },
  ];
  return workerd(workers, { inspectorPort: 0 });
}

/** The most that the Worker's heap holds: objects of JavaScript, buffers, the component's memory; garbage that is still there too. */
class Heap {
  #socket;
  #timer;
  #peak = 0;

  static async watch(miniflare) {
    const heap = new Heap();
    heap.#socket = new WebSocket(new URL("/core:user:bench", await miniflare.getInspectorURL()));
    heap.#socket.addEventListener("message", ({ data }) => {
      const { usedSize, backingStorageSize } = JSON.parse(data).result;
      heap.#peak = Math.max(heap.#peak, (usedSize + backingStorageSize) / 2 ** 20);
    });
    await new Promise((resolve, reject) => {
      heap.#socket.addEventListener("open", resolve);
      heap.#socket.addEventListener("error", () => reject(new Error("the inspector of workerd does not answer")));
    });
    const ask = () => heap.#socket.send(JSON.stringify({ id: 1, method: "Runtime.getHeapUsage" }));
    heap.#timer = setInterval(ask, 50);
    return heap;
  }

  /** MiB, since the last time. */
  take() {
    const peak = this.#peak;
    this.#peak = 0;
    return peak;
  }

  close() {
    clearInterval(this.#timer);
    this.#socket.close();
  }
}

/** The process that runs the Workers. */
function processOf() {
  const parent = (pid) => readFileSync(`/proc/${pid}/stat`, "utf8").replace(/.*\) /s, "").split(" ")[1];
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  const child = pids.find((pid) => {
    try {
      return parent(pid) === String(process.pid) && readFileSync(`/proc/${pid}/comm`, "utf8").startsWith("workerd");
    } catch {
      return false;
    }
  });
  if (child === undefined) throw new Error("workerd is not among this process's children");
  return child;
}

/** Milliseconds of processor time. */
function processorMs(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").replace(/.*\) /s, "").split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

function memoryMiB(pid, field) {
  return Number(new RegExp(`${field}:\\s+(\\d+)`).exec(readFileSync(`/proc/${pid}/status`, "utf8"))[1]) / 1024;
}

/** One fetch of a film in a process of its own, then one read of it. */
async function round(who, putMs) {
  const [miniflare, url] = await start();
  const bed = new Bed(miniflare, url);
  const heap = await Heap.watch(miniflare);
  try {
    const pid = processOf();
    const path = `/${who}/film?size=${size}&cache-control=max-age=600`;
    // What is done once only: the first component, compiled code. A film, stored and read.
    const warm = `/${who}/warm?size=${WARM_BYTES}&cache-control=max-age=600`;
    await compare(await bed.ask(warm), 1, 0);
    await stored(bed);
    await compare(await bed.ask(warm), 1, 0);
    await bed.json("PUT", "/_/kv", { putMs });
    const miss = await measure(bed, pid, heap, path, true);
    await bed.json("PUT", "/_/kv", { putMs });
    return { miss, hit: await measure(bed, pid, heap, path, false) };
  } finally {
    heap.close();
    await bed.stop();
  }
}

async function stored(bed) {
  while ((await bed.json("GET", "/_/kv")).stored === "no") await new Promise((resolve) => setTimeout(resolve, 10));
}

async function measure(bed, pid, heap, path, storing) {
  heap.take();
  // Peak memory is counted from here.
  writeFileSync(`/proc/${pid}/clear_refs`, "5");
  const [before, begun, idle] = [processorMs(pid), performance.now(), memoryMiB(pid, "VmRSS")];
  let right = true;
  const took = { client: 0, stored: 0 };
  try {
    right = (await compare(await bed.ask(path), 1, 0)) === size;
  } catch (error) {
    right = error.message;
  }
  took.client = performance.now() - begun;
  if (storing) await stored(bed);
  took.stored = performance.now() - begun;
  const { counts } = await bed.json("GET", "/_/kv");
  const operations = Object.values(counts).reduce((sum, count) => sum + count, 0);
  return { right, ...took, processor: processorMs(pid) - before, memory: memoryMiB(pid, "VmHWM") - idle, heap: heap.take(), operations };
}

const middle = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];
const rate = (ms) => size / 1e6 / (ms / 1000);

const SCENES = [
  ["miss", 0, "miss"],
  ["hit", 0, "hit"],
  [`miss, puts of ${putMs} ms`, putMs, "miss"],
];

const results = new Map();
for (const delay of new Set([0, putMs])) {
  for (let i = 0; i < rounds; i += 1) {
    // In turn, so that what else the machine does hits both.
    for (const who of ["baseline", "ours"]) {
      const { miss, hit } = await round(who, delay);
      for (const [kind, figures] of Object.entries({ miss, hit })) {
        const name = `${delay} ${kind} ${who}`;
        results.set(name, [...(results.get(name) ?? []), figures]);
      }
    }
  }
}

console.log(`${size} bytes, middle of ${rounds}, in workerd. Process: its peak of memory beyond what it had, KV and origin included;`);
console.log("Heap: the most that the Worker's own holds, the component included, and garbage");
console.log(["", "", "client MB/s", "stored MB/s", "processor ms", "process MiB", "heap MiB", "KV operations", "bytes"].join("\t"));
let failed = false;
for (const [name, delay, kind] of SCENES) {
  const speeds = {};
  for (const who of ["baseline", "ours"]) {
    const all = results.get(`${delay} ${kind} ${who}`);
    const of = (field) => middle(all.map((figures) => figures[field]));
    const right = all.every((figures) => figures.right === true);
    if (right) speeds[who] = rate(of("stored"));
    if (!right && who === "ours") failed = true;
    const row = [rate(of("client")), rate(of("stored")), of("processor"), of("memory"), of("heap"), of("operations")].map((n) => n.toFixed(0));
    const wrong = () => `WRONG: ${all.find((figures) => figures.right !== true).right}`;
    console.log([name, who, ...row, right ? "right" : wrong()].join("\t"));
  }
  if (speeds.baseline !== undefined && speeds.ours !== undefined) {
    const beside = speeds.ours / speeds.baseline;
    const slow = beside < SPEED_MIN;
    console.log(`${name}\tours is ${beside.toFixed(2)} of the baseline${slow ? `: TOO SLOW, less than ${SPEED_MIN}` : ""}`);
    failed ||= slow;
  }
}
process.exit(failed ? 1 : 0);
