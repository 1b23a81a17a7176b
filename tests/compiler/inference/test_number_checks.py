"""Numbers that an operator cannot mean are refused; of some onnxruntime ends the process."""

from typing import Any

import numpy as np
import pytest

import onnxgrad as og

X = np.ones((2, 1, 3), np.float32)
W, R = np.ones((1, 2, 3), np.float32), np.ones((1, 2, 2), np.float32)
WRONG: dict[str, tuple[str, list[Any], dict[str, Any], str]] = {
    "low": ("RandomUniform", [], {"shape": [2], "low": 2.0}, "low must be at most high; 2 is more"),
    "low of x": ("RandomUniformLike", [X], {"high": -1.0}, "low must be at most high"),
    "NaN": ("RandomUniformLike", [X], {"high": float("nan")}, "low must be at most high"),
    "scale": ("RandomNormal", [], {"shape": [2], "scale": -1.0}, "at least 0, not -1"),
    "scale of x": ("RandomNormalLike", [X], {"scale": float("nan")}, "at least 0, not nan"),
    "all": ("Dropout", [X, np.float32(1), np.array(True)], {}, "less than 1, not 1"),
    "more than none": ("Dropout", [X, np.float32(-0.5), np.array(True)], {}, "not -0.5"),
    "clip": ("RNN", [X, W, R], {"hidden_size": 2, "clip": -1.0}, "clip must be at least 0, not -1"),
}


@pytest.mark.parametrize("name", WRONG)
def test_it_is_refused_while_building(name: str) -> None:
    op, inputs, attributes, reason = WRONG[name]
    b = og.Builder()
    with pytest.raises(og.GraphError, match=reason):
        getattr(b.op, op)(*map(b.constant, inputs), **attributes)


@pytest.mark.parametrize("backend", ["numpy", "onnxruntime"])
def test_a_share_that_is_fed(backend: str) -> None:
    b = og.Builder()
    x, ratio = b.input("x", "float32", (4,)), b.input("ratio", "float32", ())
    b.output(b.op.Dropout(x, ratio, b.input("training", "bool", ()), name="drop"), "y")
    run = og.compile(b.build(), backend).run
    feeds = {"x": np.ones(4, np.float32), "training": np.array(True)}
    with pytest.raises(og.GraphError, match=r"'drop'.*ratio must be at least 0 and less than 1"):
        run({**feeds, "ratio": np.float32(1)})
    assert run({**feeds, "ratio": np.float32(0)})["y"].tolist() == [1] * 4


@pytest.mark.parametrize("backend", ["numpy", "onnxruntime"])
def test_a_normal_without_width_is_its_mean(backend: str) -> None:
    b = og.Builder()
    x = b.input("x", "float32", ("N", 2))
    b.output(b.op.RandomNormalLike(x, mean=1.5, scale=0.0), "like")
    b.output(b.op.RandomNormal(shape=[3], mean=2.5, scale=0.0, dtype="float16"), "y")
    found = og.compile(b.build(), backend).run({"x": np.zeros((1, 2), np.float32)})
    assert found["like"].tolist() == [[1.5, 1.5]]
    assert found["y"].dtype == np.float16
    assert found["y"].tolist() == [2.5] * 3
