// The component of the library: the world `workers` of `wit/workers.wit`.

import core from "../gen/store/store.core.wasm";
import core2 from "../gen/store/store.core2.wasm";
import core3 from "../gen/store/store.core3.wasm";
import helper from "../gen/store/store.helper.wasm";
import { type Root, instantiate } from "../gen/store/store.js";
import type { Instance, Made } from "./component.js";

/** The HTTP rules, and the store itself. */
export type Whole = Instance<Root>;

/** What it is made of. */
export const STORE: Made<Root> = {
  instantiate,
  modules: {
    "store.core.wasm": core,
    "store.core2.wasm": core2,
    "store.core3.wasm": core3,
    "store.helper.wasm": helper,
  },
};
