// Makes JavaScript of the component, in `gen/`:
//
//     node build.mjs path/to/store.wasm

import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { transpileBytes } from "@bytecodealliance/jco-transpile";
import { generate } from "../../adapters/cloudflare/build/generate.mjs";

const [path] = process.argv.slice(2);
if (path === undefined) {
  console.error("build: name the component store.wasm");
  process.exit(2);
}
const directory = fileURLToPath(new URL("gen", import.meta.url));
await generate(transpileBytes, await readFile(path), directory);
