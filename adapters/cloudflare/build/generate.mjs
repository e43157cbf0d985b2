// What jco makes of a component, mended: JavaScript, its types and core modules. The Worker is
// built of it, and examples/node.

import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { mend, mendTypes } from "./mend.mjs";
import { strip } from "./strip.mjs";

/**
 * Writes them to a directory, in files of this name; what was there is removed. `transpile` is
 * that of jco 1.35.0, or `transpileBytes` of its jco-transpile: the caller's own, which Node
 * would not find from here.
 */
export async function generate(transpile, component, directory, name = "store") {
  const { files } = await transpile(component, {
    name,
    instantiation: "async",
    namespacedExports: false,
    nodejsCompat: false,
    // jco's own default, which jco-transpile does not share: what is thrown is an Error.
    noComponentErrorWrapping: false,
  });
  await rm(directory, { recursive: true, force: true });
  await mkdir(join(directory, "interfaces"), { recursive: true });
  const decode = (bytes) => new TextDecoder().decode(bytes);
  for (const [file, bytes] of Object.entries(files)) {
    let content = bytes;
    if (file === `${name}.js`) {
      const helperFile = `${name}.helper.wasm`;
      const { code, helper } = mend(decode(bytes), helperFile);
      await writeFile(join(directory, helperFile), helper);
      content = code;
    } else if (file.endsWith(".d.ts")) {
      content = mendTypes(decode(bytes));
    } else if (file.endsWith(".wasm")) {
      content = strip(bytes);
    }
    await writeFile(join(directory, file), content);
  }
}
