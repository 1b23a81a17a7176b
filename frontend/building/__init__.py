"""Graphs built by hand: the builder, its tensors and their indices."""
