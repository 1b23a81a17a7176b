"""Operators without a gradient by any input, each group with the reason; no rule stands here."""

from ..differentiation.rules import ZeroKind, refused_gradient, zero_gradient
from ..opset import COMPOSITE_DOMAIN

zero_gradient(
    ZeroKind.STEP,
    "a step: constant between its jumps",
    "Ceil",
    "Floor",
    "Round",
    "Sign",
    "Hardmax",
    "QuantizeLinear",
)
zero_gradient(
    ZeroKind.INDEPENDENT,
    "its result is a position or a count, an integer",
    "ArgMax",
    "ArgMin",
    "NonMaxSuppression",
    "NonZero",
    "OptionalHasElement",
    "SequenceLength",
)
zero_gradient(
    ZeroKind.INDEPENDENT,
    "its result is a truth value",
    "And",
    "Equal",
    "Greater",
    "GreaterOrEqual",
    "IsInf",
    "IsNaN",
    "Less",
    "LessOrEqual",
    "Not",
    "Or",
    "Xor",
)
zero_gradient(
    ZeroKind.INTEGERS,
    "it computes with integers",
    "BitShift",
    "BitwiseAnd",
    "BitwiseNot",
    "BitwiseOr",
    "BitwiseXor",
    "ConvInteger",
    "MatMulInteger",
    "QLinearConv",
    "QLinearMatMul",
)
zero_gradient(
    ZeroKind.INDEPENDENT,
    "it reads a shape, never an element",
    "ConstantOfShape",
    "EyeLike",
    "Shape",
    "Size",
)
zero_gradient(
    ZeroKind.INDEPENDENT,
    "its result depends on no float input",
    "BlackmanWindow",
    "Constant",
    "HammingWindow",
    "HannWindow",
    "SequenceEmpty",
)
zero_gradient(
    ZeroKind.STEP,
    "it rounds the edges of its bands to whole bins: constant between jumps",
    "MelWeightMatrix",
)
zero_gradient(
    ZeroKind.INDEPENDENT,
    "a draw that does not follow its inputs: of a drawn 0, 1 or class there is no derivative, and "
    "of Random*Like only the shape of the input is read",
    "Bernoulli",
    "Multinomial",
    "RandomNormal",
    "RandomNormalLike",
    "RandomUniform",
    "RandomUniformLike",
)
zero_gradient(
    ZeroKind.INDEPENDENT,
    "it works on strings, encoded images or tokens",
    "ImageDecoder",
    "RegexFullMatch",
    "StringConcat",
    "StringNormalizer",
    "StringSplit",
    "TfIdfVectorizer",
)

zero_gradient(
    ZeroKind.INDEPENDENT,
    "stop_gradient holds it there",
    "StopGradient",
    domain=COMPOSITE_DOMAIN,
)

refused_gradient(
    "the file holds the value of a function whose gradient its author chose, and not that "
    "gradient; differentiate where the function is defined, then save",
    "ChosenGradient",
    domain=COMPOSITE_DOMAIN,
)
