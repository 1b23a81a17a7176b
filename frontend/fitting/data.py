"""What a run learns from: arrays in memory or in files, or any batches that Python can iterate."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from os import PathLike
from typing import Any, Protocol
from zipfile import BadZipFile
from zlib import error as ZlibError

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from onnxgrad.compiler.errors import GraphError, ModelFileError
from onnxgrad.compiler.graph.arguments import as_array, is_iterable
from onnxgrad.compiler.graph.ir import Value
from onnxgrad.compiler.graph.types import TensorType, is_float

from ..advice import warn
from ..files import as_path
from .batches import Batches, Order

Feeds = dict[str, np.ndarray]


class Data(Protocol):
    """Examples in batches."""

    @property
    def per_epoch(self) -> int | None:
        """How many batches an epoch has, None where only the end tells."""
        ...

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Feeds]:
        """Yield the batches of an epoch from a batch on, both counted from 0."""
        ...


def count(feeds: Mapping[str, np.ndarray]) -> int:
    """Count the examples of a batch: the first size of its arrays."""
    return max((len(a) for a in feeds.values() if a.ndim), default=1)


class ArrayData:
    """Arrays whose first axis counts the examples; single numbers are fed at every step."""

    def __init__(
        self, arrays: Mapping[str, np.ndarray], batches: Batches, dtypes: Mapping[str, np.dtype]
    ) -> None:
        self._arrays = arrays
        self._dtypes = dtypes
        self.batches = batches

    @property
    def per_epoch(self) -> int:
        """How many batches an epoch has."""
        return self.batches.per_epoch

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Feeds]:
        """Yield the batches of an epoch from a batch on."""
        for batch in range(start, self.per_epoch):
            yield self.take(self.batches.of(epoch, batch))

    def take(self, examples: np.ndarray) -> Feeds:
        """Give the arrays of some examples."""
        taken = {n: a[examples] if a.ndim else a for n, a in self._arrays.items()}
        return {n: np.asarray(a, self._dtypes[n]) for n, a in taken.items()}


class IteratedData:
    """Batches that a Python object yields, the same number in every epoch; of each a part."""

    def __init__(self, batches: Iterable[Mapping[str, Any]], order: Order) -> None:
        self._batches = batches
        self._order = order
        self.per_epoch = len(batches) if isinstance(batches, Sequence) else None

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Feeds]:
        """Yield the batches of an epoch from a batch on; those before it are drawn and dropped."""
        for k, batch in enumerate(self._batches):
            if not isinstance(batch, Mapping):
                raise GraphError(
                    f"batch {k} is {type(batch).__name__}, not a dict of arrays by input name"
                )
            if k >= start:
                arrays = {name: as_array(array) for name, array in batch.items()}
                own = self._order.own(np.arange(count(arrays)))
                yield {name: a[own] if a.ndim else a for name, a in arrays.items()}


def read_arrays(path: str | PathLike[str]) -> dict[str, np.ndarray]:
    """Read arrays by name: an .npz, a .safetensors, or a folder of .npy, which stay on the disk.

    Raises:
        ModelFileError: there are none, or they are damaged.
    """
    source = as_path(path)
    try:
        if source.is_dir():
            files = sorted(source.glob("*.npy"))
            arrays = {f.stem: np.load(f, mmap_mode="r", allow_pickle=False) for f in files}
        elif source.suffix == ".safetensors":
            arrays = load_file(source)
        elif source.suffix == ".npz":
            with source.open("rb") as file, np.load(file, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
        else:
            raise ModelFileError(
                f"{source}: data are an .npz, a .safetensors or a folder of .npy files"
            )
    except OSError as error:
        raise ModelFileError(f"cannot read {source}: {error.strerror or error}") from error
    except ModelFileError:
        raise
    except (ValueError, EOFError, KeyError, SafetensorError, BadZipFile, ZlibError) as error:
        raise ModelFileError(f"{source}: these arrays cannot be read: {error}") from None
    if not arrays:
        raise ModelFileError(f"{source} holds no arrays")
    return arrays


def open_data(
    given: Any,
    inputs: Sequence[Value],
    size: int | None,
    order: Order,
) -> Data:
    """Give the batches of what a caller handed in, checked against the inputs they are fed to.

    Args:
        given: a path, arrays by name, or something that yields batches, dicts of arrays.
        inputs: what must be fed.
        size: examples a batch; None: what the inputs ask for, else 32.
        order: of the examples; batches that are yielded come as they do.

    Raises:
        GraphError: names or shapes do not fit the inputs; both are listed.
        ModelFileError: a file cannot be read.
    """
    if isinstance(given, str | PathLike):
        given = read_arrays(given)
    if isinstance(given, Mapping):
        arrays = {str(name): as_array(array) for name, array in given.items()}
        return _from_arrays(arrays, inputs, size, order)
    if is_iterable(given):
        if size is not None:
            raise GraphError("batches that are iterated have their size; leave batch_size=… out")
        return IteratedData(given, order)
    raise GraphError(
        "data are a path, a dict of arrays by input name or something that yields batches, not "
        f"{type(given).__name__}"
    )


def _from_arrays(
    arrays: dict[str, np.ndarray],
    inputs: Sequence[Value],
    size: int | None,
    order: Order,
) -> ArrayData:
    wanted = {v.name: v for v in inputs}
    needed = {name for name, v in wanted.items() if v.constant is None}
    problems = [f"'{n}' is not among the data" for n in wanted if n in needed - arrays.keys()]
    problems += [f"'{n}' is not an input" for n in arrays if n not in wanted]
    counts = {len(a) for a in arrays.values() if a.ndim}
    if len(counts) > 1:
        problems.append("the arrays differ in their number of examples, their first size")
    if counts == {0}:
        problems.append("there are no examples")
    if any(0 in (v.shape or ()) for v in wanted.values()):
        problems.append("the model takes arrays without elements, from which nothing is learned")
    problems += [
        f"'{n}' does not fit" for n, a in arrays.items() if n in wanted and not _fits(wanted[n], a)
    ]
    fixed = {v.shape[0] for n, v in wanted.items() if n in arrays and v.shape}
    fixed_sizes = {d for d in fixed if isinstance(d, int)}
    if not problems and fixed_sizes and size not in (None, *fixed_sizes):
        problems.append(f"the model wants batches of {min(fixed_sizes)}, not of {size}")
    if fixed_sizes and order.ranks > 1:
        problems.append(
            "the model's batches have one size, so they cannot be parted among processes; make the "
            "first size of its inputs a symbol"
        )
    if problems or not counts:
        raise GraphError(f"{'; '.join(problems) or 'no examples'}. {_side_by_side(arrays, wanted)}")
    (examples,) = counts
    chosen = min(fixed_sizes, default=32) if size is None else size
    if fixed_sizes and examples < chosen:
        raise GraphError(
            f"the model wants batches of {chosen}, the data hold {examples} examples. "
            + _side_by_side(arrays, wanted)
        )
    if fixed_sizes and (rest := examples % chosen):
        which = "others each time" if order.shuffle else "the last ones"
        warn(
            f"the model takes batches of {chosen}, so each epoch leaves out {rest} of the "
            f"{examples} examples, {which}; leave the first size of its inputs open to use all"
        )
    batches = Batches(examples, min(chosen, examples), order, bool(fixed_sizes))
    return ArrayData(arrays, batches, {n: wanted[n].dtype for n in arrays})


def _fits(value: Value, array: np.ndarray) -> bool:
    """Tell whether batches of an array may be fed; floats and narrower numbers are converted."""
    if not isinstance(value.type, TensorType):
        return False
    floats = is_float(value.dtype) and array.dtype.kind == "f"
    if not (floats or np.can_cast(array.dtype, value.dtype, "safe")):
        return False
    if value.shape is None:
        return True
    pairs = list(zip(value.shape, array.shape, strict=False))[1:]  # the first counts the examples
    return len(value.shape) == array.ndim and all(
        not isinstance(dim, int) or dim == size for dim, size in pairs
    )


def _side_by_side(arrays: Mapping[str, np.ndarray], wanted: Mapping[str, Value]) -> str:
    given = ", ".join(f"{n}: {TensorType(a.dtype, a.shape)}" for n, a in arrays.items())
    asked = ", ".join(f"{n}: {v.type}" for n, v in wanted.items())
    return f"The data have {given or 'nothing'}; the model takes {asked}"
