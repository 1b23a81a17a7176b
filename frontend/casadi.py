"""Files of a function and its derivatives as CasADi's ONNX interface looks for them."""

from collections.abc import Sequence
from importlib.util import find_spec
from math import prod
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from onnxgrad.compiler.emission.ops import Ops
from onnxgrad.compiler.errors import BackendUnavailableError, GraphError, ModelFileError
from onnxgrad.compiler.graph.arguments import require_graph, require_text
from onnxgrad.compiler.graph.dead_code import remove_dead_nodes
from onnxgrad.compiler.graph.ir import Graph, Value
from onnxgrad.compiler.graph.names import without_attribute
from onnxgrad.compiler.graph.types import Dim, TensorType, is_float, is_static
from onnxgrad.compiler.passes.pipeline import clean_up

from .batching import vmap
from .bridges.requirements import require
from .files import as_path, save
from .selection import WRT, Selection, find_values
from .transforms import jvp, vjp


def family(
    graph: Graph,
    folder: str | PathLike[str],
    name: str = "f",
    *,
    wrt: Selection | None = None,
) -> list[Path]:
    """Write the files that CasADi takes for a function: itself, both modes, and second order.

    CasADi reads a tensor as a matrix: of rank 0 or 1 as a column, of rank 3 and more as a column
    of all elements. Seeds stand side by side as further columns.

    | file | inputs | outputs |
    |---|---|---|
    | `f.onnx` | x | y |
    | `fwd_f.onnx` | x, fwd_x | fwd_y |
    | `adj_f.onnx` | x, adj_y | adj_x |
    | `fwd_adj_f.onnx` | x, adj_y, fwd_x, fwd_adj_y | fwd_adj_x |

    Args:
        graph: a graph of static shapes; `load(path, shapes={…})` gives numbers to open ones.
        folder: where the files go; it is made where there is none.
        name: the name of the first file, without its ending.
        wrt: inputs to differentiate by; all float inputs without this.

    Returns:
        The paths, the function's first.

    Raises:
        GraphError: a shape is open, or `wrt` names what is no float input.
        UnsupportedOpError: an operator has no gradient; all such are listed.
        ModelFileError: a file cannot be written.

    Example:
        >>> path, *_ = og.casadi.family(model, "generated")
        >>> os.environ["CASADI_ONNXRUNTIME_LIB"] = og.casadi.runtime_library()
        >>> f = casadi.GraphBuilder(str(path)).create("f")
    """
    target = as_path(folder)
    stem = require_text(name, "the name of a family")
    if not stem or Path(stem).name != stem:
        raise GraphError(f"the name of a family is the name of a file, not {name!r}")
    functions = _functions(require_graph(graph), wrt)
    try:
        target.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ModelFileError(f"cannot make {target}: {error.strerror or error}") from error
    paths = []
    for prefix, function in functions.items():
        paths.append(target / f"{prefix}{stem}.onnx")
        save(function, paths[-1], external_data=False)  # CasADi hands the bytes of one file over
    return paths


def runtime_library() -> str:
    """Give the path of onnxruntime's library, which CasADi wants in CASADI_ONNXRUNTIME_LIB.

    Raises:
        BackendUnavailableError: onnxruntime is not installed, or holds no such library.
    """
    require("onnxruntime", "CasADi's ONNX interface")
    found = find_spec("onnxruntime")
    for folder in (found.submodule_search_locations or ()) if found is not None else ():
        for pattern in ("libonnxruntime.so*", "libonnxruntime*.dylib", "onnxruntime.dll"):
            for path in sorted(Path(folder, "capi").glob(pattern)):
                return str(path)
    raise BackendUnavailableError("onnxruntime's package holds no library for other programs")


def _functions(graph: Graph, wrt: Selection | None) -> dict[str, Graph]:
    """Give the graphs by the prefix of their file."""
    for value in (*graph.inputs, *graph.outputs):
        if not isinstance(value.type, TensorType) or not is_static(value.shape):
            raise GraphError(
                f"'{value.name}' is {value.type}; CasADi needs tensors whose sizes are numbers: "
                "load the model with shapes={…}"
            )
    moved = [v for v in graph.inputs if is_float(v.dtype)]
    if wrt is not None:
        moved = find_values(graph, wrt, WRT, moved).values
    for value in moved:
        if value not in graph.inputs or not is_float(value.dtype):
            raise GraphError(f"wrt: '{value.name}' is no float input")
    xs = [v.name for v in moved]
    ys = [v.name for v in graph.outputs if is_float(v.dtype)]
    if not xs or not ys:
        raise GraphError("there is no float input, or no float output, to differentiate")
    fwd = {n: f"fwd_{n}" for n in (*xs, *ys)}
    adj = {n: f"adj_{n}" for n in (*xs, *ys)}
    forward = _only(jvp(graph, ys, xs, names=fwd, allow_unused=True), [fwd[y] for y in ys])
    adjoint = _only(vjp(graph, ys, xs, names=adj, allow_unused=True), [adj[x] for x in xs])
    seeds, results = [adj[y] for y in ys], [adj[x] for x in xs]
    second = {n: f"fwd_{n}" for n in (*xs, *seeds, *results)}
    both = jvp(adjoint, results, [*xs, *seeds], names=second, allow_unused=True)
    both = _only(both, [second[x] for x in results])
    inner = vmap(both, [*seeds, *(second[y] for y in seeds)], "nadj")
    outer = vmap(inner, [*(second[x] for x in xs), *(second[y] for y in seeds)], "nfwd")
    return {
        "": graph,
        "fwd_": _spread(vmap(forward, [fwd[x] for x in xs], "nfwd")),
        "adj_": _spread(vmap(adjoint, seeds, "nadj")),
        "fwd_adj_": _spread(outer),
    }


def _only(graph: Graph, names: Sequence[str]) -> Graph:
    """Leave out the other outputs: CasADi asks the function itself for them."""
    graph.outputs = [graph.find(name) for name in names]
    clean_up(graph)
    return graph


def _spread(graph: Graph) -> Graph:
    """Let seeds and results be matrices whose columns stand side by side, in place of a batch."""
    counts: dict[Dim, Value] = {}
    for value in list(graph.inputs):
        if axes := _batch_axes(value):
            _read_columns(graph, value, axes, counts)
    outputs = [_as_columns(graph, value) for value in graph.outputs]
    graph.outputs = outputs
    remove_dead_nodes(graph)
    return graph


def _batch_axes(value: Value) -> int:
    """Count the axes of seeds that a tensor has in front."""
    return sum(isinstance(dim, str) for dim in value.shape or ())


def _matrix(shape: Sequence[Dim]) -> tuple[int, int]:
    """Give rows and columns of the matrix that CasADi sees."""
    sizes = [int(d) for d in shape]
    return (sizes[0], sizes[1]) if len(sizes) == 2 else (prod(sizes), 1)


def _read_columns(graph: Graph, value: Value, axes: int, counts: dict[Dim, Value]) -> None:
    """Feed a matrix [rows, seeds·columns] where a batch of seeds was fed.

    Seeds of the outer direction stand apart, in each of them those of the inner one.
    """
    shape = list(value.shape or ())
    rows, columns = _matrix(shape[axes:])
    name, seeds = value.name, "_".join(map(str, shape[:axes]))
    graph.rename(value, graph.names.fresh(f"{name}/seeds"))
    side = seeds if columns == 1 else f"{seeds}_x{columns}"
    matrix = graph.add_value(Value(name, TensorType(value.dtype, (rows, side))))
    op = Ops(graph, prefix=f"{name}/")
    if axes == 1:
        sizes = op.constant([rows, -1, columns])
        counts.setdefault(shape[0], op.Div(op.Shape(matrix, start=1), [columns]))
    else:
        sizes = op.Concat([rows, -1], counts[shape[1]], [columns], axis=0)
    split = op.Reshape(matrix, sizes)
    batch = op.Transpose(split, perm=[*range(1, axes + 1), 0, axes + 1])
    example = op.constant([int(d) for d in shape[axes:]], np.int64)
    read: Value = op.Reshape(batch, op.Concat(op.Shape(batch, end=axes), example, axis=0))
    read.type = value.type
    graph.replace_uses(value, read)
    graph.inputs = [matrix if v is value else v for v in graph.inputs]
    graph.remove(value)


def _as_columns(graph: Graph, value: Value) -> Value:
    """Give the matrix [rows, seeds·columns] of a batch of results."""
    axes = _batch_axes(value)
    rows, columns = _matrix((value.shape or ())[axes:])
    name = value.name
    graph.rename(value, graph.names.fresh(f"{name}/seeds"))
    op = Ops(graph, prefix=f"{name}/")
    sizes = op.Concat(op.Shape(value, end=axes), [rows, columns], axis=0)
    split = op.Transpose(op.Reshape(value, sizes), perm=[axes, *range(axes), axes + 1])
    joined: Value = op.Reshape(split, [rows, -1])
    graph.rename(joined, name)
    return joined


if not TYPE_CHECKING:  # to a type checker it would say that any name is there
    __getattr__ = without_attribute(globals())
