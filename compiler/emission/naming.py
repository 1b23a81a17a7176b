"""How values that transformations emit are named, so that they can be told from the model's own."""

from ..graph.ir import Value

GRADIENT = "grad/"
"""Prefix of what reverse mode emits."""

TANGENT = "tangent/"
"""Prefix of what forward mode emits."""

BATCH = "batch/"
"""Prefix of what vectorization emits."""

STEP = "update/"
"""Prefix of what an optimizer emits."""


def is_emitted(value: Value) -> bool:
    """Tell whether a transformation made this value, so that nobody asks for it by name."""
    return value.name.startswith((GRADIENT, TANGENT, BATCH))


STATE_KEY = "onnxgrad.state"
"""Key of a step's metadata, also in its file: a JSON object of input name → output name."""


def after_step(name: str) -> str:
    """Name the output that holds what an input of a training step becomes."""
    return f"{name}.new"
