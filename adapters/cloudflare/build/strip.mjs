// Takes the names of functions, and whatever else is not run, out of a core module.

/** A module without its custom sections. */
export function strip(module) {
  const kept = [module.subarray(0, HEAD_BYTES)];
  let at = HEAD_BYTES;
  while (at < module.length) {
    const [bytes, start] = unsigned(module, at + 1);
    const end = start + bytes;
    if (module[at] !== CUSTOM) kept.push(module.subarray(at, end));
    at = end;
  }
  if (at !== module.length) throw new Error("the module ends in the middle of a section");
  return Buffer.concat(kept);
}

/** Magic and version. */
const HEAD_BYTES = 8;
/** The id of a custom section. */
const CUSTOM = 0;

/** A number in LEB128, and where it ends. */
function unsigned(bytes, at) {
  let value = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = bytes[at++];
    value += (byte & 0x7f) * 2 ** shift;
    if (byte < 0x80) return [value, at];
  }
}
