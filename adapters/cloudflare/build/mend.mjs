// Mends what jco 1.35.0 generates, so that it runs in workerd, keeps to its memory and is
// fast. Each mend names its defect; when jco is updated, drop those that are not needed any
// more. A pattern that is not found as often as it has to be ends the build.

import { WAITING, WAITING_HELPERS } from "./waiting.mjs";

const MENDS = [
  {
    defect: "debug output builds its arguments for every call and byte, though it is off",
    // The bundler drops what follows `false &&`.
    pattern: /(?<!const )_debugLog\(/g,
    count: (n) => n > 250,
    mended: "false && _debugLog(",
  },
  {
    defect: "the result of an async import is lowered twice, and the first copy never freed",
    pattern:
      /(ret = \{ tag: 'err', val: getErrorPayload\(e\) \};\n {6}\}\n)(?:(?!_trampoline)[\s\S])*?( {6}false && _debugLog\('\[iface="streaming:chunk-store\/kv@[\d.]+", function="[a-z-]+"\]\[Instruction::AsyncTaskReturn\]')/g,
    count: 4,
    mended: "$1$2",
  },
  {
    defect: "a key is given twice, which bundlers warn of",
    pattern: /componentIdx: -1,\n +componentIdx: -1,/g,
    count: 1,
    mended: "componentIdx: -1,",
  },
  {
    defect: "lists of bytes are written byte by byte",
    pattern: /( {6}const origPtr = ctx\.storagePtr;\n)( {6}ctx\.storagePtr = dataPtr;\n)/g,
    count: 1,
    mended:
      "      if (elemLowerFn === _lowerFlatU8) {\n" +
      "        new Uint8Array(ctx.memory.buffer, dataPtr, elems.length).set(elems);\n" +
      // Values of megabytes would lie there until they are collected.
      "        elems.buffer.transfer(0);\n" +
      "        return;\n" +
      "      }\n$1$2",
  },
  {
    defect: "every buffer of a stream stays, with its bytes, in a map that nobody reads",
    pattern: / +instanceBuffers\.set\(nextBufID, buffer\);\n/g,
    count: 1,
    mended: "",
  },
  {
    defect: "what is left of a piece waits for the next one, and lies there when it comes",
    pattern: /while \(count > 0 && !pendingValues\.done\) \{/g,
    count: 1,
    mended: "while (values.length === 0 && count > 0 && !pendingValues.done) {",
  },
  {
    defect: "a stream's bytes are kept as arrays of numbers: buffers",
    pattern: /if \(args\.data !== undefined && !Array\.isArray\(args\.data\)\)/g,
    count: 1,
    mended: "if (args.data !== undefined && !_isList(args.data))",
  },
  {
    defect: "the same: what the guest wrote",
    pattern: /values = Array\.from\(new Uint8Array\(this\.#memory\.buffer, this\.#ptr, count\)\);/g,
    count: 1,
    // Of the buffer: that of an array fills its copy with zeros first.
    mended: "values = new Uint8Array(this.#memory.buffer.slice(this.#ptr, this.#ptr + count));",
  },
  {
    defect: "the same: what the host wrote",
    pattern:
      /values = this\.#hostOnlyData\.slice\(0, count\);\n( +)this\.#hostOnlyData = this\.#hostOnlyData\.slice\(count\);/g,
    count: 1,
    mended:
      "values = _part(this.#hostOnlyData, 0, count);\n" +
      "$1this.#hostOnlyData = _part(this.#hostOnlyData, count);",
  },
  {
    defect: "the same: writing to a buffer",
    pattern: /if \(!Array\.isArray\(values\)\) \{ throw new TypeError\('values input/g,
    count: 1,
    mended: "if (!_isList(values)) { throw new TypeError('values input",
  },
  {
    defect: "the same: adding to a buffer of the host",
    pattern: /this\.#hostOnlyData = this\.#hostOnlyData\.concat\(values\);/g,
    count: 1,
    mended: "this.#hostOnlyData = _joined(this.#hostOnlyData, values);",
  },
  {
    defect: "the same: reading in the host",
    pattern: /: new typedArray\(values\);/g,
    count: 1,
    mended: ": values instanceof typedArray ? values : new typedArray(values);",
  },
  {
    defect: "the same: writing for the host",
    pattern: /if \(!Array\.isArray\(values\)\) \{ throw new TypeError\("writeMany/g,
    count: 1,
    mended: 'if (!_isList(values)) { throw new TypeError("writeMany',
  },
  {
    defect: "the same: what was read ahead of the guest",
    pattern: /for \(let i = 0; i < transfer; i\+\+\) \{\n +target\.push\(chunk\[this\.#offset \+ i\]\);\n +\}/g,
    count: 1,
    mended: "target.add(_part(chunk, this.#offset, this.#offset + transfer));",
  },
  {
    defect: "the same: what is handed to the guest",
    pattern: /const values = \[\];\n( +const hasPendingReadBuffer)/g,
    count: 1,
    mended: "const values = new _Pieces();\n$1",
  },
  {
    defect: "the same",
    pattern: /pendingValues\.prepend\(values\);/g,
    count: 1,
    mended: "pendingValues.prepend(values.whole());",
  },
  {
    defect: "the same",
    pattern: /await writeValues\(values, pendingValues\.done\);/g,
    count: 1,
    mended: "await writeValues(values.whole(), pendingValues.done);",
  },
  {
    defect: "the same, where a read is cancelled",
    pattern: /const cancelValues = \[\];/g,
    count: 1,
    mended: "const cancelValues = new _Pieces();",
  },
  {
    defect: "the same",
    pattern: /hostWriteEnd\.writeMany\(cancelValues\)/g,
    count: 1,
    mended: "hostWriteEnd.writeMany(cancelValues.whole())",
  },
  {
    defect: "the same",
    pattern: /pendingValues\.prepend\(cancelValues\);/g,
    count: 1,
    mended: "pendingValues.prepend(cancelValues.whole());",
  },
  ...WAITING,
];

/** What the mended code calls. */
const HELPERS = `
function _isList(values) { return Array.isArray(values) || values instanceof Uint8Array; }
function _part(values, from, to) {
  return values instanceof Uint8Array ? values.subarray(from, to) : values.slice(from, to);
}
function _joined(some, more) {
  if (some.length === 0) { return more; }
  if (Array.isArray(some)) { return some.concat(more); }
  const all = new Uint8Array(some.length + more.length);
  all.set(some);
  all.set(more, some.length);
  return all;
}
class _Pieces {
  #all = [];
  length = 0;
  add(piece) { this.#all.push(piece); this.length += piece.length; }
  whole() { return this.#all.reduce(_joined, []); }
}
`;

const EMBEDDED = /new WebAssembly\.Module\(new Uint8Array\(\[([\s\dxa-f,]+)\]\)\)/g;

/**
 * Gives the mended code, and the bytes of the helper module that jco embeds: Workers take wasm
 * from modules only, so the code asks for it by this name.
 */
export function mend(code, helperFile) {
  let mended = code;
  for (const { defect, pattern, count, mended: replacement } of MENDS) {
    const found = [...mended.matchAll(pattern)].length;
    if (typeof count === "number" ? found !== count : !count(found)) {
      throw new Error(`jco's code has changed: ${pattern} is found ${found} times (${defect})`);
    }
    mended = mended.replace(pattern, replacement);
  }
  const embedded = [...mended.matchAll(EMBEDDED)];
  if (embedded.length !== 1) {
    throw new Error(`jco's code has changed: it embeds ${embedded.length} modules, not one`);
  }
  const helper = Uint8Array.from(embedded[0][1].split(",").filter((hex) => hex.trim()), Number);
  mended = mended.replace(EMBEDDED, `getCoreModule('${helperFile}')`);
  return { code: HELPERS + WAITING_HELPERS + mended, helper };
}

/** Streams of bytes are read and written in pieces; jco's types have them one by one. */
export function mendTypes(types) {
  return types.replaceAll("AsyncIterable<number>", "AsyncIterable<Uint8Array>");
}
