"""The order of examples: each epoch all of them once, and the same in every run."""

import numpy as np

from onnxgrad.fitting.batches import Batches, Order


def test_an_epoch_holds_each_example_once() -> None:
    batches = Batches(examples=103, size=10, order=Order(7))
    drawn = [batches.of(4, k) for k in range(batches.per_epoch)]
    assert [len(b) for b in drawn] == [10] * 10 + [3]
    assert sorted(np.concatenate(drawn)) == list(range(103))


def test_epochs_and_seeds_have_orders_of_their_own() -> None:
    first = Batches(100, 100, order=Order(0)).of(0, 0)
    assert not np.array_equal(first, Batches(100, 100, order=Order(0)).of(1, 0))
    assert not np.array_equal(first, Batches(100, 100, order=Order(1)).of(0, 0))
    assert np.array_equal(first, Batches(100, 100, order=Order(0)).of(0, 0))


def test_the_order_is_that_of_philox_itself() -> None:
    """Sorted by the bits that NumPy promises for all versions, not by what `permutation` does."""
    bits = [
        int(np.random.Philox(key=[5, 2]).advance(k // 4).random_raw(4)[k % 4]) for k in range(9)
    ]
    assert Batches(9, 9, order=Order(5)).of(2, 0).tolist() == sorted(
        range(9), key=lambda k: bits[k]
    )


def test_without_shuffling_they_come_as_they_stand() -> None:
    batches = Batches(examples=7, size=3, order=Order(shuffle=False), drop_last=True)
    assert [batches.of(5, k).tolist() for k in range(batches.per_epoch)] == [[0, 1, 2], [3, 4, 5]]


def test_the_parts_of_processes_make_up_the_batch() -> None:
    for ranks in (1, 2, 3, 4, 8):
        parts = [Batches(23, 7, Order(3, rank=r, ranks=ranks)).of(1, 3) for r in range(ranks)]
        assert np.array_equal(np.concatenate(parts), Batches(23, 7, Order(3)).of(1, 3))
