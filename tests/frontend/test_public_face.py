"""Every public name is there, and loads only when it is used."""

import pkgutil
import subprocess
import sys
from importlib import import_module

import numpy as np
import pytest

import onnxgrad as og


@pytest.mark.parametrize("name", og.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(og, name) is getattr(og, name)
    assert name in dir(og)


def test_other_names_are_not() -> None:
    with pytest.raises(AttributeError, match="no attribute 'gradient'"):
        og.gradient  # noqa: B018  # looking it up is the test


@pytest.mark.parametrize(("name", "meant"), [("vmpa", "vmap"), ("traine_step", "train_step")])
def test_a_misspelt_name_is_told_what_is_meant(name: str, meant: str) -> None:
    with pytest.raises(AttributeError, match=f"no attribute '{name}'; did you mean '{meant}'"):
        getattr(og, name)
    with pytest.raises(AttributeError, match=r"no attribute '__wrapped__'$"):
        og.__wrapped__  # noqa: B018  # what nothing resembles


def test_importing_loads_no_rules() -> None:
    code = "import sys, onnxgrad; print('onnxgrad.compiler.gradients' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


ASK_FOR_MORE = (
    ".cupy", ".jax_primitive", ".nccl_group", ".torch_export", ".torch_function", ".torch_group"
)  # fmt: skip
"""Modules that import what may not be installed."""

MODULES = [m.name for m in pkgutil.walk_packages(og.__path__, "onnxgrad.")]


@pytest.mark.parametrize(
    "name", [m for m in MODULES if not m.endswith((*ASK_FOR_MORE, "__main__"))]
)
def test_no_name_hides_a_module(name: str) -> None:
    """`import onnxgrad.backends.numpy as n` finds the module, whatever else its package holds."""
    found = import_module(name)
    names: dict[str, object] = {}
    exec(f"import {name} as found", names)
    assert names["found"] is found


def test_what_a_prompt_shows_names_the_graph() -> None:
    b = og.Builder("net")
    b.output(
        b.op.ReduceSum(
            b.input("x", "float32", (1, 1)) @ b.parameter("w", np.ones((1, 1), np.float32))
        ),
        "loss",
    )
    f = og.compile(b.build())
    step = og.compile(og.train_step(b.build(), optimizer=og.optim.SGD(0.1)), "onnxruntime")
    fitted = og.fit(b.build(), {"x": np.ones((1, 1), np.float32)}, optimizer=og.optim.SGD(0.1))
    for shown in map(repr, (b, f, step, step.stepper(), fitted)):
        assert "Graph('net': " in shown and " at 0x" not in shown and "array" not in shown
    assert repr(step).endswith(" on onnxruntime)")
