// The page: it draws what the worker computes, and hands it what the visitor draws.

const $ = (id) => document.getElementById(id);
const NEW_LABEL = 10; // the first of the classes that are no digit
const TEACH_STEPS = 60;
const names = [..."0123456789"];
const drawings = [];
let worker, losses, before;

const calls = new Map();
let nextCall = 0;

function call(name, ...args) {
  return new Promise((resolve, reject) => {
    const id = nextCall++;
    calls.set(id, { resolve, reject });
    worker.postMessage({ id, call: name, args });
  });
}

function fail(error) {
  $("error").hidden = false;
  $("error").textContent = `This does not work here: ${error.message ?? error}`;
  for (const button of document.querySelectorAll("button")) button.disabled = true;
}

async function start() {
  if (typeof WebAssembly !== "object") throw new Error("this browser has no WebAssembly");
  if (typeof Worker !== "function") throw new Error("this browser has no workers");
  worker = new Worker("worker.js", { type: "module" });
  worker.onerror = (event) => fail(new Error(event.message || "the worker did not load"));
  worker.onmessage = ({ data }) => {
    if (data.event === "loss") return showLoss(data);
    const { resolve, reject } = calls.get(data.id);
    calls.delete(data.id);
    if (data.error) reject(new Error(data.error));
    else resolve(data.result);
  };
  if (await navigator.gpu?.requestAdapter?.().catch(() => null)) {
    $("provider").append(new Option("WebGPU", "webgpu"));
  }
  await open();
  $("restore").disabled = !(await stored("get"));
}

async function open() {
  await call("open", $("provider").value);
  losses = [];
  drawCurve();
  setBusy(false);
  await showGuess();
}

function setBusy(busy) {
  for (const id of ["train", "save", "download", "provider", "add"]) $(id).disabled = busy;
  $("teach").disabled = busy || !drawings.length;
  $("stop").disabled = !busy;
}

// Run something that takes a while, with the buttons off.
async function during(work) {
  setBusy(true);
  try {
    await work();
  } catch (error) {
    return fail(error);
  }
  setBusy(false);
}

$("train").onclick = () =>
  during(async () => {
    const { steps } = await (await fetch("page.json")).json();
    const result = await call("train", steps);
    $("speed").textContent = `${(result.losses.length / result.seconds).toFixed(0)} steps/s`;
    document.body.dataset.losses = JSON.stringify(result.losses);
    document.body.dataset.seconds = result.seconds;
    before = await showAccuracy();
    await showGuess();
  });

addEventListener("resize", () => losses && drawCurve());

$("stop").onclick = () => call("stop");

$("provider").onchange = () => during(open);

function showLoss({ step, of, loss }) {
  losses.push(loss);
  $("progress").max = of;
  $("progress").value = step;
  $("loss").textContent = `loss ${loss.toPrecision(3)}`;
  drawCurve();
}

function color(name) {
  const probe = document.createElement("i");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

function drawCurve() {
  const canvas = $("curve");
  const [width, height, sharp] = [canvas.clientWidth, 180, devicePixelRatio];
  [canvas.width, canvas.height] = [width * sharp, height * sharp];
  const pen = canvas.getContext("2d");
  pen.scale(sharp, sharp);
  const [left, bottom] = [46, 24];
  const [low, high] = [1e-3, 10];
  const y = (v) => ((Math.log(high) - Math.log(Math.max(low, v))) / Math.log(high / low)) * (height - bottom);
  const x = (k) => left + (k / Math.max(losses.length - 1, 1)) * (width - left - 4);
  pen.font = "12px system-ui";
  pen.fillStyle = color("--soft");
  pen.strokeStyle = color("--line");
  for (const mark of [10, 1, 0.1, 0.01, 0.001]) {
    pen.beginPath();
    pen.moveTo(left, y(mark));
    pen.lineTo(width, y(mark));
    pen.stroke();
    pen.fillText(String(mark), 4, Math.min(y(mark) + (mark === 10 ? 12 : 4), height - bottom));
  }
  pen.fillText("loss, step by step →", left, height - 6);
  pen.strokeStyle = color("--blue");
  pen.lineWidth = 1.5;
  pen.beginPath();
  losses.forEach((v, k) => pen.lineTo(x(k), y(v)));
  pen.stroke();
}

async function showAccuracy() {
  const found = await call("evaluate");
  $("accuracy").textContent = `held-out digits right ${(100 * found.accuracy).toFixed(1)} %`;
  document.body.dataset.accuracy = found.accuracy;
  const old = before?.classes ?? found.classes;
  $("classes").replaceChildren(
    ...found.classes.map((share, k) => bar("div", names[k], share, share < old[k] - 1e-9)),
  );
  return found;
}

function bar(tag, name, share, lost) {
  const row = document.createElement(tag);
  const [label, track, number] = ["b", "span", "span"].map((t) => document.createElement(t));
  const fill = document.createElement("i");
  label.textContent = name;
  track.className = "bar";
  fill.style.width = `${100 * share}%`;
  fill.classList.toggle("lost", Boolean(lost));
  track.append(fill);
  number.textContent = `${(100 * share).toFixed(0)} %`;
  row.append(label, track, number);
  return row;
}

// --- drawing -----------------------------------------------------------------------------------

const pad = $("pad");
const ink = pad.getContext("2d", { willReadFrequently: true });
ink.lineWidth = 20;
ink.lineCap = ink.lineJoin = "round";
let stroke = null;

function at(event) {
  const box = pad.getBoundingClientRect();
  return [((event.clientX - box.x) * pad.width) / box.width, ((event.clientY - box.y) * pad.height) / box.height];
}

pad.onpointerdown = (event) => {
  pad.setPointerCapture(event.pointerId);
  stroke = at(event);
  ink.beginPath();
  ink.moveTo(...stroke);
  ink.lineTo(...stroke);
  ink.stroke();
};
pad.onpointermove = (event) => {
  if (!stroke) return;
  ink.beginPath();
  ink.moveTo(...stroke);
  stroke = at(event);
  ink.lineTo(...stroke);
  ink.stroke();
};
pad.onpointerup = pad.onpointercancel = () => {
  stroke = null;
  showGuess();
};

$("clear").onclick = () => {
  ink.clearRect(0, 0, pad.width, pad.height);
  showGuess();
};

// What was drawn as the digits are: cut out, fitted into 32 × 32 points, counted in blocks of 4 × 4.
function drawn() {
  const { width, height } = pad;
  const alpha = ink.getImageData(0, 0, width, height).data.filter((_, k) => k % 4 === 3);
  const on = [];
  alpha.forEach((a, k) => a > 127 && on.push([k % width, Math.floor(k / width)]));
  if (!on.length) return null;
  const [xs, ys] = [on.map((p) => p[0]), on.map((p) => p[1])];
  const least = (v) => v.reduce((a, b) => Math.min(a, b));
  const most = (v) => v.reduce((a, b) => Math.max(a, b));
  const [x0, y0, x1, y1] = [least(xs), least(ys), most(xs), most(ys)];
  const scale = 32 / (Math.max(x1 - x0, y1 - y0) + 1);
  const left = (32 - (x1 - x0 + 1) * scale) / 2;
  const top = (32 - (y1 - y0 + 1) * scale) / 2;
  const points = new Uint8Array(32 * 32);
  for (const [x, y] of on) {
    points[Math.floor(top + (y - y0) * scale) * 32 + Math.floor(left + (x - x0) * scale)] = 1;
  }
  const image = new Float32Array(64);
  points.forEach((p, k) => (image[8 * Math.floor(k / 128) + Math.floor((k % 32) / 4)] += p / 16));
  return image;
}

async function showGuess() {
  const image = drawn();
  const seen = $("seen").getContext("2d");
  const shown = seen.createImageData(8, 8);
  image?.forEach((v, k) => shown.data.set([0, 0, 0, 255 * v], 4 * k));
  seen.putImageData(shown, 0, 0);
  if (!image) return $("guess").replaceChildren();
  const [found] = await call("predict", [image]);
  const best = found.map((p, k) => [p, names[k] ?? `(class ${k})`]).sort((a, b) => b[0] - a[0]);
  $("guess").replaceChildren(...best.slice(0, 3).map(([p, name]) => bar("li", name, p)));
}

// --- teaching ----------------------------------------------------------------------------------

$("add").onclick = () => {
  const image = drawn();
  if (!image) return;
  drawings.push(image);
  $("count").textContent = `${drawings.length} drawing${drawings.length > 1 ? "s" : ""}`;
  $("teach").disabled = false;
  $("clear").click();
};

$("teach").onclick = () =>
  during(async () => {
    before = await call("evaluate");
    names[NEW_LABEL] = $("name").value || "new";
    const rehearse = $("rehearse").checked;
    await call("teach", { drawings, label: NEW_LABEL, steps: TEACH_STEPS, rehearse });
    const after = await showAccuracy();
    const lost = 100 * (before.accuracy - after.accuracy);
    $("forgotten").textContent =
      lost > 0.05 ? `forgotten: ${lost.toFixed(1)} points of the held-out digits` : "nothing was forgotten";
    await showGuess();
  });

// --- keeping -----------------------------------------------------------------------------------

// One record in IndexedDB: "get" it or "put" another.
function stored(what, record) {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open("onnxgrad-digits", 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore("runs");
    opening.onerror = () => reject(opening.error);
    opening.onsuccess = () => {
      const runs = opening.result.transaction("runs", "readwrite").objectStore("runs");
      const request = what === "put" ? runs.put(record, "last") : runs.get("last");
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    };
  });
}

$("save").onclick = () =>
  during(async () => {
    await stored("put", { ...(await call("save")), names });
    $("restore").disabled = false;
    $("kept").textContent = "saved in this browser";
  });

$("restore").onclick = () =>
  during(async () => {
    const saved = await stored("get");
    await call("restore", saved);
    names.splice(0, names.length, ...saved.names);
    await showAccuracy();
    await showGuess();
    $("kept").textContent = "restored";
  });

$("download").onclick = () =>
  during(async () => {
    const file = await call("download");
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([file], { type: "application/octet-stream" }));
    link.download = "digits.onnx";
    link.click();
    URL.revokeObjectURL(link.href);
    $("kept").textContent = `downloaded ${(file.length / 1024).toFixed(0)} KB`;
  });

start().catch(fail);
