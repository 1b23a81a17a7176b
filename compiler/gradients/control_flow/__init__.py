"""Gradients of If, Loop, Scan and Iterate: a body's gradient becomes a body of its own."""

from . import branches, recurrences, tangents

__all__ = ["branches", "recurrences", "tangents"]
