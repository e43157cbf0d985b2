// Ranges of a miss, validators, keys, and what is kept with an object.

import assert from "node:assert/strict";
import { test } from "node:test";
import { ageOf, describe, recordOf, restored } from "../../../src/cached/described.ts";
import { keysOf, pathOf } from "../../../src/cached/key.ts";
import { contentRange, lengthOf, wanted } from "../../../src/cached/range.ts";
import { settingsOf } from "../../../src/cached/settings.ts";
import { strongValidator, translate } from "../../../src/cached/validators.ts";

const of = (pairs) => new Headers(pairs);

test("one range is cut out of a known length", () => {
  const span = (range, length = 10) => wanted(of({ range }), length, of({}));
  assert.deepEqual(span("bytes=2-5"), { span: { start: 2, end: 6 } });
  assert.deepEqual(span("bytes=2-"), { span: { start: 2, end: 10 } });
  assert.deepEqual(span("bytes=2-99"), { span: { start: 2, end: 10 } });
  assert.deepEqual(span("bytes=-3"), { span: { start: 7, end: 10 } });
  assert.deepEqual(span("Bytes = -99"), { span: { start: 0, end: 10 } });
  assert.deepEqual(span("bytes=10-"), { none: true });
  assert.deepEqual(span("bytes=-0"), { none: true });
  assert.deepEqual(span("bytes=0-0", 0), { none: true });
});

test("what is no single range is answered with all of it", () => {
  for (const range of ["bytes=0-1,3-4", "bytes=5-2", "bytes=-", "bytes=a-b", "items=0-1", ""]) {
    assert.deepEqual(wanted(of({ range }), 10, of({})), { whole: true }, range);
  }
  assert.deepEqual(wanted(of({ range: "bytes=0-1" }), null, of({})), { whole: true });
  assert.deepEqual(wanted(of({ range: "bytes=-5" }), 0, of({})), { whole: true });
});

test("If-Range holds for the very version only", () => {
  const validators = of({ etag: '"a"', "last-modified": "Mon, 21 Sep 2026 14:13:20 GMT" });
  const part = (condition) => "span" in wanted(of({ range: "bytes=0-1", "if-range": condition }), 10, validators);
  assert.ok(part('"a"'));
  assert.ok(part("Mon, 21 Sep 2026 14:13:20 GMT"));
  for (const other of ['"b"', 'W/"a"', "Mon, 21 Sep 2026 14:13:21 GMT"]) assert.ok(!part(other), other);
});

test("Content-Range and Content-Length are read strictly", () => {
  assert.deepEqual(contentRange("bytes 5-9/10"), { start: 5, end: 10, length: 10 });
  for (const wrong of [null, "bytes 9-5/10", "bytes 5-10/10", "bytes 5-9/*", "bytes */10"]) assert.equal(contentRange(wrong), null);
  assert.equal(lengthOf(of({ "content-length": "5" })), 5);
  assert.equal(lengthOf(of({ "content-length": "5, 5" })), null);
  assert.equal(lengthOf(of({})), null);
});

test("only strong validators are gone on by", () => {
  assert.equal(strongValidator(of({ etag: '"a"' })), '"a"');
  assert.equal(strongValidator(of({ etag: 'W/"a"' })), null);
  const modified = "Mon, 21 Sep 2026 14:13:20 GMT";
  assert.equal(strongValidator(of({ "last-modified": modified, date: "Mon, 21 Sep 2026 14:14:20 GMT" })), modified);
  assert.equal(strongValidator(of({ "last-modified": modified, date: "Mon, 21 Sep 2026 14:14:19 GMT" })), null);
  assert.equal(strongValidator(of({ "last-modified": modified })), null);
});

test("conditions by the origin's names are put into the store's", () => {
  const origin = { etag: 'W/"o"', modified: "Mon, 21 Sep 2026 14:13:20 GMT" };
  const store = { etag: '"s"', modified: "Tue, 22 Sep 2026 00:00:00 GMT" };
  const told = (name, value) => translate(of({ [name]: value }), origin, store).get(name);
  assert.equal(told("if-none-match", '"x", W/"o"'), '"x", W/"s"');
  assert.equal(told("if-range", 'W/"o"'), 'W/"s"');
  assert.equal(told("if-modified-since", origin.modified), store.modified);
  assert.equal(told("if-modified-since", "Mon, 21 Sep 2026 14:13:21 GMT"), store.modified);
  assert.equal(told("if-modified-since", "Mon, 21 Sep 2026 14:13:19 GMT"), "Thu, 01 Jan 1970 00:00:00 GMT");
  assert.equal(told("if-range", "Mon, 21 Sep 2026 14:13:21 GMT"), "Thu, 01 Jan 1970 00:00:00 GMT");
});

const NAMING = { prefix: "cached/", version: "1", vary: [] };

test("keys: a version and each header that counts make another one", async () => {
  const key = async (naming, headers = {}) => (await keysOf("https://a/b?c", of(headers), { ...NAMING, ...naming })).object;
  assert.equal(await key({}), "cached/o/1/https://a/b?c");
  assert.notEqual(await key({ version: "2" }), await key({}));
  const vary = { vary: ["origin"] };
  assert.notEqual(await key(vary, { origin: "https://x" }), await key(vary, { origin: "https://y" }));
  assert.equal(await key({}, { origin: "https://x" }), await key({}, { origin: "https://y" }));
});

test("keys: what the store would refuse is put otherwise, and long ones stay apart", async () => {
  const key = async (text) => (await keysOf(text, of({}), NAMING)).object;
  assert.equal(await key("a/../b/./c"), "cached/o/1/a/%2E%2E/b/%2E/c");
  assert.equal(await key("a\u0000%"), "cached/o/1/a%00%25");
  const [one, other] = [await key(`${"ä".repeat(400)}1`), await key(`${"ä".repeat(400)}2`)];
  assert.notEqual(one, other);
  assert.ok(new TextEncoder().encode(one).length <= 470);
  assert.equal(pathOf("a b/ü?#%"), "/a%20b/%C3%BC%3F%23%25");
});

const STORED = { fill: "f", status: 200, at: 1_000_000, age: 5, fresh: 60, stale: 10 };

test("what is kept with an object comes back, and is shown as the origin gave it", () => {
  const origin = of({ "content-type": "video/mp4", etag: '"o"', "x-title": "Fünf", "set-cookie": "a", connection: "x-hop", "x-hop": "1" });
  const kept = describe(STORED, origin, 100);
  assert.equal(kept.get("content-type"), "video/mp4");
  assert.equal(kept.get("x-ttl-seconds"), "165");
  const record = recordOf(kept);
  assert.deepEqual({ ...record, headers: undefined }, { ...STORED, headers: undefined });
  assert.equal(ageOf(record, 1_010_500), 15);
  const shown = restored(of({ etag: '"s"', "content-type": "video/mp4" }), record, 1_010_500);
  assert.equal(shown.get("etag"), '"o"');
  assert.equal(shown.get("age"), "15");
  assert.equal(shown.get("x-title"), "Fünf");
  for (const gone of ["set-cookie", "x-hop", "connection"]) assert.equal(shown.get(gone), null, gone);
});

test("headers that do not fit are not cut: the answer is not stored", () => {
  assert.equal(describe(STORED, of({ "x-long": "a".repeat(7000) }), 0), null);
});

test("a record of another make is none", () => {
  for (const other of ["", "{", "[]", '{"fill":"f"}', "null"]) assert.equal(recordOf(of({ "x-meta-cached": other })), null, other);
});

test("settings that cannot be are refused by name", () => {
  for (const [options, name] of [
    [{ windowBytes: 1 << 20 }, /windowBytes/], [{ ttl: { 200: -1 } }, /ttl\[200\]/], [{ version: "" }, /version/],
    [{ prefix: "_/x" }, /prefix/], [{ delayMs: Number.NaN }, /delayMs/],
  ]) {
    assert.throws(() => settingsOf(options), name);
  }
  assert.equal(settingsOf({ ttl: 5 }).ttl.default, 5);
  assert.equal(settingsOf({}).resumableBytesMin, 40 << 20);
});
