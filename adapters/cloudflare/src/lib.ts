// The library, for a Worker that is there already.
//
//     import { get, put } from "chunk-store-cloudflare";
//     await put(env.KV, "films/a.mp4", response.body, { contentType: "video/mp4" });
//     return get(env.KV, "films/a.mp4", request);

import { type Content, type ObjectInfo, type PutOptions, Store, type Upload } from "./store.js";

export { type CachedEvent, type Options as CachedOptions, type Ttl, cached } from "./cached.js";
export {
  type Logged,
  type Metric,
  type OnEvent,
  type OperationEvent,
  type StoreEvent,
  type Watching,
  logTo,
  pointsTo,
  toAll,
} from "./events.js";
export { type KvOptions, NamespaceKv } from "./kv.js";
export {
  type ByteRange,
  type Content,
  type Found,
  type ObjectInfo,
  type PutOptions,
  Store,
  StoreError,
  type StoreOptions,
  type SweepReport,
  Upload,
  type UploadStatus,
} from "./store.js";
export type { Invocation } from "./watch.js";

/** Stores a body under a key. It appears whole or not at all. */
export async function put(
  kv: KVNamespace,
  key: string,
  body: Content,
  options?: PutOptions,
): Promise<ObjectInfo> {
  return await new Store(kv).put(key, body, options);
}

/** Answers a GET or HEAD for an object: ranges, conditions and all. */
export async function get(kv: KVNamespace, key: string, request?: Request): Promise<Response> {
  return await new Store(kv).get(key, request);
}

/** Begins an object that is written in several calls, also across invocations. */
export async function openUpload(
  kv: KVNamespace,
  key: string,
  options?: PutOptions,
): Promise<Upload> {
  return await new Store(kv).openUpload(key, options);
}

/** Goes on with an upload, by its name. */
export async function continueUpload(kv: KVNamespace, name: string): Promise<Upload> {
  return await new Store(kv).continueUpload(name);
}
