"""Every attribute of every version of every operator, changed: refused by its name, or right."""

import pytest
from changed_calls import changes, is_right, verdict
from old_calls import ROWS

OPERATORS = sorted({call.op for call, _ in ROWS})


@pytest.mark.filterwarnings("ignore")  # of the runtimes, about calls that make no sense
@pytest.mark.parametrize("symbolic", [False, True], ids=["static", "symbolic"])
@pytest.mark.parametrize("op_type", OPERATORS)
def test_a_changed_attribute_is_refused_or_right(op_type: str, symbolic: bool) -> None:
    wrong = [
        f"{change}: {found}"
        for call, version in ROWS
        if call.op == op_type
        for change in changes(call, version, symbolic)
        if not is_right(change, found := verdict(change), symbolic)
    ]
    assert not wrong
