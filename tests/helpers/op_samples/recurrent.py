"""Samples of RNN, GRU and LSTM: two steps or more, two sequences, two hidden units."""

from typing import Any

import numpy as np

from .sample import Array, Sample, random

# onnx.reference ignores clip, input_forget, directions and activations that it does not know


def _layer(
    op: str,
    gates: int,
    *,
    steps: int = 2,
    lengths: list[int] | None = None,
    bias: bool = True,
    initial: bool = True,
    peepholes: bool = False,
    reference: bool = False,
    onnxruntime: bool = True,
    second_order: bool = False,
    **attributes: Any,
) -> Sample:
    count = 2 if attributes.get("direction") == "bidirectional" else 1
    batch_first = attributes.get("layout", 0)
    x = random(2, steps, 2) if batch_first else random(steps, 2, 2)
    state = (2, count, 2) if batch_first else (count, 2, 2)
    inputs: list[Array | None] = [
        x,
        random(count, gates * 2, 2),
        random(count, gates * 2, 2, seed=1),
    ]
    inputs.append(random(count, gates * 4, seed=2) if bias else None)
    inputs.append(None if lengths is None else np.array(lengths, np.int32))
    inputs.append(random(*state, seed=3) if initial else None)
    if op == "LSTM":
        inputs.append(random(*state, seed=4) if initial else None)
        inputs.append(random(count, 6, seed=5) if peepholes else None)
    return Sample(
        op,
        inputs,
        {"hidden_size": 2, **attributes},
        outputs=3 if op == "LSTM" else 2,
        reference=reference,
        onnxruntime=onnxruntime and not batch_first,  # onnxruntime has no layout=1
        second_order=second_order,
        label="-".join(f"{k}={v}" for k, v in attributes.items()),
    )


SAMPLES = [
    _layer("RNN", 1, reference=True, second_order=True),
    _layer("RNN", 1, direction="reverse", lengths=[1, 2], activations=["Relu"]),
    _layer("RNN", 1, direction="bidirectional", layout=1, clip=0.5),
    _layer(
        "RNN",
        1,
        direction="bidirectional",
        bias=False,
        initial=False,
        activations=["LeakyRelu", "ThresholdedRelu"],
        activation_alpha=[0.2, 0.1],
    ),
    _layer("GRU", 3, reference=True, second_order=True),
    _layer("GRU", 3, steps=3, linear_before_reset=1, direction="bidirectional", lengths=[3, 1]),
    _layer("GRU", 3, direction="reverse", layout=1, clip=0.4, lengths=[1, 2]),
    _layer(
        "GRU",
        3,
        bias=False,
        initial=False,
        activations=["Affine", "ScaledTanh"],
        activation_alpha=[0.3, 0.7],
        activation_beta=[0.4, 0.2],
    ),
    _layer("LSTM", 4, reference=True, second_order=True, peepholes=True),
    _layer("LSTM", 4, steps=3, direction="bidirectional", lengths=[3, 1], peepholes=True),
    _layer("LSTM", 4, direction="reverse", layout=1, clip=0.5, lengths=[1, 2]),
    # the last activation's input, the cell, is clipped too
    _layer("LSTM", 4, clip=0.1),
    _layer("LSTM", 4, input_forget=1, bias=False, initial=False),
    # an example without steps of its own keeps its first state
    _layer("RNN", 1, lengths=[0, 2]),
    _layer("GRU", 3, lengths=[2, 0], direction="bidirectional"),
    _layer("LSTM", 4, lengths=[0, 0], initial=False),
    _layer("LSTM", 4, lengths=[0, 2], direction="reverse"),
    # alpha and beta as the standard has them where none are given, or too few
    _layer("RNN", 1, direction="bidirectional", activations=["ScaledTanh", "Affine"]),
    _layer("GRU", 3, activations=["HardSigmoid", "LeakyRelu"]),
    _layer(
        "LSTM",
        4,
        activations=["Elu", "ScaledTanh", "Affine"],
        activation_alpha=[0.3],
    ),
    _layer(
        "LSTM",
        4,
        activations=["HardSigmoid", "Softsign", "Elu"],
        activation_alpha=[0.3, 0.7],
        activation_beta=[0.4],
    ),
]
