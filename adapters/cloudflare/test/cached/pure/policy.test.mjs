// What may be stored, and for how long: RFC 9111.

import assert from "node:assert/strict";
import { test } from "node:test";
import { parseDirectives, seconds } from "../../../src/cached/directives.ts";
import { judge } from "../../../src/cached/policy.ts";

const NOW = Date.parse("2026-09-21T14:13:20Z");
const POLICY = { ttl: { 200: 100, "4xx": 10 }, ttlFirst: false, staleSeconds: 0, vary: ["origin"] };

function verdict(headers, { status = 200, ask = {}, method = "GET", ...policy } = {}) {
  return judge({ method, headers: new Headers(ask) }, { status, headers: new Headers(headers) }, { ...POLICY, ...policy }, NOW);
}

const refused = (headers, options) => verdict(headers, options).refused;
const life = (headers, options) => verdict(headers, options).life;

test("directives are read with and without quotes, in any case", () => {
  const read = parseDirectives('Public, max-age="60", private="a, b" ,, s-maxage=5');
  assert.deepEqual([...read], [["public", null], ["max-age", "60"], ["private", "a, b"], ["s-maxage", "5"]]);
  assert.equal(parseDirectives(null).size, 0);
});

test("a number that cannot be read, or is given twice in two ways, counts as 0", () => {
  for (const given of ["max-age=soon", "max-age", "max-age=-1", "max-age=1, max-age=2"]) {
    assert.equal(seconds(parseDirectives(given), "max-age"), 0, given);
  }
  assert.equal(seconds(parseDirectives("max-age=5, max-age=5"), "max-age"), 5);
  assert.equal(seconds(parseDirectives("max-age=99999999999999"), "max-age"), 2 ** 31);
  assert.equal(seconds(parseDirectives(""), "max-age"), null);
});

test("the origin's words on freshness, s-maxage before max-age before Expires, before the settings", () => {
  assert.equal(life({ "cache-control": "max-age=5, s-maxage=7" }).fresh, 7);
  assert.equal(life({ "cache-control": "max-age=5", expires: "Mon, 21 Sep 2026 15:13:20 GMT" }).fresh, 5);
  assert.equal(life({ expires: "Mon, 21 Sep 2026 15:13:20 GMT" }).fresh, 3600);
  assert.equal(life({}).fresh, 100);
  assert.equal(life({}, { status: 404 }).fresh, 10);
  assert.equal(refused({}, { status: 500 }), "no-ttl");
  assert.equal(refused({ expires: "0" }), "no-ttl");
  assert.equal(refused({ "cache-control": "max-age=0" }), "no-ttl");
});

test("the settings go first where that is set, but never before a prohibition", () => {
  assert.equal(life({ "cache-control": "max-age=5" }, { ttlFirst: true }).fresh, 100);
  assert.equal(refused({ "cache-control": "no-store" }, { ttlFirst: true }), "no-store");
});

test("an answer is as old as the caches before say, or its date", () => {
  assert.equal(life({ age: "30" }).age, 30);
  assert.equal(life({ date: "Mon, 21 Sep 2026 14:12:20 GMT" }).age, 60);
  assert.equal(refused({ age: "100" }), "no-ttl");
});

test("what is not for everybody is not stored", () => {
  assert.equal(refused({ "set-cookie": "a=b" }), "set-cookie");
  assert.equal(refused({ "cache-control": "private" }), "private");
  assert.equal(refused({ "cache-control": 'private="x-a"' }), "private");
  assert.equal(refused({ "cache-control": "no-cache" }), "no-cache");
  assert.equal(refused({}, { ask: { "cache-control": "no-store" } }), "request-no-store");
  const authorized = { ask: { authorization: "Basic x" } };
  assert.equal(refused({ "cache-control": "max-age=60" }, authorized), "authorization");
  for (const permitted of ["public, max-age=60", "s-maxage=60", "must-revalidate, max-age=60"]) {
    assert.equal(life({ "cache-control": permitted }, authorized).fresh, 60, permitted);
  }
});

test("only whole answers to GET are stored", () => {
  assert.equal(refused({}, { method: "POST" }), "method");
  assert.equal(refused({ "cache-control": "max-age=60" }, { status: 206 }), "status");
  assert.equal(refused({ "cache-control": "max-age=60" }, { status: 304 }), "status");
  assert.equal(refused({ "content-range": "bytes 0-1/2" }), "status");
});

test("an answer that varies by what is not in the key is not stored", () => {
  assert.equal(refused({ vary: "*" }), "vary");
  assert.equal(refused({ vary: "Origin, User-Agent" }), "vary");
  assert.equal(life({ vary: "Origin" }).fresh, 100);
  assert.equal(life({ vary: "Accept-Encoding" }).fresh, 100);
  assert.equal(life({ vary: "Accept-Encoding", "content-encoding": "identity" }).fresh, 100);
});

test("an answer that comes in an encoding that nobody asked for is not stored", () => {
  assert.equal(refused({ "content-encoding": "gzip" }), "encoding");
});

test("stale answers are used as the origin permits, else as was set", () => {
  const stale = (control, staleSeconds = 9) => life({ "cache-control": control }, { staleSeconds }).stale;
  assert.equal(stale("max-age=60"), 9);
  assert.equal(stale("max-age=60, stale-while-revalidate=30"), 30);
  assert.equal(stale("s-maxage=60, stale-while-revalidate=30"), 30);
  for (const strict of ["max-age=60, must-revalidate", "max-age=60, proxy-revalidate, stale-while-revalidate=5", "s-maxage=60"]) {
    assert.equal(stale(strict), 0, strict);
  }
});
