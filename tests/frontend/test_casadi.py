"""The files that CasADi takes for a function: in onnxruntime, and in CasADi where it is installed.

`make bridges` installs it.
"""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

import onnxgrad as og

Arrays = dict[str, np.ndarray]

rng = np.random.default_rng(0)
WEIGHTS = rng.normal(size=(2, 2, 2, 3, 2, 3))
X, U = rng.normal(size=(2, 3)), np.array(0.7)


def quadratic() -> og.Graph:
    """y[a, b] = u · Σ W[a, b, i, c, j, d]·x[i, c]·x[j, d], whose derivatives are sums, too."""
    b = og.Builder("quadratic")
    x, u = b.input("x", "float64", (2, 3)), b.input("u", "float64", ())
    form = b.op.Einsum(b.constant(WEIGHTS), x, x, equation="abicjd,ic,jd->ab")
    b.output(form * u, "y")
    return b.build()


def form(x: np.ndarray, z: np.ndarray) -> Any:
    both = WEIGHTS + WEIGHTS.transpose(0, 1, 4, 5, 2, 3)
    return np.einsum("abicjd,ic,jd->ab", both, x, z) / 2


def slope(dy: np.ndarray, x: np.ndarray) -> Any:
    both = WEIGHTS + WEIGHTS.transpose(0, 1, 4, 5, 2, 3)
    return np.einsum("abicjd,ab,jd->ic", both, dy, x)


def side_by_side(seeds: np.ndarray) -> np.ndarray:
    """Lay matrices out as CasADi does: the columns of one after those of another."""
    flat = seeds.reshape(-1, *seeds.shape[-2:])
    return np.concatenate(list(flat), axis=1)


def run(path: Path, **feeds: np.ndarray) -> Arrays:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [v.name for v in session.get_outputs()]
    wanted = {v.name for v in session.get_inputs()}
    assert wanted == feeds.keys()
    found: Any = session.run(None, feeds)
    return dict(zip(names, found, strict=True))


@pytest.mark.parametrize(("nfwd", "nadj"), [(1, 1), (2, 3), (3, 1)])
def test_seeds_stand_side_by_side(tmp_path: Path, nfwd: int, nadj: int) -> None:
    paths = og.casadi.family(quadratic(), tmp_path / "new", "net")
    names = ["net", "fwd_net", "adj_net", "fwd_adj_net"]
    assert [p.name for p in paths] == [f"{n}.onnx" for n in names]
    for path in paths:
        onnx.checker.check_model(onnx.load(path), full_check=True)
    function, forward, adjoint, both = paths
    np.testing.assert_allclose(run(function, x=X, u=U)["y"], U * form(X, X))
    dx, du = rng.normal(size=(nfwd, 2, 3)), rng.normal(size=(nfwd, 1, 1))
    found = run(forward, x=X, u=U, fwd_x=side_by_side(dx), fwd_u=side_by_side(du))
    dy = np.stack([2 * U * form(X, v) + w * form(X, X) for v, w in zip(dx, du, strict=True)])
    np.testing.assert_allclose(found["fwd_y"], side_by_side(dy))
    ys = rng.normal(size=(nadj, 2, 2))
    found = run(adjoint, x=X, u=U, adj_y=side_by_side(ys))
    np.testing.assert_allclose(
        found["adj_x"], side_by_side(U * np.stack([slope(y, X) for y in ys]))
    )
    np.testing.assert_allclose(found["adj_u"], [[(y * form(X, X)).sum() for y in ys]])
    dys = rng.normal(size=(nfwd, nadj, 2, 2))
    moved = {"fwd_x": dx, "fwd_u": du, "adj_y": ys, "fwd_adj_y": dys}
    found = run(both, x=X, u=U, **{name: side_by_side(a) for name, a in moved.items()})
    by_x, by_u = np.zeros((nfwd, nadj, 2, 3)), np.zeros((nfwd, nadj, 1, 1))
    for f in range(nfwd):
        for a in range(nadj):
            by_x[f, a] = du[f] * slope(ys[a], X) + U * (slope(ys[a], dx[f]) + slope(dys[f, a], X))
            by_u[f, a] = (dys[f, a] * form(X, X) + 2 * ys[a] * form(X, dx[f])).sum()
    np.testing.assert_allclose(found["fwd_adj_x"], side_by_side(by_x))
    np.testing.assert_allclose(found["fwd_adj_u"], side_by_side(by_u))


def test_inputs_without_derivatives_and_tensors_of_any_rank(tmp_path: Path) -> None:
    b = og.Builder()
    x, k = b.input("x", "float32", (2, 1, 3)), b.input("k", "int64", (1,))
    v, t = b.input("v", "float32", (3,)), b.input("t", "float32", (3,))
    b.output(b.op.Gather(x, k, axis=2) * v * t, "y")
    b.output(k + 1, "next")
    _, forward, adjoint, both = og.casadi.family(b.build(), tmp_path, wrt=["x", "v"])
    inputs = {p: [i.name for i in onnx.load(p).graph.input] for p in (forward, adjoint, both)}
    assert inputs[forward] == ["x", "k", "v", "t", "fwd_x", "fwd_v"]
    assert inputs[adjoint] == ["x", "k", "v", "t", "adj_y"]
    assert inputs[both] == ["x", "k", "v", "t", "adj_y", "fwd_x", "fwd_v", "fwd_adj_y"]
    arrays = {n: np.ones(s, np.float32) for n, s in (("x", (2, 1, 3)), ("v", 3), ("t", 3))}
    found = run(adjoint, k=np.array([1]), adj_y=np.ones((6, 2), np.float32), **arrays)
    assert {n: a.shape for n, a in found.items()} == {"adj_x": (6, 2), "adj_v": (3, 2)}
    np.testing.assert_array_equal(found["adj_x"][:, 0], [0, 3, 0, 0, 3, 0])


def test_what_casadi_cannot_take_is_refused(tmp_path: Path) -> None:
    b = og.Builder()
    x = b.input("x", "float32", ("N",))
    b.output(x * 2.0, "y")
    with pytest.raises(og.GraphError, match=r"'x' is float32\[N\]; CasADi needs tensors whose siz"):
        og.casadi.family(b.build(), tmp_path)
    with pytest.raises(og.GraphError, match="the name of a file, not 'a/b'"):
        og.casadi.family(quadratic(), tmp_path, "a/b")
    with pytest.raises(og.GraphError, match="wrt: 'y' is no float input"):
        og.casadi.family(quadratic(), tmp_path, wrt="y")
    (tmp_path / "file").touch()
    with pytest.raises(og.ModelFileError, match="cannot make"):
        og.casadi.family(quadratic(), tmp_path / "file")
    b = og.Builder()
    b.output(b.input("k", "int64", (1,)) + 1, "next")
    with pytest.raises(og.GraphError, match="there is no float input, or no float output"):
        og.casadi.family(b.build(), tmp_path)


def test_the_library_is_that_of_the_package() -> None:
    found = Path(og.casadi.runtime_library())
    assert found.exists() and Path(onnxruntime.__file__).parent in found.parents


def dynamics() -> og.Graph:
    """A step of a pendulum whose friction is a network: x(t+h) of x and the torque u."""
    draw = np.random.default_rng(3)
    b = og.Builder("dynamics")
    x, u = b.input("x", "float64", (2,)), b.input("u", "float64", (1,))
    hidden = b.op.Tanh(b.op.Concat(x, u, axis=0) @ draw.normal(size=(3, 8)))
    friction = hidden @ (0.3 * draw.normal(size=(8, 1)))
    angle, speed = x[:1], x[1:]
    rate = b.op.Concat(speed, u + friction - b.op.Sin(angle), axis=0)
    b.output(x + 0.1 * rate, "next")
    return b.build()


def solved(step: Any, ca: Any) -> tuple[np.ndarray, int]:
    """Swing the pendulum to rest in twenty steps; give the torques and the iterations."""
    opti = ca.Opti()
    x, u = opti.variable(2, 21), opti.variable(1, 20)
    opti.minimize(ca.sumsqr(x) + 0.1 * ca.sumsqr(u))
    opti.subject_to(x[:, 0] == ca.DM([0.8, 0.0]))
    for k in range(20):
        opti.subject_to(x[:, k + 1] == step(x[:, k], u[:, k]))
    opti.subject_to(opti.bounded(-1.0, u, 1.0))
    quiet = {"print_iteration": False, "print_header": False, "print_status": False}
    inner = {"qpsol": "qrqp", "qpsol_options": {"print_iter": False, "print_header": False}}
    opti.solver("sqpmethod", {"print_time": False, "max_iter": 100, **inner, **quiet})
    found = opti.solve()
    return np.array(found.value(u)).ravel(), int(found.stats()["iter_count"])


def test_optimal_control_with_a_network_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ca = pytest.importorskip("casadi")
    monkeypatch.setenv("CASADI_ONNXRUNTIME_LIB", og.casadi.runtime_library())
    graph = dynamics()
    path, *_ = og.casadi.family(graph, tmp_path)
    exact = ca.GraphBuilder(str(path)).create("f")
    run_numpy = og.compile(graph).run

    class Differences(ca.Callback):  # type: ignore[misc, name-defined]  # it is not installed here
        def __init__(self) -> None:
            super().__init__()
            self.construct("differences", {"enable_fd": True})

        def get_n_in(self) -> int:
            return 2

        def get_sparsity_in(self, k: int) -> Any:
            return ca.Sparsity.dense(2 - k, 1)

        def get_sparsity_out(self, k: int) -> Any:
            return ca.Sparsity.dense(2, 1)

        def eval(self, arrays: Any) -> Any:
            x, u = (np.array(a).ravel() for a in arrays)
            return [ca.DM(run_numpy({"x": x, "u": u})["next"])]

    x, u = ca.MX.sym("x", 2), ca.MX.sym("u")
    at = (ca.DM([0.8, -0.3]), ca.DM(0.2))
    rough = Differences()
    for expression in (ca.jacobian, ca.jtimes):
        seeds = (ca.DM([1.0, 2.0]),) if expression is ca.jtimes else ()
        found, expected = (
            ca.Function("d", [x, u], [expression(f(x, u), x, *seeds)])(*at) for f in (exact, rough)
        )
        np.testing.assert_allclose(np.array(found), np.array(expected), atol=1e-6)
    torques, iterations = solved(exact, ca)
    expected, _ = solved(rough, ca)
    np.testing.assert_allclose(torques, expected, atol=1e-4)
    assert iterations < 30
