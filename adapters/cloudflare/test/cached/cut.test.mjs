// Fills that are cut off, since the platform ends an invocation soon after its client has gone.

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { start } from "./bed.mjs";
import { compare } from "./content.mjs";

const MIB = 1 << 20;
let bed;
before(async () => (bed = await start()));
after(() => bed.stop());

/** Reads so many bytes at least, then leaves. */
async function leave(answer, bytes) {
  for await (const piece of answer) if ((bytes -= piece.byteLength) <= 0) break;
  answer.destroy();
}

test("a client that leaves: the fill goes on without it, as long as it may", async () => {
  const path = `/left?size=${50 * MIB}&cache-control=max-age=60`;
  await leave(await bed.ask(path), MIB);
  assert.equal((await bed.event("fill-end", "/left")).outcome, "stored");
  assert.match((await bed.ask(path)).headers["cache-status"], /hit/);
});

test("a fill that is cut off is gone on with by the next request, from where it was", async () => {
  const path = `/cut?size=${50 * MIB}&cache-control=max-age=60&ms-a-piece=40`;
  await leave(await bed.ask(path, { options: { aloneMs: 500 } }), 8 * MIB);
  assert.equal((await bed.event("fill-end", "/cut")).outcome, "cut");
  // Most is stored already: the beginning comes by a request of its own.
  assert.equal(await compare(await bed.ask(path, { options: { waitMs: 0 } }), 1, 0), 50 * MIB);
  await bed.event("fill-begin", "/cut");
  const { offset } = await bed.event("fill-begin", "/cut");
  assert.ok(offset >= 4 * MIB, String(offset));
  assert.equal((await bed.event("fill-end", "/cut")).outcome, "stored");
  const [, rest] = await bed.asked("/cut");
  assert.equal(rest.headers.range, `bytes=${offset}-`);
  assert.equal(rest.headers["if-range"], '"film-1"');
  const before = (await bed.asked("/cut")).length;
  assert.equal(await compare(await bed.ask(path), 1, 0), 50 * MIB);
  assert.equal((await bed.asked("/cut")).length, before);
});

test("what is left of another version is not gone on with", async () => {
  const film = { size: 50 * MIB, "cache-control": "max-age=60", "ms-a-piece": 40 };
  await bed.set("/changed", { ...film, seed: 1 });
  await leave(await bed.ask("/changed?a", { options: { aloneMs: 500 } }), 8 * MIB);
  assert.equal((await bed.event("fill-end", "/changed")).outcome, "cut");
  await bed.set("/changed", { ...film, seed: 2, "ms-a-piece": 0 });
  assert.equal(await compare(await bed.ask("/changed?a"), 2, 0), 50 * MIB);
  assert.equal((await bed.event("fill-end", "/changed")).outcome, "stored");
  assert.equal(await compare(await bed.ask("/changed?a"), 2, 0), 50 * MIB);
});

test("the rest of another version is not put to it, though the origin knows no If-Range", async () => {
  const film = { size: 50 * MIB, "cache-control": "max-age=60", "ms-a-piece": 40, "if-range": "unknown" };
  await bed.set("/mixed", { ...film, seed: 1 });
  await leave(await bed.ask("/mixed?a", { options: { aloneMs: 500 } }), 8 * MIB);
  assert.equal((await bed.event("fill-end", "/mixed")).outcome, "cut");
  await bed.set("/mixed", { ...film, seed: 2, "ms-a-piece": 0 });
  assert.equal(await compare(await bed.ask("/mixed?a"), 2, 0), 50 * MIB);
  assert.equal((await bed.event("fill-end", "/mixed")).outcome, "stored");
  assert.equal(await compare(await bed.ask("/mixed?a"), 2, 0), 50 * MIB);
});

test("who asks for all gets all, where the rest is not for the store any more", async () => {
  const film = { size: 50 * MIB, "cache-control": "max-age=60", "ms-a-piece": 40 };
  await bed.set("/private", film);
  await leave(await bed.ask("/private?a", { options: { aloneMs: 500 } }), 8 * MIB);
  assert.equal((await bed.event("fill-end", "/private")).outcome, "cut");
  await bed.set("/private", { ...film, "ms-a-piece": 0, "cache-control": "private" });
  const all = await bed.ask("/private?a");
  assert.equal(all.statusCode, 200);
  assert.equal(await compare(all, 1, 0), 50 * MIB);
});

test("whoever is left when a fill is cut off goes on with it, and gets all", async () => {
  const path = `/orphans?size=${50 * MIB}&cache-control=max-age=60&ms-a-piece=40`;
  const options = { aloneMs: 300 };
  const first = await bed.ask(path, { options });
  const others = [1, 2, 3].map(async () => compare(await bed.ask(path, { options }), 1, 0));
  await leave(first, 4 * MIB);
  assert.deepEqual(await Promise.all(others), [50 * MIB, 50 * MIB, 50 * MIB]);
  assert.equal((await bed.event("fill-end", "/orphans")).outcome, "cut");
  assert.equal((await bed.event("fill-end", "/orphans")).outcome, "stored");
});

test("a process that is killed leaves what it has stored: another goes on", async () => {
  const directory = await mkdtemp(join(tmpdir(), "cached-"));
  const path = `/killed?size=${200 * MIB}&cache-control=max-age=600&ms-a-piece=15`;
  const host = { host: "films.example" };
  try {
    const one = await start({ directory });
    await leave(await one.ask(path, { headers: host }), 180 * MIB);
    await one.stop();
    const two = await start({ directory });
    try {
      const range = `bytes=${199 * MIB}-`;
      const end = await two.ask(path, { headers: { ...host, range } });
      assert.equal(end.headers["content-length"], String(MIB));
      assert.equal(end.headers["content-type"], "video/mp4");
      assert.equal(await compare(end, 1, 199 * MIB), MIB);
      const { offset } = await two.event("fill-begin", "/killed");
      assert.ok(offset > 0, "nothing was left");
      assert.equal((await two.event("fill-end", "/killed")).outcome, "stored");
      assert.equal(await compare(await two.ask(path, { headers: host }), 1, 0), 200 * MIB);
    } finally {
      await two.stop();
    }
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});

test("a client that stands still does not hold up the others", async () => {
  const size = 60 * MIB;
  // The origin is slower than the store, which is to be let go by nobody.
  const path = `/still?size=${size}&cache-control=max-age=60&ms-a-piece=30`;
  const options = { delayMs: 1500 };
  const still = await bed.ask(path, { options });
  assert.equal(await compare(await bed.ask(path, { options }), 1, 0), size);
  assert.equal((await bed.event("fill-end", "/still")).outcome, "stored");
  // It goes on later, from the store.
  assert.equal(await compare(still, 1, 0), size);
  assert.equal((await bed.event("client-elsewhere", "/still")).from, "store");
  assert.equal((await bed.asked("/still")).length, 1);
});
