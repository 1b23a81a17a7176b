"""Whole training runs: data, epochs, checkpoints, reports; a single step is of training/."""
