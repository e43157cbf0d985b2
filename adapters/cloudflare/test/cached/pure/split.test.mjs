// One body for several: order, bounds, and who waits for whom.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Fills } from "../../../src/cached/fills.ts";
import { Split } from "../../../src/cached/split.ts";
import { Window } from "../../../src/cached/window.ts";

const bytes = (text) => new TextEncoder().encode(text);
const text = (array) => new TextDecoder().decode(array);

test("a window gives out its bytes by offset, and holds no more than it may", () => {
  const window = new Window(4, 10);
  for (const piece of ["ab", "cd"]) {
    assert.ok(window.room(window.head));
    window.push(bytes(piece));
  }
  assert.deepEqual([window.start, window.head, window.held], [10, 14, 4]);
  assert.equal(text(window.at(11)), "b");
  assert.equal(text(window.at(14)), "");
  assert.ok(!window.room(11), "byte 11 is needed");
  assert.ok(window.room(12));
  assert.deepEqual([window.start, window.held], [12, 2]);
  assert.throws(() => window.at(11), RangeError);
});

/** Takes all; gives what it was, and how it ended. */
async function take(consumer) {
  let all = "";
  for (;;) {
    const next = await consumer.next();
    if (!("bytes" in next)) return { all, ...next };
    all += text(next.bytes);
    consumer.took(next.bytes.byteLength);
  }
}

async function pour(split, owner, pieces) {
  for (const piece of pieces) {
    await split.room(owner);
    split.push(owner, bytes(piece));
  }
  split.finish(owner, "whole");
}

const PATIENCE = { delayMs: 60, pauseMs: 200 };
const letters = Array.from({ length: 100 }, (_, i) => `${i},`);

test("all who join in time get all, in order, whoever asked", async () => {
  const split = new Split(8, 0, { delayMs: 60_000, pauseMs: 60_000 });
  const [carrier, other] = [{}, {}];
  const takers = [carrier, carrier, other].map((owner) => take(split.join(owner, "client", 0)));
  await pour(split, carrier, letters);
  for (const { all, end } of await Promise.all(takers)) {
    assert.equal(all, letters.join(""));
    assert.ok(end);
  }
});

test("the first bytes stay while somebody is expected who has waited for them", async () => {
  const owner = {};
  let expecting = true;
  const split = new Split(8, 0, { delayMs: 60_000, pauseMs: 60_000 }, () => expecting);
  const [first, poured] = [take(split.join(owner, "client", 0)), pour(split, owner, letters)];
  await split.wake.wait({}, 100);
  assert.equal(split.start, 0);
  const second = take(split.join({}, "client", 0));
  expecting = false;
  await poured;
  for (const { all } of [await first, await second]) assert.equal(all, letters.join(""));
});

test("memory is bounded by the window, however slow they are", async () => {
  const split = new Split(8, 0, { delayMs: 10_000, pauseMs: 10_000 });
  const owner = {};
  const store = split.join(owner, "store", 0);
  const poured = pour(split, owner, letters);
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.ok(split.held <= 8 + 3, String(split.held));
  await take(store);
  await poured;
});

test("a store that keeps a client waiting for too long is let go, and the client gets all", async () => {
  const split = new Split(8, 0, PATIENCE);
  const owner = {};
  const store = split.join(owner, "store", 0);
  const client = take(split.join(owner, "client", 0));
  await pour(split, owner, letters);
  assert.equal((await client).all, letters.join(""));
  assert.match(store.gone, /kept clients waiting/);
});

test("a store that keeps nobody waiting may take its time", async () => {
  const split = new Split(8, 0, PATIENCE);
  const owner = {};
  const store = split.join(owner, "store", 0);
  const poured = pour(split, owner, letters.slice(0, 4));
  await new Promise((resolve) => setTimeout(resolve, 300));
  assert.equal(store.gone, null);
  assert.equal((await take(store)).all, letters.slice(0, 4).join(""));
  await poured;
});

test("a client that stands still is let go, and the store gets all", async () => {
  const split = new Split(8, 0, PATIENCE);
  const owner = {};
  const still = split.join({}, "client", 0);
  const store = take(split.join(owner, "store", 0));
  await pour(split, owner, letters);
  assert.equal((await store).all, letters.join(""));
  assert.match(still.gone, /took nothing/);
});

test("the only one left is never let go", async () => {
  const split = new Split(8, 0, { delayMs: 10, pauseMs: 10 });
  const owner = {};
  const client = split.join(owner, "client", 0);
  const poured = pour(split, owner, letters);
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal((await take(client)).all, letters.join(""));
  await poured;
});

test("who comes late gets what is still there, and none of what has gone", async () => {
  const split = new Split(4, 0, PATIENCE);
  const owner = {};
  const first = take(split.join(owner, "client", 0));
  await pour(split, owner, ["ab", "cd", "ef"]);
  await first;
  assert.equal(split.join(owner, "client", 0), null);
  assert.equal((await take(split.join(owner, "client", 3))).all, "def");
  assert.equal((await take(split.join(owner, "client", 6))).all, "");
});

test("a body that broke off is given out as far as it came, and its end says why", async () => {
  const split = new Split(8, 0, PATIENCE);
  const owner = {};
  const client = split.join(owner, "client", 0);
  split.push(owner, bytes("ab"));
  split.finish(owner, { failed: "the origin broke off" });
  assert.deepEqual(await take(client), { all: "ab", gone: "the origin broke off" });
});

test("pieces are gathered for who is asked for much at once, and stay as they were", async () => {
  const split = new Split(100, 0, PATIENCE);
  const owner = {};
  const store = split.join(owner, "store", 0);
  for (const piece of ["ab", "cd", "ef"]) split.push(owner, bytes(piece));
  const { bytes: first } = await store.gather(5);
  assert.equal(text(first), "abcde");
  first.fill(0);
  assert.equal(text((await split.join(owner, "client", 0).next()).bytes), "ab");
  store.took(5);
  split.finish(owner, "whole");
  assert.equal(text((await store.gather(5)).bytes), "f");
  store.took(1);
  assert.deepEqual(await store.gather(5), { end: true });
});

test("buffers are given back when all have passed them, but never while one is being written", async () => {
  const split = new Split(2, 0, { delayMs: 10, pauseMs: 10 });
  const owner = {};
  const store = take(split.join(owner, "store", 0));
  const client = split.join({}, "client", 0);
  const [held, passed] = [bytes("ab"), bytes("cd")];
  await split.room(owner);
  split.push(owner, held);
  const { bytes: lent } = await client.next();
  for (const piece of [passed, bytes("ef")]) {
    await split.room(owner);
    split.push(owner, piece);
  }
  assert.match(client.gone, /took nothing/);
  assert.equal(text(lent), "ab");
  await split.room(owner);
  assert.equal(passed.byteLength, 0);
  split.finish(owner, "whole");
  assert.equal((await store).all, "abcdef");
});

test("a fill is one at a time for an object, and its like are bounded", () => {
  const fills = new Fills();
  const one = fills.begin("a", {}, 2);
  assert.equal(fills.find("a"), one);
  fills.begin("b", {}, 2);
  assert.equal(fills.begin("c", {}, 2), null);
  one.stored = true;
  fills.end("a", one);
  assert.equal(fills.find("a"), undefined);
  assert.ok(fills.storedLately("a", 1000));
  assert.ok(!fills.storedLately("b", 1000));
  assert.ok(fills.begin("c", {}, 2) !== null);
});

test("a fill whose request shows no sign any more is nobody's", (context) => {
  context.mock.timers.enable({ apis: ["Date"] });
  const fills = new Fills();
  const fill = fills.begin("a", {}, 1);
  context.mock.timers.tick(4000);
  assert.equal(fills.find("a"), fill);
  fill.beat();
  context.mock.timers.tick(4999);
  assert.ok(fill.alive());
  context.mock.timers.tick(1);
  assert.ok(fill.orphaned());
  assert.equal(fills.find("a"), undefined);
});
