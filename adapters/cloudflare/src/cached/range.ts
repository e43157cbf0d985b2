// The range of a request that is answered while the object is fetched (RFC 9110, section 14). Stored objects
// are answered by the component, which knows all of the rules; here one range is cut out of a whole. Pure.

/** Bytes `start..end`, end excluded. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

export type Wanted = { readonly whole: true } | { readonly span: Span } | { readonly none: true };

/**
 * What a GET is answered with, of a representation of `length` bytes. Where the length is not known, and for several
 * ranges, it is all of it: `Range` may be passed over (section 14.2).
 */
export function wanted(headers: Headers, length: number | null, validators: Headers): Wanted {
  const range = /^\s*bytes\s*=\s*(\d*)\s*-\s*(\d*)\s*$/i.exec(headers.get("range") ?? "");
  if (range === null || length === null || !ifRangeHolds(headers.get("if-range"), validators)) return { whole: true };
  const [first, last] = [range[1] as string, range[2] as string];
  if (first === "") {
    if (last === "") return { whole: true };
    const start = Math.max(0, length - Number(last));
    if (length === 0 && Number(last) > 0) return { whole: true };
    return start < length ? { span: { start, end: length } } : { none: true };
  }
  const start = Number(first);
  if (last !== "" && Number(last) < start) return { whole: true };
  if (start >= length) return { none: true };
  return { span: { start, end: last === "" ? length : Math.min(length, Number(last) + 1) } };
}

/** The very representation is meant, or there is no condition (section 13.1.5). */
function ifRangeHolds(condition: string | null, validators: Headers): boolean {
  if (condition === null) return true;
  const etag = validators.get("etag");
  const given = condition.trim();
  return given.startsWith('"') ? given === etag : given === validators.get("last-modified");
}

/** Of `Content-Range: bytes 5-9/10`: where it starts, ends (excluded), and the whole length. */
export function contentRange(header: string | null): (Span & { readonly length: number }) | null {
  const parts = /^\s*bytes (\d+)-(\d+)\/(\d+)\s*$/i.exec(header ?? "");
  if (parts === null) return null;
  const [start, last, length] = [Number(parts[1]), Number(parts[2]), Number(parts[3])];
  return start <= last && last < length ? { start, end: last + 1, length } : null;
}

/** A `Content-Length`; null where it is not known. */
export function lengthOf(headers: Headers): number | null {
  const length = headers.get("content-length") ?? "";
  return /^\d{1,15}$/.test(length) ? Number(length) : null;
}
