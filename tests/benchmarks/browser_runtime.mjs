// Runs ONNX models in the browser's runtime, onnxruntime-web on WebAssembly; it compares nothing.
//
// node browser_runtime.mjs FOLDER: FOLDER/cases.json lists {model, feeds, outputs, state, steps}.
// Each model runs `steps` times; after each run, `state` (input → output) is fed back. What the
// outputs were in every step is written to FOLDER/results.json, or the error. Lies beside the
// node_modules that holds onnxruntime-web.

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import * as ort from "onnxruntime-web/wasm";

const folder = process.argv[2];
ort.env.wasm.numThreads = 1;
ort.env.logLevel = "error";

const ARRAYS = {
  float32: Float32Array, float64: Float64Array, bool: Uint8Array,
  int8: Int8Array, int16: Int16Array, int32: Int32Array, int64: BigInt64Array,
  uint8: Uint8Array, uint16: Uint16Array, uint32: Uint32Array, uint64: BigUint64Array,
};

function decode({ dtype, dims, bytes }) {
  const data = Uint8Array.from(Buffer.from(bytes, "base64")).buffer;
  return new ort.Tensor(dtype, new ARRAYS[dtype](data), dims);
}

function encode({ type, dims, data }) {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("base64");
  return { dtype: type, dims, bytes };
}

async function run({ model, feeds, outputs, state, steps }) {
  const session = await ort.InferenceSession.create(readFileSync(join(folder, model)));
  const tensors = Object.fromEntries(Object.entries(feeds).map(([k, t]) => [k, decode(t)]));
  const given = [];
  for (let step = 0; step < steps; step++) {
    const results = await session.run(tensors);
    given.push(Object.fromEntries(outputs.map((name) => [name, encode(results[name])])));
    for (const [input, output] of Object.entries(state)) tensors[input] = results[output];
  }
  await session.release();
  return { given };
}

const answers = [];
for (const task of JSON.parse(readFileSync(join(folder, "cases.json"), "utf8"))) {
  try {
    answers.push(await run(task));
  } catch (error) {
    answers.push({ error: String(error.message ?? error) });
  }
}
writeFileSync(join(folder, "results.json"), JSON.stringify(answers));
