// The store, for a Worker that is there already: typed calls over a namespace of KV.

import { type Ended, incoming, outgoing } from "./body.js";
import { ALONE, start } from "./component.js";
import { STORE, type Whole } from "./component-store.js";
import { type OnEvent, type Watching, toldBy } from "./events.js";
import type * as Objects from "../gen/store/interfaces/streaming-chunk-store-objects.js";
import type * as Sweeping from "../gen/store/interfaces/streaming-chunk-store-sweeping.js";
import type * as Types from "../gen/store/interfaces/streaming-chunk-store-types.js";
import { type KvOptions, NamespaceKv } from "./kv.js";
import { GRACE_SECONDS } from "./sweep.js";
import { type Invocation, Watch, tellTally } from "./watch.js";
import { answer } from "./web.js";

/** A committed object. */
export type ObjectInfo = Types.ObjectInfo;
/** How an upload stands. */
export type UploadStatus = Types.UploadStatus;
/** What a sweep did. */
export type SweepReport = Sweeping.SweepReport;
/** See `put-options` of `wit/objects.wit`; all of it may be left out. */
export type PutOptions = Partial<Objects.PutOptions>;
/** Part of an object. */
export type ByteRange = Types.ByteRange;
/** What an object can be made of. */
export type Content = ReadableStream<Uint8Array> | ArrayBuffer | ArrayBufferView | string | Blob;

/** Why an operation failed: `docs/errors.md` says what to do about each. */
export class StoreError extends Error {
  override name = "StoreError";

  constructor(
    /** Which of the errors it is: `not-found`, `unavailable`, ... */
    readonly code: Types.Error["tag"],
    /** What comes with it, as `types.error` of `wit/types.wit` has it. */
    readonly detail: unknown,
  ) {
    super(detail === undefined ? code : `${code}: ${describe(detail)}`);
  }

  /** For `offset-mismatch`: where the upload stands. */
  get offset(): bigint | undefined {
    return this.code === "offset-mismatch" ? (this.detail as bigint) : undefined;
  }
}

function describe(detail: unknown): string {
  if (Array.isArray(detail)) return String(detail[0]);
  return typeof detail === "object" && detail !== null ? "another object is there" : String(detail);
}

/** How the platform differs, and who is watching. */
export interface StoreOptions extends KvOptions, Watching {
  /** The invocation's context, so that operations are told also where their body ends late, or its reader leaves. */
  ctx?: Invocation;
}

/** An object on its way out. */
export interface Found {
  info: ObjectInfo;
  /** Which bytes of the object the body holds: `start..end`, end excluded. */
  part: Types.Span;
  /** Every byte on it has been verified. It fails where not all can be delivered. */
  body: ReadableStream<Uint8Array>;
}

/**
 * The store over a namespace, for one invocation of a Worker: open it in each. Its calls
 * share the operations on KV that the invocation may make.
 */
export class Store {
  readonly #kv: NamespaceKv;
  readonly #namespace: KVNamespace;
  readonly #ctx: Invocation | undefined;
  readonly #tell: OnEvent | undefined;
  #component: Promise<Whole> | undefined;
  #watch: Watch | undefined;

  constructor(namespace: KVNamespace, options: StoreOptions = {}) {
    this.#namespace = namespace;
    this.#kv = new NamespaceKv(namespace, options);
    this.#ctx = options.ctx;
    this.#tell = toldBy(options);
  }

  /** The namespace. */
  get namespace(): KVNamespace {
    return this.#namespace;
  }

  /** How many operations on KV the invocation may still make. */
  get operationsLeft(): number {
    return this.#kv.operationsLeft;
  }

  /** The component itself, with everything that `wit/` describes. */
  component(): Promise<Whole> {
    this.#component ??= this.#start();
    return this.#component;
  }

  async #start(): Promise<Whole> {
    const component = await start(STORE, this.#kv.guest());
    this.#watch = this.#tell && new Watch(component, this.#tell);
    return component;
  }

  readonly #ask: Ask = async (operation) => {
    const component = await this.component();
    try {
      return await told(() => operation(component));
    } finally {
      this.#watch?.asked(this.#ctx);
    }
  };

  /** Stores a body under a key. It appears whole or not at all. */
  async put(key: string, body: Content, options: PutOptions = {}): Promise<ObjectInfo> {
    const { content, done } = incoming(streamOf(body));
    const ended = done.then((end): Ended<Types.Error> => {
      return end.tag === "ok" ? end : { tag: "err", val: { tag: "body-mismatch", val: end.val } };
    });
    return await this.#ask(({ objects }) => objects.put(key, content, ended, complete(options)));
  }

  /** Reads an object, or part of it; nothing if there is none. */
  async read(key: string, range?: ByteRange): Promise<Found | undefined> {
    const got = await unlessAbsent(this.#ask(({ objects }) => objects.get(key, { range })));
    if (got === undefined) return undefined;
    const [{ info, part }, content, ended] = got;
    return { info, part, body: outgoing(content, ended, part.end - part.start) };
  }

  /** Describes an object; nothing if there is none. */
  async head(key: string): Promise<ObjectInfo | undefined> {
    return await unlessAbsent(this.#ask(({ objects }) => objects.head(key, undefined)));
  }

  /** Deletes an object; says whether there was one. */
  async delete(key: string): Promise<boolean> {
    const deleted = this.#ask(async ({ objects }) => (await objects.delete(key, undefined), true));
    return (await unlessAbsent(deleted)) ?? false;
  }

  /**
   * Answers a GET or HEAD for an object by the rules of `docs/http.md`: ranges, conditions
   * and all. Of the request only its method and headers count. Whoever calls has decided
   * that the object may be read.
   */
  async get(key: string, request?: Request): Promise<Response> {
    const method = request?.method ?? "GET";
    if (method !== "GET" && method !== "HEAD") {
      return new Response(null, { status: 405, headers: { allow: "GET, HEAD" } });
    }
    // No object has an empty name, and the path leads elsewhere.
    if (key === "") return new Response(null, { status: 404 });
    const asked = new Request("http://store", { method, headers: readHeaders(request) });
    // What begins with `_/` is no object's path either; so written it is refused as a key.
    const path = key.split("/").map(encodeURIComponent).join("/");
    const target = `/${path.replace(/^_/, "%5F")}`;
    const failed = (why: string) => console.error(why);
    return await this.#ask((component) => answer(component, asked, target, failed));
  }

  /** Begins an upload: an object that is written in several calls, also across invocations. */
  async openUpload(key: string, options: PutOptions = {}): Promise<Upload> {
    const name = await this.#ask(({ uploads }) => uploads.begin(key, complete(options)));
    return new Upload(this.#ask, name);
  }

  /** Goes on with an upload, by its name. */
  async continueUpload(name: string): Promise<Upload> {
    return new Upload(this.#ask, name);
  }

  /** Deletes what no object needs any more, with at most so many operations on KV. */
  async sweep(operationsMax: number, cursor?: string): Promise<SweepReport> {
    const options = { graceSeconds: GRACE_SECONDS, noWriters: false, dryRun: false };
    return await this.#ask(({ sweeping }) => sweeping.sweep({ ...options, operationsMax, cursor }));
  }

  /** What the stores of this isolate have done that somebody watches, in the text format of Prometheus: `docs/metrics.md`. */
  async metrics(): Promise<string> {
    // One that does nothing else.
    const component = await start(STORE, this.#kv.guest(), ALONE);
    tellTally(component);
    const told = await answer(component, new Request("http://store"), "/_/metrics", (why) => console.error(why));
    return await told.text();
  }
}

/** Asks a store's component. Its errors come as {@link StoreError}s. */
type Ask = <T>(operation: (component: Whole) => Promise<T>) => Promise<T>;

/** An object that is written in several calls. */
export class Upload {
  readonly #ask: Ask;

  constructor(
    ask: Ask,
    /** Stands for the upload; to be kept by whoever wants to go on with it. */
    readonly name: string,
  ) {
    this.#ask = ask;
  }

  /** How it stands; nothing if it was given up or is past its deadline. */
  async status(): Promise<UploadStatus | undefined> {
    return await unlessAbsent(this.#ask(({ uploads }) => uploads.status(this.name)));
  }

  /**
   * Adds what a body holds, from where the upload stands. If the body breaks off, which is
   * `body-mismatch`, or the invocation's operations are used up, which is `unavailable`,
   * what came of it stays, but up to a megabyte at its end: `status` tells how much.
   */
  async append(offset: bigint, body: Content): Promise<UploadStatus> {
    const { content, done } = incoming(streamOf(body));
    const status = await this.#ask(({ uploads }) => uploads.append(this.name, offset, content));
    const end = await done;
    if (end.tag === "err") throw new StoreError("body-mismatch", end.val);
    return status;
  }

  /** Makes the object appear. Committing again returns the same object. */
  async commit(): Promise<ObjectInfo> {
    return await this.#ask(({ uploads }) => uploads.commit(this.name));
  }

  /** Gives it up. */
  async abort(): Promise<void> {
    await this.#ask(({ uploads }) => uploads.abort(this.name));
  }
}

function complete(options: PutOptions): Objects.PutOptions {
  return { metadata: [], ...options };
}

function streamOf(body: Content): ReadableStream<Uint8Array> {
  if (body instanceof ReadableStream) return body;
  return new Response(body as BodyInit).body ?? new Blob([]).stream();
}

/** What a reader may ask for. */
const READ_HEADERS = [
  "range",
  "if-range",
  "if-match",
  "if-none-match",
  "if-modified-since",
  "if-unmodified-since",
];

function readHeaders(request: Request | undefined): Headers {
  const headers = new Headers();
  for (const name of READ_HEADERS) {
    const value = request?.headers.get(name);
    if (value != null) headers.set(name, value);
  }
  return headers;
}

/** Errors of the component as {@link StoreError}s. */
async function told<T>(operation: () => Promise<T>): Promise<T> {
  try {
    return await operation();
  } catch (error) {
    const payload = (error as { payload?: Types.Error }).payload;
    if (payload?.tag === undefined) throw error;
    throw new StoreError(payload.tag, "val" in payload ? payload.val : undefined);
  }
}

async function unlessAbsent<T>(operation: Promise<T>): Promise<T | undefined> {
  try {
    return await operation;
  } catch (error) {
    if (error instanceof StoreError && error.code === "not-found") return undefined;
    throw error;
  }
}

