// Where an answer is kept: a prefix, the version, what the client's headers say that count, and the key.

/** Longer keys are cut and told apart by a digest: Workers KV ends at 512 bytes, and the store needs some. */
const KEY_BYTES_MAX = 440;
const DIGEST_CHARS = 32;

export interface Naming {
  readonly prefix: string;
  readonly version: string;
  readonly vary: readonly string[];
}

export interface Keys {
  /** Of the object. */
  readonly object: string;
  /** Of the note about it. */
  readonly note: string;
}

/** The store's keys for a cache key and a request's headers. */
export async function keysOf(key: string, headers: Headers, naming: Naming): Promise<Keys> {
  const variant = naming.vary.map((name) => `${name}=${encodeURIComponent(headers.get(name) ?? "")}&`).join("");
  const tail = await bounded(`${encodeURIComponent(naming.version)}/${variant}${tidy(key)}`);
  return { object: `${naming.prefix}o/${tail}`, note: `${naming.prefix}n/${tail}` };
}

/** The path under which the component knows a key. */
export function pathOf(key: string): string {
  return `/${key.split("/").map(encodeURIComponent).join("/")}`;
}

/** Without what the store refuses: control characters, and `.` and `..` between slashes. */
function tidy(key: string): string {
  const safe = key.replace(/[\u0000-\u001f\u007f-\u009f%]/g, (c) => encodeURIComponent(c));
  return safe.split("/").map((part) => (part === "." || part === ".." ? part.replaceAll(".", "%2E") : part)).join("/");
}

async function bounded(key: string): Promise<string> {
  const bytes = new TextEncoder().encode(key);
  if (bytes.length <= KEY_BYTES_MAX) return key;
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  const hex = [...digest.slice(0, DIGEST_CHARS / 2)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const kept = new TextDecoder().decode(bytes.slice(0, KEY_BYTES_MAX - DIGEST_CHARS - 4)).replaceAll("\ufffd", "");
  return `${kept}~${hex}`;
}
