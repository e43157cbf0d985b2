// The origin of the tests, a Worker: films of any size with their validators, ranges, and the ways in which origins fail. A path
// is `/NAME?size=...`; what it does is told by the query, what it was asked by `/_/asked`.

import { content } from "./content.mjs";

const asked = [];
const films = new Map();

export default {
  async fetch(request) {
    const url = new URL(request.url);
    if (url.pathname === "/_/asked") return Response.json(asked);
    // What a path says from now on, whatever its query says.
    if (url.pathname === "/_/set") {
      films.set(url.searchParams.get("path"), await request.json());
      return new Response(null, { status: 204 });
    }
    const film = { ...Object.fromEntries(url.searchParams), ...films.get(url.pathname) };
    asked.push({ path: url.pathname, method: request.method, headers: Object.fromEntries(request.headers) });
    const nth = asked.filter(({ path }) => path === url.pathname).length;
    if (film["ms-before"]) await scheduler.wait(Number(film["ms-before"]));
    if (film.throws) throw new Error("the origin is away");
    return answer(request, film, nth);
  },
};

function answer(request, film, nth) {
  const size = Number(film.size ?? 0);
  const seed = Number(film.seed ?? 1);
  const headers = new Headers({ "content-type": "video/mp4", date: new Date().toUTCString(), ...JSON.parse(film.headers ?? "{}") });
  const etag = film.etag ?? `"film-${seed}"`;
  if (etag !== "none") headers.set("etag", etag);
  if (film["cache-control"]) headers.set("cache-control", film["cache-control"]);
  if (etag !== "none" && request.headers.get("if-none-match") === etag) return new Response(null, { status: 304, headers });
  const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.get("range") ?? "");
  const condition = request.headers.get("if-range");
  let [start, end, status] = [0, size, Number(film.status ?? 200)];
  const holds = condition === null || condition === etag || film["if-range"] === "unknown";
  if (range && film.ranges !== "none" && holds) {
    [start, end, status] = [Number(range[1]), range[2] === "" ? size : Math.min(size, Number(range[2]) + 1), 206];
    headers.set("content-range", `bytes ${start}-${end - 1}/${size}`);
  }
  if ([204, 304].includes(status)) return new Response(null, { status, headers });
  // Failures of the first answer only, unless it says otherwise.
  const failing = film.always || nth === 1;
  // Between Workers it is not told by the stream.
  if (film.length !== "none") headers.set("content-length", String(Number(film.length ?? end - start)));
  const body = film.length !== undefined ? new IdentityTransformStream() : new FixedLengthStream(end - start);
  pump(body.writable, { ...film, seed }, start, end, failing).catch(() => undefined);
  return new Response(body.readable, { status, headers });
}

async function pump(writable, film, start, end, failing) {
  const writer = writable.getWriter();
  const piece = Number(film.piece ?? 1 << 20);
  const breakAt = failing && film["break-at"] ? Number(film["break-at"]) : Infinity;
  const stallAt = failing && film["stall-at"] ? Number(film["stall-at"]) : Infinity;
  for (let at = start; at < end; ) {
    const stop = Math.min(end, at + piece, at < breakAt ? breakAt : Infinity, at < stallAt ? stallAt : Infinity);
    const bytes = content(film.seed, at, stop);
    await writer.write(bytes);
    at += bytes.byteLength;
    if (at === breakAt) return writer.abort(new Error("the origin breaks off"));
    if (at === stallAt) await scheduler.wait(600_000);
    if (film["ms-a-piece"]) await scheduler.wait(Number(film["ms-a-piece"]));
  }
  await writer.close();
}
