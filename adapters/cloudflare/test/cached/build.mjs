// Bundles what the tests and the benchmark of `cached` run, into dist/ beside this file: Workers, and tests of pure parts.

import { execFileSync } from "node:child_process";
import { glob, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL("../../", import.meta.url));
const outdir = "test/cached/dist";

/** Core modules stay files: the runtime compiles them, code cannot. */
const beside = {
  name: "beside-the-bundle",
  setup({ onResolve }) {
    onResolve({ filter: /\.wasm$/ }, ({ path }) => ({ path: `./${basename(path)}`, external: true }));
  },
};

const common = {
  absWorkingDir: root,
  bundle: true,
  format: "esm",
  target: "es2024",
  logLevel: "warning",
  // jco writes a key twice.
  logOverride: { "duplicate-object-key": "silent" },
};

await rm(root + outdir, { recursive: true, force: true });
// The example of the page is a Worker that compiles.
await mkdir(root + outdir);
const page = await readFile(`${root}../../docs/cached.md`, "utf8");
const [, example] = /```ts\n(.*?)```/s.exec(page);
await writeFile(`${root}${outdir}/example.ts`, example);
execFileSync(`${root}node_modules/.bin/tsc`, ["--noEmit", "--project", "test/cached"], { cwd: root, stdio: "inherit" });
const workers = {
  "test-worker": "test/cached/worker.ts",
  "test-origin": "test/cached/origin.mjs",
  "bench-worker": "bench/worker.ts",
};
await build({ ...common, entryPoints: workers, outdir, plugins: [beside] });
const pure = await Array.fromAsync(glob("test/cached/pure/*.test.mjs", { cwd: root }));
const forNode = { outdir: `${outdir}/pure`, outbase: "test/cached/pure", platform: "node", outExtension: { ".js": ".mjs" } };
await build({ ...common, ...forNode, entryPoints: pure });
