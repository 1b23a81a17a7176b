"""The interpreter frees what nobody reads any more, and says where a kernel failed."""

import tracemalloc

import numpy as np
import pytest

import onnxgrad as og


def test_values_are_freed_after_their_last_reader() -> None:
    b = og.Builder("chain")
    x = b.input("x", "float32", (256, 1024))
    y = x
    for _ in range(20):
        y = b.op.Add(b.op.Tanh(y), x)
    b.output(y, "y")
    compiled = og.compile(b.build())
    array = np.ones((256, 1024), np.float32)
    compiled(x=array)
    tracemalloc.start()
    try:
        result = compiled(x=array)["y"]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * result.nbytes  # and not the forty that the chain computes


def test_an_error_names_the_node_and_what_it_got() -> None:
    b = og.Builder("g")
    x, shape = b.input("x", "float32", ("N",)), b.input("shape", "int64", (2,))
    b.output(b.op.Expand(x, shape, name="stretch"), "y")
    with pytest.raises(og.GraphError) as caught:
        og.compile(b.build())(x=np.ones(5, "f4"), shape=np.array([2, 2]))
    assert "while running Expand 'stretch' on (float32[5], int64[2]): operands" in str(caught.value)


def test_outputs_share_no_memory() -> None:
    b = og.Builder("g")
    x = b.input("x", "float32", (2, 3))
    w = b.constant(np.ones(3, np.float32))
    b.output(b.op.Transpose(x), "turned")
    b.output(b.op.Identity(x), "same")
    b.output(b.op.Identity(w), "ones")
    compiled = og.compile(b.build())
    array = np.zeros((2, 3), np.float32)
    for result in compiled(x=array).values():
        result[:] = 7
    assert not array.any()
    assert (compiled(x=array)["ones"] == 1).all()


def test_buffers_of_the_caller_keep_their_size() -> None:
    b = og.Builder("g")
    b.output(b.op.Exp(b.input("x", "float32", (2,))), "y")
    before = np.getbufsize()
    og.compile(b.build())(x=np.ones(2, np.float32))
    assert np.getbufsize() == before
