"""Run ONNX files in one runtime, for portability.py; needs the runtime, NumPy and nothing of ours.

Run: python portability_runtimes.py RUNTIME FOLDER NAME… (FOLDER holds NAME.onnx and NAME.npz)

Prints a line of JSON for each file: its name before it starts, then "" or why it failed; what it
gives goes to NAME.RUNTIME.npz.
"""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

Feeds = dict[str, Any]

SECONDS = 900
"""How long one file may take; then the process ends, and its caller goes on with the next one."""


def reference(path: Path, feeds: Feeds) -> list[Any]:
    """onnx.reference, in Python."""
    onnx = import_module("onnx.reference")

    return list(onnx.ReferenceEvaluator(str(path)).run(None, feeds))


def onnxruntime(path: Path, feeds: Feeds) -> list[Any]:
    """Stock onnxruntime on the CPU."""
    ort = import_module("onnxruntime")

    options = ort.SessionOptions()
    options.log_severity_level = 4
    return list(ort.InferenceSession(str(path), options).run(None, feeds))


def openvino(path: Path, feeds: Feeds) -> list[Any]:
    """OpenVINO on the CPU, in float32."""
    ov = import_module("openvino")

    model = ov.Core().compile_model(str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    results = model(feeds)
    return [results[k] for k in range(len(model.outputs))]


def tinygrad(path: Path, feeds: Feeds) -> list[Any]:
    """tinygrad, on whatever device it finds."""
    tiny = import_module("tinygrad.nn.onnx")

    values = list(tiny.OnnxRunner(str(path))(feeds).values())
    values[0].realize(*values[1:])  # at once, so that no layer is computed twice
    return [value.numpy() for value in values]


def opencv(path: Path, feeds: Feeds) -> list[Any]:
    """OpenCV's own engine, module dnn."""
    dnn = import_module("cv2").dnn

    network = dnn.readNetFromONNX(str(path))
    for name, array in feeds.items():
        network.setInput(array, name)
    return list(network.forward(json.loads(path.with_suffix(".json").read_text())))


def tvm(path: Path, feeds: Feeds) -> list[Any]:
    """TVM: Relax, compiled by LLVM."""
    lib, relax = import_module("tvm"), import_module("tvm.relax")
    onnx = import_module("onnx")

    module = import_module("tvm.relax.frontend.onnx").from_onnx(onnx.load(str(path)))
    built = lib.compile(relax.get_pipeline("zero")(module), target="llvm")
    machine = relax.VirtualMachine(built, lib.cpu())
    found = machine["main"](*(lib.runtime.tensor(a) for a in feeds.values()))
    return [v.numpy() for v in ([found] if hasattr(found, "numpy") else found)]


def tract(path: Path, feeds: Feeds) -> list[Any]:
    """tract, in Rust."""
    sonos = import_module("tract")

    model = sonos.onnx().load(str(path)).into_model()
    return [value.to_numpy() for value in model.into_runnable().run(list(feeds.values()))]


def iree(path: Path, feeds: Feeds) -> list[Any]:
    """IREE: torch-mlir's import, compiled by LLVM."""
    rt = import_module("iree.runtime")

    tools, mlir, code = (
        Path(sys.executable).parent,
        path.with_suffix(".mlir"),
        path.with_suffix(".vmfb"),
    )
    _call(tools / "iree-import-onnx", path, "-o", mlir, "--opset-version", "21")
    target = ("--iree-hal-target-backends=llvm-cpu", "--iree-llvmcpu-target-cpu=host")
    _call(tools / "iree-compile", mlir, *target, "-o", code)
    module = rt.load_vm_flatbuffer_file(str(code), driver="local-sync")
    name = next(
        n for n in module.vm_module.function_names if not n.startswith("__") and "$" not in n
    )
    found = module[name](*feeds.values())
    return [np.asarray(v) for v in (found if isinstance(found, tuple | list) else [found])]


def mnn(path: Path, feeds: Feeds) -> list[Any]:
    """MNN: its converter, then its module in high precision."""
    lib = import_module("MNN")

    made = path.with_suffix(".mnn")
    convert = ("-f", "ONNX", "--modelFile", path, "--MNNModel", made, "--bizCode", "x")
    # without the package's own script, which installs another package and reports what it did
    _call(sys.executable, "-c", "import sys, _tools; _tools.mnnconvert(sys.argv)", *convert)
    outputs = json.loads(path.with_suffix(".json").read_text())
    config = {"backend": "CPU", "precision": "high", "numThread": 1}
    manager = lib.nn.create_runtime_manager((config,))
    module = lib.nn.load_module_from_file(str(made), list(feeds), outputs, runtime_manager=manager)
    kinds = {"float32": lib.expr.float, "int32": lib.expr.int, "int64": lib.expr.int}
    given = [
        lib.expr.const(a.ravel().tolist(), list(a.shape), lib.expr.NCHW, kinds[a.dtype.name])
        for a in feeds.values()
    ]
    found = module.forward(given)
    listed = found if isinstance(found, list | tuple) else [found]
    return [np.array(lib.expr.convert(v, lib.expr.NCHW).read()) for v in listed]


def _call(*command: Any) -> None:
    ended = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    if ended.returncode:
        said = [
            line for line in (ended.stderr + ended.stdout).splitlines() if "error" in line.lower()
        ]
        raise RuntimeError(said[0] if said else f"{Path(command[0]).name} ended badly")


RUNTIMES: dict[str, Callable[[Path, Feeds], list[Any]]] = {
    "reference": reference,
    "onnxruntime": onnxruntime,
    "openvino": openvino,
    "opencv": opencv,
    "tvm": tvm,
    "tract": tract,
    "iree": iree,
    "mnn": mnn,
    "tinygrad": tinygrad,
}


def main() -> None:
    """Run the files that are named."""
    runtime, folder, *names = sys.argv[1:]
    for name in names:
        path = Path(folder) / f"{name}.onnx"
        print(json.dumps({"name": name}), flush=True)
        with np.load(path.with_suffix(".npz")) as held:
            feeds = {key: held[key] for key in held}
        signal.alarm(SECONDS)
        try:
            found = RUNTIMES[runtime](path, feeds)
            np.savez(path.with_suffix(f".{runtime}.npz"), *map(np.asarray, found))
            failed = ""
        except Exception as error:
            failed = " ".join(str(error).split())[:300] or type(error).__name__
        signal.alarm(0)
        print(json.dumps({"name": name, "failed": failed}), flush=True)


if __name__ == "__main__":
    main()
