"""Every attribute of every version of every operator, changed: refused by its name, or right."""

import pytest
from changed_calls import changes, verdict
from old_calls import ROWS

RIGHT = {
    "consumed_inputs": "it changes no number",
    "is_test": "any number but 0 means yes",
}
"""Attributes of which nobody else runs the changed call, and why what we give is right."""

RIGHT_CALLS = {
    ("AveragePool-1", "not as in onnx.reference"): "it counts the padding, which version 1 did not",
    ("Bernoulli", "not as in onnxruntime"): "it draws",
    ("GlobalLpPool", "nobody else runs it"): "seven is an exponent",
    ("MaxRoiPool", "nobody else runs it"): "seven is a size",
    ("Multinomial", "nobody else runs it"): "it draws",
    ("SequenceEmpty", "does not name it"): "the sequence's type then does not fit what enters",
    ("Split-1", "nobody else runs it"): "an axis and sizes that fit",
    ("Split-1", "refused as it ran"): "the sizes are fed",
    ("TensorScatter-24 axis=-3", "nobody else runs it"): "an axis of the cache",
    ("TreeEnsembleRegressor", "not as in onnxruntime"): "the largest of no leaves is −∞ or 0",
    **{
        (f"{op_type}-", "nobody else runs it"): "without broadcast=1 the axis says nothing"
        for op_type in ("Add", "And", "Div", "Equal", "Greater", "Less", "Mul", "Or", "Pow", "Sub")
    },
    ("Xor-", "nobody else runs it"): "without broadcast=1 the axis says nothing",
}
"""Calls, by how they begin, whose verdict is right though it is neither refused nor the same."""

OPERATORS = sorted({call.op for call, _ in ROWS})


@pytest.mark.filterwarnings("ignore")  # of the runtimes, about calls that make no sense
@pytest.mark.parametrize("symbolic", [False, True], ids=["static", "symbolic"])
@pytest.mark.parametrize("op_type", OPERATORS)
def test_a_changed_attribute_is_refused_or_right(op_type: str, symbolic: bool) -> None:
    fine = ["refused", "same", *(["refused as it ran"] if symbolic else [])]
    wrong = [
        f"{change}: {found}"
        for call, version in ROWS
        if call.op == op_type
        for change in changes(call, version, symbolic)
        if (found := verdict(change)) not in fine and change.attribute not in RIGHT
        if not any(
            str(change).startswith(call) and found.startswith(told) for call, told in RIGHT_CALLS
        )
    ]
    assert not wrong
