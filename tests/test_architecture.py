"""Who may import whom, and which library stands in which file; see README, design decisions."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("compiler", "backends", "frontend")
FILES = [p for folder in FOLDERS for p in sorted((ROOT / folder).rglob("*.py"))]

TRANSFORMATIONS = {"differentiation", "gradients"}
"""Parts of the compiler that no backend may use: a graph is differentiated before it is run."""

ONLY_IN = {
    "networkx": {"compiler/graph/ir.py"},
    "cupy": {"backends/cupy.py"},
    "onnxruntime": {"backends/onnxruntime.py", "frontend/demo/replay.py"},  # replay: without us
}


def imports(path: Path) -> Iterator[str]:
    """Yield the full name of everything a file imports, ours as "compiler.ir"."""
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{module}.{alias.name}" for alias in node.names)


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_imports_go_one_way(path: Path) -> None:
    folder = name_of(path).split("/")[0]
    for name in imports(path):
        top, _, rest = name.removeprefix("onnxgrad.").partition(".")
        if folder == "compiler":
            assert top not in ("backends", "frontend") and not name.startswith("onnxgrad"), name
        elif folder == "backends":
            assert top != "frontend" and not name.startswith("onnxgrad"), name
            if top == "compiler":
                assert rest.split(".")[0] not in TRANSFORMATIONS, name


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_libraries_stay_in_their_files(path: Path) -> None:
    for name in imports(path):
        library = name.split(".")[0]
        assert name_of(path) in ONLY_IN.get(library, {name_of(path)}), name
        if name_of(path).startswith("backends/kernels/"):
            assert library not in ("numpy", "scipy"), name


def test_type_inference_is_asked_in_one_place() -> None:
    users = {name_of(p) for p in FILES if "infer_node_outputs" in p.read_text()}
    assert users == {"compiler/inference/node_types.py"}


def test_heavy_libraries_load_when_they_are_used() -> None:
    heavy = "('cupy', 'onnxruntime', 'typer', 'rich')"
    code = f"import sys, onnxgrad; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
