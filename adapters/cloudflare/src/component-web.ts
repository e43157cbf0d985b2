// The component of the Worker: the world `workers-web` of `wit/workers.wit`.

import core from "../gen/web/web.core.wasm";
import core2 from "../gen/web/web.core2.wasm";
import core3 from "../gen/web/web.core3.wasm";
import helper from "../gen/web/web.helper.wasm";
import { type Root, instantiate } from "../gen/web/web.js";
import type { Instance, Made } from "./component.js";

/** The HTTP rules, and what the store behind them tells. */
export type Web = Instance<Root>;

/** What it is made of. */
export const WEB: Made<Root> = {
  instantiate,
  modules: {
    "web.core.wasm": core,
    "web.core2.wasm": core2,
    "web.core3.wasm": core3,
    "web.helper.wasm": helper,
  },
};
