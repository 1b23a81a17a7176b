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


def test_made_up_names_keep_clear_of_what_a_file_has_in_store() -> None:
    names = Names()
    names.expect(["constant"], ["inner"])
    assert names.fresh("constant") == "constant_1"
    assert names.fresh("inner") == "inner_1"
    assert names.inside("inner") == "inner" and names.inside("constant") == "constant_2"


def test_only_names_that_nobody_chose_are_made_up() -> None:
    names = Names()
    names.claim("chosen")
    names.claim(names.fresh("x"))
    names.claim(names.fresh("y"))
    names.keep("y")
    assert [names.is_made_up(n) for n in ("chosen", "x", "y", "z")] == [False, True, False, False]
