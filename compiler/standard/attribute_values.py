"""Which values ONNX lets attributes have: words, flags and least numbers; sizes are not its matter.

A key is an attribute's name, which then means the same in every operator, or "Operator.attribute".
Where a later version of an operator knows more or other words, the words stand by first version.
"""

import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from onnx import TensorProto
from onnx.defs import OpSchema

from ..errors import GraphError

Words = tuple[str, ...]

Allowed = Words | range | dict[int, str]
"""What an attribute may be: words, numbers, or the numbers of types with their names."""

_TRANSFORMS = ("NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT")
_REDUCTIONS = ("none", "sum", "mean")
_KERNELS = ("LINEAR", "POLY", "RBF", "SIGMOID")

ACTIVATIONS = (
    "Affine", "Elu", "HardSigmoid", "LeakyRelu", "Relu", "ScaledTanh", "Sigmoid", "Softplus",
    "Softsign", "Tanh", "ThresholdedRelu",
)  # fmt: skip
"""Activations of RNN, GRU and LSTM; files write them in any case."""

WORDS: dict[str, Words | Mapping[int, Words]] = {
    "activations": ACTIVATIONS,
    "auto_pad": ("NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"),
    "direction": ("forward", "reverse", "bidirectional"),
    "post_transform": _TRANSFORMS,
    "round_mode": ("up", "down", "nearest"),
    "BitShift.direction": ("LEFT", "RIGHT"),
    "CausalConvWithState.activation": ("none", "silu", "swish"),
    "DepthToSpace.mode": ("DCR", "CRD"),
    "Gelu.approximate": ("none", "tanh"),
    "GRU.direction": {
        1: ("forward", "foward", "reverse", "bidirectional"),  # version 1 misspelt its own default
        3: ("forward", "reverse", "bidirectional"),
    },
    "GridSample.mode": {
        16: ("bilinear", "nearest", "bicubic"),
        20: ("linear", "nearest", "cubic"),
    },
    "GridSample.padding_mode": ("zeros", "border", "reflection"),
    "ImageDecoder.pixel_format": ("RGB", "BGR", "Grayscale"),
    "LinearAttention.update_rule": ("linear", "gated", "delta", "gated_delta"),
    "NegativeLogLikelihoodLoss.reduction": _REDUCTIONS,
    "Pad.mode": {
        1: ("constant", "reflect", "edge"),
        19: ("constant", "reflect", "edge", "wrap"),
    },
    "Resize.coordinate_transformation_mode": {
        11: (
            "half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric",
            "tf_half_pixel_for_nn", "tf_crop_and_resize",
        ),
        19: (
            "half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners",
            "asymmetric", "tf_crop_and_resize",
        ),
    },  # version 13 dropped tf_half_pixel_for_nn, and exporters went on writing it
    "Resize.keep_aspect_ratio_policy": ("stretch", "not_larger", "not_smaller"),
    "Resize.mode": {10: ("nearest", "linear"), 11: ("nearest", "linear", "cubic")},
    "Resize.nearest_mode": ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil"),
    "RoiAlign.coordinate_transformation_mode": ("half_pixel", "output_half_pixel"),
    "RoiAlign.mode": ("avg", "max"),
    "ScatterElements.reduction": {
        16: ("none", "add", "mul"),
        18: ("none", "add", "mul", "max", "min"),
    },
    "ScatterND.reduction": {
        16: ("none", "add", "mul"),
        18: ("none", "add", "mul", "max", "min"),
    },
    "SoftmaxCrossEntropyLoss.reduction": _REDUCTIONS,
    "SpaceToDepth.mode": ("DCR", "CRD"),
    "StringNormalizer.case_change_action": ("LOWER", "UPPER", "NONE"),
    "TensorScatter.mode": ("linear", "circular"),
    "TfIdfVectorizer.mode": ("TF", "IDF", "TFIDF"),
    "Upsample.mode": ("nearest", "linear", "bilinear"),  # exporters mix versions 1 and 7
    "ai.onnx.ml.CastMap.cast_to": ("TO_FLOAT", "TO_STRING", "TO_INT64"),
    "ai.onnx.ml.CastMap.map_form": ("DENSE", "SPARSE"),
    "ai.onnx.ml.Normalizer.norm": ("MAX", "L1", "L2"),
    "ai.onnx.ml.SVMClassifier.kernel_type": _KERNELS,
    "ai.onnx.ml.SVMRegressor.kernel_type": _KERNELS,
    "ai.onnx.ml.TreeEnsembleClassifier.nodes_modes": (
        "BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ", "LEAF",
    ),
    "ai.onnx.ml.TreeEnsembleRegressor.aggregate_function": ("AVERAGE", "SUM", "MIN", "MAX"),
    "ai.onnx.ml.TreeEnsembleRegressor.nodes_modes": (
        "BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ", "LEAF",
    ),
    "ai.onnx.preview.training.Momentum.mode": ("standard", "nesterov"),
}  # fmt: skip
"""The words that a string, or each of a list of strings, may be."""

FREE_WORDS = {
    "Cast.to": "a name of a type, which the reader looks up (opset 1)",
    "Einsum.equation": "a language of its own, which einsum.py reads",
    "Constant.value_string": "the value itself",
    "Constant.value_strings": "the values themselves",
    "RegexFullMatch.pattern": "a regular expression",
    "StringNormalizer.locale": "the system's own names",
    "StringNormalizer.stopwords": "any words",
    "StringSplit.delimiter": "any text",
    "TfIdfVectorizer.pool_strings": "any words",
    "cats_strings": "labels",
    "classes_strings": "labels",
    "classlabels_strings": "labels",
    "default_string": "a label",
    "keys_strings": "labels",
    "string_vocabulary": "any words",
    "values_strings": "labels",
    "xs": "names of values",
    "y": "the name of a value",
    "zs": "names of values",
}
"""Strings that may be anything, and what they are."""

_FLAG, _COUNT, _POSITIVE = range(2), range(2**63), range(1, 2**63)
_WINDOW = range(-1, 2**63)

INTEGERS: dict[str, range] = {
    **dict.fromkeys(
        [
            "align_corners", "allowzero", "antialias", "batch_axis", "broadcast", "ceil_mode",
            "center_point_box", "count_include_pad", "detect_negative", "detect_positive",
            "directions", "exclude_outside", "exclusive", "fmod", "input_forget", "interleaved",
            "inverse", "is_case_sensitive", "is_causal", "keepdims", "largest", "layout",
            "linear_before_reset", "multi_class", "new_axis", "nodes_falseleafs",
            "nodes_missing_value_tracks_true", "nodes_trueleafs", "noop_with_empty_axes",
            "one_class", "onesided", "output_sequence", "periodic", "reverse", "saturate",
            "scan_input_directions", "scan_output_directions", "select_last_index", "sorted",
            "spatial", "storage_order", "time_axis", "training_mode", "transA", "transB",
            "upper", "zeros",
        ],
        _FLAG,
    ),
    **dict.fromkeys(
        [
            "block_size", "max_skip_count", "maxsplit", "n_supports", "output_padding", "pads",
            "rotary_embedding_dim", "sampling_ratio", "shape", "split", "vectors_per_class",
        ],
        _COUNT,
    ),
    **dict.fromkeys(
        [
            "blocksize", "chunk_size", "dilations", "group", "hidden_size", "inputdimensions",
            "kernel_shape", "kv_num_heads", "max_gram_length", "max_map", "min_gram_length",
            "n_targets", "num_groups", "num_outputs", "num_scan_inputs", "offset_group",
            "output_height", "output_width", "p", "pooled_shape", "q_num_heads", "sample_size",
            "size", "strides", "targets",
        ],
        _POSITIVE,
    ),
    "Attention.kv_num_heads": _COUNT,  # exporters write 0 where it is not needed
    "Attention.left_window_size": _WINDOW,
    "Attention.q_num_heads": _COUNT,
    "Attention.qk_matmul_output_mode": range(4),
    "Attention.right_window_size": _WINDOW,
    "ConvTranspose.output_shape": _COUNT,
    "LpNormalization.p": range(1, 3),
    "Pad.pads": range(-(2**63), 2**63),  # it crops, where convolutions and pools do not
    "Reshape.shape": range(-1, 2**63),
    "RotaryEmbedding.num_heads": _COUNT,
    "TopK.k": _COUNT,
    "ai.onnx.ml.TreeEnsemble.aggregate_function": range(4),
    "ai.onnx.ml.TreeEnsemble.post_transform": range(5),
}  # fmt: skip
"""The integers that an attribute, or each of its list, may be."""

AXES = ("axes", "axis", "batch_dims", "perm", "scan_input_axes", "scan_output_axes")
"""Attributes that count axes, whose bounds are a matter of ranks."""

_FLOATS = ("float", "float16", "double", "bfloat16")

DTYPES: dict[str, Words | None] = {
    "dtype": None,
    "output_datatype": None,
    "output_dtype": None,
    "precision": _FLOATS,
    "softmax_precision": _FLOATS,
    "stash_type": _FLOATS,
    "to": None,
}
"""Attributes that hold a TensorProto.DataType, and which; None: one that the first output has."""

FREE_INTEGERS = {
    **dict.fromkeys(["consumed_inputs", "seed"], "they change no number that is promised"),
    **dict.fromkeys(["end", "ends", "start", "starts"], "what lies outside is clipped"),
    **dict.fromkeys(["cats_int64s", "classlabels_int64s", "classlabels_ints"], "labels"),
    **dict.fromkeys(["default_int64", "keys_int64s", "values_int64s"], "labels"),
    **dict.fromkeys(["imputed_value_int64s", "int64_vocabulary", "pool_int64s"], "any numbers"),
    **dict.fromkeys(["replaced_value_int64", "value_int", "value_ints"], "any numbers"),
    "EyeLike.k": "a diagonal outside the matrix is none",
    "ignore_index": "a label outside the classes is none",
    "Pad.paddings": "it crops",
    "is_test": "any number but 0 means yes",
    "ngram_counts": "onnx.reference and onnxruntime check it with the pool",
    "ngram_indexes": "onnx.reference and onnxruntime check it with the pool",
    **dict.fromkeys(
        [
            "class_ids", "class_nodeids", "class_treeids", "leaf_targetids", "nodes_falsenodeids",
            "nodes_featureids", "nodes_nodeids", "nodes_treeids", "nodes_truenodeids",
            "target_ids", "target_nodeids", "target_treeids", "tree_roots",
        ],
        "they point to each other",
    ),
}  # fmt: skip
"""Integers that may be anything here, and why."""


def check_values(schema: OpSchema, attributes: Mapping[str, Any]) -> None:
    """Refuse a word, a number or a type that an attribute cannot be.

    Raises:
        GraphError: names operator and attribute, and says what it may be.
    """
    for name, given in attributes.items():
        allowed = allowed_values(schema, name)
        if allowed is None:
            continue
        for entry in given if isinstance(given, list | tuple) else [given]:
            if not _is_among(entry, allowed, name):
                raise GraphError(
                    f"{schema.name}: the attribute '{name}' must be {_listed(allowed)}, got "
                    + (repr(entry) if entry is given else f"{entry!r} in {given!r}")
                )


@cache
def allowed_values(schema: OpSchema, name: str) -> Allowed | None:
    """Give what an attribute of an operator may be, None where it may be anything."""
    spec: Any = schema.attributes.get(name)  # onnx types only half of OpSchema
    kind = "" if spec is None else spec.type.name.rstrip("S")
    operator = f"{schema.domain}.{schema.name}" if schema.domain else schema.name
    for key in (f"{operator}.{name}", name):
        if kind == "INT" and name in DTYPES:
            return _dtypes(schema, name)
        if kind == "INT" and key in INTEGERS:
            return INTEGERS[key]
        if kind == "STRING" and key in WORDS:
            words = WORDS[key]
            if isinstance(words, tuple):
                return words
            return words[max(v for v in words if v <= schema.since_version)]
    return None


def _dtypes(schema: OpSchema, name: str) -> dict[int, str]:
    """Give the types that an attribute may name: those of the first output, or of a computation."""
    kinds = DTYPES[name]
    if kinds is None:
        output = schema.outputs[0].type_str
        types = {c.type_param_str: c.allowed_type_strs for c in schema.type_constraints}
        kinds = tuple(re.sub(r"^.*tensor\(|\)+$", "", t) for t in types[output])
    numbers = {int(TensorProto.DataType.Value(k.upper())): k for k in kinds}
    spec: Any = schema.attributes[name]
    return {0: "0", **numbers} if spec.default_value.type and not spec.default_value.i else numbers


def _is_among(entry: Any, allowed: Allowed, name: str) -> bool:
    if not isinstance(entry, str | int):
        return False
    if name == "activations":
        return str(entry).lower() in [word.lower() for word in ACTIVATIONS]
    return entry in allowed


def _listed(allowed: Allowed) -> str:
    if isinstance(allowed, range) and allowed.stop > 10:
        return f"{allowed.start} or more"
    if isinstance(allowed, dict):
        options = [k if k == "0" else f"{n} ({k})" for n, k in sorted(allowed.items())]
    else:
        options = [repr(value) for value in allowed]
    return " or ".join(filter(None, [", ".join(options[:-1]), options[-1]]))
