"""Read and write model files; what stands in them is the compiler's."""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any

import onnx
from google.protobuf.message import (  # type: ignore[import-untyped]  # it has no stubs
    DecodeError,
    EncodeError,
)

from onnxgrad.backends.onnxruntime_refusals import refused_nodes
from onnxgrad.compiler.composites.expand import Forms
from onnxgrad.compiler.errors import GraphError, ModelFileError, locate
from onnxgrad.compiler.graph.arguments import (
    as_dim,
    optional_mapping,
    optional_texts,
    require_flag,
    require_graph,
    require_text,
)
from onnxgrad.compiler.graph.ir import Graph, Node
from onnxgrad.compiler.graph.subgraphs import all_nodes
from onnxgrad.compiler.graph.types import Dim, TensorType, dtype_name
from onnxgrad.compiler.interchange.exporter import to_onnx, weight_bytes
from onnxgrad.compiler.interchange.external_data import (
    PROTOBUF_LIMIT,
    ExternalTensorReader,
    ExternalTensorWriter,
)
from onnxgrad.compiler.interchange.importer import import_model
from onnxgrad.compiler.interchange.other_weights import lies_apart, put_weights
from onnxgrad.compiler.opset import EXPORT_OPSET
from onnxgrad.compiler.passes.runtimes import written_for
from onnxgrad.compiler.standard.contrib import DOMAIN as CONTRIB_DOMAIN

from .advice import warn
from .tuning import tuned_for_file, warn_of_left


def load(source: Any, shapes: Mapping[str, int | Sequence[int | None]] | Any = None) -> Graph:
    """Read a model: a path, bytes, a ModelProto or an onnx_ir.Model; or a torch module.

    `load(module, example)` takes the tensors that a torch module is called with in place of
    `shapes`; see `og.torch.export`, which it is short for.

    Args:
        source: the model; external data are looked for beside a path, never outside its folder.
            They are mapped into memory, not copied: leave these files as they are while the graph
            is in use (saving over them is safe).
        shapes: numbers for sizes that the model leaves open: by symbol, such as {"N": 8}, or all
            sizes of an input by its name, such as {"image": (1, 3, None, None)}, None for those
            that stay open.

    Raises:
        GraphError: the model has no such symbol or input, or other sizes.
        ModelFileError: the file is missing, truncated or no ONNX model.
        UnsupportedOpError: it uses operators that ONNX does not know; all of them at once.
    """
    if any(t.__module__.startswith("torch.nn.") for t in type(source).__mro__):
        from .torch import export  # whoever has a module has torch loaded

        return export(source, shapes)
    given = optional_mapping(shapes, "shapes")
    pinned = {name: _sizes(f"shapes['{name}']", sizes) for name, sizes in given.items()}
    folder = None
    if isinstance(source, str | PathLike):
        path = as_path(source)
        model, folder = _read(path), path.parent
    elif isinstance(source, bytes):
        model = _parse(source, "these bytes")
    elif isinstance(source, onnx.ModelProto):
        model = source
    elif type(source).__module__.partition(".")[0] == "onnx_ir":
        # no dependency of ours: whoever has such a model has it loaded
        import onnx_ir

        model = onnx_ir.to_proto(source)
    else:
        raise ModelFileError(
            f"cannot load a model from {type(source).__name__}; give a path, bytes or a ModelProto"
        )
    try:
        return import_model(model, pinned, folder)
    except Exception as error:
        if isinstance(source, str | PathLike):
            locate(error, f"in the file {source}")
        raise


def _sizes(what: str, given: Any) -> Dim | tuple[Dim | None, ...]:
    if isinstance(given, list | tuple):
        return tuple(None if size is None else as_dim(what, size) for size in given)
    return as_dim(what, given)


def save(
    graph: Graph,
    path: str | PathLike[str],
    opset: int = EXPORT_OPSET,
    forms: Forms | None = None,
    *,
    functions: bool = False,
    external_data: bool | None = None,
    runtime: str | None = None,
    tune: bool = False,
) -> None:
    """Write a graph as an ONNX file, whole or not at all.

    It warns where stock onnxruntime, or the runtime that is named, will not load the file, and
    names the nodes: some operators have no kernel for float64 in onnxruntime and no formula of
    others that have, and no runtime knows an operator of yours that has no body.

    Args:
        graph: the graph, unchanged by this.
        path: the file; weights apart from it go to "<path>.data".
        opset: version of the standard operators.
        forms: the form in which to write composites, by operator; of others the one without
            branches is taken that should cost least in onnxruntime.
        functions: keep composites, and function operators that the opset lacks, as functions.
        external_data: write weights to a file of their own; None: only where they exceed 2 GB.
        runtime: write what one runtime executes, to be run and not differentiated again:
            "onnxruntime", "onnxruntime-node", "onnxruntime-web", "openvino", "tract", "tvm",
            "opencv", "iree", "mnn", "tinygrad", "reference" or "tensorrt". Operators that it
            lacks are written by their bodies, composites in the forms that suit it;
            onnxruntime keeps its own operators. Compile for OpenVINO with
            {"INFERENCE_PRECISION_HINT": "f32"}: some processors compute in bfloat16 by default.
        tune: choose forms by timing them here, see `compile`: on onnxruntime, or on the runtime
            "openvino". Files are then the same on one machine only.

    Raises:
        GraphError: the runtime is not known, or nothing here can time it; `forms` are given beside
            `runtime` or `tune`.
        UnsupportedOpError: operators that the opset lacks; all of them at once.
        ModelFileError: the file cannot be written.
    """
    if isinstance(path, Graph):
        raise GraphError("save takes the graph first, then the path")
    require_graph(graph)
    target = as_path(path)
    if external_data is not None:
        require_flag(external_data, "external_data")
    if external_data is None:
        external_data = weight_bytes(graph) > PROTOBUF_LIMIT
    chosen_forms = optional_texts(forms, "forms")
    if runtime is not None:
        require_text(runtime, "runtime")
    if require_flag(tune, "tune"):
        if chosen_forms:
            raise GraphError("save takes forms or tune=True, which chooses them")
        graph, tuning = tuned_for_file(graph, runtime, opset, {})
        warn_of_left(tuning)
    refused: list[Node] = []
    contrib, chosen = False, None
    if runtime is not None:
        if chosen_forms:
            raise GraphError("save takes forms or a runtime, which chooses them")
        graph, chosen = written_for(graph, runtime, opset)
        contrib = chosen.contrib

    other = None if runtime is None or runtime.startswith("onnxruntime") else chosen

    def look(part: Graph) -> None:
        if other is None:
            refused.extend(refused_nodes(part, opset))
        else:
            refused.extend(n for n in all_nodes(part) if not other.supports(n))

    write = partial(to_onnx, graph, opset, forms, functions=functions, contrib=contrib, look=look)
    if external_data:
        _save_apart(write, target)
    else:
        content = _serialize(write())
        with replacing(target) as part:
            part.write_bytes(content)
    if refused:
        warn(_refusal("stock onnxruntime" if other is None else runtime, target, refused))


def _refusal(who: str | None, target: Path, nodes: Sequence[Node]) -> str:
    """Say what a runtime will not load."""
    named = list(dict.fromkeys(f"{n.label} in {_dtype_of(n)}" for n in nodes))
    shown = ", ".join(named[:3]) + (f" and {len(named) - 3} more" if len(named) > 3 else "")
    advice = "use another runtime" + (", or a graph in float32" if "float64" in shown else "")
    own = [n.operator for n in nodes if n.domain and not n.domain.startswith(_KNOWN)]
    if own:
        advice = (
            f"give {own[0]} a body with og.register_operator, which is saved in its place, or "
            "register a kernel of yours with that runtime"
        )
    return f"{who} will not load {target.name}: it has no kernel for {shown}; {advice}"


_KNOWN = ("ai.onnx", CONTRIB_DOMAIN)
"""The domains, and those below them, that are not a user's own."""


def _dtype_of(node: Node) -> str:
    types = (v.type for v in (*node.outputs, *node.inputs) if v is not None)
    return next((dtype_name(t.dtype) for t in types if isinstance(t, TensorType)), "its types")


def save_weights(graph: Graph, like: str | PathLike[str], path: str | PathLike[str]) -> list[str]:
    """Write a model file with the weights of a graph that was loaded from it; give their names.

    The result is the file `like` with other numbers: its opset, names, metadata, functions and
    types stay, where `save` writes a new file. What the graph has around the model, a loss for
    instance, is left out. BatchNormalization and Dropout are written for inference.

    Args:
        graph: what `load(like)` gave, trained; a last layer may have another size.
        like: the model file; it stays as it is, unless it is also the path.
        path: the file to write; weights that lay apart go to "<path>.data".

    Raises:
        GraphError: the graph was not loaded from that file.
        ModelFileError: a file cannot be read or written.
    """
    source, target = as_path(like), as_path(path)
    model = _read(source)
    reader = ExternalTensorReader(source.parent)
    if not lies_apart(model):
        changed = put_weights(model, require_graph(graph), reader)
        with replacing(target) as part:
            part.write_bytes(_serialize(model))
        return changed
    weights = target.parent / f"{target.name}.data"
    with replacing(target) as part, replacing(weights) as weights_part:
        with weights_part.open("wb") as file:
            writer = ExternalTensorWriter(file, weights.name)
            changed = put_weights(model, require_graph(graph), reader, writer)
        part.write_bytes(_serialize(model))
    return changed


def _save_apart(write: Callable[..., onnx.ModelProto], target: Path) -> None:
    """Write model and weights as two files; both stand complete before either takes its place."""
    weights = target.parent / f"{target.name}.data"
    with replacing(target) as part, replacing(weights) as weights_part:
        with weights_part.open("wb") as file:
            writer = ExternalTensorWriter(file, weights.name)
            model = write(tensor=writer)
        part.write_bytes(_serialize(model))


def _serialize(model: onnx.ModelProto) -> bytes:
    try:
        return model.SerializeToString()
    except (EncodeError, ValueError) as error:
        raise ModelFileError(f"the model cannot be written: {error}") from error


def as_path(given: Any) -> Path:
    """Read a path; what no file system can name is refused."""
    if isinstance(given, str | PathLike):
        path = Path(given)
        try:
            if b"\0" not in os.fsencode(path):
                return path
        except UnicodeEncodeError:
            pass
    raise ModelFileError(f"a path is a text or a Path that a file can have, not {given!r}")


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Give a path beside `target` that takes its place at the end, or vanishes on an error.

    A link stays one; a device or a pipe is written to as it stands.

    Raises:
        ModelFileError: the file cannot be written.
    """
    try:
        if target.exists() and not target.is_file():
            yield target
            return
        real = target.resolve()
        part = real.with_name(f".{real.name}.{os.getpid()}.part")
        try:
            yield part
            part.replace(real)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise ModelFileError(f"cannot write {target}: {error.strerror or error}") from error


def _read(path: Path) -> onnx.ModelProto:
    try:
        return _parse(path.read_bytes(), str(path))
    except OSError as error:
        raise ModelFileError(f"cannot read {path}: {error.strerror or error}") from error


def _parse(content: bytes, name: str) -> onnx.ModelProto:
    try:
        model = onnx.ModelProto.FromString(content)
    except DecodeError:
        known = (what for at, mark, what in _OTHERS if content[at:].startswith(mark))
        what = next(known, "this is not an ONNX model, or a truncated one")
        raise ModelFileError(f"{name}: {what}") from None
    return model


_OTHERS = [
    (4, b"ORTM", "this is onnxruntime's own format; load the .onnx file that it was made from"),
    (0, b"version https://git-lfs", "this only points to a model; git lfs pull brings it"),
    (0, b"PK\x03\x04", "this is a zip archive, as torch.save and wheels are; load an ONNX file"),
    (0, b"\x1f\x8b", "this is compressed; unpack it with gunzip"),
]
"""Where a text stands in what people take for a model, and what that is."""
