"""Bodies of the operators that onnxruntime adds to ONNX's, a file per family; none runs anything.

Each gives what onnxruntime computes, so that such a graph loads, runs and is differentiated
everywhere and is written as plain ONNX. On onnxruntime the operators stay what they are.
"""
