// All that computes: training, prediction, held-out accuracy. The page only draws what this posts.

import { Stepper } from "./stepper.js";

const SIZE = 64; // pixels of a digit
let ort, about, data, stepper, predictor, epAsked;
let stopped = false;
let place = 0; // in the order of training

const handlers = { open, train, stop, teach, predict, evaluate, save, restore, download };

self.onmessage = async ({ data: { id, call, args } }) => {
  try {
    self.postMessage({ id, result: await handlers[call](...(args ?? [])) });
  } catch (error) {
    self.postMessage({ id, error: String(error?.message ?? error) });
  }
};

// Load the runtime, the models and the digits. `provider`: "wasm" or "webgpu".
async function open(provider) {
  const file = provider === "webgpu" ? "ort.webgpu.bundle.min.mjs" : "ort.wasm.bundle.min.mjs";
  ort = await import(`./ort/${file}`);
  ort.env.wasm.numThreads = 1; // threads need headers that plain servers do not send
  ort.env.logLevel = "error";
  epAsked = provider === "webgpu" ? ["webgpu", "wasm"] : ["wasm"];
  about = await (await fetch("page.json")).json();
  const [images, labels, order] = await Promise.all(["images", "labels", "order"].map(bytes));
  data = { images, labels, order: new Int32Array(order.buffer) };
  await release();
  const options = { executionProviders: epAsked };
  stepper = await Stepper.load(ort, "step.onnx", "start.onnx", options);
  predictor = await ort.InferenceSession.create("predict.onnx", options);
  place = 0;
  return about;
}

async function release() {
  await stepper?.release();
  await predictor?.release();
}

async function bytes(name) {
  const answer = await fetch(`${name}.bin`);
  if (!answer.ok) throw new Error(`${name}.bin: ${answer.status} ${answer.statusText}`);
  return new Uint8Array(await answer.arrayBuffer());
}

// Take steps in the order that the build wrote down; post the loss of each.
async function train(steps) {
  stopped = false;
  const began = performance.now();
  const losses = [];
  for (let k = 0; k < steps && !stopped; k++) {
    const from = (place % about.steps) * about.batch;
    const chosen = data.order.subarray(from, from + about.batch);
    const batch = [...chosen].map((i) => ({ image: pixels(i), label: data.labels[i] }));
    losses.push(await step(batch));
    place++;
    if (k % 5 === 0 || k === steps - 1) {
      self.postMessage({ event: "loss", step: k + 1, of: steps, loss: losses.at(-1) });
    }
  }
  return { losses, seconds: (performance.now() - began) / 1000 };
}

function stop() {
  stopped = true;
}

// Teach a symbol from drawings, mixed with digits of old so that they are not forgotten at once.
async function teach({ drawings, label, steps, rehearse }) {
  const random = generator(label * 7919 + drawings.length);
  const losses = [];
  for (let k = 0; k < steps; k++) {
    const batch = Array.from({ length: about.batch }, (_, n) => {
      if (rehearse && n % 2) {
        const i = Math.floor(random() * about.training);
        return { image: pixels(i), label: data.labels[i] };
      }
      const drawing = drawings[Math.floor(random() * drawings.length)];
      return { image: moved(drawing, random), label };
    });
    losses.push(await step(batch));
    self.postMessage({ event: "loss", step: k + 1, of: steps, loss: losses.at(-1) });
  }
  return { losses };
}

async function step(batch) {
  const image = new Float32Array(batch.length * SIZE);
  batch.forEach((example, n) => image.set(example.image, n * SIZE));
  const label = BigInt64Array.from(batch, (example) => BigInt(example.label));
  const { loss } = await stepper.step({
    image: { type: "float32", dims: [batch.length, 1, 8, 8], data: image },
    label: { type: "int64", dims: [batch.length], data: label },
  });
  return loss.data[0];
}

// Probabilities of images, each 64 numbers from 0 to 1.
async function predict(images) {
  const all = new Float32Array(images.length * SIZE);
  images.forEach((image, n) => all.set(image, n * SIZE));
  const feeds = { image: new ort.Tensor("float32", all, [images.length, 1, 8, 8]) };
  const state = stepper.state();
  for (const name of predictor.inputNames.filter((n) => n !== "image")) {
    feeds[name] = new ort.Tensor(state[name].type, state[name].data, state[name].dims);
  }
  const { logits } = await predictor.run(feeds);
  return images.map((_, n) => softmax(logits.data.subarray(n * about.classes, (n + 1) * about.classes)));
}

// How many of the held-out digits are right: of all, and of each class.
async function evaluate() {
  const first = about.training;
  const images = Array.from({ length: about.held_out }, (_, k) => pixels(first + k));
  const found = await predict(images);
  const right = Array(10).fill(0);
  const count = Array(10).fill(0);
  found.forEach((probabilities, k) => {
    const label = data.labels[first + k];
    count[label]++;
    if (probabilities.indexOf(Math.max(...probabilities)) === label) right[label]++;
  });
  const sum = (numbers) => numbers.reduce((a, b) => a + b, 0);
  return { accuracy: sum(right) / sum(count), classes: right.map((r, k) => r / count[k]) };
}

function save() {
  return { state: stepper.state(), place };
}

function restore(saved) {
  stepper.restore(saved.state);
  place = saved.place;
}

// The model with the weights of now: the file that was built, with other bytes where they lie.
async function download() {
  const file = new Uint8Array(await (await fetch("model.onnx")).arrayBuffer());
  const state = stepper.state();
  for (const [name, { offset, bytes: length }] of Object.entries(about.weights)) {
    const { data: weight } = state[name];
    if (weight.byteLength !== length) throw new Error(`${name} has another size in the file`);
    file.set(new Uint8Array(weight.buffer, weight.byteOffset, length), offset);
  }
  return file;
}

function pixels(index) {
  return Float32Array.from(data.images.subarray(index * SIZE, (index + 1) * SIZE), (v) => v / 16);
}

// A drawing shifted by at most a pixel and a little stronger or weaker.
function moved(image, random) {
  const [dx, dy] = [Math.floor(random() * 3) - 1, Math.floor(random() * 3) - 1];
  const strength = 0.85 + 0.3 * random();
  const result = new Float32Array(SIZE);
  for (let y = 0; y < 8; y++) {
    for (let x = 0; x < 8; x++) {
      const [u, v] = [x - dx, y - dy];
      const inside = u >= 0 && u < 8 && v >= 0 && v < 8;
      result[8 * y + x] = inside ? Math.min(1, strength * image[8 * v + u]) : 0;
    }
  }
  return result;
}

function softmax(logits) {
  const most = Math.max(...logits);
  const powers = Array.from(logits, (v) => Math.exp(v - most));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((p) => p / sum);
}

// mulberry32: numbers in [0, 1) that are the same at every visit
function generator(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
