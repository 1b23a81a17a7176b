"""The public face of onnxgrad: build, load, transform and run ONNX graphs; it computes nothing itself."""

__version__ = "0.1.0"
