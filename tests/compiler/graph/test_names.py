"""Names of a model are unique, also those that are made and not yet claimed."""

import pytest

import onnxgrad as og
from onnxgrad.compiler.graph.names import Names


def test_no_name_is_made_twice() -> None:
    names = Names(["y"])
    made = [names.fresh("y"), names.fresh("y"), names.fresh("x"), names.fresh("x")]
    assert len({*made, "y"}) == 5 and made[2] == "x"


def test_a_name_that_was_made_can_be_claimed_once() -> None:
    names = Names()
    names.claim(names.fresh("x"))
    with pytest.raises(og.GraphError, match="'x' is used twice"):
        names.claim("x")
    names.release("x")
    assert names.fresh("x") == "x"
