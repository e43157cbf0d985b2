// Builds the Worker and the library, each from its component: transpiles it to JavaScript, mends
// what comes out, makes the module smaller, checks the types, bundles, and checks the size. And
// the Worker of the tests.
//
//     node build/build.mjs path/to/workers-web.wasm path/to/workers.wasm

import { execFile, execFileSync } from "node:child_process";
import { copyFile, mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { transpile } from "@bytecodealliance/jco";
import { build } from "esbuild";
import { generate } from "./generate.mjs";

/**
 * What the Worker may weigh, compressed, in bytes. Cloudflare's own bound is 3 MB, or 10 MB on
 * a paid plan. To be lowered whenever it can be.
 */
const GZIP_BYTES_MAX = 333_000;

/** What makes the module smallest when it is compressed: `-Oz` saves bytes that repeat, and those that are left do not. */
const OPTIMIZATION = ["-O1", "--shrink-level=1"];

/** What rustc compiles for. Modules do not say it any more once their names are gone. */
const FEATURES = ["bulk-memory", "multivalue", "nontrapping-float-to-int", "reference-types", "simd"];

const root = fileURLToPath(new URL("..", import.meta.url));
const worker = join(root, "dist");
/** What Cloudflare serves from files, before it asks the Worker: the page `/_/ui`. */
const assets = join(root, "assets");

async function main(web, store) {
  const [ofWeb, ofStore] = await Promise.all([prepare(web, "web"), prepare(store, "store")]);
  execFileSync(join(root, "node_modules/.bin/tsc"), ["--noEmit"], { cwd: root, stdio: "inherit" });
  await bundle("src/index.ts", worker, [ofWeb]);
  await lay(fileURLToPath(new URL("../../http/src/ui/", import.meta.url)));
  await bundle("src/lib.ts", join(root, "lib"), [ofStore]);
  await bundle("test/worker.ts", join(root, "test/dist"), [ofWeb, ofStore]);
  await weigh();
}

/** JavaScript and core modules of a component, in files of this name; gives their directory. */
async function prepare(component, name) {
  const directory = join(root, "gen", name);
  await generate(transpile, await readFile(component), directory, name);
  const module = join(directory, `${name}.core.wasm`);
  const optimizer = join(root, "node_modules/binaryen/bin/wasm-opt");
  const flags = FEATURES.map((feature) => `--enable-${feature}`);
  await promisify(execFile)(process.execPath, [optimizer, ...OPTIMIZATION, ...flags, module, "--output", module]);
  return directory;
}

/** Core modules stay files: the runtime compiles them, code cannot. */
const besideTheBundle = {
  name: "beside-the-bundle",
  setup({ onResolve }) {
    onResolve({ filter: /\.wasm$/ }, ({ path }) => ({ path: `./${basename(path)}`, external: true }));
  },
};

/** An entry, in one file beside the core modules of these directories. */
async function bundle(entryPoint, outdir, generated) {
  await rm(outdir, { recursive: true, force: true });
  await build({
    absWorkingDir: root,
    entryPoints: [entryPoint],
    outdir,
    bundle: true,
    format: "esm",
    target: "es2024",
    minify: true,
    plugins: [besideTheBundle],
    logLevel: "warning",
  });
  for (const directory of generated) {
    for (const name of await readdir(directory)) {
      if (name.endsWith(".wasm")) await copyFile(join(directory, name), join(outdir, name));
    }
  }
}

/** Lays the page out where its paths are, with the headers that the rules give it (`adapters/http/src/ui.rs`). */
async function lay(page) {
  await rm(assets, { recursive: true, force: true });
  const directory = join(assets, "_/ui");
  await mkdir(directory, { recursive: true });
  for (const name of await readdir(page)) {
    if (name.endsWith(".txt")) continue;
    await copyFile(join(page, name), name === "index.html" ? `${directory}.html` : join(directory, name));
  }
  const headers = (await readFile(join(page, "headers.txt"), "utf8")).trim().split("\n");
  // What Cloudflare would send itself goes.
  const lines = headers.flatMap((header) => [`  ! ${header.split(":", 1)}`, `  ${header}`]);
  await writeFile(join(assets, "_headers"), ["/_/ui*", ...lines, ""].join("\n"));
}

/** Prints what a deployed Worker weighs, and fails if that is too much. */
async function weigh() {
  let bytes = 0;
  for (const name of (await readdir(worker)).sort()) {
    const gzipped = gzipSync(await readFile(join(worker, name)), { level: 9 }).byteLength;
    console.log(`dist/${name}: ${gzipped} bytes gzipped`);
    bytes += gzipped;
  }
  console.log(`the Worker: ${bytes} bytes gzipped`);
  if (bytes > GZIP_BYTES_MAX) {
    throw new Error(`the Worker has ${bytes} bytes gzipped, more than ${GZIP_BYTES_MAX}`);
  }
}

const [web, store] = process.argv.slice(2);
if (store === undefined) {
  console.error("build: give the paths of workers-web.wasm and workers.wasm");
  process.exit(2);
}
try {
  await main(web, store);
} catch (error) {
  console.error(`build: ${error.message}`);
  process.exit(1);
}
