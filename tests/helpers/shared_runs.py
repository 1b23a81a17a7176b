"""Runs that several processes share, here threads, beside the run of one."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from threads import losses, together

import onnxgrad as og


def require_same(
    graph: og.Graph,
    data: Mapping[str, np.ndarray],
    sizes: tuple[int, ...] = (2, 3, 5),
    **settings: Any,
) -> None:
    """Compare two steps of several processes with those of one, on NumPy."""
    run: dict[str, Any] = {"optimizer": og.optim.SGD(0.3), "epochs": 2, "shuffle": False}
    run |= {"batch_size": len(data["x"]), **settings}
    reference: dict[str, Any] = {**run, "backend": "numpy"}
    alone = og.fit(graph, data, **reference)
    assert all(map(np.isfinite, losses(alone)))
    for size in sizes:
        for fitted in together(size, lambda group: og.fit(graph, data, **run, parallel=group)):
            np.testing.assert_allclose(losses(fitted), losses(alone), rtol=1e-9)
            for name, array in alone.state.items():
                np.testing.assert_allclose(fitted.state[name], array, rtol=1e-8, atol=1e-11)
