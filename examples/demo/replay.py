"""Replay a training step from its files in stock onnxruntime; no part of onnxgrad takes part."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np


def replay(step: Path, start: Path, feeds: Iterable[Mapping[str, np.ndarray]]) -> list[float]:
    """Run the start once, then the step over all feeds; give the losses."""
    import onnxruntime  # loads only when it is used

    onnxruntime.set_default_logger_severity(3)
    first = onnxruntime.InferenceSession(start)
    session = onnxruntime.InferenceSession(step)
    pairs = json.loads(session.get_modelmeta().custom_metadata_map["onnxgrad.state"])
    state = dict(zip([v.name for v in first.get_outputs()], first.run(None, {}), strict=True))
    losses = []
    for batch in feeds:
        results: Any = session.run(["loss", *pairs.values()], {**batch, **state})
        loss, *changed = results
        state = dict(zip(pairs, changed, strict=True))
        losses.append(float(loss))
    return losses
