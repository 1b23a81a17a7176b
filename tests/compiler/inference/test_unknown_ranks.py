"""Calls whose inputs have no known rank: right, or refused by name; `make calls` runs all rows."""

import pytest
from op_samples import SAMPLES
from op_samples.sample import Sample
from unknown_ranks import verdicts

import onnxgrad as og

NEVER_NEED_A_RANK = {"Add", "Relu", "Softmax", "ReduceSum", "Concat", "Gather", "MaxPool"}


@pytest.mark.parametrize("sample", SAMPLES[::6], ids=str)
def test_a_call_without_ranks_is_right_or_refused(sample: Sample) -> None:
    for fed in (False, True):
        found = verdicts(sample, fed)
        assert set(found.values()) <= {"right", "refused"}, found
        if sample.op in NEVER_NEED_A_RANK:
            assert found["run"] == "right"


@pytest.mark.parametrize(
    "sample",
    [s for s in SAMPLES if "SAME" in str(s.attributes.get("auto_pad")) or s.op == "GridSample"],
    ids=str,
)
def test_padding_and_sampling_without_ranks(sample: Sample) -> None:
    assert set(verdicts(sample, fed=False).values()) <= {"right", "refused"}


def test_the_error_names_the_node_and_the_input() -> None:
    b = og.Builder()
    x, w = b.input("x", "float32", None), b.input("w", "float32", None)
    b.output(b.op.Conv(x, w, auto_pad="SAME_UPPER", name="stem"), "y")
    with pytest.raises(og.OnnxgradError, match="Conv 'stem' by 'x'"):
        og.vjp(b.build(), "y", "x")


def test_a_refusal_of_a_body_names_the_node() -> None:
    b = og.Builder()
    q, k, v = (b.input(n, "float32", None) for n in "qkv")
    b.output(b.op.Attention(q, k, v, name="heads"), "y")
    with pytest.raises(og.OnnxgradError, match="Attention 'heads'.*rank of 'q'"):
        og.vjp(b.build(), "y", "q")
