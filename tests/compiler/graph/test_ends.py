"""A graph's inputs and outputs are lists, whatever is done to them."""

import pytest

from onnxgrad.compiler.graph.ends import Ends


def test_it_is_a_list_that_knows_its_members() -> None:
    ends = Ends("abca")
    assert (
        list(ends) == ends == ["a", "b", "c", "a"]
        and len(ends) == 4
        and repr(ends) == repr([*ends])
    )
    assert ends[1] == "b" and ends[1:3] == ["b", "c"] and "d" not in ends
    ends.remove("a")
    assert "a" in ends and ends == ["b", "c", "a"]
    ends[0] = "d"
    assert "b" not in ends and "d" in ends
    ends.insert(1, "e")
    ends += ["f"]
    ends.extend(Ends("g"))
    assert ends == ["d", "e", "c", "a", "f", "g"] and all(item in ends for item in "decafg")
    assert ends.pop() == "g" and "g" not in ends
    del ends[:2]
    assert ends == Ends("caf") and ends.index("f") == 2 and "d" not in ends
    ends.clear()
    assert not ends and "c" not in ends
    with pytest.raises(TypeError):
        hash(ends)


def test_a_sum_with_a_list_is_a_list() -> None:
    ends = Ends([1, 2])
    assert ends + [3] == [1, 2, 3] and [3] + ends == [3, 1, 2]
    assert ends + ends == [1, 2, 1, 2] and ends == [1, 2]
    ends += [3]
    assert isinstance(ends, Ends) and 3 in ends
