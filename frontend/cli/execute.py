"""The commands that run a model: run, validate."""

from io import BytesIO
from pathlib import Path
from tokenize import TokenError
from typing import Annotated, Any
from zipfile import ZipFile

import numpy as np
import typer

from onnxgrad.compiler.errors import GraphError, ModelFileError
from onnxgrad.compiler.graph.types import dtype_name

from ..files import replacing
from ..running import compile
from ..validation import check_gradients, validate
from .application import AsJson, Model, command, require_file, require_place
from .pairs import read_pairs
from .shapes import Shapes
from .terminal import busy, print_json, print_report, print_table, read

Inputs = Annotated[
    list[str] | None,
    typer.Option("--input", "-i", help="An input as name=file.npy; repeatable."),
]


@command("run")
def run(
    model: Model,
    inputs: Inputs = None,
    backend: Annotated[
        str, typer.Option(help="numpy, numba, onnxruntime, openvino, cupy or another.")
    ] = "numpy",
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Write the outputs as .npz.", callback=require_file),
    ] = None,
    shape: Shapes = None,
    as_json: AsJson = False,
) -> None:
    """Run a model on arrays from .npy files; print what comes out.

    Example: onnxgrad run model.onnx --backend onnxruntime --input x=x.npy -o results.npz
    """
    if output is not None and output.suffix not in ("", ".npz"):
        raise GraphError(f"outputs are written as .npz, so not as {output}")
    graph, feeds = read(model, shape), read_feeds(inputs)
    require_place(output, model)
    with busy("compiling"):
        compiled = compile(graph, backend)
    with busy("running"):
        results = compiled.run(feeds)
    if output is not None:
        write_arrays(output, results)
    rows = [_summary(name, value) for name, value in results.items()]
    if as_json:
        print_json(rows)
        return
    columns = ["name", "type", "min", "mean", "max"]
    print_table(model.name, columns, [[_shown(row[c]) for c in columns] for row in rows])


@command("validate")
def validate_command(
    model: Model,
    inputs: Inputs = None,
    backend: Annotated[
        list[str] | None, typer.Option(help="A backend; repeatable. By default all there are.")
    ] = None,
    of: Annotated[
        list[str] | None, typer.Option(help="Check gradients instead: of this value; repeatable.")
    ] = None,
    wrt: Annotated[
        list[str] | None, typer.Option(help="By this value or pattern; repeatable.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of inputs that are not given.")] = 0,
    shape: Shapes = None,
    as_json: AsJson = False,
) -> None:
    """Run a model on all backends and compare; or its gradients with finite differences.

    The exit status is 1 where they differ, or where nothing was compared.

    Example: onnxgrad validate model.onnx --of loss --wrt '*'
    """
    if bool(of) != bool(wrt):
        raise GraphError("--of and --wrt go together, as in --of loss --wrt '*'")
    graph, feeds = read(model, shape), read_feeds(inputs)
    with busy("comparing"):
        if of and wrt:
            report = check_gradients(graph, of, wrt, feeds, backend or None, seed=seed)
        else:
            report = validate(graph, feeds, backend or None, seed=seed)
    if as_json:
        print(report.to_json())
    else:
        print_report(report)
    if not report:
        raise typer.Exit(1)


def read_feeds(inputs: list[str] | None) -> dict[str, np.ndarray]:
    """Read the arrays of `name=file.npy`, of any dtype and shape that NumPy writes.

    Raises:
        GraphError: one says something else, or a name comes twice.
        ModelFileError: a file holds no array, or one of Python's objects.
        OSError: a file cannot be read.
    """
    files = read_pairs("--input", "name=file.npy", inputs, str.partition)  # a path may hold a "="
    return {name: _read_array(path) for name, path in files.items()}


def _read_array(path: str) -> np.ndarray:
    try:
        with open(path, "rb") as file:
            if not file.peek().startswith(np.lib.format.MAGIC_PREFIX):
                raise ModelFileError(f"{path} is not an .npy file; np.save writes such files")
            return np.lib.format.read_array(file, allow_pickle=False)
    except ModelFileError:
        raise
    except (ValueError, EOFError, TokenError) as error:
        if "allow_pickle" in str(error):
            raise ModelFileError(
                f"{path} holds Python's objects; save it as numbers, array.astype(np.float32)"
            ) from None
        raise ModelFileError(f"{path} is cut off or damaged: {error}") from None


def write_arrays(path: Path, results: dict[str, Any]) -> None:
    """Write arrays as .npz, whole or not at all; a sequence's items as name.0, name.1, …

    What NumPy has no type for is widened: bfloat16 to float32, int4 to int16.

    Raises:
        GraphError: two arrays would have the same name.
        ModelFileError: the file cannot be written.
    """
    arrays: dict[str, Any] = {}
    for name, value in results.items():
        parts = {name: value}
        if isinstance(value, list):
            parts = {f"{name}.{k}": item for k, item in enumerate(value)}
        if twice := arrays.keys() & parts.keys():
            raise GraphError(f"two arrays would be '{min(twice)}' in {path}; rename an output")
        arrays |= {key: _storable(part) for key, part in parts.items() if part is not None}
    content = BytesIO()  # a pipe or a device cannot be written to here and there
    with ZipFile(content, "w") as archive:
        for name, array in arrays.items():  # np.savez has arguments, whose names are taken
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, array, allow_pickle=False)
    with replacing(path) as part:
        part.write_bytes(content.getbuffer())


def _storable(array: Any) -> np.ndarray:
    """Give an array that a file holds without Python's objects or types of other packages."""
    array = np.asarray(array)
    if array.dtype.kind == "O":
        return array.astype(str)
    if array.dtype.isbuiltin != 2:  # those of ml_dtypes are
        return array
    return array.astype(np.int16 if "int" in dtype_name(array.dtype) else np.float32)


def _summary(name: str, value: Any) -> dict[str, Any]:
    row: dict[str, Any] = {"name": name, "min": None, "mean": None, "max": None, "not_finite": 0}
    if not isinstance(value, np.ndarray):
        return row | {"type": "nothing" if value is None else f"sequence of {len(value)}"}
    row["type"] = f"{dtype_name(value.dtype)}[{', '.join(map(str, value.shape))}]"
    if value.size and value.dtype.kind not in "OUSc":
        wide = value.astype(np.float64)
        with np.errstate(all="ignore"):  # infinities and NaN are results like others
            row |= {"min": wide.min().item(), "mean": wide.mean().item(), "max": wide.max().item()}
            row["not_finite"] = int((~np.isfinite(wide)).sum())
    return row


def _shown(value: Any) -> str:
    return "" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
