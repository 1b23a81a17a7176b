"""Who may import whom, and which library stands in which file; README lists the rooms."""

import ast
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("compiler", "backends", "frontend")
FILES = [p for folder in FOLDERS for p in sorted((ROOT / folder).rglob("*.py"))]
COMPILER = [p for p in FILES if p.is_relative_to(ROOT / "compiler")]

ROOMS = [
    "errors",
    "opset",
    "graph",
    "standard",
    "inference",
    "emission",
    "reading",
    "composites",
    "differentiation",
    "batching",
    "gradients",
    "interchange",
    "passes",
    "parting",
]
"""The rooms of compiler/, from the ground up: a room imports only rooms that stand before it."""

TRANSFORMATIONS = {"differentiation", "batching", "gradients"}
"""Parts of the compiler that no backend may use: a graph is differentiated before it is run."""

ONLY_IN = {
    "networkx": {"compiler/graph/edges.py", "compiler/graph/ir.py"},
    "cupy": {"backends/cupy.py"},
    "jax": {"frontend/bridges/jax_primitive.py"},
    "torch": {"frontend/bridges/torch_function.py", "frontend/bridges/torch_export.py"},
    "mpi4py": {"frontend/parallel/mpi_group.py"},
    "onnxruntime": {
        "backends/onnxruntime.py",
        "backends/onnxruntime_adapters.py",
        "backends/onnxruntime_crossing.py",
        "backends/onnxruntime_providers.py",
        "backends/onnxruntime_sessions.py",
    },
}


@cache
def imports(path: Path) -> list[str]:
    """List the full name of everything a file imports, ours as "compiler.ir"."""
    return list(_imports(path))


def _imports(path: Path) -> Iterator[str]:
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{module}.{alias.name}" for alias in node.names)


def module_of(path: Path) -> str:
    """Give a file's full name: "compiler.graph.ir", "compiler.gradients" for its __init__."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def modules_in(name: str, files: Mapping[str, Path]) -> Iterator[str]:
    """Yield the file that an imported name stands for: a module, or the one that holds it."""
    if name in files:
        yield name
    elif (holder := name.rpartition(".")[0]) in files:
        yield holder


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


def test_every_room_is_in_the_list() -> None:
    found = {p.stem for p in (ROOT / "compiler").iterdir() if p.suffix == ".py" or p.is_dir()}
    assert found - {"__init__", "__pycache__"} == set(ROOMS)


@pytest.mark.parametrize("path", COMPILER, ids=name_of)
def test_a_room_imports_only_rooms_below_it(path: Path) -> None:
    """Imports inside functions count too: ast.walk finds them."""
    if path.parent == ROOT / "compiler" and path.stem == "__init__":
        return
    floor = ROOMS.index(name_of(path).removesuffix(".py").split("/")[1])
    for name in imports(path):
        room = name.removeprefix("compiler.").split(".")[0]
        if name.startswith("compiler."):
            assert ROOMS.index(room) <= floor, f"{room} stands above {ROOMS[floor]}"


@pytest.mark.parametrize("path", COMPILER, ids=name_of)
def test_the_compiler_imports_itself_at_the_top_of_files(path: Path) -> None:
    tree = ast.parse(path.read_text())
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef):
            inner = [n for n in ast.walk(function) if isinstance(n, ast.ImportFrom) and n.level]
            assert not inner, f"{function.name} imports {inner[0].module}"


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_files_import_each_other_in_a_circle(folder: str) -> None:
    files = {module_of(p): p for p in FILES if name_of(p).startswith(f"{folder}/")}
    graph = {m: {f for n in imports(p) for f in modules_in(n, files)} for m, p in files.items()}
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle


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
    heavy = "('cupy', 'jax', 'onnxruntime', 'rich', 'scipy', 'torch', 'typer')"
    code = f"import sys, onnxgrad; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
