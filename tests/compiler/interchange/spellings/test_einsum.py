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


@pytest.mark.parametrize("symbolic", [False, True])
@pytest.mark.parametrize("equation", ["ij,jk,kl->il", "ab,cd,bc->ad", "a,ab,bc,c->", "ij,j,ik->k"])
def test_operands_are_multiplied_where_that_is_small(equation: str, symbolic: bool) -> None:
    """From left to right, as onnxruntime does: no product of a chain has more than two letters."""
    sizes = dict.fromkeys("abcdijkl", 24)
    graph = graph_of(equation, symbolic, sizes)
    backward = og.vjp(graph, "y", [v.name for v in graph.inputs])
    model = og.to_onnx(backward)
    for node in model.graph.node:
        if node.op_type == "Einsum":
            assert _most_letters(node.attribute[0].s.decode()) <= 2
    rng = np.random.default_rng(0)
    feeds = {
        v.name: rng.normal(size=[24] * (v.rank or 0)).astype(np.float32) for v in backward.inputs
    }
    expected: Any = og.compile(backward).run(feeds)
    session: Any = onnxruntime.InferenceSession(model.SerializeToString())
    names = [output.name for output in session.get_outputs()]
    for name, found in zip(names, session.run(None, feeds), strict=True):
        largest = np.abs(expected[name]).max()
        np.testing.assert_allclose(found, expected[name], rtol=1e-4, atol=1e-5 * largest)


def _most_letters(equation: str) -> int:
    """Give the highest rank of what is left after each product, from left to right."""
    left, output = equation.split("->")
    terms = left.split(",")
    held, most = set(terms[0]), 0
    for k, term in enumerate(terms[1:], 2):
        held = (held | set(term)) & set("".join(terms[k:]) + output)
        most = max(most, len(held))
    return most
