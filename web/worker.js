// ONNX Runtime in a thread of its own, so that the page answers while a model runs. The page makes the thread of this
// function's text, behind the text of ONNX Runtime itself: from disk, browsers load no scripts into threads.
'use strict';

function worker() {
  const ARRAYS = {
    float32: Float32Array, float64: Float64Array, float16: self.Float16Array, bool: Uint8Array, uint8: Uint8Array, int8: Int8Array,
    uint16: Uint16Array, int16: Int16Array, uint32: Uint32Array, int32: Int32Array, uint64: BigUint64Array, int64: BigInt64Array,
  };
  let session;
  const actions = {
    async open({ module, wasm, model, external, device }) {
      ort.env.wasm.wasmPaths = { mjs: URL.createObjectURL(new Blob([module], { type: 'text/javascript' })) };
      ort.env.wasm.wasmBinary = wasm;
      ort.env.logLevel = 'error';
      const externalData = external.map(([path, data]) => ({ path, data }));
      session = await ort.InferenceSession.create(model, { executionProviders: [device], externalData, logSeverityLevel: 3 });
    },
    async run({ feeds }) {
      const tensors = {};
      for (const [name, { type, values, shape }] of Object.entries(feeds)) {
        const array = ARRAYS[type];
        if (!array) throw new Error(`this browser has no numbers of type ${type}, which ${name} takes`);
        const number = type.endsWith('int64') ? (value) => BigInt(Math.round(value)) : Number;
        tensors[name] = new ort.Tensor(type, array.from(values, number), shape);
      }
      const begin = performance.now();
      const results = await session.run(tensors);
      const milliseconds = performance.now() - begin;
      const outputs = {};
      for (const [name, { type, dims, data }] of Object.entries(results)) {
        // Where a browser has no type for half precision, its bits are given.
        const numbers = type === 'float16' && data instanceof Uint16Array ? Float64Array.from(data, ofHalf) : Float64Array.from(data, Number);
        outputs[name] = { shape: [...dims], values: numbers };
      }
      return { outputs, milliseconds };
    },
  };
  const ofHalf = (bits) => {
    const [sign, exponent, fraction] = [bits >> 15 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
    if (exponent === 31) return fraction ? NaN : sign * Infinity;
    return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -24 * fraction);
  };
  self.onmessage = async ({ data: { id, action, ...request } }) => {
    try {
      self.postMessage({ id, result: await actions[action](request) });
    } catch (error) {
      self.postMessage({ id, error: String(error?.message ?? error) });
    }
  };
}
