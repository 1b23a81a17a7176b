"""Graphs as functions inside torch, JAX and SciPy; torch.py, jax.py and scipy.py are the doors."""
