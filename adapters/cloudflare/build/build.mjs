// Builds the Worker and the library from the component: transpiles it to JavaScript, mends
// what comes out, checks the types, bundles, and checks the size. And the Worker of the tests.
//
//     node build/build.mjs path/to/workers.wasm

import { execFileSync } from "node:child_process";
import { copyFile, readFile, readdir, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { transpile } from "@bytecodealliance/jco";
import { build } from "esbuild";
import { generate } from "./generate.mjs";

/**
 * What the Worker may weigh, compressed, in bytes. Cloudflare's own bound is 3 MB, or 10 MB on
 * a paid plan. To be lowered whenever it can be.
 */
const GZIP_BYTES_MAX = 490_000;

const root = fileURLToPath(new URL("..", import.meta.url));
const generated = join(root, "gen");
const bundled = join(root, "dist");
const tested = join(root, "test/dist");

async function main(component) {
  await generate(transpile, await readFile(component), generated);
  execFileSync(join(root, "node_modules/.bin/tsc"), ["--noEmit"], { cwd: root, stdio: "inherit" });
  await bundle(["src/index.ts", "src/lib.ts"], bundled);
  await bundle(["test/worker.ts"], tested);
  await weigh();
}

/** Core modules stay files: the runtime compiles them, code cannot. */
const besideTheBundle = {
  name: "beside-the-bundle",
  setup({ onResolve }) {
    onResolve({ filter: /\.wasm$/ }, ({ path }) => ({ path: `./${basename(path)}`, external: true }));
  },
};

/** Entries, each in one file beside the core modules. */
async function bundle(entryPoints, outdir) {
  await rm(outdir, { recursive: true, force: true });
  await build({
    absWorkingDir: root,
    entryPoints,
    outdir,
    bundle: true,
    format: "esm",
    target: "es2024",
    minify: true,
    plugins: [besideTheBundle],
    logLevel: "warning",
  });
  for (const name of await readdir(generated)) {
    if (name.endsWith(".wasm")) {
      await copyFile(join(generated, name), join(outdir, name));
    }
  }
}

/** Prints what a deployed Worker weighs, and fails if that is too much. */
async function weigh() {
  let bytes = 0;
  for (const name of (await readdir(bundled)).sort()) {
    if (name === "lib.js") continue;
    const gzipped = gzipSync(await readFile(join(bundled, name)), { level: 9 }).byteLength;
    console.log(`dist/${name}: ${gzipped} bytes gzipped`);
    bytes += gzipped;
  }
  console.log(`the Worker: ${bytes} bytes gzipped`);
  if (bytes > GZIP_BYTES_MAX) {
    throw new Error(`the Worker has ${bytes} bytes gzipped, more than ${GZIP_BYTES_MAX}`);
  }
}

const [component] = process.argv.slice(2);
if (component === undefined) {
  console.error("build: give the path of workers.wasm");
  process.exit(2);
}
try {
  await main(component);
} catch (error) {
  console.error(`build: ${error.message}`);
  process.exit(1);
}
