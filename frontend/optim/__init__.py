"""Optimizers as values that compose: each emits its update rule and holds no state.

Update rules have capitals; what wraps an optimizer, and schedules of its learning rate, are called
like functions and give an optimizer or a schedule. The outermost wrapper sees gradients first:
`clip_by_global_norm(accumulate(AdamW(cosine(1e-3, steps=1000)), 4), 1.0)` clips each batch's.

An optimizer is any object with a `learning_rate` and an `update`, so users add their own.
"""

from typing import TYPE_CHECKING

from onnxgrad.compiler.graph.names import without_attribute

from ..training.update import Gradients, Optimizer, Rate, Schedule, Update
from .accumulation import accumulate
from .adafactor import Adafactor
from .adagrad import Adagrad
from .adam import Adam, AdamW
from .averaging import average_weights, averages
from .clipping import clip_by_global_norm, clip_by_value
from .grouping import groups
from .lion import Lion
from .muon import Muon
from .non_finite import scale_loss, skip_non_finite
from .rmsprop import RMSprop
from .schedules import constant, cosine, linear_warm_up, one_cycle, piecewise
from .sgd import SGD
from .weight_decay import decay_weights

__all__ = [
    "SGD",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Gradients",
    "Lion",
    "Muon",
    "Optimizer",
    "RMSprop",
    "Rate",
    "Schedule",
    "Update",
    "accumulate",
    "average_weights",
    "averages",
    "clip_by_global_norm",
    "clip_by_value",
    "constant",
    "cosine",
    "decay_weights",
    "groups",
    "linear_warm_up",
    "one_cycle",
    "piecewise",
    "scale_loss",
    "skip_non_finite",
]

if not TYPE_CHECKING:  # to a type checker it would say that any name is there
    __getattr__ = without_attribute(globals())
