"""Samples of Einsum: products, sums, diagonals, ellipses and implicit outputs."""

from .sample import Sample, random


def einsum(
    equation: str, *shapes: tuple[int, ...], onnxruntime: bool = True, reference: bool = True
) -> Sample:
    """Give a call of Einsum on random operands."""
    operands = [random(*shape, seed=k) for k, shape in enumerate(shapes)]
    return Sample(
        "Einsum",
        operands,
        {"equation": equation},
        onnxruntime=onnxruntime,
        reference=reference,
    )


SAMPLES = [
    einsum("ij,jk->ik", (2, 3), (3, 4)),
    einsum("ij,jk", (2, 3), (3, 4)),
    einsum("bij,bjk->bik", (2, 3, 4), (2, 4, 2)),
    einsum("bhqd,bhkd->bhqk", (1, 2, 3, 2), (1, 2, 4, 2)),
    einsum("i,j->ij", (2,), (3,)),
    einsum("i,i->", (3,), (3,)),
    einsum("ij->ji", (2, 3)),
    einsum("ij->i", (2, 3)),
    einsum("ij->", (2, 3)),
    einsum("ij,k->i", (2, 3), (4,)),
    einsum("ii->i", (3, 3)),
    einsum("ii->", (3, 3)),
    einsum("ii", (3, 3)),
    einsum("iji->j", (2, 3, 2)),
    einsum("iij,jk->ik", (2, 2, 3), (3, 2)),
    einsum("iii,i->i", (2, 2, 2), (2,)),
    einsum("...ij,...jk->...ik", (2, 2, 3), (2, 3, 4)),
    einsum("...ij,...jk->...ik", (2, 1, 2, 3), (1, 4, 3, 2)),
    einsum("...ij,jk->...ik", (2, 2, 3), (3, 4)),
    einsum("i...,j...->ij...", (2, 3), (4, 3)),
    einsum("...ii->...i", (2, 3, 3)),
    einsum("...i,i", (2, 3), (3,)),
    einsum(" b i , i c -> b c ", (2, 3), (3, 2)),
    einsum("ba,cb,dc->ad", (2, 3), (4, 2), (3, 4)),
    einsum("Ab,bC->CA", (2, 3), (3, 4)),
    # an index of size 1 is stretched to its size elsewhere, which onnx.checker does not know
    einsum("i,ij->ij", (1,), (2, 3), onnxruntime=False),
    einsum("ij,i->j", (2, 3), (1,)),
    einsum("ij,jk->ik", (2, 1), (3, 2)),
    einsum("ij,ij,ij->i", (2, 1), (1, 3), (1, 1), onnxruntime=False),
    # onnx.reference wants a longer equation
    einsum("", (), reference=False),
    einsum(",ij->ji", (), (2, 3)),
]
