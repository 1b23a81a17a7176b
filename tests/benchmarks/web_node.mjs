// Trains with the page's own stepper.js in node; prints the loss of each step as JSON.
//
// node web_node.mjs PAGE STEPS; lies beside the node_modules that holds onnxruntime-web.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import * as ort from "onnxruntime-web/wasm";

const [page, steps] = [process.argv[2], Number(process.argv[3])];
const { Stepper } = await import(pathToFileURL(join(page, "stepper.js")));
const about = JSON.parse(readFileSync(join(page, "page.json"), "utf8"));
const file = (name) => new Uint8Array(readFileSync(join(page, name)));
ort.env.wasm.numThreads = 1;

const order = new Int32Array(file("order.bin").buffer);
const [images, labels] = [file("images.bin"), file("labels.bin")];
const stepper = await Stepper.load(ort, file("step.onnx"), file("start.onnx"));
const losses = [];
for (let k = 0; k < steps; k++) {
  const chosen = order.subarray(k * about.batch, (k + 1) * about.batch);
  const image = new Float32Array(about.batch * 64);
  chosen.forEach((i, n) => {
    for (let p = 0; p < 64; p++) image[64 * n + p] = images[64 * i + p] / 16;
  });
  const { loss } = await stepper.step({
    image: { type: "float32", dims: [about.batch, 1, 8, 8], data: image },
    label: { type: "int64", dims: [about.batch], data: BigInt64Array.from(chosen, (i) => BigInt(labels[i])) },
  });
  losses.push(loss.data[0]);
}
// a state that was taken out and put back goes on to the same loss
const kept = stepper.state();
stepper.restore(kept);
console.log(JSON.stringify({ losses, inputs: stepper.inputs }));
