// A store that is slow or fails: the client does not notice.

import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { start } from "./bed.mjs";
import { compare } from "./content.mjs";

const MIB = 1 << 20;
let bed;
before(async () => (bed = await start()));
afterEach(() => bed.faults({}));
after(() => bed.stop());

test("a store that cannot be reached: answers come from the origin", async () => {
  const path = `/down?size=${3 * MIB}&cache-control=max-age=60`;
  await bed.faults({ failAll: true });
  const answer = await bed.ask(path);
  assert.match(answer.headers["cache-status"], /fwd=bypass; detail="store"/);
  assert.equal(await compare(answer, 1, 0), 3 * MIB);
});

test("a store whose answer does not come in time is not waited for", async () => {
  const path = `/asleep?size=${3 * MIB}&cache-control=max-age=60`;
  await bed.faults({ getMs: 600_000 });
  assert.equal(await compare(await bed.ask(path, { options: { storeMs: 200 } }), 1, 0), 3 * MIB);
});

const FAILURES = [
  ["fails", "KV PUT failed: 500 Internal Server Error"],
  ["throttles", "KV PUT failed: 429 Too Many Requests"],
  ["refuses", "KV PUT failed: 403 Forbidden"],
];

for (const [name, message] of FAILURES) {
  test(`a store that ${name} in the middle of a fill: the client gets all, and nothing half is served`, async () => {
    const path = `/${name}?size=${60 * MIB}&cache-control=max-age=60`;
    await bed.faults({ failPutsFrom: 8, message });
    const options = { delayMs: 300 };
    assert.equal(await compare(await bed.ask(path, { options }), 1, 0), 60 * MIB);
    assert.equal((await bed.event("fill-end", `/${name}`)).outcome, "unstored");
    await bed.faults({});
    const again = await bed.ask(path);
    assert.doesNotMatch(again.headers["cache-status"], /hit/);
    assert.equal(await compare(again, 1, 0), 60 * MIB);
    assert.equal((await bed.event("fill-end", `/${name}`)).outcome, "stored");
    assert.match((await bed.ask(path)).headers["cache-status"], /hit/);
  });
}

test("a store that is slow is left behind: the client does not wait for it beyond the bound", async () => {
  // Its puts would take more than ten minutes.
  const path = `/slow?size=${60 * MIB}&cache-control=max-age=60`;
  await bed.faults({ putMs: 60_000 });
  assert.equal(await compare(await bed.ask(path, { options: { delayMs: 500 } }), 1, 0), 60 * MIB);
  const { outcome, why } = await bed.event("fill-end", "/slow", 120_000);
  assert.equal(outcome, "unstored");
  assert.match(why, /kept clients waiting/);
});

test("a store that fails while it is read: the origin gives the rest", async () => {
  const path = `/holes?size=${20 * MIB}&cache-control=max-age=60`;
  assert.equal(await compare(await bed.ask(path), 1, 0), 20 * MIB);
  await bed.event("fill-end", "/holes");
  await bed.faults({ failChunksFrom: 5, message: "KV GET failed: 500 Internal Server Error" });
  const hit = await bed.ask(path, { headers: { range: `bytes=100-${19 * MIB}` } });
  assert.match(hit.headers["cache-status"], /hit/);
  assert.equal(await compare(hit, 1, 100), 19 * MIB - 99);
  const [, rest] = await bed.asked("/holes");
  assert.match(rest.headers.range, new RegExp(`^bytes=[1-9]\\d*-${19 * MIB}$`));
  assert.equal(rest.headers["if-range"], '"film-1"');
});

test("a store that does not show yet what was stored is not filled again", async () => {
  const path = `/late?size=${3 * MIB}&cache-control=max-age=60`;
  assert.equal(await compare(await bed.ask(path), 1, 0), 3 * MIB);
  await bed.event("fill-end", "/late");
  await bed.faults({ blind: true });
  const late = await bed.ask(path);
  assert.match(late.headers["cache-status"], /fwd=bypass; detail="not visible yet"/);
  assert.equal(await compare(late, 1, 0), 3 * MIB);
  await bed.faults({});
  assert.match((await bed.ask(path)).headers["cache-status"], /hit/);
  assert.equal((await bed.asked("/late")).length, 2);
});

test("more fills at once than there may be: the others are passed on", async () => {
  const options = { fillsMax: 1 };
  const path = (name) => `/${name}?size=${20 * MIB}&cache-control=max-age=60&ms-a-piece=20`;
  const first = await bed.ask(path("busy-one"), { options });
  const second = await bed.ask(path("busy-two"), { options });
  assert.match(second.headers["cache-status"], /fwd=bypass; detail="busy"/);
  assert.deepEqual(await Promise.all([compare(first, 1, 0), compare(second, 1, 0)]), [20 * MIB, 20 * MIB]);
});
