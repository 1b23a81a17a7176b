"""Checks of ai.onnx.ml's lists, which must agree in length and point to each other."""

from collections.abc import Callable, Sequence

from ..graph.dims import may_equal
from ..graph.ir import Node
from ..standard.schemas import attribute
from .layer_checks import shape_of
from .refusal import require

_TREE_NODES = (
    "nodes_treeids", "nodes_nodeids", "nodes_featureids", "nodes_modes", "nodes_truenodeids",
    "nodes_falsenodeids", "nodes_values", "nodes_values_as_tensor", "nodes_hitrates",
    "nodes_hitrates_as_tensor", "nodes_missing_value_tracks_true",
)  # fmt: skip


def _lengths(node: Node, names: Sequence[str]) -> int:
    """Check that lists are equally long where they are given; give that length."""
    given = {name: len(node.attributes[name]) for name in names if _is_given(node, name)}
    first = next(iter(given), "")
    for name, length in given.items():
        reason = f"{name} has {length} entries, {first} has {given[first]}"
        require(node, length == given[first], reason)
    return given.get(first, 0)


def _is_given(node: Node, name: str) -> bool:
    value = node.attributes.get(name)
    return value is not None and len(value) > 0


def _indices(node: Node, name: str, count: int) -> None:
    """Check that each entry of a list points to one of `count` things."""
    for index in node.attributes.get(name) or []:
        require(node, 0 <= index < count, f"{name} points to {index}, of {count}")


def _trees(node: Node, leaves: str, targets: Sequence[str]) -> None:
    """Check trees of named nodes, each with the feature it asks for and two children."""
    _lengths(node, _TREE_NODES)
    _lengths(node, targets)
    read = node.attributes.get
    trees, own = read("nodes_treeids") or [], read("nodes_nodeids") or []
    known = set(zip(trees, own, strict=True))
    require(node, len(known) == len(own), "nodes_nodeids must differ within nodes_treeids")
    for branch in ("nodes_truenodeids", "nodes_falsenodeids"):
        modes, children = read("nodes_modes") or [], read(branch) or []
        for tree, mode, child in zip(trees, modes, children, strict=False):
            found = mode == "LEAF" or (tree, child) in known
            require(node, found, f"{branch} points to {child}, which is not a node of its tree")
    _features(node)
    roots, ends = read(f"{leaves}_treeids") or [], read(f"{leaves}_nodeids") or []
    for tree, leaf in zip(roots, ends, strict=False):
        reason = f"{leaves}_nodeids points to {leaf}, which is not a node of the tree {tree}"
        require(node, (tree, leaf) in known, reason)


def _features(node: Node) -> None:
    shape = shape_of(node, 0)
    width = shape[-1] if shape else None
    for feature in node.attributes.get("nodes_featureids") or []:
        known = feature >= 0 and (not isinstance(width, int) or feature < width)
        require(node, known, f"nodes_featureids points to {feature}, of {width} features")


def _classifier(node: Node) -> None:
    targets = ("class_ids", "class_nodeids", "class_treeids", "class_weights")
    _trees(node, "class", (*targets, "class_weights_as_tensor"))
    _indices(node, "class_ids", len(_labels(node)))


def _regressor(node: Node) -> None:
    targets = ("target_ids", "target_nodeids", "target_treeids", "target_weights")
    _trees(node, "target", (*targets, "target_weights_as_tensor"))
    _indices(node, "target_ids", attribute(node, "n_targets") or 1)


def _ensemble(node: Node) -> None:
    """Check a TreeEnsemble, whose nodes and leaves are numbered."""
    read = node.attributes.get
    inner = ("nodes_featureids", "nodes_modes", "nodes_splits", "nodes_truenodeids")
    flags = ("nodes_trueleafs", "nodes_falsenodeids", "nodes_falseleafs")
    given = _lengths(node, (*inner, *flags, "nodes_hitrates", "nodes_missing_value_tracks_true"))
    for name in (*inner, *flags, "leaf_targetids", "leaf_weights"):
        require(node, _is_given(node, name), f"{name} must not be empty")
    leaves = _lengths(node, ("leaf_targetids", "leaf_weights"))
    require(node, _is_given(node, "tree_roots"), "tree_roots must name a root")
    _indices(node, "tree_roots", given)
    _indices(node, "leaf_targetids", attribute(node, "n_targets") or 1)
    for side in ("true", "false"):
        ends, children = read(f"nodes_{side}leafs") or [], read(f"nodes_{side}nodeids") or []
        for is_leaf, child in zip(ends, children, strict=True):
            count = leaves if is_leaf else given
            reason = f"nodes_{side}nodeids points to {child}, of {count}"
            require(node, 0 <= child < count, reason)
    _features(node)


def _labels(node: Node) -> Sequence[object]:
    names = ("classlabels_int64s", "classlabels_ints", "classlabels_strings")
    given = [name for name in names if _is_given(node, name)]
    require(node, len(given) < 2, f"of {' and '.join(given)} there must be one")
    return node.attributes[given[0]] if given else []


def _label_encoder(node: Node) -> None:
    kinds = ("int64s", "strings", "floats", "tensor")
    _lengths(node, [f"{side}_{kind}" for kind in kinds for side in ("keys", "values")])


def _categories(node: Node) -> None:
    _lengths(node, ("cats_strings", "cats_int64s"))


def _one_hot(node: Node) -> None:
    for name in ("cats_int64s", "cats_strings"):
        labels = node.attributes.get(name) or []
        require(node, len(set(labels)) == len(labels), f"{name} must differ from each other")


def _imputer(node: Node) -> None:
    shape = shape_of(node, 0)
    width = shape[-1] if shape else "columns"
    for name in ("imputed_value_int64s", "imputed_value_floats"):
        count = len(node.attributes.get(name) or [0])
        fits = count == 1 or may_equal(count, width)
        require(node, fits, f"{name} must hold one number, or one for each of {width} columns")


def _features_side_by_side(node: Node) -> None:
    widths = node.attributes.get("inputdimensions")
    if widths:
        reason = f"inputdimensions holds {len(widths)} widths, for {len(node.inputs)} inputs"
        require(node, len(widths) == len(node.inputs), reason)


def _linear(node: Node, rows: int) -> None:
    """Check coefficients: a row of as many as x has columns, for each score."""
    count, shape = len(node.attributes["coefficients"]), shape_of(node, 0)
    reason = f"{count} coefficients do not make {rows} rows"
    require(node, rows > 0 and count % rows == 0, reason)
    if shape:
        require(node, may_equal(shape[-1], count // rows), f"{reason} of {shape[-1]}")


def _linear_regressor(node: Node) -> None:
    targets = attribute(node, "targets")
    _linear(node, targets)
    intercepts = node.attributes.get("intercepts")
    fits = not intercepts or len(intercepts) == targets
    require(node, fits, f"intercepts must hold targets={targets} numbers")


def _linear_classifier(node: Node) -> None:
    labels, intercepts = _labels(node), node.attributes.get("intercepts")
    rows = len(intercepts) if intercepts else len(labels)
    fits = len(labels) > 1 and (rows == len(labels) or (rows, len(labels)) == (1, 2))
    name = (
        "classlabels_strings" if node.attributes.get("classlabels_strings") else "classlabels_ints"
    )
    require(node, fits, f"{name} holds {len(labels)} labels, for {rows} intercepts")
    _linear(node, rows)


def _svm_regressor(node: Node) -> None:
    count = attribute(node, "n_supports")
    _supports(node, count, "n_supports")
    coefficients = node.attributes.get("coefficients") or []
    fits = not count or len(coefficients) == count
    require(node, fits, f"coefficients must hold n_supports={count} numbers")


def _supports(node: Node, count: int, name: str) -> None:
    """Check that there are as many support vectors as stated, each as wide as x."""
    numbers, shape = len(node.attributes.get("support_vectors") or []), shape_of(node, 0)
    if count and shape:
        fits = numbers % count == 0 and may_equal(shape[-1], numbers // count)
        reason = f"support_vectors holds {numbers} numbers, which are not {name}={count} vectors"
        require(node, fits, f"{reason} of {shape[-1]}")


def _svm_classifier(node: Node) -> None:
    per_class, labels = node.attributes.get("vectors_per_class") or [], _labels(node)
    if per_class:
        fits = len(per_class) == len(labels)
        reason = (
            f"vectors_per_class holds {len(per_class)} counts, classlabels {len(labels)} labels"
        )
        require(node, fits, reason)
        _supports(node, sum(per_class), "vectors_per_class")


def _vectorizer(node: Node) -> None:
    """Check the pool of n-grams, all of one length after those that are shorter."""
    counts, read = node.attributes["ngram_counts"], node.attributes.get
    pool = read("pool_int64s") or read("pool_strings") or []
    least, most = (node.attributes[f"{side}_gram_length"] for side in ("min", "max"))
    require(node, least <= most, f"min_gram_length={least} exceeds max_gram_length={most}")
    reason = f"ngram_counts must hold a start for each length up to max_gram_length={most}"
    require(node, most <= len(counts), reason)
    spans = list(zip(counts, [*counts[1:], len(pool)], strict=True))
    for length, (start, end) in enumerate(spans, 1):
        fits = 0 <= start <= end and (end - start) % length == 0
        reason = f"ngram_counts says that {length}-grams stand from {start} to {end} of the pool"
        require(node, fits and counts[0] == 0, reason)
    total = sum((end - start) // k for k, (start, end) in enumerate(spans, 1))
    indices = read("ngram_indexes") or []
    reason = f"ngram_indexes must hold a number of 0 or more for each of {total} n-grams"
    require(node, len(indices) == total and min(indices, default=0) >= 0, reason)
    weights = read("weights")
    require(node, not weights or len(weights) == total, f"weights must hold {total} numbers")


_ML: dict[str, Callable[[Node], None]] = {
    "CategoryMapper": _categories,
    "FeatureVectorizer": _features_side_by_side,
    "Imputer": _imputer,
    "LabelEncoder": _label_encoder,
    "LinearClassifier": _linear_classifier,
    "LinearRegressor": _linear_regressor,
    "OneHotEncoder": _one_hot,
    "SVMClassifier": _svm_classifier,
    "SVMRegressor": _svm_regressor,
    "TreeEnsemble": _ensemble,
    "TreeEnsembleClassifier": _classifier,
    "TreeEnsembleRegressor": _regressor,
}

ML_CHECKS: dict[str, Callable[[Node], None]] = {
    "TfIdfVectorizer": _vectorizer,
    **{f"ai.onnx.ml.{op_type}": check for op_type, check in _ML.items()},
}
