// `Cache-Control`, as RFC 9111 section 5.2 has it. Pure.

/** Names in lower case; the value, without quotes, or null. */
export type Directives = ReadonlyMap<string, string | null>;

/** More than any cache has to count to (RFC 9111, section 1.2.2), in seconds. */
const SECONDS_MAX = 2 ** 31;

const DIRECTIVE = /\s*([^\s=,"]+)\s*(?:=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*)))?[^,]*(?:,|$)/g;

/** Reads the header. What cannot be read is passed over. */
export function parseDirectives(header: string | null): Directives {
  const directives = new Map<string, string | null>();
  for (const [, name, quoted, token] of (header ?? "").matchAll(DIRECTIVE)) {
    const key = (name as string).toLowerCase();
    const value = quoted?.replace(/\\(.)/g, "$1") ?? token ?? null;
    // Two that disagree make the answer stale (section 4.2.1).
    directives.set(key, directives.has(key) && directives.get(key) !== value ? "0" : value);
  }
  return directives;
}

/** A number of seconds; null where the directive is not there. One that is no number counts as 0. */
export function seconds(directives: Directives, name: string): number | null {
  const value = directives.get(name);
  if (value === undefined) return null;
  return /^\d+$/.test(value ?? "") ? Math.min(Number(value), SECONDS_MAX) : 0;
}
