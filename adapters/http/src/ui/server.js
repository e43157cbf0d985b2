// Requests to the server that the page came from.

const PAGE = new URL('.', document.baseURI).href;
// By joining text: resolving a path that begins with `//` would name another server.
const ROOT = new URL('..', document.baseURI).href;
const TOKEN = 'chunk-store-token';

/** How long links for the page's own use are good, in seconds. */
const OWN_LINK_SECONDS = 12 * 3600;

/** An answer that is an error: its message is one line, `status` is 0 without an answer. */
export class Problem extends Error {
  constructor(message, status = 0, facts = {}) {
    super(message);
    this.status = status;
    this.facts = facts;
  }
}

/** The token of this tab; null where none is known. */
export function token() {
  return sessionStorage.getItem(TOKEN);
}

/** Keeps the token until the tab is closed, or forgets it. */
export function setToken(token) {
  if (token) sessionStorage.setItem(TOKEN, token);
  else sessionStorage.removeItem(TOKEN);
}

let askForToken = () => Promise.reject(new Problem('the server asks for a token', 401));
let asking = null;

/** Says how to get a token when the server asks for one; called with what is wrong. */
export function whenUnauthorized(ask) {
  askForToken = ask;
}

/** Waits until there is another token than the one that was refused. */
export function anotherToken(refused) {
  if (token() !== refused) return Promise.resolve();
  asking ??= askForToken(refused).finally(() => { asking = null; });
  return asking;
}

/** The headers of a request with this token. */
export function bearer(token) {
  return token ? { Authorization: `Bearer ${token}` } : {};
}

/** A request to `url`; an answer that is an error is thrown as a {@link Problem}. */
async function send(url, { headers = {}, ...options }, given) {
  let response;
  try {
    const all = { ...headers, ...bearer(given) };
    response = await fetch(url, { ...options, headers: all, credentials: 'omit', cache: 'no-store' });
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new Problem('the server does not answer; is it running?');
  }
  if (response.ok) return response;
  throw await problemOf(response.status, response);
}

/** What an answer says went wrong. `body` has `json()`. */
export async function problemOf(status, body) {
  const problem = await body.json().catch(() => ({}));
  return new Problem(problem.detail ?? `the server answered ${status}`, status, problem);
}

async function ask(url, options = {}) {
  for (;;) {
    const given = token();
    try {
      return await send(url, options, given);
    } catch (error) {
      if (error.status !== 401) throw error;
      await anotherToken(given);
    }
  }
}

/** Whether the server takes this token; throws what is wrong if it cannot tell. */
export async function takes(candidate) {
  try {
    await send(`${PAGE}list?limit=1`, {}, candidate);
    return true;
  } catch (error) {
    if (error.status === 401) return false;
    throw error;
  }
}

/** The path of a key, below what it is joined to. */
export function pathOf(key) {
  const parts = key.split('/');
  // Browsers take `.` and `..` out of paths, and would ask for another object.
  if (parts.some((part) => part === '.' || part === '..')) {
    throw new Problem(`the key ${JSON.stringify(key)} cannot be used over HTTP: it holds "." or ".."`);
  }
  if (!key || key.startsWith('_/')) {
    throw new Problem(`the key ${JSON.stringify(key)} cannot be used over HTTP`);
  }
  return parts.map(encodeURIComponent).join('/');
}

const json = async (url, options) => (await ask(url, options)).json();

/** A page of objects and prefixes with their summaries. */
export async function list(prefix, cursor, signal) {
  const url = (details) => `${PAGE}list?${new URLSearchParams({
    prefix, delimiter: '/', limit: 100, ...(cursor && { cursor }), ...(details && { details }),
  })}`;
  const page = await json(url(false), { signal });
  const summarized = page.objects.every((object) => object.summary);
  // Where the platform keeps no summaries, each object is asked for.
  return summarized ? page : json(url(true), { signal });
}

/** An object, and chunks of it from the byte `from` on. */
export function manifest(key, from, limit, signal) {
  return json(`${PAGE}manifest/${pathOf(key)}?${new URLSearchParams({ from, limit })}`, { signal });
}

/** A URL that reads an object without the token, and when it ends: `null` is never. */
export async function link(key, seconds = OWN_LINK_SECONDS) {
  const url = `${PAGE}sign/${pathOf(key)}?seconds=${seconds}`;
  const { path, expires } = await json(url, { method: 'POST' });
  return { url: ROOT + path.slice(1), expires };
}

/** The first `count` bytes of an object. */
export async function head(key, count, signal) {
  const headers = { Range: `bytes=0-${count - 1}` };
  return (await ask(ROOT + pathOf(key), { headers, signal })).arrayBuffer();
}

/** Deletes an object. */
export async function remove(key) {
  await ask(ROOT + pathOf(key), { method: 'DELETE' });
}

/** Whether the server takes writes at all. */
export async function writable() {
  const response = await ask(`${PAGE}uploads`, { method: 'OPTIONS' });
  return /\bPOST\b/.test(response.headers.get('Allow') ?? '');
}

/** Where uploads are made; `name` is one of them. */
export function uploadUrl(name) {
  return name ? `${PAGE}uploads/${encodeURIComponent(name)}` : `${PAGE}uploads`;
}

/** Uploads under way, at most a hundred. */
export async function uploads() {
  return (await json(uploadUrl())).uploads;
}

/** Gives an upload up. */
export async function abort(name) {
  await ask(uploadUrl(name), { method: 'DELETE', headers: { 'Tus-Resumable': '1.0.0' } });
}
