// The note beside an object: which upload a fill that was cut off left behind, and until when an object that was asked about
// is fresh again. It is small, kept in the store, and remembered by the isolate, for which KV may be a minute late.

import { type Store, drain, put, read } from "./store.js";

export interface Fill {
  /** Path of the upload. */
  readonly upload: string;
  readonly size: number;
  /** The origin's, to go on by. */
  readonly validator: string;
  /** Headers of the first answer, for those who are answered from what follows. */
  readonly headers: readonly (readonly [string, string])[];
  /** Tells this fill from others. */
  readonly id: string;
}

export interface Note {
  readonly fill?: Fill;
  /** The fill that made the object, and until when it is fresh; ms since the Unix epoch. */
  readonly fresh?: { readonly id: string; readonly until: number };
}

/** Notes that an isolate remembers. */
const REMEMBERED_MAX = 256;
/** Uploads are kept for a day. */
const NOTE_SECONDS = 86_400;

export class Notes {
  readonly #remembered = new Map<string, Note>();

  /** What is noted; nothing where the store does not know, or cannot say. */
  async read(store: Store, key: string): Promise<Note> {
    const remembered = this.#remembered.get(key);
    if (remembered !== undefined) return remembered;
    const response = await read(store, "GET", key, new Headers());
    if (response.status !== 200) return drain(response).then(() => ({}));
    try {
      return (await response.json()) as Note;
    } catch {
      return {};
    }
  }

  async write(store: Store, key: string, note: Note): Promise<void> {
    this.#remembered.delete(key);
    this.#remembered.set(key, note);
    for (const oldest of this.#remembered.keys()) {
      if (this.#remembered.size <= REMEMBERED_MAX) break;
      this.#remembered.delete(oldest);
    }
    const bytes = new TextEncoder().encode(JSON.stringify(note));
    const headers = new Headers({
      "content-type": "application/json",
      "content-length": String(bytes.byteLength),
      "x-ttl-seconds": String(NOTE_SECONDS),
    });
    await put(store, key, headers, new Blob([bytes]).stream() as ReadableStream<Uint8Array>);
  }
}
