"""Adapters alone in a file, beside the model that they fit; low_rank.py makes and merges them."""

import json
from collections.abc import Mapping
from os import PathLike
from pathlib import Path

import numpy as np
import onnx
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from onnxgrad.backends.onnxruntime_adapters import read_adapter, write_adapter
from onnxgrad.compiler.errors import GraphError, ModelFileError
from onnxgrad.compiler.graph.arguments import require_graph
from onnxgrad.compiler.graph.ir import Graph
from onnxgrad.compiler.graph.names import suggestion

from ..files import as_path, replacing, save
from ..training.step import with_parameters
from .layers import layers_of
from .low_rank import (
    DOWN,
    UP,
    Adapter,
    adapt,
    adapters_of,
    add_factors,
    factor_shapes,
    require_adapters,
)

Arrays = dict[str, np.ndarray]

_KEY = "onnxgrad.lora"

_OURS, _ONNXRUNTIME = ".safetensors", ".onnx_adapter"


def save_adapter(
    graph: Graph, path: str | PathLike[str], *, model: str | PathLike[str] | None = None
) -> None:
    """Write the adapters of a graph alone, whole or not at all.

    Args:
        graph: a graph with adapters; trained ones go in by `og.with_parameters` first.
        path: a .safetensors, which holds the factor alpha/rank too, or an .onnx_adapter of
            onnxruntime, which has no place for it.
        model: write a file of the whole graph as well, whose adapters are inputs with defaults:
            onnxruntime's `RunOptions.add_active_adapter` exchanges them.

    Raises:
        GraphError: the graph has no adapters.
        ModelFileError: the file cannot be written, or is of another kind.
    """
    target = _adapter_path(path)
    found = require_adapters(graph)
    arrays = _arrays(found)
    with replacing(target) as part:
        part.touch()  # a folder that cannot be written to gives the error that all files give
        if target.suffix == _OURS:
            factors = {a.layer.weight.name: a.factor for a in found}
            save_file(arrays, part, {_KEY: json.dumps(factors)})
        else:
            write_adapter(part, arrays)
    if model is not None:
        _save_open(graph, as_path(model), set(arrays))


def load_adapter(graph: Graph, path: str | PathLike[str]) -> Graph:
    """Give a graph with the adapters of a file, in the place of its own where it has some.

    Raises:
        GraphError: the file's adapters are for other weights or sizes, or the graph has none and
            the file does not tell their factor (.onnx_adapter).
        ModelFileError: the file cannot be read.
    """
    source = _adapter_path(path)
    arrays, factors = _read(source)
    own = adapters_of(require_graph(graph))
    if own:
        _require_same(source, own, arrays, factors)
        return with_parameters(graph, arrays)
    if factors is None:
        raise GraphError(
            f"{source} does not say by which factor its adapters count; put some in place by "
            "og.lora(graph, layers, rank, alpha) first"
        )
    copy = graph.copy()
    layers = layers_of(copy)
    known = {layer.weight.name for layer in layers}
    for name, factor in factors.items():
        if name not in known:
            raise GraphError(f"{source}: no layer has the weight '{name}'{suggestion(name, known)}")
        down, up = arrays[name + DOWN], arrays[name + UP]
        mine = [layer for layer in layers if layer.weight.name == name]
        for layer in mine:
            rank = (down.shape or (1,))[0 if layer.is_convolution else -1]
            wanted = factor_shapes(layer, rank)
            if (down.shape, up.shape) != wanted:
                raise GraphError(
                    f"{source}: the adapter of '{name}' has the sizes {down.shape} and {up.shape}, "
                    f"but {layer.node.label} needs {wanted[0]} and {wanted[1]}"
                )
        add_factors(copy, mine[0], down, up)
        for layer in mine:
            adapt(copy, layer, factor)
    return copy


def _arrays(adapters: list[Adapter]) -> Arrays:
    values = [v for a in adapters for v in (a.down, a.up)]
    return {v.name: np.ascontiguousarray(v.constant) for v in values if v.constant is not None}


def _require_same(
    source: Path, own: list[Adapter], arrays: Arrays, factors: Mapping[str, float] | None
) -> None:
    """Refuse adapters of other weights, or that count by another factor."""
    names = _arrays(own).keys()
    if names != arrays.keys():
        more, less = sorted(arrays.keys() - names), sorted(names - arrays.keys())
        raise GraphError(
            f"{source} holds the adapters of another graph; only there: {_listed(more)}; only "
            f"here: {_listed(less)}"
        )
    for adapter in own if factors is not None else ():
        name = adapter.layer.weight.name
        assert factors is not None
        if not np.isclose(factors[name], adapter.factor, rtol=1e-6):
            raise GraphError(
                f"{source}: the adapter of '{name}' counts by alpha/rank = {factors[name]:g}, here "
                f"by {adapter.factor:g}; load it into the graph without adapters"
            )


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - 4} more" if len(names) > 4 else ""
    return f"{', '.join(names[:4])}{more}" if names else "none"


def _adapter_path(path: str | PathLike[str]) -> Path:
    found = as_path(path)
    if found.suffix not in (_OURS, _ONNXRUNTIME):
        raise ModelFileError(f"adapters are in a {_OURS} or {_ONNXRUNTIME} file, not in {found}")
    return found


def _read(source: Path) -> tuple[Arrays, dict[str, float] | None]:
    """Read arrays and, where the file tells, the factor of each weight's adapter."""
    try:
        with source.open("rb"):  # the libraries that read adapters say little of what cannot be
            pass
        if source.suffix == _ONNXRUNTIME:
            return read_adapter(source), None
        with safe_open(source, "numpy") as file:
            about = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}
    except OSError as error:
        raise ModelFileError(f"cannot read {source}: {error.strerror or error}") from error
    except SafetensorError as error:
        raise ModelFileError(f"{source}: {error}") from error
    if _KEY not in about:
        raise ModelFileError(f"{source} holds no adapters of og.save_adapter")
    return arrays, _factors(source, about[_KEY], arrays)


def _factors(source: Path, about: str, arrays: Arrays) -> dict[str, float]:
    """Read the factor of each adapter that the arrays make up."""
    try:
        factors = {str(name): float(factor) for name, factor in json.loads(about).items()}
    except (ValueError, TypeError, AttributeError):
        raise ModelFileError(f"{source}: the factors of its adapters cannot be read") from None
    wanted = {name + part for name in factors for part in (DOWN, UP)}
    if wanted != arrays.keys() or not np.isfinite(list(factors.values())).all():
        raise ModelFileError(
            f"{source} is damaged: its factors are for {_listed(sorted(factors))}, its arrays are "
            f"{_listed(sorted(arrays))}"
        )
    return factors


def _save_open(graph: Graph, path: Path, names: set[str]) -> None:
    """Write a model whose initializers of these names are inputs, too, as IR version 4 has it."""
    save(graph, path)
    model = onnx.load(path, load_external_data=False)
    for held in model.graph.initializer:
        if held.name in names:
            made = onnx.helper.make_tensor_value_info(held.name, held.data_type, list(held.dims))
            model.graph.input.append(made)
    with replacing(path) as part:
        part.write_bytes(model.SerializeToString())
