"""Gradients of sequence and optional operators; the gradient of a sequence is a sequence."""
