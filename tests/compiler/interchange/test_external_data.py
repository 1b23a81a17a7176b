"""Weights in files beside the model are mapped, read as they stand and streamed out again."""

import subprocess
import sys
from pathlib import Path

import ml_dtypes
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import onnxgrad as og

ARRAYS: dict[str, np.ndarray] = {
    "float32": np.arange(12, dtype=np.float32).reshape(3, 4),
    "float64": np.arange(6, dtype=np.float64),
    "bool": np.array([True, False, True]),
    "bfloat16": np.arange(5).astype(ml_dtypes.bfloat16),
    "float8": np.arange(7).astype(ml_dtypes.float8_e4m3fn),
    "int4": np.array([-8, 7, 3], ml_dtypes.int4),
    "uint2": np.array([[0, 1], [2, 3]], ml_dtypes.uint2),
    "scalar": np.array(3.5, np.float16),
    "empty": np.zeros((0, 4), np.float32),
}


def write(folder: Path, arrays: dict[str, np.ndarray], gap: bytes) -> Path:
    """Write a model that gives its weights, which lie in one file with a gap before each."""
    model = helper.make_model(
        helper.make_graph(
            [helper.make_node("Identity", [name], [f"{name}.y"]) for name in arrays],
            "weights",
            [],
            [
                helper.make_tensor_value_info(f"{n}.y", numpy_helper.from_array(a).data_type, None)
                for n, a in arrays.items()
            ],
        ),
        opset_imports=[helper.make_opsetid("", 25)],
    )
    content = b""
    for name, array in arrays.items():
        inside = numpy_helper.from_array(array, name)
        content += gap
        proto = TensorProto(name=name, data_type=inside.data_type, dims=inside.dims)
        proto.data_location = TensorProto.EXTERNAL
        where = {"location": "w.bin", "offset": len(content), "length": len(inside.raw_data)}
        for key, value in where.items():
            proto.external_data.add(key=key, value=str(value))
        content += inside.raw_data
        model.graph.initializer.append(proto)
    (folder / "w.bin").write_bytes(content)
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    return folder / "model.onnx"


def constant(graph: og.Graph, name: str) -> np.ndarray:
    array = graph.find(name).constant
    assert array is not None
    return array


@pytest.mark.parametrize("gap", [b"", b"?" * 3], ids=["packed", "between elements"])
def test_every_dtype_is_read_where_it_stands(tmp_path: Path, gap: bytes) -> None:
    graph = og.load(write(tmp_path, ARRAYS, gap))
    for name, array in ARRAYS.items():
        read = constant(graph, name)
        assert read.dtype == array.dtype and read.shape == array.shape and read.flags.aligned
        np.testing.assert_array_equal(read, array)


def test_a_file_is_mapped_and_changes_with_nobody(tmp_path: Path) -> None:
    weights = {name: np.full((64, 64), k, np.float32) for k, name in enumerate("ab")}
    path = write(tmp_path, weights, b"")
    graph = og.load(path)
    owners: list[object] = []
    for name in weights:
        array = constant(graph, name)
        assert not array.flags.writeable
        while isinstance(array.base, np.ndarray):
            array = array.base
        owners.append(array.base)
    assert owners[0] is owners[1] and type(owners[0]).__module__ == "mmap"
    results = og.compile(graph).run({})
    results["a.y"][:] = 9
    assert not constant(graph, "a").any() and (tmp_path / "w.bin").read_bytes()[:4] == bytes(4)


def test_a_model_is_saved_over_the_file_that_it_is_mapped_from(tmp_path: Path) -> None:
    array = np.arange(4096, dtype=np.float32)
    b = og.Builder()
    b.output(b.op.Mul(b.parameter("w", array), b.input("x", "float32", (1,))), "y")
    path = tmp_path / "net.onnx"
    og.save(b.build(), path, external_data=True)
    graph = og.load(path)
    changed = og.with_parameters(graph, {"w": array[::-1]})
    og.save(changed, path, external_data=True)
    np.testing.assert_array_equal(constant(graph, "w"), array)
    np.testing.assert_array_equal(constant(og.load(path), "w"), array[::-1])
    assert onnx.load(path).graph.initializer[0].raw_data == array[::-1].tobytes()


@pytest.mark.filterwarnings("ignore:stock onnxruntime will not load again.onnx")
@pytest.mark.parametrize("name", ["bfloat16", "float8", "int4"])
def test_dtypes_that_numpy_lacks_are_streamed(tmp_path: Path, name: str) -> None:
    array = np.tile(ARRAYS[name], 2000)
    graph = og.load(write(tmp_path, {name: array}, b""))
    og.save(graph, tmp_path / "again.onnx", opset=25, external_data=True)
    assert len((tmp_path / "again.onnx").read_bytes()) < 1000
    np.testing.assert_array_equal(constant(og.load(tmp_path / "again.onnx"), name), array)


MEASURE = """
import sys
import onnxgrad as og

def peak():
    # of this process alone; a child's ru_maxrss starts with what its parent had
    for line in open("/proc/self/status"):
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024

path, out = sys.argv[1:]
before = peak()
graph = og.load(path)
gradient = og.vjp(graph, "loss", [v.name for v in graph.values() if v.parameter])
loaded = peak()
og.save(gradient, out, external_data=True)
print(loaded - before, peak() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's own count")
def test_large_weights_are_in_memory_once_at_most(tmp_path: Path) -> None:
    layers, width = 25, 1448
    block = np.random.default_rng(0).normal(size=(width, width)).astype(np.float32)
    nodes, initializers, h = [], [], "x"
    with (tmp_path / "w.bin").open("wb") as file:
        for k in range(layers):
            proto = TensorProto(name=f"w{k}", data_type=TensorProto.FLOAT, dims=block.shape)
            proto.data_location = TensorProto.EXTERNAL
            for key, value in (("location", "w.bin"), ("offset", str(file.tell()))):
                proto.external_data.add(key=key, value=value)
            proto.external_data.add(key="length", value=str(block.nbytes))
            file.write(block.tobytes())
            initializers.append(proto)
            nodes.append(helper.make_node("MatMul", [h, f"w{k}"], [f"h{k}"]))
            h = f"h{k}"
    nodes.append(helper.make_node("ReduceSum", [h], ["loss"], keepdims=0))
    graph = helper.make_graph(
        nodes,
        "large",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", width])],
        [helper.make_tensor_value_info("loss", TensorProto.FLOAT, [])],
        initializers,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)])
    (tmp_path / "large.onnx").write_bytes(model.SerializeToString())
    arguments = [str(tmp_path / "large.onnx"), str(tmp_path / "gradient.onnx")]
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, *arguments], capture_output=True, text=True, check=True
    )
    loaded, peak = map(float, done.stdout.split())
    size = layers * block.nbytes / 2**20
    assert loaded < 0.2 * size, "loading and differentiating need no weights"
    assert peak < 1.3 * size
    assert (tmp_path / "gradient.onnx.data").stat().st_size >= layers * block.nbytes
    again = constant(og.load(tmp_path / "gradient.onnx"), f"w{layers - 1}")
    np.testing.assert_array_equal(again, block)
