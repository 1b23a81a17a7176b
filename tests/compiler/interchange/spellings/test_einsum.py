"""Einsum is saved so that stock onnxruntime runs it on tensors without elements, too."""

from typing import Any

import numpy as np
import onnxruntime
import pytest

import onnxgrad as og

EQUATIONS = [
    "ik,jk->ij",
    "nij,njk->nik",
    "bhqd,bhkd->bhqk",
    "ij,kj,lj->ikl",
    "ab,bc,cd->ad",
    "iji->j",
    "ijkij->k",
    "abca,cd->bd",
    "...ij,...kj->...ik",
]


def graph_of(equation: str, symbolic: bool, sizes: dict[str, int]) -> og.Graph:
    b = og.Builder("einsum")
    terms = equation.replace("...", "n").split("->")[0].split(",")
    operands = [
        b.input(f"x{k}", "float32", [f"size_{c}" if symbolic else sizes[c] for c in term])
        for k, term in enumerate(terms)
    ]
    b.output(b.op.Einsum(*operands, equation=equation), "y")
    return b.build()


@pytest.mark.parametrize("equation", EQUATIONS)
def test_einsum_of_nothing(equation: str) -> None:
    """Compare forward and backward with NumPy's einsum, each index in turn without elements."""
    terms, output = equation.replace("...", "n").split("->")
    letters = sorted(set(terms) - {","})
    rng = np.random.default_rng(0)
    for empty in [None, *letters]:
        sizes = {c: 0 if c == empty else k + 2 for k, c in enumerate(letters)}
        arrays = [
            rng.normal(size=[sizes[c] for c in term]).astype(np.float32)
            for term in terms.split(",")
        ]
        feeds = {f"x{k}": array for k, array in enumerate(arrays)}
        expected = np.einsum(f"{terms}->{output}", *arrays)
        for symbolic in (True, False):
            graph = graph_of(equation, symbolic, sizes)
            model = og.to_onnx(graph).SerializeToString()
            y: Any
            (y,) = onnxruntime.InferenceSession(model).run(None, feeds)
            np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)
            backward = og.vjp(graph, "y", list(feeds))
            seed = {"y.grad": np.ones_like(expected)}
            session: Any = onnxruntime.InferenceSession(og.to_onnx(backward).SerializeToString())
            found = session.run(None, feeds | seed)[1:]
            for k, gradient in enumerate(found):
                others = [np.float64(a) for j, a in enumerate(arrays) if j != k]
                slope = _slope(terms, output, others, k, arrays[k].shape)
                np.testing.assert_allclose(gradient, slope, rtol=1e-4, atol=1e-4)


def _slope(terms: str, output: str, others: list[Any], k: int, shape: tuple[int, ...]) -> Any:
    """Differentiate Σ y by operand k, which is linear in it: y of each of its unit tensors."""
    slope = np.zeros(shape)
    for place in np.ndindex(shape):
        unit = np.zeros(shape)
        unit[place] = 1
        slope[place] = np.einsum(f"{terms}->{output}", *others[:k], unit, *others[k:]).sum()
    return slope
