"""Where the standard's own tag denies a derivative that there is, input by input, with the reason.

ONNX tags each input Differentiable, NonDifferentiable or not at all (Unknown). Nothing is decided
by these tags; tests/compiler/gradients/test_operators.py shows that each of these is wrong.
"""

DENIED: dict[tuple[str, str], str] = {
    ("AffineGrid", "theta"): "the grid is linear in it",
    ("CausalConvWithState", "past_state"): "the convolution reads it as earlier input",
    ("Clip", "min"): "the result, where it clips",
    ("Clip", "max"): "the result, where it clips",
    ("DFT", "input"): "the transform is linear in it",
    ("Dropout", "ratio"): "kept elements are divided by 1 − ratio",
    ("GRU", "initial_h"): "the first step reads it as every later one reads h",
    ("GridSample", "grid"): "interpolation moves with the point that is sampled",
    ("LSTM", "initial_h"): "the first step reads it as every later one reads h",
    ("LSTM", "initial_c"): "the first step reads it as every later one reads c",
    ("LinearAttention", "past_state"): "the recurrence starts from it",
    ("Mod", "B"): "x − y·⌊x/y⌋ falls by ⌊x/y⌋ as y grows",
    ("NegativeLogLikelihoodLoss", "weight"): "the loss is a weighted sum",
    ("OneHot", "values"): "the result is made of them",
    ("Pad", "constant_value"): "the padding is made of it",
    ("Resize", "roi"): "the samples move with the crop",
    ("Resize", "scales"): "the samples move with the scale",
    ("RNN", "initial_h"): "the first step reads it as every later one reads h",
    ("STFT", "signal"): "the transform is linear in it",
    ("STFT", "window"): "the frames are multiplied by it",
    ("SoftmaxCrossEntropyLoss", "weights"): "the loss is a weighted sum",
    ("Unique", "X"): "the result is made of its elements",
}
