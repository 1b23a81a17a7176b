"""Operator kernels written once for NumPy and CuPy; a kernel imports neither."""
