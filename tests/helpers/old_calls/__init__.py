"""One call or more of every version of every operator; tests/compiler/test_old_calls.py reads all.

Calls whose form changed are written by hand, a file per family as in compiler/reading/upgrades;
all others are those of op_samples, at every version that accepts them.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from importlib import import_module

import numpy as np
from op_samples import SAMPLES
from op_samples.sample import Sample

from .call import OldCall, history
from .refused import REFUSED

__all__ = ["REFUSED", "ROWS", "WRITTEN"]

FAMILIES = [
    "arithmetic",
    "attention",
    "axes",
    "control_flow",
    "drawn",
    "images",
    "layers",
    "logic",
    "ml",
    "quantization",
    "recurrent",
    "sequences",
    "tensors",
    "texts",
    "training",
]

WRITTEN: list[OldCall] = [
    call for family in FAMILIES for call in import_module(f"{__name__}.{family}").CALLS
]


def _sampled() -> list[OldCall]:
    return [
        OldCall(
            sample.op,
            sample.inputs,
            sample.attributes,
            sample.outputs or int(sample.attributes.get("num_outputs", 1)),
            wrt=sample.wrt,
        )
        for sample in SAMPLES
        if not _differs_in_stock(sample)
    ]


def _differs_in_stock(sample: Sample) -> bool:
    """Tell whether onnxruntime, which is asked here, is known to give something else.

    The largest of channels without space is a scalar there.
    """
    first = sample.inputs[0] if sample.inputs else None
    return sample.op == "GlobalMaxPool" and first is not None and first.ndim == 2


def _rows(calls: list[OldCall]) -> Iterator[tuple[OldCall, int]]:
    """Yield calls with the versions that accept them."""
    for call in calls:
        for schema in history()[call.domain, call.op]:
            version = schema.since_version
            wanted = call.versions or ([] if schema.deprecated else [version])
            if version in wanted and (schema.deprecated or call.is_accepted(version, np.float32)):
                yield call, version


def _first(rows: Iterable[tuple[OldCall, int]], most: int) -> Iterator[tuple[OldCall, int]]:
    """Yield the first rows of each version that has none written by hand."""
    count = Counter({(call.op, version): most for call, version in _rows(WRITTEN)})
    for call, version in rows:
        if count[call.op, version] < most:
            count[call.op, version] += 1
            yield call, version


ROWS = [*_rows(WRITTEN), *_first(_rows(_sampled()), most=2)]
"""What is tried: a call and the opset of its model."""
