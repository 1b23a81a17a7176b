"""Kernels touch only what CuPy has, by a table of the real CuPy; the table is of the one installed.

`make cupy` installs CuPy, which needs no GPU for this, and compares the table with it.
"""

import json
from importlib import util
from pathlib import Path

import pytest
from cupy_face import FACE, touches, why_not

ROOT = Path(__file__).parents[2]
FILES = [*sorted((ROOT / "backends/kernels").glob("*.py")), ROOT / "backends/cupy.py",
         ROOT / "backends/control_flow.py"]  # fmt: skip
MAKE = ROOT / "tests/fixtures/cupy_face/make.py"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_kernels_touch_only_what_cupy_has(path: Path) -> None:
    found = [why_not(touch) for touch in touches(path.read_text())]
    assert not [said for said in found if said]


def test_kernels_are_all_looked_at() -> None:
    """Some of each way to reach CuPy are found."""
    names = {t.name for path in FILES for t in touches(path.read_text())}
    assert {"add.reduce", "lib.stride_tricks.as_strided", "argmin", "ndarray.swapaxes"} <= names
    assert {"random.RandomState.uniform", "random.Generator.standard_exponential"} <= names
    assert {"tanh", "bitwise_xor", "minimum", "multiply"} <= names  # from tables of operators


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("xp.busday_count(x)", "CuPy has no busday_count"),
        ("xp.errstate(all='ignore')", "CuPy has no errstate"),
        ("xp.max(x, initial=0)", "unexpected keyword argument 'initial'"),
        ("xp.add(x, y, where=mask)", "unexpected keyword argument 'where'"),
        ("xp.add.reduce(x, initial=0)", "unexpected keyword argument 'initial'"),
        ("xp.arange(0, 4, 1, 'int64', 5)", "too many positional arguments"),
        ("xp.lib.stride_tricks.sliding_window(x)", "has no lib.stride_tricks.sliding_window"),
        ("x.sum(axis=0, where=mask)", "unexpected keyword argument 'where'"),
        ("x.setflags(write=False)", "CuPy has no ndarray.setflags"),
        ("getattr(xp, {'a': 'put', 'b': 'putmask', 'c': 'bmat'}[name])(x)", "CuPy has no bmat"),
        ("xp.random.default_rng(1).normal(x)", "CuPy has no random.Generator.normal"),
        ("xp.random.RandomState(1).bytes(3)", "CuPy has no random.RandomState.bytes"),
    ],
)
def test_what_cupy_lacks_is_found(source: str, said: str) -> None:
    found = [why_not(touch) for touch in touches(source)]
    assert [text for text in found if text and said in text]


@pytest.mark.skipif(util.find_spec("cupy") is None, reason="CuPy is not installed: make cupy")
def test_the_table_is_of_the_cupy_installed() -> None:
    spec = util.spec_from_file_location("cupy_face_maker", MAKE)
    assert spec is not None and spec.loader is not None
    maker = util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    assert json.loads(json.dumps(maker.face())) == FACE, f"run {MAKE.relative_to(ROOT)}"
