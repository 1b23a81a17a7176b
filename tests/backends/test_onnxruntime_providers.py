"""What onnxruntime runs on, its session options, and steps whose state stays on a device."""

from typing import Any

import numpy as np
import onnxruntime
import pytest

import onnxgrad as og
from onnxgrad.backends import find_backend, onnxruntime_kernels, onnxruntime_providers
from onnxgrad.backends.onnxruntime import DeviceStepper

Arrays = dict[str, np.ndarray]


def momentum() -> og.Graph:
    b = og.Builder("momentum")
    x, total = b.input("x", "float32", ("N", 2)), b.input("total", "float32", (2,))
    b.output(b.op.ReduceSum(x, [0], keepdims=0) + 0.5 * total, "total.new")
    b.output(b.op.ReduceSum(total, keepdims=0), "sum")
    return b.build()


FEEDS: Arrays = {"x": np.ones((3, 2), np.float32), "total": np.array([1.0, 2.0], np.float32)}


def session_of(compiled: og.Compiled) -> Any:
    executable: Any = compiled._executable  # nothing public shows the session
    return executable.opened.session


@pytest.mark.parametrize("providers", [["cpu"], ["CPUExecutionProvider"], [("CPU", {})]])
def test_a_provider_goes_by_its_long_or_short_name(providers: Any) -> None:
    compiled = og.compile(momentum(), "onnxruntime", providers=providers)
    assert session_of(compiled).get_providers() == ["CPUExecutionProvider"]
    np.testing.assert_array_equal(compiled.run(FEEDS)["total.new"], [3.5, 4.0])


@pytest.mark.parametrize(
    ("name", "package"),
    [
        ("cuda", "CUDAExecutionProvider .*: pip install onnxruntime-gpu"),
        ("TensorrtExecutionProvider", "pip install onnxruntime-gpu"),
        ("directml", "DmlExecutionProvider .*: pip install onnxruntime-directml"),
        ("webgpu", "pip install onnxruntime-ep-webgpu"),
        ("OpenVINO", "pip install onnxruntime-openvino"),
        ("coreml", "macOS"),
        ("xnnpack", "a build of onnxruntime of its own"),
    ],
)
def test_a_provider_that_is_not_installed_says_what_to_install(
    name: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    monkeypatch.setattr(onnxruntime_providers, "_plugins", dict)
    with pytest.raises(og.BackendUnavailableError, match=package):
        og.compile(momentum(), "onnxruntime", providers=[name, "cpu"])


def test_a_provider_that_does_not_start_is_no_silent_fallback(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Declining(onnxruntime.InferenceSession):  # type: ignore[misc]  # it has no types
        def get_providers(self) -> list[str]:
            return ["AzureExecutionProvider"]

    monkeypatch.setattr(onnxruntime, "InferenceSession", Declining)
    with pytest.raises(
        og.BackendUnavailableError, match="CPUExecutionProvider does not start here"
    ):
        og.compile(momentum(), "onnxruntime", providers=["cpu"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"providers": "cpu"}, r"providers is a list, such as \['cuda', 'cpu'\], not 'cpu'"),
        ({"providers": []}, "providers is an empty list"),
        ({"providers": ["cudda"]}, "knows no provider 'cudda'; did you mean 'cuda'"),
        ({"providers": [3]}, r"a provider is a name, or \(name, options\), not 3"),
        ({"providers": [("cpu", 3)]}, "the options of the provider 'cpu' must be a dict"),
        ({"options": {"enable_profilin": 1}}, "did you mean 'enable_profiling'"),
        ({"options": {"enable_mem_pattern": "no"}}, "enable_mem_pattern is bool, not 'no'"),
        ({"options": {"execution_mode": "FAST"}}, "is one of ORT_SEQUENTIAL, ORT_PARALLEL"),
        ({"threads": 0}, "threads must be an integer of at least 1"),
        ({"thread": 1}, "'onnxruntime' takes no option thread; it takes providers, options, thr"),
    ],
)
def test_wrong_options_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(og.GraphError, match=message):
        og.compile(momentum(), "onnxruntime", **options)


def test_other_backends_take_none() -> None:
    with pytest.raises(og.GraphError, match="'numpy' takes no option threads; it takes none"):
        og.compile(momentum(), "numpy", threads=2)


def test_session_options_arrive() -> None:
    options = {
        "graph_optimization_level": "ORT_DISABLE_ALL",
        "enable_mem_pattern": False,
        "session.intra_op.allow_spinning": 0,
    }
    compiled = og.compile(momentum(), "onnxruntime", options=options, threads=1)
    found = session_of(compiled).get_session_options()
    assert found.intra_op_num_threads == 1 and not found.enable_mem_pattern
    assert found.graph_optimization_level == onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    assert found.get_session_config_entry("session.intra_op.allow_spinning") == "0"
    assert compiled.run(FEEDS)["sum"] == 3


def test_available_backends_say_which_providers_there_are() -> None:
    found = og.available_backends()
    assert found.providers == {"onnxruntime": onnxruntime_providers.provider_names()}
    assert "onnxruntime  available, on " in repr(found) and "CPUExecutionProvider" in repr(found)


def test_state_stays_where_the_provider_keeps_it() -> None:
    """Here that is the host, by the same road as to a GPU."""
    graph = momentum()
    executable: Any = find_backend("onnxruntime").prepare(graph)
    stepper = DeviceStepper(executable, {"total": "total.new"}, {"total": FEEDS["total"]})
    plain = og.compile(graph).stepper({"total": FEEDS["total"]})
    for rows in (3, 1, 0, 2):
        x = np.ones((rows, 2), np.float32)
        np.testing.assert_array_equal(stepper.run({"x": x})["sum"], plain(x=x)["sum"])
        np.testing.assert_array_equal(stepper.state()["total"], plain.state()["total"])
    np.testing.assert_array_equal(FEEDS["total"], [1.0, 2.0])
    settings = onnxruntime_providers.Settings([("CUDAExecutionProvider", {"device_id": "1"})])
    assert settings.device == ("cuda", 1)


def test_kernels_are_the_same_asked_from_afar() -> None:
    """Builds with OpenVINO die of the question; then a process of its own does."""
    here = [tuple(row) for row in onnxruntime_kernels._rows()]
    afar = [tuple(row) for row in onnxruntime_kernels._rows_from_afar()]
    assert here == afar and len(here) > 100


def test_a_build_that_dies_of_the_question_tells_of_no_kernels(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(onnxruntime_kernels, "_LIST", "import os; os.abort()")
    assert onnxruntime_kernels._rows_from_afar() == []
