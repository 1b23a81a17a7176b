"""Calls of og.losses and og.optim."""

import numpy as np

import onnxgrad as og

from .graphs import GRAPH, SCORES, SGD, Call, stepped

LOSS = {"graph": SCORES, "of": "y", "name": "loss"}
LABELLED = {**LOSS, "label": "label"}
AIMED = {**LOSS, "target": "target"}
LOSSES: list[Call] = [
    (
        "losses.cross_entropy",
        og.losses.cross_entropy,
        {**LABELLED, "axis": None, "label_smoothing": 0.0, "ignore_index": -100, "weight": None},
    ),
    (
        "losses.binary_cross_entropy",
        og.losses.binary_cross_entropy,
        {**LABELLED, "positive_weight": 1.0},
    ),
    (
        "losses.ctc",
        og.losses.ctc,
        {
            **{**LABELLED, "of": "frames", "lengths": None, "blank": 0, "ignore_index": -100},
            "time_first": False,
        },
    ),
    ("losses.kl_divergence", og.losses.kl_divergence, {**AIMED, "axis": None}),
    ("losses.mse", og.losses.mse, AIMED),
    ("losses.l1", og.losses.l1, AIMED),
    ("losses.huber", og.losses.huber, {**AIMED, "delta": 1.0}),
    ("losses.cosine", og.losses.cosine, {**AIMED, "axis": -1}),
    ("losses.info_nce", og.losses.info_nce, {**LOSS, "positive": "p", "temperature": 0.07}),
    ("losses.total", og.losses.total, {"graph": GRAPH, "weights": {"loss": 2.0}, "name": "sum"}),
    (
        "losses.check_labels",
        og.losses.check_labels,
        {"graph": og.losses.cross_entropy(SCORES, "y"), "feeds": {"label": np.zeros(2, "i8")}},
    ),
    (
        "losses.check_labels",
        lambda label: og.losses.check_labels(
            og.losses.cross_entropy(SCORES, "y"), {"label": label}
        ),
        {"label": np.zeros(2, "i8")},
    ),
]
OPTIMIZERS: list[Call] = [
    ("SGD", og.optim.SGD, {"learning_rate": 0.1, "momentum": 0.1, "nesterov": True}),
    ("SGD", og.optim.SGD, {"learning_rate": 0.1, "weight_decay": 0.1}),
    ("Adam", og.optim.Adam, {"learning_rate": 0.1, "b1": 0.9, "b2": 0.9, "eps": 1e-8}),
    (
        "AdamW",
        og.optim.AdamW,
        {"learning_rate": 0.1, "b1": 0.9, "b2": 0.9, "eps": 1e-8, "weight_decay": 0.1},
    ),
    ("Adagrad", og.optim.Adagrad, {"learning_rate": 0.1, "start": 0.0, "eps": 1e-8}),
    (
        "RMSprop",
        og.optim.RMSprop,
        {"learning_rate": 0.1, "decay": 0.9, "eps": 0.1, "momentum": 0.0, "centered": False},
    ),
    (
        "Adafactor",
        og.optim.Adafactor,
        {"learning_rate": 0.1, "decay": -0.8, "least": 0.1, "clip": 1.0, "weight_decay": 0.0},
    ),
    ("Lion", og.optim.Lion, {"learning_rate": 0.1, "b1": 0.9, "b2": 0.9, "weight_decay": 0.1}),
    (
        "Muon",
        og.optim.Muon,
        {
            **{"learning_rate": 0.1, "momentum": 0.9, "nesterov": True},
            **{"weight_decay": 0.1, "iterations": 1},
        },
    ),
    ("clip_by_value", og.optim.clip_by_value, {"optimizer": SGD, "most": 1.0}),
    ("clip_by_global_norm", og.optim.clip_by_global_norm, {"optimizer": SGD, "most": 1.0}),
    ("accumulate", og.optim.accumulate, {"optimizer": SGD, "steps": 2}),
    ("average_weights", og.optim.average_weights, {"optimizer": SGD, "decay": 0.9}),
    ("averages", og.optim.averages, {"state": {"w": np.ones(2), "w.average": np.ones(2)}}),
    ("skip_non_finite", og.optim.skip_non_finite, {"optimizer": SGD}),
    (
        "scale_loss",
        og.optim.scale_loss,
        {"optimizer": SGD, "start": 8.0, "growth": 2.0, "interval": 3, "backoff": 0.5},
    ),
    (
        "groups",
        lambda **how: stepped(og.optim.groups(**how)),
        {"optimizer": SGD, "by_name": {"w": SGD}},
    ),
    ("groups", lambda one: stepped(og.optim.groups(SGD, {"w": one})), {"one": SGD}),
    (
        "decay_weights",
        lambda **how: stepped(og.optim.decay_weights(**how)),
        {"optimizer": SGD, "weight_decay": 0.1, "of": "w"},
    ),
    ("constant", og.optim.constant, {"rate": 0.1}),
    ("cosine", og.optim.cosine, {"peak": 0.1, "steps": 9, "warm_up": 1, "end": 0.0}),
    (
        "linear_warm_up",
        lambda **how: stepped(og.optim.SGD(og.optim.linear_warm_up(**how))),
        {"schedule": 0.1, "steps": 3, "start": 0.0},
    ),
    (
        "one_cycle",
        og.optim.one_cycle,
        {"peak": 0.1, "steps": 9, "rise": 0.3, "first": 25.0, "last": 1e4},
    ),
    ("piecewise", og.optim.piecewise, {"rate": 0.1, "later": {3: 0.2}}),
    ("a schedule", lambda rate: stepped(og.optim.SGD(rate)), {"rate": 0.1}),
]
