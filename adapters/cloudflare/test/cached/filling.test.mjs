// What is fetched once serves everybody, then and later.

import assert from "node:assert/strict";
import { once } from "node:events";
import { after, before, test } from "node:test";
import { start } from "./bed.mjs";
import { compare } from "./content.mjs";

const MIB = 1 << 20;
let bed;
before(async () => (bed = await start()));
after(() => bed.stop());

/** Reads an answer to its end, and checks every byte. */
async function whole(answer, size, { seed = 1, from = 0 } = {}) {
  assert.equal(await compare(answer, seed, from), size);
  return answer;
}

const told = (answer) => answer.headers["cache-status"];

test("a miss is streamed and stored in one pass, the next comes from KV", async () => {
  const path = `/small?size=${3 * MIB}&cache-control=max-age=60`;
  const miss = await whole(await bed.ask(path), 3 * MIB);
  assert.match(told(miss), /fwd=uri-miss; stored/);
  assert.equal(miss.headers["content-length"], String(3 * MIB));
  await bed.event("fill-end", "/small");
  const hit = await whole(await bed.ask(path), 3 * MIB);
  assert.match(told(hit), /hit; ttl=\d+/);
  for (const name of ["etag", "content-type", "cache-control", "content-length"]) {
    assert.equal(hit.headers[name], miss.headers[name], name);
  }
  assert.equal((await bed.asked("/small")).length, 1);
});

test("what the store does below is told, also for a client that leaves", async () => {
  const path = `/watched?size=${30 * MIB}&cache-control=max-age=60`;
  await whole(await bed.ask(path), 30 * MIB);
  const put = await bed.event("operation", "/watched", 60_000, ({ operation }) => operation === "put");
  assert.deepEqual([put.outcome, put.received], ["ok", 30 * MIB]);
  await whole(await bed.ask(path), 30 * MIB);
  const get = await bed.event("operation", "/watched", 60_000, ({ operation, outcome }) => operation === "get" && outcome === "ok");
  assert.deepEqual([get.sent, get.kv_operations - get.chunks_read], [30 * MIB, 1]);
  const left = await bed.ask(path);
  await once(left, "data");
  left.destroy();
  const abandoned = await bed.event("operation", "/watched", 60_000, ({ outcome }) => outcome === "abandoned");
  assert.ok(abandoned.sent > 0 && abandoned.sent < 30 * MIB, abandoned.sent);
});

test("ten clients of 300 MB: the origin is asked once, all bytes are right, the second round is from KV", async () => {
  const size = 300e6;
  // All have come before the first byte has, on a busy machine too: who comes after a window of it gets it from the origin.
  const path = `/film?size=${size}&cache-control=max-age=600&ms-before=2000`;
  const all = () => Promise.all(Array.from({ length: 10 }, async () => told(await whole(await bed.ask(path), size))));
  const round = await all();
  assert.equal(round.filter((status) => /stored/.test(status)).length, 1, round.join());
  assert.equal(round.filter((status) => /collapsed/.test(status)).length, 9, round.join());
  assert.equal((await bed.event("fill-end", "/film")).outcome, "stored");
  const second = await whole(await bed.ask(path), size);
  assert.match(told(second), /hit/);
  const ranges = Array.from({ length: 9 }, async (_, i) => {
    const start = i * 30 * MIB + 12345;
    const answer = await bed.ask(path, { headers: { range: `bytes=${start}-${start + MIB - 1}` } });
    assert.equal(answer.statusCode, 206);
    await whole(answer, MIB, { from: start });
  });
  await Promise.all(ranges);
  assert.equal((await bed.asked("/film")).length, 1);
});

test("a miss with Range fetches all, and answers the range as soon as its bytes are there", async () => {
  // The origin never gets beyond 2 MiB by itself.
  const path = `/seek?size=${50 * MIB}&cache-control=max-age=60&stall-at=${2 * MIB}`;
  const range = { headers: { range: `bytes=${MIB}-${MIB + 999}` }, options: { originStallMs: 1000 } };
  const answer = await whole(await bed.ask(path, range), 1000, { from: MIB });
  assert.equal(answer.statusCode, 206);
  assert.equal(answer.headers["content-range"], `bytes ${MIB}-${MIB + 999}/${50 * MIB}`);
  assert.equal((await bed.event("fill-end", "/seek")).outcome, "stored");
  await whole(await bed.ask(path), 50 * MIB);
  // The second is for the rest after the stall.
  const [first, rest, ...more] = (await bed.asked("/seek")).map(({ headers }) => headers.range);
  assert.equal(first, undefined);
  assert.match(rest, /^bytes=\d+-$/);
  assert.deepEqual(more, []);
});

test("ranges of a miss: the last bytes, to the end, and none", async () => {
  const size = 2 * MIB;
  const ask = async (range, name) => bed.ask(`/${name}?size=${size}&cache-control=max-age=60`, { headers: { range } });
  await whole(await ask("bytes=-1000", "last"), 1000, { from: size - 1000 });
  await whole(await ask(`bytes=${MIB}-`, "end"), MIB, { from: MIB });
  const none = await ask(`bytes=${size}-`, "none");
  assert.equal(none.statusCode, 416);
  assert.equal(none.headers["content-range"], `bytes */${size}`);
  // Several are answered with all of it.
  assert.equal((await whole(await ask("bytes=0-1,5-6", "several"), size)).statusCode, 200);
});

test("what may not be stored is passed on, and its range asked for as it was", async () => {
  const headers = encodeURIComponent(JSON.stringify({ "set-cookie": "a=b" }));
  const path = `/cookie?size=${MIB}&cache-control=max-age=60&headers=${headers}`;
  const answer = await whole(await bed.ask(path, { headers: { range: "bytes=10-19" } }), 10, { from: 10 });
  assert.equal(answer.statusCode, 206);
  assert.match(told(answer), /fwd=bypass; detail="set-cookie"/);
  assert.equal((await bed.ask(path, { headers: { range: "bytes=0-9" } })).statusCode, 206);
  // All of it at first, then the ranges only.
  assert.deepEqual((await bed.asked("/cookie")).map(({ headers }) => headers.range), [undefined, "bytes=10-19", "bytes=0-9"]);
});

test("another version is another cache", async () => {
  const path = `/versioned?size=1000&cache-control=max-age=60`;
  const ask = async (version) => told(await whole(await bed.ask(path, { options: { version } }), 1000));
  assert.match(await ask("a"), /stored/);
  await bed.event("fill-end", "/versioned");
  assert.match(await ask("a"), /hit/);
  assert.match(await ask("b"), /stored/);
});

test("a stale answer is used while it is asked about, and replaced if there is another", async () => {
  const path = "/changing?a";
  await bed.set("/changing", { size: 1000, seed: 1, "cache-control": "max-age=1, stale-while-revalidate=60" });
  await whole(await bed.ask(path), 1000);
  await bed.event("fill-end", "/changing");
  await bed.set("/changing", { size: 2000, seed: 2, "cache-control": "max-age=60" });
  await new Promise((resolve) => setTimeout(resolve, 2100));
  const stale = await whole(await bed.ask(path), 1000);
  assert.match(told(stale), /stale/);
  await bed.event("fill-end", "/changing");
  const fresh = await whole(await bed.ask(path), 2000, { seed: 2 });
  assert.match(told(fresh), /hit; ttl/);
});

test("a stale answer that still holds is good again, and is not fetched again", async () => {
  const path = `/holding?size=1000&cache-control=${encodeURIComponent("max-age=1")}`;
  await whole(await bed.ask(path), 1000);
  await bed.event("fill-end", "/holding");
  await new Promise((resolve) => setTimeout(resolve, 2100));
  const asked = await whole(await bed.ask(path), 1000);
  assert.match(told(asked), /fwd=stale; fwd-status=304/);
  assert.equal((await bed.asked("/holding")).at(-1).headers["if-none-match"], '"film-1"');
  assert.match(told(await whole(await bed.ask(path), 1000)), /hit/);
});

test("conditions are by the origin's validators, also on what is stored", async () => {
  const path = `/conditional?size=1000&cache-control=max-age=60`;
  await whole(await bed.ask(path), 1000);
  await bed.event("fill-end", "/conditional");
  const same = await bed.ask(path, { headers: { "if-none-match": '"film-1"' } });
  assert.equal(same.statusCode, 304);
  assert.equal(same.headers.etag, '"film-1"');
  const other = await bed.ask(path, { headers: { "if-none-match": '"film-2"' } });
  assert.equal((await whole(other, 1000)).statusCode, 200);
  const part = await bed.ask(path, { headers: { range: "bytes=0-9", "if-range": '"film-1"' } });
  assert.equal((await whole(part, 10)).statusCode, 206);
  const all = await bed.ask(path, { headers: { range: "bytes=0-9", "if-range": '"film-2"' } });
  assert.equal((await whole(all, 1000)).statusCode, 200);
});

test("a change by another method ends what is stored", async () => {
  const path = `/written?size=1000&cache-control=max-age=60`;
  await whole(await bed.ask(path), 1000);
  await bed.event("fill-end", "/written");
  await (await bed.ask(path, { method: "POST" })).resume();
  const answer = await whole(await bed.ask(path), 1000);
  assert.doesNotMatch(told(answer), /^chunk-store; hit/);
});

test("a change by another method ends what is being stored", async () => {
  for (const [name, size] of [["rewritten", 4 << 20], ["recut", 50 << 20]]) {
    const path = `/${name}?size=${size}&cache-control=max-age=60&ms-a-piece=40`;
    const old = await bed.ask(path);
    await bed.event("fill-begin", `/${name}`);
    await (await bed.ask(path, { method: "POST" })).resume();
    await whole(old, size);
    assert.equal((await bed.event("fill-end", `/${name}`)).outcome, "unstored");
    assert.doesNotMatch(told(await whole(await bed.ask(path), size)), /^chunk-store; hit/);
  }
});

test("other statuses are kept as they are, for as long as was set", async () => {
  const path = `/gone?size=10&status=404&etag=none`;
  const options = { ttl: { "4xx": 60 } };
  assert.equal((await bed.ask(path, { options })).statusCode, 404);
  await bed.event("fill-end", "/gone");
  const again = await bed.ask(path, { options, headers: { range: "bytes=0-1" } });
  assert.equal(again.statusCode, 404);
  assert.match(told(again), /hit/);
  await whole(again, 10);
});

test("HEAD is answered from the store, and passed on where there is nothing", async () => {
  const path = `/head?size=1000&cache-control=max-age=60`;
  assert.match(told(await bed.ask(path, { method: "HEAD" })), /bypass/);
  await whole(await bed.ask(path), 1000);
  await bed.event("fill-end", "/head");
  const head = await bed.ask(path, { method: "HEAD" });
  assert.match(told(head), /hit/);
  assert.equal(head.headers["content-length"], "1000");
});

test("an answer without a body is kept, too", async () => {
  const path = "/empty?size=0&cache-control=max-age=60";
  const miss = await whole(await bed.ask(path), 0);
  assert.equal(miss.headers["content-length"], "0");
  assert.equal((await bed.event("fill-end", "/empty")).outcome, "stored");
  assert.match(told(await whole(await bed.ask(path, { headers: { range: "bytes=-5" } }), 0)), /hit/);
});
