// A request on its way to the component's HTTP rules, and their answer on its way back.
// Every rule is in the component; docs/http.md says what they are.

import { incoming, outgoing } from "./body.js";
import type { Web } from "./component-web.js";

/** Told why the server could not serve a request: for its operator, and for nobody else. */
export type Log = (why: string) => void;

/** Answers a request by the rules; `target` is its path and query. `give` makes a stream of a body. */
export async function answer(
  component: Pick<Web, "web">,
  request: Request,
  target: string,
  log: Log,
  give: typeof outgoing = outgoing,
): Promise<Response> {
  const body = request.body === null ? undefined : incoming(request.body);
  const head = { method: request.method, target, headers: [...request.headers] };
  const { status, headers, length, failure, ...answered } = await component.web.handle(
    head as typeof head & { headers: [string, string][] },
    body?.content,
    body?.done,
  );
  if (failure !== undefined) log(failure);
  // What was stored in an encoding is sent as it is.
  const init: ResponseInit = { status, headers, encodeBody: "manual" };
  if (answered.body === undefined) return new Response(null, init);
  const { content, ended } = answered.body;
  return new Response(give(content, ended, length, log), init);
}

/** Path and query of a request, as far as the runtime has left them as they came. */
export function targetOf(request: Request): string {
  const start = request.url.indexOf("/", request.url.indexOf("://") + 3);
  const target = start < 0 ? "/" : request.url.slice(start);
  return target.replace(/#.*/, "");
}
