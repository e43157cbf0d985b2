// Who is told what happens, and how.

import assert from "node:assert/strict";
import { test } from "node:test";
import { logTo, metricsTo, pointsTo, toAll, toldBy } from "../../../src/events.ts";

const OPERATION = {
  event: "operation",
  operation: "get",
  outcome: "ok",
  key: "k",
  ended: "2026-01-01T00:00:00.000Z",
  ms: 7,
  first_byte_ms: 2,
  received: 0,
  sent: 500,
  chunks_written: 0,
  chunks_read: 3,
  kv_operations: 4,
  kv_retries: 1,
  kv_written: 0,
  kv_read: 510,
};

test("what watches cannot break what it watches, and figures have few labels", () => {
  const seen = [];
  const emit = toAll([() => { throw new Error("no"); }, metricsTo((name, value, labels) => seen.push([name, value, labels]))]);
  emit({ event: "fill-end", key: "k", outcome: "stored", bytes: 5, ms: 7 });
  assert.deepEqual(seen, [
    ["cached_fills_total", 1, { outcome: "stored" }],
    ["cached_fill_bytes_total", 5, { outcome: "stored" }],
    ["cached_fill_ms", 7, { outcome: "stored" }],
  ]);
});

test("figures of operations are theirs in all", () => {
  const seen = {};
  const emit = metricsTo((name, value, labels) => (seen[`${name} ${Object.values(labels)}`] = value));
  emit(OPERATION);
  assert.deepEqual(seen, {
    "store_operations_total get,ok": 1,
    "store_operation_ms get": 7,
    "store_first_byte_ms get": 2,
    "store_received_bytes_total get": 0,
    "store_sent_bytes_total get": 500,
    "store_kv_operations_total get": 4,
    "store_kv_retries_total get": 1,
  });
});

test("of operations the log has what it should, and all else of what happens", () => {
  const outcomes = ["ok", "abandoned", "not-found", "precondition-failed", "unavailable", "corrupt"];
  const logged = (operations) => {
    const lines = [];
    const emit = logTo((line) => lines.push(JSON.parse(line)), operations);
    for (const outcome of outcomes) emit({ ...OPERATION, outcome });
    emit({ event: "fill-begin", key: "k", size: null, offset: 0 });
    assert.equal(lines.pop().event, "fill-begin");
    return lines.map(({ outcome }) => outcome);
  };
  assert.deepEqual(logged("all"), outcomes);
  assert.deepEqual(logged("failed"), ["unavailable", "corrupt"]);
  assert.deepEqual(logged(undefined), ["unavailable", "corrupt"]);
  assert.deepEqual(logged("none"), []);
});

test("a data point has each field in its place, and what there is not is empty", () => {
  const points = [];
  const emit = pointsTo({ writeDataPoint: (point) => points.push(point) });
  emit({ event: "fill-begin", key: "k", size: null, offset: 0 });
  emit(OPERATION);
  emit({ ...OPERATION, operation: "append", first_byte_ms: undefined, upload: "u", failure: "f", trace_id: "t" });
  assert.deepEqual(points, [
    { indexes: ["get"], blobs: ["get", "ok", "k", "", "", ""], doubles: [7, 2, 0, 500, 0, 3, 4, 1, 0, 510] },
    { indexes: ["append"], blobs: ["append", "ok", "k", "u", "f", "t"], doubles: [7, -1, 0, 500, 0, 3, 4, 1, 0, 510] },
  ]);
});

test("nobody is told where nobody watches", () => {
  assert.equal(toldBy({}), undefined);
  assert.equal(typeof toldBy({ metric: () => undefined }), "function");
});
