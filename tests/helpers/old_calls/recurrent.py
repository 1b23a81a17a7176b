"""Old calls of RNN, GRU and LSTM, whose outputs an attribute chose."""

from typing import Any

from op_samples.recurrent import SAMPLES
from op_samples.sample import Sample

from .call import OldCall


def old(sample: Sample, version: int, **attributes: Any) -> OldCall:
    """Say a sample's call as of old; onnxruntime knows the same call from version 7 on."""
    outputs = 3 if sample.op == "LSTM" else 2
    modern = OldCall(sample.op, sample.inputs, sample.attributes, outputs)
    given = {**sample.attributes, "output_sequence": 1, **attributes}
    return OldCall(
        sample.op, sample.inputs, given, outputs, versions=[version], like=modern, as_of=7
    )


CALLS = [
    # the default of version 1, which misspelt it
    old(next(s for s in SAMPLES if s.op == "GRU"), 1, direction="foward"),
    *(
        old(sample, version)
        for sample in SAMPLES
        for version in ((1, 3) if sample.op == "GRU" else (1,))
        if "layout" not in sample.attributes
        # onnxruntime lets the cell pass the clip on its way to the last activation
        and not (sample.op == "LSTM" and "clip" in sample.attributes)
        # and gives 0 for the state of an example without steps
        and not (sample.inputs[4] is not None and 0 in sample.inputs[4])
        # and takes 0 for the alpha and beta that ScaledTanh and Affine have by default
        and not (
            {"ScaledTanh", "Affine"} & {*sample.attributes.get("activations", ())}
            and "activation_beta" not in sample.attributes
        )
        and (version > 1 or "linear_before_reset" not in sample.attributes)
    ),
]
