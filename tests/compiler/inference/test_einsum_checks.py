"""Equations of Einsum that are not written as the standard has it, or not for these operands."""

import pytest

import onnxgrad as og


@pytest.mark.parametrize(
    ("equation", "reason"),
    [
        ("", "1 term for 2 inputs"),
        ("ij,jk,kl->il", "3 terms for 2 inputs"),
        ("ij,", "x1 has rank 2, '' names 0 of its axes"),
        ("ijk,jk->ij", "x0 has rank 2, 'ijk' names 3 of its axes"),
        ("...ijk,jk->...", "x0 has rank 2, '...ijk' names 3 of its axes"),
        ("ij,jk->ii", "its output 'ii' names an index twice"),
        ("ij,jk->iz", "its output has 'z', which no operand has"),
        ("ij,jk->i...", "its output has an ellipsis, its inputs have none"),
        ("...j,jk->k", "its output lacks the ellipsis"),
        ("...j,...jk->...k", "its ellipsis stands for 0 and 1 axes"),
        ("ij,ik->jk", "its index i has the sizes 2 and 3"),
        ("...,...", "its index 0 of the ellipsis has the sizes 2 and 3"),
        ("i1,jk", "'i1' in its equation is not made of letters"),
        ("ij;jk", "'ij;jk' in its equation"),
        ("ij->j->i", "'j->i' in its equation"),
        ("i..j,jk", "'i..j' in its equation"),  # ONNX's own inference never ends on this one
        ("....ij,jk", "'....ij' in its equation"),
    ],
)
def test_wrong_equations_are_refused_with_the_reason(equation: str, reason: str) -> None:
    b = og.Builder()
    x0, x1 = b.input("x0", "float32", (2, 3)), b.input("x1", "float32", (3, 4))
    with pytest.raises(og.GraphError) as refusal:
        b.op.Einsum(x0, x1, equation=equation)
    assert reason in str(refusal.value)
