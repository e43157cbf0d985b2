// The origin's body, byte after byte, over its failures: who breaks off or stalls is asked for the rest, with `Range` and
// `If-Range`, as often as was set. What is not the rest of the same representation is never taken for it.

import { CONDITIONS } from "./validators.js";
import { contentRange } from "./range.js";
import { readerOf } from "./reading.js";
import { within } from "./wake.js";

export interface Body {
  readonly response: Response;
  /** Of all of it; null where nobody knows. */
  readonly length: number | null;
  /** What `If-Range` can name; null where the rest cannot be asked for. */
  readonly validator: string | null;
}

export interface Care {
  readonly stallMs: number;
  readonly retries: number;
  /** Asks for the rest from an offset. */
  readonly again: (offset: number, validator: string) => Promise<Response>;
  readonly onAgain: (offset: number, why: string) => void;
}

/** The request for the whole of it: without the client's range and conditions, in no encoding. */
export function wholeRequest(request: Request): Request {
  const headers = new Headers(request.headers);
  for (const name of ["range", ...CONDITIONS]) headers.delete(name);
  headers.set("accept-encoding", "identity");
  return new Request(request.url, { method: "GET", headers, redirect: request.redirect });
}

/** The request for bytes from an offset on, if it is still the same. */
export function restRequest(request: Request, offset: number, end: number | null, validator: string): Request {
  const rest = wholeRequest(request);
  rest.headers.set("range", `bytes=${offset}-${end === null ? "" : end - 1}`);
  rest.headers.set("if-range", validator);
  return rest;
}

/**
 * Whether an answer is the rest, from this offset on, of the representation of this length that `validator` names. An origin that
 * knows no `If-Range` may send the rest of another (RFC 9110, section 15.3.7.3).
 */
export function isRest(response: Response, offset: number, length: number | null, validator: string): boolean {
  const range = response.status === 206 ? contentRange(response.headers.get("content-range")) : null;
  const own = response.headers.get(validator.startsWith('"') ? "etag" : "last-modified") ?? validator;
  return range !== null && range.start === offset && (length === null || range.length === length) && own === validator;
}

/** Its pieces from `offset` on, where its response begins. Throws where it broke off for good, or was not as long as it said. */
export async function* pieces(body: Body, offset: number, care: Care): AsyncGenerator<Uint8Array, void> {
  let { response } = body;
  for (let retries = 0; ; retries += 1) {
    let why: string;
    const reader = readerOf(response.body);
    try {
      for (;;) {
        const piece = await within(reader.next(), care.stallMs, "the origin sends nothing");
        if (piece === null) break;
        offset += piece.byteLength;
        if (body.length !== null && offset > body.length) break;
        yield piece;
      }
      if (body.length === null || offset === body.length) return;
      why = `the origin ended after ${offset} of ${body.length} bytes`;
    } catch (error) {
      why = error instanceof Error ? error.message : String(error);
    } finally {
      // Also where nobody wants more.
      reader.cancel();
    }
    const tooLong = body.length !== null && offset > body.length;
    if (tooLong) throw new Error(`the origin sends more than the ${body.length} bytes that it announced`);
    if (body.validator === null || body.length === null || retries >= care.retries) throw new Error(why);
    care.onAgain(offset, why);
    response = await care.again(offset, body.validator);
    if (!isRest(response, offset, body.length, body.validator)) {
      await response.body?.cancel().catch(() => undefined);
      throw new Error(`${why}; asked for the rest, it answered ${response.status}`);
    }
  }
}
