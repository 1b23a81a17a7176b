"""Forces on the atoms of molecules by a network like SchNet (Schütt et al., 2017).

The loss is minus the energy of one molecule, so that its gradient by the positions is the forces.
"""

from typing import Any

import numpy as np
from workload import Arrays, Draw, Workload

ATOMS, WIDTH, CENTERS, BLOCKS, REACH = 16, 64, 32, 3, 6.0
"""REACH: where an atom no longer feels another one, in Å."""

KINDS = np.arange(ATOMS) % 5
FIRST, SECOND = np.nonzero(~np.eye(ATOMS, dtype=bool))
"""The atoms of each pair, by first atom."""

MIDDLES = np.linspace(0, REACH, CENTERS, dtype=np.float32)
SHARPNESS = 0.5 / float(MIDDLES[1]) ** 2


def weights(draw: Draw, size: int) -> None:
    """An embedding, three blocks and a head"""
    draw.normal("kinds", 5, WIDTH)
    for k in range(BLOCKS):
        draw.linear(f"{k}.before", WIDTH, WIDTH, bias=False)
        draw.linear(f"{k}.filter", CENTERS, WIDTH)
        for name in ("filtered", "after", "last"):
            draw.linear(f"{k}.{name}", WIDTH, WIDTH)
    draw.linear("inner", WIDTH, WIDTH // 2)
    draw.linear("head", WIDTH // 2, 1)


def data(rng: np.random.Generator, size: int) -> Arrays:
    """Positions of the atoms of so many molecules: a grid, shaken"""
    grid = np.stack(np.meshgrid(range(4), range(2), range(2), indexing="ij"), -1).reshape(-1, 3)
    return {"x": (1.5 * grid + rng.normal(0, 0.2, (size, ATOMS, 3))).astype(np.float32)}


def energy(w: Any, h: Any, spread: Any, near: Any, dense: Any, soft: Any, other: Any) -> Any:
    """Give the atoms' energies, by pairs' Gaussians and their cut-off, and what a library has.

    dense: (x, name) → x·Wᵀ + b. soft: softplus − ln 2. other: (h of atoms, filters of pairs) → the
    sum over each atom's pairs of the second atom's h times the filter.
    """
    for k in range(BLOCKS):
        filters = dense(soft(dense(spread, f"{k}.filter")), f"{k}.filtered") * near
        mixed = other(h @ w[f"{k}.before.weight"], filters)
        h = h + dense(soft(dense(mixed, f"{k}.after")), f"{k}.last")
    return dense(soft(dense(h, "inner")), "head")


def ours(op: Any, w: Any, x: Any) -> Any:
    """In ONNX, for one molecule"""

    def dense(x: Any, name: str) -> Any:
        return op.Gemm(x, w[f"{name}.weight"], w[f"{name}.bias"], transB=1)

    def soft(x: Any) -> Any:
        return op.Softplus(x) - float(np.log(2))

    def other(h: Any, filters: Any) -> Any:
        pairs = op.Gather(h, SECOND) * filters
        return op.ReduceSum(op.Reshape(pairs, [ATOMS, ATOMS - 1, WIDTH]), [1], keepdims=0)

    away = op.Gather(x, FIRST) - op.Gather(x, SECOND)
    d = op.Sqrt(op.ReduceSum(away * away, [1]))
    spread = op.Exp(-SHARPNESS * (d - MIDDLES) ** 2.0)
    near = op.Where(d < REACH, 0.5 * op.Cos(d * (np.pi / REACH)) + 0.5, 0.0)
    h = op.Gather(w["kinds"], KINDS)
    return -op.ReduceSum(energy(w, h, spread, near, dense, soft, other), keepdims=0)


def in_torch(torch: Any, w: Any, x: Any) -> Any:
    """In torch, for all molecules"""
    nn = torch.nn.functional
    first, second, kinds = (torch.from_numpy(a) for a in (FIRST, SECOND, KINDS))

    def dense(x: Any, name: str) -> Any:
        return nn.linear(x, w[f"{name}.weight"], w[f"{name}.bias"])

    def soft(x: Any) -> Any:
        return nn.softplus(x) - float(np.log(2))

    def other(h: Any, filters: Any) -> Any:
        if len(h) != len(x):
            h = h.expand(len(x), -1, -1)
        pairs = h.index_select(1, second) * filters
        return pairs.unflatten(1, (ATOMS, ATOMS - 1)).sum(2)

    away = x.index_select(1, first) - x.index_select(1, second)
    d = (away * away).sum(2, keepdim=True).sqrt()
    spread = torch.exp(-SHARPNESS * (d - torch.from_numpy(MIDDLES)) ** 2)
    near = torch.where(d < REACH, 0.5 * torch.cos(d * (np.pi / REACH)) + 0.5, 0.0)
    h = w["kinds"][kinds][None]
    return -energy(w, h, spread, near, dense, soft, other).sum((1, 2))


def in_jax(jax: Any, w: Any, x: Any) -> Any:
    """In jax, for one molecule"""

    def dense(x: Any, name: str) -> Any:
        return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    def soft(x: Any) -> Any:
        return jax.nn.softplus(x) - float(np.log(2))

    def other(h: Any, filters: Any) -> Any:
        return (h[SECOND] * filters).reshape(ATOMS, ATOMS - 1, WIDTH).sum(1)

    away = x[FIRST] - x[SECOND]
    d = jax.numpy.sqrt((away * away).sum(1, keepdims=True))
    spread = jax.numpy.exp(-SHARPNESS * (d - MIDDLES) ** 2)
    near = jax.numpy.where(d < REACH, 0.5 * jax.numpy.cos(d * (np.pi / REACH)) + 0.5, 0.0)
    return -energy(w, w["kinds"][KINDS], spread, near, dense, soft, other).sum()


WORKLOAD = Workload(
    "forces, SchNet-like, {} molecules by vmap", 32, weights, data, ours, in_torch, in_jax, by="x"
)
