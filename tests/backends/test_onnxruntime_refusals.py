"""What stock onnxruntime will not load is told by name: all of it, and nothing else."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from op_samples import SAMPLES
from op_samples.graphs import float_outputs, graph_of, wrt_of
from op_samples.sample import Sample

import onnxgrad as og

LACKING = {"Acos", "AveragePool", "Col2Im", "Conv", "Det", "Erf", "MaxUnpool", "Resize"}
SOME = [*SAMPLES[::29], *{s.op: s for s in SAMPLES if s.op in LACKING}.values()]


def loads(path: Path) -> bool:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    try:
        onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception:  # whatever it raises
        return False
    return True


@pytest.mark.parametrize("functions", [False, True], ids=["plain", "functions"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("sample", SOME, ids=str)
def test_a_saved_gradient_loads_or_is_named(
    sample: Sample, dtype: str, functions: bool, tmp_path: Path
) -> None:
    """A part of what `make stock` goes through."""
    forward = graph_of(sample, dtype=dtype)
    graph = og.vjp(forward, float_outputs(forward), wrt_of(sample), allow_unused=True)
    path = tmp_path / "gradient.onnx"
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        og.save(graph, path, functions=functions)
    assert loads(path) == (not caught)


def erf(dtype: Any) -> og.Graph:
    b = og.Builder("erf")
    b.output(b.op.Erf(b.input("x", dtype, (2,))), "y")
    return b.build()


def test_the_warning_names_file_node_and_dtype(tmp_path: Path) -> None:
    with pytest.warns(UserWarning) as caught:
        og.save(erf("float64"), tmp_path / "erf.onnx")
    (warning,) = caught
    assert "will not load erf.onnx: it has no kernel for Erf 'y' in float64" in str(warning.message)
    assert warning.filename == __file__


def test_a_branch_is_looked_into(tmp_path: Path) -> None:
    b = og.Builder("branch")
    x, chosen = b.input("x", "float64", (2,)), b.input("chosen", "bool", ())
    then, otherwise = b.subgraph(lambda: b.op.Atan(x)), b.subgraph(lambda: x * 2)
    b.output(b.op.If(chosen, then_branch=then, else_branch=otherwise), "y")
    with pytest.warns(UserWarning, match="no kernel for Atan"):
        og.save(b.build(), tmp_path / "branch.onnx")


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_what_runs_in_float32_is_not_named(dtype: str, tmp_path: Path) -> None:
    og.save(erf(dtype), tmp_path / "erf.onnx")
    assert loads(tmp_path / "erf.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "erf.onnx")
    found = np.asarray(session.run(None, {"x": np.ones(2, dtype)})[0])
    np.testing.assert_allclose(found, [0.8427, 0.8427], rtol=1e-3)


def test_a_scan_that_gathers_values_of_unknown_rank_is_named(tmp_path: Path) -> None:
    """Otherwise it loads, and ends as it runs."""
    b = og.Builder("gathers")
    x, rows = b.input("x", "float32", ("n", 2)), b.input("rows", "float32", ("steps",))
    body = b.subgraph(lambda r: b.op.Squeeze(x) * r, ("float32", ()))
    b.output(b.op.ReduceSum(b.op.Scan(rows, num_scan_inputs=1, body=body), keepdims=0), "y")
    path = tmp_path / "gathers.onnx"
    with pytest.warns(UserWarning, match="will not load gathers.onnx: .* Scan '"):
        og.save(b.build(), path)
    feeds = {"x": np.ones((1, 2), np.float32), "rows": np.ones(3, np.float32)}
    with pytest.raises(Exception, match="must have the shape set for all outputs"):
        onnxruntime.InferenceSession(path).run(None, feeds)
