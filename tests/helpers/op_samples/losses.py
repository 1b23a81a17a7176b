"""Samples of the classification losses: reductions, class weights, ignored labels, extra axes."""

from typing import Any

import numpy as np

from .sample import Array, Sample, random

LABELS = np.array([0, 2, 1, 2])
PLACES = np.array([[0, 2], [1, 1], [2, 0]], np.int32)  # (batch, place)
WEIGHTS = random(3, low=0.5, high=2.0)


def every_mode(op: str, **settings: Any) -> list[Sample]:
    """Give the loss with all reductions, with and without weights, ignoring and extra axes."""
    flat, deep = random(4, 3, low=-2, high=2), random(3, 3, 2, low=-2, high=2)
    calls: list[tuple[list[Array | None], dict[str, Any]]] = [
        ([flat, LABELS], {}),
        ([flat, LABELS, WEIGHTS], {"ignore_index": 2}),
        ([flat, np.array([0, -5, 1, 2]), WEIGHTS], {"ignore_index": -5}),
        ([flat, LABELS], {"ignore_index": 2}),
        ([deep, PLACES, WEIGHTS], {}),
        ([deep, PLACES], {"ignore_index": 1}),
    ]
    return [
        Sample(op, inputs, {"reduction": reduction, **attributes}, **settings)
        for inputs, attributes in calls
        for reduction in ("mean", "sum", "none")
    ]


SAMPLES = [
    *every_mode("NegativeLogLikelihoodLoss"),
    *every_mode("SoftmaxCrossEntropyLoss"),
    *every_mode("SoftmaxCrossEntropyLoss", outputs=2),
]
