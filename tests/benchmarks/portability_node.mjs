// Run ONNX files in onnxruntime-node or onnxruntime-web, for portability.py.
// node portability_node.mjs PACKAGE FOLDER NAME… : reads NAME.feeds.json, writes NAME.<PACKAGE>.json
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";

const [name, folder, ...files] = process.argv.slice(2);
const ort = createRequire(`${process.cwd()}/`)(name);
const KINDS = { float32: Float32Array, int32: Int32Array, int64: BigInt64Array, bool: Uint8Array };

const decode = ({ kind, shape, data }) => {
  const bytes = Buffer.from(data, "base64");
  const copy = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
  return new ort.Tensor(kind, new KINDS[kind](copy), shape);
};
const encode = (t) => ({
  kind: t.type,
  shape: [...t.dims],
  data: Buffer.from(t.data.buffer, t.data.byteOffset, t.data.byteLength).toString("base64"),
});

for (const file of files) {
  console.log(JSON.stringify({ name: file }));
  let failed = "";
  try {
    const given = JSON.parse(readFileSync(`${folder}/${file}.feeds.json`));
    const feeds = Object.fromEntries(Object.entries(given).map(([k, v]) => [k, decode(v)]));
    const session = await ort.InferenceSession.create(readFileSync(`${folder}/${file}.onnx`));
    const found = await session.run(feeds);
    const listed = session.outputNames.map((k) => encode(found[k]));
    writeFileSync(`${folder}/${file}.${name}.json`, JSON.stringify(listed));
    await session.release();
  } catch (error) {
    failed = String(error.message ?? error).split("\n")[0].slice(0, 300) || "it failed";
  }
  console.log(JSON.stringify({ name: file, failed }));
}
process.exit(0);
