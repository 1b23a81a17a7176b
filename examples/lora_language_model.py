"""Teach a small language model a new text by low-rank adapters alone; its own weights stay.

A transformer block learns the alphabet in one direction; adapters of rank 4 then learn the other.
Merged, the file needs no adapters.  Run: python examples/lora_language_model.py
"""

import numpy as np

import onnxgrad as og

LETTERS, WIDTH, LENGTH = 26, 32, 12


def build_model() -> og.Graph:
    """letters: (N, 12) → logits: (N, 12, 26), by one block of causal attention"""
    rng = np.random.default_rng(0)
    b = og.Builder("letters")
    op = b.op

    def weight(name: str, *shape: int) -> og.Tensor:
        return b.parameter(name, (rng.normal(size=shape) / np.sqrt(shape[0])).astype("f4"))

    letters = b.input("letters", "int64", ("N", LENGTH))
    x = op.Gather(weight("embedding", LETTERS, WIDTH), letters) + weight("places", LENGTH, WIDTH)
    q, k, v = (x @ weight(f"attention.{n}_proj", WIDTH, WIDTH) for n in "qkv")
    seen = np.triu(np.full((LENGTH, LENGTH), -1e9, np.float32), 1)
    scores = q @ op.Transpose(k, perm=[0, 2, 1]) / float(np.sqrt(WIDTH)) + b.constant(seen)
    x = x + op.Softmax(scores) @ v @ weight("attention.o_proj", WIDTH, WIDTH)
    x = x + op.Gelu(x @ weight("up_proj", WIDTH, 4 * WIDTH)) @ weight("down_proj", 4 * WIDTH, WIDTH)
    b.output(x @ weight("head", WIDTH, LETTERS), "logits")
    return b.build()


def text(count: int, step: int, seed: int) -> dict[str, np.ndarray]:
    """Runs of the alphabet, forward or backward, and the letters that follow."""
    first = np.random.default_rng(seed).integers(0, LETTERS, (count, 1))
    letters = (first + step * np.arange(LENGTH + 1)) % LETTERS
    return {"letters": letters[:, :-1], "label": letters[:, 1:]}


def main() -> None:
    """Train the whole, then adapters; merge them."""
    base = og.losses.cross_entropy(build_model(), of="logits", axis=-1)
    run = {"epochs": 12, "backend": "onnxruntime"}
    base = og.fit(base, text(1000, 1, 0), optimizer=og.optim.Adam(3e-3), **run).graph  # type: ignore[arg-type]
    adapted = og.lora(base, ["*_proj", "head"], rank=4)
    fitted = og.fit(adapted, text(1000, -1, 1), optimizer=og.optim.Adam(1e-2), **run)  # type: ignore[arg-type]
    trained = {n: a for n, a in fitted.state.items() if n in {v.name for v in adapted.parameters}}
    merged = og.merge_lora(fitted.graph)
    test = text(50, -1, 2)
    whole = sum(np.asarray(v.constant).size for v in base.parameters)
    share = sum(a.size for a in trained.values()) / whole
    for name, g in (("before", base), ("with adapters", fitted.graph), ("merged", merged)):
        found = og.compile(g).run(test)["logits"].argmax(-1)
        right = float((found == test["label"])[:, 1:].mean())
        print(f"{name}: {right:.1%} of the letters, backward")
        assert (right > 0.95) == (name != "before")
    print(f"adapters are {share:.1%} of the weights")
    for v in base.parameters:
        assert np.array_equal(v.constant, fitted.graph.find(v.name).constant)  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
