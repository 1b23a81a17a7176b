"""Graphs inside torch; `make bridges` runs this, for torch is not among what tests need."""

import warnings
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import bridged
import ml_dtypes  # noqa: F401  # NumPy learns bfloat16 from it
import numpy as np
import pytest

import onnxgrad as og

torch = pytest.importorskip("torch")

# torch scripts a few rules of its own when forward mode is first used
pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.script.*:DeprecationWarning")

Case = tuple[og.Graph, bridged.Arrays, list[str]]


def check(case: Case) -> None:
    """Let torch compare first and second derivatives, in both modes, with differences."""
    graph, feeds, wrt = case
    weights = [name for name in wrt if name not in feeds] or None
    f = og.torch.function(graph, parameters=weights)
    arrays = {n: torch.from_numpy(a) for n, a in feeds.items()}
    moved = {n: arrays.get(n, f.parameters.get(n)).requires_grad_() for n in wrt}

    def call(*tensors: Any) -> Any:
        results = f(**{**arrays, **dict(zip(moved, tensors, strict=True))})
        listed = results if isinstance(results, tuple) else (results,)
        return tuple(r for r in listed if r.is_floating_point())

    inputs = tuple(moved.values())
    assert torch.autograd.gradcheck(call, inputs, check_forward_ad=True)
    assert torch.autograd.gradgradcheck(call, inputs, check_fwd_over_rev=True)


@pytest.mark.parametrize("name", bridged.OPERATORS)
def test_operators_pass_gradcheck(name: str) -> None:
    check(bridged.operator(name))


@pytest.mark.parametrize("model", bridged.MODELS)
def test_models_pass_gradcheck(model: Callable[[], Case]) -> None:
    check(model())


def squares(dtype: str = "float64", backend: str = "numpy") -> Any:
    b = og.Builder()
    x = b.input("x", dtype, ("N",))
    b.output(b.op.ReduceSum(b.op.Tanh(x * b.parameter("w", np.ones((), x.dtype))), keepdims=0), "y")
    return og.torch.function(b.build(), parameters="w", backend=backend)


def test_transforms_of_torch_compose() -> None:
    f = squares()
    x = torch.linspace(-1, 1, 6, dtype=torch.float64)

    def expected(x: Any) -> Any:
        return torch.tanh(x).sum()

    func = torch.func
    for transform in (
        func.hessian,
        lambda f: func.jacfwd(func.jacfwd(f)),
        lambda f: func.jacrev(func.jacrev(f)),
        lambda f: lambda x: func.vmap(func.grad(f))(x.reshape(2, 3)),
        lambda f: lambda x: func.vmap(func.vmap(f))(x.reshape(1, 2, 3)),
        lambda f: lambda x: func.grad(lambda x: func.vmap(f)(x.reshape(2, 3)).prod())(x),
    ):
        torch.testing.assert_close(transform(f)(x), transform(expected)(x))
    w = torch.tensor([1.0, 2.0], dtype=torch.float64)
    found = func.vmap(f, in_dims=(None, 0))(x, w)
    torch.testing.assert_close(found, torch.stack([expected(x), expected(2 * x)]))


def test_the_batches_of_autograd_are_batches_of_ours() -> None:
    functional = torch.autograd.functional
    f = squares()
    x = torch.linspace(-1, 1, 6, dtype=torch.float64).requires_grad_()

    def expected(x: Any) -> Any:
        return torch.tanh(x).sum()

    def gradient(f: Any) -> Any:
        return lambda x: torch.autograd.grad(f(x), x, create_graph=True)[0]

    def jacobian(f: Any, **options: Any) -> Any:
        return lambda x: functional.jacobian(f, x, vectorize=True, **options)

    for transform in (
        lambda f: jacobian(gradient(f)),
        lambda f: jacobian(f, strategy="forward-mode"),
        lambda f: jacobian(jacobian(jacobian(f, create_graph=True), create_graph=True)),
        lambda f: lambda x: functional.hessian(f, x, vectorize=True),
    ):
        torch.testing.assert_close(transform(f)(x), transform(expected)(x))
    directions = torch.eye(6, dtype=x.dtype)
    found, theirs = (
        torch.autograd.grad(gradient(f)(x), x, directions, is_grads_batched=True)
        for f in (f, expected)
    )
    torch.testing.assert_close(found, theirs)
    batched: dict[str, Any] = {"check_batched_grad": True}
    assert torch.autograd.gradcheck(f, (x,), check_forward_ad=True, **batched)
    assert torch.autograd.gradgradcheck(f, (x,), **batched)


@pytest.mark.parametrize("backend", ["numpy", "onnxruntime"])
def test_functions_go_into_files_and_copies(backend: str, tmp_path: Path) -> None:
    class Layer(torch.nn.Module):  # type: ignore[misc, name-defined]  # it is not installed here
        def __init__(self) -> None:
            super().__init__()
            self.f = squares(backend=backend)

    layer = Layer()
    x = torch.linspace(-1, 1, 6, dtype=torch.float64).requires_grad_()
    layer.f(x).backward()
    torch.save(layer.f, tmp_path / "f.pt")
    read = torch.load(tmp_path / "f.pt", weights_only=False)
    for copy in (read, deepcopy(layer).f):
        other = x.detach().clone().requires_grad_()
        copy(other).backward()
        torch.testing.assert_close(other.grad, x.grad)


def test_compiled_modules_stop_around_it() -> None:
    f = squares()
    x = torch.linspace(-1, 1, 6, dtype=torch.float64).requires_grad_()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        compiled = torch.compile(lambda x: 2 * f(3 * x), backend="aot_eager")
        (found,) = torch.autograd.grad(compiled(x), x)
    torch.testing.assert_close(found, 6 * (1 - torch.tanh(3 * x) ** 2).detach())
    assert [w.message for w in said if "onnxgrad" in str(w.message)] == []  # nothing was traced


@pytest.mark.parametrize("backend", ["numpy", "onnxruntime"])
def test_backends_and_parameters(backend: str) -> None:
    f = squares("float32", backend)
    assert f.inputs == ["x", "w"] and f.outputs == ["y"]
    x = torch.tensor([0.5, -2.0], requires_grad=True)
    w = torch.nn.Parameter(f.parameters["w"])
    f(x, w=w).backward()
    torch.testing.assert_close(x.grad, 1 - torch.tanh(x.detach()) ** 2)
    torch.testing.assert_close(w.grad, (x * (1 - torch.tanh(x) ** 2)).sum().detach())
    torch.testing.assert_close(f(x), torch.tanh(x).sum())


def test_tensors_share_their_memory() -> None:
    from onnxgrad.bridges.torch_function import as_array, as_tensor

    x = torch.arange(6, dtype=torch.float64).reshape(2, 3).T
    assert as_array(x).ctypes.data == x.data_ptr() and as_array(x).shape == (3, 2)
    half = torch.ones(3, dtype=torch.bfloat16)
    assert as_array(half).ctypes.data == half.data_ptr()
    assert as_tensor(as_array(half)).data_ptr() == half.data_ptr()
    backwards = np.arange(3.0)[::-1]
    torch.testing.assert_close(as_tensor(backwards), torch.tensor([2.0, 1.0, 0.0]).double())


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float32"])
def test_dtypes(dtype: str) -> None:
    f = squares(dtype)
    x = torch.tensor([0.5, -2.0], dtype=getattr(torch, dtype), requires_grad=True)
    y = f(x)
    y.backward()
    assert y.dtype == x.dtype and x.grad.dtype == x.dtype
    expected = (1 - torch.tanh(x.detach().float()) ** 2).to(x.dtype)
    torch.testing.assert_close(x.grad, expected)


def test_wrong_tensors_are_refused() -> None:
    f = squares()
    with pytest.raises(og.GraphError, match=r"got torch.float32; convert it with .to\(torch.floa"):
        f(torch.ones(2))
    with pytest.raises(og.GraphError, match="'x' wants float64"):
        f("text")
    with pytest.raises(og.GraphError, match="tensors on meta do not reach the backend 'numpy'"):
        f(torch.ones(2, dtype=torch.float64, device="meta"))
    with pytest.raises(og.GraphError, match="wants"):
        f(torch.ones(2, 2, dtype=torch.float64))


@pytest.mark.filterwarnings("ignore:::torch", "ignore:::copyreg")  # what its exporter says itself
def test_modules_become_graphs() -> None:
    pytest.importorskip("onnxscript")
    nn = torch.nn

    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.GELU(), nn.Flatten(), nn.Linear(144, 5)).eval()
    x = torch.randn(2, 3, 8, 8)
    f = og.torch.function(og.load(module, x), parameters="*.weight")
    w = f.parameters["0.weight"].requires_grad_()
    f(x, **{"0.weight": w}).square().sum().backward()
    module(x).square().sum().backward()
    torch.testing.assert_close(w.grad, module[0].weight.grad, rtol=1e-4, atol=1e-4)
    sizes = ({0: torch.export.Dim("N")},)
    graph = og.torch.export(module, x, input_names=["image"], dynamic_shapes=sizes)
    assert [(v.name, v.shape) for v in graph.inputs] == [("image", ("N", 3, 8, 8))]

    class Eigenvalues(nn.Module):  # type: ignore[misc, name-defined]  # it is not installed here
        def forward(self, x: Any) -> Any:
            return torch.linalg.eigh(x)[0]

    with pytest.raises(og.ModelFileError, match="Sequential is exported by calling it: give the t"):
        og.load(module)
    with pytest.raises(og.ModelFileError, match="torch cannot export Eigenvalues: No ONNX functio"):
        og.load(Eigenvalues().eval(), torch.eye(3))


TRAINING: dict[str, Any] = {
    "dynamo": False, "training": torch.onnx.TrainingMode.PRESERVE, "do_constant_folding": False
}  # fmt: skip


def normalized() -> Any:
    nn = torch.nn
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Tanh(), nn.Dropout(0.3)).train()


@pytest.mark.filterwarnings("ignore:::torch", "ignore:::copyreg", "ignore:::onnxgrad")
def test_the_older_exporter_takes_its_options(tmp_path: Path) -> None:
    module, x = torch.nn.Linear(3, 2).eval(), torch.randn(2, 3)
    options: list[dict[str, Any]] = [
        {}, {"opset_version": 15}, {"f": str(tmp_path / "model.onnx")}, {"output_names": ["y"]},
        {"do_constant_folding": False}, {"keep_initializers_as_inputs": True},
        {"input_names": ["x"], "dynamic_axes": {"x": {0: "N"}}},
    ]  # fmt: skip
    for given in options:
        graph = og.torch.export(module, x, dynamo=False, **given)
        f = og.torch.function(graph)
        torch.testing.assert_close(f(x), module(x).detach())
        assert graph.inputs[0].shape == ("N" if "dynamic_axes" in given else 2, 3)
    graph = og.torch.export(module, (), dynamo=False, kwargs={"input": x})
    assert [n.op_type for n in graph.nodes()] == ["Gemm"]
    with pytest.raises(og.ModelFileError, match="exporter passes training over; give dynamo=False"):
        og.torch.export(module, x, training=torch.onnx.TrainingMode.TRAINING)
    with pytest.raises(og.ModelFileError, match="dynamic shapes through parameter dynamic_axes"):
        og.torch.export(module, x, dynamo=False, dynamic_shapes=({0: "N"},))


@pytest.mark.filterwarnings("ignore")  # torch says much; what it says to us is looked for
def test_what_an_exporter_freezes_is_told() -> None:
    pytest.importorskip("onnxscript")
    x = torch.randn(4, 3, 8, 8)
    layer = torch.nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    with pytest.warns(UserWarning, match="fixes the statistics of BatchNormalization.*PRESERVE"):
        og.load(normalized(), x)
    with pytest.warns(
        UserWarning, match=r"BatchNorm2d and Dropout as in inference.*call .eval\(\)"
    ):
        og.torch.export(normalized(), x, dynamo=False)
    with pytest.warns(UserWarning, match="leaves out the dropout of scaled_dot_product_attention"):
        og.load(layer.train(), torch.randn(2, 4, 8))
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        og.load(normalized().eval(), x)
        og.torch.export(normalized().eval(), x, dynamo=False)
        graph = og.torch.export(normalized(), x, **TRAINING)
        og.load(layer.eval(), torch.randn(2, 4, 8))
    assert [w.message for w in said if "call .eval() on" in str(w.message)] == []
    assert "BatchNormalization" in [n.op_type for n in graph.nodes()]


@pytest.mark.filterwarnings("ignore:::torch", "ignore:::copyreg", "ignore:::onnxgrad")
def test_a_module_with_batch_normalization_trains_as_in_torch() -> None:
    module, x = normalized()[:3], torch.randn(4, 3, 8, 8)
    graph = og.torch.export(module, x, **TRAINING, output_names=["y"])
    mean, variance = module[1].running_mean.clone(), module[1].running_var.clone()
    model = og.losses.mse(graph, of="y", target="wanted")
    step = og.train_step(model, optimizer=og.optim.SGD(0.1))
    stepper = og.compile(step, "onnxruntime").stepper()
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    for _ in range(5):
        optimizer.zero_grad()
        loss = (module(x) - 0.5).square().mean()
        loss.backward()
        optimizer.step()
        found = stepper(
            **{graph.inputs[0].name: x.numpy(), "wanted": np.full((4, 4, 6, 6), 0.5, "f4")}
        )
        np.testing.assert_allclose(found["loss"], loss.item(), rtol=1e-5)
    state = stepper.state()
    np.testing.assert_allclose(state["0.weight"], module[0].weight.detach(), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(state["1.running_mean"], module[1].running_mean, atol=1e-5)
    assert not torch.equal(mean, module[1].running_mean)
    n = 4 * 6 * 6  # torch divides the sum of squares by n - 1 and ONNX by n
    kept = 0.9**5 * variance.numpy()
    theirs = module[1].running_var.numpy() - kept
    np.testing.assert_allclose((state["1.running_var"] - kept) * n / (n - 1), theirs, rtol=1e-4)
