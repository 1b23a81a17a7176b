"""How a graph runs: NumPy, CuPy and onnxruntime, behind one protocol; it rewrites nothing."""
