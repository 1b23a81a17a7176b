"""Upgrade of ai.onnx.ml's LabelEncoder, whose keys were places in one list of strings."""

from ...emission.ops import Ops
from .registry import Call, upgrade


@upgrade("LabelEncoder", before=2, domain="ai.onnx.ml")
def label_encoder(op: Ops, call: Call) -> None:
    """Strings become their places in `classes_strings`, and places the strings."""
    strings = call.take("classes_strings", [])
    places = list(range(len(strings)))
    if call.tensor(0).dtype.kind == "i":
        call.attributes |= {"keys_int64s": places, "values_strings": strings}
        call.take("default_int64")
    else:
        call.attributes |= {"keys_strings": strings, "values_int64s": places}
        call.take("default_string")
