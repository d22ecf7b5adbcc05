// Serves an explained model over HTTP, from one session of onnxruntime-node: node serve.mjs EXPLAINED [PORT]
//
//     curl -d '{"x": [[[[0.1, ...]]]], "target": [3]}' http://127.0.0.1:8000/
//
// The answer holds every output by name, with its shape: the scores, and `x_relevance`, which says what counted.

import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { join } from 'node:path';

// From the folder in which this is started.
const ort = createRequire(join(process.cwd(), 'package.json'))('onnxruntime-node');

const session = await ort.InferenceSession.create(process.argv[2]);
const ARRAYS = { float32: Float32Array, float64: Float64Array, int64: BigInt64Array, int32: Int32Array };

// Nested lists as a tensor.
function tensor(type, list) {
  const shape = [];
  for (let inner = list; Array.isArray(inner); inner = inner[0]) shape.push(inner.length);
  const convert = type === 'int64' ? BigInt : Number;
  return new ort.Tensor(type, ARRAYS[type].from(list.flat(Infinity), convert), shape);
}

async function explain(inputs) {
  const feeds = Object.fromEntries(session.inputMetadata.map(({ name, type }) => [name, tensor(type, inputs[name])]));
  const outputs = await session.run(feeds);
  return Object.fromEntries(Object.entries(outputs).map(([name, { dims, data }]) => [name, { shape: dims, data: Array.from(data, Number) }]));
}

const server = createServer(async (request, response) => {
  try {
    let body = '';
    for await (const piece of request) body += piece;
    const answer = await explain(JSON.parse(body));
    response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(answer));
  } catch (error) {
    response.writeHead(400, { 'Content-Type': 'application/json' }).end(JSON.stringify({ error: String(error) }));
  }
});
server.listen(Number(process.argv[3] ?? 8000), '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}/`));
