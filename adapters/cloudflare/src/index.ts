// The Worker: the store with HTTP in front, over the namespace that is bound as `KV`. Its
// settings are variables and secrets: see docs/http.md and docs/cloudflare.md.

import { NamespaceKv } from "./kv.js";
import { worker } from "./worker.js";

export default worker((env) => new NamespaceKv(env.KV));
