// A training step that was exported by onnxgrad, run again and again: in a page, a worker or node.
//
// The caller hands in its onnxruntime ("onnxruntime-web" or "onnxruntime-node") and the two files,
// as URLs or bytes. What an output "<name>.new" gives is fed to the input "<name>" at the next step.

const NEXT = ".new";

export class Stepper {
  #ort;
  #session;
  #state;

  constructor(ort, session, state) {
    this.#ort = ort;
    this.#session = session;
    this.#state = state;
  }

  // Open the step and run the start, which gives the first state.
  static async load(ort, step, start, options = {}) {
    const session = await ort.InferenceSession.create(step, options);
    const first = await ort.InferenceSession.create(start, options);
    const state = await first.run({});
    await first.release();
    const lacking = session.outputNames
      .filter((name) => name.endsWith(NEXT))
      .filter((name) => !(name.slice(0, -NEXT.length) in state));
    if (lacking.length) throw new Error(`the start gives no value for ${lacking.join(", ")}`);
    return new Stepper(ort, session, state);
  }

  // The inputs that a step must be fed.
  get inputs() {
    return this.#session.inputNames.filter((name) => !(name in this.#state));
  }

  // Take a step on tensors or on {type, dims, data}; give the outputs that are no state.
  async step(feeds) {
    const results = await this.#session.run({ ...this.#tensors(feeds), ...this.#state });
    const outputs = {};
    for (const [name, tensor] of Object.entries(results)) {
      if (name.endsWith(NEXT)) this.#state[name.slice(0, -NEXT.length)] = tensor;
      else outputs[name] = tensor;
    }
    return outputs;
  }

  // A copy of what the next step reads, as plain {type, dims, data}: it can be stored and posted.
  state() {
    const entries = Object.entries(this.#state);
    return Object.fromEntries(
      entries.map(([name, { type, dims, data }]) => [
        name,
        { type, dims: [...dims], data: data.slice() },
      ]),
    );
  }

  // Go on from a state that state() gave.
  restore(state) {
    for (const [name, { type, dims }] of Object.entries(this.#state)) {
      const given = state[name];
      if (!given) throw new Error(`the state lacks ${name}`);
      if (given.type !== type || String([...given.dims]) !== String([...dims])) {
        throw new Error(`${name} is ${given.type} [${given.dims}], not ${type} [${dims}]`);
      }
    }
    this.#state = this.#tensors(Object.fromEntries(Object.keys(this.#state).map((n) => [n, state[n]])));
  }

  async release() {
    await this.#session.release();
  }

  #tensors(feeds) {
    const entries = Object.entries(feeds);
    return Object.fromEntries(
      entries.map(([name, t]) => [
        name,
        t instanceof this.#ort.Tensor ? t : new this.#ort.Tensor(t.type, t.data, t.dims),
      ]),
    );
  }
}
