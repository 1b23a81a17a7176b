"""Every public name is there, and loads only when it is used."""

import subprocess
import sys

import pytest

import onnxgrad as og


@pytest.mark.parametrize("name", og.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(og, name) is getattr(og, name)
    assert name in dir(og)


def test_other_names_are_not() -> None:
    with pytest.raises(AttributeError, match="no attribute 'gradient'"):
        og.gradient  # noqa: B018  # looking it up is the test


def test_importing_loads_no_rules() -> None:
    code = "import sys, onnxgrad; print('onnxgrad.compiler.gradients' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_backends_stays_a_function() -> None:
    """A submodule has the same name; loading it must not take the function's place."""
    code = "import onnxgrad as og; og.compile; og.load; print(callable(og.backends))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"
