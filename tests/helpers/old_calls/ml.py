"""Calls of ai.onnx.ml, whose results are float32; onnxruntime's numbers where none are written."""

from typing import Any

import numpy as np
from onnx import numpy_helper
from op_samples.sample import random

from .call import OldCall

ML = "ai.onnx.ml"

X = random(3, 4, low=-1.5, high=1.5)
TEXTS = np.array([["a", "b"], ["c", "a"]], object)
COEFFICIENTS = [float(v) for v in random(8, seed=1)]

KERNEL = {"kernel_params": [0.3, 0.1, 2.0], "rho": [0.2]}
VECTORS: dict[str, Any] = {
    "coefficients": COEFFICIENTS[:2],
    "n_supports": 2,
    "support_vectors": [float(v) for v in random(8, seed=2)],
}
TREE = {
    "tree_roots": [0],
    "n_targets": 1,
    "nodes_featureids": [1],
    "nodes_splits": numpy_helper.from_array(np.array([0.1], np.float32)),
    "nodes_modes": numpy_helper.from_array(np.array([0], np.uint8)),
    "nodes_truenodeids": [0],
    "nodes_falsenodeids": [1],
    "nodes_trueleafs": [1],
    "nodes_falseleafs": [1],
    "leaf_targetids": [0, 0],
    "leaf_weights": numpy_helper.from_array(np.array([1, 2], np.float32)),
}

FOREST = {
    "nodes_treeids": [0, 0, 0, 1, 1, 1],
    "nodes_nodeids": [0, 1, 2] * 2,
    "nodes_featureids": [1, 0, 0, 2, 0, 0],
    "nodes_values": [0.1, 0.0, 0.0, -0.2, 0.0, 0.0],
    "nodes_modes": ["BRANCH_LEQ", "LEAF", "LEAF", "BRANCH_GT", "LEAF", "LEAF"],
    "nodes_truenodeids": [1, 0, 0] * 2,
    "nodes_falsenodeids": [2, 0, 0] * 2,
}

CALLS = [
    OldCall("ArrayFeatureExtractor", [X, np.array([[2, 0]])], domain=ML),
    OldCall("Binarizer", [X], {"threshold": 0.25}, domain=ML),
    OldCall(
        "CategoryMapper", [TEXTS], {"cats_strings": ["a", "b"], "cats_int64s": [3, 4]}, domain=ML
    ),
    OldCall(
        "CategoryMapper",
        [np.array([4, 3, 5])],
        {"cats_strings": ["a", "b"], "cats_int64s": [3, 4]},
        domain=ML,
    ),
    OldCall("FeatureVectorizer", [X, X[:, :2]], {"inputdimensions": [4, 2]}, domain=ML),
    *(
        OldCall(
            "Imputer",
            [np.where(np.abs(X) < 0.5, replaced, X)],
            {"imputed_value_floats": values, "replaced_value_float": replaced},
            wrt=None if np.isnan(replaced) else [],  # there it jumps
            domain=ML,
        )
        for values in ([7.0], [5.0, 6.0, 7.0, 8.0])
        for replaced in (0.5, np.nan)
    ),
    *(
        OldCall("LabelEncoder", [labels], {"classes_strings": ["a", "b"]}, domain=ML, versions=[1])
        for labels in (TEXTS, np.array([1, 0, 7]))
    ),
    OldCall(
        "LabelEncoder",
        [TEXTS],
        {"keys_strings": ["a", "b"], "values_int64s": [3, 4], "default_int64": 9},
        domain=ML,
        versions=[2, 4],
    ),
    *(
        OldCall(
            "LinearClassifier",
            [X],
            {
                "coefficients": COEFFICIENTS,
                "intercepts": [0.1, 0.2],
                "post_transform": transform,
                **labels,
            },
            outputs=2,
            domain=ML,
        )
        for transform in ("NONE", "LOGISTIC", "SOFTMAX")
        for labels in ({"classlabels_ints": [5, 6]}, {"classlabels_strings": ["u", "v"]})
    ),
    OldCall(
        "LinearClassifier",
        [X],
        {
            "coefficients": COEFFICIENTS[:4],
            "intercepts": [0.1],
            "post_transform": "LOGISTIC",
            "classlabels_ints": [5, 6],
        },
        outputs=2,
        domain=ML,
    ),
    *(
        OldCall(
            "LinearRegressor",
            [X],
            {"coefficients": COEFFICIENTS, "targets": 2, "post_transform": transform, **more},
            domain=ML,
        )
        for transform in ("NONE", "LOGISTIC", "SOFTMAX")
        for more in ({}, {"intercepts": [0.1, 0.2]})
    ),
    *(OldCall("Normalizer", [X + 3], {"norm": norm}, domain=ML) for norm in ("MAX", "L1", "L2")),
    OldCall("Normalizer", [X], {"norm": "L1"}, domain=ML),
    OldCall(  # the largest of negative numbers is not a norm
        "Normalizer",
        [-1 - np.abs(X)],
        {"norm": "MAX"},
        expected=lambda x: x / x.max(axis=1, keepdims=True),
        domain=ML,
    ),
    OldCall("OneHotEncoder", [np.array([1, 5])], {"cats_int64s": [5, 1, 2]}, domain=ML),
    *(
        OldCall("Scaler", [X], {"offset": offset, "scale": scale}, domain=ML)
        for offset, scale in (([0.5], [2.0]), ([0.5, 1.0, 0.0, 2.0], [2.0, 3.0, 4.0, -1.0]))
    ),
    *(
        OldCall("SVMRegressor", [X], {**KERNEL, **VECTORS, "kernel_type": kind}, domain=ML)
        for kind in ("LINEAR", "POLY", "RBF", "SIGMOID")
    ),
    OldCall("SVMRegressor", [X], {**KERNEL, **VECTORS, "one_class": 1}, domain=ML),
    OldCall("SVMRegressor", [X], {**KERNEL, "coefficients": COEFFICIENTS[:4]}, domain=ML),
    OldCall(
        "SVMClassifier",
        [X],
        {
            **KERNEL,
            "coefficients": COEFFICIENTS[:2],
            "support_vectors": VECTORS["support_vectors"],
            "vectors_per_class": [1, 1],
            "classlabels_ints": [0, 1],
            "kernel_type": "RBF",
        },
        outputs=2,
        wrt=[],
        domain=ML,
    ),
    OldCall("TreeEnsemble", [X], TREE, domain=ML),
    *(
        OldCall(
            "TreeEnsembleClassifier",
            [X],
            {
                **FOREST,
                "class_treeids": [0, 0, 1, 1],
                "class_nodeids": [1, 2, 1, 2],
                "class_ids": [0, 1, 2, 1],
                "class_weights": [0.6, 0.3, 0.4, 0.7],
                "classlabels_int64s": [4, 5, 6],
                "post_transform": transform,
            },
            outputs=2,
            domain=ML,
            versions=[1, 3],
        )
        for transform in ("NONE", "SOFTMAX")
    ),
    *(
        OldCall(
            "TreeEnsembleRegressor",
            [X],
            {
                **FOREST,
                "target_treeids": [0, 0, 1, 1],
                "target_nodeids": [1, 2, 1, 2],
                "target_ids": targets,
                "target_weights": [0.6, 0.3, 0.4, 0.7],
                "n_targets": 1 + max(targets),
                "aggregate_function": function,
            },
            domain=ML,
            versions=[1, 3],
        )
        for function, targets in (
            ("SUM", [0, 1, 1, 0]),
            ("AVERAGE", [0, 1, 1, 0]),
            ("MAX", [0, 0, 0, 0]),  # sources differ about a target that no leaf names
        )
    ),
]
