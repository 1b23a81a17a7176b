"""Without torch or JAX there is one error, which says what to install."""

from collections.abc import Callable
from typing import Any

import pytest

import onnxgrad as og
from onnxgrad.bridges import requirements


@pytest.mark.parametrize(
    ("call", "package"),
    [
        (og.torch.function, "torch"),
        (og.jax.function, "jax"),
        (lambda graph: og.torch.export(graph, ()), "torch"),
    ],
)
def test_a_missing_package_is_named(
    call: Callable[[og.Graph], Any], package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requirements, "find_spec", lambda name: None)
    b = og.Builder()
    b.output(b.op.Relu(b.input("x", "float32", (2,))), "y")
    with pytest.raises(og.BackendUnavailableError, match=f"needs {package}: pip install {package}"):
        call(b.build())
