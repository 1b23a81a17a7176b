"""Whole training runs: data, epochs, checkpoints, reports; a single step is training.py's."""
