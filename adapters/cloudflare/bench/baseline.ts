// The algorithm that `cached` answers, as its document describes it, written anew: the response is cloned once, the clone is
// stored in the background; large ones are read in pieces of 5 MB, which are put one after the other, then a manifest; smaller
// ones are read as a whole. What the document does not say (how a manifest looks, how chunks are read) is as plain as can be.

/** Values of KV that hold a whole video. */
const SINGLE_ENTRY_BYTES_MAX = 20 * 1024 * 1024;
/** "40MB threshold for streaming". */
const STREAMING_BYTES_MIN = 40 * 1024 * 1024;
/** "typically 5MB". */
const CHUNK_BYTES = 5 * 1024 * 1024;

interface Manifest {
  totalSize: number;
  chunkKeys: string[];
  actualChunkSizes: number[];
  contentType: string;
}

/** Serves from KV, else from the origin, and stores in the background. */
export async function baseline(
  request: Request,
  ctx: ExecutionContext,
  kv: KVNamespace,
  fetchOrigin: (request: Request) => Promise<Response>,
): Promise<Response> {
  const key = new URL(request.url).pathname;
  const stored = await read(kv, key);
  if (stored !== null) return stored;
  const response = await fetchOrigin(request);
  // "Response bodies are cloned only once before being passed to background processes."
  ctx.waitUntil(store(kv, key, response.clone()));
  return response;
}

async function store(kv: KVNamespace, key: string, response: Response): Promise<boolean> {
  const contentLength = Number(response.headers.get("content-length") ?? 0);
  const contentType = response.headers.get("content-type") ?? "";
  if (contentLength <= STREAMING_BYTES_MIN) {
    const buffer = await response.arrayBuffer();
    if (buffer.byteLength <= SINGLE_ENTRY_BYTES_MAX) {
      await kv.put(key, buffer, { metadata: { contentType } });
      return true;
    }
    return storeInChunks(kv, key, new Response(buffer).body as ReadableStream<Uint8Array>, contentType);
  }
  return storeInChunks(kv, key, response.body as ReadableStream<Uint8Array>, contentType);
}

async function storeInChunks(kv: KVNamespace, key: string, stream: ReadableStream<Uint8Array>, contentType: string): Promise<boolean> {
  const manifest: Manifest = { totalSize: 0, chunkKeys: [], actualChunkSizes: [], contentType };
  const reader = stream.getReader();
  let currentChunkData: Uint8Array[] = [];
  let currentAccumulatedSize = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) {
      if (currentAccumulatedSize > 0) await storeCurrentChunk();
      break;
    }
    currentChunkData.push(value);
    currentAccumulatedSize += value.byteLength;
    if (currentAccumulatedSize >= CHUNK_BYTES) {
      await storeCurrentChunk();
      currentChunkData = [];
      currentAccumulatedSize = 0;
    }
  }
  await kv.put(key, JSON.stringify(manifest), { metadata: { chunked: true, contentType } });
  return true;

  async function storeCurrentChunk(): Promise<void> {
    const chunk = new Uint8Array(currentAccumulatedSize);
    let offset = 0;
    for (const data of currentChunkData) {
      chunk.set(data, offset);
      offset += data.byteLength;
    }
    const chunkKey = `${key}_chunk_${manifest.chunkKeys.length}`;
    await kv.put(chunkKey, chunk);
    manifest.chunkKeys.push(chunkKey);
    manifest.actualChunkSizes.push(chunk.byteLength);
    manifest.totalSize += chunk.byteLength;
  }
}

async function read(kv: KVNamespace, key: string): Promise<Response | null> {
  const { value, metadata } = await kv.getWithMetadata<{ chunked?: boolean; contentType: string }>(key, "stream");
  if (value === null) return null;
  const headers = { "content-type": metadata?.contentType ?? "" };
  if (metadata?.chunked !== true) return new Response(value, { headers });
  const manifest = (await new Response(value).json()) as Manifest;
  const { readable, writable } = new FixedLengthStream(manifest.totalSize);
  const pour = async () => {
    for (const chunkKey of manifest.chunkKeys) {
      const chunk = await kv.get(chunkKey, "stream");
      if (chunk === null) throw new Error(`missing chunk ${chunkKey}`);
      await chunk.pipeTo(writable, { preventClose: true });
    }
    await writable.close();
  };
  pour().catch((error: unknown) => writable.abort(error));
  return new Response(readable, { headers });
}
