// Speaks for onnxruntime-web on WebAssembly: node worker.js FOLDER_OF_THE_PACKAGE. See `Runtime` in matrix.py; `abslrp
// verify --runtime web` starts it, too.
const fs = require('fs');
const path = require('path');
const ort = require(process.argv[2]);

const ARRAYS = {
  float32: Float32Array, float64: Float64Array, float16: Uint16Array, bool: Uint8Array, uint8: Uint8Array,
  int8: Int8Array, int32: Int32Array, int64: BigInt64Array,
};

async function run(request) {
  const externalData = (request.external || []).map(([path, file]) => ({ path, data: new Uint8Array(fs.readFileSync(file)) }));
  const session = await ort.InferenceSession.create(fs.readFileSync(request.model), { logSeverityLevel: 4, externalData });
  try {
    const feeds = {};
    for (const { name, type, shape, file } of request.inputs) {
      // A copy of its own is aligned.
      const bytes = new Uint8Array(fs.readFileSync(file));
      feeds[name] = new ort.Tensor(type, new ARRAYS[type](bytes.buffer), shape);
    }
    const results = await session.run(feeds);
    return Object.entries(results).map(([name, tensor], i) => {
      const file = path.join(request.folder, `out${i}`);
      const { buffer, byteOffset, byteLength } = tensor.data;
      fs.writeFileSync(file, new Uint8Array(buffer, byteOffset, byteLength));
      return { name, type: tensor.type, shape: tensor.dims, file };
    });
  } finally {
    await session.release();
  }
}

async function main() {
  // What a runtime prints is no answer.
  console.log = console.error;
  ort.env.wasm.numThreads = 1;
  const say = (answer) => process.stdout.write(JSON.stringify(answer) + '\n');
  say({ version: require(path.join(process.argv[2], 'package.json')).version });
  for await (const line of require('readline').createInterface({ input: process.stdin })) {
    try {
      say({ outputs: await run(JSON.parse(line)) });
    } catch (error) {
      say({ error: String(error.message || error) });
    }
  }
}

main();
