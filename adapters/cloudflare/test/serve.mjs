// Runs the Worker of the tests in workerd. Prints its URL, and that of a page that tells the
// size of its JavaScript heap; ends when its input does.

import { createServer } from "node:http";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Miniflare, convertV4MiniflareOptions } from "miniflare";

const root = fileURLToPath(new URL("dist/", import.meta.url));
const [token, namespaces] = process.argv.slice(2);

const types = { ".js": "ESModule", ".wasm": "CompiledWasm" };
const modules = (await readdir(root)).map((name) => {
  return { type: types[name.slice(name.lastIndexOf("."))], path: join(root, name) };
});
modules.sort((one, other) => Number(other.type === "ESModule") - Number(one.type === "ESModule"));

const numbered = Array.from({ length: Number(namespaces) }, (_, number) => `KV${number}`);
const miniflare = new Miniflare(
  convertV4MiniflareOptions({
    name: "store",
    modules,
    modulesRoot: root,
    compatibilityDate: "2026-01-01",
    host: "127.0.0.1",
    // As `wrangler.jsonc` has it.
    assets: {
      directory: fileURLToPath(new URL("../assets/", import.meta.url)),
      routerConfig: { has_user_worker: true },
    },
    kvNamespaces: ["KV", ...numbered],
    bindings: { CHUNK_STORE_HTTP_TOKEN: token },
    // No network is asked for what Cloudflare would tell of a client.
    cf: false,
    inspectorPort: 0,
  }),
);
const url = (await miniflare.ready).origin;
const heap = createServer(async (_, response) => {
  try {
    response.end(JSON.stringify(await heapUsage()));
  } catch (error) {
    response.statusCode = 500;
    response.end(String(error));
  }
});
await new Promise((listening) => heap.listen(0, "127.0.0.1", listening));
console.log(JSON.stringify({ url, heap: `http://127.0.0.1:${heap.address().port}` }));

for await (const _ of process.stdin);
heap.close();
await miniflare.dispose();

/** What V8 says of the heap of the Worker. */
async function heapUsage() {
  const socket = new WebSocket(new URL("/core:user:store", await miniflare.getInspectorURL()));
  await new Promise((opened, failed) => {
    socket.onopen = opened;
    socket.onerror = failed;
  });
  const ask = (id, method) =>
    new Promise((answered) => {
      socket.addEventListener("message", ({ data }) => {
        const message = JSON.parse(data);
        if (message.id === id) answered(message.result);
      });
      socket.send(JSON.stringify({ id, method }));
    });
  const usage = await ask(1, "Runtime.getHeapUsage");
  socket.close();
  return usage;
}
