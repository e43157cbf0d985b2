// The build must end where jco's code is not what the mends know.

import assert from "node:assert/strict";
import { test } from "node:test";
import { mend } from "../build/mend.mjs";

test("code that no mend fits is refused, and the pattern is named", () => {
  assert.throws(() => mend("export function instantiate() {}"), /jco's code has changed: .*_debugLog/);
});

test("code that is mended already is refused", async () => {
  const { readFile } = await import("node:fs/promises");
  const mended = await readFile(new URL("../gen/store/store.js", import.meta.url), "utf8");
  assert.throws(() => mend(mended), /jco's code has changed/);
});
