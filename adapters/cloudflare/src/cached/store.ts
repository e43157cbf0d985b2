// What `cached` needs of the store: one question, spoken in the HTTP of `docs/http.md`. All rules of stored objects (ranges,
// conditions, metadata, expiry, uploads) are behind it.

import { pathOf } from "./key.js";

export interface Ask {
  readonly method: string;
  /** Path and query, percent-encoded. */
  readonly path: string;
  readonly headers: Headers;
  /** One that ends with an error is not stored. */
  readonly body?: ReadableStream<Uint8Array>;
}

export interface Store {
  /** Answers. A body that breaks off ends with an error. It may throw where the store cannot be reached at all. */
  ask(ask: Ask): Promise<Response>;
}

/** GET or HEAD of an object. */
export function read(store: Store, method: string, key: string, headers: Headers): Promise<Response> {
  return store.ask({ method, path: pathOf(key), headers });
}

/** Stores all of a body at once; nothing where it breaks off. */
export async function put(store: Store, key: string, headers: Headers, body: ReadableStream<Uint8Array>): Promise<void> {
  await succeed("PUT", store.ask({ method: "PUT", path: pathOf(key), headers, body }));
}

export async function remove(store: Store, key: string): Promise<void> {
  await store.ask({ method: "DELETE", path: pathOf(key), headers: new Headers() }).then(drain);
}

const TUS = { "tus-resumable": "1.0.0" };

/** Begins an upload of `size` bytes; gives its path. */
export async function begin(store: Store, key: string, described: Headers, size: number): Promise<string> {
  const headers = new Headers({ ...TUS, "upload-length": String(size) });
  const pairs = [`key ${base64(key)}`];
  for (const [name, value] of described) {
    if (name === "content-type") pairs.push(`filetype ${base64(value)}`);
    else headers.set(name, value);
  }
  headers.set("upload-metadata", pairs.join(","));
  const response = await succeed("begin an upload", store.ask({ method: "POST", path: "/_/uploads", headers }));
  const path = response.headers.get("location");
  if (path === null) throw new Error("begin an upload: the store gave no location");
  return path;
}

/** How far an upload has come; null where there is none that can be gone on with. */
export async function standing(store: Store, path: string, size: number): Promise<number | null> {
  const response = await store.ask({ method: "HEAD", path, headers: new Headers(TUS) });
  await drain(response);
  const offset = Number(response.headers.get("upload-offset") ?? NaN);
  const known = Number(response.headers.get("upload-length") ?? NaN);
  return response.ok && known === size && offset < size ? offset : null;
}

/** Adds a body to an upload; the last byte commits it. Gives how far it came. */
export async function append(store: Store, path: string, offset: number, body: ReadableStream<Uint8Array>): Promise<number> {
  const headers = new Headers({ ...TUS, "content-type": "application/offset+octet-stream", "upload-offset": String(offset) });
  const response = await succeed("append", store.ask({ method: "PATCH", path, headers, body }));
  return Number(response.headers.get("upload-offset"));
}

async function succeed(what: string, answer: Promise<Response>): Promise<Response> {
  const response = await answer;
  if (response.ok) return drain(response);
  throw new Error(`${what}: ${response.status} ${(await response.text()).slice(0, 300)}`);
}

/** A body that nobody wants holds memory until it is given up. */
export async function drain(response: Response): Promise<Response> {
  await response.body?.cancel().catch(() => undefined);
  return response;
}

function base64(text: string): string {
  return btoa(String.fromCharCode(...new TextEncoder().encode(text)));
}
