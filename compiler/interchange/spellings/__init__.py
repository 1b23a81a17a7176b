"""Calls said otherwise in a file than in the graph, with the same meaning, for who will read it.

Readers of models at large misunderstand what `calls` holds, with `einsum`, `products` and
`windows`: formats, defaults, axes, what they fuse. onnxruntime's kernels refuse, or compute
otherwise, what the others hold, by what stands there instead: a formula (`kernels`, with
`kernel_dtypes` and `fourier`), one for float64 alone (`double`), or the operator's whole body
(`kernel_bodies`).

What an older opset lacks is no spelling: see downgrades.py. What runtimes other than onnxruntime
need is in passes/respell.py.
"""
