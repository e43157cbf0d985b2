// The runtime and the bundler give a compiled module for a `.wasm` file.
declare module "*.wasm" {
  const module: WebAssembly.Module;
  export default module;
}
