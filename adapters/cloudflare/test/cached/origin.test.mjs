// Origins that fail.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { start } from "./bed.mjs";
import { compare } from "./content.mjs";

const MIB = 1 << 20;
let bed;
before(async () => (bed = await start()));
after(() => bed.stop());

/** What is got of a body until it breaks off. */
async function broken(answer) {
  let bytes = 0;
  await assert.rejects(async () => {
    for await (const piece of answer) bytes += piece.byteLength;
  });
  return bytes;
}

test("an origin that cannot be reached is an error, and the next request asks again", async () => {
  await bed.set("/away", { throws: true });
  assert.equal((await bed.ask("/away?a")).statusCode, 500);
  await bed.set("/away", { size: 1000, "cache-control": "max-age=60" });
  const answer = await bed.ask("/away?a");
  assert.equal(answer.statusCode, 200);
  assert.equal(await compare(answer, 1, 0), 1000);
});

test("an error of the origin is passed on and not kept", async () => {
  await bed.set("/error", { status: 503, size: 10 });
  assert.equal((await bed.ask("/error?a")).statusCode, 503);
  await bed.set("/error", { size: 1000, "cache-control": "max-age=60" });
  assert.equal((await bed.ask("/error?a", { options: { version: "1" } })).statusCode, 200);
});

test("an origin that breaks off is asked for the rest: nobody notices, and the whole is stored", async () => {
  const path = `/breaks?size=${20 * MIB}&cache-control=max-age=60&break-at=${7 * MIB + 5}`;
  assert.equal(await compare(await bed.ask(path), 1, 0), 20 * MIB);
  assert.equal((await bed.event("fill-end", "/breaks")).outcome, "stored");
  const [, rest] = await bed.asked("/breaks");
  assert.match(rest.headers.range, /^bytes=\d+-$/);
  assert.equal(rest.headers["if-range"], '"film-1"');
  assert.equal(await compare(await bed.ask(path), 1, 0), 20 * MIB);
  assert.equal((await bed.asked("/breaks")).length, 2);
});

test("an origin that stalls is asked for the rest", async () => {
  const path = `/stalls?size=${4 * MIB}&cache-control=max-age=60&stall-at=${MIB}`;
  assert.equal(await compare(await bed.ask(path, { options: { originStallMs: 500 } }), 1, 0), 4 * MIB);
  assert.equal((await bed.event("fill-end", "/stalls")).outcome, "stored");
  assert.match((await bed.event("origin-again", "/stalls")).why, /sends nothing/);
});

test("where the origin names no version the rest cannot be asked for: the client sees it break, nothing is stored", async () => {
  const path = `/nameless?size=${4 * MIB}&cache-control=max-age=60&etag=none&break-at=${MIB}`;
  assert.ok((await broken(await bed.ask(path))) <= MIB);
  assert.equal((await bed.event("fill-end", "/nameless")).outcome, "failed");
  // The second time it does not break.
  const again = await bed.ask(path);
  assert.match(again.headers["cache-status"], /uri-miss/);
  assert.equal(await compare(again, 1, 0), 4 * MIB);
});

test("the rest of another version is never taken for the rest of this one", async () => {
  const path = "/replaced?a";
  await bed.set("/replaced", { size: 4 * MIB, "cache-control": "max-age=60", "stall-at": MIB });
  const answer = await bed.ask(path, { options: { originStallMs: 1500 } });
  await bed.set("/replaced", { size: 4 * MIB, seed: 2, "cache-control": "max-age=60" });
  assert.ok((await broken(answer)) <= MIB);
  assert.equal((await bed.event("fill-end", "/replaced")).outcome, "failed");
});

test("an origin that sends less than it announced breaks the answer, and nothing is stored", async () => {
  const path = `/less?size=${2 * MIB}&length=${3 * MIB}&cache-control=max-age=60&etag=none`;
  assert.ok((await broken(await bed.ask(path))) <= 2 * MIB);
  assert.equal((await bed.event("fill-end", "/less")).outcome, "failed");
  assert.match((await bed.ask(path)).headers["cache-status"], /uri-miss/);
});

test("an origin that sends more than it announced breaks the answer, and nothing is stored", async () => {
  const path = `/more?size=${3 * MIB}&length=${2 * MIB}&cache-control=max-age=60`;
  assert.ok((await broken(await bed.ask(path))) <= 2 * MIB);
  const { outcome, why } = await bed.event("fill-end", "/more");
  assert.equal(outcome, "failed");
  assert.match(why, /more than the 2097152 bytes/);
});

test("a body whose length nobody knows is stored when it has ended", async () => {
  const path = `/endless?size=${5 * MIB}&length=none&cache-control=max-age=60`;
  const answer = await bed.ask(path, { headers: { range: "bytes=5-9" } });
  assert.equal(answer.statusCode, 200);
  assert.equal(await compare(answer, 1, 0), 5 * MIB);
  assert.equal((await bed.event("fill-end", "/endless")).outcome, "stored");
  const part = await bed.ask(path, { headers: { range: "bytes=5-9" } });
  assert.equal(part.statusCode, 206);
  assert.equal(await compare(part, 1, 5), 5);
});
