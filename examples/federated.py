"""Federated averaging: members train a file on data that they keep, and share only its weights.

Each round every member starts from the common weights, trains on its own data, and the weights are
averaged by how many examples each has (McMahan et al., 2017). Here the members take turns in one
process; under `mpiexec -n 4` each process is one, and nothing else changes.
Run: python examples/federated.py, or mpiexec -n 4 python examples/federated.py
"""

import numpy as np

import onnxgrad as og
from onnxgrad.parallel import ALONE, Group, find_group

MEMBERS, ROUNDS = 4, 8
State = dict[str, np.ndarray]


def build_model() -> og.Graph:
    """x: (N, 2), label: (N,) → loss, logits"""
    rng = np.random.default_rng(0)
    b = og.Builder("shared")
    x = b.input("x", "float32", ("N", 2))
    hidden = b.op.Tanh(x @ b.parameter("w1", rng.normal(size=(2, 16)).astype("f4")))
    b.output(hidden @ b.parameter("w2", (rng.normal(size=(16, 3)) / 4).astype("f4")), "logits")
    return og.losses.cross_entropy(b.build(), of="logits")


def data_of(member: int) -> State:
    """Give what a member has: mostly one direction of three, and not as much as others."""
    rng = np.random.default_rng(member)
    turn = rng.normal(size=200 * (member + 1), loc=2 * np.pi * member / MEMBERS, scale=0.8)
    x = (np.stack([np.cos(turn), np.sin(turn)], 1)).astype("f4")
    return {"x": x, "label": (3 * (turn % (2 * np.pi)) / (2 * np.pi)).astype(np.int64)}


def train(model: og.Graph, member: int, round_: int) -> tuple[State, int]:
    """Give what a member makes of the common weights, and how many examples it has."""
    data = data_of(member)
    fitted = og.fit(model, data, optimizer=og.optim.SGD(0.3), epochs=2, seed=round_)
    return fitted.state, len(data["x"])


def average(model: og.Graph, members: list[int], round_: int, group: Group) -> og.Graph:
    """Let these members train, and put the mean of all in place of the common weights."""
    sums = {v.name: np.zeros(v.constant.shape) for v in model.parameters}  # type: ignore[union-attr]
    examples = np.zeros(1)
    for member in members:
        state, count = train(model, member, round_)
        examples += count
        for name, total in sums.items():
            total += count * state[name]
    group.all_reduce(examples)
    for total in sums.values():
        group.all_reduce(total)
    return og.with_parameters(model, {n: (t / examples).astype("f4") for n, t in sums.items()})


def main(group: Group) -> None:
    """Train round by round; the common model knows what no member has seen alone."""
    model, everything = build_model(), [data_of(m) for m in range(MEMBERS)]
    test = {n: np.concatenate([d[n] for d in everything]) for n in ("x", "label")}
    own = [m for m in range(MEMBERS) if m % group.size == group.rank]

    def right(g: og.Graph) -> float:
        return float((og.compile(g).run(test)["logits"].argmax(1) == test["label"]).mean())

    alone = right(og.with_parameters(model, train(model, 0, 0)[0]))
    for k in range(ROUNDS):
        model = average(model, own, k, group)
        if group.rank == 0:
            print(f"round {k}: {right(model):.1%} right")
    if group.rank == 0:
        print(f"one member alone: {alone:.1%}")
    assert right(model) > max(alone, 0.9)


if __name__ == "__main__":
    try:
        main(find_group("mpi"))
    except og.BackendUnavailableError:
        main(ALONE)
