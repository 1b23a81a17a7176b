"""What operators do with elements and shapes, each fact once; it decides nothing.

Whoever needs such a fact (batching, widening, straight-through, rewriting) asks here. An operator
of the standard that no set names has no trait: tests/compiler/standard/test_traits.py lists those.
"""

ELEMENTWISE = frozenset(
    {
        "Abs", "Acos", "Acosh", "Add", "And", "Asin", "Asinh", "Atan", "Atanh", "BitShift",
        "BitwiseAnd", "BitwiseNot", "BitwiseOr", "BitwiseXor", "Cast", "CastLike", "Ceil", "Celu",
        "Clip", "Cos", "Cosh", "Div", "Elu", "Equal", "Erf", "Exp", "Floor", "Gelu", "Greater",
        "GreaterOrEqual", "HardSigmoid", "HardSwish", "Identity", "IsInf", "IsNaN", "LeakyRelu",
        "Less", "LessOrEqual", "Log", "Max", "Mean", "Min", "Mish", "Mod", "Mul", "Neg", "Not",
        "Or", "PRelu", "Pow", "Reciprocal", "Relu", "Round", "Selu", "Shrink", "Sigmoid", "Sign",
        "Sin", "Sinh", "Softplus", "Softsign", "Sqrt", "StringConcat", "Sub", "Sum", "SwiGLU",
        "Swish", "Tan", "Tanh", "ThresholdedRelu", "Where", "Xor",
    }
)  # fmt: skip
"""Each element of the output is made of the elements at its place in the inputs, broadcast."""

MOVES = frozenset(
    {
        "CenterCropPad", "Compress", "Concat", "DepthToSpace", "Expand", "Flatten", "Gather",
        "GatherElements", "GatherND", "Identity", "OneHot", "Pad", "Reshape", "ReverseSequence",
        "Slice", "SpaceToDepth", "Split", "Squeeze", "TensorScatter", "Tile", "Transpose", "Trilu",
        "Unsqueeze", "Where",
    }
)  # fmt: skip
"""Each element of the output is an element of an input, unchanged, or a zero."""

VIEWS = frozenset({"Flatten", "Identity", "Reshape", "Squeeze", "Unsqueeze"})
"""The elements stay in their order, so that the output can be the same memory."""

REDUCTIONS = frozenset(
    f"Reduce{kind}"
    for kind in ("L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "Sum")
) | {"ReduceSumSquare"}
"""They take axes as an input, `keepdims` and `noop_with_empty_axes`."""

MEASURES = frozenset({"Shape", "Size"})
"""They read a shape and no element."""

RANDOM = frozenset(
    {
        "Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform",
        "RandomUniformLike",
    }
)  # fmt: skip
"""Two runs on equal inputs differ (as do those of Dropout while training)."""

SHAPED_BY_FIRST = frozenset(
    {
        "BlackmanWindow", "ConstantOfShape", "HammingWindow", "HannWindow", "ImageDecoder",
        "MelWeightMatrix", "NonMaxSuppression", "NonZero", "Range", "StringSplit", "Unique",
    }
)  # fmt: skip
"""The numbers in the first input decide the shape of what they give."""

SHAPED_BY_FLOATS = frozenset({"NonMaxSuppression", "OneHot", "Range", "Resize", "Upsample"})
"""Floats in other inputs than the first decide the shape, too; elsewhere only integers do."""

MODULAR = frozenset(
    {
        "Abs", "Add", "ArgMax", "ArgMin", "BitwiseAnd", "BitwiseNot", "BitwiseOr", "BitwiseXor",
        "Clip", "CumSum", "Div", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual",
        "MatMul", "Max", "Min", "Mod", "Mul", "Neg", "NonZero", "ReduceProd", "ReduceSum",
        "ReduceSumSquare", "ScatterElements", "ScatterND", "Sign", "Sub", "Sum", "TopK",
    }
)  # fmt: skip
"""On integers, the result in a wider dtype, wrapped by the cast back, is the narrow result."""

OF_THE_DTYPE = frozenset(
    {
        "Bernoulli", "BitCast", "CastLike", "Constant", "ConstantOfShape", "DequantizeLinear",
        "DynamicQuantizeLinear", "EyeLike", "If", "Loop", "Multinomial", "QLinearConv",
        "QLinearMatMul", "QuantizeLinear", "RandomNormalLike", "RandomUniformLike", "Scan",
        "SequenceMap",
    }
)  # fmt: skip
"""The result in one dtype is not the rounded result in another."""
