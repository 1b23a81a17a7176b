"""Our losses, and a model of torch with its own, train on several processes as on one."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from shared_runs import require_same
from threads import losses, together

import onnxgrad as og

RNG = np.random.default_rng(3)
EXAMPLES = 13
X = RNG.normal(size=(EXAMPLES, 4))
TARGET = RNG.normal(size=(EXAMPLES, 3))
IGNORED = np.where(np.arange(EXAMPLES) % 8 < 6, -100, RNG.integers(0, 3, size=EXAMPLES))
"""The first part has but ignored ones, whether of two, three or five."""
TEXTS = RNG.integers(0, 3, size=(EXAMPLES, 5))
TEXTS[:4], TEXTS[5, 2:] = -100, -100
WEIGHTS = np.array([0.1, 1.0, 3.0])


def network(*shape: int) -> og.Graph:
    b = og.Builder("network")
    w = b.parameter("w", np.random.default_rng(2).normal(size=(4, int(np.prod(shape)))))
    b.output(b.op.Reshape(b.input("x", "float64", ("N", 4)) @ w, [-1, *shape]), "y")
    return b.build()


SPELLED = np.where(np.arange(EXAMPLES)[:, None] % 3 > np.arange(2)[None], [[1, 2]], -100)
PROBABILITIES = RNG.dirichlet(np.ones(3), size=EXAMPLES)
OURS: dict[str, tuple[og.Graph, Mapping[str, np.ndarray]]] = {
    "cross_entropy": (og.losses.cross_entropy(network(3)), {"label": IGNORED}),
    "cross_entropy, smoothed": (
        og.losses.cross_entropy(network(3), label_smoothing=0.1, weight=WEIGHTS),
        {"label": IGNORED},
    ),
    "cross_entropy of tokens": (og.losses.cross_entropy(network(5, 3), axis=-1), {"label": TEXTS}),
    "cross_entropy of images": (og.losses.cross_entropy(network(3, 5), axis=1), {"label": TEXTS}),
    "binary_cross_entropy": (
        og.losses.binary_cross_entropy(network(3), positive_weight=2.0),
        {"label": (TARGET > 0) * 1.0},
    ),
    "kl_divergence": (og.losses.kl_divergence(network(3)), {"target": PROBABILITIES}),
    "mse": (og.losses.mse(network(3)), {"target": TARGET}),
    "l1": (og.losses.l1(network(3)), {"target": TARGET}),
    "huber": (og.losses.huber(network(3)), {"target": TARGET}),
    "cosine": (og.losses.cosine(network(3)), {"target": TARGET}),
    "ctc": (og.losses.ctc(network(6, 4)), {"label": SPELLED}),
    "ctc of lengths": (
        og.losses.ctc(network(6, 4), lengths="frames"),
        {"label": SPELLED, "frames": np.arange(EXAMPLES) % 3 + 4},
    ),
    "total": (
        og.losses.total(
            og.losses.mse(og.losses.cross_entropy(network(3), name="a"), "y", name="b"),
            {"a": 1.0, "b": 0.5},
        ),
        {"label": IGNORED, "target": TARGET},
    ),
}


@pytest.mark.parametrize("name", OURS)
def test_our_losses_are_shared(name: str) -> None:
    graph, arrays = OURS[name]
    require_same(graph, {"x": X, **arrays}, sizes=(2, 5), optimizer=og.optim.SGD(0.05))


def test_all_our_losses_are_tried() -> None:
    """But one, which compares examples."""
    tried = {name.split(",")[0].split(" ")[0] for name in OURS}
    assert tried == {*og.losses.__all__} - {"check_labels", "info_nce"}
    graph = og.losses.info_nce(network(3))
    with pytest.raises(og.GraphError, match="compares examples with each other"):
        together(
            2,
            lambda group: og.fit(
                graph,
                {"x": X, "positive": TARGET},
                optimizer=og.optim.SGD(0.1),
                parallel=group,
            ),
        )


EXPORTED = Path(__file__).parents[2] / "fixtures" / "torch_models" / "gpt_loss_old.onnx"


def test_a_language_model_of_torch_is_shared() -> None:
    """Its labels of -100 do not count: the mean is over the others of the whole batch."""
    ids = RNG.integers(0, 40, size=(7, 6))
    data = {"ids": ids, "targets": np.where(np.arange(7)[:, None] < 4, -100, ids)}
    run: dict[str, Any] = {"optimizer": og.optim.SGD(0.1), "batch_size": 7, "epochs": 2}
    graph = og.load(EXPORTED)
    alone = og.fit(graph, data, **run)
    for fitted in together(2, lambda group: og.fit(graph, data, **run, parallel=group)):
        np.testing.assert_allclose(losses(fitted), losses(alone), rtol=1e-5)
        for name, array in alone.state.items():
            np.testing.assert_allclose(fitted.state[name], array, rtol=1e-4, atol=1e-6)
