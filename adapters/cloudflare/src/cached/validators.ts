// The origin's validators beside the store's. Clients are shown the origin's, on a miss and on a hit, so that the
// answers to one film agree; the component judges conditions by its own. So conditions are put into its names
// before it sees them. Pure.

/** A validator to go on with by `If-Range`: it has to be strong (RFC 9110, sections 13.1.5 and 8.8.2.2). */
export function strongValidator(headers: Headers): string | null {
  const etag = headers.get("etag");
  if (etag !== null) return /^"[^"]*"$/.test(etag) ? etag : null;
  const modified = headers.get("last-modified");
  const [at, sent] = [Date.parse(modified ?? ""), Date.parse(headers.get("date") ?? "")];
  // A second time it may be changed within the same second.
  return sent - at >= 60_000 ? modified : null;
}

/** Whether a request asks about a version that the client has. */
export function isConditional(headers: Headers): boolean {
  return CONDITIONS.some((name) => headers.has(name));
}

export const CONDITIONS = ["if-none-match", "if-modified-since", "if-match", "if-unmodified-since", "if-range"] as const;

export interface Names {
  readonly etag: string | null;
  readonly modified: string | null;
}

/** Before all that is stored. */
const NEVER = "Thu, 01 Jan 1970 00:00:00 GMT";

/** The conditions of a client, by the origin's names, in the store's. */
export function translate(headers: Headers, origin: Names, store: Names): Headers {
  const translated = new Headers(headers);
  for (const name of CONDITIONS) {
    const given = headers.get(name);
    if (given === null) continue;
    const isDate = name.endsWith("since") || (name === "if-range" && !given.includes('"'));
    const told = isDate ? date(name, given, origin, store) : etags(given, origin, store);
    translated.set(name, told);
  }
  return translated;
}

/** Tags of the origin become the store's; others stay, and match nothing. */
function etags(given: string, origin: Names, store: Names): string {
  if (origin.etag === null || store.etag === null) return given;
  const opaque = origin.etag.replace(/^W\//, "");
  return given.split(opaque).join(store.etag);
}

/** Dates from the origin's on stand for the store's own date, earlier ones for one before it. */
function date(name: string, given: string, origin: Names, store: Names): string {
  if (origin.modified === null || store.modified === null) return given;
  const [asked, known] = [Date.parse(given), Date.parse(origin.modified)];
  const holds = name === "if-range" ? given === origin.modified : asked >= known;
  return holds ? store.modified : NEVER;
}
