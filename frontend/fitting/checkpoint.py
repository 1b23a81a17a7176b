"""A run between two steps, as a file: all that is needed to go on to the very same numbers."""

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from onnxgrad.compiler.emission.naming import STATE_KEY
from onnxgrad.compiler.errors import ModelFileError
from onnxgrad.compiler.graph.ir import Graph
from onnxgrad.compiler.graph.types import TensorType

from ..files import replacing
from ..parallel import Group

Arrays = dict[str, np.ndarray]

_KEY = "onnxgrad.run"


@dataclass
class Progress:
    """How far a run is, apart from the arrays of its state.

    Args:
        epoch, batch: of the next step, counted from 0.
        step: how many steps have run.
        best: the best score of a validation so far; less is better.
        best_epoch: when that was.
        worse: how many validations since then.
        ended: whether the run has ended by itself.
    """

    epoch: int = 0
    batch: int = 0
    step: int = 0
    best: float | None = None
    best_epoch: int | None = None
    worse: int = 0
    ended: bool = False


@dataclass
class Checkpoint:
    """The state of a training step and how far the run is.

    Args:
        progress: where the run goes on.
        state: the arrays that the next step reads, by input name.
        settings: what must not differ in a run that goes on, such as the seed.
    """

    progress: Progress
    state: Arrays
    settings: dict[str, Any] = field(default_factory=dict)


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint as safetensors; the one that stood there stays until this one is whole.

    Raises:
        ModelFileError: it cannot be written, the disk being full for instance.
    """
    about = {"progress": asdict(checkpoint.progress), "settings": checkpoint.settings}
    arrays = {name: np.asarray(a, order="C") for name, a in checkpoint.state.items()}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ModelFileError(f"cannot write into {path.parent}: {error.strerror}") from error
    with replacing(path) as part:
        try:
            save_file(arrays, part, {_KEY: json.dumps(about)})
        except SafetensorError as error:
            raise ModelFileError(f"cannot write {path}: {error}") from None
        with part.open("rb") as file:
            os.fsync(file.fileno())


def read_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint.

    Raises:
        ModelFileError: there is none, or it is not a checkpoint.
    """
    try:
        with safe_open(path, "numpy") as file:
            about = json.loads((file.metadata() or {})[_KEY])
            state = {name: file.get_tensor(name) for name in file.keys()}
        return Checkpoint(Progress(**about["progress"]), state, about["settings"])
    except FileNotFoundError:
        raise ModelFileError(f"there is no checkpoint {path}") from None
    except OSError as error:
        raise ModelFileError(f"cannot read {path}: {error.strerror or error}") from None
    except (SafetensorError, KeyError, TypeError, ValueError):
        raise ModelFileError(f"{path} is not a checkpoint of onnxgrad, or a damaged one") from None


def share_checkpoint(checkpoint: Checkpoint, group: Group) -> None:
    """Put what process 0 has in place of a checkpoint whose arrays have the same types."""
    text = np.frombuffer(json.dumps(asdict(checkpoint.progress)).encode(), np.uint8)
    length = np.array([text.size])
    group.broadcast(length)
    text = text.copy() if group.rank == 0 else np.empty(length[0], np.uint8)
    group.broadcast(text)
    checkpoint.progress = Progress(**json.loads(text.tobytes()))
    for name in sorted(checkpoint.state):
        array = np.array(checkpoint.state[name], order="C")
        group.broadcast(array)
        checkpoint.state[name] = array


def require_same_run(
    path: Path, found: Checkpoint, settings: Mapping[str, Any], start: Mapping[str, np.ndarray]
) -> None:
    """Refuse a checkpoint of another model or of a run with other settings.

    Raises:
        ModelFileError: what differs, side by side.
    """
    there, here = _types(found.state), _types(start)
    if there != here:
        names = [n for n in {**there, **here} if there.get(n) != here.get(n)]
        listed = "; ".join(
            f"'{n}' {there.get(n, 'missing')} there, {here.get(n, 'missing')} here"
            for n in names[:4]
        )
        more = f" and {len(names) - 4} more" if len(names) > 4 else ""
        raise ModelFileError(f"{path} is of another model or optimizer: {listed}{more}")
    for name, value in settings.items():
        made_with = found.settings.get(name, value)
        if name == "model" and made_with != value:
            raise ModelFileError(
                f"{path} is of a run with another model, optimizer or schedule; give the same, or "
                "start without resume=True"
            )
        if made_with != value:
            raise ModelFileError(
                f"{path} was made with {name} {made_with}, this run has {value}; "
                "give the same, or start without resume=True"
            )


def fingerprint(step: Graph) -> str:
    """Give a text that steps of the same operators, in the same order, share."""
    said = [step.metadata.get(STATE_KEY, "")]
    said += [f"{v.name}: {v.type}" for v in [*step.inputs, *step.outputs]]
    said += [f"{n.operator} {sorted(k for k in n.attributes)}" for n in step.nodes()]
    return hashlib.sha256("\n".join(said).encode()).hexdigest()[:16]


def without_addresses(text: str) -> str:
    """Take out of a repr where in memory its objects lie, which differs from run to run."""
    return re.sub(r" at 0x[0-9a-fA-F]+", "", text)


def _types(state: Mapping[str, np.ndarray]) -> dict[str, str]:
    return {name: str(TensorType(a.dtype, a.shape)) for name, a in state.items()}
