// A key-value store over a directory, as `wit/kv.wit` asks for it: a file for each value.

import { randomUUID } from "node:crypto";
import { mkdir, open, readFile, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";

const LIMITS = {
  valueBytesMax: 16n << 20n,
  // A file's name has 255 bytes at most, and two digits for each of a key.
  keyBytesMax: 127,
  summaryBytesMax: 0,
  stalenessMs: 0,
  // Whoever gives up a write cannot stop it: this long a busy disk may keep it.
  writeLagMsMax: 30_000,
  rewriteIntervalMs: 0,
  concurrencyMax: 4,
  memoryBytesMax: 16n << 20n,
  rangedGet: false,
  conditionalWrite: false,
};

/** What a component calls as `kv`. The directory is made if it is not there. */
export async function openKv(directory) {
  const values = join(directory, "values");
  // Here they are written. What a process that was killed has left may be removed.
  const unfinished = join(directory, "unfinished");
  await mkdir(values, { recursive: true });
  await mkdir(unfinished, { recursive: true });
  const pathOf = (key) => join(values, nameOf(key));

  return {
    getLimits: () => LIMITS,

    get: (key) =>
      told(async () => {
        // Whoever calls takes the value's buffer, which is its own, and gives it back when done.
        const value = await unlessAbsent(readFile(pathOf(key)));
        return value && { value };
      }),

    // It is the new value or the one before, also after a crash: so files are not written over.
    set: (key, value) =>
      told(async () => {
        const path = join(unfinished, randomUUID());
        await written(path, value);
        await rename(path, pathOf(key));
        await synced(values);
        return "done";
      }),

    delete: (key) =>
      told(async () => {
        await rm(pathOf(key), { force: true });
        return "done";
      }),

    // Names are in the order of keys: so one of them can be the cursor.
    listKeys: (prefix, cursor, limit) =>
      told(async () => {
        const wanted = (name) => name.startsWith(nameOf(prefix)) && name > (cursor ?? "");
        const names = (await readdir(values)).filter(wanted).sort();
        const page = names.slice(0, limit);
        const keys = page.map((name) => ({ key: Buffer.from(name, "hex").toString() }));
        return { keys, cursor: names.length > limit ? page.at(-1) : undefined };
      }),
  };
}

function nameOf(key) {
  return Buffer.from(key).toString("hex");
}

async function written(path, value) {
  const file = await open(path, "wx");
  try {
    await file.writeFile(value);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Brings a directory's names to disk. */
async function synced(directory) {
  const opened = await open(directory);
  try {
    await opened.sync();
  } finally {
    await opened.close();
  }
}

async function unlessAbsent(reading) {
  try {
    return await reading;
  } catch (error) {
    if (error.code === "ENOENT") return undefined;
    throw error;
  }
}

/** A failure as `kv` has it; the component tries again. */
async function told(operation) {
  try {
    return await operation();
  } catch (error) {
    throw Object.assign(error, { payload: { tag: "unavailable", val: error.message } });
  }
}
