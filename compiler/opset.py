"""The opset of graphs inside the compiler and the one they leave with; no conversion here."""

OPSET = 28
"""Opset of every standard operator inside the compiler."""

EXPORT_OPSET = 21
"""Default opset of exported models: the newest that browsers and older devices accept."""

COMPOSITE_DOMAIN = "onnxgrad"
"""Domain of composite operators: those of ours that have bodies of standard operators."""
